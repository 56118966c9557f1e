"""Weights, averages, statistics and moments that are numbers no more are never kept, whatever they belong to."""

import pytest
import torch
from safetensors.torch import load_file

import ganzoo
from ganzoo.training.divergence import DivergedError
from ganzoo.training.ema import EMA
from ganzoo.training.loop import Step
from ganzoo.training.trainer import AlternatingTrainer

OPTIONS = {"generator.width": 4, "discriminator.width": 4, "batch_size": 16}
NAN, INFINITE = float("nan"), float("inf")


def train(folder, images):
    return ganzoo.train("dcgan", out=folder, options=OPTIONS, images=images, device="cpu", precision="fp32")


def generators(trainer):
    return next(trainer.networks["generator"].parameters())


def discriminators(trainer):
    return next(trainer.networks["discriminator"].parameters())


def statistics(trainer):
    return next(b for b in trainer.networks["generator"].buffers() if b.is_floating_point())


def moments(trainer):
    states = trainer.optimizers["discriminator"].state.values()
    return next(state["exp_avg"] for state in states)


@pytest.fixture
def kept(tmp_path):
    """A run with a sound checkpoint after 64 images."""
    train(tmp_path / "run", 64)
    yield tmp_path / "run"
    (checkpoint,) = (tmp_path / "run" / "checkpoints").iterdir()
    assert int(checkpoint.name) == 64
    tensors = [tensor for file in checkpoint.glob("*.safetensors") for tensor in load_file(file).values()]
    assert len(tensors) > 20
    assert all(tensor.isfinite().all() for tensor in tensors)
    assert ganzoo.load(tmp_path / "run").sample(range(2)).isfinite().all()


@pytest.mark.parametrize(
    ("what", "value", "said"),
    [
        (generators, INFINITE, "the weights of the generator"),
        (discriminators, NAN, "the weights of the discriminator"),
        (discriminators, INFINITE, "the weights of the discriminator"),
        (statistics, NAN, "the buffers of the generator"),
        (moments, NAN, "the moments of the optimizer 'discriminator'"),
    ],
)
def test_a_step_that_spoils_what_no_metric_shows_is_not_kept(kept, monkeypatch, what, value, said):
    original = AlternatingTrainer.step

    def step(trainer, reals, labels, context):
        metrics = original(trainer, reals, labels, context)
        if isinstance(context, Step) and context.images + 16 >= 128:
            with torch.no_grad():
                what(trainer).view(-1)[0] = value
        return metrics

    monkeypatch.setattr(AlternatingTrainer, "step", step)
    with pytest.raises(DivergedError, match=f"{said} are not finite after 128 images.*after 64 images, is good"):
        train(kept, 128)


def test_an_average_that_is_spoilt_while_its_network_is_sound_is_not_kept(kept, monkeypatch):
    original = EMA.update

    def update(average, images, batch):
        original(average, images, batch)
        if images >= 128:
            with torch.no_grad():
                next(average.networks["generator"].parameters()).view(-1)[0] = NAN

    monkeypatch.setattr(EMA, "update", update)
    with pytest.raises(DivergedError, match="the average of the weights of the generator are not finite after 128 images"):
        train(kept, 128)
