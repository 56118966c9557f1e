"""Checkpoints: one folder each, whole or not there, and never unpickled.

A folder holds a safetensors file for each kind of tensor, ``state.json`` for the rest, and ``manifest.json`` with the size
and the SHA-256 of every other file.
"""

from __future__ import annotations

import contextlib
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from ganzoo.errors import TrainingError
from ganzoo.files import parse_json, replace_folder, sha256, write_json
from ganzoo.measures.base import Goal
from ganzoo.training.records import numbered
from ganzoo.training.state import Snapshot

FORMAT = 1
MANIFEST = "manifest.json"
STATE = "state.json"

DAMAGE = (OSError, LookupError, ValueError, TypeError, AttributeError, ArithmeticError, RecursionError, SafetensorError)
"""What reading files can raise that are not what was written."""

LOWER = Goal("lower")
"""What every score was taken to be before checkpoints said it."""


class DamagedError(TrainingError):
    """A checkpoint is not what was written."""


class Checkpoints:
    """The checkpoints of one run.

    Args:
        folder: Where they are; it need not exist.
        keep: How many of the newest stay. The best one stays too; so does that of every other judge.
        by: Which score says what is best.
        judge: Whose; those of others are not compared with it.
        goal: Where that score should go.
    """

    def __init__(self, folder: Path, keep: int = 2, by: str = "", judge: str = "", goal: Goal = LOWER) -> None:
        self.folder = folder
        self.keep = keep
        self.by = by
        self.judge = judge
        self.goal = goal

    def save(self, snapshot: Snapshot, scores: Mapping[str, float] | None = None) -> Path:
        """Write one, and remove those that need not be kept any longer.

        Raises:
            OSError: It cannot be written; those before it are as they were.
        """
        path = self.folder / f"{snapshot.images:012d}"
        with replace_folder(path) as beside:
            for file, tensors in snapshot.tensors.items():
                try:
                    save_file(tensors, beside / f"{file}.safetensors")
                except SafetensorError as error:
                    raise OSError(f"cannot write {path}: {error}") from error
            state = {"step": snapshot.step, "images": snapshot.images, "seconds": snapshot.seconds}
            judged = {"scores": dict(scores or {}), "judge": self.judge, "by": self.by, "goal": asdict(self.goal)}
            write_json(beside / STATE, {**state, **judged, **snapshot.rest})
            files = {p.name: {"bytes": p.stat().st_size, "sha256": sha256(p)} for p in sorted(beside.iterdir())}
            write_json(beside / MANIFEST, {"format": FORMAT, "files": files})
        self._prune(path)
        return path

    def load(self, damaged: Callable[[str], None]) -> Snapshot | None:
        """What the newest that is whole holds; see :meth:`newest`."""
        found = self.newest(damaged)
        return found and found[1]

    def newest(self, damaged: Callable[[str], None]) -> tuple[Path, Snapshot] | None:
        """The newest that is whole, and what it holds; None if there is none at all.

        Args:
            damaged: Told of each that had to be passed over.

        Raises:
            TrainingError: There are some, and all are damaged.
        """
        found = self._paths()
        for path in reversed(found):
            try:
                return path, read_checkpoint(path)
            except DamagedError as error:
                damaged(error.message)
        if found:
            raise TrainingError(f"every checkpoint in {self.folder} is damaged", hint="begin anew: --fresh")
        return None

    def best(self) -> tuple[Snapshot, float] | None:
        """The one with the best score, and that; None if none has any, or it is damaged."""
        judged = _by_judge(self._paths()).get((self.judge, self.by))
        if judged is None:
            return None
        path = judged.best(self.goal)
        try:
            return read_checkpoint(path), judged.scores[path]
        except DamagedError:
            return None

    def _paths(self) -> list[Path]:
        return numbered(self.folder)

    def _prune(self, newest: Path) -> None:
        """Remove what need not be kept now that ``newest`` is there: also what is ahead of it, which was passed over."""
        found = self._paths()
        paths = [path for path in found if path <= newest]
        mine = (self.judge, self.by)
        best = {judged.best(self.goal if key == mine else judged.goal) for key, judged in _by_judge(paths).items()}
        for path in {*paths[: -self.keep], *found[len(paths) :]} - best:
            # What cannot be removed costs room, and nothing else.
            with contextlib.suppress(OSError):
                # Without its manifest it is nothing, so that a removal that is cut short leaves nothing half there.
                (path / MANIFEST).unlink(missing_ok=True)
                shutil.rmtree(path)


def read_checkpoint(path: Path) -> Snapshot:
    """What a checkpoint's folder holds, after a look at every byte.

    Raises:
        DamagedError: Something is missing or not as it was written.
    """
    try:
        manifest = _json(path / MANIFEST)
        files: dict[str, dict[str, Any]] = manifest["files"]
        if manifest["format"] != FORMAT or STATE not in files:
            raise DamagedError(f"the checkpoint {path} is of another format than this ganzoo reads")
        for name, said in files.items():
            if Path(name).name != name:
                raise DamagedError(f"the checkpoint {path} names {name!r}, which is no file of its own")
            if (path / name).stat().st_size != said["bytes"] or sha256(path / name) != said["sha256"]:
                raise DamagedError(f"the checkpoint {path} is damaged: {name} is not what was written")
        state = _json(path / STATE)
        tensors = {Path(n).stem: load_file(path / n) for n in files if n.endswith(".safetensors")}
        rest = {key: state[key] for key in ("optimizers", "trainer", "extra")}
        seconds = float(state["seconds"])
        if not math.isfinite(seconds):
            raise ValueError(f"{seconds} seconds")
        return Snapshot(int(state["step"]), int(state["images"]), seconds, tensors, rest)
    except DAMAGE as error:
        raise DamagedError(f"the checkpoint {path} is damaged: {type(error).__name__}: {error}") from error


def _json(path: Path) -> Any:
    return parse_json(path.read_bytes())


@dataclass
class _Judged:
    """The checkpoints that have a score by one judge.

    Attributes:
        scores: Theirs.
        goal: Where the score should go, as the newest of them says it.
    """

    scores: dict[Path, float]
    goal: Goal

    def best(self, goal: Goal) -> Path:
        return min(self.scores, key=lambda path: goal.distance(self.scores[path]))


def _by_judge(paths: Sequence[Path]) -> dict[tuple[str, str], _Judged]:
    """(Judge, score's name) -> the checkpoints that have that score by that judge, the oldest first."""
    found: dict[tuple[str, str], _Judged] = {}
    for path in paths:
        try:
            state = _json(path / STATE)
            judge, by, scores = state.get("judge", ""), state.get("by", ""), state["scores"]
            goal = _goal(state.get("goal"))
        except DAMAGE:
            continue
        score = scores.get(by) if isinstance(scores, dict) else None
        if isinstance(score, float) and math.isfinite(score):
            judged = found.setdefault((str(judge), str(by)), _Judged({}, goal))
            judged.scores[path], judged.goal = score, goal
    return found


def _goal(told: Any) -> Goal:
    """A goal as a checkpoint says it; checkpoints of earlier releases do not."""
    if not isinstance(told, dict):
        return LOWER
    better, ideal = told.get("better"), told.get("ideal")
    if better not in ("lower", "higher"):
        better = None
    return Goal(better, float(ideal) if isinstance(ideal, (int, float)) else None)
