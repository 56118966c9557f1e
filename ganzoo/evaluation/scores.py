"""Scores with their protocol, as a model folder's ``metrics.json`` has them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganzoo.evaluation.protocol import Protocol, differences
from ganzoo.files import write_json
from ganzoo.variant import Json

FILE = "metrics.json"
MAX_BYTES = 1 << 20


@dataclass(frozen=True)
class Scores:
    """How near samples come to real ones.

    Attributes:
        values: By name. ``fd``: Fréchet distance of features; ``kid`` and ``kid_std``: kernel distance, its mean and standard
            deviation over subsets; ``precision``, ``recall``, ``density``, ``coverage``; ``class_distance`` where the data has
            labels and the extractor is a classifier; and where the training data is known, and is not what samples are
            compared with, ``fd_train``, the distance of as many training samples, ``rfd = fd / fd_train``, and ``copying``.
        protocol: What they were measured by.
    """

    values: Mapping[str, float]
    protocol: Protocol

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {"scores": dict(self.values), "protocol": self.protocol.to_json()}


def write_scores(folder: Path, scores: Scores) -> None:
    """Put scores beside those of other protocols in a model folder, in place of any of the same."""
    row = scores.to_json()
    kept = [other for other in read_scores(folder) if differences(other["protocol"], row["protocol"])]
    write_json(folder / FILE, [*kept, row])


def read_scores(folder: Path) -> list[dict[str, dict[str, Json]]]:
    """The scores in a model folder, with their protocols; none if there is no such file, or none that can be understood."""
    try:
        with (folder / FILE).open("rb") as file:
            rows = json.loads(file.read(MAX_BYTES).decode("utf-8"))
    except (OSError, ValueError, RecursionError):
        return []
    rows = rows if isinstance(rows, list) else []
    return [r for r in rows if isinstance(r, dict) and all(isinstance(r.get(k), dict) for k in ("scores", "protocol"))]
