"""What the networks are trained by: losses, penalties, and augmentations of what the discriminator sees."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ganzoo.errors import UsageError
from ganzoo.modalities.base import Modality
from ganzoo.noise import Noise


class Loss(ABC):
    """An adversarial loss on raw logits.

    Attributes:
        pairs: Whether :meth:`generator` looks at ``real``.
        capturable: Whether a CUDA graph may stand for it: it keeps nothing in Python from one step to the next, draws random
            numbers from the noise that it is lent alone, and never waits for the device. Each class says so for itself; it
            is not inherited.
    """

    pairs: ClassVar[bool] = False
    capturable: ClassVar[bool] = False

    @abstractmethod
    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """What the discriminator minimises: a scalar, of logits ``(N,)`` or ``(N, K)`` of real and of generated samples."""

    @abstractmethod
    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        """What the generator minimises: a scalar.

        ``real`` is None unless :attr:`pairs`, and else detached, as the discriminator had it before this step's update.
        """


@dataclass(frozen=True)
class Critique:
    """One pass of the discriminator over real and generated samples, as penalties see it.

    Attributes:
        discriminator: The network.
        real, fake: Samples ``(N, *sample_shape)`` in fp32, detached.
        real_logits, fake_logits: ``(N,)`` or ``(N, K)``, attached to the discriminator's parameters.
        labels: int64 ``(N,)`` of both halves, or None.
        noise: Random numbers of this step and of this penalty alone, on the samples' device.
    """

    discriminator: nn.Module
    real: Tensor
    fake: Tensor
    real_logits: Tensor
    fake_logits: Tensor
    labels: Tensor | None
    noise: Noise


class Penalty(ABC):
    """A term of the discriminator's step that keeps it well-behaved; any loss takes any penalty.

    Args:
        weight: What the term is multiplied with.
        interval: Apply it at every ``interval``-th discriminator step only, ``interval`` times as strong (lazy
            regularisation, Karras et al., 2020, appendix B).

    Attributes:
        compares: Whether it compares logits of two passes, which a discriminator with dropout would make differ.
        capturable: As for :class:`Loss`.
    """

    compares: ClassVar[bool] = False
    capturable: ClassVar[bool] = False

    def __init__(self, weight: float, interval: int = 1) -> None:
        if not weight >= 0:
            raise UsageError(f"a penalty's weight must not be negative, got {weight}")
        if interval < 1:
            raise UsageError(f"a penalty's interval must be at least 1, got {interval}")
        self.weight = weight
        self.interval = interval

    @abstractmethod
    def __call__(self, critique: Critique) -> Tensor:
        """The term, a scalar, before ``weight``. Called in the precision of the discriminator's own pass."""


class Augmentation(ABC):
    """A change that samples go through on their way to the discriminator: real and generated ones alike, each for itself.

    So the generator need not learn it, and the discriminator sees more than there is (Karras et al., 2020, section 2.2).

    Args:
        p: How strong it is, in [0, 1]: mostly the probability with which a sample is changed.

    Attributes:
        p: The same as a float32 tensor without axes, which a trainer puts where samples are. Whoever controls it while a run
            trains fills it in place, so that a CUDA graph that was recorded reads it; it is kept in checkpoints.
        capturable: As for :class:`Loss`. It may do nothing that depends on the value of ``p`` outside of tensors.
    """

    capturable: ClassVar[bool] = False

    def __init__(self, p: float = 1.0) -> None:
        if not 0 <= p <= 1:
            raise UsageError(f"the strength p of an augmentation is in [0, 1], got {p}")
        self.p = torch.tensor(float(p))

    def check(self, modality: Modality) -> None:  # noqa: B027 - most are for samples of any kind
        """Raise UsageError for samples that it is not made for."""

    @abstractmethod
    def __call__(self, samples: Tensor, noise: Noise) -> Tensor:
        """Samples ``(N, *sample_shape)`` changed, of the same shape and differentiable by them.

        Each sample is changed by itself, with random numbers of its own from ``noise``.
        """

    def adapt(self, real_logits: Tensor) -> None:  # noqa: B027 - most have no controller
        """Change ``p`` by what the discriminator has just said of real samples, without waiting for the device.

        Called once in a step, after the discriminator has learned, however the batch is cut and shared out.

        Args:
            real_logits: ``(N,)`` or ``(N, K)`` of the whole batch, detached; in no order.
        """

    def state(self) -> Mapping[str, Any]:
        """What else than ``p`` must be kept for a run to go on as if it had never stopped."""
        return {}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take up again what :meth:`state` returned."""
        if state:
            raise TypeError(f"{type(self).__name__} has kept state and does not take it up again")
