"""Model folders from strangers: damaged ones and malicious ones are refused with one sentence, and nothing of them is run.

``HOSTILE=2000 python -m pytest tests/test_hostile_models.py`` is the long run.
"""

import contextlib
import json
import os
import pickle
import resource
import shutil
import struct
import sys

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ganzoo
from ganzoo.card import card
from ganzoo.errors import GanzooError, PluginError
from ganzoo.registry import import_reference

CASES = int(os.environ.get("HOSTILE", "200"))
MEMORY = 256 << 20
"""What all cases together may add to the memory at its highest; a sample of the hostile sizes below has terabytes."""

TRAP = "ganzoo_trap"
"""A module that lies on the path, and tells if it is imported."""


class Exploit:
    """What unpickling runs."""

    def __reduce__(self):
        return (exec, (f"import {TRAP}",))


HOSTILE = st.one_of(
    st.sampled_from(
        [
            *(10**12, -1, 0, 2**63, -(2**63), 10**400, 1e308, -0.0, True, None, "", [], {}),
            *(f"{TRAP}:run", f"{TRAP}", "os:system", "../../../etc/passwd", "/etc/passwd", "builtins:exec", "__import__"),
            *([10**12], [10**12] * 8, [1] * 100_000, ["512"] * 3, {"a": {"b": 1}}, "x" * 100_000, "\u202eevil", "\x00"),
            *("mlp", "dcgan", "ganzoo:mlp", "ganzoo_mlp.networks:MLPGenerator", "torch.nn:Linear"),
        ]
    ),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
)


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    """A model folder that is whole, and a trap for whatever imports what a file names."""
    root = tmp_path_factory.mktemp("hostile")
    (root / "path").mkdir()
    # A module that raises as it is imported is as good as not imported to Python, and a clean refusal to the registry.
    sprung = "from pathlib import Path\nPath(__file__).with_name('sprung').touch()\nraise SystemExit('it was imported')\n"
    (root / "path" / f"{TRAP}.py").write_text(sprung)
    options = {"generator.hidden": [8], "discriminator.hidden": [8], "batch_size": 32}
    run = ganzoo.train("mlp", images=64, out=root / "run", options=options)
    sys.path.insert(0, str(root / "path"))
    yield run.folder / "model"
    sys.path.remove(str(root / "path"))


@pytest.fixture(scope="session")
def judged(whole, tmp_path_factory):
    """Loads a copy of the folder that ``damage`` was done to: it is refused well, or is the very network."""
    state = ganzoo.load(whole).state_dict()
    folder = tmp_path_factory.mktemp("case") / "model"
    sprung = whole.parent.parent / "path" / "sprung"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def judge(damage, *, harmless=False):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(whole, folder)
        damage(folder)
        refusal, loaded = "", None
        try:
            loaded = ganzoo.load(folder)
        except GanzooError as error:
            refusal = error.message
        if loaded is None:
            assert 0 < len(refusal) < 2000
        else:
            assert harmless, "it was taken"
            assert all(torch.equal(value, state[name]) for name, value in loaded.state_dict().items())
        with contextlib.suppress(GanzooError):
            card(folder, "alice/clothes")
        assert not sprung.exists()
        assert TRAP not in sys.modules
        assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < MEMORY

    return judge


many = settings(max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck))


def test_the_trap_springs(judged, whole):
    sprung = whole.parent.parent / "path" / "sprung"
    with pytest.raises(PluginError):
        import_reference(f"{TRAP}:run", None)
    assert sprung.exists()
    sprung.unlink()


@many
@given(st.data())
def test_a_file_that_ends_early(judged, data):
    def damage(folder):
        path = folder / data.draw(st.sampled_from(["config.json", "model.safetensors"]))
        size = path.stat().st_size
        # The last byte of config.json ends its last line, and says nothing.
        os.truncate(path, data.draw(st.integers(0, size - 2)))

    judged(damage)


@many
@given(st.data())
def test_a_bit_that_has_flipped_in_the_weights(judged, data):
    def damage(folder):
        flip(folder / "model.safetensors", data)

    judged(damage)


@many
@given(st.data())
def test_a_bit_that_has_flipped_in_the_configuration(judged, data):
    judged(lambda folder: flip(folder / "config.json", data), harmless=True)


def flip(path, data):
    raw = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(raw)


@many
@given(st.data())
def test_a_configuration_with_a_hostile_value(judged, data):
    def damage(folder):
        path = folder / "config.json"
        config = json.loads(path.read_text())
        replace_one(config, data)
        path.write_text(json.dumps(config))

    judged(damage, harmless=True)


@many
@given(st.data())
def test_weights_whose_header_lies(judged, data):
    def damage(folder):
        path = folder / "model.safetensors"
        raw = path.read_bytes()
        (length,) = struct.unpack("<Q", raw[:8])
        header = json.loads(raw[8 : 8 + length])
        replace_one(header, data)
        text = json.dumps(header).encode()
        said = data.draw(st.sampled_from([len(text), len(text), len(text), 0, 2**63, 2**64 - 1, 10**12, len(text) + 1]))
        path.write_bytes(struct.pack("<Q", said) + text + raw[8 + length :])
        forget_hash(folder)

    judged(damage, harmless=True)


def replace_one(value, data):
    """Put something hostile in the place of a leaf, or of a branch, or under a new key."""
    while True:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        if isinstance(value, dict) and data.draw(st.integers(0, 9)) == 0:
            value[data.draw(st.sampled_from(["new", "../up", "__class__", "generator", TRAP]))] = data.draw(HOSTILE)
            return
        if not keys:
            return
        key = data.draw(st.sampled_from(keys))
        if not isinstance(value[key], (dict, list)) or not value[key] or data.draw(st.integers(0, 4)) == 0:
            value[key] = data.draw(HOSTILE)
            return
        value = value[key]


def forget_hash(folder):
    """Whoever changes weights on purpose changes their hash too."""
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config["networks"]["generator"]["sha256"] = None
    path.write_text(json.dumps(config))


def replace(name, content):
    def damage(folder):
        (folder / name).write_bytes(content)
        forget_hash(folder) if name != "config.json" else None

    return damage


def with_config(change):
    def damage(folder):
        path = folder / "config.json"
        config = json.loads(path.read_text())
        change(config)
        path.write_text(json.dumps(config))

    return damage


def network(**changes):
    return with_config(lambda config: config["networks"]["generator"].update(changes))


def arguments(**changes):
    return with_config(lambda config: config["networks"]["generator"]["arguments"].update(changes))


def to_dtype(dtype):
    def damage(folder):
        from safetensors.torch import load_file, save_file

        path = folder / "model.safetensors"
        tensors = load_file(path)
        save_file({name: t.to(dtype) if t.is_floating_point() else t for name, t in tensors.items()}, path)
        forget_hash(folder)

    return damage


def link(name, target):
    def damage(folder):
        (folder / name).unlink()
        (folder / name).symlink_to(target)

    return damage


def pipe(name):
    def damage(folder):
        (folder / name).unlink()
        os.mkfifo(folder / name)

    return damage


def many_tensors(folder):
    entry = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    header = json.dumps({f"t{number}": entry for number in range(600_000)}).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    forget_hash(folder)


DEEP = b'{"format": 1, "training": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
ATTACKS = {
    "a pickle for weights": replace("model.safetensors", pickle.dumps(Exploit())),
    "a pickle for a configuration": replace("config.json", pickle.dumps(Exploit())),
    "no weights at all": replace("model.safetensors", b""),
    "a header of 16 exabytes": replace("model.safetensors", struct.pack("<Q", 2**64 - 1)),
    "a component out of a module": network(component=f"{TRAP}:run"),
    "a component out of the standard library": network(component="os:system"),
    "a component of another plugin": network(plugin={"distribution": TRAP, "version": "1"}),
    "a plugin whose name is a path": network(plugin={"distribution": "../../evil", "version": "1"}),
    "a variant whose name is a path": with_config(lambda config: config.update(variant="../../evil")),
    "a role whose name is a path": with_config(lambda c: c["networks"].update({"../../up": c["networks"]["generator"]})),
    "a sample of a million million pixels": with_config(lambda config: config.update(sample_shape=[1, 10**6, 10**6])),
    "a sample shape of one huge number": with_config(lambda config: config.update(sample_shape=[10**12])),
    "a sample shape of many numbers": with_config(lambda config: config.update(sample_shape=[1] * 1000)),
    "a huge latent": arguments(latent_dim=10**12),
    "a number in text": arguments(latent_dim="9" * 15),
    "a number with a point in text": arguments(latent_dim="9" * 15 + ".0"),
    "an argument of 100,000 letters": arguments(latent_dim="x" * 100_000),
    "a name of 900,000 letters": arguments(**{"x" * 900_000: 1}),
    "a header of 600,000 tensors": many_tensors,
    "a wide network": arguments(hidden=[1 << 24, 1 << 24]),
    "a deep network": arguments(hidden=[1] * 100_000),
    "a network of many blocks": with_config(
        lambda config: config["networks"]["generator"].update(component="dcgan", arguments={"blocks": 1 << 24})
    ),
    "an argument that is not there": arguments(command="rm -rf /"),
    "JSON of 100,000 brackets": replace("config.json", DEEP),
    "JSON of a megabyte and more": replace("config.json", b'{"format": 1, "x": "' + b"x" * (1 << 21) + b'"}'),
    "JSON that is a number": replace("config.json", b"17"),
    "JSON with a number of 100,000 digits": replace("config.json", b'{"format": ' + b"9" * 100_000 + b"}"),
    "a range of infinite width": replace("config.json", b'{"value_range": [-Infinity, Infinity]}'),
    "a configuration of the future": with_config(lambda config: config.update(format=2)),
    "weights of whole numbers": to_dtype(torch.int32),
    "weights of complex numbers": to_dtype(torch.complex64),
    "a configuration that never ends": link("config.json", "/dev/zero"),
    "weights that never end": link("model.safetensors", "/dev/zero"),
    "a configuration that is a pipe": pipe("config.json"),
    "weights that are a pipe": pipe("model.safetensors"),
    "a configuration that is its own link": link("config.json", "config.json"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack(judged, attack):
    judged(ATTACKS[attack])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64], ids=str)
def test_weights_of_another_precision_are_widened(whole, tmp_path, dtype):
    folder = shutil.copytree(whole, tmp_path / "model")
    to_dtype(dtype)(folder)
    assert {parameter.dtype for parameter in ganzoo.load(folder).parameters()} == {torch.float32}
