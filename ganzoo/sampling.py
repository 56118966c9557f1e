"""Seeds to samples on disk: one picture of many, a folder of pictures, or an array, in bounded memory."""

from __future__ import annotations

import contextlib
import math
import zipfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

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

Progress = Callable[[int, int], None]
Batches = Callable[[int, int], Tensor]
"""``(start, stop)`` to the samples of that range."""


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
    labels: int | None = None,
    truncation: float | None = None,
    progress: Progress | None = None,
) -> None:
    """Write the samples of ``seeds`` to ``path``.

    Args:
        path: ``*.png``, ``*.jpg`` or ``*.webp``: all on one sheet. ``*.npz``: an array ``arr_0``, uint8 NHWC for pictures and
            float32 otherwise, written as it is made, so that a million samples take no more memory than a hundred. Else: a
            folder, which must not exist or be empty, with a PNG for each seed.
        generator: What makes them.
        seeds: One sample each.
        drawn: Whether the samples are pictures; see :func:`can_be_drawn`.
        labels: A class for all of them, if the generator is conditional.
        truncation: As in :meth:`ganzoo.Generator.sample`.
        progress: Called with samples done and samples in all.

    Raises:
        UsageError: A path that cannot be written, or a form that the samples do not have.
    """
    count = len(seeds)
    path = user_path(path)
    form = path.suffix.lower()
    if not count:
        raise UsageError("no seeds to sample")
    if form not in ("", ".npz", *SHEETS) or path.name in ("", "-"):
        raise UsageError(f"cannot write to {str(path)!r}", hint="-o takes a .png, .jpg, .webp or .npz, or a folder's name")
    if form and path.is_dir():
        raise UsageError(f"{str(path)!r} is a folder")
    if folder := unwritable(path):
        raise UsageError(f"cannot write to {str(folder)!r}", hint="name another place: -o grid.png")
    if form != ".npz" and not drawn:
        raise UsageError(f"samples of shape {generator.sample_shape} are no pictures", hint="write an array: -o samples.npz")

    def batch(start: int, stop: int) -> Tensor:
        made = generator.sample(seeds[start:stop], labels=labels, truncation=truncation)
        if progress:
            progress(stop, count)
        return made

    device = next((t.device for t in generator.parameters()), torch.device("cpu"))
    trial = partial(generator.sample, seeds[:TRIAL], labels=labels, truncation=truncation)
    with on_fastest_threads(trial, device) if count > AT_ONCE else contextlib.nullcontext():
        _write(path, batch, seeds, drawn=drawn)


def _write(path: Path, batches: Batches, seeds: Sequence[int], *, drawn: bool) -> None:
    """In the form that the path's suffix names."""
    count = len(seeds)
    blocks = [(start, min(start + AT_ONCE, count)) for start in range(0, count, AT_ONCE)]
    if path.suffix.lower() == ".npz":
        write_array(path, batches, count, drawn=drawn)
    elif path.suffix.lower() in SHEETS:
        if count > MAX_GRID:
            raise UsageError(f"{count} pictures do not fit one sheet of {MAX_GRID}", hint="write an array: -o samples.npz")
        write_grid(path, torch.cat([batches(*block).cpu() for block in blocks]))
    else:
        if path.exists() and not (path.is_dir() and not any(path.iterdir())):
            raise UsageError(f"{str(path)!r} exists already", hint="name a new folder, or a file: -o grid.png")
        with replace_folder(path) as beside:
            for start, stop in blocks:
                for number, picture in enumerate(to_uint8(batches(start, stop)), start):
                    _image(picture).save(beside / f"seed{seeds[number]:08d}.png")


def write_array(path: Path, batches: Batches, count: int, *, drawn: bool, chunk: int = AT_ONCE) -> None:
    """Write samples to an NPZ file as ``arr_0``, ``chunk`` at a time, so that memory does not grow with ``count``.

    Pictures (``drawn``) are uint8 NHWC, others float32 as they are.
    """
    with (
        replace_file(path) as beside,
        zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("arr_0.npy", "w", force_zip64=True) as member,
    ):
        for start in range(0, count, chunk):
            samples = batches(start, min(start + chunk, count))
            rows = to_uint8(samples) if drawn else samples.float().cpu().numpy().astype("<f4")
            if start == 0:
                shape = (count, *rows.shape[1:])
                header = {"descr": rows.dtype.str, "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(member, header)
            member.write(np.ascontiguousarray(rows).tobytes())


def _image(picture: npt.NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(picture[..., 0] if picture.shape[-1] == 1 else picture)
