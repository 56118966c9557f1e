"""Following a run: what a watcher is told, and when. Imports nothing heavy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from ganzoo.training.result import Run


@dataclass(frozen=True)
class Status:
    """Where a run stands.

    Attributes:
        images: Real samples shown to the discriminator since the run began, also before it was resumed.
        rate: Images per second since the last status; 0 in the first one.
        seconds: Seconds trained.
        progress: Part of the budget spent, in [0, 1].
        metrics: Means since the last status, by name: ``loss_d``, ``loss_g`` and what else the trainer measures. All are
            finite numbers, and there are none in the first status.
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


class Watcher:
    """Somebody who follows a run: ``ganzoo.train(…, watcher=…)`` tells it what happens.

    Every method does nothing here. Derive a class from it and override those that you want::

        class Losses(ganzoo.Watcher):
            def status(self, status):
                print(status.images, status.metrics.get("loss_g"))

    The order is: ``decoding`` while data is read, ``noticed`` at any time, ``started`` once, from then on ``status`` and what
    happens in a run (``logged``, ``looked``, ``scored``, ``checkpointed``, ``diverged``), and ``ended`` last. Methods are
    called on the thread that trains, which waits for them, and in the main process alone where there are several. What a
    method raises ends the run; what was saved before stays, and the same call goes on from there.
    """

    def decoding(self, done: int, total: int) -> None:
        """``done`` of ``total`` samples are read, with 1 <= done <= total. May be called for every single one."""

    def started(self, folder: Path, facts: Mapping[str, str]) -> None:
        """The run begins or goes on.

        Args:
            folder: The run's folder.
            facts: What it is, in words for people: ``variant``, ``data``, ``parameters``, ``budget``, ``device``, ``model``,
                and others where there is something to say. Not told of a run that was done before.
        """

    def noticed(self, text: str) -> None:
        """Something that people should know, on one line: what the data was understood to be, that samples are all alike."""

    def status(self, status: Status) -> None:
        """Where the run stands: before the first step, every two seconds or so, and at the end."""

    def logged(self, images: int, values: Mapping[str, float]) -> None:
        """A line of ``metrics.jsonl``: means since the last one, and what was found at the samples, after so many images."""

    def looked(self, images: int, samples: Tensor) -> None:
        """The samples that show how far the run is were drawn, ``(N, *sample_shape)`` on the CPU: 20 times in a run."""

    def scored(self, images: int, scores: Mapping[str, float]) -> None:
        """The run was scored, where it is scored as it goes."""

    def checkpointed(self, images: int) -> None:
        """A checkpoint was taken, which is written while training goes on."""

    def diverged(self, text: str) -> None:
        """Weights or losses are no finite numbers any more, so the run ends, with an error that says ``text``."""

    def stopping(self) -> None:
        """Ctrl-C or SIGTERM asked the run to end. It finishes its step and saves everything."""

    def ended(self, run: Run | None) -> None:
        """Nothing follows. ``run`` is what ``ganzoo.train`` returns; None if it raises."""


class Watchers(Watcher):
    """Several watchers, each of which is told of what happens, in order."""

    def __init__(self, *watchers: Watcher) -> None:
        self.watchers = watchers

    def decoding(self, done: int, total: int) -> None:
        for watcher in self.watchers:
            watcher.decoding(done, total)

    def started(self, folder: Path, facts: Mapping[str, str]) -> None:
        for watcher in self.watchers:
            watcher.started(folder, facts)

    def noticed(self, text: str) -> None:
        for watcher in self.watchers:
            watcher.noticed(text)

    def status(self, status: Status) -> None:
        for watcher in self.watchers:
            watcher.status(status)

    def logged(self, images: int, values: Mapping[str, float]) -> None:
        for watcher in self.watchers:
            watcher.logged(images, values)

    def looked(self, images: int, samples: Tensor) -> None:
        for watcher in self.watchers:
            watcher.looked(images, samples)

    def scored(self, images: int, scores: Mapping[str, float]) -> None:
        for watcher in self.watchers:
            watcher.scored(images, scores)

    def checkpointed(self, images: int) -> None:
        for watcher in self.watchers:
            watcher.checkpointed(images)

    def diverged(self, text: str) -> None:
        for watcher in self.watchers:
            watcher.diverged(text)

    def stopping(self) -> None:
        for watcher in self.watchers:
            watcher.stopping()

    def ended(self, run: Run | None) -> None:
        for watcher in self.watchers:
            watcher.ended(run)
