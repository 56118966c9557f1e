"""Pictures of any sizes and modes, in a folder or a zip, as one store."""

from __future__ import annotations

import math
import threading
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

import numpy as np
import torch
from numpy.typing import NDArray

from ganzoo.data import Progress, memory
from ganzoo.data.classes import LABEL_FILE, OPTIONS, lay_out
from ganzoo.data.decoding import (
    EXTENSIONS,
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
from ganzoo.data.reading import (
    LeftOut,
    Reading,
    alike_but_for_case,
    by_ending,
    in_words,
    tally,
    words_for_sizes,
    words_for_square,
)
from ganzoo.data.spec import Options, parse_range, require_known
from ganzoo.data.store import Store, slug
from ganzoo.errors import DataError

MAX_ENTRY_BYTES = 128 * 2**20
"""A zip entry that unpacks to more than this is skipped: a few kilobytes can claim any size."""

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
    names, unreadable = _files(path)

    def read(name: str) -> bytes | None:
        found = path / name
        if not found.is_file():
            return None
        with found.open("rb") as stream:
            return read_bounded(stream, MAX_ENTRY_BYTES).read()

    source = _Source(path, names, lambda name: (path / name).open("rb"), read, tally(unreadable, "folders"))
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
        entries = {entry.filename.replace("\\", "/"): entry for entry in archive.infolist() if not entry.is_dir()}
        one_at_a_time = threading.Lock()  # ZipFile does not count its readers atomically

        def open_entry(name: str) -> IO[bytes]:
            with one_at_a_time, archive.open(entries[name]) as stream:
                return read_bounded(stream, MAX_ENTRY_BYTES)

        def read(name: str) -> bytes | None:
            return open_entry(name).read() if name in entries else None

        return _store(_Source(path, list(entries), open_entry, read), resolution, progress, options)


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


def _files(root: Path) -> tuple[list[str], list[tuple[str, str]]]:
    """Files below ``root``, linked folders too, none twice, links in a circle end; and folders that cannot be read, why."""
    seen = {root.resolve()}
    folders = [root]
    files: list[str] = []
    unreadable: list[tuple[str, str]] = []
    while folders:
        folder = folders.pop()
        try:
            entries = list(folder.iterdir())
        except OSError as error:
            if folder is root:
                raise DataError(f"cannot read {root}: {error.strerror or error}") from error
            unreadable.append((f"{folder.relative_to(root).as_posix()}/", error.strerror or str(error)))
            continue
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if not entry.is_dir():
                # A pipe or a device would be waited for; a broken link is listed with what cannot be read.
                if entry.is_file() or not entry.exists():
                    files.append(entry.relative_to(root).as_posix())
            elif (real := entry.resolve()) not in seen:
                seen.add(real)
                folders.append(entry)
    return files, unreadable


def _pictures_among(names: Iterable[str], path: Path) -> tuple[list[str], tuple[LeftOut, ...]]:
    """The names that are pictures by their ending, sorted, and the others but for labels. Raises DataError for no pictures."""
    seen = [name for name in names if not any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts)]
    chosen = sorted(name for name in seen if PurePosixPath(name).suffix.lower() in EXTENSIONS)
    others = by_ending(name for name in set(seen) - set(chosen) if PurePosixPath(name).name != LABEL_FILE)
    if not chosen:
        holds = f"it holds {in_words(others)}" if others else "it is empty"
        raise DataError(f"no pictures in {path}: {holds}", hint="pictures end in .png, .jpg, .webp, .gif, .bmp, .tiff, …")
    return chosen, others


@dataclass
class _Survey:
    """What the pictures are like, before any of them is decoded."""

    readable: list[str]
    skipped: dict[str, str]
    sizes: Counter[tuple[int, int]]
    deep: list[str]
    moving: int
    coarse: int
    channels: int


def _survey(source: _Source, names: Sequence[str]) -> _Survey:
    def look(index: int) -> tuple[tuple[int, int], bool, bool, bool, bool]:
        with source.open(names[index]) as stream, open_picture(stream) as image:
            return image.size, is_grey(image), is_deep(image), has_more_frames(image), loses_bits(image)

    found = _Survey([], {}, Counter(), [], 0, 0, 1)
    for name, seen in zip(names, in_threads(look, len(names)), strict=True):
        if isinstance(seen, Failure):
            found.skipped[name] = seen.reason
            continue
        size, grey, deep, moves, coarse = seen
        found.readable.append(name)
        found.sizes[size] += 1
        found.channels = found.channels if grey else 3
        found.deep += [name] if deep else []
        found.moving += moves
        found.coarse += coarse
    return found


def _store(source: _Source, resolution: int | None, progress: Progress | None, options: Options) -> Store:
    path, span = source.path, parse_range(options)
    chosen, others = _pictures_among(source.names, path)
    layout = lay_out(chosen, source.read, options)
    survey = _survey(source, layout.names)
    side = resolution or natural_resolution(survey.sizes)
    shape = (len(survey.readable), survey.channels, side, side)
    largest = int(min(side - 1, (memory.budget() / (survey.channels * max(1, len(survey.readable)))) ** 0.5))
    memory.require(math.prod(shape), f"{path} at {side} x {side}", hint=f"try --resolution {max(1, largest)} or less")
    pictures = np.empty(shape, dtype=np.uint8)
    white = white_of(_peak(source, survey.deep[:: max(1, len(survey.deep) // _DEEP_TRIED)])) if span is None else 0
    while True:
        kept, skipped, peak = _decode(source, survey.readable, pictures, span or (0.0, white), progress, not span)
        if span or peak <= white:
            break
        white = white_of(peak)  # so rare, after those that were tried, that all may be decoded once more
    skipped |= survey.skipped
    left_out = (
        *tally(((name, skipped[name]) for name in layout.names if name in skipped), "pictures"),
        *source.left_out,
        *layout.left_out,
        *others,
    )
    if len(kept) < 2:
        why = f"; left out: {in_words(left_out)}" if left_out else ""
        raise DataError(f"{path} holds {len(kept)} readable pictures, and training needs at least two{why}")
    labels, classes, word = layout.labels(kept)
    survey.deep = [name for name in survey.deep if name not in skipped]
    notes = _notes(survey, others, span or (0, white)) + alike_but_for_case(classes)
    made = words_for_square(survey.sizes, side)
    reading = Reading(words_for_sizes(survey.sizes), made, word, left_out, notes)
    name = path.resolve().name if path.is_dir() else path.stem
    return Store(
        slug(name),
        torch.from_numpy(pictures[: len(kept)]),
        None if labels is None else torch.tensor(labels),
        classes,
        reading,
    )


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


def _notes(survey: _Survey, others: Sequence[LeftOut], span: tuple[float, float]) -> tuple[str, ...]:
    notes = []
    if survey.deep:
        some = f"{len(survey.deep):,} pictures have" if len(survey.deep) > 1 else "1 picture has"
        notes.append(f"{some} more than 8 bits: {span[0]:g} is black and {span[1]:,g} is white ('?range=LOW,HIGH' says else)")
    if survey.coarse:
        notes.append(f"of {survey.coarse:,} colour pictures of 16 bits the upper 8 are read: if they look black, convert them")
    if survey.moving:
        some = f"{survey.moving:,} animations or files" if survey.moving > 1 else "1 animation or file"
        notes.append(f"{some} of several pages give{'s' * (survey.moving == 1)} the first")
    if photos := [one.what.split()[0] for one in others if one.what.startswith((".heic", ".heif", ".dng", ".cr2", ".nef"))]:
        notes.append(f"pictures in {' and '.join(photos)} are not read: convert them to .jpg")
    return tuple(notes)
