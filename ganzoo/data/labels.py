"""Labels in any of the forms that people keep them in, as whole numbers from 0 on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganzoo.data.reading import short
from ganzoo.data.store import MAX_CLASSES

Classes = tuple[NDArray[np.int64], tuple[str, ...]]
"""A class for each sample, and the names of the classes if they have any."""


def classes_of(labels: NDArray[Any], count: int) -> Classes | str:
    """The classes that an array of labels gives to ``count`` samples.

    Args:
        labels: ``(count,)`` or ``(count, 1)``: whole numbers of any type, from 0 on, or text, whose sorted values are the
            classes; or ``(count, K)`` with a one in each row, and zeros besides (one-hot).
        count: How many samples there are.

    Returns:
        The classes; or why the labels are none, in words.
    """
    if labels.dtype.kind == "O":
        return "they are Python objects, which are pickled and never read: save them as text, labels.astype(str), or numbers"
    if labels.dtype.kind not in "buifSU":
        return f"labels are {labels.dtype}, neither numbers nor text"
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.shape[:1] != (count,) or labels.ndim > 2:
        return f"labels of shape {labels.shape} for {count:,} samples"
    if labels.ndim == 2:
        return _one_hot(labels)
    if labels.dtype.kind in "SU":
        values, found = np.unique(labels, return_inverse=True)
        if len(values) > MAX_CLASSES:
            return f"labels have {len(values):,} different texts"
        texts = (v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in values.tolist())
        return found.reshape(-1).astype(np.int64), tuple(texts)
    if labels.dtype.kind == "f":
        broken = labels[~np.isfinite(labels) | (labels != np.rint(labels))]
        if len(broken):
            return f"some labels are no whole numbers, the first is {short(str(broken[0]))}"
    low, high = (int(extreme) for extreme in (labels.min(), labels.max()))
    if low < 0:
        return f"{int((labels < 0).sum()):,} of {count:,} labels are negative, as where a sample has none"
    if high >= MAX_CLASSES:
        return f"labels go up to {high:,}, and more than {MAX_CLASSES:,} classes are none"
    return labels.astype(np.int64), ()


def _one_hot(labels: NDArray[Any]) -> Classes | str:
    ones = labels == 1
    if not ((ones | (labels == 0)).all() and (ones.sum(axis=1) == 1).all()):
        return f"labels of shape {labels.shape} that are not one-hot"
    if labels.shape[1] > MAX_CLASSES:
        return f"labels of shape {labels.shape}, more than {MAX_CLASSES:,} classes"
    return ones.argmax(axis=1).astype(np.int64), ()
