"""Whatever the calling process has set, the same is computed, and it finds its settings as they were."""

import contextlib

import pytest
import torch

import ganzoo
from ganzoo.pinned import pinned

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
    )


SETTINGS = {
    "double": double,
    "default device": elsewhere,
    "device of a block": lambda: torch.device("meta"),
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
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


def test_what_is_called_float32_is_computed_in_it():
    backends = (torch.backends.cuda.matmul, torch.backends.cudnn)
    before = [backend.allow_tf32 for backend in backends]

    @pinned()
    def fail():
        assert [backend.allow_tf32 for backend in backends] == [False, False]
        raise ZeroDivisionError

    try:
        for backend in backends:
            backend.allow_tf32 = True
        with pytest.raises(ZeroDivisionError):
            fail()
        assert [backend.allow_tf32 for backend in backends] == [True, True]
    finally:
        for backend, value in zip(backends, before, strict=True):
            backend.allow_tf32 = value
