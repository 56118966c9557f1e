"""A run shown to people as it goes: a bar in notebooks and on terminals, plain lines anywhere else."""

from __future__ import annotations

import contextlib
import math
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganzoo.errors import printable
from ganzoo.training.watcher import Status, Watcher

if TYPE_CHECKING:
    from ganzoo.training.result import Run

STOPPING = "stopping: the run is being saved; once more ends it at once, and the same command goes on from before"
LINE_SECONDS = 10.0
"""Between two plain lines."""


class Lines(Watcher):
    """A line when something begins or is noticed, and one every ten seconds while a run goes on.

    Args:
        say: Called with each line, which has no line break and may have any other character.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self._next = 0.0

    def decoding(self, done: int, total: int) -> None:
        self.count("reading", done, total)

    def started(self, folder: Path, facts: Mapping[str, str]) -> None:
        for name, fact in {**facts, "folder": str(folder)}.items():
            self.say(f"{name:<11}{fact}")
        self._next = 0.0

    def noticed(self, text: str) -> None:
        self.say(text)

    def status(self, status: Status) -> None:
        if self._due(status.progress >= 1):
            self.say(
                f"{status.progress:4.0%}  {status.images:>10,} images  {status.rate:>7,.0f}/s  "
                f"left {duration(status.remaining):>6}  {in_words(status.metrics)}"
            )

    def stopping(self) -> None:
        self.say(STOPPING)

    def count(self, what: str, done: int, total: int) -> None:
        """``done`` of ``total`` of ``what``."""
        # What takes no time needs no words.
        self._next = self._next or time.monotonic() + LINE_SECONDS / 5
        if self._due(False) and done < total:
            self.say(f"{what} {done:,} of {total:,}")

    def _due(self, last: bool) -> bool:
        now = time.monotonic()
        if now < self._next and not last:
            return False
        self._next = now + LINE_SECONDS
        return True


class ProgressBar(Lines):
    """What ``ganzoo.train`` shows by default: what the data was understood to be, what the run is, how far it is, its end.

    In a notebook it is a bar made of widgets (needs ipywidgets; without, one of text), on a terminal one of text. Where
    stderr is neither, as in a log file, it is a line every ten seconds. Words go to stderr, in notebooks to stdout. One
    ``ProgressBar`` may follow any number of runs, one after another.
    """

    def __init__(self) -> None:
        super().__init__(self._write)
        self._in_notebook = in_notebook()
        self._tqdm: Any = _tqdm() if self._in_notebook or _is_terminal() else None
        self._bars: dict[str, Any] = {}

    def started(self, folder: Path, facts: Mapping[str, str]) -> None:
        self._close()
        super().started(folder, facts)

    def status(self, status: Status) -> None:
        if self._tqdm is None:
            super().status(status)
            return
        words = f"{status.images:,} images  {status.rate:,.0f}/s  left {duration(status.remaining)}"
        self._draw("training", status.progress, 1.0, f"{words}  {in_words(status.metrics)}")

    def count(self, what: str, done: int, total: int) -> None:
        """``done`` of ``total`` of ``what``."""
        if self._tqdm is None:
            super().count(what, done, total)
        else:
            self._draw(what, done, total, f"{what} {done:,} of {total:,}")

    def ended(self, run: Run | None) -> None:
        if (bar := self._bars.get("training")) is not None and run and not run.interrupted:
            bar.total = bar.n  # one that was good enough before its budget was spent is done as well
        self._close()
        self._next = 0.0
        if run:
            self.say(_last_words(run))

    def _draw(self, what: str, done: float, total: float, words: str) -> None:
        if what not in self._bars:
            # In a notebook, {bar} is looked for by its very letters, and a width in letters would be that of some terminal.
            shape = "{percentage:3.0f}%|{bar}| {desc}" if self._in_notebook else "{percentage:3.0f}%|{bar:20}| {desc}"
            # What takes no time needs no bar.
            brief = {} if what == "training" else {"leave": False, "delay": 0.5}
            self._bars[what] = self._tqdm(total=total, bar_format=shape, dynamic_ncols=not self._in_notebook, **brief)
        bar = self._bars[what]
        bar.set_description_str(printable(words), refresh=False)
        if what == "training":
            bar.n = done
            bar.refresh()
            return
        # Drawn now and then, however often it is called.
        bar.update(done - bar.n)
        if done >= total:
            self._bars.pop(what).close()

    def _close(self) -> None:
        while self._bars:
            self._bars.popitem()[1].close()

    def _write(self, text: str) -> None:
        stream = sys.stdout if self._in_notebook else sys.stderr
        if stream is None:
            return
        # Nobody is left to be told when the stream is closed.
        with contextlib.suppress(OSError, ValueError):
            write = self._tqdm.write if self._tqdm is not None else print
            write(printable(text), file=stream)


def in_words(metrics: Mapping[str, float]) -> str:
    """Metrics for people: ``loss_d 0.693  loss_g 1.21``."""
    return "  ".join(f"{name} {value:.3g}" for name, value in metrics.items())


def duration(seconds: float) -> str:
    """``42s``, ``3m05s``, ``2h07m``; ``?`` if infinite."""
    if not math.isfinite(seconds):
        return "?"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes}m{rest:02}s" if minutes < 60 else f"{minutes // 60}h{minutes % 60:02}m"


def in_notebook() -> bool:
    """Whether this process is a notebook's kernel."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return shell is not None and "IPKernelApp" in getattr(shell, "config", ())


def _is_terminal() -> bool:
    """Whether stderr is a terminal that has room for a bar; some say that they have no columns at all."""
    if sys.stderr is not None and sys.stderr.isatty():
        with contextlib.suppress(OSError):
            return os.get_terminal_size(sys.stderr.fileno()).columns > 0
    return False


def _tqdm() -> Any:
    from tqdm.auto import tqdm

    return tqdm


def _last_words(run: Run) -> str:
    ended = "interrupted" if run.interrupted else "was done" if run.resumed == run.images else "done"
    alarm = f", but what it made is no good: it {run.alarm}" if run.alarm else ""
    recovered = f"; it {run.recovered}" if run.recovered and not alarm else ""
    advice = f"; {run.advice}" if run.alarm and run.advice else ""
    going_on = "; the same call goes on" if run.interrupted else ""
    words = f"{ended} after {run.images:,} images in {run.seconds:.0f} s{alarm}{recovered}{advice}{going_on}"
    return f"{words}; it is in {run.folder}"
