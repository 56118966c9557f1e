"""Pictures of two sources brought together: what both are seen as."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ganzoo.evaluation.extractors import Extractor


def to_grey(pictures: Tensor) -> Tensor:
    """uint8 pictures ``(N, 1 or 3, H, W)`` as ``(N, 1, H, W)``, by ITU-R 601 as Pillow does; grey ones keep their values."""
    if pictures.shape[1] == 1:
        return pictures
    red, green, blue = pictures.int().unbind(1)
    return ((19595 * red + 38470 * green + 7471 * blue + 32768) >> 16).to(torch.uint8).unsqueeze(1)


def seen_as(samples: Sequence[int], real: Sequence[int], extractor: Extractor) -> str:
    """What an extractor is shown of samples and of real pictures of these shapes, in the words of a protocol."""
    ours, theirs = ("grey" if shape[0] == 1 else "colour" for shape in (samples, real))
    size = f"{samples[-1]}x{samples[-2]}"
    if ours == theirs and (ours == "grey" or not extractor.grey):
        return f"{size}, {ours}"
    both = f"samples and data in {ours}" if ours == theirs else f"samples in {ours}, data in {theirs}"
    return f"{size}, {both}, both seen in {'grey' if extractor.grey else 'colour'}"
