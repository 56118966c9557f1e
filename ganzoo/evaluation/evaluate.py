"""Scores of a model, or of samples in a file: the public ``ganzoo.evaluate``."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import torch

from ganzoo import plugins
from ganzoo.card import write_card
from ganzoo.errors import GanzooError
from ganzoo.evaluation.case import Asked, Case, open_case
from ganzoo.evaluation.neighbours import write_neighbours
from ganzoo.evaluation.scores import Scores, write_scores
from ganzoo.evaluation.subject import Progress
from ganzoo.files import user_path
from ganzoo.interfaces import Generator
from ganzoo.measures.base import Evidence
from ganzoo.pinned import pinned

SAMPLES = 10_000


@pinned()
def evaluate(
    source: str | Path | Generator,
    *,
    data: str | None = None,
    extractor: str | None = None,
    samples: int = SAMPLES,
    measures: str | Collection[str] | None = None,
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
        source: Whatever :func:`ganzoo.load` takes or returns; or samples, in any form that ``--data`` takes.
        data: The real samples to compare with, held-out ones at best, in any form that ``ganzoo train --data`` takes. Pictures
            are brought to the samples' size. By default those that the model was trained on, if they are a registered dataset
            or a folder or file that the run names and that is still there; of a registered dataset that has held-out samples,
            these.
        extractor: Whose features: ``fashion-mnist-cnn``, ``cifar10-cnn``, ``timm:NAME``, ``inception``, or one that a plugin
            registers; by default the first for 28x28 grey pictures and ``inception`` for all others, or ``cifar10-cnn`` if
            that cannot be downloaded.
        samples: How many to draw, and how many real ones to compare with at the most.
        measures: Which measures, or the one, by name: ``ganzoo list --kind measures`` has all. By default all of these that
            are for such samples.
        seed: Samples have the seeds from here on.
        device: Where to compute; a generator that is given stays where it is.
        train: What the model was trained on, for measures that need it (``rfd``, ``copying``) and ``neighbours``; by default
            what the model folder or the run names, as for ``data``.
        neighbours: A PNG file for samples beside the training samples that are nearest to them.
        progress: Told of the samples done and in all.

    Raises:
        UsageError: Samples of a kind for which nothing says how they are judged, too few of them for any of the measures, or
            an unknown name. Measures that cannot be had are left out, and ``notes`` says so.
        DataError, ModelError, HubError: Data, weights or a model that cannot be read.
    """
    asked = Asked(
        names=None if measures is None else (measures,) if isinstance(measures, str) else tuple(measures),
        data=data,
        train=train,
        extractor=extractor,
        samples=samples,
        seed=seed,
        device=device,
        neighbours=user_path(neighbours) if neighbours else None,
    )
    case = open_case(plugins.load().registry, source, asked)
    evidence = case.evidence(progress)
    values, failed = case.compute(evidence)
    scores = Scores(values, case.stamp(), case.references.held_out, (*case.notes, *failed))
    return record(scores, case, evidence, name=str(source), neighbours=asked.neighbours)


def record(scores: Scores, case: Case, evidence: Evidence, *, name: str, neighbours: Path | None) -> Scores:
    """Write scores into the model folder, if it is the user's own, and onto its card; and the sheet of neighbours.

    Returns:
        The scores, with a note of what could not be written.
    """
    notes, folder = [], case.subject.folder
    if folder:
        try:
            write_scores(folder, scores)
            write_card(folder, name)
        except (OSError, GanzooError) as error:
            # What took minutes is told all the same.
            notes.append(f"nothing is written to {folder}: {getattr(error, 'strerror', None) or error}")
    training = case.references.training
    if neighbours and training and evidence.train:
        write_neighbours(neighbours, case.subject.batches, evidence.fake.features, training, evidence.train.features)
    return Scores(scores.values, scores.protocol, scores.held_out, (*scores.notes, *notes))
