"""Whatever the calling process has set, the same is computed, and it finds its settings as they were."""

import contextlib
import importlib

import numpy as np
import pytest
import torch

import ganzoo
from ganzoo.pinned import parts, pinned

OPTIONS = {"generator.hidden": [8], "discriminator.hidden": [8], "batch_size": 8}


def made(folder):
    run = ganzoo.train("mlp", out=folder, options=OPTIONS, images=32, device="cpu", precision="fp32")
    generator = ganzoo.load(run.folder)
    return generator, generator.sample(range(3))


@contextlib.contextmanager
def double():
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@contextlib.contextmanager
def elsewhere():
    torch.set_default_device("meta")
    try:
        yield
    finally:
        torch.set_default_device(None)


def settings():
    return (
        torch.get_default_dtype(),
        torch.get_default_device(),
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.is_autocast_enabled("cpu"),
    )


SETTINGS = {
    "double": double,
    "default device": elsewhere,
    "device of a block": lambda: torch.device("meta"),
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_run_a_model_and_its_samples_are_the_same_in_a_process_with_other_settings(tmp_path, setting):
    _, expected = made(tmp_path / "plain")
    with SETTINGS[setting]():
        before = settings()
        generator, samples = made(tmp_path / "set")
        assert settings() == before
    assert torch.equal(samples, expected)
    # What was loaded can be trained on, wherever it was loaded.
    generator.requires_grad_(True)(torch.zeros(2, *generator.latent_shape)).sum().backward()


def set_tf32():
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True


def newer(backend, value):
    if not hasattr(torch.backends, "fp32_precision"):
        pytest.skip("torch has this from 2.9 on")
    backend.fp32_precision = value


FASTER = {
    "TF32": set_tf32,
    "high": lambda: torch.set_float32_matmul_precision("high"),
    "medium": lambda: torch.set_float32_matmul_precision("medium"),
    # Whoever has used the newer functions is refused an answer by the older ones.
    "newer": lambda: newer(torch.backends, "tf32"),
    "newer, one part": lambda: newer(torch.backends.mkldnn.matmul, "bf16"),
}


@pytest.fixture
def plain_float32():
    yield
    for part in [torch.backends, *parts()] if parts() else []:
        part.fp32_precision = "none"
    torch.set_float32_matmul_precision("highest")
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = False, True


def told():
    """What float32 is at present, as each of torch's functions tells it."""
    found = [part.fp32_precision for part in parts()]
    for ask in (
        torch.get_float32_matmul_precision,
        lambda: torch.backends.cuda.matmul.allow_tf32,
        lambda: torch.backends.cudnn.allow_tf32,
    ):
        try:
            found.append(ask())
        except RuntimeError:
            found.append("mixed")
    return found


@pytest.mark.parametrize("faster", FASTER)
def test_what_is_called_float32_is_computed_in_it_whatever_the_process_multiplies_in(faster, plain_float32):
    torch.manual_seed(0)
    a = torch.randn(512, 512)
    exact = a @ a
    FASTER[faster]()
    before = told()

    @pinned()
    def fail():
        assert torch.equal(a @ a, exact)
        assert told() == ["ieee"] * len(parts()) + ["highest", False, False]
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert told() == before


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Two files with pictures, to be compared."""
    folder = tmp_path_factory.mktemp("pictures")
    for number in (1, 2):
        np.savez(
            folder / f"{number}.npz", arr_0=np.random.default_rng(number).integers(0, 64 * number, (60, 28, 28), np.uint8)
        )
    return folder


def scored(pictures, cache, monkeypatch):
    """Scores for which everything is computed, whatever was before."""
    monkeypatch.setenv("GANZOO_CACHE", str(cache))
    arguments = {"extractor": "fashion-mnist-cnn", "measures": ("kid", "density"), "samples": 60}
    return ganzoo.evaluate(pictures / "1.npz", data=str(pictures / "2.npz"), **arguments).values


@pytest.mark.parametrize("setting", SETTINGS)
def test_scores_are_the_same_in_a_process_with_other_settings(pictures, tmp_path, monkeypatch, setting):
    pytest.importorskip("torch_fidelity", reason="needs the package torch-fidelity")
    expected = scored(pictures, tmp_path / "plain", monkeypatch)
    with SETTINGS[setting]():
        before = settings()
        found = scored(pictures, tmp_path / "set", monkeypatch)
        assert settings() == before
    assert found == expected


LOOKS = """
import ganzoo
import torch
from ganzoo.losses import Hinge
from ganzoo.penalties import R1

SEEN = []


def look(who):
    SEEN.append((who, told()))


class Loss(Hinge):
    def discriminator(self, real, fake):
        look("loss")
        return super().discriminator(real, fake)


class Penalty(R1):
    def __call__(self, critique):
        look("penalty")
        return super().__call__(critique)


@ganzoo.hookimpl
def register(registry):
    registry.add("loss", "looks", Loss)
    registry.add("penalty", "looks", Penalty)
"""


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_run_its_penalties_and_the_trial_of_bf16_are_computed_in_float32_where_they_are_said_to_be(
    plugin_distribution, load_plugins, plain_float32, tmp_path, precision
):
    folder = plugin_distribution("looks", entry_points={"looks": "looks_gan"}, modules={"looks_gan.py": LOOKS})
    load_plugins(folder)
    looks_gan = importlib.import_module("looks_gan")
    looks_gan.told = told
    set_tf32()
    torch.set_float32_matmul_precision("medium")
    before = told()
    arguments = {"loss": "looks", "penalty": "looks=1", "device": "cpu", "precision": precision}
    ganzoo.train("mlp", out=tmp_path / "run", options=OPTIONS, images=16, **arguments)
    assert told() == before
    exact = ["ieee"] * len(parts()) + ["highest", False, False]
    trials_and_steps = {"fp32": 1 + 2, "bf16": 2 + 1 + 2}[precision]
    assert [who for who, _ in looks_gan.SEEN].count("loss") >= trials_and_steps
    assert {who for who, _ in looks_gan.SEEN} == {"loss", "penalty"}
    assert [found for _, found in looks_gan.SEEN if found != exact] == []
