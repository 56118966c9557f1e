"""The built-in modality of samples of which nobody has said what they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import ValidationError

from ganzoo.modalities.array import Array
from ganzoo.modalities.base import Modality
from ganzoo.modalities.pictures import Pictures

if TYPE_CHECKING:
    from torch import Tensor


def of_stored(samples: Tensor) -> Modality | str:
    """That of rows ``(N, …)`` as a data set keeps them: bytes are pictures, float32 is an array.

    Returns:
        The modality; or why there is none, in words that go on from the data's name.
    """
    shape, dtype = tuple(samples.shape), str(samples.dtype).removeprefix("torch.")
    if dtype not in ("uint8", "float32"):
        return f"samples are {samples.dtype}, expected uint8 pictures or float32"
    if dtype == "float32":
        return Array(sample_shape=shape[1:])
    try:
        return Pictures(sample_shape=shape[1:])
    except ValidationError:
        return f"pictures of shape {shape}, expected (N, 1 or 3, H, W)"


def of_shape(sample_shape: Sequence[int], value_range: tuple[float, float] | None) -> Modality:
    """That of a model that was written before models said it: pictures have 1 or 3 channels and bounded values.

    Raises:
        ValidationError: No samples have that shape.
    """
    if len(sample_shape) == 3 and sample_shape[0] in (1, 3) and value_range is not None:
        return Pictures(sample_shape=tuple(sample_shape))
    return Array(sample_shape=tuple(sample_shape), span=value_range)
