"""Arrays of numbers as samples: which of them are pictures, what their black and white is, and whether numbers are tame."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganzoo.data import Progress, memory
from ganzoo.data.decoding import Failure, in_threads, square, white_of
from ganzoo.data.reading import words_for_square, words_if_dark
from ganzoo.errors import DataError, UsageError

Array = NDArray[Any]
Span = tuple[float, float]

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
    """Finite values from black to white as bytes; what is beyond them is cut."""
    if values.dtype == np.uint8 and span == (0.0, 255.0):
        return np.asarray(values, dtype=np.uint8)
    low, high = span
    scaled = (values.astype(np.float32) - low) * (255 / (high - low))
    found: NDArray[np.uint8] = np.rint(scaled).clip(0, 255).astype(np.uint8)
    return found


def parts(samples: Array) -> Iterator[Array]:
    """``samples``, a bounded number of values at a time."""
    rows = max(1, _AT_ONCE // max(1, math.prod(samples.shape[1:])))
    return (samples[start : start + rows] for start in range(0, len(samples), rows))


def require_finite(path: Path | str, samples: Array) -> None:
    """Raise DataError, which says how many samples have values that are NaN or infinite, if some have."""
    broken = [~np.isfinite(part).reshape(len(part), -1).all(axis=1) for part in parts(samples)]
    if some := sum(int(one.sum()) for one in broken):
        first = int(np.concatenate(broken).argmax())
        said = f"{some:,} of {len(samples):,} samples have" if some > 1 else f"1 of {len(samples):,} samples has"
        raise DataError(
            f"{path}: {said} values that are NaN or infinite, the first is sample {first}, counted from 0",
            hint="leave these samples out of the array, or replace the values, for example by numpy.nan_to_num",
        )


def advice_on_range(low: float, high: float) -> str:
    """What makes pictures of numbers from ``low`` to ``high``, with the black and white that they most likely have."""
    if low >= 0:
        span = (0.0, 1.0) if high <= 1 else (0.0, float(white_of(math.ceil(high)))) if high <= 65535 else (0.0, high)
    else:
        span = (-1.0, 1.0) if low >= -1 and high <= 1 else (low, high)
    return (
        "if they are pictures, say which values are black and white after the name of the file, "
        f"for example '?range={span[0]:.4g},{span[1]:.5g}'"
    )


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
            f"{path}: an array of shape {samples.shape} is not of pictures, and takes no range",
            hint="pictures are (N, H, W), (N, H, W, 1|3|4) or (N, 1|3|4, H, W)",
        )
    count, height, width, depth = pixels.shape
    own = min(height, width)
    side = resolution or own
    channels = 1 if depth == 1 else 3
    largest = int(min(side - 1, (memory.budget() / (count * channels)) ** 0.5))
    shape = (count, channels, side, side)
    memory.require(math.prod(shape), f"{path} at {side} x {side}", hint=f"try --resolution {max(1, largest)} or less")
    if samples.dtype.kind == "f":
        require_finite(path, samples)
    notes = _notes(samples, span, depth)
    made = words_for_square({(width, height): count}, side)
    found = _cut(pixels, span, own) if depth != 4 and side == own else _fit(path, pixels, span, side, progress)
    highest = int(found.max())
    white = f"; '?range={span[0]:g},{span[0] + highest * (span[1] - span[0]) / 255:.4g}' makes that white" if highest else ""
    return found, made, (*notes, *words_if_dark(highest, white))


def _cut(pixels: Array, span: Span, side: int) -> NDArray[np.uint8]:
    """The central squares of pictures ``(N, H, W, C)`` whose shorter side is ``side``, as bytes ``(N, C, S, S)``."""
    _, height, width, _ = pixels.shape
    top, left = (height - side) // 2, (width - side) // 2
    middle = pixels[:, top : top + side, left : left + side].transpose(0, 3, 1, 2)
    if middle.dtype == np.uint8 and span == (0.0, 255.0) and middle.flags.writeable:
        return np.ascontiguousarray(middle)
    found = np.empty(middle.shape, dtype=np.uint8)
    start = 0
    for part in parts(middle):
        found[start : start + len(part)] = to_bytes(part, span)
        start += len(part)
    return found


def _fit(path: Path | str, pixels: Array, span: Span, side: int, progress: Progress | None) -> NDArray[np.uint8]:
    """The central squares of pictures ``(N, H, W, C)``, scaled, on white where they are transparent."""
    count, _, _, depth = pixels.shape
    found = np.empty((count, 1 if depth == 1 else 3, side, side), dtype=np.uint8)

    def fit(index: int) -> None:
        values = to_bytes(pixels[index, :, :, 0] if depth == 1 else pixels[index], span)
        found[index] = square(Image.fromarray(np.ascontiguousarray(values)), side, found.shape[1])

    for done, failure in enumerate(in_threads(fit, count), 1):
        if isinstance(failure, Failure):
            raise DataError(f"{path}: picture {done - 1}: {failure.reason}")
        if progress:
            progress(done, count)
    return found


def _notes(samples: Array, span: Span, depth: int) -> tuple[str, ...]:
    notes = [] if samples.ndim == 3 else ["channels last" if rows_of_pixels(samples) is samples else "channels first"]
    if samples.dtype != np.uint8 or span != (0.0, 255.0):
        values = f"{samples.dtype} values: {span[0]:g} is black and {span[1]:,g} is white"
        beyond = sum(int(((part < span[0]) | (part > span[1])).sum()) for part in parts(samples))
        notes.append(values + (f", and {beyond:,} of {samples.size:,} values beyond them are cut" if beyond else ""))
    if depth == 4:
        notes.append("the fourth channel is taken for opacity, on white")
    return tuple(notes)


def numbers(
    path: Path | str, samples: Array, hint: Callable[[float, float], str] = advice_on_range
) -> tuple[NDArray[np.float32], str, tuple[str, ...]]:
    """Samples as float32, as they stand; what they are, and notes on values that no network is good at.

    ``hint`` says how to have them taken for pictures, where that may be what they are.

    Raises:
        DataError: They do not fit the memory, or have values that are not finite.
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
        require_finite(path, samples)
        return ready, made, ()
    return ready, made, (*_unscaled(ready), *_maybe_pictures(samples, low, high, hint))


def _maybe_pictures(samples: Array, low: float, high: float, hint: Callable[[float, float], str]) -> tuple[str, ...]:
    """A note on how numbers become pictures, where their shape is one that pictures have."""
    if samples.ndim == 2:
        columns = samples.shape[1]
        side = next((math.isqrt(n) for n in (columns, columns // 3) if n >= 64 and math.isqrt(n) ** 2 == n), 0)
        if not side or columns not in (side**2, 3 * side**2) or low < 0 or high > 255:
            return ()
        shape = f"(N, {side}, {side})" if columns == side**2 else f"(N, 3, {side}, {side}) or (N, {side}, {side}, 3)"
        return (f"if each row is a picture, save the array in the shape {shape}",)
    if samples.ndim == 3 and samples.shape[2] in (3, 4) and min(samples.shape[:2]) > 4:
        return ("an array of this shape may be one picture, and training needs many: (N, H, W, C)",)
    pixels = rows_of_pixels(samples)
    if pixels is None or min(pixels.shape[1:3]) <= 4:
        return ()
    is_likely = pixels.shape[1] == pixels.shape[2] or pixels.shape[3] > 1
    return (hint(low, high),) if is_likely else ()


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
