"""Scores of a run as it goes: which of its checkpoints is the best, and whether it is good enough to stop."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ganzoo import plugins
from ganzoo.data.dataset import Dataset
from ganzoo.errors import UnknownNameError, UsageError
from ganzoo.files import replace_file
from ganzoo.interfaces import Generator
from ganzoo.measures.base import Better, Goal
from ganzoo.measures.table import measures
from ganzoo.plots import draw_curve
from ganzoo.training.folder import SCORES
from ganzoo.training.processes import Processes
from ganzoo.variant import Json


class JudgeLike(Protocol):
    """What a judge has to have, to tell how good a generator is in little time: :class:`ganzoo.Judge` does.

    Attributes:
        names: Of the scores that it gives.
    """

    names: tuple[str, ...]

    def prepare(self, data: Dataset) -> None:
        """Look at the data, before training begins. Raises UsageError for data that it does not judge."""

    def __call__(self, generator: Generator, data: Dataset) -> Mapping[str, float]:
        """Scores by name, the same ones for the same weights."""

    def describe(self) -> dict[str, Json]:
        """By what it judges, as plain data."""


@dataclass(frozen=True)
class Scoring:
    """How a run is scored.

    Attributes:
        judge: By whom.
        every: How often, in images; and once at the end.
        by: Which score says what is best.
        until: Stop when it is as good as this.
        better: Which direction of it is better; by default what the table of measures says, and lower for a score of the
            judge's own, which that does not have.
    """

    judge: JudgeLike
    every: int
    by: str = "fd"
    until: float | None = None
    better: Better | None = None

    def __post_init__(self) -> None:
        registry = plugins.load().registry
        if entry := registry.find("measure", self.by):
            # As scores are called, whatever the measure was called before.
            object.__setattr__(self, "by", registry.name_of(entry))

    @property
    def goal(self) -> Goal:
        """Where the score that says what is best should go."""
        measure = measures(plugins.load().registry).get(self.by)
        return Goal(self.better or "lower") if self.better or measure is None else measure.goal

    def prepare(self, data: Dataset) -> None:
        """See to it that this data can be scored so. Raises UsageError."""
        if self.by not in self.judge.names:
            raise UnknownNameError("score", self.by, self.judge.names)
        if not self.goal.is_known:
            raise UsageError(f"no {self.by} is better than another, so that a run cannot go by it", hint="go by another score")
        self.judge.prepare(data)

    def describe(self) -> dict[str, Json]:
        """As plain data."""
        return {"every": self.every, "by": self.by, "until": self.until, **self.judge.describe()}

    @property
    def stamp(self) -> str:
        """What scores must share to be compared: the judge, and which of its scores."""
        return json.dumps({"by": self.by, **self.judge.describe()}, sort_keys=True)

    def reached(self, rows: list[dict[str, float]], goal: Goal | None = None) -> bool:
        """Whether the last of these scores is as good as was asked for. ``goal`` is :attr:`goal`, if it is known already."""
        if self.until is None or not rows or self.by not in rows[-1]:
            return False
        goal = goal or self.goal
        return goal.distance(rows[-1][self.by]) <= goal.distance(self.until)


class ScoreBook:
    """The scores of one run.

    Args:
        scoring: How it is scored.
        rows: What it holds of the run so far, the same in every process.
        generator: Whose samples are judged.
        data: What it is trained on.
        processes: Of which the main one judges.
    """

    def __init__(
        self,
        scoring: Scoring,
        rows: list[dict[str, float]],
        *,
        generator: Generator,
        data: Dataset,
        processes: Processes,
    ) -> None:
        self.scoring = scoring
        self.rows = rows
        # Asked for at every step, and the table of measures is read for it.
        self._goal = scoring.goal
        self._judged = (generator, data)
        self._processes = processes

    def due(self, images: int) -> bool:
        """Whether it is time for the next score."""
        before = self.rows[-1]["images"] if self.rows else 0
        return images // self.scoring.every > before // self.scoring.every

    def take(self, images: int, seconds: float) -> dict[str, float]:
        """Score the generator as it stands after ``images``. Returns its scores by name."""
        found = self._processes.broadcast(dict(self.scoring.judge(*self._judged)) if self._processes.is_main else None)
        self.rows = [*self.rows, {"images": images, "seconds": round(seconds, 3), **found}]
        return found

    def scores_at(self, images: int) -> dict[str, float] | None:
        """The last scores by name, if they are of the generator as it stood after ``images``."""
        if not self.rows or self.rows[-1]["images"] != images:
            return None
        return {name: value for name, value in self.rows[-1].items() if name not in ("images", "seconds")}

    def write(self, folder: Path) -> None:
        """Write them down. Raises OSError."""
        with replace_file(folder / SCORES) as beside:
            beside.write_text("".join(json.dumps(row) + "\n" for row in self.rows), encoding="utf-8")

    @property
    def reached(self) -> bool:
        """Whether training may stop."""
        return self.scoring.reached(self.rows, self._goal)

    def describe(self) -> str:
        """The last score, for people."""
        by, last, goal = self.scoring.by, self.rows[-1], self._goal
        # Rows of a judge that the run had before may lack this score.
        best = min((row for row in self.rows if by in row), key=lambda row: goal.distance(row[by]))
        words = f"{by} {last[by]:.3g} after {last['images']:,} images"
        if self.reached:
            return f"{words}: as good as was asked for"
        return words if best is last else f"{words}; the best was {best[by]:.3g} after {best['images']:,}"

    def plot(self, path: Path) -> None:
        """Draw the scores over images, if matplotlib is there."""
        by = self.scoring.by
        draw_curve(path, [(row["images"], row[by]) for row in self.rows if by in row], x="images shown", y=by)
