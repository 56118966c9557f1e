"""From an exception to one line on stderr and an exit code.

1: something failed. 2: the request itself was wrong. 3: training has ended, but the model is not usable. 130: interrupted.
``GANZOO_DEBUG=1`` puts the traceback before the line.
"""

from __future__ import annotations

import contextlib
import os
import traceback
import warnings
from typing import TextIO

import click

from ganzoo.cli.output import out
from ganzoo.errors import GanzooError, RenamedWarning, UnfinishedError, debugging, first_line

NO_GOOD = 3
INTERRUPTED = 130


def report(error: BaseException) -> int:
    """Say what went wrong and, where it is known, what to do about it. Returns the exit code."""
    out.discard()
    if isinstance(error, BrokenPipeError):
        # Whoever read stdout has read enough, as `head` does; that needs no words.
        return 1
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return error.exit_code
    if debugging():
        traceback.print_exception(error)
    message, hint, exit_code = explain(error)
    # Of several processes, each may have a reason of its own.
    rank = os.environ.get("RANK", "0")
    who = "ganzoo" if rank == "0" else f"ganzoo, process {rank}"
    out.say(f"{who}: {message}; {hint}" if hint else f"{who}: {message}")
    return exit_code


def show_warnings() -> None:
    """From now on, have a name's change said as everything else is, and not with the line of code that noticed it."""
    show = warnings.showwarning

    def say(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if not issubclass(category, RenamedWarning):
            show(message, category, filename, lineno, file, line)
        elif os.environ.get("RANK", "0") == "0":
            out.say(f"ganzoo: {message}")

    warnings.showwarning = say


def explain(error: BaseException) -> tuple[str, str | None, int]:
    """What failed, what to do about it, and the exit code."""
    match error:
        case UnfinishedError():
            return error.message, _going_on(error), error.exit_code
        case GanzooError():
            return error.message, error.hint, error.exit_code
        case click.UsageError():
            hint = f"try: {error.ctx.command_path} --help" if error.ctx else None
            return _uncapitalized(error.format_message()), hint, error.exit_code
        case click.ClickException():
            return _uncapitalized(error.format_message()), None, error.exit_code
        case KeyboardInterrupt() | click.Abort():
            return "interrupted", None, INTERRUPTED
        case OSError():
            return _system_error(error), None, 1
        case ImportError() if not (error.name or "").startswith("ganzoo"):
            return f"an installed package does not work: {first_line(error)}", "see: ganzoo doctor", 1
        case _ if isinstance(error, MemoryError) or "OutOfMemory" in type(error).__name__ or "allocate memory" in str(error):
            return f"out of memory: {first_line(error)}", "try: a smaller batch, -o batch_size=16", 1
        case _:
            what = f"internal error: {type(error).__name__}: {first_line(error)}"
            return what, "set GANZOO_DEBUG=1 for the traceback and report it", 1


def _going_on(error: UnfinishedError) -> str | None:
    """The command that goes on with a run, where its folder says enough for that."""
    from pathlib import Path

    command = ""
    # What has failed is told in any case.
    with contextlib.suppress(Exception):
        from ganzoo.training.recorded import command_there

        command = command_there(Path(error.folder).expanduser())
    return f"go on with it: {command}" if command else error.hint


def _system_error(error: OSError) -> str:
    """The path first, as every Unix tool says it. Network libraries raise OSErrors that have neither path nor errno."""
    what = error.strerror or first_line(error)
    paths = " -> ".join(os.fsdecode(p) if isinstance(p, bytes) else str(p) for p in (error.filename, error.filename2) if p)
    return f"{paths}: {what}" if paths else what


def _uncapitalized(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:].removesuffix(".")
