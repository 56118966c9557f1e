"""A variational autoencoder (Kingma & Welling, 2014): no discriminator, no loss of two players."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import PositiveFloat
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from ganzoo import StepContext, Trainer, create_optimizer


class VAETrainer(Trainer):
    """One step down the negative evidence lower bound, for the encoder and its decoder, the generator, together."""

    def __init__(self, networks: Mapping[str, nn.Module], *, lr: PositiveFloat = 1e-3, beta: PositiveFloat = 0.1) -> None:
        super().__init__(networks)
        self.beta = beta
        pair = nn.ModuleList([self.networks["encoder"], self.networks["generator"]])
        self.optimizers["autoencoder"] = create_optimizer("adam", pair, lr=lr)

    def step(self, reals: Tensor, labels: Tensor | None, context: StepContext) -> Mapping[str, Tensor]:
        with context.autocast():
            mean, log_variance = self.networks["encoder"](reals)
            noise = context.noise("encoder").normal(len(mean), *mean.shape[1:])
            decoded = self.networks["generator"](mean + noise * (log_variance / 2).exp())
        mean, log_variance = mean.float(), log_variance.float()
        reconstruction = mse_loss(decoded.float(), reals)
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
        self.update("autoencoder", reconstruction + self.beta * divergence, context)
        return {"reconstruction": reconstruction.detach(), "divergence": divergence.detach()}
