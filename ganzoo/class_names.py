"""The classes of a model by name, by number, and as ``--class`` takes them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from ganzoo.errors import UsageError, nearest

FEW = 5
"""So many names are listed to somebody who got one wrong."""
SEARCHED = 10_000
"""Among so many names the nearest ones are looked for; more would take seconds."""
LONGEST = 60


def class_number(name: str, names: Sequence[str]) -> int:
    """The number of the class of that name. Raises UsageError with the nearest names, and with the first few."""
    try:
        return names.index(name)
    except ValueError:
        pass
    if not names:
        raise UsageError(
            f"there is no class {_short(name)!r}: this model's classes have no names", hint="name it by its number"
        )
    near = " or ".join(repr(_short(known)) for known in nearest(name, names[:SEARCHED]))
    first = ", ".join(repr(_short(known)) for known in names[:FEW]) + (", …" if len(names) > FEW else "")
    meant = f"did you mean {near}? " if near else ""
    raise UsageError(f"there is no class {_short(name)!r}", hint=f"{meant}the {len(names):,} classes are {first}")


def parse_classes(
    texts: Sequence[str], names: Sequence[str], count: int, tell: Callable[[str], None] = lambda word: None
) -> list[int]:
    """The numbers of the classes that somebody typed, in that order.

    A text is a name, a number, or a range of numbers, or several of these with commas between them. A name comes first, so
    that one with a comma in it, or one that is a number, is found if it is a text of its own.

    Args:
        texts: As they were typed: ``cat,dog``, ``3``, ``0-9``.
        names: Of the classes; empty if they have none.
        count: How many classes there are.
        tell: Is told in a sentence where a name is the number of another class.

    Raises:
        UsageError: There is no such class.
    """
    found: list[int] = []
    for text in texts:
        for part in [text] if text in names else text.split(","):
            word = part if part in names else part.strip()
            numbers = re.fullmatch(r"(\d{1,9})(?:\s*-\s*(\d{1,9}))?", word)
            if numbers and word not in names:
                found += _range(word, int(numbers[1]), int(numbers[2] or numbers[1]), count)
                continue
            number = class_number(word, names)
            if word.isdecimal() and number != int(word) < count:
                tell(f"the class that is called {word!r} is meant, whose number is {number}, and not number {word}")
            found.append(number)
    return found


def _range(word: str, first: int, last: int, count: int) -> range:
    if not first <= last < count:
        raise UsageError(f"there is no class {word!r}: their numbers go from 0 to {count - 1}")
    return range(first, last + 1)


def folder_name(number: int, names: Sequence[str]) -> str:
    """What a folder of samples of that class is called: its number, and as much of its name as any file system takes."""
    name = names[number] if number < len(names) else ""
    plain = re.sub(r"[^\w.-]+", "_", name)[:LONGEST].strip("_.")
    return f"{number:03d}-{plain}" if plain else f"{number:03d}"


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
