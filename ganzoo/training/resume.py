"""What is there of a run that may go on."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ganzoo.errors import GanzooError
from ganzoo.pretrained import load
from ganzoo.training.checkpoint import Checkpoints
from ganzoo.training.clock import Decision, Journal
from ganzoo.training.folder import CHECKPOINTS, JOURNAL, RunFolder
from ganzoo.training.prepare import Prepared
from ganzoo.training.records import read_looks, read_scores
from ganzoo.training.settings import MOST_THREADS
from ganzoo.training.state import Snapshot
from ganzoo.training.verdict import Look
from ganzoo.training.watcher import Watcher
from ganzoo.variant import Json


@dataclass(frozen=True)
class Past:
    """What is there of a run that may go on.

    Attributes:
        folder: The run's folder.
        snapshot: Where it goes on from; None for the beginning.
        decisions: What time decided from there on.
        precision: What it was trained in; None if that is still to be chosen.
        threads: On how many it was trained; None if that is not known.
        scores: What it has been scored.
        looks: What was found at its samples.
        done: The name of its samples' file, if it needs nothing more.
        alarm, recovered: What its model says is or was wrong, if it needs nothing more.
    """

    folder: Path
    snapshot: Snapshot | None = None
    decisions: tuple[Decision, ...] = ()
    precision: str | None = None
    threads: int | None = None
    scores: tuple[dict[str, float], ...] = ()
    looks: tuple[Look, ...] = ()
    done: str | None = None
    alarm: str | None = None
    recovered: str | None = None


def find_past(folder: RunFolder, prepared: Prepared, watcher: Watcher) -> Past:
    """What the main process finds in the run's folder.

    Raises:
        TrainingError: There are checkpoints, and all are damaged.
    """
    path, config = folder.path, prepared.config
    if folder.previous is None:
        return Past(path)
    precision = folder.previous["precision"]
    snapshot = Checkpoints(path / CHECKPOINTS).load(lambda text: watcher.noticed(f"{text}; it is passed over"))
    step, images = (snapshot.step, snapshot.images) if snapshot else (0, 0)
    decided = Journal(path / JOURNAL, watcher.noticed).read() if config.budget.seconds else []
    decisions = tuple(d for d in decided if d.step >= step)
    threads = [folder.previous.get("threads"), *(d.threads for d in decided if d.step < step)]
    same = _same_judge(folder.previous, prepared)
    if not same and folder.previous.get("scoring"):
        watcher.noticed("this run was scored by another judge before: its scores begin anew")
    scores = read_scores(path, images) if same else []
    enough = prepared.scoring is not None and prepared.scoring.reached(scores)
    done, told = None, dict[str, Json]()
    if snapshot and (enough or config.budget.progress(snapshot.seconds, snapshot.images) >= 1):
        with contextlib.suppress(GanzooError):
            # All of it is read: a model that cannot be is written once more.
            told = load(path / "model").config.training
            if told["images"] == snapshot.images:
                done = next((p.name for p in (path / "model").glob("samples.*")), None)
    alarm, recovered = (told[name]["says"] if name in told else None for name in ("alarm", "recovered"))
    looks = tuple(read_looks(path, images))
    return Past(path, snapshot, decisions, precision, _last(threads), tuple(scores), looks, done, alarm, recovered)


def _last(threads: Sequence[Json]) -> int | None:
    """The last of them that is a number of threads."""
    return next((n for n in reversed(threads) if isinstance(n, int) and 1 <= n <= MOST_THREADS), None)


def _same_judge(previous: Mapping[str, Json], prepared: Prepared) -> bool:
    """Whether the run was scored as it is to be now; how often, and until what, is no matter."""
    before, now = previous.get("scoring"), prepared.scoring.describe() if prepared.scoring else None
    told = [{k: v for k, v in (scoring or {}).items() if k not in ("every", "until", "by")} for scoring in (before, now)]
    return now is None or told[0] == told[1]
