import pytest
import torch
from torch import nn

from ganzoo.errors import UsageError
from ganzoo.interfaces import Critique
from ganzoo.noise import Noise
from ganzoo.penalties import R1, R2, FiniteDifference, GradientPenalty, Slope

SHAPES = [(12,), (1, 64), (3, 8, 8), (2, 4, 4, 4)]
EXACT = [GradientPenalty, R1, R2, Slope]
ALL = [*EXACT, FiniteDifference]


class Linear(nn.Module):
    """D(x) = <w, x> + b, whose gradient is w at every x."""

    def __init__(self, shape):
        super().__init__()
        self.w = nn.Parameter(torch.randn(shape, generator=torch.Generator().manual_seed(7)))
        self.b = nn.Parameter(torch.tensor(0.5))

    def forward(self, x, labels=None):
        return x.flatten(1) @ self.w.flatten() + self.b


class Quadratic(nn.Module):
    """D(x) = a|x|²/2, whose gradient is a·x: every sample has a norm of its own."""

    def __init__(self):
        super().__init__()
        self.a = nn.Parameter(torch.tensor(1.0))

    def forward(self, x, labels=None):
        return 0.5 * self.a * x.flatten(1).square().sum(1)


def random(seed):
    return torch.Generator().manual_seed(seed)


def critique_of(discriminator, shape, count=8, labels=None, seed=3):
    real, fake = torch.randn(2, count, *shape, generator=random(0))
    # Unequal sizes, so that a norm taken over the whole batch is far from the mean of the samples' own.
    real = real * torch.linspace(0.1, 3, count).view(-1, *[1] * len(shape))
    fake = fake * torch.linspace(2, 0.2, count).view(-1, *[1] * len(shape))
    return Critique(
        discriminator=discriminator,
        real=real,
        fake=fake,
        real_logits=discriminator(real, labels),
        fake_logits=discriminator(fake, labels),
        labels=labels,
        noise=Noise(seed),
    )


def squares(x):
    """|x|² of each sample."""
    return x.flatten(1).square().sum(1)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("target", [0.0, 1.0, 2.5])
def test_gradient_penalty_of_a_linear_critic(shape, target):
    critic = Linear(shape)
    value = GradientPenalty(target=target)(critique_of(critic, shape))
    torch.testing.assert_close(value, (critic.w.norm() - target).square())


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("penalty", [R1, R2])
def test_r1_and_r2_of_a_linear_critic(shape, penalty):
    critic = Linear(shape)
    torch.testing.assert_close(penalty()(critique_of(critic, shape)), 0.5 * critic.w.square().sum())


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_gradient_norms_are_taken_sample_by_sample(shape):
    critique = critique_of(Quadratic(), shape)
    torch.testing.assert_close(R1()(critique), 0.5 * squares(critique.real).mean())
    torch.testing.assert_close(R2()(critique), 0.5 * squares(critique.fake).mean())
    mix = torch.rand(8, generator=random(3)).view(-1, *[1] * len(shape))
    between = (1 - mix) * critique.real + mix * critique.fake
    torch.testing.assert_close(GradientPenalty()(critique), (squares(between).sqrt() - 1).square().mean())


def test_interpolates_lie_between_a_real_and_its_own_fake_sample():
    class Watching(Linear):
        def forward(self, x, labels=None):
            self.seen = x
            return super().forward(x, labels)

    critique = critique_of(Watching((2, 4, 4, 4)), (2, 4, 4, 4), count=64)
    GradientPenalty()(critique)
    real, direction = critique.real.flatten(1), (critique.fake - critique.real).flatten(1)
    offset = critique.discriminator.seen.detach().flatten(1) - real
    along = (offset * direction).sum(1) / direction.square().sum(1)
    torch.testing.assert_close(offset, along[:, None] * direction)
    assert along.min() >= 0
    assert along.max() <= 1
    assert along.std() > 0.2, "each sample has a mix of its own"


@pytest.mark.parametrize(("share", "seen"), [(0.25, 2), (0.5, 4), (1.0, 8), (1e-6, 1)])
def test_gradient_penalty_is_of_a_share_of_the_batch(share, seen):
    """On a critic with another slope at every sample, and labels, against that of those samples alone."""
    labels = torch.arange(8)
    whole = critique_of(Quadratic(), (12,), labels=labels)
    first = {name: getattr(whole, name)[:seen] for name in ("real", "fake", "real_logits", "fake_logits", "labels")}
    part = Critique(discriminator=whole.discriminator, noise=Noise(3), **first)
    torch.testing.assert_close(GradientPenalty(share=share)(whole), GradientPenalty()(part))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("share", [0.25, 0.5, 1.0])
def test_slope_is_r1_and_r2_times_the_squared_distance_of_each_pair(shape, share):
    critique, seen = critique_of(Quadratic(), shape), round(8 * share)
    real, fake = critique.real[:seen], critique.fake[:seen]
    expected = 0.5 * (squares(real - fake) * (squares(real) + squares(fake))).mean()
    torch.testing.assert_close(Slope(share=share)(critique), expected)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("share", [0.25, 0.5, 1.0])
def test_finite_difference_follows_its_formula(shape, share):
    critic, count = Linear(shape), round(8 * share)
    critique = critique_of(critic, shape)
    noise = torch.randn(count, 2, *shape, generator=random(3)).transpose(0, 1).flatten(2)
    distances = squares(critique.real - critique.fake)[:count]
    slopes = noise @ critic.w.detach().flatten()
    value = FiniteDifference(sigma=0.5, share=share)(critique)
    torch.testing.assert_close(value, 0.5 * (slopes.square().sum(0) * distances).mean(), rtol=1e-4, atol=0)


def test_finite_difference_expects_the_slope():
    critique = critique_of(Linear((12,)), (12,), count=50_000)
    value = FiniteDifference(sigma=0.5, share=1.0)(critique)
    # <w, ε>² has relative deviation √2, so the mean of 100,000 has 0.0045, and some more as pairs lie apart differently.
    assert value.item() == pytest.approx(Slope(share=1.0)(critique).item(), rel=0.03)


def test_finite_difference_measures_the_samples_it_is_given():
    """On a critic with another slope at every sample, against the exact slope of that same part of the batch."""
    whole = critique_of(Quadratic(), (12,), count=40_000)
    assert FiniteDifference(share=0.5)(whole).item() == pytest.approx(Slope(share=0.5)(whole).item(), rel=0.05)


@pytest.mark.parametrize("penalty", [Slope, FiniteDifference])
def test_a_slope_in_units_of_the_data_is_the_same_for_data_of_any_scale_and_size(penalty):
    """A critic that judges by the same thing has the same penalty, whether samples are scaled or each value is repeated."""

    def value(samples_of, weights_of, shape):
        critic = Linear(shape)
        plain = critique_of(Linear((12,)), (12,), count=20_000)
        with torch.no_grad():
            critic.w.copy_(weights_of(plain.discriminator.w).view(shape))
        real, fake = (samples_of(x).view(-1, *shape) for x in (plain.real, plain.fake))
        logits = (critic(real), critic(fake))
        torch.testing.assert_close(logits[0], plain.real_logits)
        return penalty(share=1.0)(Critique(critic, real, fake, *logits, None, Noise(3))).item()

    same = value(lambda x: x, lambda w: w, (12,))
    assert value(lambda x: 100 * x, lambda w: w / 100, (12,)) == pytest.approx(same, rel=0.01)
    assert value(lambda x: x.repeat(1, 16), lambda w: w.repeat(16) / 16, (3, 8, 8)) == pytest.approx(same, rel=0.03)


@pytest.mark.parametrize(("share", "seen"), [(0.25, 2), (0.5, 4), (1.0, 8), (1e-6, 1)])
def test_finite_difference_runs_on_a_share_of_the_batch(share, seen):
    class Counting(Linear):
        def forward(self, x, labels=None):
            self.batch = x
            return super().forward(x, labels)

    critique = critique_of(Counting((12,)), (12,))
    FiniteDifference(share=share, sigma=1e-3)(critique)
    expected = torch.cat([critique.real[:seen], critique.fake[:seen]])
    torch.testing.assert_close(critique.discriminator.batch, expected, rtol=0, atol=5e-2)


@pytest.mark.parametrize("penalty", ALL)
def test_penalties_train_the_discriminator_and_nothing_else(penalty):
    critique = critique_of(Quadratic(), (12,))
    assert not critique.real.requires_grad
    value = penalty()(critique)
    assert value.shape == ()
    (gradient,) = torch.autograd.grad(value, [critique.discriminator.a])
    # Every gradient is proportional to a, so a less steep critic is penalised less: d/da of a²c is 2c > 0.
    assert gradient > 0
    assert not critique.real.requires_grad


@pytest.mark.parametrize("penalty", [R1, R2])
def test_the_gradient_of_a_penalty_is_exact(penalty):
    """½|w|² has the gradient w: the penalty is differentiated through the differentiation."""
    critic = Linear((3, 8, 8))
    penalty()(critique_of(critic, (3, 8, 8))).backward()
    torch.testing.assert_close(critic.w.grad, critic.w.detach())


def test_a_flat_critic_has_a_finite_penalty():
    """A norm has no derivative at zero, where a critic with zeroed last layer starts."""
    critic = Linear((12,))
    nn.init.zeros_(critic.w)
    value = GradientPenalty()(critique_of(critic, (12,)))
    value.backward()
    assert value.item() == 1
    assert critic.w.grad.isfinite().all()


@pytest.mark.parametrize("penalty", ALL)
def test_labels_reach_the_discriminator(penalty):
    class Conditional(nn.Module):
        """D(x, y) = s_y·<1, x>: the gradient's norm says which labels came."""

        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.tensor([1.0, 10.0]))

        def forward(self, x, labels):
            return self.scale[labels] * x.sum(1)

    def value(labels):
        return penalty()(critique_of(Conditional(), (12,), labels=labels)).item()

    zeros, ones = torch.zeros(8, dtype=torch.int64), torch.ones(8, dtype=torch.int64)
    mixed = torch.tensor([1, 0] * 4)
    assert value(zeros) < value(mixed) < value(ones)
    assert value(mixed) > 5 * value(zeros)


class Network(nn.Module):
    """One whose logits are bf16 under autocast."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Conv1d(1, 8, 5), nn.SiLU(), nn.Flatten(), nn.Linear(8 * 60, 1), nn.Flatten(0))

    def forward(self, x, labels=None):
        return self.layers(x)


@pytest.mark.parametrize("penalty", EXACT)
def test_exact_penalties_are_computed_in_full_precision(penalty):
    critic = Network()
    expected = penalty()(critique_of(critic, (1, 64)))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        critique = critique_of(critic, (1, 64))
        value = penalty()(critique)
    assert critique.real_logits.dtype == torch.bfloat16, "autocast was on"
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, expected, rtol=1e-6, atol=0)


def test_finite_difference_subtracts_in_full_precision():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        critique = critique_of(Network(), (1, 64))
        assert critique.fake_logits.dtype == torch.bfloat16
        assert FiniteDifference()(critique).dtype == torch.float32


@pytest.mark.parametrize("penalty", [GradientPenalty, FiniteDifference])
def test_random_penalties_draw_from_their_own_stream_alone(penalty):
    critic = Quadratic()
    state = torch.get_rng_state()
    values = [penalty()(critique_of(critic, (12,), seed=seed)).item() for seed in (3, 3, 4)]
    assert values[0] == values[1] != values[2]
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("penalty", EXACT)
def test_penalties_work_where_gradients_are_off(penalty):
    critic = Quadratic()
    expected = penalty()(critique_of(critic, (12,)))
    with torch.no_grad():
        torch.testing.assert_close(penalty()(critique_of(critic, (12,))), expected)


@pytest.mark.parametrize("penalty", ALL)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weight": -0.1}, "weight must not be negative, got -0.1"),
        ({"weight": float("nan")}, "weight"),
        ({"interval": 0}, "interval must be at least 1, got 0"),
        ({"interval": -4}, "interval"),
    ],
)
def test_what_no_penalty_takes(penalty, arguments, message):
    with pytest.raises(UsageError, match=message):
        penalty(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"sigma": 0.0}, "sigma"), ({"sigma": -1.0}, "sigma"), ({"share": 0.0}, "share"), ({"share": 1.01}, "share")],
)
def test_what_finite_difference_does_not_take(arguments, message):
    with pytest.raises(UsageError, match=f"{message} must be"):
        FiniteDifference(**arguments)


@pytest.mark.parametrize("share", [0.0, -1.0, 1.01, float("nan")])
@pytest.mark.parametrize("penalty", [GradientPenalty, Slope])
def test_what_is_no_share(penalty, share):
    with pytest.raises(UsageError, match="share must be"):
        penalty(share=share)


@pytest.mark.parametrize("penalty", ALL)
def test_weight_and_interval_are_kept_for_the_trainer(penalty):
    """The value itself is the bare term: the trainer applies both."""
    critic = Quadratic()
    heavy = penalty(weight=5.0, interval=16)
    assert (heavy.weight, heavy.interval) == (5.0, 16)
    torch.testing.assert_close(heavy(critique_of(critic, (12,))), penalty()(critique_of(critic, (12,))))
