"""The alternating step that most GANs train by: the discriminator, then the generator."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import torch
from pydantic import PositiveFloat, PositiveInt
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from ganzoo.errors import GanzooError, PluginError, UsageError, describe
from ganzoo.interfaces import Augmentation, Critique, Loss, Penalty, StepContext, Trainer
from ganzoo.noise import Noise
from ganzoo.training.optimizers import create_optimizer

Losses: TypeAlias = tuple[Tensor, dict[str, Tensor]]
"""A loss, and detached metrics by name."""


class AlternatingTrainer(Trainer):
    """One discriminator update on every batch and one generator update on every ``n_critic``-th.

    Args:
        networks: ``generator`` and ``discriminator``; more are left alone.
        loss: What both play on.
        penalties: Terms of the discriminator's update, by name.
        augmentations: Changes of all that the discriminator sees, by name, one after another.
        n_critic: Discriminator updates per generator update.
        accumulate: Go through a batch in so many parts, one after another, and add up their gradients: as many times less
            memory, and the same result but for layers that look at a whole batch, such as batch norm.
        optimizer: Its name: ``adam``, ``adamw``, ``sgd``, ``rmsprop``, or any that timm knows.
        lr: Learning rate.
        discriminator_lr: The discriminator's, where it differs.
        betas: Decay rates, for optimizers that have them; of Adam and AdamW by default 0 and 0.99, as both networks change all
            the time and a mean over old gradients misleads (0.9 and 0.999 are for networks that are trained alone).
        momentum: For optimizers that have it.
        weight_decay: For both.
    """

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        loss: Loss,
        penalties: Mapping[str, Penalty],
        augmentations: Mapping[str, Augmentation] | None = None,
        *,
        n_critic: PositiveInt = 1,
        accumulate: PositiveInt = 1,
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
        self.augmentations = dict(augmentations or {})
        self.n_critic = n_critic
        self.accumulate = accumulate
        if betas is None and optimizer in ("adam", "adamw"):
            betas = (0.0, 0.99)
        options: dict[str, Any] = {"betas": betas, "momentum": momentum, "weight_decay": weight_decay}
        for role, rate in (("generator", lr), ("discriminator", discriminator_lr or lr)):
            self.optimizers[role] = create_optimizer(optimizer, self.networks[role], lr=rate, **options)
        device = next((p.device for p in self.networks["generator"].parameters()), torch.device("cpu"))
        for augmentation in self.augmentations.values():
            augmentation.p = augmentation.p.to(device)
        discriminator = self.networks["discriminator"]
        self._separately = mixes_batch(discriminator)
        if self.penalties and self._separately:
            raise UsageError(
                "a penalty is on each sample's own gradient, and this discriminator's batch norm mixes samples",
                hint="choose a discriminator without it (-o discriminator.norm=none, if it has that), or --penalty none",
            )
        if any(p.compares for p in self.penalties.values()) and has_dropout(discriminator):
            raise UsageError("a finite difference of logits is all noise under dropout", hint="for example: --penalty r1")

    def graph_key(self, step: int) -> Hashable | None:
        # A subclass may do what it likes in a step, and speaks for itself.
        # So does that of a loss, a penalty or an augmentation.
        capturable = all(vars(type(part)).get("capturable") for part in self._parts)
        if type(self) is not AlternatingTrainer or self.accumulate > 1 or not capturable:
            return None
        return (step + 1) % self.n_critic == 0, *(step % penalty.interval == 0 for penalty in self.penalties.values())

    def step(self, reals: Tensor, labels: Tensor | None, context: StepContext) -> Mapping[str, Tensor]:
        batches = split(reals, labels, self.accumulate)
        both_learn = (context.step + 1) % self.n_critic == 0
        # Where the generator learns too, it learns from the samples that the discriminator has just been shown. The graphs
        # of several parts would not fit in memory, or there would be no parts: there, the same samples are made again.
        shared = both_learn and len(batches) == 1
        shown: list[Tensor] = []
        real_logits: dict[int, Tensor] = {}

        def discriminator_loss(batch: MicroBatch) -> Losses:
            with torch.set_grad_enabled(shared):
                shown[:] = [self.generate(batch, context)]
            changed = self.augment(batch, batch.reals, context, "real")
            loss, metrics, real_logits[batch.index] = self.discriminator_loss(
                batch if changed is batch.reals else replace(batch, reals=changed),
                self.augment(batch, shown[0].detach(), context, "fake"),
                context,
            )
            return loss, metrics

        def generator_loss(batch: MicroBatch) -> Losses:
            fakes = shown[0] if shared else self.generate(batch, context)
            fakes = self.augment(batch, fakes, context, "generator")
            return self.generator_loss(batch, fakes, real_logits[batch.index], context)

        metrics = self.descend("discriminator", batches, discriminator_loss, context)
        controlled = [a for a in self.augmentations.values() if type(a).adapt is not Augmentation.adapt]
        if controlled:
            whole = context.gather(torch.cat(list(real_logits.values())))
            for augmentation in controlled:
                augmentation.adapt(whole)
        if both_learn:
            with frozen(self.networks["discriminator"]):
                metrics |= self.descend("generator", batches, generator_loss, context)
        return metrics

    def descend(
        self, name: str, batches: Sequence[MicroBatch], loss_of: Callable[[MicroBatch], Losses], context: StepContext
    ) -> dict[str, Tensor]:
        """One step of the optimizer ``name`` down the mean of what ``loss_of`` returns for each part, its metrics with it."""
        optimizer = self.optimizers[name]
        optimizer.zero_grad(set_to_none=True)
        sums: dict[str, Tensor] = {}
        for batch in batches:
            loss, metrics = loss_of(batch)
            context.backward(loss / len(batches) if len(batches) > 1 else loss)
            sums = {key: sums[key] + value if sums else value for key, value in metrics.items()}
        optimizer.step()
        return {key: value / len(batches) for key, value in sums.items()} if len(batches) > 1 else sums

    def generate(self, batch: MicroBatch, context: StepContext) -> Tensor:
        """As many generated samples as the part has real ones, in fp32; the same ones whenever it is asked in a step."""
        generator = self.networks["generator"]
        latents = batch.of(context.noise("latents")).draw(len(batch.reals), generator.draw_latents)  # type: ignore[arg-type]
        with context.autocast():
            samples: Tensor = generator(latents, batch.labels).float()
        return samples

    def augment(self, batch: MicroBatch, samples: Tensor, context: StepContext, which: str) -> Tensor:
        """Samples as the discriminator sees them; ``which`` tells the random numbers of one pass from those of another."""
        for name, augmentation in self.augmentations.items():
            noise = batch.of(context.noise(f"augmentation {name} of {which}"))
            try:
                changed = augmentation(samples, noise)
            except GanzooError:
                raise
            except Exception as error:
                raise PluginError(f"the augmentation {name!r} failed: {describe(error)}") from error
            if changed.shape != samples.shape or changed.dtype != samples.dtype:
                found, wanted = (f"{tuple(x.shape)}, {x.dtype}" for x in (changed, samples))
                raise PluginError(f"the augmentation {name!r} returned samples of {found}; it was given {wanted}")
            samples = changed
        return samples

    @property
    def _parts(self) -> tuple[Loss | Penalty | Augmentation, ...]:
        return (self.loss, *self.penalties.values(), *self.augmentations.values())

    def state(self) -> Mapping[str, Any]:
        if not self.augmentations:
            return {}
        return {"augmentations": {name: {"p": a.p, "rest": dict(a.state())} for name, a in self.augmentations.items()}}

    def load_state(self, state: Mapping[str, Any]) -> None:
        rest = dict(state)
        for name, kept in rest.pop("augmentations", {}).items():
            self.augmentations[name].p.copy_(kept["p"])
            self.augmentations[name].load_state(kept["rest"])
        # What a subclass keeps is for it to take up.
        super().load_state(rest)

    def discriminator_loss(
        self, batch: MicroBatch, fakes: Tensor, context: StepContext
    ) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        """What the discriminator minimises on real samples and as many generated ones, penalties included; metrics; and the
        logits of the real ones, detached."""
        with context.autocast():
            real_logits, fake_logits = self.judge(batch.reals, fakes, batch.labels)
        loss = scalar(self.loss.discriminator(real_logits, fake_logits), "the loss", self.loss)
        metrics = {"loss_d": loss.detach(), "real": real_logits.detach().mean(), "fake": fake_logits.detach().mean()}
        metrics["apart"] = (real_logits.detach() > fake_logits.detach()).float().mean()
        discriminator = self.networks["discriminator"]
        for name, penalty in self.penalties.items():
            if context.step % penalty.interval == 0:
                noise = batch.of(context.noise(f"penalty {name}"))
                critique = Critique(discriminator, batch.reals, fakes, real_logits, fake_logits, batch.labels, noise)
                with context.autocast():
                    term = scalar(penalty(critique), f"the penalty {name!r}", penalty)
                loss = loss + penalty.weight * penalty.interval * term
                metrics[name] = term.detach()
        return loss, metrics, real_logits.detach()

    def generator_loss(self, batch: MicroBatch, fakes: Tensor, real_logits: Tensor, context: StepContext) -> Losses:
        """What the generator minimises, through the samples ``fakes`` that it made; and metrics.

        A loss that pairs takes ``real_logits`` as the discriminator has just given them, before it learned from them: another
        forward pass would tell little more.
        """
        with context.autocast():
            fake_logits = self.networks["discriminator"](fakes, batch.labels).float()
        loss = scalar(self.loss.generator(real_logits if self.loss.pairs else None, fake_logits), "the loss", self.loss)
        return loss, {"loss_g": loss.detach()}

    def judge(self, reals: Tensor, fakes: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        """fp32 logits of both, in one pass unless the discriminator's batch statistics would mix them."""
        discriminator = self.networks["discriminator"]
        if self._separately:
            return discriminator(reals, labels).float(), discriminator(fakes, labels).float()
        both = None if labels is None else torch.cat([labels, labels])
        logits = discriminator(torch.cat([reals, fakes]), both).float()
        return logits[: len(reals)], logits[len(reals) :]


@dataclass(frozen=True)
class MicroBatch:
    """Every ``count``-th sample of a batch, from ``index`` on.

    Attributes:
        reals: ``(N, *sample_shape)``.
        labels: int64 ``(N,)``, or None.
    """

    reals: Tensor
    labels: Tensor | None
    index: int = 0
    count: int = 1

    def of(self, noise: Noise) -> Noise:
        """The part of ``noise`` that belongs to these samples."""
        return noise.part(self.index, self.count) if self.count > 1 else noise


def split(reals: Tensor, labels: Tensor | None, count: int) -> list[MicroBatch]:
    """A batch in ``count`` parts. Raises UsageError if they cannot be equally large."""
    if len(reals) % count:
        raise UsageError(f"a step's {len(reals)} samples cannot be cut into accumulate={count} equal parts")
    return [MicroBatch(reals[i::count], None if labels is None else labels[i::count], i, count) for i in range(count)]


def scalar(value: object, what: str, of: object) -> Tensor:
    """``value``, if it is what a loss and a penalty return: a tensor that is one number. Raises PluginError."""
    if isinstance(value, Tensor) and value.ndim == 0:
        return value
    found = f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
    raise PluginError(f"{what} ({type(of).__name__}) returned {found}; it has to be a tensor that is one number")


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
