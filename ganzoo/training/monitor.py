"""What a run writes down as it goes: metrics, sample grids, and a word to whoever is watching."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from ganzoo.errors import TrainingError
from ganzoo.sampling import write_preview

METRICS = "metrics.jsonl"
LOG_SECONDS = 2.0
PREVIEWS = 20
"""How many sample grids a run writes, evenly over its budget."""


@dataclass(frozen=True)
class Status:
    """Where a run stands.

    Attributes:
        images: Real samples shown to the discriminator.
        rate: Images per second since the last status.
        seconds: Seconds trained.
        progress: Part of the budget spent, in [0, 1].
        metrics: Means since the last status.
    """

    images: int
    rate: float
    seconds: float
    progress: float
    metrics: Mapping[str, float]

    @property
    def remaining(self) -> float:
        """Seconds to go, at the pace so far; infinite before there is one."""
        return self.seconds * (1 - self.progress) / self.progress if self.progress else math.inf


class Watcher(Protocol):
    """Somebody who follows a run. Every method may do nothing."""

    def decoding(self, done: int, total: int) -> None:
        """``done`` of ``total`` samples are read."""

    def started(self, folder: Path, facts: Mapping[str, str]) -> None:
        """The run begins, in ``folder``; ``facts`` are for people."""

    def status(self, status: Status) -> None:
        """Progress, every few seconds."""

    def stopping(self) -> None:
        """Somebody asked the run to end; it will, after saving."""


class Silent:
    """A watcher who looks away."""

    def decoding(self, done: int, total: int) -> None: ...

    def started(self, folder: Path, facts: Mapping[str, str]) -> None: ...

    def status(self, status: Status) -> None: ...

    def stopping(self) -> None: ...


@dataclass
class Monitor:
    """Keeps a run's records in its folder.

    Metrics are summed on the device and fetched every few seconds, so that no step waits for the device.

    Args:
        folder: The run's folder.
        preview: Makes the samples to show.
        drawn: Whether they are pictures.
        watcher: Who is told.
    """

    folder: Path
    preview: Callable[[], Tensor]
    drawn: bool
    watcher: Watcher
    _sums: dict[str, Tensor] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)
    _last: tuple[float, int] = (0.0, 0)
    _previewed: int = -1

    def note(self, metrics: Mapping[str, Tensor]) -> None:
        """Add one step's metrics to the sums."""
        for name, value in metrics.items():
            if name in self._sums:
                self._sums[name] += value
                self._counts[name] += 1
            else:
                self._sums[name] = value.clone()
                self._counts[name] = 1

    def update(self, images: int, seconds: float, progress: float, *, last: bool = False) -> None:
        """Write what is due: a line of metrics every few seconds, a sheet of samples every twentieth of the budget.

        Raises:
            TrainingError: A metric is not finite.
        """
        if last or images == 0 or seconds - self._last[0] >= LOG_SECONDS:
            self._log(images, seconds, progress)
        if last or int(progress * PREVIEWS) > self._previewed:
            self._previewed = int(progress * PREVIEWS)
            write_preview(self.folder / "samples" / f"{images:010d}", self.preview(), drawn=self.drawn)

    def _log(self, images: int, seconds: float, progress: float) -> None:
        names = list(self._sums)
        means = torch.stack([self._sums[n].float() / self._counts[n] for n in names]).tolist() if names else []
        metrics = dict(zip(names, means, strict=True))
        self._sums, self._counts = {}, {}
        before, seen = self._last
        rate = (images - seen) / (seconds - before) if seconds > before else 0.0
        self._last = (seconds, images)
        if metrics:
            finite = {n: v if math.isfinite(v) else None for n, v in metrics.items()}
            row = {"images": images, "seconds": round(seconds, 3), "images_per_second": round(rate, 1), "time": time.time()}
            with (self.folder / METRICS).open("a", encoding="utf-8") as file:
                file.write(json.dumps({**row, **finite}) + "\n")
            if broken := [n for n, v in finite.items() if v is None]:
                raise TrainingError(
                    f"training diverged: {broken[0]} is not finite after {images} images",
                    hint="lower the learning rate (-o lr=…) or strengthen the penalty; the samples until then are in "
                    f"{self.folder / 'samples'}",
                )
        self.watcher.status(Status(images, rate, seconds, progress, metrics))
