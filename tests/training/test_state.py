import json

import pytest
import torch
from torch import nn

from ganzoo.errors import PluginError
from ganzoo.interfaces import Generator, Trainer
from ganzoo.training.ema import EMA
from ganzoo.training.optimizers import create_optimizer
from ganzoo.training.state import capture, put_together, restore, take_apart


class G(Generator):
    """Tied weights, a buffer that its state leaves out, batch norm, a convolution with channels last, extra state."""

    def __init__(self):
        super().__init__(latent_shape=(2, 8, 8), sample_shape=(2, 8, 8))
        self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 8)
        self.b.weight = self.a.weight
        self.conv = nn.Conv2d(2, 2, 3, padding=1).to(memory_format=torch.channels_last)
        self.norm = nn.BatchNorm2d(2)
        self.register_buffer("calls", torch.zeros(1), persistent=False)
        self.more = Extra()

    def forward(self, z, labels=None):
        self.calls += 1
        self.more.count += 1
        return self.norm(self.conv(self.b(self.a(z.contiguous(memory_format=torch.channels_last)))))


class Extra(nn.Module):
    count = 0

    def get_extra_state(self):
        return torch.tensor(self.count)

    def set_extra_state(self, state):
        self.count = int(state)


class T(Trainer):
    def __init__(self, optimizer="adam"):
        torch.manual_seed(0)
        super().__init__({"generator": G()})
        self.optimizers["generator"] = create_optimizer(optimizer, self.networks["generator"], lr=0.1)
        self.seen, self.mean = [], torch.zeros(2)

    def step(self, reals, labels, context):
        self.seen.append(len(self.seen))
        self.mean += reals.mean()
        self.update("generator", self.networks["generator"](reals).square().mean() * (1 + self.mean[0]), context)
        return {}

    def state(self):
        return {"seen": self.seen, "deep": {"mean": self.mean, "pair": (1, None), "inf": float("inf")}}

    def load_state(self, state):
        self.seen, self.mean = list(state["seen"]), state["deep"]["mean"].clone()
        assert state["deep"]["pair"] == (1, None)
        assert state["deep"]["inf"] == float("inf")


class Backward:
    def backward(self, loss):
        loss.backward()


def steps(trainer, ema, first, last):
    for step in range(first, last):
        trainer.step(torch.randn(4, 2, 8, 8, generator=torch.Generator().manual_seed(step)), None, Backward())
        ema.update(4 * (step + 1), 4)


def everything(trainer, ema):
    generator = trainer.networks["generator"]
    averages = {f"ema.{name}": tensor for name, tensor in ema.networks["generator"].state_dict().items()}
    return {**generator.state_dict(), **averages, "calls": generator.calls, "mean": trainer.mean}


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "rmsprop", "lion", "nadamw", "adafactor", "mars", "lamb"])
def test_a_run_that_is_restored_goes_on_bit_by_bit(optimizer):
    whole, cut, new = T(optimizer), T(optimizer), T(optimizer)
    emas = [EMA(t.networks, 16) for t in (whole, cut, new)]
    steps(whole, emas[0], 0, 9)
    steps(cut, emas[1], 0, 4)
    snapshot = capture(cut, emas[1], step=4, images=16, seconds=1.0)
    steps(cut, emas[1], 4, 6)  # what comes after does not reach the snapshot
    snapshot.rest.update(json.loads(json.dumps(snapshot.rest)))
    restore(snapshot, new, emas[2])
    steps(new, emas[2], 4, 9)
    expected, found = everything(whole, emas[0]), everything(new, emas[2])
    assert [name for name in expected if not torch.equal(expected[name], found[name])] == []
    assert new.seen == whole.seen
    assert new.networks["generator"].more.count == whole.networks["generator"].more.count


def test_an_optimizers_tensors_are_laid_out_as_its_parameters():
    cut, new = T(), T()
    emas = [EMA(t.networks, 16) for t in (cut, new)]
    steps(cut, emas[0], 0, 2)
    restore(capture(cut, emas[0], step=2, images=8, seconds=0.0), new, emas[1])
    weight = new.networks["generator"].conv.weight
    state = new.optimizers["generator"].state[weight]
    assert weight.is_contiguous(memory_format=torch.channels_last)
    assert state["exp_avg"].stride() == weight.stride()


@pytest.mark.parametrize("lowered", [1e-9, torch.tensor(1e-9)], ids=["number", "tensor"])
def test_a_rate_that_the_schedule_had_lowered_is_not_where_it_starts_from(lowered):
    cut, new = T(), T()
    emas = [EMA(t.networks, 16) for t in (cut, new)]
    steps(cut, emas[0], 0, 1)
    cut.optimizers["generator"].param_groups[0]["lr"] = lowered
    restore(capture(cut, emas[0], step=1, images=4, seconds=0.0), new, emas[1])
    assert new.optimizers["generator"].param_groups[0]["lr"] == 0.1


def test_what_is_neither_tensor_nor_plain_data_is_refused():
    with pytest.raises(PluginError, match="x/a/1 holds a set"):
        take_apart({"a": [1, {2}]}, "x", {})


def test_plain_data_comes_back_as_it_was():
    tensors = {}
    value = {"a": (1, [None, True, 2.5, float("-inf"), "x"]), 3: {"t": torch.ones(2)}}
    back = put_together(json.loads(json.dumps(take_apart(value, "v", tensors))), tensors)
    assert back["a"] == value["a"]
    assert torch.equal(back[3]["t"], torch.ones(2))


def test_a_trainer_that_only_writes_its_state_is_told():
    class Half(T):
        load_state = Trainer.load_state

    cut, new = Half(), Half()
    emas = [EMA(t.networks, 16) for t in (cut, new)]
    with pytest.raises(TypeError, match="Half"):
        restore(capture(cut, emas[0], step=0, images=0, seconds=0.0), new, emas[1])
