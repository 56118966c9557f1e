"""The measures that every ganzoo has, one row each. Reading them imports no torch.

The functions that compute them are in :mod:`ganzoo.evaluation.computed`.
"""

from __future__ import annotations

from ganzoo.measures.base import Counts, Measure

PRECISION_NEIGHBOURS = 3
"""For precision and recall, as their authors have it."""
NEIGHBOURS = 5
"""For density and coverage, as their authors have it."""

COMPUTED = "ganzoo.evaluation.computed"


def covariance(counts: Counts) -> str:
    """Why so few samples give no Fréchet distance: of fewer than 2F, a covariance of F features says little."""
    fewest = 2 * counts.features
    if min(counts.fake, counts.real) >= fewest:
        return ""
    words = f"a Fréchet distance of {counts.features:,} features takes {fewest:,} samples and as many real ones"
    return words + _here(counts)


def covariance_of_training(counts: Counts) -> str:
    """As :func:`covariance`; and there have to be as many training samples as generated ones."""
    if 0 < counts.train < counts.fake:
        return f"there are {counts.train:,} training samples; --samples {counts.train} has it"
    return covariance(counts)


def subsets(counts: Counts) -> str:
    """Why so few samples give no kernel distance: a subset is half of them, and has a pair."""
    if min(counts.fake, counts.real) >= 4:
        return ""
    return "a kernel distance takes 4 samples and as many real ones" + _here(counts)


def neighbours_of_both(counts: Counts) -> str:
    """Why so few samples have not enough neighbours for precision and recall."""
    if min(counts.fake, counts.real) > PRECISION_NEIGHBOURS:
        return ""
    return f"they take {PRECISION_NEIGHBOURS + 1} samples and as many real ones" + _here(counts)


def neighbours_of_real(counts: Counts) -> str:
    """Why so few real samples have not enough neighbours for density and coverage."""
    return "" if counts.real > NEIGHBOURS else f"they take {NEIGHBOURS + 1} real ones" + _here(counts)


def _here(counts: Counts) -> str:
    return f", and here are {counts.fake:,} samples and {counts.real:,} real ones"


BUILT_IN: tuple[Measure, ...] = (
    Measure(
        name="fd",
        title="Fréchet distance",
        meaning="lower is nearer to real pictures",
        compute=f"{COMPUTED}:fd",
        better="lower",
        ideal=0.0,
        needs=("features", "torch-fidelity"),
        too_few=covariance,
        prominence=2,
    ),
    Measure(
        name="kid",
        title="KID",
        meaning="kernel distance; lower is nearer, 0 is real",
        compute=f"{COMPUTED}:kid_and_deviation",
        better="lower",
        ideal=0.0,
        needs=("features", "torch-fidelity"),
        too_few=subsets,
        prominence=2,
    ),
    Measure(
        name="precision",
        title="precision",
        meaning="samples that are like real ones; 1 is all",
        compute=f"{COMPUTED}:precision",
        better="higher",
        ideal=1.0,
        needs=("features", "torch-fidelity"),
        too_few=neighbours_of_both,
        prominence=1,
    ),
    Measure(
        name="recall",
        title="recall",
        meaning="real ones that samples are like; 1 is all",
        compute=f"{COMPUTED}:recall",
        better="higher",
        ideal=1.0,
        needs=("features", "torch-fidelity"),
        too_few=neighbours_of_both,
        prominence=1,
    ),
    Measure(
        name="density",
        title="density",
        meaning="how many real ones are around a sample; real ones have 1",
        compute=f"{COMPUTED}:density",
        better="higher",
        ideal=1.0,
        needs=("features",),
        too_few=neighbours_of_real,
    ),
    Measure(
        name="coverage",
        title="coverage",
        meaning="real ones that have samples around; 1 is all",
        compute=f"{COMPUTED}:coverage",
        better="higher",
        ideal=1.0,
        needs=("features",),
        too_few=neighbours_of_real,
        prominence=2,
    ),
    Measure(
        name="class_distance",
        title="class distance",
        meaning="between the histograms of classes; 0 is alike, 1 disjoint",
        compute=f"{COMPUTED}:distance_of_classes",
        better="lower",
        ideal=0.0,
        needs=("features", "classes"),
    ),
    Measure(
        name="rfd",
        title="rFD",
        meaning="the Fréchet distance as a multiple of that of as many training pictures; 1 is real",
        compute=f"{COMPUTED}:relative_fd",
        better="lower",
        ideal=1.0,
        needs=("features", "training", "torch-fidelity"),
        too_few=covariance_of_training,
        prominence=1,
    ),
    Measure(
        name="fd_train",
        title="Fréchet distance of training pictures",
        meaning="the floor that rFD refers to",
        compute=None,
        better="lower",
        beside="rfd",
    ),
    Measure(
        name="copying",
        title="copying",
        meaning="0.5 is like new data, near 1 copies the training data",
        compute=f"{COMPUTED}:copies",
        ideal=0.5,
        needs=("features", "training"),
    ),
)
"""In the order of cards and tables."""
