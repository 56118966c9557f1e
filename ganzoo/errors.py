"""What can go wrong, in words a user can act on."""

from __future__ import annotations

import functools
import os
import sys
import warnings
from collections.abc import Collection, Iterable, Iterator
from types import FrameType

FEW = 10
"""Names that are no more than this are all listed when none is near the one that was asked for."""


class GanzooError(Exception):
    """Something failed that the user can do something about.

    Args:
        message: One sentence: what failed, on which name, file or value.
        hint: The next thing to type or change, if there is one.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class UsageError(GanzooError):
    """The request itself is wrong: an unknown name or key, a wrong type, a shape that a network cannot make.

    Networks and other components raise it from their constructors for arguments that they do not support.
    """

    exit_code = 2


class UnknownNameError(UsageError):
    """A name that is not known; the hint has the nearest ones, or all of them where they are few."""

    def __init__(
        self, what: str, name: str, known: Iterable[str], *, hint: str | None = None, meant: str | None = None
    ) -> None:
        """``meant``: that of ``known`` which others call ``name``, if there is one, whatever the spelling is near to."""
        known = list(known)
        near = [meant] if meant else nearest(name, known)
        few = f"there are {', '.join(known)}" if 0 < len(known) <= FEW else None
        offered = f"did you mean {' or '.join(near)}?" if near else few
        super().__init__(f"unknown {what} {name!r}", hint=(" " if near else "; ").join(filter(None, (offered, hint))) or None)
        self.what, self.name = what, name


class DataError(GanzooError):
    """Training data that is missing, unreadable or unusable."""


class ModelError(GanzooError):
    """A model folder that is missing, damaged, or needs a plugin that is not there."""


class HubError(GanzooError):
    """The Hugging Face Hub cannot be reached, has no such model, or does not let this account do it."""


class UnfinishedError(ModelError):
    """A run that has no model yet.

    Args:
        folder: The run's.
    """

    def __init__(self, folder: str) -> None:
        super().__init__(
            f"the run {folder!r} has no model: it is still going on, or did not finish",
            hint="the command that began it goes on with it",
        )
        self.folder = folder


class PluginError(GanzooError):
    """A plugin, or a component that a plugin registered, does not work."""


class TrainingError(GanzooError):
    """Training cannot go on."""


class RenamedWarning(FutureWarning):
    """Something that was named has another name now; the old one still works."""


@functools.cache
def say_renamed(what: str, old: str, new: str) -> None:
    """Warn, once in a process, that what somebody named ``old`` is called ``new`` now."""
    warnings.warn(f"the {what} {old!r} is called {new!r} now", RenamedWarning, stacklevel=2)


def nearest(name: str, known: Iterable[str], limit: int = 3) -> list[str]:
    """The names in ``known`` closest in spelling to ``name``, best first; a first word or a last dotted part counts.

    Of a dotted name the last part is compared with the last parts: what comes before it is alike in all of a part's options.
    """
    import difflib

    known = list(dict.fromkeys(known))
    head, _, tail = name.rpartition(".")
    inside = {k.rpartition(".")[2]: k for k in known if head and k.startswith(f"{head}.") and "." not in k[len(head) + 1 :]}
    if inside:
        return [inside[t] for t in difflib.get_close_matches(tail, list(inside), n=limit, cutoff=0.6)]
    if head and (same := [k for k in known if k.rpartition(".")[2] == tail]):
        return sorted(same, key=lambda k: -difflib.SequenceMatcher(None, k, name).ratio())[:limit]
    found = difflib.get_close_matches(name, known, n=limit, cutoff=0.6)
    found += [k for k in known if name and k.startswith(f"{name}-") and k not in found]
    found += [k for k in known if k.rpartition(".")[2] == tail and k not in found]
    if not found:
        by_tail = {k.rpartition(".")[2]: k for k in reversed(known)}
        found = [by_tail[t] for t in difflib.get_close_matches(tail, list(by_tail), n=limit, cutoff=0.6)]
    return found[:limit]


ENGINES = frozenset(
    {"ganzoo", "torch", "timm", "torchvision", "accelerate", "safetensors", "numpy", "pydantic", "pluggy", "click", "PIL"}
)
"""Packages that run the code of plugins: what fails in them was asked of them by somebody else."""


def describe(error: BaseException, packages: Collection[str] = ()) -> str:
    """An error in foreign code on one line: its type, what it says, and where, as :func:`place_of`."""
    said = first_line(error)
    name = type(error).__name__
    words = name if said == name else f"{name}: {said}"
    place = place_of(error, packages)
    return f"{words} ({place})" if place else words


def debugging() -> bool:
    """Whether ``GANZOO_DEBUG`` asks for the whole traceback of what fails."""
    return os.environ.get("GANZOO_DEBUG", "0") not in ("", "0")


def caller() -> str | None:
    """``file:line`` of the code that called ganzoo; None if only Python's own and that of :data:`ENGINES` did."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and not _is_own(str(frame.f_globals.get("__name__", ""))):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else None


def place_of(error: BaseException, packages: Collection[str] = ()) -> str | None:
    """``file:line`` where code of these packages raised an error, or called what did; None if none of it was running.

    Args:
        error: With its traceback.
        packages: Names of packages at the top; none: all but Python's own and :data:`ENGINES`.
    """
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        return f"{error.filename}:{error.lineno}"
    own = None
    for module, file, line in _frames(error):
        if module.partition(".")[0] in packages if packages else _is_own(module):
            own = f"{file}:{line}"
    return own


def _is_own(module: str) -> bool:
    """Whether a module is neither Python's nor one of :data:`ENGINES`."""
    top = module.partition(".")[0]
    return top not in ENGINES and top not in sys.stdlib_module_names


def _frames(error: BaseException) -> Iterator[tuple[str, str, int]]:
    """Module, file and line of each frame that an error went through, the innermost last."""
    traceback = error.__traceback__
    while traceback is not None:
        frame = traceback.tb_frame
        yield str(frame.f_globals.get("__name__", "")), frame.f_code.co_filename, traceback.tb_lineno
        traceback = traceback.tb_next


def first_line(error: BaseException) -> str:
    """The first words of an error of somebody else's, its type where it has none."""
    try:
        return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    except Exception:  # noqa: BLE001 - saying what went wrong may go wrong as well
        return type(error).__name__


def printable(text: str) -> str:
    """``text`` on one line, with whatever would move the cursor or hide something (in a file's name, say) escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
