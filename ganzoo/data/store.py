"""The store: samples in memory, from which batches are drawn on any device."""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from ganzoo.data.order import Order
from ganzoo.data.reading import Reading
from ganzoo.errors import DataError

MAX_CLASSES = 100_000
"""More than any labelled data set has: labels from a file must not decide how much a network allocates."""

_HASHED_AT_ONCE = 64 * 2**20


@dataclass(frozen=True, eq=False)
class Store:
    """Samples in memory, decoded once; a batch costs one gather.

    Args:
        name: A short slug, used in names of run folders: ``fashion-mnist-10k``, ``photos``.
        samples: Pictures: uint8 ``(N, C, H, W)`` with 1 or 3 channels. Anything else: finite float32 ``(N, *sample_shape)``.
        labels: Classes, int64 ``(N,)`` in [0, num_classes), or None.
        class_names: Names of the classes in order, or empty.
        reading: What the data was understood to be: sizes, what was left out and why.
        device: Where batches go; by default where the samples are.

    Raises:
        DataError: Fewer than two samples, or tensors that are not as above.
    """

    name: str
    samples: Tensor
    labels: Tensor | None = None
    class_names: tuple[str, ...] = ()
    reading: Reading = field(default=Reading(), repr=False)
    device: torch.device = field(default=None, repr=False)  # type: ignore[assignment]

    def __post_init__(self) -> None:
        if self.device is None:
            object.__setattr__(self, "device", self.samples.device)
        shape, dtype = tuple(self.samples.shape), self.samples.dtype
        if dtype not in (torch.uint8, torch.float32):
            raise DataError(f"{self.name}: samples are {dtype}, expected uint8 pictures or float32")
        if not shape or shape[0] < 2:
            raise DataError(f"{self.name}: {shape[0] if shape else 0} samples; training needs at least two")
        if len(shape) < 2 or not self.samples.numel():
            what = "is of single numbers" if self.samples.numel() else "is empty"
            raise DataError(f"{self.name}: an array of shape {shape} {what}, expected samples (N, …), such as ({shape[0]}, 1)")
        if self.is_pictures and (len(shape) != 4 or shape[1] not in (1, 3)):
            raise DataError(f"{self.name}: pictures of shape {shape}, expected (N, 1 or 3, H, W)")
        # The extremes of a tensor with a NaN are NaN, so this looks at every value without a mask of its size.
        if not self.is_pictures and not all(torch.isfinite(x) for x in self.samples.aminmax()):
            raise DataError(f"{self.name}: some values are not finite (or too large for float32)")
        if self.labels is not None:
            self._check_labels(self.labels)

    def _check_labels(self, labels: Tensor) -> None:
        if labels.dtype != torch.int64 or tuple(labels.shape) != (len(self),):
            raise DataError(f"{self.name}: labels {labels.dtype} {tuple(labels.shape)}, expected int64 ({len(self)},)")
        low, high = (int(x) for x in labels.aminmax())
        if low < 0 or high >= (len(self.class_names) or MAX_CLASSES):
            raise DataError(f"{self.name}: labels from {low} to {high} for {len(self.class_names) or MAX_CLASSES} classes")

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample; pictures ``(C, H, W)``."""
        return tuple(self.samples.shape[1:])

    @property
    def is_pictures(self) -> bool:
        """Whether the samples are uint8 pictures, which :meth:`batch` maps to [-1, 1]."""
        return self.samples.dtype == torch.uint8

    @property
    def value_range(self) -> tuple[float, float] | None:
        """Lowest and highest value of a sample in a batch; None if it is unbounded."""
        return (-1.0, 1.0) if self.is_pictures else None

    @cached_property
    def num_classes(self) -> int:
        """How many classes the labels have, also those without a sample; 0 without labels."""
        if self.labels is None:
            return 0
        return len(self.class_names) or int(self.labels.max()) + 1

    def to(self, device: torch.device | str) -> Store:
        """The same store on ``device``, samples and all. See :func:`ganzoo.data.placing.place` for what may not fit there."""
        labels = None if self.labels is None else self.labels.to(device)
        samples = self.samples.to(device)
        return replace(self, samples=samples, labels=labels, device=samples.device)

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor | None]:
        """Samples by index.

        Args:
            indices: int64 ``(B,)`` in [0, N), on any device.

        Returns:
            float32 ``(B, *sample_shape)`` on :attr:`device`, pictures as x / 127.5 - 1 in [-1, 1] and other samples as they
            are; and int64 labels ``(B,)``, or None.
        """
        # Elsewhere than on CUDA, a copy that is not waited for may read memory that is free again.
        indices = indices.to(self.samples.device, non_blocking=self.samples.is_cuda)
        # Several times faster than samples[indices]; and pictures are sent as bytes.
        samples = sent(self.samples.index_select(0, indices), self.device)
        labels = None if self.labels is None else sent(self.labels.index_select(0, indices), self.device)
        return to_unit(samples) if self.is_pictures else samples, labels

    def feed(self, seed: int, first: int = 0, stride: int = 1) -> Feed:
        """The samples in the order of ``seed``, for process ``first`` of ``stride``."""
        return _InOrder(self, Order(len(self), seed), first, stride)

    def understood(self) -> str:
        """What the data was understood to be, in one line for people."""
        shape = self.sample_shape
        return self.reading.say(self.name, len(self), shape, self.is_pictures, self.num_classes, self.class_names)

    def describe(self) -> dict[str, Any]:
        """What the store holds, as plain data: enough to tell whether two runs trained on the same samples.

        ``sha256`` is of the samples' bytes followed by the labels'; it is computed once (a gigabyte a second or so).
        """
        return {
            "name": self.name,
            "count": len(self),
            "sample_shape": list(self.sample_shape),
            "dtype": str(self.samples.dtype).removeprefix("torch."),
            "num_classes": self.num_classes,
            "class_names": list(self.class_names),
            "skipped": self.reading.skipped,
            "sha256": self._sha256,
        }

    @cached_property
    def _sha256(self) -> str:
        digest = hashlib.sha256()
        for tensor in (self.samples, self.labels) if self.labels is not None else (self.samples,):
            rows = max(1, _HASHED_AT_ONCE // (tensor[0].numel() * tensor.element_size()))
            for start in range(0, len(self), rows):
                digest.update(tensor[start : start + rows].cpu().contiguous().numpy().data)
        return digest.hexdigest()


class Feed(ABC):
    """The batches of a run, in this process: a function of the position, so that a run may go on anywhere."""

    @abstractmethod
    def batch(self, start: int, count: int) -> tuple[Tensor, Tensor | None]:
        """This process's share of the samples at the positions ``start`` to ``start + count`` of the run.

        Returns:
            float32 ``(B, *sample_shape)`` on the data's device, pictures in [-1, 1]; and int64 labels ``(B,)``, or None.
        """


class _InOrder(Feed):
    def __init__(self, store: Store, order: Order, first: int, stride: int) -> None:
        self._store, self._order, self._share = store, order, slice(first, None, stride)

    def batch(self, start: int, count: int) -> tuple[Tensor, Tensor | None]:
        return self._store.batch(self._order.indices(start, count)[self._share])


def sent(batch: Tensor, device: torch.device) -> Tensor:
    """A batch on a device; what goes from the system's memory to a CUDA device does so while Python goes on."""
    if device.type == "cuda" and batch.device.type == "cpu":
        return batch.pin_memory().to(device, non_blocking=True)
    return batch.to(device)


def to_unit(pictures: Tensor) -> Tensor:
    """uint8 pictures as float32 in [-1, 1]: x / 127.5 - 1."""
    return pictures.float().div_(127.5).sub_(1)


def slug(text: str) -> str:
    """``text`` as a store's name: lower-case letters and digits joined by ``-``, at most 60 of them."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower())[:60].strip("-") or "data"
