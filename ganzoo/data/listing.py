"""Which files a folder holds, which of them are pictures by their names, and what to do with files of other kinds."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from ganzoo.data.classes import LABEL_FILE
from ganzoo.data.decoding import EXTENSIONS
from ganzoo.data.reading import SHOWN_NAMES, LeftOut, by_ending, in_words, tally
from ganzoo.errors import DataError

_PHOTOS = (".arw", ".avif", ".cr2", ".cr3", ".dng", ".heic", ".heif", ".jxl", ".nef", ".psd", ".svg")
_PACKED = (".7z", ".gz", ".rar", ".tar", ".tgz", ".zip")

_ADVICE = (
    (tuple(EXTENSIONS), "one picture is too few: name the folder or the zip that it is in"),
    (_PHOTOS, "pictures of this kind are not read: convert them to .jpg or .png"),
    ((".npy", ".npz"), "name an array itself: --data {name}"),
    ((".zip",), "name the zip itself, which need not be unpacked: --data {name}"),
    ((".tar",), "unpack it; a tar in webdataset's form is read as it is: --data 'wds/{stem}?root={folder}&split={file}'"),
    (_PACKED, "unpack it"),
    (
        (".csv", ".tsv", ".txt"),
        "a table of numbers is read as an array; to make one: "
        "python -c \"import numpy; numpy.save('rows.npy', numpy.loadtxt('{name}', delimiter=',', skiprows=1))\"",
    ),
    (
        (".pickle", ".pkl", ".pt", ".pth"),
        "what is pickled can run any code and is not read: save its arrays by numpy.save or numpy.savez",
    ),
    ((".arrow", ".h5", ".hdf5", ".mat", ".parquet", ".tfrecord"), "save its arrays by numpy.save or numpy.savez"),
    ((".avi", ".mkv", ".mov", ".mp4", ".webm"), "save the frames of a film as pictures"),
)


def advice(path: Path) -> str | None:
    """What to do with a file that is of no use as it is, by the ending of its name; None if nobody knows."""
    words = next((words for endings, words in _ADVICE if path.suffix.lower() in endings), None)
    return words and words.format(name=path, stem=path.stem, folder=path.parent, file=path.name)


def advice_on_left_out(names: Iterable[str]) -> tuple[str, ...]:
    """Notes on files beside pictures, if they too are pictures, or may hold some."""
    endings = {PurePosixPath(name).suffix.lower() for name in names}
    notes = []
    if photos := sorted(endings.intersection(_PHOTOS)):
        notes.append(f"pictures in {' and '.join(photos)} are not read: convert them to .jpg")
    if packed := sorted(endings.intersection(_PACKED)):
        notes.append(f"what is in {' and '.join(packed)} is not read: unpack it, or name it by itself")
    return tuple(notes)


def files_below(root: Path) -> tuple[list[str], tuple[LeftOut, ...]]:
    """Files below ``root`` that are not hidden, and what cannot be listed.

    Linked folders are read, after all others and none twice; no link leads out to a folder that ``root`` itself is in.

    Raises:
        DataError: ``root`` cannot be read.
    """
    home, seen = root.resolve(), set[Path]()
    folders, links = [root], list[Path]()
    files: list[str] = []
    unreadable: list[tuple[str, str]] = []
    circles: list[str] = []
    waiting: list[str] = []
    while folders or links:
        folder = folders.pop() if folders else links.pop(0)
        name, real = f"{folder.relative_to(root).as_posix()}/", folder.resolve()
        if real in seen or (folder is not root and home.is_relative_to(real)):
            circles.append(name)
            continue
        seen.add(real)
        try:
            with os.scandir(folder) as found:
                entries = sorted((entry for entry in found if not entry.name.startswith(".")), key=lambda entry: entry.name)
        except OSError as error:
            if folder is root:
                raise DataError(f"cannot read {root}: {error.strerror or error}") from error
            unreadable.append((name, error.strerror or str(error)))
            continue
        for entry in entries:
            path = folder / entry.name
            if _is_folder(entry):
                (links if entry.is_symlink() else folders).append(path)
            else:
                (waiting if _would_wait(entry) else files).append(path.relative_to(root).as_posix())
    left_out = tally(unreadable, "folders")
    if waiting:
        left_out += (LeftOut(len(waiting), "that are pipes or devices", tuple(sorted(waiting)[:SHOWN_NAMES])),)
    if circles:
        what = "folder links, to what is read already or to folders around this one"
        left_out += (LeftOut(len(circles), what, tuple(sorted(circles)[:SHOWN_NAMES])),)
    return files, left_out


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # whoever opens it will see why
        return False


def _would_wait(entry: os.DirEntry[str]) -> bool:
    """Whether it is a pipe or a device; a broken link is none, and is counted with what cannot be read."""
    try:
        return not entry.is_file() and not stat.S_ISREG(entry.stat().st_mode)
    except OSError:
        return False


def pictures_among(names: Sequence[str], path: Path) -> tuple[list[str], list[str]]:
    """The names that are pictures by their ending, sorted, and the others, but for hidden ones and files of labels.

    Raises:
        DataError: There is no picture.
    """
    seen = [name for name in names if not any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts)]
    chosen = sorted(name for name in seen if PurePosixPath(name).suffix.lower() in EXTENSIONS)
    others = sorted(name for name in set(seen) - set(chosen) if PurePosixPath(name).name != LABEL_FILE)
    if chosen:
        return chosen, others
    kinds = by_ending(others)
    hint = "pictures end in .png, .jpg, .webp, .gif, .bmp, .tiff, …"
    if kinds:
        first = max(kinds, key=lambda kind: kind.count).names[0]
        # What is packed in a zip has no path of its own.
        packed = path.is_file() and PurePosixPath(first).suffix.lower() in (*_PACKED, ".npy", ".npz")
        hint = f"unpack {path}, and name what is in it" if packed else advice(path / first) or hint
    raise DataError(f"no pictures in {path}: {f'it holds {in_words(kinds)}' if kinds else 'it is empty'}", hint=hint)
