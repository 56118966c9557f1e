"""The field's standard adversarial losses, on raw logits ``D(x)``; ``r`` is D(real), ``f`` is D(fake)."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor
from torch.nn.functional import relu, softplus

from ganzoo.interfaces import Loss


class Minimax(Loss):
    """The original value function: both play on ``V = E[log σ(r)] + E[log(1 - σ(f))]``.

    D minimises ``-V``; G minimises ``E[log(1 - σ(f))]``, which saturates where D is sure.
    (Goodfellow et al., 2014, equation 1.)
    """

    capturable: ClassVar[bool] = True

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(-real).mean() + softplus(fake).mean()

    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        return -softplus(fake).mean()


class NonSaturating(Minimax):
    """As :class:`Minimax` for D; G minimises ``-E[log σ(f)]``. (Goodfellow et al., 2014, section 3.)"""

    capturable: ClassVar[bool] = True

    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        return softplus(-fake).mean()


class LeastSquares(Loss):
    """D: ``½E[(r - 1)²] + ½E[f²]``; G: ``½E[(f - 1)²]``. (Mao et al., 2017, equation 9.)"""

    capturable: ClassVar[bool] = True

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return 0.5 * ((real - 1).square().mean() + fake.square().mean())

    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        return 0.5 * (fake - 1).square().mean()


class Hinge(Loss):
    """D: ``E[max(0, 1 - r)] + E[max(0, 1 + f)]``; G: ``-E[f]``. (Lim & Ye, 2017; Miyato et al., 2018, equation 16.)"""

    capturable: ClassVar[bool] = True

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return relu(1 - real).mean() + relu(1 + fake).mean()

    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        return -fake.mean()


class Wasserstein(Loss):
    """D: ``E[f] - E[r]``; G: ``-E[f]``. The critic needs a penalty. (Arjovsky et al., 2017, equation 2.)"""

    capturable: ClassVar[bool] = True

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return fake.mean() - real.mean()

    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        return -fake.mean()


class Relativistic(Loss):
    """Each generated sample against a real one. D: ``E[softplus(f - r)]``; G: ``E[softplus(r - f)]``.

    (Jolicoeur-Martineau, 2019, RSGAN; Huang et al., 2024, equation 2.) Samples are paired as they stand in the batch.
    """

    capturable: ClassVar[bool] = True
    pairs: ClassVar[bool] = True

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(fake - real).mean()

    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        assert real is not None
        return softplus(real - fake).mean()
