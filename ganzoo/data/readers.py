"""Datasets that timm reads (torchvision's, Hugging Face's, webdataset, TensorFlow's) as one store."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import urllib.parse
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ganzoo.data import Progress, memory
from ganzoo.data.cache import cache_folder
from ganzoo.data.decoding import Failure, attempt, in_threads, is_grey, natural_resolution, square
from ganzoo.data.shards import PREFIXES, Shards
from ganzoo.data.store import MAX_CLASSES, Store, slug
from ganzoo.data.stream import Contents, Stream
from ganzoo.errors import DataError, GanzooError, UnknownNameError, UsageError

OPTIONS = ("split", "root", "input_key", "target_key", "stream", "classes")

_NEEDS = {"hfds": "datasets", "hfids": "datasets", "wds": "webdataset", "tfds": "tensorflow_datasets"}
_SMALL = ("cifar10", "cifar100", "mnist", "kmnist", "fashion_mnist", "qmnist")
"""What torchvision may download unasked; its others are hundreds of gigabytes."""

Row: TypeAlias = tuple[NDArray[np.uint8], int]
"""A square picture and its class, -1 for none."""


def open_reader(spec: str, *, resolution: int | None = None, progress: Progress | None = None) -> Store | Stream:
    """The dataset that ``timm.data.create_dataset`` makes of a name, read once into memory.

    Args:
        spec: timm's name and options as in a link: ``torch/cifar10?split=test&root=/data``. Options: ``split`` (by default
            ``train``), ``root`` (by default ganzoo's cache; for ``hfds/`` and ``hfids/`` Hugging Face's own),
            ``input_key`` and ``target_key`` (where a dataset does not call them ``image`` and ``label``), and for ``wds/``
            and ``hfids/`` ``stream`` (``true``, ``false``; by default if it does not fit the memory) and ``classes`` (how
            many there are, for a stream with labels whose reader does not know).
        resolution: Side of the square pictures. None: the first picture's own if it is square and at most 256 wide,
            else 64.
        progress: Told how far reading is.

    Returns:
        A stream, or a store: uint8 pictures, grey only if all are; labels if every sample has a whole number for one.
        Unreadable samples are in ``skipped`` where the reader reports them (timm's ``hfds/`` repeats the next one instead).

    Raises:
        UsageError: An unknown option, or no ``root`` where there is no default.
        DataError: A missing package, no network, an unknown name, fewer than two samples, or too large for the memory.
    """
    name, _, query = spec.partition("?")
    options = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
    if unknown := sorted(options.keys() - set(OPTIONS)):
        raise UnknownNameError("option of --data", unknown[0], OPTIONS, hint=f"options are {', '.join(OPTIONS)}")
    rows: list[Row | None] = []
    skipped: list[str] = []
    try:
        dataset = _create(name, options)
        if "target_key" not in options and not _gives_targets(dataset):
            # timm insists on labels; where there are none, the picture takes their place and counts as no label.
            dataset = _create(name, {**options, "target_key": options.get("input_key", "image")})
        if stream := _stream(dataset, spec, options, resolution):
            return stream
        for index, row in enumerate(_rows(dataset, spec, resolution)):
            if isinstance(row, Failure):
                skipped.append(f"{name} {index}: {row.reason}")
            else:
                rows.append(row)
            if progress:
                progress(index + 1, max(index + 1, _length(dataset)))
    except GanzooError:
        raise
    except Exception as error:  # what is behind timm raises anything for a name it does not like
        raise _refusal(spec, error) from error
    if len(rows) < 2:
        first = f"; the first was skipped: {skipped[0]}" if skipped else ""
        needs = "in wds/, each picture (.jpg, .png, .webp) needs its class beside it (.cls, a number)"
        hint = needs if name.lower().startswith("wds/") else None
        raise DataError(f"{spec}: {len(rows)} readable pictures, and training needs at least two{first}", hint=hint)
    classes_of = [row[1] for row in rows if row is not None]
    labels = torch.tensor(classes_of) if min(classes_of) >= 0 else None
    pictures = _stack(rows)
    classes = _class_names(dataset, labels) if labels is not None else ()
    return Store(slug(_title(name, options)), torch.from_numpy(pictures), labels, classes, tuple(skipped))


def _create(name: str, options: dict[str, str]) -> Any:
    prefix, _, rest = name.lower().partition("/")
    if prefix in _NEEDS and importlib.util.find_spec(_NEEDS[prefix]) is None:
        package = _NEEDS[prefix].replace("_", "-")
        raise DataError(f"{name} needs the package {package}", hint=f"try: pip install {package}")
    keys = {key: value for key, value in options.items() if key.endswith("_key")}
    root = options.get("root")
    if root is None and _is_folder(name):
        raise UsageError(f"{name} needs the folder of its files", hint=f"for example: --data '{name}?root=/data'")
    if root is None and prefix in ("torch", "tfds"):
        root = str(cache_folder() / prefix)
    import timm.data

    with contextlib.redirect_stdout(sys.stderr):
        dataset = timm.data.create_dataset(
            name,
            root=root,
            split=options.get("split", "train"),
            download=prefix == "tfds" or (prefix == "torch" and rest in _SMALL),
            input_img_mode="",  # pictures come in their own mode, so that grey ones stay grey
            **keys,
        )
    # What each process reads is decided elsewhere; these readers would leave out what they take for another's.
    reader: Any = getattr(dataset, "reader", None)
    if hasattr(reader, "dist_rank"):
        reader.dist_rank, reader.dist_num_replicas = 0, 1
    return dataset


def _title(name: str, options: dict[str, str]) -> str:
    title = Path(options["root"]).name if _is_folder(name) else name.rpartition("/")[2]
    return f"{title}-{options['split']}" if options.get("split", "train") != "train" else title


def _stream(dataset: Any, spec: str, options: dict[str, str], resolution: int | None) -> Stream | None:
    """The dataset as a stream, if it is to be one."""
    prefix, wanted = spec.partition("/")[0].lower(), options.get("stream")
    if wanted not in (None, "true", "false"):
        raise UsageError(f"stream={wanted}: it is true or false")
    if prefix not in PREFIXES or wanted == "false":
        if wanted == "true":
            raise UsageError(f"{prefix}/ does not stream", hint=f"those that do: {', '.join(f'{p}/' for p in PREFIXES)}")
        return None
    first = _first(dataset)
    if first is None:
        return None
    picture = _picture(first[0])
    side, channels = resolution or natural_resolution([picture.size]), 1 if is_grey(picture) else 3
    key = options.get("input_key", "image" if prefix == "hfids" else "jpg;png;webp")
    shards = Shards(dataset, prefix, key)
    listed = shards.list()
    if wanted is None and sum(count for _, count in listed) * channels * side**2 <= memory.budget():
        # Counting has taken the reader apart.
        shards.rejoin()
        return None
    names = _class_names(dataset, None)
    said = options.get("classes", str(len(names)))
    if not said.isdecimal() or int(said) > MAX_CLASSES:
        raise UsageError(f"classes={said}: it is a number up to {MAX_CLASSES:,}")
    classes = int(said) if _is_class(first[1]) else 0

    def read(number: int) -> Contents:
        def row(sample: Sequence[Any]) -> Row:
            return square(_picture(sample[0]), side, channels), int(sample[1]) if classes else -1

        rows = [
            row for row in (attempt(partial(row, sample)) for sample in shards.samples(number)) if not isinstance(row, Failure)
        ]
        pictures = torch.from_numpy(np.stack([row[0] for row in rows])) if rows else torch.empty(0)
        labels = torch.tensor([row[1] for row in rows])
        if classes and len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
            raise DataError(f"{spec}: labels from {int(labels.min())} to {int(labels.max())} for {classes} classes")
        return pictures, labels if classes else None

    named = names if len(names) == classes else ()
    return Stream(slug(_title(spec.partition("?")[0], options)), listed, read, (channels, side, side), classes, named)


def _is_class(target: Any) -> bool:
    return isinstance(target, (int, np.integer)) and not isinstance(target, bool)


def _is_folder(name: str) -> bool:
    """Whether the name says only how files are read, and ``root`` which."""
    prefix, _, rest = name.lower().partition("/")
    return prefix == "wds" or (prefix == "torch" and rest in ("image_folder", "folder"))


def _refusal(spec: str, error: Exception) -> DataError:
    said = (str(error).strip().splitlines() or [""])[0]
    return DataError(
        f"cannot read {spec}: {type(error).__name__}: {said}" if said else f"cannot read {spec}: {type(error).__name__}",
        hint="is the name right, and the network there? Files that are here already: name their folder with '?root=…'",
    )


def _gives_targets(dataset: Any) -> bool:
    try:
        _first(dataset)
    except KeyError:
        return False
    return True


def _first(dataset: Any) -> Sequence[Any] | None:
    """The first sample that can be read."""
    if not _indexed(dataset):
        return next(iter(dataset), None)
    for index in range(len(dataset)):
        with contextlib.suppress(OSError, ValueError, SyntaxError):
            sample: Sequence[Any] = dataset[index]
            return sample
    return None


def _indexed(dataset: Any) -> bool:
    return not isinstance(dataset, torch.utils.data.IterableDataset)


def _length(dataset: Any) -> int:
    try:
        return len(dataset)
    except TypeError:
        return 0


def _rows(dataset: Any, spec: str, resolution: int | None) -> Iterator[Row | Failure]:
    """Every sample as a square picture and its class; in threads if samples can be had by index."""
    first = _first(dataset)
    if first is None:
        return
    picture = _picture(first[0])
    side = resolution or natural_resolution([picture.size])
    size = (1 if is_grey(picture) else 3) * side**2
    memory.require(size * _length(dataset), f"{spec} at {side} x {side}", hint="try a smaller --resolution")

    def row(sample: Sequence[Any]) -> Row:
        picture, target = _picture(sample[0]), sample[1]
        return square(picture, side, 1 if is_grey(picture) else 3), int(target) if _is_class(target) else -1

    if _indexed(dataset):
        yield from in_threads(lambda index: row(dataset[index]), len(dataset))
        return
    room = memory.budget()
    for count, sample in enumerate(dataset, 1):
        if count * size > room:
            raise DataError(f"{spec}: {count:,} pictures fill the memory", hint="try a smaller --resolution")
        yield attempt(partial(row, sample))


def _picture(sample: Any) -> Image.Image:
    if isinstance(sample, Image.Image):
        return sample
    if isinstance(sample, np.ndarray):
        return Image.fromarray(sample.squeeze(-1) if sample.shape[-1] == 1 else sample)
    raise ValueError(f"samples are {type(sample).__name__}, expected pictures")


def _stack(rows: list[Row | None]) -> NDArray[np.uint8]:
    """All pictures as one array; ``rows`` is emptied on the way, so that memory holds no picture twice."""
    shapes = {row[0].shape for row in rows if row is not None}
    pictures = np.empty((len(rows), *max(shapes)), dtype=np.uint8)
    for index, row in enumerate(rows):
        if row is not None:
            pictures[index] = row[0]  # a grey one among colours is copied to all three channels
            rows[index] = None
    return pictures


def _class_names(dataset: Any, labels: Tensor | None) -> tuple[str, ...]:
    index_of = getattr(getattr(dataset, "reader", dataset), "class_to_idx", None) or {}
    names = tuple(str(name) for name, _ in sorted(index_of.items(), key=lambda item: item[1]))
    return names if labels is None or labels.max() < len(names) else ()
