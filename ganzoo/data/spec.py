"""What ``--data`` names, taken apart: a name or a path, and options after it as in a link."""

from __future__ import annotations

import contextlib
import math
import urllib.parse
from collections.abc import Mapping, Sequence
from pathlib import Path

from ganzoo.errors import UnknownNameError, UsageError
from ganzoo.files import user_path

Options = Mapping[str, str]


def parse(spec: str) -> tuple[str, dict[str, str]]:
    """The name or path in ``spec``, and the options: ``a.npz?images=x&range=0,1``.

    A file whose own name has a question mark in it is that file.
    """
    marks = [index for index, letter in enumerate(spec) if letter == "?"]
    for end in (len(spec), *reversed(marks)):
        if exists(user_path(spec[:end])):
            break
    else:
        end = marks[0] if marks else len(spec)
    # In a link, + is a space; in a path it is a plus.
    query = spec[end + 1 :].replace("+", "%2B")
    return spec[:end], dict(urllib.parse.parse_qsl(query, keep_blank_values=True))


def exists(path: Path) -> bool:
    """Whether there is something of this name, which any text may be."""
    with contextlib.suppress(OSError, ValueError):
        return path.exists()
    return False


def require_known(options: Options, known: Sequence[str], what: str, about: Sequence[str] = ()) -> None:
    """Raise UnknownNameError, with those that there are, if an option of ``what`` is none of ``known``.

    ``about`` says what each of them is.
    """
    if unknown := sorted(options.keys() - set(known)):
        hint = f"options are {'; '.join(about) or ', '.join(known)}" if known else f"{what} takes none"
        raise UnknownNameError("option of --data", unknown[0], known, hint=hint)


def parse_range(options: Options) -> tuple[float, float] | None:
    """The values of black and white that ``range=LOW,HIGH`` says; None if it is not there. Raises UsageError."""
    if "range" not in options:
        return None
    try:
        low, high = map(float, options["range"].split(","))
    except ValueError:
        low = high = math.nan
    if not -math.inf < low < high < math.inf:
        said = options["range"]
        raise UsageError(f"range={said}: it is the values of black and of white", hint="for example: range=0,1")
    return low, high
