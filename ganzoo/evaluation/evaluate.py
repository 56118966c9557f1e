"""Scores of a model, or of samples in a file: the public ``ganzoo.evaluate``."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from ganzoo import plugins
from ganzoo.card import write_card
from ganzoo.data.order import Order
from ganzoo.data.store import Store
from ganzoo.errors import GanzooError, UnknownNameError, UsageError
from ganzoo.evaluation.extractors import Extractor
from ganzoo.evaluation.features import Progress, features_of, features_of_real
from ganzoo.evaluation.find import choose_extractor
from ganzoo.evaluation.measures import MEASURES, class_distance, copying, fidelity, frechet, measure, too_few
from ganzoo.evaluation.neighbours import write_neighbours
from ganzoo.evaluation.pictures import open_pictures, seen_as
from ganzoo.evaluation.protocol import Protocol, versions
from ganzoo.evaluation.references import RELATIVE, find_references, left_out
from ganzoo.evaluation.scores import Scores, write_scores
from ganzoo.evaluation.subject import Subject, find_subject
from ganzoo.files import unwritable, user_path
from ganzoo.interfaces import Generator
from ganzoo.pinned import pinned
from ganzoo.variant import Json

SAMPLES = 10_000
SUBSETS = 5
"""Of the training data, over which ``fd_train`` is a mean."""
NEED_FIDELITY = {"fd", "kid", "precision", "recall", "rfd"}
"""The measures that torch-fidelity computes."""
ALL_MEASURES = (*MEASURES, "class_distance", "rfd", "copying")


@pinned()
def evaluate(
    source: str | Path | Generator,
    *,
    data: str | None = None,
    extractor: str | None = None,
    samples: int = SAMPLES,
    measures: str | Collection[str] = ALL_MEASURES,
    seed: int = 0,
    device: str | torch.device = "cpu",
    train: str | None = None,
    neighbours: str | Path | None = None,
    progress: Progress | None = None,
) -> Scores:
    """Score a model: ``ganzoo.evaluate("runs/dcgan", data="fashion-mnist-10k").values["fd"]``.

    If the model folder is your own, scores also go into its ``metrics.json``, beside those of other protocols, and onto its
    card.

    Args:
        source: Whatever :func:`ganzoo.load` takes or returns; or samples, as pictures in any form that ``--data`` takes.
        data: The real samples to compare with, held-out ones at best, in any form that ``ganzoo train --data`` takes. They are
            brought to the samples' size. By default those that the model was trained on, if they are a registered dataset or
            a folder or file that the run names and that is still there; of a registered dataset that has held-out pictures,
            these.
        extractor: Whose features: ``fashion-mnist-cnn``, ``cifar10-cnn``, ``timm:NAME``, ``inception``, or one that a plugin
            registers; by default the first for 28x28 grey pictures and ``inception`` for all others, or ``cifar10-cnn`` if
            that cannot be downloaded.
        samples: How many to draw, and how many real ones to compare with at the most.
        measures: Which scores, or the one; see :class:`Scores`.
        seed: Samples have the seeds from here on.
        device: Where to compute; a generator that is given stays where it is.
        train: What the model was trained on, for ``rfd``, ``copying`` and ``neighbours``; by default what the model folder or
            the run names, as for ``data``.
        neighbours: A PNG file for samples beside the training samples that are nearest to them.
        progress: Told of the pictures done and in all.

    Raises:
        UsageError: Samples that are no pictures, too few of them for any of the measures, or an unknown name. Measures that
            cannot be had are left out, and ``notes`` says so.
        DataError, ModelError, HubError: Data, weights or a model that cannot be read.
    """
    measures = (measures,) if isinstance(measures, str) else measures
    if unknown := [name for name in measures if name not in ALL_MEASURES]:
        raise UnknownNameError("measure", unknown[0], ALL_MEASURES)
    neighbours = user_path(neighbours) if neighbours else None
    if neighbours and (folder := unwritable(neighbours)):
        raise UsageError(f"cannot write to {str(folder)!r}", hint="name another file: --neighbours nearest.png")
    registry = plugins.load().registry
    drawn = find_subject(source, registry, samples=samples, seed=seed, device=device)
    found = find_references(registry, drawn, data=data, train=train, measures=measures, neighbours=neighbours is not None)
    real, training, notes = found.real, found.training, list(found.notes)
    judge, told = choose_extractor(registry, extractor, drawn.shape)
    notes += [told] if told else []
    judge.to(device)
    rows = Order(len(real), seed).indices(0, min(samples, len(real)))
    real_features = features_of_real(judge, real, rows)
    # Known before any sample is drawn, as drawing takes long.
    asked = [*(name for name in measures if name not in RELATIVE), *found.relative]
    missing = too_few(drawn.count, len(rows), real_features.shape[1], asked)
    notes += _left_out(missing)
    wanted = set(asked) - missing.keys()
    if not wanted:
        raise UsageError(f"none of {', '.join(measures)} can be had here: {'; '.join(notes)}")
    if wanted & NEED_FIDELITY:
        fidelity()
    features = features_of(judge, drawn.batches, drawn.count, progress)
    values = measure(features, real_features, wanted, seed=seed)
    if "class_distance" in wanted:
        if (classes := _classes(judge, features, real_features)) is not None:
            values["class_distance"] = class_distance(*classes)
        else:
            notes.append(f"class_distance left out: {judge.name} is no classifier")
    train_features, referred = torch.empty(0), training if wanted & set(RELATIVE) else None
    if training and (referred or neighbours):
        train_features = features_of_real(judge, training, torch.arange(len(training)), progress)
    if "rfd" in wanted:
        values |= _relative(features, real_features, train_features, seed)
    if "copying" in wanted:
        values["copying"] = copying(features, real_features, train_features)
    if not values:
        raise UsageError(f"none of {', '.join(measures)} can be had here: {'; '.join(notes)}")
    protocol = _protocol(judge, drawn, real, referred, n_real=len(rows), seed=seed)
    scores = Scores(values, protocol, found.held_out)
    if drawn.folder:
        try:
            write_scores(drawn.folder, scores)
            write_card(drawn.folder, str(source))
        except (OSError, GanzooError) as error:
            # What took minutes is told all the same.
            notes.append(f"nothing is written to {drawn.folder}: {getattr(error, 'strerror', None) or error}")
    if neighbours and training:
        write_neighbours(neighbours, drawn.batches, features, training, train_features)
    return replace(scores, notes=tuple(notes))


def _left_out(missing: Mapping[str, str]) -> list[str]:
    """A line for each reason why measures cannot be had."""
    names = {why: [name for name in missing if missing[name] == why] for why in missing.values()}
    return [left_out(found, why) for why, found in names.items()]


def _relative(features: Tensor, real_features: Tensor, train_features: Tensor, seed: int) -> dict[str, float]:
    """``rfd`` and what it refers to: the distance of as many training samples, since a distance depends on how many.

    The distance of one subset is made by a few outliers more or less: it is the mean over some.
    """
    count, order = len(features), Order(len(train_features), seed)
    parts = [order.indices(n * count, (n + 1) * count) for n in range(min(SUBSETS, len(train_features) // count))]
    mean = statistics.fmean(frechet(train_features[rows], real_features) for rows in parts)
    return {"fd_train": mean, "rfd": frechet(features, real_features) / mean}


def rehearse(shape: Sequence[int], *, data: str, extractor: str | None, samples: int) -> tuple[str | None, dict[str, Json]]:
    """See to it that samples of a shape can be scored, before hours are spent on making them.

    Returns:
        The extractor's name, for it to be the same every time; and the hashes of the real samples and of the extractor.

    Raises:
        UsageError, DataError: They cannot.
    """
    registry = plugins.load().registry
    real = open_pictures(registry, data, tuple(shape))
    judge, told = choose_extractor(registry, extractor, shape)
    one = features_of(judge, lambda start, stop: real.batch(torch.arange(start, stop))[0], 2)
    missing = too_few(samples, min(samples, len(real)), one.shape[1], MEASURES)
    if {"fd", "kid"} <= missing.keys():
        raise UsageError("; ".join(_left_out(missing)), hint="take more pictures, or --samples")
    fidelity()
    return (judge.name if told else extractor), {"data_sha256": real.describe()["sha256"], "extractor_sha256": judge.sha256}


def _protocol(judge: Extractor, drawn: Subject, real: Store, train: Store | None, *, n_real: int, seed: int) -> Protocol:
    return Protocol(
        extractor=judge.name,
        extractor_sha256=judge.sha256,
        pictures=seen_as(drawn.shape, real.sample_shape, judge),
        resize=judge.resize,
        data=real.name,
        data_sha256=real.describe()["sha256"],
        train=train.name if train else "",
        train_sha256=train.describe()["sha256"] if train else "",
        n_real=n_real,
        n_fake=drawn.count,
        seed=seed,
        versions=versions(),
    )


def _classes(judge: Extractor, *features: Tensor) -> list[Tensor] | None:
    """What the extractor takes samples, and real ones, for; None if it is no classifier."""
    device = next((t.device for t in judge.state_dict().values()), features[0].device)
    found = [judge.classes(rows.to(device)) for rows in features]
    return [classes.cpu() for classes in found if classes is not None] or None
