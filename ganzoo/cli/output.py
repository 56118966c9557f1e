"""Where a command's words go: its result to stdout, talk to stderr.

A result is a table or fields for readers, or JSON for programs. A terminal gets wrapped columns and colour (unless NO_COLOR is
set). What is piped on is a line for each field, and one for each row of a table, after one with the columns' names, with a tab
between two cells.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import click

from ganzoo.errors import printable
from ganzoo.variant import Json, thaw

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
"""The ``--json`` flag, the same for every command that has it."""


def _finite(value: Json) -> Json:
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


class Output:
    """What commands print with, instead of ``print``."""

    def line(self, text: str) -> None:
        """One line of the result."""
        self._write(printable(text))

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table; the first column holds what a user would type next and is never wrapped."""
        cells = [[printable(cell) for cell in row] for row in rows]
        if not cells:
            return
        if _is_terminal():
            _draw(columns, cells)
            return
        self._write("\n".join("\t".join(row) for row in (columns, *cells)))

    def fields(self, sections: Mapping[str, Mapping[str, Json]], *, whole: Collection[str] = ()) -> None:
        """Named values under headings; a section without any is left out.

        Args:
            sections: Heading -> name -> value.
            whole: Headings of values that people copy, such as commands, and that are therefore never cut into lines.
        """
        words = {
            title: {printable(name): printable(_words(value)) for name, value in values.items()}
            for title, values in sections.items()
            if values
        }
        if _is_terminal():
            _draw_fields(words, whole)
            return
        width = _width(words)
        blocks = []
        for title, values in words.items():
            lines = [f"  {name.ljust(width)}  {value}".rstrip() for name, value in values.items()]
            blocks.append("\n".join([printable(title), *lines]))
        self._write("\n\n".join(blocks))

    def json(self, value: Json) -> None:
        """The whole result as JSON; numbers that are not finite, which JSON has not, as null."""
        self._write(json.dumps(_finite(thaw(value)), indent=2, allow_nan=False))

    def say(self, text: str) -> None:
        """One line of talk."""
        # Nobody is left to be told when stderr itself is closed.
        with contextlib.suppress(OSError):
            click.echo(printable(text), err=True)

    def replaced(self, what: Path | str) -> None:
        """Say that a file, or a folder, was there before a command wrote it."""
        self.say(f"{what} was there before, and has been replaced")

    def flush(self) -> None:
        """Hand everything written so far to stdout; OSError if it does not take it."""
        if sys.stdout is not None:
            sys.stdout.flush()

    def discard(self) -> None:
        """Drop what stdout does not take, which Python would complain about at exit."""
        try:
            self.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def _write(self, text: str) -> None:
        # A letter that the terminal's encoding lacks must not cost the rest of the result.
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")
        click.echo(text)


out = Output()


def _is_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()


def _words(value: Json) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_words, value)) or "-"
    return str(value)


def _draw(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for index, column in enumerate(columns):
        table.add_column(column, no_wrap=index == 0, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)


def _width(sections: Mapping[str, Mapping[str, str]]) -> int:
    return max((len(name) for values in sections.values() for name in values), default=0)


def _draw_fields(sections: Mapping[str, Mapping[str, str]], whole: Collection[str]) -> None:
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    # Where a terminal is narrow, long names are wrapped as well, so that values keep half of it.
    width = min(_width(sections), max(console.width // 2 - 4, 1))
    for number, (title, values) in enumerate(sections.items()):
        if number:
            console.print()
        console.print(Text(printable(title), style="bold"))
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column(width=width, overflow="fold")
        table.add_column(overflow="fold")
        for name, value in values.items():
            if title in whole:
                # The terminal itself folds what is too long, and whoever copies that gets one line.
                console.print(Text(f"  {name.ljust(width)}  {value}"), soft_wrap=True)
            else:
                table.add_row(Text(name), Text(value))
        if table.row_count:
            console.print(Padding(table, (0, 0, 0, 2)))
