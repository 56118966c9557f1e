"""Pictures of two sources brought together: what both are seen as, and which of them are the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from ganzoo.data import open_data
from ganzoo.data.store import Store
from ganzoo.errors import UsageError
from ganzoo.evaluation.extractors import Extractor
from ganzoo.modalities.pictures import Pictures
from ganzoo.registry import Registry

ROWS_AT_ONCE = 1000


def open_pictures(registry: Registry, name: str, shape: Sequence[int] | None = None) -> Store:
    """The pictures that ``name`` names, in any form that ``--data`` takes.

    Args:
        registry: Where datasets are registered.
        name: What the user typed.
        shape: Of the pictures that they are compared with, ``(C, H, W)``: they get its height and width, and keep their
            colours.

    Raises:
        UsageError: They are no pictures, or do not get that height and width.
        DataError: They cannot be read.
    """
    store = open_data(name, registry=registry, resolution=shape[-1] if shape and shape[-1] == shape[-2] else None)
    if not isinstance(store, Store):
        raise UsageError(f"{name} is read as a stream, and only pictures in memory can be scored")
    if not isinstance(store.modality, Pictures):
        raise UsageError(f"{name} holds no pictures, and only pictures can be scored")
    if shape and store.sample_shape[1:] != tuple(shape[1:]):
        sizes = (f"{s[-1]}x{s[-2]}" for s in (store.sample_shape, shape))
        raise UsageError("{} has pictures of {} pixels, and the samples are of {}".format(name, *sizes))
    return store


def to_grey(pictures: Tensor) -> Tensor:
    """uint8 pictures ``(N, 1 or 3, H, W)`` as ``(N, 1, H, W)``, by ITU-R 601 as Pillow does; grey ones keep their values."""
    if pictures.shape[1] == 1:
        return pictures
    red, green, blue = pictures.int().unbind(1)
    return ((19595 * red + 38470 * green + 7471 * blue + 32768) >> 16).to(torch.uint8).unsqueeze(1)


def seen_as(samples: Sequence[int], real: Sequence[int], judge: Extractor) -> str:
    """What an extractor is shown of samples and of real pictures of these shapes, in the words of a protocol."""
    ours, theirs = ("grey" if shape[0] == 1 else "colour" for shape in (samples, real))
    size = f"{samples[-1]}x{samples[-2]}"
    if ours == theirs and (ours == "grey" or not judge.grey):
        return f"{size}, {ours}"
    both = f"samples and data in {ours}" if ours == theirs else f"samples in {ours}, data in {theirs}"
    return f"{size}, {both}, both seen in {'grey' if judge.grey else 'colour'}"


def count_shared(real: Store, training: Store) -> int:
    """How many of the real pictures are among those that were trained on: the same values, by their hashes.

    Where one of the two has colours and the other has not, both are compared in grey.
    """
    grey = real.sample_shape[0] != training.sample_shape[0]
    known = set(_hashes(training, grey))
    return sum(found in known for found in _hashes(real, grey))


def _hashes(store: Store, grey: bool) -> Iterator[bytes]:
    for rows in torch.split(store.samples, ROWS_AT_ONCE):
        for picture in (to_grey(rows) if grey else rows).cpu().numpy():
            yield hashlib.blake2b(picture.tobytes(), digest_size=16).digest()
