"""A measure of a stranger's: how bright pictures are. Its row says what it is; its function is imported when it is wanted."""

from __future__ import annotations

import numpy as np

from ganzoo import Evidence, Measure, SampleSet

BRIGHTNESS = Measure(
    name="strained-brightness",
    title="difference in brightness",
    meaning="between the means of samples and of real pictures, as part of the whole range; 0 is alike",
    compute="strained_gans.brightness:difference",
    better="lower",
    ideal=0.0,
    needs=("decoded",),
    modalities=("pictures",),
)


def difference(evidence: Evidence) -> float:
    return abs(mean(evidence.fake) - mean(evidence.real))


def mean(samples: SampleSet) -> float:
    return sum(float(np.sum(batch, dtype=np.float64)) / batch[0].size for batch in samples.decoded()) / samples.count / 255
