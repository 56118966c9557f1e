"""What a run has written down as it went, read again: from its small files alone, and without torch."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from ganzoo.files import parse_json
from ganzoo.training.folder import CHECKPOINTS, METRICS, SCORES
from ganzoo.training.verdict import Look, Verdict, judge
from ganzoo.variant import Json

LOOK = [field.name for field in fields(Look)]
"""What a look writes down, and may leave open, so that it is null where all is well."""

TAIL = 1 << 16
"""Bytes in which the last line of metrics is, however many are before it."""


def read_looks(folder: Path, images: float = math.inf) -> list[Look]:
    """What was found in a run up to so many images, but for what an interruption had it look at: the first one first."""
    try:
        lines = (folder / METRICS).read_bytes().splitlines()
    except FileNotFoundError:
        return []
    looks = []
    for line in lines:
        try:
            row = parse_json(line) if b'"spread"' in line else {}
            if "spread" in row and row["images"] <= images and not row.get("unscheduled"):
                found: dict[str, Any] = {name: row.get(name) for name in LOOK}
                looks.append(Look(**found))
        except (ValueError, KeyError, TypeError):
            continue
    return looks


def read_verdict(folder: Path, config: Mapping[str, Json]) -> Verdict:
    """What the looks at a run come to so far.

    Args:
        folder: The run's.
        config: Its configuration, as ``config.json`` has it.
    """
    try:
        per_step = int(config["loop"]["batch_size"]) * int(config["trainer"]["arguments"].get("n_critic", 1))
        return judge(read_looks(folder), per_step)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError):
        # Somebody else has written it.
        return Verdict()


def read_scores(folder: Path, images: float = math.inf) -> list[dict[str, float]]:
    """The scores that a run has had, the first first, up to so many images. A line that was cut short ends them."""
    try:
        lines = (folder / SCORES).read_bytes().splitlines()
    except FileNotFoundError:
        return []
    rows: list[dict[str, Any]] = []
    for line in lines:
        try:
            row = parse_json(line)
            if row["images"] > images:
                break
        except (ValueError, KeyError, TypeError):
            break
        rows.append(row)
    return rows


def read_progress(folder: Path) -> tuple[int, float]:
    """The images and the seconds that a run had behind it when it last wrote its metrics; (0, 0.0) if it has not."""
    row = _last_row(folder)
    return (int(row["images"]), float(row["seconds"])) if row else (0, 0.0)


def read_divergence(folder: Path) -> str | None:
    """Where a run came to its end because a metric was no finite number, in words; None if it did not."""
    row = _last_row(folder)
    broken = [name for name, value in row.items() if value is None and name not in LOOK]
    return f"diverged: {broken[0]} is not finite after {int(row['images']):,} images" if broken else None


def _last_row(folder: Path) -> dict[str, Json]:
    """The last whole line of metrics; empty if there is none."""
    try:
        with (folder / METRICS).open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL))
            lines = file.read(TAIL).splitlines()
    except FileNotFoundError:
        return {}
    for line in reversed(lines):
        try:
            row = parse_json(line)
            if 0 <= int(row["images"]) < 1 << 62 and 0 <= float(row["seconds"]) < math.inf:
                return dict(row)
        except (ValueError, KeyError, TypeError, OverflowError):
            continue
    return {}


def checkpoints_in(folder: Path) -> list[Path]:
    """The checkpoints in a run's folder, the oldest first; each is called by its images."""
    return numbered(folder / CHECKPOINTS)


def numbered(folder: Path) -> list[Path]:
    """The checkpoints in the folder that holds nothing else, the oldest first."""
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if re.fullmatch(r"\d{12,}", p.name) and not p.is_symlink() and p.is_dir())
