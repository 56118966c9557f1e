"""The table of ``own_pictures.py``, and its sheets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from picture_scores import COLOUR, MEASURES
from PIL import Image

from ganzoo import plugins
from ganzoo.comparison import interval
from ganzoo.measures.table import measures

TITLES = tuple(measures(plugins.load().registry)[name].title for name in MEASURES)
GAP = 8
TALLEST = 512
"""Pixels of a sheet, which is halved if it has more."""


@dataclass(frozen=True)
class Row:
    """One run: whose, on what, and what it came to."""

    name: str
    contender: str
    images: int
    seconds: float
    scores: Mapping[str, float]
    recipe: Mapping[str, Any]


def table(rows: Sequence[Row]) -> str:
    """Two tables in Markdown: what COLOUR and the pixels say of all sets, and what the other extractors say of some."""
    head = ("data", "variant", "seeds", "pictures shown", "seconds", "spread", *TITLES, "copying")
    shown = ("spread", *(f"{COLOUR} {name}" for name in MEASURES), "copying")
    lines = []
    others = []
    for (name, contender), found in _grouped(rows).items():
        start = (name, f"`{contender}`", str(len(found)))
        images, seconds = (sum(values) / len(found) for values in zip(*((r.images, r.seconds) for r in found), strict=True))
        lines.append((*start, f"{images:,.0f}", f"{seconds:,.0f}", *(_mean(found, score) for score in shown)))
        extractors = dict.fromkeys(score.split()[0] for score in found[0].scores if " " in score)
        others += [
            (*start, f"`{extractor}`", *(_mean(found, f"{extractor} {name}") for name in MEASURES))
            for extractor in extractors
            if extractor != COLOUR
        ]
    whole = _markdown(head, lines)
    return f"{whole}\n\n{_markdown((*head[:3], 'extractor', *TITLES), others)}" if others else whole


def _grouped(rows: Iterable[Row]) -> dict[tuple[str, str], list[Row]]:
    """By set and contender, sets together, in the order in which they first appear."""
    found: dict[str, dict[str, list[Row]]] = {}
    for row in rows:
        found.setdefault(row.name, {}).setdefault(row.contender, []).append(row)
    return {(name, contender): group for name, groups in found.items() for contender, group in groups.items()}


def _mean(rows: Sequence[Row], score: str) -> str:
    mean, half = interval([row.scores[score] for row in rows])
    return f"{mean:.3f} ± {half:.3f}" if len(rows) > 1 else f"{mean:.3f}"


def _markdown(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *lines))


def compose(path: Path, sheets: Iterable[Path]) -> None:
    """The sheets of the contenders side by side, in the order of the table.

    Without real pictures, whose licences do not all let them be shown.
    """
    parts = [Image.open(sheet) for sheet in sheets]
    whole = Image.new("RGB", (sum(part.width + GAP for part in parts) - GAP, parts[0].height), "white")
    left = 0
    for part in parts:
        whole.paste(part, (left, 0))
        left += part.width + GAP
    path.parent.mkdir(parents=True, exist_ok=True)
    if whole.height > TALLEST:
        whole = whole.resize((whole.width * TALLEST // whole.height, TALLEST), Image.Resampling.BOX)
    whole.save(path, quality=80, method=6)
