"""The alternating step that most GANs train by: the discriminator, then the generator."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from pydantic import PositiveFloat, PositiveInt
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from ganzoo.errors import UsageError
from ganzoo.interfaces import Critique, Loss, Penalty, StepContext, Trainer
from ganzoo.training.optimizers import create_optimizer


class AlternatingTrainer(Trainer):
    """One discriminator update on every batch and one generator update on every ``n_critic``-th.

    Args:
        networks: ``generator`` and ``discriminator``; more are left alone.
        loss: What both play on.
        penalties: Terms of the discriminator's update, by name.
        n_critic: Discriminator updates per generator update.
        optimizer: Its name: ``adam``, ``adamw``, ``sgd``, ``rmsprop``, or any that timm knows.
        lr: Learning rate.
        discriminator_lr: The discriminator's, where it differs.
        betas: Adam's decay rates, for optimizers that have them.
        momentum: For optimizers that have it.
        weight_decay: For both.
    """

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        loss: Loss,
        penalties: Mapping[str, Penalty],
        *,
        n_critic: PositiveInt = 1,
        optimizer: str = "adam",
        lr: PositiveFloat = 2e-4,
        discriminator_lr: PositiveFloat | None = None,
        betas: tuple[float, float] | None = None,
        momentum: float | None = None,
        weight_decay: float | None = None,
    ) -> None:
        super().__init__(networks)
        self.loss = loss
        self.penalties = dict(penalties)
        self.n_critic = n_critic
        options: dict[str, Any] = {"betas": betas, "momentum": momentum, "weight_decay": weight_decay}
        for role, rate in (("generator", lr), ("discriminator", discriminator_lr or lr)):
            self.optimizers[role] = create_optimizer(optimizer, self.networks[role], lr=rate, **options)
        discriminator = self.networks["discriminator"]
        self._separately = mixes_batch(discriminator)
        if self.penalties and self._separately:
            raise UsageError(
                "a penalty is on each sample's own gradient, and this discriminator's batch norm mixes samples",
                hint="choose a discriminator without it (-o discriminator.norm=none, if it has that), or --penalty none",
            )
        if any(p.compares for p in self.penalties.values()) and has_dropout(discriminator):
            raise UsageError("a finite difference of logits is all noise under dropout", hint="for example: --penalty r1")

    def step(self, reals: Tensor, labels: Tensor | None, context: StepContext) -> Mapping[str, Tensor]:
        generator = self.networks["generator"]
        both_learn = (context.step + 1) % self.n_critic == 0
        # Where the generator learns too, it learns from the samples that the discriminator has just been shown.
        with context.autocast(), torch.set_grad_enabled(both_learn):
            fakes = generator(context.latents(generator, len(reals), "latents"), labels).float()
        metrics = self.step_discriminator(reals, fakes.detach(), labels, context)
        return metrics | self.step_generator(reals, fakes, labels, context) if both_learn else metrics

    def step_discriminator(
        self, reals: Tensor, fakes: Tensor, labels: Tensor | None, context: StepContext
    ) -> dict[str, Tensor]:
        """Update the discriminator on real samples and as many generated ones."""
        with context.autocast():
            real_logits, fake_logits = self.judge(reals, fakes, labels)
        loss = self.loss.discriminator(real_logits, fake_logits)
        metrics = {"loss_d": loss.detach(), "real": real_logits.detach().mean(), "fake": fake_logits.detach().mean()}
        for name, penalty in self.penalties.items():
            if context.step % penalty.interval == 0:
                rng = context.rng(f"penalty {name}")
                critique = Critique(self.networks["discriminator"], reals, fakes, real_logits, fake_logits, labels, rng)
                with context.autocast():
                    term = penalty(critique)
                loss = loss + penalty.weight * penalty.interval * term
                metrics[name] = term.detach()
        self.update("discriminator", loss, context)
        return metrics

    def step_generator(self, reals: Tensor, fakes: Tensor, labels: Tensor | None, context: StepContext) -> dict[str, Tensor]:
        """Update the generator, through the samples ``fakes`` that it made, against the discriminator as it stands."""
        discriminator = self.networks["discriminator"]
        with frozen(discriminator):
            with context.autocast():
                with torch.no_grad():
                    real_logits = discriminator(reals, labels).float() if self.loss.pairs else None
                fake_logits = discriminator(fakes, labels).float()
            loss = self.loss.generator(real_logits, fake_logits)
            self.update("generator", loss, context)
        return {"loss_g": loss.detach()}

    def judge(self, reals: Tensor, fakes: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        """fp32 logits of both, in one pass unless the discriminator's batch statistics would mix them."""
        discriminator = self.networks["discriminator"]
        if self._separately:
            return discriminator(reals, labels).float(), discriminator(fakes, labels).float()
        both = None if labels is None else torch.cat([labels, labels])
        logits = discriminator(torch.cat([reals, fakes]), both).float()
        return logits[: len(reals)], logits[len(reals) :]

    def update(self, role: str, loss: Tensor, context: StepContext) -> None:
        """One optimizer step of ``role`` down ``loss``."""
        optimizer = self.optimizers[role]
        optimizer.zero_grad(set_to_none=True)
        context.backward(loss)
        optimizer.step()


@contextlib.contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Inside the block no parameter of ``network`` requires gradients; after it, those that did before do again."""
    trained = [p for p in network.parameters() if p.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)


def has_dropout(network: nn.Module) -> bool:
    """Whether the same sample may get another output each time."""
    return any(isinstance(m, _DropoutNd) and m.training and m.p > 0 for m in network.modules())


def mixes_batch(network: nn.Module) -> bool:
    """Whether a sample's output depends on the rest of its batch: batch norm in training, or a layer with ``mixes_batch``."""
    return any((isinstance(m, _BatchNorm) and m.training) or getattr(m, "mixes_batch", False) for m in network.modules())
