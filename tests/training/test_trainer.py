from contextlib import nullcontext

import pytest
import torch
from torch import nn

from ganzoo.errors import PluginError, UnknownNameError, UsageError
from ganzoo.interfaces import Discriminator, Generator, Penalty, StepContext
from ganzoo.losses import NonSaturating, Relativistic, Wasserstein
from ganzoo.noise import Noise
from ganzoo.penalties import R1, FiniteDifference, GradientPenalty
from ganzoo.training.optimizers import create_optimizer
from ganzoo.training.trainer import AlternatingTrainer, mixes_batch


class Context(StepContext):
    def __init__(self):
        self.step = self.images = 0
        self.progress = 0.0

    def noise(self, purpose):
        return Noise(hash((self.step, purpose)) % 2**32)

    def autocast(self):
        return nullcontext()

    def backward(self, loss):
        loss.backward()


class G(Generator):
    def __init__(self):
        super().__init__(latent_shape=(2,), sample_shape=(3,))
        self.linear = nn.Linear(2, 3)

    def forward(self, z, labels=None):
        return self.linear(z)


class D(Discriminator):
    def __init__(self, norm=False):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)) if norm else nn.Linear(3, 4)
        self.head = nn.Linear(4, 1)
        self.batches = []

    def forward(self, x, labels=None):
        self.batches.append(len(x))
        return self.head(self.body(x)).squeeze(1)


class Counts(Penalty):
    def __init__(self, weight=1.0, interval=1):
        super().__init__(weight, interval)
        self.seen = []

    def __call__(self, critique):
        self.seen.append(critique)
        return critique.real_logits.square().mean()


def trainer(loss=None, discriminator=None, penalties=None, **options):
    torch.manual_seed(0)
    networks = {"generator": G(), "discriminator": discriminator or D()}
    return AlternatingTrainer(networks, loss or NonSaturating(), penalties or {}, **options)


def snapshot(network):
    return [p.detach().clone() for p in network.parameters()]


def moved(network, before):
    return any(not torch.equal(a, b) for a, b in zip(network.parameters(), before, strict=True))


def steps(t, count, batch=4):
    context = Context()
    for _ in range(count):
        metrics = t.step(torch.randn(batch, 3), None, context)
        context.step += 1
        context.images += batch
    return metrics


@pytest.mark.parametrize(
    ("value", "found"), [(torch.ones(4), r"a tensor of shape \(4,\)"), (None, "a NoneType"), (0.5, "a float")]
)
def test_whose_term_is_not_one_number_is_said(value, found):
    class Odd(Penalty):
        def __call__(self, critique):
            return value

    class Vector(NonSaturating):
        def generator(self, real, fake):
            return value

    with pytest.raises(PluginError, match=rf"the penalty 'odd' \(Odd\) returned {found}"):
        steps(trainer(penalties={"odd": Odd(1.0)}), 1)
    with pytest.raises(PluginError, match=rf"the loss \(Vector\) returned {found}"):
        steps(trainer(Vector()), 1)


def test_both_networks_learn():
    t = trainer()
    before = {role: snapshot(n) for role, n in t.networks.items()}
    metrics = steps(t, 1)
    assert all(moved(n, before[role]) for role, n in t.networks.items())
    assert {"loss_d", "loss_g"} <= set(metrics)
    assert not any(v.requires_grad for v in metrics.values())


def test_the_generator_waits_for_its_critic():
    t = trainer(Wasserstein(), n_critic=3)
    generator = t.networks["generator"]
    before = snapshot(generator)
    steps(t, 2)
    assert not moved(generator, before)
    steps(t, 3)
    assert moved(generator, before)


def test_real_and_generated_samples_share_a_pass_unless_batch_norm_would_mix_them():
    plain, normed = trainer(), trainer(discriminator=D(norm=True))
    steps(plain, 1)
    steps(normed, 1)
    assert plain.networks["discriminator"].batches == [8, 4]
    assert normed.networks["discriminator"].batches == [4, 4, 4]


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_loss_that_pairs_is_given_what_the_discriminator_thought_of_the_real_samples(accumulate):
    class Remembers(Relativistic):
        def __init__(self):
            self.judged, self.given = [], []

        def discriminator(self, real, fake):
            self.judged.append(real.detach().clone())
            return super().discriminator(real, fake)

        def generator(self, real, fake):
            assert not real.requires_grad
            self.given.append(real.clone())
            return super().generator(real, fake)

    loss = Remembers()
    t = trainer(loss, accumulate=accumulate)
    steps(t, 1)
    assert t.networks["discriminator"].batches == ([8, 4] if accumulate == 1 else [4, 4, 2, 2])
    assert len(loss.given) == accumulate
    assert all(torch.equal(a, b) for a, b in zip(loss.judged, loss.given, strict=True))


def test_a_lazy_penalty_comes_every_interval_and_as_much_stronger():
    penalty = Counts(weight=2.0, interval=3)
    steps(trainer(penalties={"counts": penalty}), 7)
    assert len(penalty.seen) == 3

    gradients = []
    for options in ({"weight": 6.0}, {"weight": 2.0, "interval": 3}):
        t = trainer(penalties={"counts": Counts(**options)}, optimizer="sgd", lr=1e-3)
        before = snapshot(t.networks["discriminator"])
        torch.manual_seed(1)
        steps(t, 1)
        gradients.append([a - b for a, b in zip(t.networks["discriminator"].parameters(), before, strict=True)])
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b)


def test_the_penalty_sees_what_the_discriminator_saw():
    penalty = Counts()
    steps(trainer(penalties={"counts": penalty}), 1)
    (critique,) = penalty.seen
    assert critique.real.shape == critique.fake.shape == (4, 3)
    assert not critique.fake.requires_grad
    torch.testing.assert_close(critique.real_logits.shape, critique.fake_logits.shape)


def test_what_was_frozen_stays_frozen():
    discriminator = D()
    discriminator.body.requires_grad_(False)
    t = trainer(discriminator=discriminator)
    before = snapshot(discriminator.body)
    steps(t, 2)
    assert not moved(discriminator.body, before)
    assert [p.requires_grad for p in discriminator.body.parameters()] == [False, False]
    assert all(p.requires_grad for p in discriminator.head.parameters())


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "rmsprop", "lion"])
def test_optimizers_by_name(name):
    t = trainer(optimizer=name, lr=1e-2)
    before = snapshot(t.networks["generator"])
    steps(t, 1)
    assert moved(t.networks["generator"], before)


def test_optimizers_that_are_not_there_or_lack_an_option():
    with pytest.raises(UnknownNameError, match="adam"):
        create_optimizer("adamm", nn.Linear(1, 1), lr=1.0)
    with pytest.raises(UsageError, match="betas"):
        create_optimizer("sgd", nn.Linear(1, 1), lr=1.0, betas=(0, 1))


def test_a_layer_may_say_that_it_mixes_the_batch():
    class Deviation(nn.Module):
        mixes_batch = True

    assert mixes_batch(nn.Sequential(nn.Linear(1, 1), Deviation()))
    assert not mixes_batch(nn.Linear(1, 1))


def test_penalties_refuse_a_discriminator_that_mixes_samples_or_forgets_them():
    with pytest.raises(UsageError, match="batch norm"):
        trainer(discriminator=D(norm=True), penalties={"r1": R1()})
    forgetful = D()
    forgetful.body = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5))
    with pytest.raises(UsageError, match="dropout"):
        trainer(discriminator=forgetful, penalties={"fd": FiniteDifference()})
    trainer(discriminator=forgetful, penalties={"r1": R1()})


def test_every_purpose_has_random_numbers_of_its_own():
    asked = []

    class Listening(Context):
        def noise(self, purpose):
            asked.append(purpose)
            return super().noise(purpose)

    penalties = {"fd": FiniteDifference(), "gp": GradientPenalty()}
    trainer(penalties=penalties).step(torch.randn(4, 3), None, Listening())
    assert len(asked) == len(set(asked)) == 3


@pytest.mark.parametrize("options", [{}, {"n_critic": 2}], ids=str)
@pytest.mark.parametrize("parts", [2, 4])
def test_a_batch_in_parts_gives_the_result_of_the_whole(parts, options):
    def after(accumulate):
        penalties = {"fd": FiniteDifference(share=0.5), "gp": GradientPenalty(), "r1": R1()}
        t = trainer(Relativistic(), penalties=penalties, accumulate=accumulate, optimizer="sgd", lr=1e-3, **options)
        torch.manual_seed(1)
        metrics = steps(t, 4, batch=16)
        return t, metrics

    (whole, expected), (cut, found) = after(1), after(parts)
    for role, network in whole.networks.items():
        for a, b in zip(network.parameters(), cut.networks[role].parameters(), strict=True):
            torch.testing.assert_close(a, b)
    assert {k: v.item() for k, v in found.items()} == pytest.approx({k: v.item() for k, v in expected.items()}, rel=1e-4)
    assert max(cut.networks["discriminator"].batches) < max(whole.networks["discriminator"].batches)


def test_a_batch_that_cannot_be_cut_is_refused():
    with pytest.raises(UsageError, match="accumulate=3"):
        steps(trainer(accumulate=3), 1, batch=4)


@pytest.mark.parametrize(("options", "betas"), [({}, (0.0, 0.99)), ({"betas": (0.5, 0.999)}, (0.5, 0.999))])
def test_adam_forgets_old_gradients_unless_told_otherwise(options, betas):
    for optimizer in trainer(**options).optimizers.values():
        assert tuple(optimizer.param_groups[0]["betas"]) == betas
