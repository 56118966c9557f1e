"""Data that Python code gives: arrays, tensors and stores in this process's memory, and paths."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganzoo.data import Progress
from ganzoo.data.arrays import Labels, store_of
from ganzoo.data.store import Store
from ganzoo.errors import DataError, UsageError
from ganzoo.variant import Json

Samples: TypeAlias = NDArray[Any] | Tensor
Data: TypeAlias = str | Path | Store | Samples | tuple[Samples, Samples | Sequence[int] | Sequence[str] | None]
"""What ``ganzoo.train`` takes as its data: see there."""

_PICTURES_HINT = (
    "if they are pictures, give them as uint8, or in four dimensions, (N, H, W, C) or (N, C, H, W), with values from 0 to 1"
)


@dataclass(frozen=True, eq=False)
class Given:
    """Samples in the memory of this process. Another process cannot read them again, but it can tell whether it has the same.

    Args:
        kind: What it was, in words: ``numpy array``, ``torch tensor``, ``ganzoo.Store``.
        samples: ``(N, …)``, or a store.
        labels: Whatever was given with an array.
    """

    kind: str
    samples: NDArray[Any] | Store
    labels: NDArray[Any] | None = None

    def __str__(self) -> str:
        told = self.describe()
        labels = f" with labels {told['labels']['shape']}" if told["labels"] else ""
        return f"a {self.kind} of shape {tuple(told['shape'])}, {told['dtype']}{labels}"

    @property
    def name(self) -> str:
        """A slug, for the names of folders."""
        return self.samples.name if isinstance(self.samples, Store) else self.kind.rpartition(" ")[2]

    def describe(self) -> dict[str, Json]:
        """What it was, as plain data. The hash of what it was understood to be is the store's."""
        values = self.samples.samples if isinstance(self.samples, Store) else self.samples
        labels = self.samples.labels if isinstance(self.samples, Store) else self.labels
        return {"given": self.kind, **_form(values), "labels": None if labels is None else _form(labels)}

    def open(self, resolution: int | None, progress: Progress | None) -> Store:
        """The samples as a store: as :func:`~ganzoo.data.arrays.open_npz` has those of a file.

        Raises:
            UsageError: Labels that are none; a resolution for a store, or for samples that are not pictures.
            DataError: Values that are not finite; fewer than two samples; more than the memory holds.
        """
        if isinstance(self.samples, Store):
            if resolution is not None and self.samples.sample_shape[1:] != (resolution, resolution):
                shape = "x".join(map(str, self.samples.sample_shape))
                raise UsageError(
                    f"the samples of the store {self.samples.name!r} have the shape {shape}, and no resolution changes it",
                    hint="give the array instead: data=(store.samples, store.labels)",
                )
            return self.samples
        labels = None if self.labels is None else Labels("the labels given", self.labels, asked=True)
        return store_of(
            f"the {self.kind}",
            self.name,
            self.samples,
            labels,
            resolution,
            progress,
            pictures_hint=lambda low, high: _PICTURES_HINT,
            labels_hint="data=x leaves labels out",
        )


def given(data: Data) -> str | Given:
    """Data as ``--data`` names it, or samples that are here.

    Args:
        data: A name or path as text, as it is; a Path, which is a file or folder and no registered name; an array, a tensor
            (on any device), a store; or an array or tensor with labels.

    Raises:
        UsageError: Something else, or an array that holds no numbers.
    """
    if isinstance(data, str):
        return data
    if isinstance(data, os.PathLike):
        path = os.fsdecode(data)
        # With ./ before it, no name is a registered dataset's; what begins with ~ is in a home folder.
        return path if Path(path).is_absolute() or path.startswith("~") else os.path.join(".", path)  # noqa: PTH118
    if isinstance(data, Store):
        return Given("ganzoo.Store", data)
    if isinstance(data, tuple):
        if len(data) != 2 or not isinstance(data[0], (np.ndarray, Tensor)):
            held = ", ".join(type(part).__name__ for part in data[:4])
            raise UsageError(f"data=({held}) is not understood", hint="a pair is (samples, labels): data=(x_train, y_train)")
        samples, labels = data
        return Given(_kind(samples), _samples(samples), None if labels is None else _labels(labels))
    if isinstance(data, (np.ndarray, Tensor)):
        return Given(_kind(data), _samples(data))
    raise UsageError(
        f"data is a {type(data).__name__}, and not a name, a path, an array, a tensor, a ganzoo.Store or (samples, labels)",
        hint="numpy.asarray makes an array of much else",
    )


def _kind(samples: Samples) -> str:
    return "torch tensor" if isinstance(samples, Tensor) else "numpy array"


def _form(values: Samples) -> dict[str, Json]:
    return {"shape": list(values.shape), "dtype": str(values.dtype).removeprefix("torch.")}


def _samples(values: Samples) -> NDArray[Any]:
    found = _array("data", values)
    if found.dtype.kind not in "buif":
        texts = found.dtype.kind in "OSU"
        hint = "x.astype('float32') may make it that" if texts else "give real numbers, such as x.real"
        raise UsageError(f"data is an array of {found.dtype}, expected numbers", hint=hint)
    if not found.size:
        raise DataError(f"data is an array of shape {found.shape}, which holds nothing")
    return found


def _labels(values: Any) -> NDArray[Any]:
    found = _array("the labels", values)
    # As pandas has texts.
    if found.dtype.kind == "O" and all(isinstance(value, str) for value in found.flat):
        return found.astype(str)
    if found.dtype.kind not in "buifSU":
        raise UsageError(
            f"the labels are an array of {found.dtype}, expected whole numbers or texts",
            hint="numpy.asarray(labels, dtype=int) may make them that",
        )
    return found


def _array(what: str, values: Any) -> NDArray[Any]:
    """What is given, not copied if it can be helped."""
    are = "are" if what.endswith("s") else "is"
    if isinstance(values, Tensor):
        if values.is_nested:
            raise UsageError(f"{what} {are} a nested tensor, whose parts differ in shape", hint="make all parts of one shape")
        if values.layout is not torch.strided or values.is_quantized or values.is_meta:
            hint = "to_dense() makes one of a sparse tensor, dequantize() of a quantized one"
            raise UsageError(f"{what} {are} a sparse, quantized or meta tensor, expected a dense one", hint=hint)
        # numpy has none of the short floating-point types but one.
        short = values.is_floating_point() and values.dtype not in (torch.float16, torch.float32, torch.float64)
        try:
            values = values.detach().cpu()
            return np.asarray((values.float() if short else values).resolve_conj().resolve_neg().numpy())
        except (NotImplementedError, RuntimeError, TypeError) as error:
            kind = str(values.dtype).removeprefix("torch.")
            raise UsageError(
                f"{what} {are} a tensor of {kind} that cannot be read", hint="x.float() may make it numbers"
            ) from error
    if isinstance(values, np.ma.MaskedArray):
        raise UsageError(f"{what} {are} a masked array, of which every value is needed", hint="filled(0) of it has them all")
    try:
        return np.asarray(values)
    except (RuntimeError, TypeError, ValueError) as error:
        raise UsageError(f"{what} cannot be made an array: {error}", hint="all parts must be of one length") from error
