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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import torch
from torch import Tensor

from ganzoo.data import Progress, memory
from ganzoo.data.labels import classes_of
from ganzoo.data.reading import SHOWN_NAMES, LeftOut, Reading, alike_but_for_case
from ganzoo.data.spec import Options, parse_range, require_known
from ganzoo.data.store import MAX_CLASSES, Store, slug
from ganzoo.data.values import Array, advice_on_range, guess_span, numbers, parts, rows_of_pixels, squares
from ganzoo.errors import DataError, GanzooError, UsageError

SAMPLE_KEYS = ("arr_0", "images", "samples", "x", "data", "train_images", "x_train", "train_x")
LABEL_KEYS = ("labels", "y", "arr_1", "label", "targets", "target")
NAMES_KEY = "class_names"
"""Of the classes, by number, as ``ganzoo sample`` writes them beside labels."""

NO_OPTIONS: Options = {}

_IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MAX_DEFLATE_RATIO = 1032
"""How much shorter than its content a deflate stream can be (zlib's technical notes)."""


def open_idx(
    path: Path, *, resolution: int | None = None, progress: Progress | None = None, options: Options = NO_OPTIONS
) -> Store:
    """The samples of an IDX file, gzipped or not, with the labels of the file beside it.

    The labels of ``…-images-idx3-ubyte`` are in ``…-labels-idx1-ubyte`` or ``….gz``, if there is one.

    Args:
        path: The file.
        resolution: Side of the square pictures; None: their own shorter side. Only for pictures.
        progress: Told how far resizing is.
        options: ``range=LOW,HIGH`` makes numbers pictures whose black and white have these values; ``labels=none`` leaves
            the labels out.

    Returns:
        uint8 pictures, the central square of each, on white where they have a fourth channel, where the shape is that of
        pictures, ``(N, H, W)``, ``(N, H, W, 1|3|4)`` or ``(N, 1|3|4, H, W)``, and the values can only be those of pictures
        (see :func:`~ganzoo.data.values.guess_span`); float32 samples of any other numbers. Labels that are none are left
        out, and ``reading`` says so.

    Raises:
        DataError: A damaged file, or more than the memory holds.
        UsageError: An option that there is not; a resolution for samples that are not pictures.
    """
    require_known(options, ("labels", "range"), "an IDX file")
    if options.get("labels", "none") != "none":
        raise UsageError(f"labels={options['labels']}: for an IDX file it is none, and else the labels beside it are taken")
    samples = _read_idx(path)
    beside = re.sub(r"images([-.])idx3", r"labels\1idx1", path.name).removesuffix(".gz")
    candidates = [] if beside == path.name.removesuffix(".gz") else [path.with_name(beside), path.with_name(beside + ".gz")]
    found = None if "labels" in options else next((found for found in candidates if found.is_file()), None)
    labels = Labels(found.name, _read_idx(found)) if found else None
    return store_of(path, path.name.removesuffix(".gz"), samples, labels, resolution, progress, options)


def open_npy(
    path: Path, *, resolution: int | None = None, progress: Progress | None = None, options: Options = NO_OPTIONS
) -> Store:
    """The samples of an NPY file, of which no more is in memory than what they become.

    Options: ``range``. Otherwise as :func:`open_idx`.
    """
    require_known(options, ("range",), "an NPY file")
    with _reading(path), path.open("rb") as stream:
        samples = _map_npy(path, stream)
    return store_of(path, path.stem, samples, None, resolution, progress, options)


def open_npz(
    path: Path, *, resolution: int | None = None, progress: Progress | None = None, options: Options = NO_OPTIONS
) -> Store:
    """The samples of an NPZ file: the first of SAMPLE_KEYS that it has, or the only array; labels: of LABEL_KEYS.

    Beside labels that are numbers, an array of texts called NAMES_KEY has the names of the classes.

    Options: ``images=KEY`` and ``labels=KEY`` name the arrays, ``labels=none`` leaves them out; ``range``. Otherwise as
    :func:`open_idx`, except that labels that were named and are none raise UsageError.
    """
    require_known(options, ("images", "labels", "range"), "an NPZ file")
    with _reading(path), zipfile.ZipFile(path) as archive:
        members = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist()}

        def read(key: str) -> Array:
            entry = members[key]
            if entry.file_size > _MAX_DEFLATE_RATIO * (entry.compress_size + 1):
                raise ValueError(f"{key} claims {entry.file_size:,} bytes in {entry.compress_size:,}")
            with archive.open(entry) as stream:
                return _read_npy(stream, entry.file_size, text=key != images)

        images, labelled = _keys(path, {key: entry.file_size for key, entry in members.items()}, options)
        names = read(NAMES_KEY) if labelled and NAMES_KEY in members and NAMES_KEY not in (images, labelled) else None
        labels = Labels(labelled, read(labelled), "labels" in options, names) if labelled else None
        samples = read(images)
    others = sorted(members.keys() - {images, labelled, NAMES_KEY if labels and labels.names else None})
    left_out = (LeftOut(len(others), "other arrays" if len(others) > 1 else "other array", tuple(others[:SHOWN_NAMES])),)
    return store_of(path, path.stem, samples, labels, resolution, progress, options, left_out if others else ())


def _keys(path: Path, members: dict[str, int], options: Options) -> tuple[str, str | None]:
    """The names of the arrays with the samples and with their labels, among those of some sizes."""
    has = f"{path} has {', '.join(sorted(members)[:8]) or 'nothing'}"
    for what in ("images", "labels"):
        if what in options and options[what] not in members and (what, options[what]) != ("labels", "none"):
            raise UsageError(f"{what}={options[what]}: {has}")
    by_fold = {key.lower(): key for key in reversed(list(members))}
    images = options.get("images") or next((by_fold[k] for k in SAMPLE_KEYS if k in by_fold), None)
    if images is None and len(members) == 1:
        (images,) = members
    if images is None:
        largest = max(members, key=members.__getitem__, default="NAME")
        hint = f"say which array they are, and which has the labels: --data '{path}?images={largest}&labels=none'"
        raise DataError(f"{has}, and no name says which has the samples", hint=hint)
    if "labels" in options:
        return images, None if options["labels"] == "none" else options["labels"]
    # train_images has train_labels, and x_test has y_test.
    own = (re.sub("images|data|samples", "labels", images.lower()), images.lower().replace("x", "y"))
    return images, next((by_fold[k] for k in (*own, *LABEL_KEYS) if k in by_fold and by_fold[k] != images), None)


class Labels:
    """An array of labels, its name, whether it was asked for by name, and the names of the classes that it numbers."""

    def __init__(self, name: str, values: Array, asked: bool = False, names: Array | None = None) -> None:
        self.name, self.values, self.asked = name, values, asked
        self.names: tuple[str, ...] = ()
        if names is not None and names.dtype.kind == "U" and names.ndim == 1 and values.size and len(names) <= MAX_CLASSES:
            one_hot = values.ndim == 2 and values.shape[1] > 1
            numbers = values.dtype.kind in "bui" and int(values.max()) < len(names)
            if values.shape[1] == len(names) if one_hot else numbers:
                self.names = tuple(names.tolist())


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


def _npy_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    try:
        version = np.lib.format.read_magic(stream)
    except ValueError:
        raise ValueError("it is not in the format that its name says, or it is damaged") from None
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"NPY version {version}, expected 1.0 or 2.0")
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, column_major, dtype = header(stream)
    return shape, column_major, dtype


def _read_npy(stream: IO[bytes], size: int, *, text: bool = False) -> Array:
    """The array in an NPY file of ``size`` bytes: of numbers, or with ``text`` of text."""
    shape, column_major, dtype = _npy_header(stream)
    if dtype.kind not in ("buifSU" if text else "buif"):
        if text:  # labels, which nobody may want
            return np.empty(0, dtype)
        raise _no_numbers(dtype)
    array = _fill(stream, shape[::-1] if column_major else shape, dtype, size)
    return array.T if column_major else array


def _no_numbers(dtype: np.dtype[Any]) -> ValueError:
    if dtype.kind == "O":
        return ValueError(
            "it holds Python objects, which are pickled and never read, as they can run any code: save numbers instead"
        )
    return ValueError(f"it holds {'named columns' if dtype.names else dtype.name}, expected plain real numbers")


def _map_npy(path: Path, stream: IO[bytes]) -> Array:
    """The array in an NPY file, which is read as it is looked at."""
    shape, column_major, dtype = _npy_header(stream)
    if dtype.kind not in "buif":
        raise _no_numbers(dtype)
    start, size = stream.tell(), path.stat().st_size
    _require_held(shape, dtype, size - start)
    return np.memmap(path, dtype, "r", start, shape, "F" if column_major else "C")


def _require_held(shape: tuple[int, ...], dtype: np.dtype[Any], size: int) -> None:
    if math.prod(shape) * dtype.itemsize > size or 0 in shape or min(shape, default=0) < 0:
        raise ValueError(f"its header claims an array of shape {shape}, which the file does not hold")


def _fill(stream: IO[bytes], shape: tuple[int, ...], dtype: np.dtype[Any], size: int) -> Array:
    """The array of that shape at the head of ``stream``, which holds ``size`` bytes at the most."""
    _require_held(shape, dtype, size)
    hint = "save it as .npy, which is not read at once, and say --resolution"
    memory.require(math.prod(shape) * dtype.itemsize, f"an array of shape {shape}", hint=hint)
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


def store_of(
    path: Path | str,
    name: str,
    samples: Array,
    labels: Labels | None,
    resolution: int | None,
    progress: Progress | None,
    options: Options = NO_OPTIONS,
    left_out: tuple[LeftOut, ...] = (),
    *,
    pictures_hint: Callable[[float, float], str] = advice_on_range,
    labels_hint: str = "labels=none leaves labels out",
) -> Store:
    """An array as a store: pictures or numbers, with classes if its labels are any.

    Args:
        path: What the array is called in errors.
        name: What the store is.
        samples: ``(N, …)`` numbers, at least one.
        labels: Likewise, or text.
        resolution, progress, options: As for :func:`open_npy`.
        left_out: What the store does not have of that.
        pictures_hint: How whoever gave the array says that it holds pictures, where it was not taken for that, by its
            smallest and its largest value.
        labels_hint: How they say that labels should be left out.

    Raises:
        UsageError, DataError: As :func:`open_npz`.
    """
    try:
        span = parse_range(options) or guess_span(samples)
    except DataError as error:
        raise DataError(f"{path}: {error.message}", hint=error.hint) from None
    sizes = ""
    if span is not None:
        ready, made, notes = squares(path, samples, span, resolution, progress)
        _, height, width, _ = rows_of_pixels(samples).shape  # type: ignore[union-attr]
        sizes = f"of {width}x{height}"
    elif resolution is not None:
        some = next(parts(samples)) if samples.size else np.zeros(1)  # of what may be larger than the memory
        hint = pictures_hint(float(some.min()), float(some.max())) if rows_of_pixels(samples) is not None else None
        what = f"{samples.dtype} values of shape {samples.shape} are taken for numbers, not pictures"
        raise UsageError(f"{path}: {what}, and have no resolution", hint=hint)
    else:
        ready, made, notes = numbers(path, samples, pictures_hint)  # type: ignore[assignment]
    found, classes, word = _classes(path, labels, len(ready), labels_hint)
    reading = Reading(sizes, made, word, left_out, notes + alike_but_for_case(classes))
    return Store(slug(name), torch.from_numpy(ready), found, classes, reading)


def _classes(path: Path | str, labels: Labels | None, count: int, hint: str) -> tuple[Tensor | None, tuple[str, ...], str]:
    """Labels as a tensor, the names of classes, and where they are from, or why there are none."""
    if labels is None:
        return None, (), ""
    found = classes_of(labels.values, count)
    if isinstance(found, str):
        if labels.asked:
            raise UsageError(f"{path}: {labels.name} cannot be used: {found}", hint=hint)
        return None, (), f"{labels.name} cannot be used: {found}"
    numbers_, texts = found
    filled, names = len(np.unique(numbers_)), texts or labels.names
    some = f", {filled:,} of them with samples" if filled < (len(names) or int(numbers_.max()) + 1) else ""
    return torch.from_numpy(numbers_), names, f"by {labels.name}{some}"
