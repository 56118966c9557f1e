"""In which words a run that is there differs from the one that is asked for: by the names that people type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from ganzoo.variant import Json

Row: TypeAlias = tuple[str, Json, Json]
"""What differs, as ``-o`` has it, what it is there and what it is here."""

LIMITS = {"budget": "s", "images": ""}
"""What a budget is made of, with its unit. Of these a run that goes on may have more, and never less."""

FOLLOWS = "dataset."
"""What these keys begin with says what the data is. Pictures of another size are other data in every one of them."""
SHAPE = "dataset.sample_shape"


def in_words(differing: Sequence[Row], most: int = 5) -> str:
    """What differs, with both values; of more than ``most`` differences, how many are left."""
    if any(key == SHAPE for key, _, _ in differing):
        # That the hash of the data is another as well is no news, and first comes what can be typed.
        differing = sorted((row for row in differing if row[0] == SHAPE or not row[0].startswith(FOLLOWS)), key=_late)
    words = ", ".join(_said(*row) for row in differing[:most])
    return f"{words} and {len(differing) - most} more" if len(differing) > most else words


def passed_over(path: object, differing: Sequence[Row]) -> str:
    """Why the run in a folder is not the one to go on with."""
    less = {key: (old, new) for key, old, new in differing if key in LIMITS}
    said = f"{path} holds a run that differs in {in_words(differing, 1 if not less else 2)}"
    if less and len(less) == len(differing):
        return f"{said}, a smaller budget than it was given: the same command with the budget that it had, or more, resumes it"
    return said


def _late(row: Row) -> bool:
    return row[0] != SHAPE


def _said(key: str, old: Json, new: Json) -> str:
    if key == SHAPE and all(isinstance(shape, (list, tuple)) and len(shape) == 3 for shape in (old, new)):
        if old[1:] != new[1:]:
            there, here = (f"{shape[2]}x{shape[1]}" for shape in (old, new))
            return f"the pictures' size ({there} there, {here} here: --resolution)"
        return f"the pictures' channels ({old[0]} there, {new[0]} here)"
    unit = LIMITS.get(key, "")
    there, here = (f"{value:g}{unit}" if unit and isinstance(value, (int, float)) else _short(value) for value in (old, new))
    named = {SHAPE: "the samples' shape", "dataset.sha256": "the data", "dataset.count": "how many samples the data has"}
    return f"{named.get(key, key)} ({there} there, {here} here)"


def _short(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 20 else f"{text[:12]}…"
