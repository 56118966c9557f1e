"""Pictures of any sizes and modes, in a folder or a zip, as one store."""

from __future__ import annotations

import math
import threading
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ganzoo.data import Progress, memory
from ganzoo.data.classes import OPTIONS, lay_out
from ganzoo.data.decoding import (
    Failure,
    attempt,
    brightest,
    has_more_frames,
    in_threads,
    is_deep,
    is_grey,
    loses_bits,
    natural_resolution,
    open_picture,
    read_bounded,
    square,
    white_of,
)
from ganzoo.data.listing import advice_on_left_out, files_below, pictures_among
from ganzoo.data.reading import (
    DARK,
    LeftOut,
    Reading,
    alike_but_for_case,
    by_ending,
    in_words,
    tally,
    words_for_sizes,
    words_for_square,
    words_if_dark,
)
from ganzoo.data.spec import Options, parse_range, require_known
from ganzoo.data.store import Store, slug
from ganzoo.errors import DataError, UsageError

MAX_ENTRY_BYTES = 128 * 2**20
"""A zip entry that unpacks to more than this is skipped: a few kilobytes can claim any size."""

_ENCRYPTED = 1
"""The bit of a zip entry that says so."""

_DEEP_TRIED = 16
"""Of the pictures of more than 8 bits, so many are looked at for their white before all are decoded."""

NO_OPTIONS: Options = {}


def open_folder(
    path: Path, *, resolution: int | None = None, progress: Progress | None = None, options: Options = NO_OPTIONS
) -> Store:
    """The pictures in a folder and its sub-folders, in the order of their paths; hidden files are left out.

    Args:
        path: The folder.
        resolution: Side of the square pictures. None: their own if all are alike, square and at most 256 wide, else 64.
        progress: Told how far decoding is.
        options: ``labels=none|folders`` and ``split=NAME|all``, see :func:`~ganzoo.data.classes.lay_out`, which says what
            becomes a class; ``range=LOW,HIGH``, the values of black and white where pictures have more than 8 bits. Without
            it, white is 255, 1023, 4095, 16383 or 65535, the least that no value is above.

    Returns:
        uint8 pictures, grey only if all files are. What was left out, and why, is in ``reading``.

    Raises:
        UsageError: An option that there is not, or that does not fit.
        DataError: No folder that can be read, fewer than two readable pictures, or more than the memory holds.
    """
    require_known(options, OPTIONS, "a folder of pictures")
    names, unlisted = files_below(path)

    def read(name: str) -> bytes | None:
        found = path / name
        if not found.is_file():
            return None
        with found.open("rb") as stream:
            return read_bounded(stream, MAX_ENTRY_BYTES).read()

    source = _Source(path, names, lambda name: (path / name).open("rb"), read, unlisted)
    return _store(source, resolution, progress, options)


def open_zip(
    path: Path, *, resolution: int | None = None, progress: Progress | None = None, options: Options = NO_OPTIONS
) -> Store:
    """The pictures in a zip, exactly as :func:`open_folder` takes them from a folder; nothing is unpacked to disk.

    Raises:
        UsageError, DataError: As for a folder, or the file is no zip.
    """
    require_known(options, OPTIONS, "a zip of pictures")
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise DataError(f"cannot read {path}: {error}") from error
    with archive:
        # Some programs on Windows write its separator, which a zip must not have.
        files = [entry for entry in archive.infolist() if not entry.is_dir()]
        entries = {entry.filename.replace("\\", "/"): entry for entry in files}
        twice = (LeftOut(len(files) - len(entries), "that have the name of another"),) if len(files) > len(entries) else ()
        one_at_a_time = threading.Lock()  # ZipFile does not count its readers atomically

        def open_entry(name: str) -> IO[bytes]:
            if entries[name].flag_bits & _ENCRYPTED:
                raise ValueError("encrypted with a password")
            with one_at_a_time, archive.open(entries[name]) as stream:
                return read_bounded(stream, MAX_ENTRY_BYTES)

        def read(name: str) -> bytes | None:
            return open_entry(name).read() if name in entries else None

        return _store(_Source(path, list(entries), open_entry, read, twice), resolution, progress, options)


@dataclass(frozen=True)
class _Source:
    """Where pictures are.

    Attributes:
        path: The folder or zip.
        names: All files in it, hidden ones too.
        open: Opens one of them.
        read: The content of one of them, None if there is none.
        left_out: What cannot even be listed.
    """

    path: Path
    names: Sequence[str]
    open: Callable[[str], IO[bytes]]
    read: Callable[[str], bytes | None]
    left_out: tuple[LeftOut, ...] = ()


class _Look(NamedTuple):
    """What a picture is like, before it is decoded."""

    size: tuple[int, int]
    is_grey: bool
    is_deep: bool
    has_more_frames: bool
    loses_bits: bool
    is_transparent: bool


def _survey(source: _Source, names: Sequence[str]) -> tuple[dict[str, _Look], dict[str, str]]:
    """A look at each picture that can be opened; and why the others cannot."""

    def look(index: int) -> _Look:
        with source.open(names[index]) as stream, open_picture(stream) as image:
            looks = (is_grey(image), is_deep(image), has_more_frames(image), loses_bits(image))
            return _Look(image.size, *looks, image.has_transparency_data)

    looks: dict[str, _Look] = {}
    skipped: dict[str, str] = {}
    for name, seen in zip(names, in_threads(look, len(names)), strict=True):
        if isinstance(seen, Failure):
            skipped[name] = seen.reason
        else:
            looks[name] = seen
    return looks, skipped


def _store(source: _Source, resolution: int | None, progress: Progress | None, options: Options) -> Store:
    path, span = source.path, parse_range(options)
    chosen, others = pictures_among(source.names, path)
    layout = lay_out(chosen, source.read, options)
    looks, unopened = _survey(source, layout.names)
    readable = list(looks)
    side = resolution or natural_resolution(look.size for look in looks.values())
    channels = 1 if all(look.is_grey for look in looks.values()) else 3
    shape = (len(readable), channels, side, side)
    largest = int(min(side - 1, (memory.budget() / (channels * max(1, len(readable)))) ** 0.5))
    memory.require(math.prod(shape), f"{path} at {side} x {side}", hint=f"try --resolution {max(1, largest)} or less")
    pictures = np.empty(shape, dtype=np.uint8)
    deep = [name for name, look in looks.items() if look.is_deep]
    if span and looks and not deep:
        raise UsageError(f"range={options['range']}: it is for pictures of more than 8 bits, and {path} has none that need it")
    white = white_of(_peak(source, deep[:: max(1, len(deep) // _DEEP_TRIED)])) if span is None else 0
    while True:
        kept, skipped, peak = _decode(source, readable, pictures, span or (0.0, white), progress, not span)
        if span or peak <= white:
            break
        white = white_of(peak)  # so rare, after those that were tried, that all may be decoded once more
    skipped |= unopened
    left_out = (
        *tally(((name, skipped[name]) for name in layout.names if name in skipped), "pictures"),
        *source.left_out,
        *layout.left_out,
        *by_ending(others),
    )
    if len(kept) < 2:
        why = f"; left out: {in_words(left_out)}" if left_out else ""
        some = f"{len(kept)} readable picture{'s' * (len(kept) != 1)}"
        raise DataError(f"{path} holds {some}, and training needs at least two{why}")
    pictures = pictures[: len(kept)]
    labels, classes, word = layout.labels(kept)
    sizes = Counter(looks[name].size for name in kept)
    notes = (
        *_notes([looks[name] for name in kept], pictures, span or (0, white), span is None),
        *advice_on_left_out(others),
        *alike_but_for_case(classes),
    )
    reading = Reading(words_for_sizes(sizes), words_for_square(sizes, side), word, left_out, notes)
    name = path.resolve().name if path.is_dir() else path.stem
    found = None if labels is None else torch.tensor(labels)
    return Store(slug(name), torch.from_numpy(pictures), found, classes, reading)


def _peak(source: _Source, names: Sequence[str]) -> int:
    """The highest value in some pictures of more than 8 bits."""

    def look(name: str) -> int:
        with source.open(name) as stream, open_picture(stream) as image:
            return brightest(image)

    found = (attempt(lambda name=name: look(name)) for name in names)  # type: ignore[misc]
    return max((peak for peak in found if not isinstance(peak, Failure)), default=0)


def _decode(
    source: _Source,
    names: Sequence[str],
    pictures: NDArray[np.uint8],
    span: tuple[float, float],
    progress: Progress | None,
    guessed: bool,
) -> tuple[list[str], dict[str, str], int]:
    """Decode pictures into the head of an array: the names of these, those that failed, and the highest deep value."""

    def decode(slot: int) -> int:
        with source.open(names[slot]) as stream, open_picture(stream) as image:
            peak = brightest(image) if guessed else 0
            pictures[slot] = square(image, pictures.shape[-1], pictures.shape[1], span)
            return peak

    kept: list[str] = []
    skipped: dict[str, str] = {}
    highest = 0
    for slot, peak in enumerate(in_threads(decode, len(names))):
        if isinstance(peak, Failure):
            skipped[names[slot]] = peak.reason
        else:
            # Closing the gaps in place: a second array might not fit.
            if len(kept) != slot:
                pictures[len(kept)] = pictures[slot]
            kept.append(names[slot])
            highest = max(highest, peak)
        if progress:
            progress(slot + 1, len(names))
    return kept, skipped, highest


def _notes(looks: Sequence[_Look], pictures: NDArray[np.uint8], span: tuple[float, float], guessed: bool) -> tuple[str, ...]:
    """What else should be known of the pictures that these looks were taken at."""
    notes = []
    if deep := sum(look.is_deep for look in looks):
        some = f"{deep:,} pictures have" if deep > 1 else "1 picture has"
        other = " ('?range=LOW,HIGH' sets other values)" if guessed else ""
        notes.append(f"{some} more than 8 bits: {span[0]:g} is black and {span[1]:,g} is white{other}")
    if coarse := [index for index, look in enumerate(looks) if look.loses_bits]:
        some = (
            f"of {len(coarse):,} picture{'s' * (len(coarse) > 1)} with colour or transparency of 16 bits, the upper 8 are read"
        )
        if max(int(pictures[index].max()) for index in coarse) <= DARK:
            some += ", and come out almost black: convert them to 8 bits, or scale their values up to 65,535"
        notes.append(some)
    if len(coarse) < len(looks):
        notes += words_if_dark(int(pictures.max()))
    if clear := sum(look.is_transparent for look in looks):
        some = f"{clear:,} pictures have" if clear > 1 else "1 picture has"
        notes.append(f"{some} an alpha channel: white is put behind what is transparent")
    if moving := sum(look.has_more_frames for look in looks):
        some = (
            f"{moving:,} animations or files of several pages give their"
            if moving > 1
            else "1 animation or file of several pages gives its"
        )
        notes.append(f"{some} first frame")
    return tuple(notes)
