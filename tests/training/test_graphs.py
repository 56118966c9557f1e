"""What is replayed is what would have been computed. Most of it needs a CUDA device."""

import pytest
import torch
from torch import nn

from ganzoo import plugins
from ganzoo.interfaces import Discriminator, Generator
from ganzoo.losses import Hinge, NonSaturating, Relativistic
from ganzoo.penalties import R1, FiniteDifference, GradientPenalty
from ganzoo.training.config import resolve
from ganzoo.training.graphs import WARM_UP, choose_step, kept_in_python, why_not
from ganzoo.training.loop import Step, set_rate
from ganzoo.training.prepare import prepare
from ganzoo.training.trainer import AlternatingTrainer

on_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


class G(Generator):
    def __init__(self):
        super().__init__(latent_shape=(8,), sample_shape=(6,), num_classes=3)
        self.classes = nn.Embedding(3, 8)
        self.body = nn.Sequential(nn.Linear(8, 32), nn.BatchNorm1d(32), nn.SiLU(), nn.Linear(32, 6))

    def forward(self, z, labels=None):
        return self.body(z + self.classes(labels))


class D(Discriminator):
    def __init__(self, dropout):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 32), nn.SiLU(), nn.Dropout(dropout), nn.Linear(32, 1))

    def forward(self, x, labels=None):
        return self.body(x).squeeze(1)


class Slowing(NonSaturating):
    """Waits for the device."""

    capturable = True

    def discriminator(self, real, fake):
        return super().discriminator(real, fake) * (1 if float(real.detach().mean()) < 1e9 else 2)


class Unrecordable(NonSaturating):
    """Waits for the device in a way that torch does not tell of."""

    capturable = True

    def discriminator(self, real, fake):
        torch.cuda.synchronize()
        return super().discriminator(real, fake)


def trained(device="cpu", loss=None, penalties=None, dropout=0.2, **options):
    torch.manual_seed(0)
    networks = {"generator": G().to(device), "discriminator": D(dropout).to(device)}
    options = {"n_critic": 2, "lr": 1e-2, "betas": (0.0, 0.99), **options}
    chosen = {"gp": GradientPenalty(1.0, 3, share=0.5)} if penalties is None else penalties
    trainer = AlternatingTrainer(networks, loss or Hinge(), chosen, **options)
    for optimizer in trainer.optimizers.values():
        for group in optimizer.param_groups:
            group["lr"] = torch.tensor(1e-2, device=device)  # a rate in fp32 rounds otherwise than one in Python
    return trainer


def run(trainer, take_step, steps=60, precision=torch.float32):
    """What a run's loop does, with a learning rate that falls. Returns every step's metrics."""
    context = Step(3, torch.device("cuda"), precision)
    source = torch.Generator("cuda").manual_seed(1)
    groups = [g for o in trainer.optimizers.values() for g in o.param_groups]
    metrics = []
    for step in range(steps):
        for group in groups:
            set_rate(group, 1e-2 * (1 - step / steps))
        reals = torch.randn(16, 6, generator=source, device="cuda")
        labels = torch.randint(3, (16,), generator=source, device="cuda")
        torch.cuda.manual_seed(step)
        metrics.append(take_step(reals, labels, context))
        context.step += 1
        context.images += 16
    return [{name: float(value) for name, value in row.items()} for row in metrics]


def weights(trainer):
    return [t.detach().cpu() for n in trainer.networks.values() for t in [*n.parameters(), *n.buffers()]]


def test_steps_are_alike_that_train_the_same_networks_with_the_same_penalties():
    trainer = trained(n_critic=2, penalties={"gp": GradientPenalty(1.0, 3), "r1": R1(1.0, 2)})
    keys = [trainer.graph_key(step) for step in range(12)]
    assert keys[:6] == keys[6:]
    assert keys[1] == (True, False, False)
    assert keys[0] == (False, True, True)
    assert len(set(keys)) == 4


class Silent(Hinge):
    """Inherits from a loss that can be recorded, and says nothing for itself."""


class Mine(AlternatingTrainer):
    pass


class Flips(D):
    """Draws random numbers on the CPU."""

    def forward(self, x, labels=None):
        return super().forward(x.flip(1) if torch.rand(()) < 0.5 else x, labels)


class Anneals(D):
    """Has less noise at every step, by a number in Python."""

    sigma = 1.0

    def forward(self, x, labels=None):
        self.sigma *= 0.99
        return super().forward(x * self.sigma, labels)


class Adapts(GradientPenalty):
    capturable = True

    def __call__(self, critique):
        self.weight *= 1.01
        return super().__call__(critique)


class Remembers(NonSaturating):
    """Keeps an average in a tensor that is another one after each step."""

    capturable = True
    mean = torch.zeros(())

    def discriminator(self, real, fake):
        self.mean = 0.9 * self.mean + 0.1 * real.detach().mean()
        return super().discriminator(real, fake) + self.mean


def with_discriminator(kind, **options):
    networks = {"generator": G(), "discriminator": kind(0.0)}
    return AlternatingTrainer(networks, Hinge(), {}, **options)


def compiled():
    trainer = trained()
    trainer.networks["generator"].compile()
    return trainer


@pytest.mark.parametrize(
    ("trainer", "share", "why"),
    [
        (lambda: trained(), (0, 1), ""),
        (lambda: trained(), (0, 2), "several processes"),
        (lambda: trained(accumulate=2), (0, 1), "does not say"),
        (lambda: trained(loss=Silent()), (0, 1), "does not say"),
        (lambda: Mine(trained().networks, Hinge(), {}), (0, 1), "does not say"),
        (lambda: trained(optimizer="rmsprop", betas=None), (0, 1), "RMSprop"),
        (lambda: trained(optimizer="lion", betas=None), (0, 1), "Lion"),
        (compiled, (0, 1), "compiled"),
        (lambda: with_discriminator(type("Own", (D,), {"capturable": False})), (0, 1), "Own keeps something in Python"),
        (lambda: with_discriminator(type("Own", (D,), {"get_extra_state": lambda self: 1})), (0, 1), "Own keeps something"),
    ],
)
def test_what_cannot_be_recorded_is_told(trainer, share, why):
    found = why_not(trainer(), Step(0, torch.device("cuda"), torch.float32, share))
    assert bool(found) is bool(why)
    assert why in found


def changes(trainer):
    """What one step on the CPU changes in Python."""
    context = Step(0, torch.device("cpu"), torch.float32)
    for _ in range(WARM_UP):
        before = kept_in_python(trainer)
        trainer.step(torch.randn(4, 6, generator=torch.Generator().manual_seed(1)), torch.zeros(4, dtype=torch.int64), context)
        context.step += 1
    return [name for name, kept in kept_in_python(trainer).items() if before[name] != kept]


@pytest.mark.parametrize(
    ("trainer", "name"),
    [
        (lambda: with_discriminator(D), None),
        (lambda: trained(dropout=0.0, penalties={"fd": FiniteDifference()}), None),
        (lambda: with_discriminator(Flips), "torch's random numbers on the CPU"),
        (lambda: with_discriminator(Anneals), "discriminator's sigma"),
        (lambda: trained(dropout=0.0, penalties={"gp": Adapts()}), "the penalty gp's weight"),
        (lambda: trained(dropout=0.0, loss=Remembers()), "the loss's mean"),
    ],
)
def test_what_a_step_changes_in_python_is_found(trainer, name):
    assert changes(trainer()) == ([] if name is None else [name])


@pytest.mark.parametrize("name", ["mlp", "dcgan", "wgan-gp"])
def test_the_variants_that_ship_can_be_recorded(name):
    trainer = prepare(resolve(plugins.load().registry, name, options={"batch_size": 8}), device="cpu").trainer
    assert why_not(trainer, Step(0, torch.device("cuda"), torch.float32)) == ""
    context = Step(0, torch.device("cpu"), torch.float32)
    for _ in range(2 * 5):
        before = kept_in_python(trainer)
        trainer.step(torch.zeros(8, 1, 28, 28), None, context)
        context.step += 1
        assert kept_in_python(trainer) == before


def test_without_a_cuda_device_steps_are_the_trainers_own():
    trainer = trained()
    assert choose_step(trainer, Step(0, torch.device("cpu"), torch.float32)) == trainer.step


def test_a_rate_that_is_a_tensor_stays_where_it_is():
    rate = torch.tensor(1.0)
    groups = [{"lr": rate}, {"lr": 1.0}]
    for group in groups:
        set_rate(group, 0.25)
    assert groups[0]["lr"] is rate
    assert rate == groups[1]["lr"] == 0.25


@on_cuda
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"loss": Relativistic(), "penalties": {}, "n_critic": 1},
        {"optimizer": "adamw", "weight_decay": 0.1, "penalties": {"r1": R1(0.5)}},
        {"penalties": {"fd": FiniteDifference(0.5)}, "dropout": 0.0},
    ],
    ids=["lazy", "relativistic", "adamw", "finite"],
)
def test_what_is_replayed_is_what_would_have_been_computed(options, precision):
    def taken(replayed):
        trainer, told = trained("cuda", **options), []
        take_step = choose_step(trainer, Step(3, torch.device("cuda"), precision), told.append) if replayed else trainer.step
        assert (take_step == trainer.step) is not replayed
        found = run(trainer, take_step, precision=precision)
        assert not told
        return found, weights(trainer)

    (expected, plain), (found, replayed) = taken(False), taken(True)
    assert found == expected
    assert all(torch.equal(a, b) for a, b in zip(plain, replayed, strict=True))


@on_cuda
@pytest.mark.parametrize(("loss", "why"), [(Slowing(), "waits for the device"), (Unrecordable(), "")])
def test_what_cannot_be_recorded_is_run_as_ever(loss, why):
    plain, other, told = trained("cuda", loss=loss), trained("cuda", loss=loss), []
    expected = run(plain, plain.step)
    found = run(other, choose_step(other, Step(3, torch.device("cuda"), torch.float32), told.append))
    assert len(told) == 1
    assert why in told[0]
    assert found == expected
    assert all(torch.equal(a, b) for a, b in zip(weights(plain), weights(other), strict=True))
    assert torch.randn(3, device="cuda").isfinite().all()
