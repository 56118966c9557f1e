"""What a plugin may implement: Generator, Discriminator, Loss, Penalty, Trainer.

Shapes below leave the batch axis out; ``N`` is the batch. Pictures are float tensors ``(C, H, W)`` in [-1, 1]; other
samples have any shape and whatever range their data has.

A network's constructor takes its options as keyword arguments with defaults and type annotations (they become
``-o generator.width=64`` and are checked against the annotation), and asks for what it needs to know of the rest by
parameter name:

- ``sample_shape: tuple[int, ...]``, the shape of one sample;
- ``num_classes: int``, how many classes the data's labels have, 0 if it has none;
- ``value_range: tuple[float, float] | None``, the lowest and highest value of a sample, None if it is unbounded;
- ``latent_shape: tuple[int, ...]``, the generator's latent shape (for any network but the generator).

For a shape or an option that it does not support, it raises :class:`ganzoo.UsageError`.
"""

from __future__ import annotations

import hashlib
import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ganzoo.class_names import class_number
from ganzoo.errors import UsageError
from ganzoo.pinned import pinned


class Generator(nn.Module, ABC):
    """Latents to samples.

    A subclass calls ``super().__init__(latent_shape=…, sample_shape=…)`` and writes ``forward``; where its latents are
    not standard normal, it overrides ``draw_latents``.

    Attributes:
        latent_shape: Shape of one latent.
        sample_shape: Shape of one sample.
        num_classes: 0 for an unconditional generator.
        block_size: How many samples :meth:`sample` computes at once. It is fixed, and so is a seed's row in a block,
            because kernels for another batch size or for an unaligned row differ in their last bits, and a seed's sample
            must not.
    """

    block_size: ClassVar[int] = 32
    _ganzoo_class_names: Sequence[str] = ()
    """Of its classes, as the folder that it was loaded from has them."""

    def __init__(self, *, latent_shape: Sequence[int], sample_shape: Sequence[int], num_classes: int = 0) -> None:
        super().__init__()
        self.latent_shape = tuple(latent_shape)
        self.sample_shape = tuple(sample_shape)
        self.num_classes = num_classes

    @abstractmethod
    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Samples ``(N, *sample_shape)`` of latents ``(N, *latent_shape)`` and, if conditional, int64 labels ``(N,)``."""

    def draw_latents(self, count: int, rng: torch.Generator) -> Tensor:
        """``count`` latents ``(count, *latent_shape)`` on the device of ``rng``; standard normal unless overridden."""
        return torch.randn(count, *self.latent_shape, generator=rng, device=rng.device)

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
                2019, section 3.1), so smaller is safer and less varied. Only for standard normal latents.
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
            return self._sample(seeds, labels, truncation, latents)

    def _sample(
        self,
        seeds: Iterable[int] | int | None,
        labels: Iterable[int | str] | int | str | None,
        truncation: float | None,
        latents: Tensor | None,
    ) -> Tensor:
        if (seeds is None) == (latents is None):
            raise UsageError("sample() takes either seeds or latents", hint="for example: generator.sample(seeds=range(16))")
        seeds = None if seeds is None else _integers(seeds, "seed")
        count = len(seeds) if seeds is not None else len(latents) if latents is not None else 0
        classes = self._classes(labels, seeds if seeds is not None else range(count))
        if latents is not None and tuple(latents.shape[1:]) != self.latent_shape:
            raise UsageError(
                f"latents of shape {tuple(latents.shape)}, expected (N, {', '.join(map(str, self.latent_shape))})"
            )
        if truncation is not None and not truncation > 0:
            raise UsageError(f"truncation must be positive, got {truncation}")
        if truncation is not None and type(self).draw_latents is not Generator.draw_latents:
            raise UsageError("this generator's latents are not normal, so they cannot be truncated")
        weight = next((t for t in self.parameters() if t.is_floating_point()), torch.empty(0))
        device = weight.device
        out = torch.empty(count, *self.sample_shape, device=device)
        was_training = self.training
        self.eval()
        try:
            # Not in inference mode: what a network then puts in the place of a buffer could never be written to again.
            with torch.no_grad(), torch.autocast(device.type, enabled=False):
                for block in self._blocks(seeds if seeds is not None else range(count)):
                    rows, which = list(block), list(block.values())
                    z = latents[which] if latents is not None else self._latents_of([seeds[i] for i in which])  # type: ignore[index]
                    z = truncate(z, truncation) if truncation is not None else z
                    z = self._fill_block(z, rows).to(weight)
                    c = self._fill_block(classes[which], rows).to(device) if classes is not None else None
                    out[which] = self(z, c)[rows].float()
        finally:
            self.train(was_training)
        return out

    def _latents_of(self, seeds: Sequence[int]) -> Tensor:
        rng = torch.Generator()
        rows = []
        for seed in seeds:
            if not 0 <= seed < 2**63:
                raise UsageError(f"seed {seed} is not in [0, 2^63)")
            rows.append(self.draw_latents(1, rng.manual_seed(_whole(seed))))
        return torch.cat(rows)

    def _classes(self, labels: Iterable[int | str] | int | str | None, seeds: Sequence[int]) -> Tensor | None:
        if not self.num_classes:
            if labels is not None:
                raise UsageError("this generator is unconditional: it takes no labels")
            return None
        if labels is None:
            chosen = [seed % self.num_classes for seed in seeds]
        else:
            many: Iterable[Any] = [labels] if is_single(labels) else labels  # type: ignore[assignment]
            numbers = [class_number(v, self._ganzoo_class_names) if isinstance(v, str) else v for v in many]
            chosen = _integers(numbers, "label")
            chosen = chosen * len(seeds) if is_single(labels) else chosen
        if len(chosen) != len(seeds):
            raise UsageError(f"{len(chosen)} labels for {len(seeds)} samples")
        if wrong := [c for c in chosen if not 0 <= c < self.num_classes]:
            raise UsageError(f"label {wrong[0]} is not in [0, {self.num_classes - 1}]")
        return torch.tensor(chosen, dtype=torch.int64)

    def _blocks(self, seeds: Sequence[int]) -> Iterator[dict[int, int]]:
        """Row -> index of its seed, in as many blocks as it takes for every seed to be in the row that is its own."""
        indices: dict[int, list[int]] = {}
        for index, seed in enumerate(seeds):
            # The quotient spreads out every n-th seed, the share of one of n processes, which would want the same few rows.
            row = (seed + seed // self.block_size) % self.block_size
            indices.setdefault(row, []).append(index)
        for turn in range(max(map(len, indices.values()), default=0)):
            yield {row: found[turn] for row, found in indices.items() if turn < len(found)}

    def _fill_block(self, values: Tensor, rows: Sequence[int]) -> Tensor:
        block = values[:1].repeat(self.block_size, *[1] * (values.ndim - 1))
        block[rows] = values
        return block


def _integers(values: Iterable[int] | int, what: str) -> list[int]:
    """One or many integers of any integer type, as a list. Raises UsageError."""
    many: Iterable[Any] = [values] if is_single(values) else values  # type: ignore[assignment]
    try:
        return [operator.index(v) for v in many]
    except TypeError as error:
        raise UsageError(f"a {what} is a whole number: {error}") from None


def is_single(values: object) -> bool:
    """Whether it is one number or name and not many: an int, NumPy's, a text, or an array or tensor without axes."""
    return isinstance(values, str) or not isinstance(values, Iterable) or getattr(values, "ndim", 1) == 0


def _whole(seed: int) -> int:
    """What a generator on the CPU, which takes the low 32 bits of its seed, is to be seeded with, so that all bits count.

    Seeds below 2^32 stay as they are, and so do their samples.
    """
    return seed if seed < 2**32 else int.from_bytes(hashlib.blake2b(seed.to_bytes(8), digest_size=4).digest())


def truncate(z: Tensor, threshold: float) -> Tensor:
    """Standard normal ``z`` mapped, monotonically and value by value, onto a normal distribution cut at ±threshold."""
    low = torch.special.ndtr(torch.tensor(-threshold, dtype=torch.float64))
    share = low + (1 - 2 * low) * torch.special.ndtr(z.double())
    cut: Tensor = torch.special.ndtri(share).clamp(-threshold, threshold).to(z.dtype)
    return cut


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


class Noise:
    """Random numbers of one purpose in one step, a row for each sample of a batch.

    Rows belong to the samples of the whole batch, however it is shared out: whoever holds the samples ``start``,
    ``start + stride``, … of it gets their rows. So one process or many, in one go or in parts, see the same numbers.

    Args:
        seed: What they follow from.
        device: Where they are drawn.
        start, stride: Which samples of the whole batch are at hand.

    Attributes:
        rng: The source itself, for what is one number for the whole batch.
    """

    def __init__(self, seed: int, device: torch.device | str = "cpu", start: int = 0, stride: int = 1) -> None:
        self.rng = torch.Generator(device).manual_seed(seed)
        self._of = (seed, start, stride)

    def part(self, index: int, count: int) -> Noise:
        """That of every ``count``-th of the samples at hand, from ``index`` on; drawn from the beginning again."""
        seed, start, stride = self._of
        return Noise(seed, self.rng.device, start + index * stride, stride * count)

    def draw(self, count: int, sampler: Callable[[int, torch.Generator], Tensor]) -> Tensor:
        """``count`` rows of what ``sampler(rows, rng)`` returns, rows first, which must not depend on anything else."""
        _, start, stride = self._of
        return sampler(count * stride, self.rng)[start::stride]

    def normal(self, count: int, *shape: int) -> Tensor:
        """``(count, *shape)``, standard normal."""
        return self.draw(count, lambda rows, rng: torch.randn(rows, *shape, generator=rng, device=rng.device))

    def uniform(self, count: int, *shape: int) -> Tensor:
        """``(count, *shape)``, uniform in [0, 1)."""
        return self.draw(count, lambda rows, rng: torch.rand(rows, *shape, generator=rng, device=rng.device))


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

    A constructor takes ``networks`` (role -> network, on their device already), ``loss`` and ``penalties``
    (name -> penalty), passes ``networks`` to ``super().__init__``, fills :attr:`optimizers`, and takes its own options
    as keyword arguments, as networks do.

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
