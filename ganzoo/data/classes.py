"""Which class each file of a folder or a zip is of, by the folders that it lies in or by a ``dataset.json``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from ganzoo.data.labels import classes_of
from ganzoo.data.reading import SHOWN_NAMES, LeftOut, short
from ganzoo.data.spec import Options
from ganzoo.errors import UsageError

OPTIONS = ("labels", "split", "range")

LABEL_FILE = "dataset.json"
"""Where StyleGAN's ``dataset_tool`` writes labels, beside folders that mean nothing."""

_TRAINING = {"train", "training"}
_SPLITS = _TRAINING | {"val", "valid", "validation", "test", "testing", "dev", "eval"}

_STRAYS = 0.1
"""One picture without a class, or no more than this part of all of them, does not cost the others theirs."""

Read = Callable[[str], bytes | None]
"""The content of a file by its name, None if there is none."""


@dataclass(frozen=True)
class Layout:
    """What the folders of some files mean.

    Attributes:
        names: The files that belong to the data, in order.
        class_of: The class of each of them, a folder's name or a number; empty if there are no classes.
        why: Where the classes come from, or why there are none.
        left_out: Files that do not belong.
    """

    names: tuple[str, ...]
    class_of: Mapping[str, str | int]
    why: str = ""
    left_out: tuple[LeftOut, ...] = ()

    def labels(self, names: Sequence[str]) -> tuple[list[int] | None, tuple[str, ...], str]:
        """Classes as numbers for those of the files that could be read, the classes' names, and why."""
        if not self.class_of:
            return None, (), self.why
        found = [self.class_of[name] for name in names]
        numbers = [label for label in found if isinstance(label, int)]
        if len(numbers) == len(found):
            return numbers, (), self.why
        classes = sorted({str(label) for label in found})
        if len(classes) < 2:
            return None, (), f"all pictures that can be read are in one of the class folders, {short(classes[0])}"
        number = {name: index for index, name in enumerate(classes)}
        return [number[str(label)] for label in found], tuple(classes), self.why


def lay_out(names: Sequence[str], read: Read, options: Options) -> Layout:
    """Find the classes of files.

    In this order: no classes with ``labels=none``; those in a ``dataset.json``; none if the folders are StyleGAN's or FFHQ's,
    each for a thousand files; else the folders, if there are two or more with next to no picture outside of them. A folder
    around everything does not count, and of folders that are called train, val and test, train is the data (``split=``).

    Args:
        names: Paths of the files, with ``/`` in them, sorted.
        read: Reads a file beside them.
        options: ``labels`` (``none``, or ``folders`` to insist on these) and ``split`` (a folder's name, or ``all``).

    Raises:
        UsageError: An option that does not fit.
    """
    wanted = options.get("labels")
    if wanted not in (None, "none", "folders"):
        raise UsageError(f"labels={wanted}: for pictures in folders it is none or folders")
    folders = _inner({name: PurePosixPath(name).parts[:-1] for name in names})
    folders, left_out, said = _split(folders, options.get("split"))
    if wanted == "none":
        return Layout(tuple(folders), {}, "as was asked", left_out)
    if wanted is None and (found := _from_file(tuple(folders), read)):
        class_of, why = found
        if unlabelled := [name for name in folders if name not in class_of] if class_of else []:
            left_out += (_left_out(unlabelled, f"without a label in {LABEL_FILE}"),)
        return Layout(tuple(class_of or folders), class_of, why + said, left_out)
    folders = _inner(folders)
    inside = {name: parts[0] for name, parts in folders.items() if parts}
    strays = [name for name, parts in folders.items() if not parts]
    classes = set(inside.values())
    if wanted is None and _are_buckets(inside):
        buckets = f"folders such as {short(min(classes))} number files by the thousand, and there is no {LABEL_FILE}"
        return Layout(tuple(folders), {}, f"{buckets}; '?labels=folders' makes classes of them{said}", left_out)
    if len(classes) < 2:
        if wanted == "folders":
            raise UsageError("labels=folders: the pictures do not lie in two or more folders")
        return Layout(tuple(folders), {}, said.removeprefix(", "), left_out)
    if wanted is None and not _are_few(len(strays), len(folders)):
        some = f"{len(strays):,} of {len(folders):,} pictures lie in none of the {len(classes):,} folders"
        return Layout(tuple(folders), {}, f"{some}; '?labels=folders' leaves them out{said}", left_out)
    if strays:
        left_out += (_left_out(strays, "outside the class folders"),)
    return Layout(tuple(inside), inside, f"by folder{said}", left_out)


def _left_out(names: Sequence[str], why: str) -> LeftOut:
    return LeftOut(len(names), f"{_pictures(len(names))} {why}", tuple(names[:SHOWN_NAMES]))


def _pictures(count: int) -> str:
    return "pictures" if count > 1 else "picture"


def _are_few(strays: int, count: int) -> bool:
    """Whether so few of ``count`` pictures have no class that those of the others are meant."""
    return strays <= max(1, _STRAYS * count)


_Folders = dict[str, tuple[str, ...]]
"""The folders that each file lies in."""


def _inner(folders: _Folders) -> _Folders:
    """Without those that are around everything."""
    while all(folders.values()) and len({parts[0] for parts in folders.values()}) == 1:
        folders = {name: parts[1:] for name, parts in folders.items()}
    return folders


def _split(folders: _Folders, wanted: str | None) -> tuple[_Folders, tuple[LeftOut, ...], str]:
    """The files of the part of the data that is to train on."""
    parts = {path[0] for path in folders.values() if path and path[0].lower() in _SPLITS}
    beside = [name for name, path in folders.items() if not path or path[0] not in parts]
    if len(parts) < 2 or not _are_few(len(beside), len(folders)):
        if wanted not in (None, "all"):
            raise UsageError(f"split={wanted}: there are no folders called train, val or test")
        return folders, (), ""
    training = {p for p in parts if p.lower() in _TRAINING}
    chosen = training if wanted is None else parts if wanted == "all" else {p for p in parts if p.lower() == wanted.lower()}
    if wanted is not None and not chosen:
        raise UsageError(f"split={wanted}: the folders are {', '.join(sorted(parts))}", hint="or all of them: split=all")
    chosen = chosen or parts
    inside = {name: path[1:] for name, path in folders.items() if path and path[0] in chosen}
    left_out = [_left_out(beside, "beside these folders")] if beside else []
    for part in sorted(parts - chosen):
        others = sum(path[:1] == (part,) for path in folders.values())
        left_out.append(LeftOut(others, f"{_pictures(others)} in {part}, which '?split={part}' or '?split=all' takes"))
    return inside, tuple(left_out), f", of {' and '.join(sorted(chosen))}"


def _are_buckets(folder_of: Mapping[str, str]) -> bool:
    """Whether each folder follows from the number of its file: ``00001/img00001234.png``, or FFHQ's ``01000/01234.png``."""
    for name, folder in folder_of.items():
        if not folder.isdecimal() or len(folder) < 5:
            return False
        stem = PurePosixPath(name).stem
        digits = stem[len(stem.rstrip("0123456789")) :]
        if not digits or len(digits) > 18 or int(folder) not in (int(digits) // 1000, int(digits) // 1000 * 1000):
            return False
    return bool(folder_of)


def _from_file(names: Sequence[str], read: Read) -> tuple[dict[str, str | int], str] | None:
    """The classes that StyleGAN's label file has for these files, and a word; None if there is no such file."""
    common = PurePosixPath(names[0]).parts[:-1] if names else ()
    for depth in range(len(common), -1, -1):
        folder = PurePosixPath(*common[:depth])
        content = read((folder / LABEL_FILE).as_posix())
        rows = _rows(content) if content is not None else None
        if rows is None:
            continue
        if not rows:
            return {}, f"{LABEL_FILE} has no labels"
        own = {(folder / name.replace("\\", "/")).as_posix(): label for name, label in rows.items()}
        labelled = [name for name in names if name in own]
        missing = len(names) - len(labelled)
        if not labelled or not _are_few(missing, len(names)):
            return {}, f"{LABEL_FILE} has no label for {missing:,} of {len(names):,} pictures"
        try:
            values = np.array([own[name] for name in labelled])
        except ValueError:
            return {}, f"labels in {LABEL_FILE} are of several forms"
        found = classes_of(values, len(labelled))
        if isinstance(found, str):
            return {}, f"{LABEL_FILE}: {found}"
        numbers, texts = found
        labels = [texts[number] if texts else number for number in numbers.tolist()]
        return dict(zip(labelled, labels, strict=True)), f"by {LABEL_FILE}"
    return None


def _rows(content: bytes) -> dict[str, Any] | None:
    """The labels in a StyleGAN label file by file name; empty if it has none, None if it is no such file."""
    try:
        labels = json.loads(content)["labels"]
        return {str(name): label for name, label in labels or ()}
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
