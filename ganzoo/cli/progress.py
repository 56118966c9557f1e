"""How a run shows itself: a live bar on a terminal, plain lines anywhere else."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganzoo.cli.output import out
from ganzoo.errors import printable
from ganzoo.training.progress import STOPPING, Lines, duration, in_words
from ganzoo.training.watcher import Watcher

if TYPE_CHECKING:
    from ganzoo.training.watcher import Status


@contextlib.contextmanager
def watching() -> Iterator[Lines | _Live]:
    """A :class:`~ganzoo.Watcher` who shows a run on stderr, in the way that stderr can show it."""
    if sys.stderr is not None and sys.stderr.isatty():
        with _bar() as bar:
            yield _Live(bar)
    else:
        yield Lines(out.say)


@contextlib.contextmanager
def counting(what: str) -> Iterator[Callable[[int, int], None]]:
    """A function to call with (done, total), which shows how far ``what`` is."""
    with watching() as shown:
        yield lambda done, total: shown.count(what, done, total)


class _Live(Watcher):
    """One bar that moves."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._tasks: dict[str, Any] = {}

    def decoding(self, done: int, total: int) -> None:
        self.count("reading", done, total)

    def started(self, folder: Path, facts: Mapping[str, str]) -> None:
        for task in self._tasks.values():
            self._bar.remove_task(task)
        self._tasks.clear()
        for name, fact in {**facts, "folder": str(folder)}.items():
            self._bar.console.print(f"{name:<11}{printable(fact)}", markup=False, highlight=False, soft_wrap=True)

    def noticed(self, text: str) -> None:
        self._bar.console.print(printable(text), markup=False, highlight=False, soft_wrap=True)

    def status(self, status: Status) -> None:
        self._bar.below = in_words(status.metrics)
        words = f"{status.images:,} images  {status.rate:,.0f}/s  left {duration(status.remaining)}"
        self._show("training", status.progress, 1.0, words)

    def stopping(self) -> None:
        self._bar.console.print(STOPPING)

    def count(self, what: str, done: int, total: int) -> None:
        """``done`` of ``total`` of ``what``."""
        self._show(what, done, total, f"{done:,} of {total:,}")

    def _show(self, what: str, done: float, total: float, words: str) -> None:
        if what not in self._tasks:
            self._tasks[what] = self._bar.add_task(what, total=total, words="")
        self._bar.update(self._tasks[what], completed=done, total=total, words=words)


def _bar() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
    from rich.text import Text

    class Bar(Progress):
        """A bar with a line of text under it, which gives way where a terminal is narrow."""

        below = ""

        def get_renderables(self) -> Iterator[Any]:
            yield from super().get_renderables()
            yield Text(self.below, style="dim", no_wrap=True, overflow="ellipsis")

    columns = (TextColumn("{task.description}"), BarColumn(15), TaskProgressColumn(), TextColumn("{task.fields[words]}"))
    return Bar(*columns, console=Console(stderr=True), refresh_per_second=4)
