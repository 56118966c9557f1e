"""Seeds to samples on disk: one picture of many, a folder of pictures, or an array, in bounded memory."""

from __future__ import annotations

import contextlib
import math
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from ganzoo.class_names import folder_name
from ganzoo.errors import UsageError
from ganzoo.files import replace_file, replace_folder, unwritable, user_path
from ganzoo.interfaces import Generator
from ganzoo.model_folder import can_be_drawn as can_be_drawn
from ganzoo.threads import on_fastest_threads

AT_ONCE = 256
"""So many samples are made and written at a time."""

SHEETS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
"""The forms of a sheet of pictures, by what the file's name ends in."""
QUALITY = 92
"""Of JPEG and WebP, of 100."""

TRIAL = 16
"""On so many it is tried how many threads are fastest."""

MAX_GRID = 10_000
"""The most pictures that go on one sheet."""
MAX_PIXELS = {"JPEG": 65_500, "WEBP": 16_383}
"""The most that a sheet of these forms can be wide or high."""
MAX_LETTERS = 1 << 22
"""The most that the names of all classes may take as an array, 4 bytes each."""

Progress = Callable[[int, int], None]
Batches = Callable[[int, int], Tensor]
"""``(start, stop)`` to the samples of that range."""
Labels = Callable[[int, int], list[int] | None]
"""``(start, stop)`` to the classes of the samples of that range; None if they have none."""
Rows = npt.NDArray[Any]


def to_levels(samples: Tensor) -> Tensor:
    """Pictures in [-1, 1] as uint8 of the same shape, clipped and rounded to nearest."""
    return samples.float().add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)


def to_uint8(samples: Tensor) -> npt.NDArray[np.uint8]:
    """Pictures ``(N, C, H, W)`` in [-1, 1] as uint8 ``(N, H, W, C)``, clipped and rounded to nearest."""
    return to_levels(samples).permute(0, 2, 3, 1).cpu().numpy()


def grid(samples: Tensor, columns: int | None = None) -> Image.Image:
    """Pictures ``(N, C, H, W)`` in [-1, 1] side by side, row by row, with nothing between them.

    Args:
        samples: What to draw.
        columns: Pictures in a row; by default as many as make the sheet about square.
    """
    pictures = to_uint8(samples)
    count, height, width, channels = pictures.shape
    columns = columns or math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    sheet = np.zeros((rows * columns, height, width, channels), np.uint8)
    sheet[:count] = pictures
    sheet = sheet.reshape(rows, columns, height, width, channels).swapaxes(1, 2)
    return _image(sheet.reshape(rows * height, columns * width, channels))


def write_grid(path: Path, samples: Tensor, columns: int | None = None) -> None:
    """Write :func:`grid` as PNG."""
    save_image(path, grid(samples, columns))


def save_image(path: Path, image: Image.Image) -> None:
    """Write a picture, all or nothing, as JPEG or WebP if its name ends so, else as PNG."""
    form = SHEETS.get(path.suffix.lower(), "PNG")
    if max(image.size) > MAX_PIXELS.get(form, max(image.size)):
        width, height = image.size
        raise UsageError(
            f"a sheet of {width}x{height} pixels is larger than {path.suffix} can be", hint="as .png it can be written"
        )
    with replace_file(path) as beside:
        image.save(beside, format=form, **({} if form == "PNG" else {"quality": QUALITY}))


def write_preview(stem: Path, samples: Tensor, *, drawn: bool) -> Path:
    """Write a few samples as ``stem.png`` if they are to be drawn, else as ``stem.npz``. Returns the file's path."""
    if drawn:
        path = stem.with_name(stem.name + ".png")
        write_grid(path, samples)
    else:
        path = stem.with_name(stem.name + ".npz")
        write_array(path, lambda start, stop: samples[start:stop], len(samples), drawn=False)
    return path


def sample_to(
    path: Path,
    generator: Generator,
    seeds: Sequence[int],
    *,
    drawn: bool,
    classes: Sequence[int] | None = None,
    class_names: Sequence[str] = (),
    truncation: float | None = None,
    progress: Progress | None = None,
) -> None:
    """Write the samples of ``seeds`` to ``path``.

    Args:
        path: ``*.png``, ``*.jpg`` or ``*.webp``: all on one sheet, which has a row for each class if there are several.
            ``*.npz``: see :func:`write_array`. Else: a folder, which must not exist or be empty, with a PNG for each seed, in
            a folder for each class if there are several.
        generator: What makes them.
        seeds: One sample each, and if there are several classes one of each class.
        drawn: Whether the samples are pictures; see :func:`can_be_drawn`.
        classes: Those to draw, one after another, if the generator is conditional; by default one for each seed.
        class_names: The names of all of the generator's classes, if they have some.
        truncation: As in :meth:`ganzoo.Generator.sample`.
        progress: Called with samples done and samples in all.

    Raises:
        UsageError: A path that cannot be written, or a form that the samples do not have.
    """
    plan = _Plan(seeds, tuple(classes or ()), generator.num_classes, class_names)
    path = user_path(path)
    form = path.suffix.lower()
    if not plan.count:
        raise UsageError("no seeds to sample")
    if form not in ("", ".npz", *SHEETS) or path.name in ("", "-"):
        raise UsageError(f"cannot write to {str(path)!r}", hint="-o takes a .png, .jpg, .webp or .npz, or a folder's name")
    if form and path.is_dir():
        raise UsageError(f"{str(path)!r} is a folder")
    if folder := unwritable(path):
        raise UsageError(f"cannot write to {str(folder)!r}", hint="name another place: -o grid.png")
    if form != ".npz" and not drawn:
        raise UsageError(f"samples of shape {generator.sample_shape} are no pictures", hint="write an array: -o samples.npz")

    def make(start: int, stop: int) -> Tensor:
        return generator.sample(plan.seeds_of(start, stop), labels=plan.labels_of(start, stop), truncation=truncation)

    def batch(start: int, stop: int) -> Tensor:
        made = make(start, stop)
        if progress:
            progress(stop, plan.count)
        return made

    device = next((t.device for t in generator.parameters()), torch.device("cpu"))
    trial = partial(make, 0, min(TRIAL, plan.count))
    with on_fastest_threads(trial, device) if plan.count > AT_ONCE else contextlib.nullcontext():
        _write(path, batch, plan, drawn=drawn)


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

    def file_of(self, index: int) -> Path:
        """In a folder of pictures."""
        name = f"seed{self.seeds[index % len(self.seeds)]:08d}.png"
        if len(self.classes) < 2:
            return Path(name)
        return Path(folder_name(self.classes[index // len(self.seeds)], self.class_names), name)


def _write(path: Path, batches: Batches, plan: _Plan, *, drawn: bool) -> None:
    """In the form that the path's suffix names."""
    count = plan.count
    blocks = [(start, min(start + AT_ONCE, count)) for start in range(0, count, AT_ONCE)]
    if path.suffix.lower() == ".npz":
        write_array(path, batches, count, drawn=drawn, labels=plan.labels_of, class_names=plan.class_names)
    elif path.suffix.lower() in SHEETS:
        if count > MAX_GRID:
            raise UsageError(f"{count} pictures do not fit one sheet of {MAX_GRID}", hint="write an array: -o samples.npz")
        columns = len(plan.seeds) if len(plan.classes) > 1 else None
        write_grid(path, torch.cat([batches(*block).cpu() for block in blocks]), columns)
    else:
        if path.exists() and not (path.is_dir() and not any(path.iterdir())):
            raise UsageError(f"{str(path)!r} exists already", hint="name a new folder, or a file: -o grid.png")
        with replace_folder(path) as beside:
            for start, stop in blocks:
                for number, picture in enumerate(to_uint8(batches(start, stop)), start):
                    file = beside / plan.file_of(number)
                    file.parent.mkdir(exist_ok=True)
                    _image(picture).save(file)


def write_array(
    path: Path,
    batches: Batches,
    count: int,
    *,
    drawn: bool,
    labels: Labels | None = None,
    class_names: Sequence[str] = (),
    chunk: int = AT_ONCE,
) -> None:
    """Write samples to an NPZ file, ``chunk`` at a time, so that memory does not grow with ``count``.

    Args:
        path: The file.
        batches: Makes the samples of a range.
        count: How many there are.
        drawn: Whether they are pictures: these are ``arr_0``, uint8 NHWC; others ``arr_0``, float32, as they are.
        labels: Their classes, which are ``labels``, int64 ``(count,)``; None if they have none.
        class_names: Of all classes, by number, which are ``class_names``, texts; left out if they are too long for an array.
        chunk: How many at a time.
    """
    blocks = [(start, min(start + chunk, count)) for start in range(0, count, chunk)]

    def samples() -> Iterator[Rows]:
        for start, stop in blocks:
            made = batches(start, stop)
            yield to_uint8(made) if drawn else made.float().cpu().numpy().astype("<f4")

    with replace_file(path) as beside, zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        _write_member(archive, "arr_0", count, samples())
        if labels is not None and labels(0, 1) is not None:
            _write_member(archive, "labels", count, (np.asarray(labels(*block), "<i8") for block in blocks))
            if class_names and fits_an_array(class_names):
                _write_member(archive, "class_names", len(class_names), iter([np.asarray(class_names)]))


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


def _image(picture: npt.NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(picture[..., 0] if picture.shape[-1] == 1 else picture)
