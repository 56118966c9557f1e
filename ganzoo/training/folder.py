"""The folder of a run: who may write to it, and whether it holds a run to go on with."""

from __future__ import annotations

import contextlib
import itertools
import math
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

from ganzoo.errors import TrainingError, UsageError
from ganzoo.files import is_leftover, parse_json, unwritable
from ganzoo.modalities.base import PREVIEW_FORMS
from ganzoo.model_folder import as_text
from ganzoo.training.differing import LIMITS, in_words, passed_over
from ganzoo.variant import Json

RUNS = Path("runs")
"""Where runs go that are given no folder."""

CONFIG = "config.json"
METRICS = "metrics.jsonl"
SCORES = "scores.jsonl"
CURVE = "scores.png"
JOURNAL = "clock.jsonl"
CHECKPOINTS = "checkpoints"
LOGS = "logs"
LOCK = ".lock"

SETTLED = ("fp32", "bf16")
"""The precisions that a run can be in, once that is settled; those of :data:`ganzoo.training.precision.PRECISIONS`."""

SHEET = rf"\d{{10,}}\.({'|'.join(PREVIEW_FORMS)})"
"""What sheets of samples are called, whatever form their modality shows them in."""

WRITTEN = {
    *(CONFIG, METRICS, SCORES, CURVE, JOURNAL),
    *(f"reals.{form}" for form in PREVIEW_FORMS),
    *("samples", CHECKPOINTS, "model", "tensorboard", LOGS),
}
"""What a run writes into its folder."""

FREE = {
    "ganzoo",
    "command",
    "plugin.version",
    "plugins",
    "preset",
    "data",
    "resolution",
    "budget",
    "compile",
    "threads",
    "scoring",
    "dataset.name",
    "dataset.skipped",
    "start.from",
    "start.images",
    "start.roles",
    "start.repository",
    "loop.images",
    "loop.mirror",
    "loop.checkpoint_seconds",
    "loop.checkpoints",
}
"""What may differ when a run goes on: it decides how long and how a run is trained, or is told by something else, but not
what is computed. Every other key is the run's mathematics. (The data itself is told by its hash, and whether pictures were
mirrored by ``mirrored``.)"""


NEWER: dict[str, Json] = {"loop.lr_decay_images": 0.0, "loop.ema_ramp": 0.2}
"""What the configurations of older runs lack, with what these did. Of the options of a part this need not be said: an option
that comes later has for its default what was done before it."""

MAY_LACK = ("penalties", "augmentations", ".arguments")
"""What keys end with of which there may be none: no matter whether a configuration says so, or leaves them out."""

KIND = "dataset.modality."
"""What keys begin with that say what samples are. Older runs do not say it, and so it is compared where both runs do."""

WHOSE = ".distribution"
"""What a key ends with that says of which distribution a name is. Older runs say that of their variant alone, and so it is
compared where both runs say it."""


class OtherRunError(UsageError):
    """A folder holds another run than the one that is asked for."""


@dataclass
class RunFolder:
    """A folder that this process, and no other, writes a run to.

    Attributes:
        path: The folder.
        previous: The configuration of the run that is in it and is to go on; None for a new one.
        passed_over: The nearest run that is passed over and in what it differs, where nobody named a folder.
        made: It and those of its parents that had to be made, innermost first.
    """

    path: Path
    previous: dict[str, Json] | None = None
    passed_over: str = ""
    made: list[Path] = field(default_factory=list)

    def clear(self) -> None:
        """Remove what runs write: their files, and their folders with all that is in them."""
        # The configuration last: as long as it is there, what else is left is known to be a run's.
        for entry in sorted(self.path.iterdir(), key=lambda entry: entry.name == CONFIG):
            if entry.name in WRITTEN or _is_leftover(entry):
                shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()

    def abandon(self) -> None:
        """Remove it, and what was made for it, unless somebody has begun to use them."""
        self.clear()
        (self.path / LOCK).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            for new in self.made:
                new.rmdir()


@contextlib.contextmanager
def run_folder(
    out: Path | None,
    name: str,
    config: Mapping[str, Json],
    defaults: Mapping[str, Json] | None = None,
    *,
    fresh: bool = False,
    formerly: Sequence[str] = (),
    by_names_of_now: Callable[[Mapping[str, Json]], dict[str, Json]] = dict,
) -> Iterator[RunFolder]:
    """Take a folder, for as long as the block lasts.

    Args:
        out: The folder. None: the first of ``runs/name``, ``runs/name-2``, … that is new or holds the same run.
        name: See ``out``.
        config: What is to be trained, as ``config.json`` will hold it.
        defaults: What its options are by default, by their keys there.
        fresh: Do not go on with a run that is there. One in ``out`` is removed.
        formerly: What ``name`` would have been before something was renamed: the same run may be there.
        by_names_of_now: Has the configuration of a run that is there say things by their names of now.

    Raises:
        UsageError: Another process trains there; or ``out`` cannot be written to, or holds something else.
        OtherRunError: It holds a run that ``config`` would change, with the differing keys.
    """
    with contextlib.ExitStack() as locks:
        if out is not None:
            check_folder(out)
            folder = locks.enter_context(_locked(out))
            # Once more, now that nobody else can write to it.
            check_folder(out)
            folder.previous = _read(out, by_names_of_now)
            if fresh:
                folder.clear()
                folder.previous = None
            elif folder.previous and (differing := differences(folder.previous, config, defaults)):
                less = "go on with the budget that it had, " if any(key in LIMITS for key, _, _ in differing) else ""
                raise OtherRunError(
                    f"{str(out)!r} holds a run that differs in {in_words(differing)}",
                    hint=f"{less}name another folder (--out DIR), or replace it (--fresh)",
                )
        else:
            candidates = itertools.chain(*(itertools.takewhile(Path.exists, _numbered(old)) for old in formerly))
            paths = _numbered(name) if fresh else itertools.chain(candidates, _numbered(name))
            folder = _first_fitting(paths, config, defaults, fresh, locks, by_names_of_now)
        if folder.previous is not None:
            remove_leftovers(folder.path)
        yield folder


def _numbered(name: str) -> Iterator[Path]:
    return (RUNS / (name if number == 1 else f"{name}-{number}") for number in itertools.count(1))


def _first_fitting(
    paths: Iterator[Path],
    config: Mapping[str, Json],
    defaults: Mapping[str, Json] | None,
    fresh: bool,
    locks: contextlib.ExitStack,
    by_names_of_now: Callable[[Mapping[str, Json]], dict[str, Json]],
) -> RunFolder:
    # Of those that are there, the nearest is told: whoever is surprised by a new folder meant that one.
    nearest, said = math.inf, ""
    for path in paths:
        there = _read(path, by_names_of_now)
        differing = differences(there, config, defaults) if there is not None else []
        if path.exists() if there is None else fresh or differing:
            far = len(differing) if there is not None else sys.maxsize
            if far < nearest:
                told = f"{path} holds {'the same' if there else 'no'} run"
                nearest, said = far, passed_over(path, differing) if differing else told
            continue
        lock = _locked(path)
        folder = locks.enter_context(lock)
        # Somebody else may have been quicker.
        folder.previous = _read(path, by_names_of_now)
        folder.passed_over = said
        if folder.previous is None or not (fresh or differences(folder.previous, config, defaults)):
            return folder
        locks.pop_all().close()
    raise AssertionError("there is no end to numbers")


def _read(path: Path, by_names_of_now: Callable[[Mapping[str, Json]], dict[str, Json]]) -> dict[str, Json] | None:
    run = read_run(path)
    return None if run is None else by_names_of_now(run)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[RunFolder]:
    made = [p for p in (path, *path.parents) if not p.exists()]
    path.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise UsageError(
            f"another process is training in {str(path)!r}", hint="wait for it, or name another folder: --out DIR"
        ) from None
    except NotImplementedError as error:
        raise TrainingError(f"the files in {str(path)!r} cannot be locked: {error}", hint="--out DIR elsewhere") from error
    try:
        yield RunFolder(path, made=made)
    finally:
        lock.release()


def check_folder(folder: Path) -> None:
    """Raise UsageError unless a run can be written to ``folder``: it is new or empty or a run's, and can be written to."""
    if as_text(str(folder.absolute())) != str(folder.absolute()):
        # safetensors takes no other path.
        raise UsageError(
            f"the name {as_text(str(folder))!r} is not UTF-8, and files of weights cannot be written there",
            hint="name another folder: --out DIR",
        )
    if folder.is_dir():
        if read_run(folder) is None and any(p.name != LOCK and not _is_leftover(p) for p in folder.iterdir()):
            hint = "name another folder: --out DIR"
            if (folder / CHECKPOINTS).is_dir():
                raise UsageError(f"the run in {str(folder)!r} has lost its {CONFIG}, without which it cannot go on", hint=hint)
            raise UsageError(f"{str(folder)!r} is not empty", hint=hint)
    elif folder.exists() or folder.is_symlink():
        raise UsageError(f"{str(folder)!r} is not a folder", hint="name another: --out DIR")
    if parent := unwritable(folder / CONFIG):
        raise UsageError(f"cannot write to {str(parent)!r}", hint="name another folder: --out DIR")


def is_in_use(folder: Path) -> bool:
    """Whether a process trains in a folder, as far as can be seen."""
    if not (folder / LOCK).is_file():
        return False
    try:
        with FileLock(folder / LOCK, timeout=0):
            return False
    except Timeout:
        return True
    except (OSError, NotImplementedError):
        return False


def remove_leftovers(folder: Path) -> None:
    """Remove what a process that was killed had begun to write in a run's folder."""
    for parent in (folder, folder / CHECKPOINTS, folder / "samples"):
        for path in parent.iterdir() if parent.is_dir() else ():
            if _is_leftover(path):
                with contextlib.suppress(OSError):
                    shutil.rmtree(path) if path.is_dir() else path.unlink()


def _is_leftover(path: Path) -> bool:
    return is_leftover(path, rf"{'|'.join(map(re.escape, WRITTEN))}|\d{{12,}}|{SHEET}")


def read_run(folder: Path) -> dict[str, Json] | None:
    """The configuration of the run in a folder, None if it holds no run."""
    try:
        config = parse_json((folder / CONFIG).read_bytes())
    except (OSError, ValueError):
        return None
    # A model folder has a config.json too, of another form.
    is_run = isinstance(config, dict) and {"variant", "loop", "trainer"} <= config.keys()
    return config if is_run and isinstance(config.get("budget"), dict) and config.get("precision") in SETTLED else None


def differences(
    old: Mapping[str, Json], new: Mapping[str, Json], defaults: Mapping[str, Json] | None = None
) -> list[tuple[str, Json, Json]]:
    """The keys in which two runs' mathematics differ, as ``-o`` has them, with both values; a lower budget is one too.

    An option that the old one does not say, because it came later, is as ``defaults`` have it.
    """
    told, after = dict(_leaves(old)), dict(_leaves(new))
    before, said = dict(told), told | after
    for option, value in (dict(defaults or {}) | NEWER).items():
        if not any(key == option or key.startswith(f"{option}.") for key in told):
            before |= dict(_leaves(value, option))
    keys = [key for key in said if key not in FREE and key.partition(".")[0] not in FREE]
    if "loss" not in new:
        # Older runs of a trainer that takes none say one all the same.
        keys = [key for key in keys if key.partition(".")[0] != "loss"]
    keys = [key for key in keys if not key.startswith(KIND) or (key in before and key in after)]
    keys = [key for key in keys if not key.endswith(WHOSE) or (key in before and key in after)]
    found = [(_option(key), before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)]
    if after.get("precision") == "auto":
        # What was chosen then is chosen again.
        found = [row for row in found if row[0] != "precision"]
    for key, limit in (("budget", "seconds"), ("images", "images")):
        there, here = old["budget"].get(limit), new["budget"][limit]
        if here is not None and (not isinstance(there, (int, float)) or here < there):
            found.append((key, there, here))
    return found


def _leaves(value: Json, key: str = "") -> Iterator[tuple[str, Json]]:
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _leaves(inner, f"{key}.{name}" if key else name)
    elif value != {} or not key.endswith(MAY_LACK):
        yield key, list(value) if isinstance(value, tuple) else value


def _option(key: str) -> str:
    """A key of ``config.json`` as users know it: ``loop.batch_size`` is ``batch_size``."""
    if key == f"plugin{WHOSE}":
        return "the distribution that the variant is from"
    return key.removeprefix("loop.").removeprefix("trainer.arguments.").replace(".arguments.", ".").removesuffix(".name")
