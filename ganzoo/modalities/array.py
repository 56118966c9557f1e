"""Arrays of numbers: whatever is nothing more special."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import FiniteFloat

from ganzoo.modalities.base import Modality, Rows

if TYPE_CHECKING:
    from torch import Tensor


class Array(Modality):
    """Numbers of any shape, stored as float32 and shown to networks as they are.

    Attributes:
        span: Lowest and highest value of a sample; None if they are unbounded.
    """

    name: ClassVar[str] = "array"

    span: tuple[FiniteFloat, FiniteFloat] | None = None

    @property
    def value_range(self) -> tuple[float, float] | None:
        return self.span

    def check(self, stored: Tensor) -> str:
        if str(stored.dtype) != "torch.float32":
            return f"samples are {stored.dtype}, expected float32"
        # The extremes of a tensor with a NaN are NaN, so this looks at every value without a mask of its size.
        if not all(extreme.isfinite() for extreme in stored.aminmax()):
            return "some values are not finite (or too large for float32)"
        return ""

    def encode(self, stored: Tensor) -> Tensor:
        return stored

    def decode(self, samples: Tensor) -> Rows:
        return samples.float().cpu().numpy().astype("<f4")

    @property
    def noun(self) -> str:
        return "rows of numbers" if len(self.sample_shape) == 1 else "samples of numbers"

    def describe(self) -> str:
        return f"samples {self.form()}"
