"""Arrays in files as stores: IDX (MNIST's own format), NPY and NPZ.

Headers come from anywhere: what they claim is compared with the size of the file, and with the free memory, before
anything is allocated. Nothing is unpickled.
"""

from __future__ import annotations

import gzip
import math
import re
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ganzoo.data import Progress, memory
from ganzoo.data.decoding import Failure, in_threads, square
from ganzoo.data.store import Store, slug
from ganzoo.errors import DataError, GanzooError, UsageError

Array = NDArray[Any]

SAMPLE_KEYS = ("arr_0", "images", "samples", "x")
LABEL_KEYS = ("labels", "y", "arr_1")

_IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MAX_DEFLATE_RATIO = 1032
"""How much shorter than its content a deflate stream can be (zlib's technical notes)."""


def open_idx(path: Path, *, resolution: int | None = None, progress: Progress | None = None) -> Store:
    """The samples of an IDX file, gzipped or not, with the labels of the file beside it.

    The labels of ``…-images-idx3-ubyte`` are in ``…-labels-idx1-ubyte`` or ``….gz``, if there is one.

    Args:
        path: The file.
        resolution: Side of the square pictures; None: their own shorter side. Only for pictures.
        progress: Told how far resizing is.

    Returns:
        uint8 pictures of a uint8 array ``(N, H, W)``, ``(N, H, W, 1|3|4)`` or ``(N, 1|3, H, W)``, cut to their central
        square and, with 4 channels, put on white; float32 samples of any other numbers.

    Raises:
        DataError: A damaged file, labels that do not fit, or more than the memory holds.
        UsageError: A resolution for samples that are not pictures.
    """
    samples = _read_idx(path)
    beside = re.sub(r"images([-.])idx3", r"labels\1idx1", path.name).removesuffix(".gz")
    candidates = [] if beside == path.name.removesuffix(".gz") else [path.with_name(beside), path.with_name(beside + ".gz")]
    labels = next((_read_idx(found) for found in candidates if found.is_file()), None)
    return _store(path, path.name.removesuffix(".gz"), samples, labels, resolution, progress)


def open_npy(path: Path, *, resolution: int | None = None, progress: Progress | None = None) -> Store:
    """The samples of an NPY file; arguments, result and errors are those of :func:`open_idx`."""
    with _reading(path), path.open("rb") as stream:
        samples = _read_npy(stream, path.stat().st_size)
    return _store(path, path.stem, samples, None, resolution, progress)


def open_npz(path: Path, *, resolution: int | None = None, progress: Progress | None = None) -> Store:
    """The samples of an NPZ file: ``arr_0``, ``images``, ``samples``, ``x`` or the only array.

    Labels: ``labels``, ``y`` or ``arr_1``. Otherwise as :func:`open_idx`.
    """
    with _reading(path), zipfile.ZipFile(path) as archive:
        members = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist()}

        def read(key: str) -> Array:
            entry = members[key]
            if entry.file_size > _MAX_DEFLATE_RATIO * (entry.compress_size + 1):
                raise ValueError(f"{key} claims {entry.file_size:,} bytes in {entry.compress_size:,}")
            with archive.open(entry) as stream:
                return _read_npy(stream, entry.file_size)

        key = next((k for k in SAMPLE_KEYS if k in members), next(iter(members)) if len(members) == 1 else None)
        if key is None:
            has = ", ".join(sorted(members)[:8]) or "nothing"
            raise DataError(f"{path} has {has}", hint=f"name the array with the samples {' or '.join(SAMPLE_KEYS)}")
        labels = next((read(k) for k in LABEL_KEYS if k in members and k != key), None)
        samples = read(key)
    return _store(path, path.stem, samples, labels, resolution, progress)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except GanzooError:
        raise
    except Exception as error:  # zip, gzip and NPY headers have no one error for damage
        raise DataError(f"cannot read {path}: {error or type(error).__name__}") from error


def _read_idx(path: Path) -> Array:
    with _reading(path), _unzipped(path) as stream:
        zero, code, dims = struct.unpack(">HBB", _exactly(stream, 4))
        if zero or code not in _IDX_TYPES or not dims:
            raise ValueError("not an IDX file")
        shape = struct.unpack(f">{dims}I", _exactly(stream, 4 * dims))
        size = path.stat().st_size * (_MAX_DEFLATE_RATIO if _is_gzip(path) else 1)
        array = _fill(stream, shape, np.dtype(_IDX_TYPES[code]), size)
        if stream.read(1):
            raise ValueError("it is longer than its header says")
        return array


def _is_gzip(path: Path) -> bool:
    return path.suffix.lower() == ".gz"


def _unzipped(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path)) if _is_gzip(path) else path.open("rb")


def _read_npy(stream: IO[bytes], size: int) -> Array:
    version = np.lib.format.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"NPY version {version}, expected 1.0 or 2.0")
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, column_major, dtype = header(stream)
    if dtype.kind not in "buif":
        raise ValueError(f"an array of {dtype}, expected numbers")
    array = _fill(stream, shape[::-1] if column_major else shape, dtype, size)
    return array.T if column_major else array


def _fill(stream: IO[bytes], shape: tuple[int, ...], dtype: np.dtype[Any], size: int) -> Array:
    """The array of that shape at the head of ``stream``, which holds ``size`` bytes at the most."""
    claimed = math.prod(shape) * dtype.itemsize
    if claimed > size or 0 in shape or min(shape, default=0) < 0:
        raise ValueError(f"its header claims an array of shape {shape}, which the file does not hold")
    memory.require(claimed, f"an array of shape {shape}")
    array = np.empty(math.prod(shape), dtype)
    rest = array.view(np.uint8).data
    while rest:
        got = stream.readinto(rest[: 1 << 24])  # type: ignore[attr-defined]
        if not got:
            raise ValueError("it ends early")
        rest = rest[got:]
    return array.reshape(shape)


def _exactly(stream: IO[bytes], count: int) -> bytes:
    content = stream.read(count)
    if len(content) < count:
        raise ValueError("it ends early")
    return content


def _store(
    path: Path, name: str, samples: Array, labels: Array | None, resolution: int | None, progress: Progress | None
) -> Store:
    if samples.dtype == np.uint8 and (pictures := _rows_of_pixels(samples)) is not None:
        ready = _squares(path, pictures, resolution, progress)
    elif resolution is not None:
        raise UsageError(f"{path}: {samples.dtype} {samples.shape} are no pictures and have no resolution")
    else:
        memory.require(4 * samples.size, f"{path} as float32")
        with np.errstate(over="ignore"):  # the store says so in words
            ready = np.ascontiguousarray(samples, dtype=np.float32)
    return Store(slug(name), torch.from_numpy(ready), _labels(path, labels, len(ready)))


def _rows_of_pixels(samples: Array) -> Array | None:
    """``samples`` as ``(N, H, W, C)`` if their shape is one of pictures."""
    if samples.ndim == 3:
        return samples[..., None]
    if samples.ndim == 4 and samples.shape[-1] in (1, 3, 4):
        return samples
    if samples.ndim == 4 and samples.shape[1] in (1, 3):
        return samples.transpose(0, 2, 3, 1)
    return None


def _squares(path: Path, pixels: Array, resolution: int | None, progress: Progress | None) -> Array:
    count, height, width, depth = pixels.shape
    side = min(height, width)
    channels = 1 if depth == 1 else 3
    shape = (count, channels, resolution or side, resolution or side)
    memory.require(math.prod(shape), f"{path} at {shape[2]} x {shape[3]}", hint="try a smaller --resolution")
    if depth != 4 and shape[2] == side:
        top, left = (height - side) // 2, (width - side) // 2
        return np.ascontiguousarray(pixels[:, top : top + side, left : left + side].transpose(0, 3, 1, 2))
    squares = np.empty(shape, dtype=np.uint8)

    def fit(index: int) -> None:
        picture = Image.fromarray(np.ascontiguousarray(pixels[index, :, :, 0] if depth == 1 else pixels[index]))
        squares[index] = square(picture, shape[2], channels)

    for done, failure in enumerate(in_threads(fit, count), 1):
        if isinstance(failure, Failure):
            raise DataError(f"{path}: picture {done - 1}: {failure.reason}")
        if progress:
            progress(done, count)
    return squares


def _labels(path: Path, labels: Array | None, count: int) -> Tensor | None:
    if labels is None:
        return None
    if labels.dtype.kind not in "iu" or labels.shape not in ((count,), (count, 1)):
        raise DataError(f"{path}: labels {labels.dtype} {labels.shape}, expected whole numbers ({count},)")
    return torch.from_numpy(labels.reshape(count).astype(np.int64))
