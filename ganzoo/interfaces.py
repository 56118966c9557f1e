"""What a plugin may implement: Generator, Discriminator, Loss, Penalty, Augmentation, Trainer.

Shapes below leave the batch axis out; ``N`` is the batch. Pictures are float tensors ``(C, H, W)`` in [-1, 1]; other
samples have any shape and whatever range their data has.

A network's constructor takes its options as keyword arguments with defaults and type annotations (they become
``-o generator.width=64`` and are checked against the annotation), and asks for what it needs to know of the rest by
parameter name:

- ``sample_shape: tuple[int, ...]``, the shape of one sample;
- ``num_classes: int``, how many classes the data's labels have, 0 if it has none;
- ``value_range: tuple[float, float] | None``, the lowest and highest value of a sample, None if it is unbounded;
- ``modality: ganzoo.Modality``, all that is known of what samples are;
- ``latent_shape: tuple[int, ...]`` and ``latents: tuple[Latent, ...]``, the generator's (for any network but the generator);
- ``generator_options: Mapping[str, Any]``, and likewise for any role, the options of that other network.

For a shape or an option that it does not support, it raises :class:`ganzoo.UsageError`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ganzoo.errors import UsageError
from ganzoo.latents import Latent, draw, truncate, truncate_normal_parts
from ganzoo.modalities.base import Modality
from ganzoo.noise import Noise
from ganzoo.pinned import pinned
from ganzoo.seeds import sample_by_seed


class Generator(nn.Module, ABC):
    """Latents to samples.

    A subclass calls ``super().__init__(latent_shape=…, sample_shape=…)`` and writes ``forward``. Where its latents are not
    standard normal, it says ``latents=[Latent("noise", "normal", 62), Latent("digit", "categorical", 10)]`` instead of their
    shape, or overrides ``draw_latents`` if none of these kinds will do.

    Attributes:
        latent_shape: Shape of one latent.
        latents: What the numbers of a latent are, in order; empty if all are standard normal, or ``draw_latents`` knows.
        sample_shape: Shape of one sample.
        num_classes: 0 for an unconditional generator.
        block_size: How many samples :meth:`sample` computes at once. It is fixed, and so is a seed's row in a block,
            because kernels for another batch size or for an unaligned row differ in their last bits, and a seed's sample
            must not.
    """

    block_size: ClassVar[int] = 32
    _ganzoo_class_names: Sequence[str] = ()
    """Of its classes, as the folder that it was loaded from has them."""

    def __init__(
        self,
        *,
        sample_shape: Sequence[int],
        latent_shape: Sequence[int] | None = None,
        latents: Sequence[Latent] = (),
        num_classes: int = 0,
    ) -> None:
        super().__init__()
        if (latent_shape is None) == (not latents):
            raise TypeError(f"{type(self).__name__} says its latent_shape, or what its latents are, and not both")
        if len({latent.name for latent in latents}) < len(latents):
            raise TypeError(f"two latents of {type(self).__name__} have one name: {[latent.name for latent in latents]}")
        self.latents = tuple(latents)
        self.latent_shape = tuple(latent_shape) if latent_shape is not None else (sum(latent.size for latent in latents),)
        self.sample_shape = tuple(sample_shape)
        self.num_classes = num_classes

    @abstractmethod
    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Samples ``(N, *sample_shape)`` of latents ``(N, *latent_shape)`` and, if conditional, int64 labels ``(N,)``."""

    def draw_latents(self, count: int, rng: torch.Generator) -> Tensor:
        """``count`` latents ``(count, *latent_shape)`` on the device of ``rng``, as ``latents`` says, else standard normal."""
        if self.latents:
            return draw(self.latents, count, rng)
        return torch.randn(count, *self.latent_shape, generator=rng, device=rng.device)

    def truncate_latents(self, z: Tensor, threshold: float) -> Tensor:
        """Latents ``z`` ``(N, *latent_shape)`` pulled towards the middle: what is normal in them is cut at ±``threshold``.

        Raises:
            UsageError: Nothing in them is known to be normal.
        """
        if type(self).draw_latents is not Generator.draw_latents or not any(
            latent.kind == "normal" for latent in self.latents or [Latent("z", "normal", 1)]
        ):
            raise UsageError("this generator's latents are not normal, so they cannot be truncated")
        return truncate_normal_parts(self.latents, z, threshold) if self.latents else truncate(z, threshold)

    def sample(
        self,
        seeds: Iterable[int] | int | None = None,
        *,
        labels: Iterable[int | str] | int | str | None = None,
        truncation: float | None = None,
        latents: Tensor | None = None,
    ) -> Tensor:
        """Samples by seed: the same one for a seed, whatever else is in the call and whatever came before it.

        Args:
            seeds: Integers in [0, 2^63); one sample each.
            labels: A class for all, or one per seed, each by its number, or by its name if the generator was loaded from a
                folder that has names; by default ``seed % num_classes``. Only for conditional generators.
            truncation: Pull latents towards the middle: they follow a normal distribution cut at ± this (Brock et al.,
                2019, section 3.1), so smaller is safer and less varied. Only for latents that are normal, or in part.
            latents: Use these ``(N, *latent_shape)`` instead of drawing them from seeds.

        Returns:
            Tensor ``(N, *sample_shape)`` on the generator's device; pictures in [-1, 1].

        Raises:
            UsageError: A seed, label, truncation or latent that the generator cannot take.
        """
        if latents is not None and latents.requires_grad and torch.is_grad_enabled():
            raise UsageError(
                "sample() keeps no gradients, and these latents want some",
                hint="call the generator itself: generator(latents), or generator(latents, labels)",
            )
        with pinned():
            return sample_by_seed(self, seeds, labels, truncation, latents)


class Discriminator(nn.Module, ABC):
    """Samples to logits."""

    @abstractmethod
    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Raw logits, no sigmoid, of samples ``(N, *sample_shape)`` and, if conditional, int64 labels ``(N,)``.

        They are ``(N,)``, or ``(N, K)`` for K judgements of each sample. Before a run they are looked at for that.
        """


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
        p: The same as a float32 tensor without axes on the samples' device. Whoever controls it while a run trains fills it in
            place, so that a CUDA graph that was recorded reads it; it is kept in checkpoints.
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

    def adapt(self, real_logits: Tensor, images: int) -> None:  # noqa: B027 - most have no controller
        """Change ``p`` by what the discriminator has just said of real samples, without waiting for the device.

        Args:
            real_logits: ``(N,)`` or ``(N, K)``, detached.
            images: Real samples shown before.
        """

    def state(self) -> Mapping[str, Any]:
        """What else than ``p`` must be kept for a run to go on as if it had never stopped."""
        return {}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take up again what :meth:`state` returned."""
        if state:
            raise TypeError(f"{type(self).__name__} has kept state and does not take it up again")


class StepContext(ABC):
    """What the loop lends to one training step. It hides devices, precision and processes from the trainer.

    Attributes:
        step: Steps taken before this one.
        images: Real samples shown to the discriminator before this step.
        progress: How much of the budget is spent, in [0, 1].
    """

    step: int
    images: int
    progress: float

    @abstractmethod
    def noise(self, purpose: str) -> Noise:
        """Random numbers on the training device that depend on the run's seed, the step and ``purpose`` alone."""

    @abstractmethod
    def autocast(self) -> AbstractContextManager[Any]:
        """The precision in which networks run. Losses and penalties belong outside it."""

    @abstractmethod
    def backward(self, loss: Tensor) -> None:
        """Accumulate gradients of ``loss``, a mean over this process's samples, in place of ``loss.backward()``."""

    def latents(self, generator: nn.Module, count: int, purpose: str) -> Tensor:
        """``count`` latents for ``generator``, of the stream ``purpose``."""
        return self.noise(purpose).draw(count, generator.draw_latents)  # type: ignore[arg-type]


class Trainer(ABC):
    """The algorithm of one training step; the loop owns everything else.

    A constructor takes ``networks`` (role -> network, on their device already) and, of these, what it makes use of: ``loss``,
    ``penalties`` and ``augmentations`` (name -> penalty or augmentation). It passes ``networks`` to ``super().__init__``,
    fills :attr:`optimizers`, and takes its own options as keyword arguments, as networks do. One that takes ``**options`` and
    hands them on to the class above it has the options of that class too.

    Where several processes train together, each has its share of the batch, and gradients are averaged over them
    whenever an optimizer steps: the same optimizers must step in every process, whatever samples it has.

    Attributes:
        networks: Every network by role; ``generator`` among them.
        optimizers: Every optimizer by a name of the trainer's choice. The loop scales their learning rates.
        accumulate: Into how many equal parts it cuts a batch; before a run it is seen to that this comes out even.
    """

    networks: dict[str, nn.Module]
    optimizers: dict[str, torch.optim.Optimizer]
    accumulate: int = 1

    def __init__(self, networks: Mapping[str, nn.Module]) -> None:
        self.networks = dict(networks)
        self.optimizers = {}

    @abstractmethod
    def step(self, reals: Tensor, labels: Tensor | None, context: StepContext) -> Mapping[str, Tensor]:
        """Train on one batch.

        Args:
            reals: ``(N, *sample_shape)`` on the training device.
            labels: int64 ``(N,)`` if the data has labels, else None.
            context: Random numbers, precision and backward for this step.

        Returns:
            Detached scalars to log, by name. They stay on the device (do not call ``item()``) and are not changed
            afterwards.
        """

    def graph_key(self, step: int) -> Hashable | None:
        """What the step of that number does, where a device can record one step and replay it for others (CUDA graphs).

        Steps with equal keys launch the same work on the device, shape by shape: their samples, random numbers and learning
        rates may differ, and nothing else. They read neither ``context.images`` nor ``context.progress``, read
        ``context.step`` for what the key says alone, and leave the options of the optimizers as they are. None, unless
        overridden: no two steps are known to be alike, and every one is run for itself.
        """
        return None

    def update(self, name: str, loss: Tensor, context: StepContext) -> None:
        """One step of the optimizer ``name`` down ``loss``."""
        optimizer = self.optimizers[name]
        optimizer.zero_grad(set_to_none=True)
        context.backward(loss)
        optimizer.step()

    def state(self) -> Mapping[str, Any]:
        """What else must be kept for a run to go on as if it had never stopped: plain data and tensors, nested as you like.

        Networks and optimizers are kept anyway, and random numbers need not be.
        """
        return {}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take up again what :meth:`state` returned. A trainer that keeps something writes both."""
        if state:
            raise TypeError(f"{type(self).__name__} has kept state and does not take it up again")

    def preview(self, networks: Mapping[str, nn.Module], seeds: Sequence[int], reals: Tensor, labels: Tensor | None) -> Tensor:
        """The samples to draw as training goes, ``(N, *sample_shape)``: those of ``seeds``, unless overridden.

        Args:
            networks: The EMA networks by role, as the model folder will hold them: the generator, and what the variant
                keeps besides.
            seeds: The same at every call.
            reals: As many real samples, the same at every call, for networks that start from samples.
            labels: Their int64 labels, or None.
        """
        samples: Tensor = networks["generator"].sample(seeds)  # type: ignore[operator]
        return samples
