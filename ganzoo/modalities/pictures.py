"""Pictures, grey or in colour: stored as bytes, seen by networks in [-1, 1], written as PNG, JPEG and WebP.

Only what touches pixels imports NumPy and Pillow: that a model makes pictures is read of its folder without them.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeAlias

from pydantic import AfterValidator

from ganzoo.errors import UsageError
from ganzoo.modalities.base import Modality, Samples, Shape, Writer

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from PIL import Image
    from torch import Tensor

SHEETS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
"""The forms of a sheet of pictures, by what the file's name ends in."""
QUALITY = 92
"""Of JPEG and WebP, of 100."""

MAX_GRID = 10_000
"""The most pictures that go on one sheet."""
MAX_PIXELS = {"JPEG": 65_500, "WEBP": 16_383}
"""The most that a sheet of these forms can be wide or high."""

POOLED = 8
"""What a picture is reduced to where pictures are compared: so many pixels across."""

Pixels: TypeAlias = "npt.NDArray[np.uint8]"


def _of_a_picture(shape: tuple[int, ...]) -> tuple[int, ...]:
    if len(shape) != 3 or shape[0] not in (1, 3):
        raise ValueError(f"a picture has the shape (1 or 3, height, width), not {shape}")
    return shape


class Pictures(Modality):
    """Pictures of 1 or 3 channels, ``(C, H, W)``, stored as uint8."""

    name: ClassVar[str] = "pictures"
    judged_by: ClassVar[str] = "features"
    hub_task: ClassVar[str | None] = "unconditional-image-generation"
    smooth_axes: ClassVar[tuple[int, ...]] = (-1, -2)

    sample_shape: Annotated[Shape, AfterValidator(_of_a_picture)]

    @property
    def value_range(self) -> tuple[float, float] | None:
        return (-1.0, 1.0)

    @property
    def side(self) -> int | None:
        return max(self.sample_shape[1:])

    def check(self, stored: Tensor) -> str:
        if tuple(stored.shape[1:]) != self.sample_shape or str(stored.dtype) != "torch.uint8":
            wanted = ", ".join(map(str, self.sample_shape))
            return f"pictures are {stored.dtype} {tuple(stored.shape)}, expected uint8 (N, {wanted})"
        return ""

    def encode(self, stored: Tensor) -> Tensor:
        return to_unit(stored)

    def decode(self, samples: Tensor) -> Pixels:
        """uint8 ``(N, H, W, C)``, clipped and rounded to nearest."""
        return to_uint8(samples)

    def writers(self) -> Mapping[str, Writer]:
        return {suffix: partial(write_sheet, form=form) for suffix, form in SHEETS.items()} | {"": write_folder}

    @property
    def output(self) -> str:
        return "grid.png"

    def preview(self, decoded: Any) -> Mapping[str, bytes]:
        file = io.BytesIO()
        sheet(decoded).save(file, format="PNG")
        return {"png": file.getvalue()}

    def sheet(self, samples: Tensor) -> Pixels:
        import numpy as np

        pixels = np.asarray(grid(samples))
        return pixels.reshape(*pixels.shape[:2], -1)

    def summary(self, samples: Tensor) -> Tensor:
        from torch.nn.functional import adaptive_avg_pool2d

        return adaptive_avg_pool2d(samples, POOLED).flatten(1)

    @property
    def noun(self) -> str:
        return "pictures"

    @property
    def colour(self) -> str:
        """``grey`` or ``colour``."""
        return "grey" if self.sample_shape[0] == 1 else "colour"

    def form(self, made: str = "") -> str:
        return f"{made or f'of {self.sample_shape[2]}x{self.sample_shape[1]}'} in {self.colour}"

    def describe(self) -> str:
        return f"{self.colour} pictures of {self.sample_shape[2]}x{self.sample_shape[1]} pixels"


def to_unit(pictures: Tensor) -> Tensor:
    """uint8 pictures as float32 in [-1, 1]: x / 127.5 - 1."""
    return pictures.float().div_(127.5).sub_(1)


def to_levels(samples: Tensor) -> Tensor:
    """Pictures in [-1, 1] as uint8 of the same shape, clipped and rounded to nearest."""
    return samples.float().add(1).mul(127.5).round().clamp(0, 255).byte()


def to_uint8(samples: Tensor) -> Pixels:
    """Pictures ``(N, C, H, W)`` in [-1, 1] as uint8 ``(N, H, W, C)``, clipped and rounded to nearest."""
    return to_levels(samples).permute(0, 2, 3, 1).cpu().numpy()


def grid(samples: Tensor, columns: int | None = None) -> Image.Image:
    """Pictures ``(N, C, H, W)`` in [-1, 1] on one :func:`sheet`."""
    return sheet(to_uint8(samples), columns)


def sheet(pictures: Pixels, columns: int | None = None) -> Image.Image:
    """Pictures ``(N, H, W, C)`` side by side, row by row, with nothing between them.

    Args:
        pictures: What to show.
        columns: Pictures in a row; by default as many as make the sheet about square.
    """
    import numpy as np

    count, height, width, channels = pictures.shape
    columns = columns or math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    found = np.zeros((rows * columns, height, width, channels), np.uint8)
    found[:count] = pictures
    found = found.reshape(rows, columns, height, width, channels).swapaxes(1, 2)
    return image(found.reshape(rows * height, columns * width, channels))


def image(picture: Pixels) -> Image.Image:
    """One picture ``(H, W, C)``."""
    from PIL import Image

    return Image.fromarray(picture[..., 0] if picture.shape[-1] == 1 else picture)


def save_image(path: Path, picture: Image.Image, form: str = "PNG") -> None:
    """Write a picture as ``PNG``, ``JPEG`` or ``WEBP``. Raises UsageError if it is larger than that can be."""
    if max(picture.size) > MAX_PIXELS.get(form, max(picture.size)):
        width, height = picture.size
        raise UsageError(f"a sheet of {width}x{height} pixels is larger than {form} can be", hint="as .png it can be written")
    picture.save(path, format=form, **({} if form == "PNG" else {"quality": QUALITY}))


def write_sheet(path: Path, samples: Samples, *, form: str = "PNG") -> None:
    """All on one sheet, which has a row for each class if there are several."""
    import numpy as np

    if samples.count > MAX_GRID:
        raise UsageError(f"{samples.count} pictures do not fit one sheet of {MAX_GRID}", hint="write an array: -o samples.npz")
    columns = samples.count // samples.rows if samples.rows > 1 else None
    save_image(path, sheet(np.concatenate([to_uint8(batch.samples) for batch in samples]), columns), form)


def write_folder(path: Path, samples: Samples) -> None:
    """A PNG for each, in a folder for each class if there are several."""
    for batch in samples:
        for name, picture in zip(batch.names, to_uint8(batch.samples), strict=True):
            file = path / f"{name}.png"
            file.parent.mkdir(exist_ok=True)
            image(picture).save(file)
