"""Seeds to samples on disk, in the forms that their modality writes, in memory that does not grow with their number."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ganzoo.class_names import folder_name
from ganzoo.errors import GanzooError, PluginError, UsageError, describe
from ganzoo.files import replace_file, replace_folder, unwritable, user_path
from ganzoo.interfaces import Generator
from ganzoo.modalities.base import AT_ONCE, PREVIEW_FORMS, Batch, Modality, Rows, Samples
from ganzoo.threads import on_fastest_threads

TRIAL = 16
"""On so many it is tried how many threads are fastest."""

MAX_LETTERS = 1 << 22
"""The most that the names of all classes may take as an array, 4 bytes each."""

Progress = Callable[[int, int], None]


def write_preview(stem: Path, samples: Tensor, modality: Modality) -> Path:
    """Write a few samples as files that can be looked at, or else as ``stem.npz``. Returns the path of the first."""
    return write_shown(stem, modality.decode(samples), modality) or _write_npz_preview(stem, samples, modality)


def write_shown(stem: Path, decoded: object, modality: Modality) -> Path | None:
    """Write a few samples, as their modality decoded them, as files that can be looked at. Returns the path of the first.

    Raises:
        PluginError: The modality fails, or makes files of a form that is not known.
    """
    try:
        files = dict(modality.preview(decoded))
    except (GanzooError, OSError):
        raise
    except Exception as error:
        raise PluginError(f"the modality {modality.name!r} cannot show its samples: {describe(error)}") from error
    if odd := files.keys() - set(PREVIEW_FORMS):
        known = ", ".join(PREVIEW_FORMS)
        raise PluginError(f"the modality {modality.name!r} shows samples as .{min(odd)}, which is none of {known}")
    paths = []
    for form in (form for form in PREVIEW_FORMS if form in files):
        paths.append(stem.with_name(f"{stem.name}.{form}"))
        with replace_file(paths[-1]) as beside:
            beside.write_bytes(files[form])
    return paths[0] if paths else None


def _write_npz_preview(stem: Path, samples: Tensor, modality: Modality) -> Path:
    path = stem.with_name(f"{stem.name}.npz")
    write_array(path, Samples(len(samples), lambda start, stop: Batch(samples[start:stop], (), None)), modality)
    return path


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
    form, writers = path.suffix.lower(), modality.writers()
    forms = [*(suffix for suffix in writers if suffix), ".npz"]
    if form not in (*writers, ".npz") or path.name in ("", "-"):
        words = f"{', '.join(forms[:-1])}{' or ' if forms[1:] else ''}{forms[-1]}" + (
            ", or a folder's name" if "" in writers else ""
        )
        raise UsageError(f"cannot write {modality.noun} to {str(path)!r}", hint=f"-o takes a {words}")
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
    write = modality.writers()[form]
    with replace_file(path) if form else replace_folder(path) as beside:
        try:
            write(beside, samples)
        except (GanzooError, OSError, MemoryError, torch.OutOfMemoryError):
            raise
        except Exception as error:
            if error in failed:
                raise
            raise PluginError(
                f"the modality {modality.name!r} cannot write {form or 'a folder'}: {describe(error)}"
            ) from error


def write_array(path: Path, samples: Samples, modality: Modality) -> None:
    """Write samples to an NPZ file, some at a time, so that memory does not grow with their number.

    ``arr_0`` are the samples as :meth:`ganzoo.Modality.rows` has them: of pictures, uint8 NHWC; of arrays, float32 as they
    are. ``labels``, int64, are their classes, if they have some; ``class_names``, texts, the names of all classes by number,
    which are left out if they are too long for an array.
    """

    def first_of_each(batches: Iterator[tuple[Rows, Rows | None]]) -> Iterator[Rows]:
        for rows, classes in batches:
            if classes is not None:
                labels.append(classes)
            yield rows

    labels: list[Rows] = []
    made = ((modality.rows(b.samples), None if b.labels is None else np.asarray(b.labels, "<i8")) for b in samples)
    with replace_file(path) as beside, zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        _write_member(archive, "arr_0", samples.count, first_of_each(made))
        if labels:
            _write_member(archive, "labels", samples.count, iter(labels))
            if samples.class_names and fits_an_array(samples.class_names):
                _write_member(archive, "class_names", len(samples.class_names), iter([np.asarray(samples.class_names)]))


def fits_an_array(names: Sequence[str]) -> bool:
    """Whether an array of these names, each of which takes as much as the longest, is no larger than anybody wants it."""
    return len(names) * max(map(len, names), default=0) <= MAX_LETTERS


def _write_member(archive: zipfile.ZipFile, name: str, count: int, parts: Iterator[Rows]) -> None:
    """An array of so many rows, part by part."""
    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
        for number, rows in enumerate(parts):
            if number == 0:
                header = {"descr": rows.dtype.str, "fortran_order": False, "shape": (count, *rows.shape[1:])}
                np.lib.format.write_array_header_1_0(member, header)
            member.write(np.ascontiguousarray(rows).tobytes())
