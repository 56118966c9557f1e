"""How many threads a run computes on: chosen by timing steps where time is its budget, and watched where it is not.

Sums are rounded in another order on another number of threads, so that the number decides what a run computes. Under a time
budget it is one more thing that the clock decides, and is written down as such (:mod:`ganzoo.training.clock`). A run that is
given images alone keeps the number that it began with, and says when another would be several times as fast.
"""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

import torch
from torch import Tensor

from ganzoo.interfaces import StepContext, Trainer
from ganzoo.threads import counts_up_to, fastest, time_threads
from ganzoo.training.precision import Trial

SLOWER = 1.6
"""A step that takes so many times as long as it did makes for a trial."""

PATIENCE_SECONDS = 10.0
"""Between two trials at the least; twice as long after each one that changes nothing."""

LONGEST_SECONDS = 300.0
"""Between two trials at the most, where other work may have ended since."""

FEW_STEPS = 3
"""Fewer steps say nothing of how long they take."""

SEVERAL = 3.0
"""How many times as fast another number of threads must be for a run to speak of it that will not change its own."""

C = TypeVar("C", bound=StepContext)

TOLD = 4
"""So many changes are told; they are all in the run's journal."""


class ThreadChooser:
    """Times the steps of a run on a processor, and says when it should go on with another number of threads.

    Args:
        trainer: What is trained; trials are made with copies of it, at a learning rate of zero.
        precision: Of its networks.
        most: The largest number of threads to use.
        chooses: Whether the run may change its number of threads, or only says that it should be changed.
        tell: Told of changes, and of what would be faster.

    Attributes:
        count: On how many the run computes.
    """

    def __init__(
        self, trainer: Trainer, precision: torch.dtype, most: int, *, chooses: bool, tell: Callable[[str], None]
    ) -> None:
        self.count = torch.get_num_threads()
        self._trainer = trainer
        self._precision = precision
        self._counts = counts_up_to(most)
        self._chooses = chooses
        self._tell = tell
        self._told = 0
        self._patience = PATIENCE_SECONDS
        self._tried = -float("inf")
        self._usual: float | None = None
        self._spent, self._steps = 0.0, 0
        self._batch: tuple[Tensor, Tensor | None] | None = None

    def timed(
        self, take_step: Callable[[Tensor, Tensor | None, C], Mapping[str, Tensor]]
    ) -> Callable[[Tensor, Tensor | None, C], Mapping[str, Tensor]]:
        """The same step, timed."""

        def step(reals: Tensor, labels: Tensor | None, context: C) -> Mapping[str, Tensor]:
            self._batch = reals, labels
            start = time.perf_counter()
            metrics = take_step(reals, labels, context)
            self._spent += time.perf_counter() - start
            self._steps += 1
            return metrics

        return step

    def look(self) -> int | None:
        """Between two steps: the number of threads to go on with, None if it is to stay as it is."""
        if self._batch is None or self._steps < FEW_STEPS:
            return None
        each = self._spent / self._steps
        self._spent, self._steps = 0.0, 0
        since = time.perf_counter() - self._tried
        slower = self._usual is not None and each > SLOWER * self._usual
        fewer = self._chooses and self.count < self._counts[-1]
        if since < self._patience or not (slower or fewer or self._usual is None):
            self._usual = min(each, self._usual or each)
            return None
        return self.choose(*self._batch)

    def choose(self, reals: Tensor, labels: Tensor | None) -> int | None:
        """Try all numbers of threads on a batch. Returns the one to go on with, None if it is to stay as it is."""
        seconds = dict[int, float]()
        # What is wrong with a step is said by the step itself.
        with contextlib.suppress(Exception):
            seconds = time_threads(_trial_step(self._trainer, reals, labels, self._precision), self._counts)
        self._tried = time.perf_counter()
        best = fastest(seconds, self.count) if seconds else self.count
        self._usual = seconds.get(best)
        if best == self.count:
            self._patience = min(2 * self._patience, LONGEST_SECONDS)
            return None
        times = seconds.get(self.count, float("inf")) / seconds[best]
        if not self._chooses:
            self._patience = LONGEST_SECONDS
            if times >= SEVERAL and not self._told:
                self._told += 1
                self._tell(
                    f"{in_words(best)} would be {times:.0f} times as fast as {in_words(self.count)}, as the machine is busy: "
                    f"stop this run (Ctrl-C), and the same command with --threads {best} goes on"
                )
            return None
        self._patience = PATIENCE_SECONDS
        if self._told < TOLD:
            self._told += 1
            self._tell(f"from here on {in_words(best)}: that is {times:.1f} times as fast as {in_words(self.count)}, for now")
        self.use(best)
        return best

    def use(self, count: int) -> None:
        """Go on with so many threads."""
        self.count = count
        torch.set_num_threads(count)


def in_words(count: int) -> str:
    """``1 thread``, ``2 threads``."""
    return f"{count} thread{'s' if count > 1 else ''}"


def _trial_step(trainer: Trainer, reals: Tensor, labels: Tensor | None, precision: torch.dtype) -> Callable[[], object]:
    """As many steps, of a copy that learns nothing, as it takes until each network has learned."""
    trial = copy.deepcopy(trainer)
    for optimizer in trial.optimizers.values():
        for group in optimizer.param_groups:
            group["lr"] = 0.0
    context: StepContext = Trial(reals.device, precision)
    steps = max(1, getattr(trainer, "n_critic", 1))

    def work() -> None:
        for _ in range(steps):
            trial.step(reals, labels, context)
            context.step += 1
            context.images += len(reals)

    return work
