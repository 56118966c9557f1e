"""Gradient penalties for the discriminator, per sample, for samples of any shape.

The exact ones differentiate the discriminator's output by its input in fp32, so their backward pass is a double one;
the finite-difference one needs neither. All need a discriminator that judges each sample by itself: no batch norm.
"""

from __future__ import annotations

import contextlib
from typing import ClassVar

import torch
from torch import Tensor, nn

from ganzoo.errors import UsageError
from ganzoo.interfaces import Critique, Penalty


def input_gradients(discriminator: nn.Module, x: Tensor, labels: Tensor | None) -> Tensor:
    """``∂D(x)/∂x`` of each sample, flattened: ``(N, prod(sample_shape))``, in fp32 and differentiable.

    Where a sample has several logits, D(x) is their mean. Each logit must depend on its own sample alone; with batch
    statistics the rows mix.
    """
    # What torch.compile makes cannot be differentiated twice.
    compiled = getattr(discriminator, "_compiled_call_impl", None) is not None
    eager = torch.compiler.set_stance("force_eager") if compiled else contextlib.nullcontext()
    with eager, torch.enable_grad(), torch.autocast(x.device.type, enabled=False):
        x = x.detach().float().requires_grad_(True)
        (gradients,) = torch.autograd.grad(per_sample(discriminator(x, labels)).sum(), x, create_graph=True)
    flat: Tensor = gradients.flatten(1)
    return flat


def per_sample(logits: Tensor) -> Tensor:
    """Logits ``(N,)`` as they are; of ``(N, K)``, K judgements of each sample, their mean ``(N,)``."""
    return logits.mean(1) if logits.ndim == 2 else logits


def check_share(share: float) -> float:
    """``share``, if it is one of a batch. Raises UsageError."""
    if not 0 < share <= 1:
        raise UsageError(f"share must be in (0, 1], got {share}")
    return share


def part_of(size: int, share: float) -> int:
    """How many of a batch a share is, at least one."""
    return max(1, round(share * size))


def first_pairs(critique: Critique, share: float) -> tuple[Tensor, Tensor, Tensor | None]:
    """A share of a batch: real samples, generated ones, and the labels of both, one after the other."""
    count = part_of(len(critique.real), share)
    labels = None if critique.labels is None else critique.labels[:count].repeat(2)
    return critique.real[:count], critique.fake[:count], labels


class GradientPenalty(Penalty):
    """``E[(‖∂D(x̂)/∂x̂‖₂ - target)²]`` at random points x̂ between a real and a generated sample.

    (Gulrajani et al., 2017, equation 3, with λ = 10 and target 1.)

    Args:
        weight: λ.
        target: The norm that gradients are drawn to.
        share: The part of the batch that it is measured on, in (0, 1]; most of a step's time is the penalty's on all of it.
    """

    capturable: ClassVar[bool] = True

    def __init__(self, weight: float = 10.0, interval: int = 1, *, target: float = 1.0, share: float = 1.0) -> None:
        super().__init__(weight, interval)
        self.target = target
        self.share = check_share(share)

    def __call__(self, critique: Critique) -> Tensor:
        count = part_of(len(critique.real), self.share)
        real, fake = critique.real[:count], critique.fake[:count]
        labels = None if critique.labels is None else critique.labels[:count]
        mix = critique.noise.uniform(count, *[1] * (real.ndim - 1))
        gradients = input_gradients(critique.discriminator, real + mix * (fake - real), labels)
        norms = torch.linalg.vector_norm(gradients, dim=1)
        penalty: Tensor = (norms - self.target).square().mean()
        return penalty


class R1(Penalty):
    """``½E[‖∂D(x)/∂x‖²]`` on real samples. (Mescheder et al., 2018, equation 9; the weight is γ.)"""

    capturable: ClassVar[bool] = True

    def __init__(self, weight: float = 1.0, interval: int = 1) -> None:
        super().__init__(weight, interval)

    def __call__(self, critique: Critique) -> Tensor:
        return 0.5 * input_gradients(critique.discriminator, critique.real, critique.labels).square().sum(1).mean()


class R2(Penalty):
    """``½E[‖∂D(x)/∂x‖²]`` on generated samples. (Mescheder et al., 2018, equation 10; the weight is γ.)"""

    capturable: ClassVar[bool] = True

    def __init__(self, weight: float = 1.0, interval: int = 1) -> None:
        super().__init__(weight, interval)

    def __call__(self, critique: Critique) -> Tensor:
        return 0.5 * input_gradients(critique.discriminator, critique.fake, critique.labels).square().sum(1).mean()


class Slope(Penalty):
    """R1 + R2 in units of the data: ``½E[(d‖∂D/∂x‖)²]`` on real and on generated samples.

    ``d`` is the distance between the real and the generated sample of a pair: ``d‖∂D/∂x‖`` is by how much the logit would
    change on the way from one to the other. So a weight means the same for samples of any size, shape and scale. R1 and R2
    measure ``‖∂D/∂x‖`` per unit of the values; as ``d`` grows with the square root of their number, 64x64 colour pictures
    want 16 times the weight of 28x28 grey ones there.

    It goes with losses that are content once samples are told apart by a margin (hinge, non-saturating, relativistic): where
    they are, it draws the slope to 0. ``gradient-penalty`` would have it be 1 on the whole way between samples that these
    losses only want a logit or two apart, which is at odds with that as soon as samples are far from each other.

    Args:
        weight: γ.
        share: The part of the batch that it is measured on, in (0, 1].
    """

    capturable: ClassVar[bool] = True

    def __init__(self, weight: float = 2e-4, interval: int = 1, *, share: float = 0.25) -> None:
        super().__init__(weight, interval)
        self.share = check_share(share)

    def __call__(self, critique: Critique) -> Tensor:
        real, fake, labels = first_pairs(critique, self.share)
        squares = input_gradients(critique.discriminator, torch.cat([real, fake]), labels).square().sum(1)
        distances = (real - fake).flatten(1).square().sum(1)
        # Half the mean over the real ones plus half that over the generated ones, which are as many.
        term: Tensor = (squares * distances.repeat(2)).mean()
        return term


class FiniteDifference(Penalty):
    """What :class:`Slope` measures, by one step of noise instead of an exact gradient: ``½E[n((D(x + σdε/√n) - D(x)) / σ)²]``.

    That is ``½E[(d‖∂D/∂x‖)²]`` for samples of n values, up to O(σ²): ε is standard normal and has unit covariance. It takes
    one forward pass over ``share`` of the batch and an ordinary backward, and so works at the speed and precision of the
    discriminator's own pass; a single random direction says less than a gradient. (After the approximated R1 of Lin et al.,
    2025, arXiv:2501.08316.)

    Args:
        weight: γ.
        sigma: The step's length, as a part of d. Where the discriminator runs in bf16, much less than 0.05 drowns in the
            rounding of its logits.
        share: The part of the batch that it is measured on, in (0, 1].
    """

    capturable: ClassVar[bool] = True
    compares: ClassVar[bool] = True

    def __init__(self, weight: float = 6e-4, interval: int = 1, *, sigma: float = 0.06, share: float = 0.25) -> None:
        super().__init__(weight, interval)
        if not sigma > 0:
            raise UsageError(f"sigma must be positive, got {sigma}")
        self.sigma = sigma
        self.share = check_share(share)

    def __call__(self, critique: Critique) -> Tensor:
        real, fake, labels = first_pairs(critique, self.share)
        count, x = len(real), torch.cat([real, fake])
        noise = critique.noise.normal(count, 2, *x.shape[1:]).transpose(0, 1).flatten(0, 1)
        # Root mean squares over a sample's values, in which n and √n are no more to be seen.
        distance = (real - fake).flatten(1).square().mean(1).sqrt().repeat(2)
        moved = critique.discriminator(x + self.sigma * distance.view(-1, *[1] * (x.ndim - 1)) * noise, labels).float()
        logits = torch.cat([critique.real_logits[:count], critique.fake_logits[:count]])
        slopes: Tensor = ((per_sample(moved) - per_sample(logits)) / self.sigma).square()
        # Half the mean over the real ones plus half that over the generated ones, which are as many.
        return x[0].numel() * slopes.mean()
