"""Samples beyond memory: shards, read again in every epoch, a window of a few of them in memory at a time."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from ganzoo.data.dataset import Dataset, Feed
from ganzoo.data.order import permutation
from ganzoo.data.reading import Reading
from ganzoo.data.store import sent
from ganzoo.errors import DataError
from ganzoo.modalities.asking import asking
from ganzoo.modalities.base import Modality

WINDOW_BYTES = 1 << 30
"""Samples of so many bytes, or of one shard if that is larger, are mixed with one another. It is a constant, and not what
happens to be free, because the order of samples follows from it."""

Shard: TypeAlias = tuple[str, int]
"""Its name, and how many samples it holds."""

Contents: TypeAlias = tuple[Tensor, Tensor | None]
"""Samples as their modality stores them, and int64 labels ``(N,)`` or None."""


@dataclass(frozen=True, eq=False)
class Stream(Dataset):
    """Samples in shards, too many to be in memory at once.

    In every epoch, the shards are put in an order that depends on (seed, epoch) alone and dealt out to the processes; each
    goes through its own, a window of them at a time, whose samples are mixed. So a process that is stopped comes back to
    the very sample it was at, after reading the shards of one window once more.

    Args:
        name: As a store's.
        shards: What there is.
        read: The contents of a shard by its number; called from a thread beside the training.
        modality: What they are.
        num_classes: Of the labels; 0 if ``read`` returns none.
        class_names: Their names, or empty.
        device: Where batches go.
        reading: As a store's.
        dtype: Of the samples that ``read`` returns. How many shards are in memory at a time goes by it.

    Raises:
        DataError: Fewer than two samples.
    """

    name: str
    shards: tuple[Shard, ...]
    read: Callable[[int], Contents]
    modality: Modality
    num_classes: int = 0
    class_names: tuple[str, ...] = ()
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    reading: Reading = field(default=Reading(), repr=False)
    dtype: torch.dtype = torch.uint8

    def __post_init__(self) -> None:
        if len(self) < 2:
            raise DataError(f"{self.name}: {len(self)} samples; training needs at least two")

    def __len__(self) -> int:
        return sum(count for _, count in self.shards)

    @property
    def window(self) -> int:
        """Shards in memory at a time."""
        size = int(torch.Size(self.sample_shape).numel()) * self.dtype.itemsize
        return max(1, WINDOW_BYTES // (size * max(count for _, count in self.shards)))

    def to(self, device: torch.device | str) -> Stream:
        """The same stream, with batches on ``device``."""
        return replace(self, device=torch.device(device))

    def feed(self, seed: int, first: int = 0, stride: int = 1) -> Feed:
        """The samples in the order of ``seed``, for process ``first`` of ``stride``.

        Raises:
            DataError: There are fewer shards than processes.
        """
        filled = sum(count > 0 for _, count in self.shards)
        if filled < stride:
            raise DataError(f"{self.name}: {filled} shards for {stride} processes; each needs one of its own")
        return _Windows(self, seed, first, stride)

    def describe(self) -> dict[str, Any]:
        """What the stream holds, as plain data; ``sha256`` is of the shards' names and sizes, for nobody reads them all."""
        return {
            "name": self.name,
            "count": len(self),
            "sample_shape": list(self.sample_shape),
            "dtype": str(self.dtype).removeprefix("torch."),
            "num_classes": self.num_classes,
            "class_names": list(self.class_names),
            "skipped": self.reading.skipped,
            "shards": len(self.shards),
            "window": self.window,
            "sha256": hashlib.sha256(repr(self.shards).encode()).hexdigest(),
        }


class _Windows(Feed):
    """One process's way through a stream."""

    def __init__(self, stream: Stream, seed: int, first: int, stride: int) -> None:
        self._stream = stream
        self._seed, self._first, self._stride = seed, first, stride
        self._filled = [number for number, (_, count) in enumerate(stream.shards) if count]
        # Where each window begins, and what is in it, as far as anybody has asked.
        self._plan: list[tuple[int, Sequence[int]]] = []
        self._planned = self._epochs = 0
        self._held: tuple[int, Contents] = (-1, (torch.empty(0), None))
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ganzoo-reader")
        self._coming: dict[int, Future[Contents]] = {}

    def batch(self, start: int, count: int) -> tuple[Tensor, Tensor | None]:
        position, left = start // self._stride, len(range(self._first, count, self._stride))
        samples, labels = [], []
        while left:
            number = self._window_at(position)
            begin, _ = self._plan[number]
            pictures, classes = self._load(number)
            taken = slice(position - begin, position - begin + left)
            samples.append(pictures[taken])
            if classes is not None:
                labels.append(classes[taken])
            position += len(samples[-1])
            left -= len(samples[-1])
        device = self._stream.device
        stored = sent(torch.cat(samples), device)
        with asking(self._stream.modality, "encode"):
            shown = self._stream.modality.encode(stored)
        return shown, sent(torch.cat(labels), device) if labels else None

    def _window_at(self, position: int) -> int:
        while self._planned <= position:
            self._plan_epoch()
        low, high = 0, len(self._plan) - 1
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self._plan[middle][0] <= position else (low, middle - 1)
        return low

    def _plan_epoch(self) -> None:
        mixed = permutation(len(self._filled), self._seed, self._epochs).tolist()
        order = [self._filled[position] for position in mixed[self._first :: self._stride]]
        for begin in range(0, len(order), self._stream.window):
            shards = order[begin : begin + self._stream.window]
            self._plan.append((self._planned, shards))
            self._planned += sum(self._stream.shards[shard][1] for shard in shards)
        self._epochs += 1

    def _load(self, number: int) -> Contents:
        """The pictures of a window, mixed; the next one is read meanwhile."""
        if self._held[0] != number:
            contents = self._coming.pop(number, None) or self._reader.submit(self._read, number)
            self._held = (-1, (torch.empty(0), None))  # room for the next one
            self._held = (number, contents.result())
            self._coming.clear()
            while len(self._plan) <= number + 1:
                self._plan_epoch()
            self._coming[number + 1] = self._reader.submit(self._read, number + 1)
        return self._held[1]

    def _read(self, number: int) -> Contents:
        # In numpy: this thread would otherwise take OpenMP's threads from the one that trains.
        pictures, labels = [], []
        for shard in self._plan[number][1]:
            name, count = self._stream.shards[shard]
            found, classes = self._stream.read(shard)
            if not len(found):
                raise DataError(f"nothing in the shard {name} can be read any more")
            if found.dtype != self._stream.dtype:
                said = f"{found.dtype}, and its samples should be {self._stream.dtype}"
                raise DataError(f"{self._stream.name}: the shard {name} holds {said}")
            if len(found) < count:
                lost = f"{count - len(found)} samples of the shard {name} cannot be read"
                warnings.warn(f"{lost}; others are shown twice", stacklevel=1)
            # What can no longer be read is made up for, so that every position keeps its sample.
            rows = np.arange(count) % len(found)
            pictures.append(found.numpy()[rows])
            if classes is not None:
                labels.append(classes.numpy()[rows])
        mixed = permutation(sum(map(len, pictures)), self._seed, -1 - number * self._stride - self._first).numpy()
        mixed_labels = torch.from_numpy(np.concatenate(labels)[mixed]) if labels else None
        return torch.from_numpy(np.concatenate(pictures)[mixed]), mixed_labels
