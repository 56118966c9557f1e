"""One picture of any size and mode to a square of bytes, and how many of them are decoded at once."""

from __future__ import annotations

import contextlib
import io
import os
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import IO, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, JpegImagePlugin, UnidentifiedImageError

T = TypeVar("T")

DEFAULT_RESOLUTION = 64
MAX_NATIVE_RESOLUTION = 256

# Formats with a signature and a decoder inside Pillow. That leaves out EPS (which runs Ghostscript) and TGA (which
# takes any bytes for a picture).
Image.init()
_WANTED = {"AVIF", "BMP", "DIB", "GIF", "ICO", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP"}
FORMATS = sorted(_WANTED & Image.OPEN.keys())
EXTENSIONS = frozenset(extension for extension, name in Image.registered_extensions().items() if name in FORMATS)

_DEEP_MODES = frozenset({"I", "I;16", "I;16B", "I;16L", "I;16N"})
_GREY_MODES = frozenset({"1", "L", "LA", "F"}) | _DEEP_MODES
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

LIMIT, JPEG_LIMIT = 2, 4
"""Times ``PIL.Image.MAX_IMAGE_PIXELS``, at which Pillow itself begins to warn, and fails at twice as many."""

WHITES = (1, 255, 1023, 4095, 16383, 65535)
"""Of masks and of 8, 10, 12, 14 and 16 bits."""

_HEIC = tuple(b"ftyp" + brand for brand in (b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1"))

_LARGE = 2**25
_one_at_a_time = threading.Lock()
"""For pictures of more pixels than _LARGE, of which one in each thread might not fit the memory."""

_WORKERS = min(16, os.cpu_count() or 1)
_WINDOW = 1024
_AT_ONCE = 16  # handing over one small picture costs as much as decoding it


def open_picture(stream: IO[bytes]) -> Image.Image:
    """The picture in ``stream``, not yet decoded.

    Raises:
        ValueError: No picture, or one with more pixels than are safe; Pillow raises more for damaged ones.
    """
    first = stream.read(12)
    if not first:
        raise ValueError("an empty file")
    is_jpeg = first.startswith(b"\xff\xd8\xff")
    stream.seek(0)
    try:
        # Past Pillow's limit, which is for what has to be decoded whole: of a JPEG, an eighth will do.
        image = JpegImagePlugin.jpeg_factory(stream) if is_jpeg else Image.open(stream, formats=FORMATS)
    except (UnidentifiedImageError, SyntaxError):
        if first[4:] in _HEIC:
            raise ValueError("HEIC under another ending, which is not read: convert it to .jpg") from None
        raise ValueError("no picture, or a damaged one") from None
    limit = (Image.MAX_IMAGE_PIXELS or float("inf")) * (JPEG_LIMIT if is_jpeg else LIMIT)
    if image.width * image.height > limit:
        raise ValueError(f"{image.width} x {image.height} pixels, more than the limit of {limit:,}")
    return image


def has_more_frames(image: Image.Image) -> bool:
    """Whether it is an animation or has several pages, of which the first is taken."""
    # Phones put a preview behind a photo; nobody would call that a page.
    with contextlib.suppress(Exception):
        return image.format != "MPO" and bool(getattr(image, "is_animated", False))
    return False


def loses_bits(image: Image.Image) -> bool:
    """Whether it has 16 bits and colour or transparency, so that Pillow gives the upper 8."""
    return not is_deep(image) and any(";16" in str(tile[3]) for tile in getattr(image, "tile", ()))


def is_deep(image: Image.Image) -> bool:
    """Whether its values are numbers of more than 8 bits, whose white has to be found out."""
    return image.mode in _DEEP_MODES or image.mode == "F"


def brightest(image: Image.Image) -> int:
    """The highest value of a deep picture, 0 for any other.

    Raises:
        ValueError: Numbers that are not in [0, 65535], so that their black and white are anybody's guess.
    """
    if not is_deep(image):
        return 0
    values = np.asarray(image)
    if image.mode == "F" or values.min() < 0 or values.max() > WHITES[-1]:
        raise ValueError(
            "32-bit numbers, whose black and white are not known: '?range=LOW,HIGH' after the name of the data sets them"
        )
    return int(values.max())


def white_of(peak: int) -> int:
    """The white of pictures whose highest value is ``peak``, in [0, 65535]: that of the least number of bits."""
    return next(white for white in WHITES if white >= peak)


def is_grey(image: Image.Image) -> bool:
    """Whether it has no colour."""
    # Of 16 bits, Pillow makes grey with transparency a picture in colour.
    return image.mode in _GREY_MODES or any(str(tile[3]).startswith("LA;") for tile in getattr(image, "tile", ()))


def natural_resolution(sizes: Iterable[tuple[int, int]]) -> int:
    """The side for pictures of these sizes when nobody asks for one.

    Theirs, if all are alike, square and at most 256 wide; else 64.
    """
    alike = set(sizes)
    width, height = alike.pop() if len(alike) == 1 else (0, 1)
    return width if width == height <= MAX_NATIVE_RESOLUTION else DEFAULT_RESOLUTION


def square(
    image: Image.Image, resolution: int, channels: int, span: tuple[float, float] = (0.0, 65535.0)
) -> NDArray[np.uint8]:
    """The central square of ``image``, upright, on white where it is transparent.

    Args:
        image: Any mode; an animation gives its first frame.
        resolution: Side of the result in pixels; resized with antialiasing (Lanczos).
        channels: 1 (grey) or 3 (RGB).
        span: The values of black and white in pictures of more than 8 bits; what is beyond them is cut.

    Returns:
        uint8 ``(channels, resolution, resolution)``.

    Raises:
        ValueError, OSError: And what else Pillow raises for a damaged or unsupported file.
    """
    # A JPEG decodes to a half, quarter or eighth several times faster; twice the target leaves Lanczos its say.
    image.draft(None, (2 * resolution, 2 * resolution))
    with _one_at_a_time if image.width * image.height > _LARGE else contextlib.nullcontext():
        small = _small(image, resolution, "L" if channels == 1 else "RGB", span)
    turn = _UPRIGHT.get(_orientation(image))
    small = small if turn is None else small.transpose(turn)
    return np.asarray(small, dtype=np.uint8).reshape(resolution, resolution, channels).transpose(2, 0, 1)


def _small(image: Image.Image, resolution: int, mode: str, span: tuple[float, float]) -> Image.Image:
    if is_deep(image):
        return _shrink_deep(image, resolution, span).convert(mode)
    if image.has_transparency_data:
        small = _shrink(image.convert("LA" if mode == "L" else "RGBA"), resolution)
        return Image.composite(small.convert(mode), Image.new(mode, small.size, "white"), small.getchannel("A"))
    return _shrink(image.convert(mode), resolution)


def _shrink(image: Image.Image, resolution: int) -> Image.Image:
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    box = (left, top, left + side, top + side)
    return image.resize((resolution, resolution), Image.Resampling.LANCZOS, box=box, reducing_gap=3.0)


def _shrink_deep(image: Image.Image, resolution: int, span: tuple[float, float]) -> Image.Image:
    values = np.asarray(image).astype(np.float32)
    if not np.isfinite(values).all():
        raise ValueError("some values are not finite")
    low, high = span
    values = np.asarray(_shrink(Image.fromarray((values.clip(low, high) - low) * (255 / (high - low))), resolution))
    return Image.fromarray(np.rint(values).clip(0, 255).astype(np.uint8))


def _orientation(image: Image.Image) -> int:
    # Asked after decoding, since some decoders turn the picture themselves and then say so here.
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # noqa: BLE001 - damaged EXIF, which is common, must not cost a sound picture
        return 1


@dataclass(frozen=True)
class Failure:
    """Why one piece of work gave nothing."""

    reason: str


def attempt(work: Callable[[], T]) -> T | Failure:
    """``work()``, or a Failure if it raises."""
    try:
        return work()
    except Exception as error:  # noqa: BLE001 - decoders raise anything for bytes that somebody made up
        if isinstance(error, OSError) and error.strerror:
            return Failure(error.strerror)  # the rest is the path, which is told anyway
        return Failure(" ".join(str(error).split()) or type(error).__name__)


def in_threads(work: Callable[[int], T], count: int) -> Iterator[T | Failure]:
    """``work(0)`` to ``work(count - 1)``, in order, done in threads a thousand at a time; a Failure where it raised."""

    def attempt_some(start: int) -> list[T | Failure]:
        return [attempt(partial(work, index)) for index in range(start, min(start + _AT_ONCE, count))]

    with warnings.catch_warnings(), ThreadPoolExecutor(_WORKERS) as pool:
        warnings.filterwarnings("ignore", module=r"PIL\.")  # what matters of it becomes a Failure
        for start in range(0, count, _WINDOW):
            for some in pool.map(attempt_some, range(start, min(start + _WINDOW, count), _AT_ONCE)):
                yield from some


def read_bounded(stream: IO[bytes], limit: int) -> IO[bytes]:
    """All of ``stream`` in memory; ValueError if it holds more than ``limit`` bytes."""
    content = stream.read(limit + 1)
    if len(content) > limit:
        raise ValueError(f"more than {limit:,} bytes")
    return io.BytesIO(content)
