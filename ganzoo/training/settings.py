"""How a run goes, in numbers that the loop itself has to know: its options and its budget."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PositiveFloat, PositiveInt

from ganzoo.errors import UsageError
from ganzoo.parsing import parse_count
from ganzoo.variant import Json

MOST_THREADS = 1024
"""No processor has more, and a journal that asks for more is damaged."""

Fraction = Annotated[float, Field(ge=0, le=1)]


def _count(value: Json) -> Json:
    """A count, as a number or as users write it: 1M."""
    try:
        return parse_count(value) if isinstance(value, str) else value
    except UsageError as error:
        raise ValueError(error.message) from None


class LoopSettings(BaseModel):
    """The loop's own options. Lengths of training are counted in images shown to the discriminator.

    Attributes:
        images: How long to train, unless ``--budget`` or ``--images`` says.
        batch_size: Real samples in a step.
        ema_images: Half-life of the generator's moving average (Karras et al., 2020), 0 for none.
        ema_ramp: The half-life is at most this part of the images shown so far, so that the first samples are not those of the
            random start.
        mirror: Show half of all pictures mirrored, left to right. ``auto``: if a simple test cannot tell them from mirrored
            ones, as with photographs of animals; clothes and digits it can.
        lr_decay_images: After so many images, learning rates fall as 1/√images (Karras et al., 2024, arXiv:2312.02696),
            whatever the budget is; 0: they do not.
        lr_decay_from: The fraction of the budget after which learning rates fall, linearly.
        lr_final: What they fall to by that at its end, as a fraction of what they would be without.
        checkpoint_seconds: Between two checkpoints.
        checkpoints: How many of the newest are kept.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    images: Annotated[PositiveInt, BeforeValidator(_count)] = 1_000_000
    batch_size: Annotated[int, Field(ge=2, le=1 << 20)] = 64
    ema_images: Annotated[float, Field(ge=0), BeforeValidator(_count)] = 10_000
    ema_ramp: Annotated[float, Field(gt=0, le=1)] = 0.2
    mirror: bool | Literal["auto"] = "auto"
    lr_decay_images: Annotated[float, Field(ge=0), BeforeValidator(_count)] = 0
    lr_decay_from: Fraction = 1.0
    lr_final: Fraction = 1.0
    checkpoint_seconds: PositiveFloat = 60
    checkpoints: Annotated[int, Field(ge=1, le=1000)] = 2


@dataclass(frozen=True)
class Budget:
    """How long to train: until either limit, whichever comes first."""

    seconds: float | None = None
    images: int | None = None

    def progress(self, seconds: float, images: int) -> float:
        """The part that is spent, in [0, 1]."""
        by_clock = seconds / self.seconds if self.seconds else 0.0
        by_count = images / self.images if self.images else 0.0
        return min(1.0, max(by_clock, by_count))


def check_budget(seconds: object, images: object) -> None:
    """Raise UsageError unless each is None or says how long to train."""
    if seconds is not None and not (isinstance(seconds, (int, float)) and 0 < seconds < math.inf):
        raise UsageError(f"a budget is a number of seconds above 0, got {seconds!r}", hint="for example: budget_seconds=240")
    if images is not None and not (isinstance(images, int) and images > 0):
        raise UsageError(f"images must be a whole number above 0, got {images!r}", hint="for example: images=500_000")
