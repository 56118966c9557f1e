"""Scores with their protocol, as a model folder's ``metrics.json`` has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganzoo.evaluation.stamp import TRAIN, Stamp, differences
from ganzoo.files import write_json
from ganzoo.model_folder import SCORES, read_scores


@dataclass(frozen=True)
class Scores:
    """How near samples come to real ones.

    Attributes:
        values: By the names of the measures, which ``ganzoo list --kind measures`` explains; and what some find beside their
            own score: ``kid_std``, the deviation over subsets, and ``fd_train``, the distance of as many training samples, of
            which ``rfd`` is the multiple.
        protocol: What they were measured by.
        held_out: Whether none of the samples that it was compared with is among those it was trained on; None if that is not
            known.
        notes: What could not be measured or kept, and why.
    """

    values: Mapping[str, float]
    protocol: Stamp
    held_out: bool | None = None
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        held_out = {} if self.held_out is None else {"held_out": self.held_out}
        return {"scores": dict(self.values), "protocol": self.protocol.to_json(), **held_out}


def write_scores(folder: Path, scores: Scores) -> None:
    """Put scores beside those of other protocols in a model folder, and over those of the same name and protocol."""
    row = scores.to_json()
    others = []
    for other in read_scores(folder):
        if differences(other["protocol"], row["protocol"]):
            others.append(other)
        elif other["protocol"].get("versions") == row["protocol"]["versions"]:
            row["scores"] = {**other["scores"], **row["scores"]}
            row["protocol"] |= {key: told for key in TRAIN if (told := other["protocol"].get(key))}
        # By other versions: what is not measured anew stays as it was.
        elif kept := {name: value for name, value in other["scores"].items() if name not in row["scores"]}:
            others.append({**other, "scores": kept})
    write_json(folder / SCORES, [*others, row])
