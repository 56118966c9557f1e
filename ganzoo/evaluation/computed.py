"""What the measures that come with ganzoo make of their evidence: a function for each row of ``measures/built_in``."""

from __future__ import annotations

import statistics
from collections.abc import Mapping

from torch import Tensor

from ganzoo.data.order import Order
from ganzoo.evaluation.distances import class_distance, copying, density_coverage, frechet, kid, precision_recall
from ganzoo.measures.base import Evidence

SUBSETS = 5
"""Of the training data, over which ``fd_train`` is a mean."""


def fd(evidence: Evidence) -> float:
    """The Fréchet distance."""
    return evidence.once(_frechet)


def kid_and_deviation(evidence: Evidence) -> tuple[float, Mapping[str, float]]:
    """The kernel distance, with ``kid_std`` beside it."""
    mean, deviation = kid(evidence.fake.features, evidence.real.features, seed=evidence.seed)
    return mean, {"kid_std": deviation}


def precision(evidence: Evidence) -> float:
    """The part of the samples that are like real ones."""
    return evidence.once(_precision_recall)[0]


def recall(evidence: Evidence) -> float:
    """The part of the real ones that samples are like."""
    return evidence.once(_precision_recall)[1]


def density(evidence: Evidence) -> float:
    """How many real ones are around a sample."""
    return evidence.once(_density_coverage)[0]


def coverage(evidence: Evidence) -> float:
    """The part of the real ones that have samples around."""
    return evidence.once(_density_coverage)[1]


def distance_of_classes(evidence: Evidence) -> float:
    """Between the histograms of the classes that both are taken for."""
    return class_distance(evidence.fake.classes, evidence.real.classes)


def relative_fd(evidence: Evidence) -> tuple[float, Mapping[str, float]]:
    """The Fréchet distance as a multiple of that of as many training samples, since a distance depends on how many.

    The distance of one subset is made by a few outliers more or less: ``fd_train``, beside it, is the mean over some.
    """
    train, real, count = _train_features(evidence), evidence.real.features, evidence.fake.count
    order = Order(len(train), evidence.seed)
    parts = [order.indices(n * count, (n + 1) * count) for n in range(min(SUBSETS, len(train) // count))]
    mean = statistics.fmean(frechet(train[rows], real) for rows in parts)
    return evidence.once(_frechet) / mean, {"fd_train": mean}


def copies(evidence: Evidence) -> float:
    """Whether samples are nearer to the training data than held-out ones are."""
    return copying(evidence.fake.features, evidence.real.features, _train_features(evidence))


def _train_features(evidence: Evidence) -> Tensor:
    assert evidence.train is not None
    return evidence.train.features


def _frechet(evidence: Evidence) -> float:
    return frechet(evidence.fake.features, evidence.real.features)


def _precision_recall(evidence: Evidence) -> tuple[float, float]:
    return precision_recall(evidence.fake.features, evidence.real.features)


def _density_coverage(evidence: Evidence) -> tuple[float, float]:
    return density_coverage(evidence.fake.features, evidence.real.features)
