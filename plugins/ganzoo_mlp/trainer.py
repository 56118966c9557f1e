"""The optimizer of the first GAN paper."""

from __future__ import annotations

import math
from collections.abc import Mapping

from pydantic import PositiveFloat
from torch import Tensor, nn

from ganzoo import AlternatingTrainer, Loss, Penalty, StepContext

EPOCH = 50_000
"""Images in the original's epoch (MNIST without its validation part), in which its momentum is scheduled."""


class GoodfellowTrainer(AlternatingTrainer):
    """Alternating SGD whose rate decays by a factor each step while momentum rises (goodfeli/adversarial, mnist.yaml).

    Args:
        networks, loss, penalties: As for the alternating trainer.
        lr: Learning rate of both networks at the start.
        discriminator_lr: The discriminator's, where it differs.
        decay: What rates are divided by at every step, down to 1e-6.
        momentum_start, momentum_end: Momentum in the first epoch and from ``momentum_epochs`` on, linear between.
        momentum_epochs: In epochs of 50,000 images.
    """

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        loss: Loss,
        penalties: Mapping[str, Penalty],
        *,
        lr: PositiveFloat = 0.1,
        discriminator_lr: PositiveFloat | None = None,
        decay: PositiveFloat = 1.000004,
        momentum_start: float = 0.5,
        momentum_end: float = 0.7,
        momentum_epochs: PositiveFloat = 250,
    ) -> None:
        super().__init__(
            networks, loss, penalties, optimizer="sgd", lr=lr, discriminator_lr=discriminator_lr, momentum=momentum_start
        )
        self.decay = decay
        self.momentum = (momentum_start, momentum_end)
        self.momentum_epochs = momentum_epochs

    def step(self, reals: Tensor, labels: Tensor | None, context: StepContext) -> Mapping[str, Tensor]:
        start, end = self.momentum
        risen = min(1.0, max(0.0, (context.images / EPOCH - 1) / self.momentum_epochs))
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group["momentum"] = start + risen * (end - start)
                # The loop sets the rate anew before every step.
                group["lr"] = max(1e-6, group["lr"] * math.exp(-context.step * math.log(self.decay)))
        return super().step(reals, labels, context)
