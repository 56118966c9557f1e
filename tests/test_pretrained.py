import json
import pickle
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

import ganzoo
from ganzoo import plugins, pretrained
from ganzoo.errors import ModelError, PluginError, UsageError
from ganzoo.model_folder import MAX_JSON_BYTES, find_folder, read_config


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a finished run of a generator small enough to be trained by every test run."""
    options = {"generator.hidden": [8], "discriminator.hidden": [8], "batch_size": 8}
    return ganzoo.train("mlp", out=tmp_path_factory.mktemp("runs") / "run", options=options, images=32, device="cpu").folder


@pytest.fixture
def model(trained, tmp_path):
    """A copy of its model folder that may be damaged."""
    return shutil.copytree(trained / "model", tmp_path / "model")


def edit(model, change):
    path = model / "config.json"
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def test_a_run_and_its_model_folder_are_the_same(trained):
    assert find_folder(trained) == find_folder(trained / "model") == find_folder(str(trained)) == trained / "model"
    first, second = ganzoo.load(trained), ganzoo.load(trained / "model")
    assert torch.equal(first.sample(range(4)), second.sample(range(4)))


def test_a_loaded_generator_is_ready_to_use(trained):
    generator = ganzoo.load(trained)
    assert isinstance(generator, ganzoo.Generator)
    assert not generator.training
    assert not any(p.requires_grad for p in generator.parameters())
    images = generator.sample(seeds=range(16))
    assert images.shape == (16, 1, 28, 28)
    assert images.min() >= -1
    assert images.max() <= 1


def test_what_is_loaded_is_what_was_saved(trained):
    saved = load_file(trained / "model" / "model.safetensors")
    loaded = ganzoo.load(trained).state_dict()
    assert saved.keys() == loaded.keys()
    assert all(torch.equal(saved[k], loaded[k]) for k in saved)


def test_there_must_be_something_to_load(tmp_path):
    with pytest.raises(ModelError, match="ganzoo train"):
        ganzoo.load(tmp_path / "nowhere")
    with pytest.raises(ModelError, match="not a model folder"):
        ganzoo.load(tmp_path)
    (tmp_path / "metrics.jsonl").touch()
    with pytest.raises(ModelError, match="did not finish"):
        ganzoo.load(tmp_path)


def test_a_role_that_is_not_kept(model):
    with pytest.raises(UsageError, match="has no discriminator: it holds generator"):
        ganzoo.load(model, role="discriminator")


def test_a_missing_plugin_is_named_and_never_installed(model):
    edit(model, lambda c: c["plugin"].update(distribution="fancy-gans"))
    with pytest.raises(ModelError, match=r"made with the plugin 'fancy-gans' .*, which is not installed") as found:
        ganzoo.load(model)
    assert "pip" not in str(found.value), "whoever wrote the file made up the name"


def test_a_plugin_that_is_left_out_is_said_to_be(model, monkeypatch):
    monkeypatch.setenv("GANZOO_LOAD_PLUGINS", "")
    plugins.load.cache_clear()
    try:
        with pytest.raises(ModelError, match="GANZOO_LOAD_PLUGINS"):
            ganzoo.load(model)
    finally:
        monkeypatch.undo()
        plugins.load.cache_clear()


@pytest.mark.parametrize(
    "component",
    ["os:system", "ganzoo_mlp.networks:MLPGenerator", "torch.nn:Linear", "ganzoo:os:system", "nothing", "../mlp", ""],
)
def test_nothing_that_a_file_names_is_imported(model, component, tmp_path):
    edit(model, lambda c: c["networks"]["generator"].update(component=component, arguments={}))
    with pytest.raises(ModelError, match="no installed plugin declares"):
        ganzoo.load(model)


def test_a_module_that_a_file_names_is_not_even_looked_for(model, tmp_path, monkeypatch):
    (tmp_path / "trap.py").write_text("raise SystemExit('sprung')")
    monkeypatch.syspath_prepend(tmp_path)
    edit(model, lambda c: c["networks"]["generator"].update(component="trap:Generator"))
    with pytest.raises(ModelError):
        ganzoo.load(model)


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c.pop("variant"),
        lambda c: c.update(format=2),
        lambda c: c.update(format="1"),
        lambda c: c.update(format=True),
        lambda c: c.update(num_classes=True),
        lambda c: c.update(value_range=[1, -1]),
        lambda c: c.update(latent_shape=[]),
        lambda c: c.update(latent_shape=[7]),
        lambda c: c["networks"].update(model=c["networks"]["generator"]),
        lambda c: c.update(sample_shape=[10**12]),
        lambda c: c.update(sample_shape=[-1, 28, 28]),
        lambda c: c.update(sample_shape=[1] * 50),
        lambda c: c.update(num_classes=10**9),
        lambda c: c["networks"]["generator"]["arguments"].update(hidden=[10**12]),
        lambda c: c["networks"]["generator"]["arguments"].update(hidden=[10**7] * 3),
        lambda c: c["networks"]["generator"]["arguments"].update(hidden=[8] * 1000),
        lambda c: c["networks"]["generator"]["arguments"].update(latent_dim=65),
        lambda c: c["networks"]["generator"]["arguments"].update(latent_dim="many"),
        lambda c: c["networks"]["generator"]["arguments"].update(colour="red"),
        lambda c: c["networks"].update(generator=[]),
        lambda c: c.update(plugin=None),
    ],
)
def test_a_damaged_configuration_is_one_clear_error(model, change):
    edit(model, change)
    with pytest.raises(ModelError, match=r"config\.json|cannot be loaded"):
        ganzoo.load(model)


DEEP = """
import ganzoo
from torch import nn

class Generator(ganzoo.Generator):
    def __init__(self, *, sample_shape: tuple[int, ...], depth: int = 1):
        super().__init__(latent_shape=(4,), sample_shape=sample_shape)
        self.first = nn.Linear(4, 784)
        self.layers = nn.ModuleList()
        for _ in range(depth):
            self.layers.append(nn.{layer})

    def forward(self, z, labels=None):
        return self.first(z).tanh().reshape(len(z), *self.sample_shape)

@ganzoo.hookimpl
def register(registry):
    registry.add("generator", "deep", Generator)
    presets = {{name: ganzoo.Preset(summary=name) for name in ("default", "paper")}}
    registry.add_variant(ganzoo.Variant(
        name="deep", summary="s", paper="p", generator="deep", discriminator="mlp", loss="hinge", presets=presets
    ))
"""


@pytest.mark.parametrize("layer", ["Linear(1, 1)", "ReLU()"])
def test_a_file_cannot_have_a_plugin_build_layers_without_end(load_plugins, plugin_distribution, tmp_path, layer):
    modules = {"deep.py": DEEP.format(layer=layer)}
    load_plugins(plugin_distribution("deep-gans", entry_points={"deep": "deep"}, modules=modules))
    model = ganzoo.train("deep", out=tmp_path / "run", images=8, options={"batch_size": 8}, device="cpu").folder / "model"
    assert ganzoo.load(model).config.networks["generator"].arguments == {"depth": 1}
    edit(model, lambda c: c["networks"]["generator"]["arguments"].update(depth=2**24))
    with pytest.raises(ModelError, match="more than 20,000 modules and tensors"):
        ganzoo.load(model)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\xff", "[" * 200_000, "9" * 10_000, '{"format": 1}'])
def test_what_is_not_a_configuration(model, text):
    (model / "config.json").write_text(text, encoding="latin-1")
    with pytest.raises(ModelError):
        read_config(model)


def test_an_endless_configuration_is_not_read(model):
    with (model / "config.json").open("a") as file:
        file.write(" " * MAX_JSON_BYTES)
    with pytest.raises(ModelError, match="larger than"):
        read_config(model)


def test_damaged_weights(model):
    path = model / "model.safetensors"
    whole = path.read_bytes()
    for damaged in (b"", whole[:50], whole[:-1], b"\xff" * 100, whole[:8] + b"x" + whole[9:]):
        path.write_bytes(damaged)
        with pytest.raises(ModelError, match="cannot be loaded"):
            ganzoo.load(model)


def test_weights_of_another_network(model):
    path = model / "model.safetensors"
    tensors = load_file(path)
    for change in (lambda t: t.pop(next(iter(t))), lambda t: t.update(extra=torch.zeros(1))):
        changed = dict(tensors)
        change(changed)
        save_file(changed, path)
        with pytest.raises(ModelError, match="tensors are not"):
            ganzoo.load(model)
    save_file({k: torch.zeros(*v.shape, 2) for k, v in tensors.items()}, path)
    with pytest.raises(ModelError, match="shape"):
        ganzoo.load(model)


def test_a_pickle_is_not_read(model):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("a pickle was read",))

    (model / "model.safetensors").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ModelError):
        ganzoo.load(model)


def test_a_network_of_more_pieces_than_can_be_loaded_is_not_saved():
    network = nn.ModuleList(nn.Linear(1, 1) for _ in range(7000))
    with pytest.raises(PluginError, match="21,001 modules and tensors"):
        pretrained.tensors_of(network, "generator")


def test_what_is_damaged_says_what_to_do_about_it(model):
    again = "copy it or pull it again; if a run here made it, the command that trained it writes it anew"
    weights = model / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:50])
    with pytest.raises(ModelError, match="cannot be loaded") as caught:
        ganzoo.load(model)
    assert caught.value.hint == again
    weights.unlink()
    with pytest.raises(ModelError, match=r"it lacks model\.safetensors \(copy it or pull it again"):
        ganzoo.load(model)
    weights.write_bytes(whole)
    (model / "config.json").write_text("{")
    with pytest.raises(ModelError, match="is not JSON") as caught:
        ganzoo.load(model)
    assert caught.value.hint == again
    (model / "config.json").unlink()
    with pytest.raises(ModelError, match=r"it lacks config\.json \(copy it"):
        ganzoo.load(model)
    weights.unlink()
    with pytest.raises(ModelError, match=r"it lacks config\.json and model\.safetensors"):
        ganzoo.load(model)


def test_a_name_that_is_nothing_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="no model 'nosuch'"):
        ganzoo.load("nosuch")
    for path in (tmp_path / "nosuch", "./nosuch"):
        with pytest.raises(ModelError, match="there is no such folder"):
            ganzoo.load(path)
    with pytest.raises(
        UsageError, match=r"no model 'dcgan': that is a variant .train it: ganzoo train dcgan; did you mean dcgan-f"
    ):
        ganzoo.load("dcgan")


def test_of_a_run_that_is_not_there_the_ones_that_are_there_are_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=r"no folder 'runs/nosuch' .no run is there: ganzoo train NAME makes one"):
        ganzoo.load("runs/nosuch")
    for name in ("dcgan-photos", "mlp-photos"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "config.json").touch()
    for name in ("runs/mlp-foto", "runs/mlp-foto/model"):
        with pytest.raises(ModelError, match=r"in runs there are mlp-photos, dcgan-photos.$"):
            ganzoo.load(name)
    (tmp_path / "alice").mkdir()
    with pytest.raises(ModelError, match="if it is a repository of the Hub, say alice/clothes@main"):
        ganzoo.load("alice/clothes")
