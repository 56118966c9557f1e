"""Samples by seed: the same one for a seed, whatever else is asked for beside it."""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn

from ganzoo.class_names import class_number
from ganzoo.errors import UsageError


class Seeded(Protocol):
    """What makes samples of latents: a :class:`ganzoo.Generator`, as far as it is asked here."""

    latent_shape: tuple[int, ...]
    sample_shape: tuple[int, ...]
    num_classes: int
    block_size: ClassVar[int]
    training: bool
    _ganzoo_class_names: Sequence[str]

    def __call__(self, z: Tensor, labels: Tensor | None) -> Tensor: ...

    def draw_latents(self, count: int, rng: torch.Generator) -> Tensor: ...

    def truncate_latents(self, z: Tensor, threshold: float) -> Tensor: ...

    def parameters(self) -> Iterator[nn.Parameter]: ...

    def eval(self) -> object: ...

    def train(self, mode: bool) -> object: ...


def sample_by_seed(
    generator: Seeded,
    seeds: Iterable[int] | int | None,
    labels: Iterable[int | str] | int | str | None,
    truncation: float | None,
    latents: Tensor | None,
) -> Tensor:
    """What :meth:`ganzoo.Generator.sample` returns, where it is explained. Raises UsageError."""
    if (seeds is None) == (latents is None):
        raise UsageError("sample() takes either seeds or latents", hint="for example: generator.sample(seeds=range(16))")
    seeds = None if seeds is None else _integers(seeds, "seed")
    count = len(seeds) if seeds is not None else len(latents) if latents is not None else 0
    order = seeds if seeds is not None else range(count)
    classes = _classes(generator, labels, order)
    if latents is not None and tuple(latents.shape[1:]) != generator.latent_shape:
        wanted = ", ".join(map(str, generator.latent_shape))
        raise UsageError(f"latents of shape {tuple(latents.shape)}, expected (N, {wanted})")
    if truncation is not None and not truncation > 0:
        raise UsageError(f"truncation must be positive, got {truncation}", hint="for example: truncation=0.9, or leave it out")
    if truncation is not None:
        # Known before hours of sampling, and for no seeds too.
        generator.truncate_latents(torch.empty(0, *generator.latent_shape), truncation)
    weight = next((t for t in generator.parameters() if t.is_floating_point()), torch.empty(0))
    device = weight.device
    out = torch.empty(count, *generator.sample_shape, device=device)
    was_training = generator.training
    generator.eval()
    try:
        # Not in inference mode: what a network then puts in the place of a buffer could never be written to again.
        with torch.no_grad(), torch.autocast(device.type, enabled=False):
            for block in _blocks(order, generator.block_size):
                rows, which = list(block), list(block.values())
                z = latents[which] if latents is not None else _latents_of(generator, [order[i] for i in which])
                z = generator.truncate_latents(z, truncation) if truncation is not None else z
                z = _fill_block(z, rows, generator.block_size).to(weight)
                c = _fill_block(classes[which], rows, generator.block_size).to(device) if classes is not None else None
                out[which] = generator(z, c)[rows].float()
    finally:
        generator.train(was_training)
    return out


def _latents_of(generator: Seeded, seeds: Sequence[int]) -> Tensor:
    rng = torch.Generator()
    rows = []
    for seed in seeds:
        if not 0 <= seed < 2**63:
            raise UsageError(f"seed {seed} is not in [0, 2^63)")
        rows.append(generator.draw_latents(1, rng.manual_seed(_whole(seed))))
    return torch.cat(rows)


def _classes(generator: Seeded, labels: Iterable[int | str] | int | str | None, seeds: Sequence[int]) -> Tensor | None:
    if not generator.num_classes:
        if labels is not None:
            raise UsageError("this generator is unconditional: it takes no labels")
        return None
    if labels is None:
        chosen = [seed % generator.num_classes for seed in seeds]
    else:
        many: Iterable[Any] = [labels] if is_single(labels) else labels  # type: ignore[assignment]
        numbers = [class_number(v, generator._ganzoo_class_names) if isinstance(v, str) else v for v in many]
        chosen = _integers(numbers, "label")
        chosen = chosen * len(seeds) if is_single(labels) else chosen
    if len(chosen) != len(seeds):
        raise UsageError(f"{len(chosen)} labels for {len(seeds)} samples")
    if wrong := [c for c in chosen if not 0 <= c < generator.num_classes]:
        raise UsageError(f"label {wrong[0]} is not in [0, {generator.num_classes - 1}]")
    return torch.tensor(chosen, dtype=torch.int64)


def _blocks(seeds: Sequence[int], size: int) -> Iterator[dict[int, int]]:
    """Row -> index of its seed, in as many blocks as it takes for every seed to be in the row that is its own."""
    indices: dict[int, list[int]] = {}
    for index, seed in enumerate(seeds):
        # The quotient spreads out every n-th seed, the samples of one of n processes, which would want the same few rows.
        row = (seed + seed // size) % size
        indices.setdefault(row, []).append(index)
    for turn in range(max(map(len, indices.values()), default=0)):
        yield {row: found[turn] for row, found in indices.items() if turn < len(found)}


def _fill_block(values: Tensor, rows: Sequence[int], size: int) -> Tensor:
    block = values[:1].repeat(size, *[1] * (values.ndim - 1))
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
