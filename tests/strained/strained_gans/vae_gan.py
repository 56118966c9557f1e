"""VAE-GAN: an encoder whose decoder is the generator (Larsen et al., 2016, with the error in pixels)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from ganzoo import Loss, Penalty, StepContext
from ganzoo.training.optimizers import create_optimizer
from ganzoo.training.trainer import AlternatingTrainer


class Encoder(nn.Module):
    """Samples to the mean and the log-variance of their latents."""

    def __init__(self, *, sample_shape: tuple[int, ...], latent_shape: tuple[int, ...], hidden: PositiveInt = 32) -> None:
        super().__init__()
        self.latent_shape = latent_shape
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.Linear(math.prod(sample_shape), hidden),
            nn.ReLU(),
            nn.Linear(hidden, 2 * math.prod(latent_shape)),
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.layers(x).unflatten(1, (2, *self.latent_shape)).unbind(1)
        return mean, log_variance


class VAEGANTrainer(AlternatingTrainer):
    """After the alternating step, one for the encoder and its decoder together."""

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        loss: Loss,
        penalties: Mapping[str, Penalty],
        *,
        lr: PositiveFloat = 2e-4,
        reconstruction: NonNegativeFloat = 1.0,
        divergence: NonNegativeFloat = 0.01,
    ) -> None:
        super().__init__(networks, loss, penalties, lr=lr)
        pair = nn.ModuleList([self.networks["encoder"], self.networks["generator"]])
        self.optimizers["autoencoder"] = create_optimizer("adam", pair, lr=lr)
        self.weights = {"reconstruction": reconstruction, "divergence": divergence}

    def step(self, reals: Tensor, labels: Tensor | None, context: StepContext) -> Mapping[str, Tensor]:
        return {**super().step(reals, labels, context), **self.step_autoencoder(reals, context)}

    def step_autoencoder(self, reals: Tensor, context: StepContext) -> dict[str, Tensor]:
        with context.autocast():
            mean, log_variance = self.networks["encoder"](reals)
            noise = context.noise("encoder").normal(len(mean), *mean.shape[1:])
            decoded = self.networks["generator"](mean + noise * (log_variance / 2).exp())
        mean, log_variance = mean.float(), log_variance.float()
        terms = {
            "reconstruction": mse_loss(decoded.float(), reals),
            "divergence": 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean(),
        }
        self.update("autoencoder", sum(self.weights[name] * term for name, term in terms.items()), context)
        return {name: term.detach() for name, term in terms.items()}

    def preview(self, networks: Mapping[str, nn.Module], seeds: Sequence[int], reals: Tensor, labels: Tensor | None) -> Tensor:
        """Real samples, encoded and decoded."""
        mean, _ = networks["encoder"](reals)
        return networks["generator"].sample(latents=mean)
