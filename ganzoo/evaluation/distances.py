"""Distances between two sets of features: torch-fidelity's where it has them, and three that it does not have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from ganzoo.errors import UsageError
from ganzoo.measures.built_in import NEIGHBOURS, PRECISION_NEIGHBOURS
from ganzoo.packages import install_command

ROWS_AT_ONCE = 1000


def fidelity() -> Any:
    """The package torch-fidelity. Raises UsageError if it is not installed."""
    try:
        import torch_fidelity
    except ModuleNotFoundError as error:
        raise UsageError("scores need the package torch-fidelity", hint=f"try: {install_command('evaluation')}") from error
    return torch_fidelity


def frechet(a: Tensor, b: Tensor) -> float:
    """The Fréchet distance of Gaussians fitted to features ``(N, F)`` and ``(M, F)`` (Heusel et al., 2017, equation 6).

    ``|μa - μb|² + Tr(Σa + Σb - 2(Σa Σb)^½)``, computed by torch-fidelity in float64.

    Raises:
        UsageError: Fewer than 2F rows in one of them, for which a covariance says little.
    """
    fidelity()
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

    for rows in (a, b):
        _require_covariance(len(rows), rows.shape[1], "samples")
    statistics = [fid_features_to_statistics(features.double().cpu()) for features in (a, b)]
    distance: float = fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]
    return distance


def kid(a: Tensor, b: Tensor, *, seed: int = 0) -> tuple[float, float]:
    """The kernel distance, mean and standard deviation over 100 subsets (Bińkowski et al., 2018).

    Subsets have up to 1,000 samples, and half of all at the most.

    MMD² with the kernel ``(x·y / F + 1)³``, unbiased, by torch-fidelity.
    """
    fidelity()
    from torch_fidelity.metric_kid import kid_features_to_metric

    size = min(1000, max(2, min(len(a), len(b)) // 2))
    options = {"kid_subsets": 100, "kid_subset_size": size, "rng_seed": seed % (1 << 32), "verbose": False}
    found = kid_features_to_metric(a.double().cpu(), b.double().cpu(), **options)
    return found["kernel_inception_distance_mean"], found["kernel_inception_distance_std"]


def precision_recall(fake: Tensor, real: Tensor) -> tuple[float, float]:
    """Precision and recall (Kynkäänniemi et al., 2019), by torch-fidelity.

    Raises:
        UsageError: No more samples than neighbours.
    """
    fidelity()
    from torch_fidelity.metric_prc import prc_features_to_metric

    _require_more_than(PRECISION_NEIGHBOURS, fake, real)
    options = {
        "prc_neighborhood": PRECISION_NEIGHBOURS,
        "prc_batch_size": ROWS_AT_ONCE,
        "save_cpu_ram": True,
        "verbose": False,
    }
    found = prc_features_to_metric(fake.float().cpu(), real.float().cpu(), **options)
    return found["precision"], found["recall"]


def density_coverage(fake: Tensor, real: Tensor, neighbours: int = NEIGHBOURS) -> tuple[float, float]:
    """Density and coverage (Naeem et al., 2020, equations 4 and 5).

    With a ball around each real sample that reaches to its k-th nearest other real one: density is how many balls a
    generated sample is in, on average, divided by k; coverage is the part of balls that have a generated sample in them.

    Raises:
        UsageError: No more real samples than neighbours.
    """
    _require_more_than(neighbours, real)
    radii = torch.cat([torch.cdist(rows, real).kthvalue(neighbours + 1, dim=1).values for rows in _parts(real)])
    inside, covered = 0, torch.zeros(len(real), dtype=torch.bool, device=real.device)
    for rows in _parts(fake):
        within = torch.cdist(rows, real) < radii
        inside += int(within.sum())
        covered |= within.any(dim=0)
    return inside / (neighbours * len(fake)), float(covered.float().mean())


def class_distance(fake: Tensor, real: Tensor) -> float:
    """Half the L1 distance of two histograms of classes, in [0, 1]: 0 if they are alike, 1 if they share no class.

    Args:
        fake, real: Classes, int64 ``(N,)`` and ``(M,)``, both told by one classifier, whose mistakes then cancel.
    """
    classes = int(max(fake.max(), real.max())) + 1
    shares = [torch.bincount(labels, minlength=classes).double() / len(labels) for labels in (fake, real)]
    return float((shares[0] - shares[1]).abs().sum() / 2)


def nearest(queries: Tensor, among: Tensor, count: int = 1) -> tuple[Tensor, Tensor]:
    """The ``count`` nearest rows of ``among`` ``(M, F)`` for each of ``queries`` ``(N, F)``, the nearest first.

    Returns:
        Distances, float ``(N, count)``, and rows, int64 ``(N, count)``.
    """
    found = [torch.cdist(rows, among).topk(count, dim=1, largest=False) for rows in _parts(queries)]
    return torch.cat([f.values for f in found]), torch.cat([f.indices for f in found])


def copying(fake: Tensor, held_out: Tensor, train: Tensor) -> float:
    """Whether samples lie nearer to training samples than held-out real ones do (Meehan et al., 2020, section 3).

    The probability that a sample's nearest training sample is nearer than that of a held-out real one (the Mann-Whitney
    statistic U / NM): about 0.5 for a model that is like new data, towards 1 for one that copies, towards 0 for one whose
    samples lie far from all data.
    """
    theirs = nearest(held_out, train)[0].flatten().sort().values
    mine = nearest(fake, train)[0].flatten()
    nearer = len(theirs) - torch.searchsorted(theirs, mine, right=True)
    as_near = torch.searchsorted(theirs, mine, right=True) - torch.searchsorted(theirs, mine)
    return float((nearer + as_near / 2).double().mean() / len(theirs))


def _require_covariance(count: int, features: int, what: str) -> None:
    if count < 2 * features:
        raise UsageError(
            f"{count} {what} are too few for a Fréchet distance of {features} features: it takes {2 * features}",
            hint="go by the kernel distance, which is unbiased (evaluate --measures kid, train --until kid=0), or score more",
        )


def _require_more_than(neighbours: int, *features: Tensor) -> None:
    for rows in features:
        if len(rows) <= neighbours:
            raise UsageError(f"{len(rows)} samples are too few to look at {neighbours} neighbours of each")


def _parts(features: Tensor) -> Iterator[Tensor]:
    return (features[start : start + ROWS_AT_ONCE] for start in range(0, len(features), ROWS_AT_ONCE))
