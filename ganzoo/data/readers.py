"""Datasets that timm reads (torchvision's, Hugging Face's, webdataset, TensorFlow's) as one store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ganzoo.data import Progress, memory
from ganzoo.data.decoding import (
    Failure,
    attempt,
    brightest,
    in_threads,
    is_deep,
    is_grey,
    natural_resolution,
    square,
    white_of,
)
from ganzoo.data.reading import (
    LeftOut,
    Reading,
    alike_but_for_case,
    in_words,
    tally,
    words_for_sizes,
    words_for_square,
)
from ganzoo.data.shards import PREFIXES, Shards
from ganzoo.data.spec import parse, require_known
from ganzoo.data.store import MAX_CLASSES, Store, slug
from ganzoo.data.stream import Contents, Stream
from ganzoo.data.timm_datasets import at_home, create, first_of, gives_targets, is_indexed, length_of, refusal, title_of
from ganzoo.errors import DataError, GanzooError, UsageError
from ganzoo.modalities.pictures import Pictures

OPTIONS = ("split", "root", "input_key", "target_key", "stream", "classes")


@dataclass
class Row:
    """A square picture, its class (-1 for none), and what it was: its size, its highest value if it has more than 8 bits."""

    picture: NDArray[np.uint8] | None
    label: int
    size: tuple[int, int]
    peak: int


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
    name, options = parse(spec)
    require_known(options, OPTIONS, name)
    name, options = at_home(name, options)
    try:
        dataset = create(name, options)
        if "target_key" not in options and not gives_targets(dataset):
            # timm insists on labels; where there are none, the picture takes their place and counts as no label.
            dataset = create(name, {**options, "target_key": options.get("input_key", "image")})
        shards = _shards(dataset, name, options)
        if shards and (stream := _stream(dataset, spec, options, resolution, shards)):
            return stream
        read = _read(dataset, spec, resolution, progress)
        while read.peak > read.white:
            # So rare, after the first picture was looked at, that all may be read once more.
            read = _read(dataset, spec, resolution, progress, white_of(read.peak))
    except GanzooError:
        raise
    except Exception as error:  # what is behind timm raises anything for a name it does not like
        raise refusal(spec, error) from error
    left_out = tally(((f"{name} {index}", reason) for index, reason in read.failed), "samples")
    needs = "in wds/, each picture (.jpg, .png, .webp) needs its class beside it (.cls, a number)"
    if shards and (lost := sum(count for _, count in shards.list()) - len(read.rows) - len(read.failed)) > 0:
        left_out += (LeftOut(lost, f"samples that timm passes over, as damaged or incomplete ({needs})"),)
    if len(read.rows) < 2:
        why = f"; left out: {in_words(left_out)}" if left_out else ""
        hint = needs if name.lower().startswith("wds/") else None
        some = f"{len(read.rows)} readable picture{'s' * (len(read.rows) != 1)}"
        raise DataError(f"{spec}: {some}, and training needs at least two{why}", hint=hint)
    classes_of = torch.tensor([row.label for row in read.rows])
    sizes = Counter(row.size for row in read.rows)
    labels = classes_of if classes_of.min() >= 0 else None
    word = "" if labels is not None else _why_none(classes_of)
    pictures = _stack(read.rows)
    classes = _class_names(dataset, labels) if labels is not None else ()
    notes = alike_but_for_case(classes)
    if read.peak:
        notes += (f"pictures have more than 8 bits: 0 is black and {read.white:,} is white",)
    made = words_for_square(sizes, pictures.shape[-1])
    reading = Reading(words_for_sizes(sizes), made, word, left_out, notes)
    return Store(slug(title_of(name, options)), torch.from_numpy(pictures), labels, classes, reading)


def _why_none(labels: Tensor) -> str:
    """Why labels are none, if some are."""
    if (labels < 0).all():
        return ""
    return f"{int((labels < 0).sum()):,} of {len(labels):,} samples have no whole number for a label"


def _shards(dataset: Any, name: str, options: dict[str, str]) -> Shards | None:
    """The shards of a dataset that is kept in some."""
    prefix, wanted = name.partition("/")[0].lower(), options.get("stream")
    if wanted not in (None, "true", "false"):
        raise UsageError(f"stream={wanted}: it is true or false")
    if prefix not in PREFIXES:
        if wanted == "true":
            raise UsageError(f"{prefix}/ does not stream", hint=f"those that do: {', '.join(f'{p}/' for p in PREFIXES)}")
        return None
    return Shards(dataset, prefix, options.get("input_key", "image" if prefix == "hfids" else "jpg;png;webp"))


def _stream(dataset: Any, spec: str, options: dict[str, str], resolution: int | None, shards: Shards) -> Stream | None:
    """The dataset as a stream, if it is to be one."""
    wanted = options.get("stream")
    first = first_of(dataset)
    if first is None:
        return None
    picture = _picture(first[0])
    side, channels, white = resolution or natural_resolution([picture.size]), 1 if is_grey(picture) else 3, _white(picture)
    listed = shards.list()
    if wanted == "false" or (wanted is None and sum(count for _, count in listed) * channels * side**2 <= memory.budget()):
        # Counting has taken the reader apart.
        shards.rejoin()
        return None
    names = _class_names(dataset, None)
    said = options.get("classes", str(len(names)))
    if not said.isdecimal() or int(said) > MAX_CLASSES:
        raise UsageError(f"classes={said}: it is a number up to {MAX_CLASSES:,}")
    classes = int(said) if _is_class(first[1]) else 0

    def read(number: int) -> Contents:
        def row(sample: Sequence[Any]) -> tuple[NDArray[np.uint8], int]:
            return square(_picture(sample[0]), side, channels, (0.0, white)), int(sample[1]) if classes else -1

        rows = [
            row for row in (attempt(partial(row, sample)) for sample in shards.samples(number)) if not isinstance(row, Failure)
        ]
        pictures = torch.from_numpy(np.stack([row[0] for row in rows])) if rows else torch.empty(0)
        labels = torch.tensor([row[1] for row in rows])
        if classes and len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
            raise DataError(f"{spec}: labels from {int(labels.min())} to {int(labels.max())} for {classes} classes")
        return pictures, labels if classes else None

    named = names if len(names) == classes else ()
    sizes = Counter([picture.size])
    notes = (f"0 is black and {white:,} is white, as the first picture has more than 8 bits",) if is_deep(picture) else ()
    reading = Reading(
        f"in {len(listed):,} shard{'s' * (len(listed) > 1)}, the first {words_for_sizes(sizes)}",
        words_for_square(sizes, side),
        "" if classes or not _is_class(first[1]) else "the option classes=N says how many the labels have",
        notes=notes,
    )
    title = slug(title_of(parse(spec)[0], options))
    return Stream(title, listed, read, Pictures(sample_shape=(channels, side, side)), classes, named, reading=reading)


def _white(picture: Image.Image) -> int:
    peak = attempt(lambda: brightest(picture))
    return white_of(0 if isinstance(peak, Failure) else peak)


def _is_class(target: Any) -> bool:
    return isinstance(target, (int, np.integer)) and not isinstance(target, bool)


@dataclass
class _Read:
    """Every sample that could be read, those that could not, and what was white and ought to have been."""

    rows: list[Row]
    failed: list[tuple[int, str]]
    white: int
    peak: int


def _read(dataset: Any, spec: str, resolution: int | None, progress: Progress | None, white: int | None = None) -> _Read:
    """Every sample as a square picture and its class; in threads if samples can be had by index."""
    first = first_of(dataset)
    if first is None:
        return _Read([], [], 0, 0)
    picture = _picture(first[0])
    side = resolution or natural_resolution([picture.size])
    found = _Read([], [], white or _white(picture), 0)
    size = (1 if is_grey(picture) else 3) * side**2
    memory.require(size * length_of(dataset), f"{spec} at {side} x {side}", hint="try a smaller --resolution")

    def row(sample: Sequence[Any]) -> Row:
        picture, target = _picture(sample[0]), sample[1]
        width_height, peak = picture.size, brightest(picture)
        pixels = square(picture, side, 1 if is_grey(picture) else 3, (0.0, found.white))
        return Row(pixels, int(target) if _is_class(target) else -1, width_height, peak)

    def one_by_one() -> Iterator[Row | Failure]:
        room = memory.budget()
        for count, sample in enumerate(dataset, 1):
            if count * size > room:
                raise DataError(f"{spec}: {count:,} pictures fill the memory", hint="try a smaller --resolution")
            yield attempt(partial(row, sample))

    several = in_threads(lambda index: row(dataset[index]), len(dataset)) if is_indexed(dataset) else one_by_one()
    for index, one in enumerate(several):
        if isinstance(one, Failure):
            found.failed.append((index, one.reason))
        else:
            found.rows.append(one)
            found.peak = max(found.peak, one.peak)
        if progress:
            progress(index + 1, max(index + 1, length_of(dataset)))
    return found


def _picture(sample: Any) -> Image.Image:
    if isinstance(sample, Image.Image):
        return sample
    if isinstance(sample, np.ndarray):
        return Image.fromarray(sample.squeeze(-1) if sample.shape[-1] == 1 else sample)
    raise ValueError(f"samples are {type(sample).__name__}, expected pictures")


def _stack(rows: list[Row]) -> NDArray[np.uint8]:
    """All pictures as one array; they are taken from the rows on the way, so that memory holds no picture twice."""
    pictures = np.empty((len(rows), *max(row.picture.shape for row in rows if row.picture is not None)), dtype=np.uint8)
    for index, row in enumerate(rows):
        pictures[index] = row.picture  # a grey one among colours is copied to all three channels
        row.picture = None
    return pictures


def _class_names(dataset: Any, labels: Tensor | None) -> tuple[str, ...]:
    index_of = getattr(getattr(dataset, "reader", dataset), "class_to_idx", None) or {}
    names = tuple(str(name) for name, _ in sorted(index_of.items(), key=lambda item: item[1]))
    return names if labels is None or labels.max() < len(names) else ()
