"""CycleGAN (Zhu et al., 2017): from pictures labelled 0 to pictures labelled 1, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from ganzoo import Discriminator, Generator, Loss, Penalty, StepContext, Trainer, UsageError
from ganzoo.training.optimizers import create_optimizer
from ganzoo.training.trainer import frozen


class Translator(Generator):
    """Its latents are pictures of the other domain."""

    def __init__(self, *, sample_shape: tuple[int, ...], num_classes: int, width: PositiveInt = 8) -> None:
        super().__init__(latent_shape=sample_shape, sample_shape=sample_shape)
        if num_classes != 2:
            raise UsageError(f"strained-cycle needs pictures of two classes, this data has {num_classes}")
        channels = sample_shape[0]
        self.layers = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1),
            nn.InstanceNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, channels, 3, padding=1),
            nn.Tanh(),
        )

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.layers(z)


class PatchDiscriminator(Discriminator):
    """The mean over patches of what each looks like."""

    def __init__(self, *, sample_shape: tuple[int, ...], width: PositiveInt = 8) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(sample_shape[0], width, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(width, 1, 4, 2, 1)
        )

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.layers(x).mean((1, 2, 3))


class CycleTrainer(Trainer):
    """Both discriminators at once, then both generators at once, on as many pictures of each domain as the batch has."""

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        loss: Loss,
        penalties: Mapping[str, Penalty],
        *,
        lr: PositiveFloat = 2e-4,
        cycle: NonNegativeFloat = 10.0,
    ) -> None:
        super().__init__(networks)
        if loss.pairs or penalties:
            raise UsageError("strained-cycle takes no penalties and no loss that pairs: its domains come in unequal numbers")
        self.loss = loss
        self.cycle = cycle
        self.generators = nn.ModuleList([self.networks["generator"], self.networks["generator_back"]])
        self.discriminators = nn.ModuleList([self.networks["discriminator"], self.networks["discriminator_back"]])
        self.optimizers["generators"] = create_optimizer("adam", self.generators, lr=lr)
        self.optimizers["discriminators"] = create_optimizer("adam", self.discriminators, lr=lr)

    def step(self, reals: Tensor, labels: Tensor | None, context: StepContext) -> Mapping[str, Tensor]:
        sources, targets = reals[labels == 0], reals[labels == 1]
        if not len(sources) or not len(targets):
            return {}  # nothing to compare
        there, back = self.generators
        judge, judge_back = self.discriminators
        with context.autocast():
            fakes, fakes_back = there(sources), back(targets)
            real, fake = judge(targets).float(), judge(fakes.detach()).float()
            real_back, fake_back = judge_back(sources).float(), judge_back(fakes_back.detach()).float()
        loss_d = self.loss.discriminator(real, fake) + self.loss.discriminator(real_back, fake_back)
        self.update("discriminators", loss_d, context)

        with frozen(self.discriminators):
            with context.autocast():
                fake, fake_back = judge(fakes).float(), judge_back(fakes_back).float()
                cycled, cycled_back = back(fakes), there(fakes_back)
            loss_g = self.loss.generator(None, fake) + self.loss.generator(None, fake_back)
            cycle = l1_loss(cycled.float(), sources) + l1_loss(cycled_back.float(), targets)
            self.update("generators", loss_g + self.cycle * cycle, context)
        return {"loss_d": loss_d.detach(), "loss_g": loss_g.detach(), "cycle": cycle.detach()}

    def preview(self, networks: Mapping[str, nn.Module], seeds: Sequence[int], reals: Tensor, labels: Tensor | None) -> Tensor:
        """Every real picture, translated into the other domain."""
        there, back = (networks[role].sample(latents=reals) for role in ("generator", "generator_back"))
        return torch.where((labels == 0).view(-1, 1, 1, 1), there, back)
