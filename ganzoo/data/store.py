"""The store: samples in memory, from which batches are drawn on any device."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from ganzoo.data.dataset import Dataset, Feed
from ganzoo.data.order import Order
from ganzoo.data.reading import Reading
from ganzoo.errors import DataError
from ganzoo.modalities.asking import asking
from ganzoo.modalities.base import Modality
from ganzoo.modalities.inferred import of_stored

MAX_CLASSES = 100_000
"""More than any labelled data set has: labels from a file must not decide how much a network allocates."""

_HASHED_AT_ONCE = 64 * 2**20


@dataclass(frozen=True, eq=False)
class Store(Dataset):
    """Samples in memory, decoded once; a batch costs one gather.

    Args:
        name: A short slug, used in names of run folders: ``fashion-mnist-10k``, ``photos``.
        samples: Pictures: uint8 ``(N, C, H, W)`` with 1 or 3 channels. Arrays: finite float32 ``(N, *sample_shape)``. Else
            what their modality stores.
        labels: Classes, int64 ``(N,)`` in [0, num_classes), or None.
        class_names: Names of the classes in order, or empty.
        reading: What the data was understood to be: sizes, what was left out and why.
        device: Where batches go; by default where the samples are.
        modality: What the samples are; by default pictures if they are bytes, and arrays if not.

    Raises:
        DataError: Fewer than two samples, or tensors that are not as above.
    """

    name: str
    samples: Tensor
    labels: Tensor | None = None
    class_names: tuple[str, ...] = ()
    reading: Reading = field(default=Reading(), repr=False)
    device: torch.device = field(default=None, repr=False)  # type: ignore[assignment]
    modality: Modality = field(default=None, repr=False)  # type: ignore[assignment]

    def __post_init__(self) -> None:
        if self.device is None:
            object.__setattr__(self, "device", self.samples.device)
        shape = tuple(self.samples.shape)
        if not shape or shape[0] < 2:
            raise DataError(f"{self.name}: {shape[0] if shape else 0} samples; training needs at least two")
        if len(shape) < 2 or not self.samples.numel():
            what = "is of single numbers" if self.samples.numel() else "is empty"
            raise DataError(f"{self.name}: an array of shape {shape} {what}, expected samples (N, …), such as ({shape[0]}, 1)")
        modality = of_stored(self.samples) if self.modality is None else self.modality
        if isinstance(modality, str):
            raise DataError(f"{self.name}: {modality}")
        with asking(modality, "check"):
            wrong = modality.check(self.samples)
        if wrong:
            raise DataError(f"{self.name}: {wrong}")
        object.__setattr__(self, "modality", modality)
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
            float32 ``(B, *sample_shape)`` on :attr:`device`, as their modality shows them to networks: pictures as
            x / 127.5 - 1 in [-1, 1], arrays as they are; and int64 labels ``(B,)``, or None.
        """
        # Elsewhere than on CUDA, a copy that is not waited for may read memory that is free again.
        indices = indices.to(self.samples.device, non_blocking=self.samples.is_cuda)
        # Several times faster than samples[indices]; and they are sent as they are stored, pictures as bytes.
        samples = sent(self.samples.index_select(0, indices), self.device)
        labels = None if self.labels is None else sent(self.labels.index_select(0, indices), self.device)
        with asking(self.modality, "encode"):
            return self.modality.encode(samples), labels

    def feed(self, seed: int, first: int = 0, stride: int = 1) -> Feed:
        """The samples in the order of ``seed``, for process ``first`` of ``stride``."""
        return _InOrder(self, Order(len(self), seed), first, stride)

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
            **identity_of(self.modality, of_stored(self.samples)),
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


def identity_of(modality: Modality, inferred: object) -> dict[str, Any]:
    """What tells samples of one modality from those of another, for a data set's description; nothing if all can see it."""
    if modality == inferred:
        return {}
    told = json.dumps(modality.to_json(), sort_keys=True).encode()
    return {"modality": {"name": modality.name, "sha256": hashlib.sha256(told).hexdigest()}}


def slug(text: str) -> str:
    """``text`` as a store's name: lower-case letters and digits joined by ``-``, at most 60 of them."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower())[:60].strip("-") or "data"
