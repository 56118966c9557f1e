"""What data was understood to be, in words: how many samples of which sizes, what was made of them, what was left out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ganzoo.modalities.asking import asking, noun_of
from ganzoo.modalities.base import Modality

SHOWN_CLASSES = 5
SHOWN_KINDS = 4
SHOWN_NAMES = 3
_NAME_LENGTH = 40

Sizes = Mapping[tuple[int, int], int]
"""How many pictures there are of each (width, height) in pixels."""


@dataclass(frozen=True)
class LeftOut:
    """Things that are not among the samples, all for one reason.

    Attributes:
        count: How many.
        what: What they are, and why they are left out, in words that go on from the count: ``.heic files``.
        names: The first few of them.
    """

    count: int
    what: str
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        names = ", ".join(map(short, self.names)) + (", …" if self.count > len(self.names) else "")
        return f"{self.count:,} {self.what}" + (f" ({names})" if self.names else "")


@dataclass(frozen=True)
class Reading:
    """What a reader made of the data that it was given.

    Attributes:
        sizes: Of the pictures in the data, as in ``of 3 sizes from 40x30 to 4032x3024``; empty if unknown.
        made: What became of them, as in ``their central square scaled to 64x64``; empty if nothing did.
        classes: Where the classes come from, or why there are none; empty if there is nothing to say.
        left_out: What is not among the samples, by reason.
        notes: What else should be known, each in a few words.
    """

    sizes: str = ""
    made: str = ""
    classes: str = ""
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def skipped(self) -> int:
        """How many things were left out."""
        return sum(one.count for one in self.left_out)

    def say(self, name: str, count: int, modality: Modality, classes: int, names: Sequence[str]) -> str:
        """All of it in one line.

        Args:
            name: The data's.
            count: How many samples there are.
            modality: What they are.
            classes: How many there are; 0 for none.
            names: Of the classes, or empty.
        """
        first = " ".join(filter(None, (f"{name}: {count:,} {noun_of(modality)}", self.sizes)))
        with asking(modality, "form"):
            made = modality.form(self.made)
        found = f"{classes:,} class{'es' * (classes > 1)}" if classes else "no classes"
        if names:
            shown = ", ".join(map(short, names[:SHOWN_CLASSES]))
            found += f": {shown}" + (", …" if len(names) > SHOWN_CLASSES else "")
        found += f" ({self.classes})" if self.classes else ""
        left_out = [f"left out: {in_words(self.left_out)}"] if self.left_out else []
        return "; ".join([f"{first}, {made}", found, *left_out, *self.notes])


def in_words(left_out: Sequence[LeftOut]) -> str:
    """The first few kinds of what was left out, most numerous first, and how many more there are."""
    ordered = sorted(left_out, key=lambda one: -one.count)
    words = [str(one) for one in ordered[:SHOWN_KINDS]]
    if rest := ordered[SHOWN_KINDS:]:
        words.append(f"{sum(one.count for one in rest):,} more for {len(rest)} other reasons")
    return ", ".join(words)


def tally(reasons: Iterable[tuple[str, str]], what: str) -> tuple[LeftOut, ...]:
    """Names with the reasons why they were left out, by reason; reasons that differ in numbers alone are one.

    Args:
        reasons: (name, reason) of each.
        what: What they are, in the plural.
    """
    groups: dict[str, list[tuple[str, str]]] = {}
    for name, reason in reasons:
        groups.setdefault(re.sub(r"\d[\d,.]*|0x[0-9a-f]+|'[^']*'", "#", reason), []).append((name, reason))
    return tuple(
        LeftOut(
            len(found),
            f"{what if len(found) > 1 else what.removesuffix('s')} that cannot be read: {found[0][1]}",
            tuple(name for name, _ in found[:SHOWN_NAMES]),
        )
        for found in groups.values()
    )


def by_ending(names: Iterable[str]) -> tuple[LeftOut, ...]:
    """Files by the ending of their names."""
    groups: dict[str, list[str]] = {}
    for name in names:
        stem, dot, ending = name.rpartition("/")[2].rpartition(".")
        groups.setdefault(f".{ending.lower()}" if dot and stem else "", []).append(name)
    return tuple(
        LeftOut(len(found), _files(len(found), ending), tuple(sorted(found)[:SHOWN_NAMES])) for ending, found in groups.items()
    )


def _files(count: int, ending: str) -> str:
    files = "files" if count > 1 else "file"
    return f"{ending} {files}" if ending else f"{files} without an ending"


def words_for_sizes(sizes: Sizes) -> str:
    """``of 40x30``, or ``of 3 sizes from 40x30 to 4032x3024``, the smallest and the largest by area."""
    if not sizes:
        return ""
    ordered = sorted(sizes, key=lambda size: (size[0] * size[1], size))
    first, last = (f"{width}x{height}" for width, height in (ordered[0], ordered[-1]))
    return f"of {first}" if len(ordered) == 1 else f"of {len(ordered):,} sizes from {first} to {last}"


def words_for_square(sizes: Sizes, side: int) -> str:
    """What is done to pictures of these sizes to make them squares of ``side`` pixels."""
    if all(size == (side, side) for size in sizes):
        return "as they are,"
    if all(min(size) == side for size in sizes):
        return f"cut to the central {side}x{side}"
    all_square = all(width == height for width, height in sizes)
    scaled = f"scaled to {side}x{side}" if all_square else f"their central square scaled to {side}x{side}"
    enlarged = sum(count for size, count in sizes.items() if min(size) < side)
    return scaled + (f" ({'all' if enlarged == sum(sizes.values()) else f'{enlarged:,}'} enlarged)" if enlarged else "")


DARK = 63
"""Pictures with no value above this, of 255, look black. The upper 8 of 16 bits are no more where 14 or fewer are used."""


def words_if_dark(highest: int, hint: str = "") -> tuple[str, ...]:
    """A note where ``highest``, the highest value of all pictures, is so low that all of them look black."""
    said = "no value is above 0" if not highest else f"the highest value is {highest} of 255"
    return (f"all pictures are almost black, as {said}{hint}",) if highest <= DARK else ()


def alike_but_for_case(names: Sequence[str]) -> tuple[str, ...]:
    """A note where classes have names that differ in capitals alone."""
    folded = Counter(name.casefold() for name in names)
    twins = [name for name in names if folded[name.casefold()] > 1]
    if not twins:
        return ()
    return (
        f"{', '.join(map(short, twins[:SHOWN_CLASSES]))} are classes of their own, though their names differ in case alone",
    )


def short(name: str) -> str:
    """A name that is not longer than a line can bear, and breaks none."""
    name = "".join(letter if letter.isprintable() else "\ufffd" for letter in name)
    return name if len(name) <= _NAME_LENGTH else f"{name[: _NAME_LENGTH // 2]}…{name[-_NAME_LENGTH // 2 + 1 :]}"
