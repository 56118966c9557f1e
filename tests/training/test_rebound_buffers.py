"""Networks that put a new tensor in the place of a buffer, in training and when samples are drawn, train like any other."""

import pytest
import torch
from safetensors.torch import load_file

import ganzoo
from ganzoo.training.scoring import Scoring

CODE = """
import ganzoo
import torch

class Restless(ganzoo.Generator):
    def __init__(self, *, sample_shape: tuple[int, ...]):
        super().__init__(latent_shape=(4,), sample_shape=sample_shape)
        self.layer = torch.nn.Linear(4, torch.Size(sample_shape).numel())
        self.register_buffer("mean", torch.zeros(4))
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

    def forward(self, z, labels=None):
        self.calls = self.calls + 1
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * z.mean(0)
        return self.layer(z - self.mean).view(len(z), *self.sample_shape).tanh()

@ganzoo.hookimpl
def register(registry):
    registry.add("generator", "restless", Restless)
    registry.add_variant(ganzoo.Variant(
        name="restless", summary="keeps statistics", paper="none", generator="restless", discriminator="mlp", loss="hinge",
        presets={
            name: ganzoo.Preset(summary="as it is", source="none", options={"discriminator.hidden": [8], "batch_size": 16})
            for name in ("default", "paper")
        },
    ))
"""


class Best:
    """Finds each look better than the next, so that an earlier checkpoint is what is kept."""

    names = ("fd",)

    def prepare(self, data):
        self.asked = 0

    def describe(self):
        return {"by": "age"}

    def __call__(self, generator, data):
        generator.sample(range(2))
        self.asked += 1
        return {"fd": float(self.asked)}


@pytest.fixture
def train(plugin_distribution, load_plugins, tmp_path):
    load_plugins(plugin_distribution("restless", entry_points={"restless": "restless"}, modules={"restless.py": CODE}))

    def train(name, images, **more):
        return ganzoo.train("restless", images=images, device="cpu", precision="fp32", out=tmp_path / name, **more).folder

    return train


def newest(folder):
    checkpoint = max((folder / "checkpoints").iterdir())
    return {
        f"{file}/{name}": tensor
        for file in ("networks", "ema")
        for name, tensor in load_file(checkpoint / f"{file}.safetensors").items()
        # How often it was called is no matter of the run: samples are drawn whenever somebody wants to see some.
        if not name.endswith("calls")
    }


def test_a_run_that_was_stopped_ends_as_one_that_was_not_and_its_average_has_moved(train):
    whole = newest(train("whole", 320))
    train("parts", 160)
    parts = newest(train("parts", 320))
    assert whole.keys() == parts.keys()
    assert [name for name in whole if not torch.equal(whole[name], parts[name])] == []
    assert whole["ema/generator/mean"].any()


def test_an_earlier_checkpoint_that_was_the_best_is_kept(train):
    folder = train("scored", 320, scoring=Scoring(Best(), every=64))
    kept = ganzoo.load(folder)
    early = load_file(folder / "checkpoints" / f"{64:012d}" / "ema.safetensors")
    assert torch.equal(kept.mean, early["generator/mean"])
