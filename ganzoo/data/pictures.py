"""Pictures of any sizes and modes, in a folder or a zip, as one store."""

from __future__ import annotations

import math
import threading
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import IO

import numpy as np
import torch
from torch import Tensor

from ganzoo.data import Progress, memory
from ganzoo.data.decoding import (
    EXTENSIONS,
    Failure,
    in_threads,
    is_grey,
    natural_resolution,
    open_picture,
    read_bounded,
    square,
)
from ganzoo.data.store import Store, slug
from ganzoo.errors import DataError

MAX_ENTRY_BYTES = 128 * 2**20
"""A zip entry that unpacks to more than this is skipped: a few kilobytes can claim any size."""


def open_folder(path: Path, *, resolution: int | None = None, progress: Progress | None = None) -> Store:
    """The pictures in a folder and its sub-folders, in the order of their paths; hidden files are left out.

    Args:
        path: The folder.
        resolution: Side of the square pictures. None: their own if all are alike, square and at most 256 wide, else 64.
        progress: Told how far decoding is.

    Returns:
        uint8 pictures, grey only if all files are. If every file lies in one of at least two sub-folders, these are the
        classes; a single sub-folder around everything does not count. What cannot be read is in ``skipped``.

    Raises:
        DataError: No folder that can be read, fewer than two readable pictures, or more than the memory holds.
    """
    try:
        names = [found.relative_to(path).as_posix() for found in _files(path)]
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    chosen = _pictures_among(names, path)
    return _store(path, chosen, lambda i: (path / chosen[i]).open("rb"), resolution, progress)


def open_zip(path: Path, *, resolution: int | None = None, progress: Progress | None = None) -> Store:
    """The pictures in a zip, exactly as :func:`open_folder` takes them from a folder; nothing is unpacked to disk.

    Raises:
        DataError: As for a folder, or the file is no zip.
    """
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise DataError(f"cannot read {path}: {error}") from error
    with archive:
        entries = {entry.filename: entry for entry in archive.infolist() if not entry.is_dir()}
        chosen = _pictures_among(entries, path)
        one_at_a_time = threading.Lock()  # ZipFile does not count its readers atomically

        def read(index: int) -> IO[bytes]:
            with one_at_a_time, archive.open(entries[chosen[index]]) as stream:
                return read_bounded(stream, MAX_ENTRY_BYTES)

        return _store(path, chosen, read, resolution, progress)


def _files(root: Path) -> Iterator[Path]:
    """Files below ``root``, linked folders too; none twice, and links in a circle end."""
    seen = {root.resolve()}
    folders = [root]
    while folders:
        for entry in folders.pop().iterdir():
            if entry.name.startswith("."):
                continue
            if not entry.is_dir():
                # A pipe or a device would be waited for; a broken link is listed with what cannot be read.
                if entry.is_file() or not entry.exists():
                    yield entry
            elif (real := entry.resolve()) not in seen:
                seen.add(real)
                folders.append(entry)


def _pictures_among(names: Iterable[str], path: Path) -> list[str]:
    """The names that are pictures by their extension, sorted. Raises DataError if there are none."""
    seen = [name for name in names if not any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts)]
    chosen = sorted(name for name in seen if PurePosixPath(name).suffix.lower() in EXTENSIONS)
    if not chosen:
        kinds = Counter(PurePosixPath(name).suffix.lower() or "(no extension)" for name in seen).most_common(3)
        holds = "it holds " + ", ".join(f"{n} {kind}" for kind, n in kinds) if kinds else "it is empty"
        raise DataError(f"no pictures in {path}: {holds}", hint="pictures end in .png, .jpg, .webp, .gif, .bmp, .tiff, …")
    return chosen


def _store(
    path: Path, names: list[str], read: Callable[[int], IO[bytes]], resolution: int | None, progress: Progress | None
) -> Store:
    def survey(index: int) -> tuple[tuple[int, int], bool]:
        with read(index) as stream, open_picture(stream) as image:
            return image.size, is_grey(image)

    skipped: dict[int, str] = {}
    sizes: set[tuple[int, int]] = set()
    channels = 1
    for index, found in enumerate(in_threads(survey, len(names))):
        if isinstance(found, Failure):
            skipped[index] = found.reason
        else:
            sizes.add(found[0])
            channels = channels if found[1] else 3
    side = resolution or natural_resolution(sizes)
    readable = [index for index in range(len(names)) if index not in skipped]
    shape = (len(readable), channels, side, side)
    largest = int(min(side - 1, (memory.budget() / (channels * max(1, len(readable)))) ** 0.5))
    memory.require(math.prod(shape), f"{path} at {side} x {side}", hint=f"try --resolution {max(1, largest)} or less")
    pictures = np.empty(shape, dtype=np.uint8)

    def decode(slot: int) -> None:
        with read(readable[slot]) as stream, open_picture(stream) as image:
            pictures[slot] = square(image, side, channels)

    kept: list[int] = []
    for slot, failure in enumerate(in_threads(decode, len(readable))):
        if isinstance(failure, Failure):
            skipped[readable[slot]] = failure.reason
        else:
            # Closing the gaps in place: a second array might not fit.
            if len(kept) != slot:
                pictures[len(kept)] = pictures[slot]
            kept.append(readable[slot])
        if progress:
            progress(slot + 1, len(readable))
    reasons = tuple(f"{names[index]}: {reason}" for index, reason in sorted(skipped.items()))
    if len(kept) < 2:
        first = f"; {len(reasons)} could not be read, the first is {reasons[0]}" if reasons else ""
        raise DataError(f"{path} holds {len(kept)} readable pictures, and training needs at least two{first}")
    labels, classes = _classes([names[index] for index in kept])
    name = path.resolve().name if path.is_dir() else path.stem
    return Store(slug(name), torch.from_numpy(pictures[: len(kept)]), labels, classes, reasons)


def _classes(names: Sequence[str]) -> tuple[Tensor | None, tuple[str, ...]]:
    folders = [PurePosixPath(name).parts[:-1] for name in names]
    while all(folders) and len({parts[0] for parts in folders}) == 1:
        folders = [parts[1:] for parts in folders]
    if not all(folders):
        return None, ()
    classes = tuple(sorted({parts[0] for parts in folders}))
    number = {name: index for index, name in enumerate(classes)}
    return torch.tensor([number[parts[0]] for parts in folders]), classes
