"""Arrays of numbers as samples: which of them are pictures, what their black and white is, and whether numbers are tame."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganzoo.data import Progress, memory
from ganzoo.data.decoding import Failure, in_threads, square, white_of
from ganzoo.data.reading import words_for_square
from ganzoo.errors import DataError, UsageError

Array = NDArray[Any]
Span = tuple[float, float]

PICTURES_HINT = "if they are pictures, say what is black and what is white, for example '?range=0,1'"

_AT_ONCE = 2**24
"""Values that are looked at or copied at a time."""

_TAME = 20.0
"""A column, or all values where there are none, with a mean or a deviation of more than this is said to be unscaled."""


def rows_of_pixels(samples: Array) -> Array | None:
    """``samples`` as ``(N, H, W, C)`` if their shape is one of pictures.

    Raises:
        DataError: The shape is that of one single picture.
    """
    if samples.ndim == 3:
        if samples.dtype == np.uint8 and samples.shape[2] in (3, 4) and min(samples.shape[:2]) > 4:
            raise DataError(f"an array of shape {samples.shape} is one picture", hint="many are (N, H, W) or (N, H, W, C)")
        return samples[..., None]
    if samples.ndim != 4:
        return None
    found = [rows for rows in (samples, samples.transpose(0, 2, 3, 1)) if rows.shape[-1] in (1, 3, 4)]
    # Where both would do, as with (N, 1, 4, 4), pictures are rather square.
    return next((rows for rows in found if rows.shape[1] == rows.shape[2]), found[0] if found else None)


def guess_span(samples: Array) -> Span | None:
    """The values of black and white, if an array of this shape and with these values can only be of pictures.

    That is: bytes and booleans; uint16, and whole numbers of other types in four dimensions, from 0 on up to 65535; and in
    four dimensions, decimal numbers in [0, 1] or [-1, 1], or whole ones in [0, 255].
    """
    kind = samples.dtype.kind
    if rows_of_pixels(samples) is None:
        return None
    if samples.dtype == np.uint8:
        return 0.0, 255.0
    if kind == "b":
        return 0.0, 1.0
    if samples.ndim == 3 and samples.dtype != np.uint16:
        return None
    low, high = float(samples.min()), float(samples.max())
    if kind in "iu":
        return (0.0, float(white_of(int(high)))) if low >= 0 and high <= 65535 else None
    if low >= -1 and high <= 1:
        return (0.0, 1.0) if low >= 0 else (-1.0, 1.0)
    if low >= 0 and high <= 255 and all(np.array_equal(part, np.rint(part)) for part in parts(samples)):
        return 0.0, 255.0
    return None


def to_bytes(values: Array, span: Span) -> NDArray[np.uint8]:
    """Values from black to white as bytes; what is beyond them is cut. Raises DataError for what is not finite."""
    if values.dtype == np.uint8 and span == (0.0, 255.0):
        return np.asarray(values, dtype=np.uint8)
    low, high = span
    scaled = (values.astype(np.float32) - low) * (255 / (high - low))
    if not np.isfinite(scaled).all():
        raise DataError("some values are not finite")
    found: NDArray[np.uint8] = np.rint(scaled).clip(0, 255).astype(np.uint8)
    return found


def parts(samples: Array) -> Iterator[Array]:
    """``samples``, a bounded number of values at a time."""
    rows = max(1, _AT_ONCE // max(1, math.prod(samples.shape[1:])))
    return (samples[start : start + rows] for start in range(0, len(samples), rows))


def squares(
    path: Path | str, samples: Array, span: Span, resolution: int | None, progress: Progress | None
) -> tuple[NDArray[np.uint8], str, tuple[str, ...]]:
    """Pictures as uint8 ``(N, C, S, S)``, their central square; what was done to them, and notes.

    Raises:
        UsageError: The shape is none of pictures.
        DataError: They do not fit the memory, or have values that are not finite.
    """
    pixels = rows_of_pixels(samples)
    if pixels is None:
        raise UsageError(
            f"{path}: an array of shape {samples.shape} is not of pictures, and has no range",
            hint="pictures are (N, H, W), (N, H, W, 1|3|4) or (N, 1|3|4, H, W)",
        )
    count, height, width, depth = pixels.shape
    own = min(height, width)
    side = resolution or own
    channels = 1 if depth == 1 else 3
    largest = int(min(side - 1, (memory.budget() / (count * channels)) ** 0.5))
    shape = (count, channels, side, side)
    memory.require(math.prod(shape), f"{path} at {side} x {side}", hint=f"try --resolution {max(1, largest)} or less")
    notes = _notes(samples, span, depth)
    made = words_for_square({(width, height): count}, side)
    if depth != 4 and side == own:
        top, left = (height - own) // 2, (width - own) // 2
        middle = pixels[:, top : top + own, left : left + own].transpose(0, 3, 1, 2)
        if middle.dtype == np.uint8 and middle.flags.writeable:
            return np.ascontiguousarray(middle), made, notes
        found = np.empty(shape, dtype=np.uint8)
        start = 0
        for part in parts(middle):
            found[start : start + len(part)] = to_bytes(part, span)
            start += len(part)
        return found, made, notes
    found = np.empty(shape, dtype=np.uint8)

    def fit(index: int) -> None:
        values = to_bytes(pixels[index, :, :, 0] if depth == 1 else pixels[index], span)
        found[index] = square(Image.fromarray(np.ascontiguousarray(values)), side, channels)

    for done, failure in enumerate(in_threads(fit, count), 1):
        if isinstance(failure, Failure):
            raise DataError(f"{path}: picture {done - 1}: {failure.reason}")
        if progress:
            progress(done, count)
    return found, made, notes


def _notes(samples: Array, span: Span, depth: int) -> tuple[str, ...]:
    notes = [] if samples.ndim == 3 else ["channels last" if rows_of_pixels(samples) is samples else "channels first"]
    if samples.dtype != np.uint8 or span != (0.0, 255.0):
        values = f"{samples.dtype} values: {span[0]:g} is black and {span[1]:,g} is white"
        beyond = sum(int(((part < span[0]) | (part > span[1])).sum()) for part in parts(samples))
        notes.append(values + (f", and {beyond:,} values beyond them are cut" if beyond else ""))
    if depth == 4:
        notes.append("the fourth channel is taken for opacity, on white")
    return tuple(notes)


def numbers(path: Path | str, samples: Array, hint: str = PICTURES_HINT) -> tuple[NDArray[np.float32], str, tuple[str, ...]]:
    """Samples as float32, as they stand; what they are, and notes on values that no network is good at.

    ``hint`` says how to have them taken for pictures, where that may be what they are.
    """
    memory.require(4 * samples.size, f"{path} as float32")
    with np.errstate(over="ignore"):  # the store says so in words
        ready = np.require(np.ascontiguousarray(samples, dtype=np.float32), requirements=["W"])
    if not ready.size or ready.ndim < 2:
        return ready, "", ()
    low, high = float(ready.min()), float(ready.max())
    columns = f"of {samples.shape[1]:,} columns" if samples.ndim == 2 else f"of shape {'x'.join(map(str, samples.shape[1:]))}"
    made = f"{columns}, taken as they stand, with values from {low:.6g} to {high:.6g}"
    if not (math.isfinite(low) and math.isfinite(high)):
        return ready, made, ()
    notes = _unscaled(ready)
    if _may_be_pictures(samples):
        notes = (*notes, hint)
    return ready, made, notes


def _may_be_pictures(samples: Array) -> bool:
    pixels = rows_of_pixels(samples)
    return pixels is not None and pixels.shape[1] == pixels.shape[2] > 4


def _unscaled(ready: NDArray[np.float32]) -> tuple[str, ...]:
    """A note on values that are far from those that networks are made for."""
    table = ready if ready.ndim == 2 else ready.reshape(-1, 1)
    means, deviations = _moments(table)
    wild = np.flatnonzero((np.abs(means) > _TAME) | (deviations > _TAME))
    advice = "bring them to a mean near 0 and a deviation near 1, or training may fail"
    if not len(wild):
        return ()
    if ready.ndim != 2:
        return (f"values are not scaled (mean {means[0]:.3g}, deviation {deviations[0]:.3g}): {advice}",)
    worst = int(wild[np.argmax(np.maximum(np.abs(means), deviations)[wild])])
    low, high = float(table[:, worst].min()), float(table[:, worst].max())
    which = f"column {worst} is not scaled and" if len(wild) == 1 else f"{len(wild):,} columns are not scaled, column {worst}"
    return (f"{which} goes from {low:.6g} to {high:.6g}: {advice}",)


def _moments(table: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    mean = table.mean(axis=0, dtype=np.float64)
    squared = sum(((part - mean) ** 2).sum(axis=0) for part in parts(table)) / len(table)
    return mean, np.sqrt(squared)
