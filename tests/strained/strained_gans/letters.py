"""How a stranger's texts are judged: a protocol that needs nothing but the texts, and a measure of them."""

from __future__ import annotations

from collections import Counter
from typing import ClassVar

from ganzoo import Evidence, Measure, Protocol, SampleSet


class Letters(Protocol):
    name: ClassVar[str] = "strained-letters"


OVERLAP = Measure(
    name="strained-overlap",
    title="overlap of letters",
    meaning="the part that the histograms of letters have in common; 1 is all",
    compute="strained_gans.letters:overlap",
    better="higher",
    ideal=1.0,
    needs=("decoded",),
    modalities=("strained-text",),
)


def overlap(evidence: Evidence) -> float:
    fake, real = shares(evidence.fake), shares(evidence.real)
    return sum(min(fake[letter], real[letter]) for letter in real)


def shares(samples: SampleSet) -> Counter[str]:
    found: Counter[str] = Counter()
    for texts in samples.decoded():
        found.update("".join(texts))
    return Counter({letter: count / found.total() for letter, count in found.items()})
