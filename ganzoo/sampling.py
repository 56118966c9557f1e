"""Seeds to samples on disk, in the forms that their modality writes, in memory that does not grow with their number."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganzoo.class_names import folder_name
from ganzoo.errors import PluginError, UsageError
from ganzoo.files import replace_file, replace_folder, replace_named_file, unwritable, user_path
from ganzoo.interfaces import Generator
from ganzoo.modalities.asking import asking, noun_of
from ganzoo.modalities.base import AT_ONCE, PREVIEW_FORMS, Batch, Modality, Rows, Samples, are_rows, rows_of
from ganzoo.threads import on_fastest_threads

TRIAL = 16
"""On so many it is tried how many threads are fastest."""

MAX_LETTERS = 1 << 22
"""The most that the names of all classes may take as an array, 4 bytes each."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Shown:
    """A few samples of which all is known that files are made of. What computes with torch has been done.

    Attributes:
        decoded: As their modality decoded them.
        rows: As an NPZ file has them, which shows them if nothing else does.
    """

    decoded: Any
    rows: Rows


def to_show(samples: Tensor, modality: Modality) -> Shown:
    """Decode a few samples, once. Raises PluginError if their modality fails."""
    with asking(modality, "decode"):
        decoded = modality.decode(samples)
    if type(modality).rows is not Modality.rows:
        return Shown(decoded, rows_to_write(samples, modality))
    return Shown(decoded, rows_of(decoded, samples))


def write_preview(stem: Path, samples: Tensor, modality: Modality) -> Path:
    """Write a few samples as files that can be looked at, or else as ``stem.npz``. Returns the path of the first."""
    return write_shown(stem, to_show(samples, modality), modality)


def write_shown(stem: Path, shown: Shown, modality: Modality) -> Path:
    """As :func:`write_preview`, of samples that have been decoded.

    Raises:
        PluginError: The modality fails, or makes files of a form that is not known, or of something else than bytes.
    """
    with asking(modality, "preview"):
        files = dict(modality.preview(shown.decoded))
    if odd := files.keys() - set(PREVIEW_FORMS):
        known = ", ".join(PREVIEW_FORMS)
        raise PluginError(f"the modality {modality.name!r} shows samples as .{min(odd, key=str)}, which is none of {known}")
    paths = []
    for form in (form for form in PREVIEW_FORMS if form in files):
        if not isinstance(files[form], (bytes, bytearray, memoryview)):
            kind = type(files[form]).__name__
            hint = "text.encode()" if kind == "str" else None
            raise PluginError(f"the modality {modality.name!r} shows samples as .{form} in a {kind}, not in bytes", hint=hint)
        paths.append(stem.with_name(f"{stem.name}.{form}"))
        with replace_file(paths[-1]) as beside:
            beside.write_bytes(files[form])
    if not paths:
        paths.append(stem.with_name(f"{stem.name}.npz"))
        with _archive(paths[0]) as archive:
            _write_member(archive, "arr_0", len(shown.rows), iter([shown.rows]), modality)
    return paths[0]


def sample_to(
    path: Path,
    generator: Generator,
    seeds: Sequence[int],
    modality: Modality,
    *,
    classes: Sequence[int] | None = None,
    class_names: Sequence[str] = (),
    truncation: float | None = None,
    progress: Progress | None = None,
) -> None:
    """Write the samples of ``seeds`` to ``path``.

    Args:
        path: ``*.npz``: see :func:`write_array`. Else what its ending means to the modality; of pictures, ``*.png``, ``*.jpg``
            and ``*.webp`` are one sheet, and a name without an ending is a folder, which must not exist or be empty.
        generator: What makes them.
        seeds: One sample each, and if there are several classes one of each class.
        modality: What the samples are.
        classes: Those to draw, one after another, if the generator is conditional; by default one for each seed.
        class_names: The names of all of the generator's classes, if they have some.
        truncation: As in :meth:`ganzoo.Generator.sample`.
        progress: Called with samples done and samples in all.

    Raises:
        UsageError: A path that cannot be written, or a form that the samples do not have.
        PluginError: The modality's writer fails.
    """
    plan = _Plan(seeds, tuple(classes or ()), generator.num_classes, class_names)
    path = user_path(path)
    if not plan.count:
        raise UsageError("no seeds to sample")
    _check_path(path, modality)

    failed: list[Exception] = []

    def make(start: int, stop: int) -> Tensor:
        return generator.sample(plan.seeds_of(start, stop), labels=plan.labels_of(start, stop), truncation=truncation)

    def batch(start: int, stop: int) -> Batch:
        try:
            made = make(start, stop)
        except Exception as error:
            failed.append(error)
            raise
        if progress:
            progress(stop, plan.count)
        return Batch(made, [plan.name_of(index) for index in range(start, stop)], plan.labels_of(start, stop))

    samples = Samples(plan.count, batch, max(1, len(plan.classes)), class_names)
    device = next((t.device for t in generator.parameters()), torch.device("cpu"))
    trial = partial(make, 0, min(TRIAL, plan.count))
    with on_fastest_threads(trial, device) if plan.count > AT_ONCE else contextlib.nullcontext():
        _write(path, samples, modality, failed)


def _check_path(path: Path, modality: Modality) -> None:
    """Raise UsageError unless samples of this modality can be written there."""
    form = path.suffix.lower()
    with asking(modality, "writers"):
        writers = dict(modality.writers())
    forms = [*(suffix for suffix in writers if suffix), ".npz"]
    if form not in (*writers, ".npz") or path.name in ("", "-"):
        words = f"{', '.join(forms[:-1])}{' or ' if forms[1:] else ''}{forms[-1]}" + (
            ", or a folder's name" if "" in writers else ""
        )
        raise UsageError(f"cannot write {noun_of(modality)} to {str(path)!r}", hint=f"-o takes a {words}")
    if form and path.is_dir():
        raise UsageError(f"{str(path)!r} is a folder")
    if folder := unwritable(path):
        raise UsageError(f"cannot write to {str(folder)!r}", hint=f"name another place: -o samples{forms[0]}")
    if not form and path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise UsageError(f"{str(path)!r} exists already", hint=f"name a new folder, or a file: -o samples{forms[0]}")


@dataclass(frozen=True)
class _Plan:
    """Which samples are drawn, in order: of each class, one after another, all seeds.

    Attributes:
        seeds: Of each class.
        classes: Those that were asked for; none: each seed has its own.
        num_classes: 0 for a generator that has none.
        class_names: Of all classes, if they have some.
    """

    seeds: Sequence[int]
    classes: tuple[int, ...]
    num_classes: int
    class_names: Sequence[str]

    @property
    def count(self) -> int:
        return len(self.seeds) * max(1, len(self.classes))

    def seeds_of(self, start: int, stop: int) -> list[int]:
        return [self.seeds[index % len(self.seeds)] for index in range(start, stop)]

    def labels_of(self, start: int, stop: int) -> list[int] | None:
        if self.classes:
            return [self.classes[index // len(self.seeds)] for index in range(start, stop)]
        return [seed % self.num_classes for seed in self.seeds_of(start, stop)] if self.num_classes else None

    def name_of(self, index: int) -> str:
        """Of a file for that sample alone."""
        name = f"seed{self.seeds[index % len(self.seeds)]:08d}"
        if len(self.classes) < 2:
            return name
        return f"{folder_name(self.classes[index // len(self.seeds)], self.class_names)}/{name}"


def _write(path: Path, samples: Samples, modality: Modality, failed: Sequence[Exception]) -> None:
    """In the form that the path's suffix names. What ``failed`` as samples were made is not for the writer to answer for."""
    form = path.suffix.lower()
    if form == ".npz":
        write_array(path, samples, modality)
        return
    with asking(modality, "writers"):
        write = modality.writers()[form]
    with replace_named_file(path) if form else replace_folder(path) as beside:
        try:
            write(beside, samples)
        except Exception as error:
            if error in failed:
                raise
            with asking(modality, f"writing {form or 'a folder'}"):
                raise
        if form and not beside.is_file():
            raise PluginError(f"the modality {modality.name!r} wrote no {form} file to the path that it was given")


def write_array(path: Path, samples: Samples, modality: Modality) -> None:
    """Write samples to an NPZ file, some at a time, so that memory does not grow with their number.

    ``arr_0`` are the samples as :meth:`ganzoo.Modality.rows` has them: of pictures, uint8 NHWC; of arrays, float32 as they
    are. ``labels``, int64, are their classes, if they have some; ``class_names``, texts, the names of all classes by number,
    which are left out if they are too long for an array.

    Raises:
        PluginError: The modality fails, or makes no such rows of a batch as of the first.
    """

    def first_of_each(batches: Iterator[tuple[Rows, Rows | None]]) -> Iterator[Rows]:
        for rows, classes in batches:
            if classes is not None:
                labels.append(classes)
            yield rows

    labels: list[Rows] = []
    made = ((rows_to_write(b.samples, modality), None if b.labels is None else np.asarray(b.labels, "<i8")) for b in samples)
    with _archive(path) as archive:
        _write_member(archive, "arr_0", samples.count, first_of_each(made), modality)
        if labels:
            _write_member(archive, "labels", samples.count, iter(labels), modality)
            if samples.class_names and fits_an_array(samples.class_names):
                names = np.asarray(samples.class_names)
                _write_member(archive, "class_names", len(names), iter([names]), modality)


def fits_an_array(names: Sequence[str]) -> bool:
    """Whether an array of these names, each of which takes as much as the longest, is no larger than anybody wants it."""
    return len(names) * max(map(len, names), default=0) <= MAX_LETTERS


@contextlib.contextmanager
def _archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """An NPZ file to fill."""
    with replace_file(path) as beside, zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        yield archive


def rows_to_write(samples: Tensor, modality: Modality) -> Rows:
    """A row for each, as the modality has them. Raises PluginError if it fails, or what it makes is not that."""
    with asking(modality, "rows"):
        rows = modality.rows(samples)
    if not are_rows(rows, len(samples)):
        kind = f"{rows.dtype} {rows.shape}" if isinstance(rows, np.ndarray) else type(rows).__name__
        wanted = f"an array of numbers or booleans with {len(samples)} rows"
        raise PluginError(f"the modality {modality.name!r} has {kind} for the rows of {len(samples)} samples, not {wanted}")
    return rows


def _write_member(archive: zipfile.ZipFile, name: str, count: int, parts: Iterator[Rows], modality: Modality) -> None:
    """An array of so many rows, part by part. Raises PluginError for parts that are no array together."""
    first, written = "", 0
    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
        for rows in parts:
            kind = f"{rows.dtype.str} {rows.shape[1:]}"
            if not first:
                header = {"descr": rows.dtype.str, "fortran_order": False, "shape": (count, *rows.shape[1:])}
                np.lib.format.write_array_header_1_0(member, header)
                first = kind
            if kind != first:
                raise PluginError(
                    f"the modality {modality.name!r} makes rows of {kind} after rows of {first}: all must be alike"
                )
            member.write(np.ascontiguousarray(rows).tobytes())
            written += len(rows)
    if written != count:
        raise PluginError(f"{name} has {written} rows of the modality {modality.name!r} for {count} samples")
