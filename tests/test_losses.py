import math

import pytest
import torch

from ganzoo import losses

ALL = [
    losses.Minimax,
    losses.NonSaturating,
    losses.LeastSquares,
    losses.Hinge,
    losses.Wasserstein,
    losses.Relativistic,
]

REAL = torch.tensor([2.0, -1.0])
FAKE = torch.tensor([0.0, 0.5])
LN2 = math.log(2)


def sp(x):
    """Softplus, by hand."""
    return math.log1p(math.exp(x))


@pytest.mark.parametrize(
    ("loss", "discriminator", "generator"),
    [
        (losses.Minimax, (sp(-2) + sp(1) + LN2 + sp(0.5)) / 2, -(LN2 + sp(0.5)) / 2),
        (losses.NonSaturating, (sp(-2) + sp(1) + LN2 + sp(0.5)) / 2, (LN2 + sp(-0.5)) / 2),
        (losses.LeastSquares, (1 + 4 + 0 + 0.25) / 4, (1 + 0.25) / 4),
        (losses.Hinge, (0 + 2 + 1 + 1.5) / 2, -0.25),
        (losses.Wasserstein, 0.25 - 0.5, -0.25),
        (losses.Relativistic, (sp(-2) + sp(1.5)) / 2, (sp(2) + sp(-1.5)) / 2),
    ],
)
def test_values_by_hand(loss, discriminator, generator):
    assert loss().discriminator(REAL, FAKE).item() == pytest.approx(discriminator, rel=1e-6)
    assert loss().generator(REAL, FAKE).item() == pytest.approx(generator, rel=1e-6)


@pytest.mark.parametrize(
    ("loss", "discriminator", "generator"),
    [
        (losses.Minimax, lambda p, q: -(p.log().mean() + (1 - q).log().mean()), lambda p, q: (1 - q).log().mean()),
        (losses.NonSaturating, lambda p, q: -(p.log().mean() + (1 - q).log().mean()), lambda p, q: -q.log().mean()),
    ],
)
def test_the_papers_probabilities(loss, discriminator, generator):
    """Goodfellow et al. write D as a probability; here it is a logit."""
    rng = torch.Generator().manual_seed(0)
    real, fake = 3 * torch.randn(2, 64, generator=rng, dtype=torch.float64)
    p, q = real.sigmoid(), fake.sigmoid()
    torch.testing.assert_close(loss().discriminator(real, fake), discriminator(p, q), rtol=1e-12, atol=0)
    torch.testing.assert_close(loss().generator(real, fake), generator(p, q), rtol=1e-12, atol=0)


def test_the_relativistic_papers_probabilities():
    """Of pairs: D and G see σ(r - f), pair by pair, so a batch in another order is another loss."""
    rng = torch.Generator().manual_seed(0)
    real, fake = 3 * torch.randn(2, 64, generator=rng, dtype=torch.float64)
    loss = losses.Relativistic()
    torch.testing.assert_close(loss.discriminator(real, fake), -(real - fake).sigmoid().log().mean(), rtol=1e-12, atol=0)
    torch.testing.assert_close(loss.generator(real, fake), -(fake - real).sigmoid().log().mean(), rtol=1e-12, atol=0)
    assert not torch.isclose(loss.discriminator(real, fake), loss.discriminator(real.flip(0), fake))


@pytest.mark.parametrize("loss", ALL)
def test_a_confident_discriminator_is_rewarded(loss):
    """D gains where real logits rise and fake ones fall, and G where fake ones rise.

    Undecided is 1/2 for least squares, whose targets are 0 and 1; there, no other loss has reached its margin either.
    """
    real, fake = torch.full((2, 8), 0.5, requires_grad=True)
    of_real, of_fake = torch.autograd.grad(loss().discriminator(real, fake), (real, fake))
    (of_generated,) = torch.autograd.grad(loss().generator(real.detach(), fake), fake)
    assert (of_real < 0).all()
    assert (of_fake > 0).all()
    assert (of_generated < 0).all()


@pytest.mark.parametrize("loss", ALL)
def test_samples_weigh_the_same_in_any_batch(loss):
    """A mean, not a sum: the learning rate must not depend on the batch."""
    for part in (loss().discriminator, loss().generator):
        torch.testing.assert_close(part(REAL.repeat(5), FAKE.repeat(5)), part(REAL, FAKE))
        assert part(REAL, FAKE).shape == ()


@pytest.mark.parametrize("loss", ALL)
@pytest.mark.parametrize("real", [-1e4, 1e4])
@pytest.mark.parametrize("fake", [-1e4, 1e4])
def test_far_logits_stay_finite(loss, real, fake):
    logits = torch.tensor([real], requires_grad=True), torch.tensor([fake], requires_grad=True)
    for part in (loss().discriminator, loss().generator):
        value = part(*logits)
        assert value.isfinite()
        gradients = torch.autograd.grad(value, logits, allow_unused=True)
        assert all(g.isfinite().all() for g in gradients if g is not None)


def test_minimax_saturates_where_the_discriminator_is_sure_and_the_others_do_not():
    def pull(loss):
        fake = torch.tensor([-20.0], requires_grad=True)
        (gradient,) = torch.autograd.grad(loss.generator(torch.zeros(1), fake), fake)
        return -gradient.item()

    assert 0 < pull(losses.Minimax()) < 1e-8
    assert pull(losses.NonSaturating()) == pytest.approx(1)
    assert pull(losses.Relativistic()) == pytest.approx(1)
    assert pull(losses.Hinge()) == pull(losses.Wasserstein()) == 1


def test_the_hinge_stops_at_its_margins():
    real, fake = torch.tensor([1.5, 0.5], requires_grad=True), torch.tensor([-1.5, -0.5], requires_grad=True)
    losses.Hinge().discriminator(real, fake).backward()
    assert real.grad.tolist() == [0, -0.5]
    assert fake.grad.tolist() == [0, 0.5]


@pytest.mark.parametrize("loss", ALL)
def test_only_pairing_losses_show_the_generator_the_real_logits(loss):
    """Where ``pairs`` is false, the trainer passes None."""
    if loss.pairs:
        real = torch.zeros(2, requires_grad=True)
        (gradient,) = torch.autograd.grad(loss().generator(real, FAKE), real)
        assert gradient.abs().min() > 0
    else:
        assert loss().generator(None, FAKE).isfinite()
