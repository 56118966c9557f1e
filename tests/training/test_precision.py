import json

import pytest
import torch
from torch import nn

import ganzoo
from ganzoo import plugins
from ganzoo.interfaces import Trainer
from ganzoo.training.config import resolve
from ganzoo.training.precision import TOLERANCE, choose_precision, disagreements
from ganzoo.training.prepare import prepare, settle_precision


class Watcher:
    def __init__(self):
        self.told = []

    def decoding(self, done, total): ...

    def noticed(self, text):
        self.told.append(text)


def prepared(variant, **options):
    return prepare(resolve(plugins.load().registry, variant, options=options, precision="bf16"), device="cpu")


@pytest.mark.parametrize("variant", ["mlp", "dcgan", "wgan-gp"])
def test_the_shipped_recipes_agree_with_themselves_in_bf16(variant):
    run = prepared(variant)
    found = disagreements(run.trainer, *run.store.batch(torch.arange(16)))
    assert set(found) == {"generator", "discriminator"}
    assert all(0 < error < TOLERANCE for error in found.values()), found
    watcher = Watcher()
    assert settle_precision(run, run.store.feed(0), watcher) is torch.bfloat16
    assert watcher.told == []


class Wrong(nn.Linear):
    """Computes something else in bf16, as some builds did for single shapes."""

    def forward(self, x):
        y = super().forward(x)
        return y.flip(1) if torch.is_autocast_enabled(x.device.type) else y


class Missing(nn.Linear):
    def forward(self, x):
        if torch.is_autocast_enabled(x.device.type):
            raise RuntimeError("not implemented for 'BFloat16'")
        return super().forward(x)


@pytest.mark.parametrize("broken", [Wrong, Missing])
@pytest.mark.parametrize("role", ["generator", "discriminator"])
def test_a_layer_that_is_wrong_in_bf16_is_noticed(broken, role):
    run = prepared("mlp")
    run.networks[role].layers[0].__class__ = broken
    watcher = Watcher()
    assert settle_precision(run, run.store.feed(0), watcher) is torch.float32
    (told,) = watcher.told
    assert "float32" in told
    assert role in told


def test_a_trial_leaves_no_trace():
    run = prepared("dcgan", **{"generator.width": 4, "discriminator.width": 4})
    before = {role: {k: v.clone() for k, v in n.state_dict().items()} for role, n in run.networks.items()}
    settle_precision(run, run.store.feed(0), Watcher())
    for role, network in run.networks.items():
        assert all(torch.equal(v, before[role][k]) for k, v in network.state_dict().items())
        assert all(p.grad is None for p in network.parameters())
    assert all(not o.state for o in run.trainer.optimizers.values())
    assert all(g["lr"] > 0 for o in run.trainer.optimizers.values() for g in o.param_groups)


def test_a_critic_that_runs_ahead_is_tried_until_the_generator_learns():
    run = prepared("wgan-gp", n_critic=5, **{"generator.width": 4, "discriminator.width": 4})
    assert disagreements(run.trainer, *run.store.batch(torch.arange(16)))["generator"] > 0


def test_the_precision_of_a_run_is_written_down(tmp_path):
    options = {"generator.hidden": [8], "discriminator.hidden": [8], "batch_size": 8}
    fast = "bf16" if choose_precision(torch.device("cpu")) is torch.bfloat16 else "fp32"
    for name, expected in {"fp32": "fp32", "auto": fast}.items():
        run = ganzoo.train("mlp", options=options, images=16, precision=name, device="cpu", out=tmp_path / name)
        assert json.loads((run.folder / "config.json").read_text())["precision"] == expected


def test_any_way_to_fail_in_bf16_is_disagreement():
    """A network that goes through numpy, which has no bf16."""

    class Detour(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 1)

        def forward(self, x, labels=None):
            out = self.layer(x.flatten(1))
            return out.squeeze(1) + torch.from_numpy(out.detach().numpy()).squeeze(1) * 0

    class Steps(Trainer):
        def step(self, reals, labels, context):
            with context.autocast():
                logits = self.networks["discriminator"](reals)
            context.backward(logits.float().sum())
            return {}

    trainer = Steps({"discriminator": Detour()})
    assert disagreements(trainer, torch.rand(8, 4), None) == {"discriminator": 1.0}


def test_a_trial_takes_batches_that_accumulate_divides(tmp_path):
    options = {"batch_size": 24, "accumulate": 3, "generator.width": 4, "discriminator.width": 4}
    run = ganzoo.train("wgan-gp", options=options, images=48, device="cpu", precision="bf16", out=tmp_path / "run")
    assert run.images == 48
