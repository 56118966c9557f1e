"""What a score was measured by: without it, a score is noise."""

from __future__ import annotations

import contextlib
import importlib.metadata
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import torch

from ganzoo import __version__
from ganzoo.errors import UsageError
from ganzoo.variant import Json

TOLD = ("versions",)
"""What a stamp tells and does not compare: scores of two releases agree unless one of them has a mistake."""
TRAIN = ("train", "train_sha256")
"""What only some scores refer to: compared where both stamps have it."""
LATER = ("pictures",)
"""What stamps of earlier releases do not tell: compared where both have it."""
OF_SOME = ("method", "extractor", "extractor_sha256", "pictures", "resize")
"""What the stamps of some protocols have and those of others do not."""


@dataclass(frozen=True, kw_only=True)
class Stamp:
    """Everything that two scores must share to be compared: how and by what they were measured.

    Attributes:
        method: The protocol's name, where it is another than the pictures' own.
        extractor: Whose features; like the next three, of pictures alone.
        extractor_sha256: Of its weights.
        pictures: Of which size, and whether in colour, both were when the extractor was given them.
        resize: What the extractor then did to them first.
        data: The real samples' name, their split with it.
        data_sha256: Of the real samples, all of them.
        train, train_sha256: Likewise, of the training data that ``rfd`` and ``copying`` refer to; empty without those.
        n_real, n_fake: How many of each were used.
        seed: The first of the seeds that were sampled, and that of random choices.
        versions: Of the packages that computed it; these are told and not compared.
    """

    method: str = ""
    extractor: str = ""
    extractor_sha256: str = ""
    pictures: str = ""
    resize: str = ""
    data: str
    data_sha256: str
    train: str
    train_sha256: str
    n_real: int
    n_fake: int
    seed: int
    versions: Mapping[str, str]

    def to_json(self) -> dict[str, Json]:
        """As plain data, without what its protocol does not say."""
        told = {**asdict(self), "versions": dict(self.versions)}
        return {key: value for key, value in told.items() if value != "" or key not in OF_SOME}


def versions() -> dict[str, str]:
    """Of what computes scores."""
    found = {"ganzoo": __version__, "torch": torch.__version__}
    for package in ("torch-fidelity", "timm"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


def differences(a: Mapping[str, Json], b: Mapping[str, Json]) -> list[str]:
    """The fields in which two stamps, as plain data, differ."""
    same = (*TOLD, *(TRAIN if not (a.get("train") and b.get("train")) else ()))
    same += tuple(key for key in LATER if not (a.get(key) and b.get(key)))
    return [key for key in {**a, **b} if key not in same and a.get(key) != b.get(key)]


def require_same(a: Mapping[str, Json], b: Mapping[str, Json]) -> None:
    """Raise UsageError, naming the fields that differ, unless scores with these stamps may be compared."""
    if keys := differences(a, b):
        words = ", ".join(f"{key} ({a.get(key)} and {b.get(key)})" for key in keys)
        raise UsageError(f"scores of different protocols cannot be compared: {words}")
