"""What a run leaves, for whoever asked for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Run:
    """A run that ended.

    Attributes:
        folder: Its folder; ``ganzoo.load`` takes it.
        samples: The trainer's last preview: of the EMA generator, seeds 0 to 63, unless the trainer shows something else.
        images: Real samples shown to the discriminator.
        seconds: Seconds trained.
        interrupted: Whether it was stopped before its budget was spent.
        resumed: Images shown when it went on; 0 if it began anew.
        alarm: What is wrong with the model, in words: "collapsed after 16,000 images: all samples are alike". None if
            nothing was seen to be.
        recovered: What was wrong while it trained, and is not with the model.
        advice: What to try where something is wrong, in words; empty if nothing is known.
    """

    folder: Path
    samples: Path
    images: int
    seconds: float
    interrupted: bool
    resumed: int = 0
    alarm: str | None = None
    recovered: str | None = None
    advice: str = ""
