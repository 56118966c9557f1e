"""What time decides: how far a run is under a time budget, on how many threads it computes, and when it looks up to see
whether it should stop.

Time is the one thing that a run cannot compute again. What it decided is therefore written down as it is decided, and a run
that was killed goes through the same decisions once more on its way to where it was.
"""

from __future__ import annotations

import errno
import json
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ganzoo.files import parse_json
from ganzoo.training.processes import Processes
from ganzoo.training.settings import MOST_THREADS, Budget
from ganzoo.training.thread_chooser import ThreadChooser

POINTS = 1000
"""Time moves the schedules of a run on at no more than about this many points of its budget."""

SPACING_SECONDS = 0.05
"""How far apart, at the least, these points are."""

LOOK_UP_SECONDS = 1.0
"""How long, at the most, a run minds nothing but its steps."""


@dataclass(frozen=True)
class Decision:
    """From ``step`` on, ``seconds`` count as spent, and the run computes on so many ``threads`` (None: as before)."""

    step: int
    seconds: float
    threads: int | None = None


class Journal:
    """The decisions of a run, a line of JSON each, in a file that a killed process leaves whole but for its last line.

    Args:
        path: The file.
        tell: Told, once, why decisions cannot be written down.
    """

    def __init__(self, path: Path, tell: Callable[[str], None] = lambda text: None) -> None:
        self.path = path
        self._tell = tell
        self._told = False
        self._waiting: list[str] = []

    def read(self) -> list[Decision]:
        """All of them. From the first line on that is not whole, the file is cut off."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return []
        decisions: list[Decision] = []
        length = 0
        for line in content.splitlines(keepends=True):
            decision = _read_decision(line)
            if decision is None or (decisions and decision.seconds < decisions[-1].seconds):
                if line.endswith(b"\n"):
                    self._tell(f"{self.path} is damaged; what the clock decided from there on is decided anew")
                os.truncate(self.path, length)
                break
            decisions.append(decision)
            length += len(line)
        return decisions

    def add(self, decision: Decision) -> None:
        """Write one down; where that fails, it is tried again with the next one."""
        threads = {} if decision.threads is None else {"threads": decision.threads}
        self._waiting.append(json.dumps({"step": decision.step, "seconds": decision.seconds, **threads}) + "\n")
        try:
            with self.path.open("ab", buffering=0) as file:
                end = file.seek(0, os.SEEK_END)
                text = "".join(self._waiting).encode()
                if file.write(text) != len(text):
                    os.ftruncate(file.fileno(), end)
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._waiting.clear()
        except OSError as error:
            if not self._told:
                self._told = True
                self._tell(f"{self.path} could not be written: {error.strerror}; training goes on, and it is tried again")


def _read_decision(line: bytes) -> Decision | None:
    """None for a line that is none, or not whole."""
    try:
        row = parse_json(line)
        step, seconds = int(row["step"]), float(row["seconds"])
        threads = int(row["threads"]) if "threads" in row else None
    except (ValueError, KeyError, TypeError, ArithmeticError):
        return None
    sound = math.isfinite(seconds) and step >= 0 and (threads is None or 1 <= threads <= MOST_THREADS)
    return Decision(step, seconds, threads) if sound and line.endswith(b"\n") else None


class Clock:
    """Looks at the time every second or so, in the main process, for all of them.

    Args:
        budget: What is to be spent.
        stop: Not empty once somebody has asked this process to stop.
        processes: Who must agree.
        seconds: Spent before this process began.
        decisions: Taken by a process before this one and to be taken again.
        journal: Where new ones are written, in the main process under a time budget.
        threads: Who chooses on how many threads a run computes, if nobody has said.

    Attributes:
        elapsed: Seconds spent, as of the last look.
        decided: Seconds spent, as the schedules have it.
        stopping: Whether all processes have agreed to stop.
    """

    def __init__(
        self,
        budget: Budget,
        stop: Sequence[int] = (),
        processes: Processes | None = None,
        *,
        seconds: float = 0.0,
        decisions: Sequence[Decision] = (),
        journal: Journal | None = None,
        threads: ThreadChooser | None = None,
    ) -> None:
        self.budget = budget
        self.elapsed = self.decided = seconds
        self.stopping = False
        self._stop = stop
        self._processes = processes
        self._decisions = list(decisions)
        self._journal = journal
        self._threads = threads
        self._spacing = max(budget.seconds / POINTS, SPACING_SECONDS) if budget.seconds else 0.0
        self._start = time.perf_counter() - seconds
        self._looked = (-1, self._start)
        self._next = 0
        self._gap = 1

    def look(self, step: int) -> bool:
        """Before ``step``: whether it is time to look up from training, the same in every process."""
        while self._decisions and self._decisions[0].step <= step:
            decision = self._decisions.pop(0)
            self.decided = decision.seconds
            self._start = time.perf_counter() - self.decided
            if self._threads and decision.threads:
                self._threads.use(decision.threads)
        alone = self._processes is None or self._processes.count == 1
        if step < self._next and not (alone and self._stop):
            return False
        if self._processes:
            self._processes.catch_up()
        now = time.perf_counter()
        elapsed, gap, stopping = now - self._start, float(self._pace(step, now)), float(bool(self._stop))
        if not alone:
            assert self._processes is not None
            mine = (elapsed, gap) if self._processes.is_main else (0.0, 0.0)
            elapsed, gap, stopping = self._processes.largest((*mine, stopping))
        self._looked = (step, now)
        self._gap = int(gap)
        self._next = step + self._gap
        self.elapsed = elapsed
        self.stopping = bool(stopping)
        if not self._decisions:
            self._decide(step)
        return True

    def read(self) -> float:
        """Seconds spent, as of now in this process."""
        if self._processes:
            self._processes.catch_up()
        self.elapsed = max(self.elapsed, time.perf_counter() - self._start)
        return self.elapsed

    def progress(self, images: int) -> float:
        """The part of the budget that is spent, in [0, 1]."""
        return self.budget.progress(self.decided, images)

    def _decide(self, step: int) -> None:
        if self.budget.seconds is None:
            self.decided = self.elapsed
        elif self.elapsed - self.decided >= self._spacing or self.elapsed >= self.budget.seconds > self.decided:
            self.decided = self.elapsed
            if self._journal:
                self._journal.add(Decision(step, self.decided))
        if self._threads and (count := self._threads.look()) and self._journal:
            self._journal.add(Decision(step, self.decided, count))

    def _pace(self, step: int, now: float) -> int:
        """How many steps to take before the next look, by how long the last ones took."""
        before, then = self._looked
        if before < 0:
            return 1
        wanted = min(LOOK_UP_SECONDS, self._spacing) if self._spacing else LOOK_UP_SECONDS
        if self.budget.seconds:
            wanted = min(wanted, max(0.0, self.budget.seconds - (now - self._start)))
        steps = int((step - before) * wanted / max(now - then, 1e-9))
        return max(1, min(steps, 2 * self._gap))
