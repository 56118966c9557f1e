"""Scores of a model, or of samples in a file: the public ``ganzoo.evaluate``."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import torch

from ganzoo import plugins
from ganzoo.data import open_data
from ganzoo.data.order import Order
from ganzoo.data.store import Store
from ganzoo.errors import UnknownNameError, UsageError
from ganzoo.evaluation.extractors import Extractor
from ganzoo.evaluation.features import Batches, Progress, features_of, features_of_real
from ganzoo.evaluation.find import default_extractor, find_extractor
from ganzoo.evaluation.measures import MEASURES, class_distance, copying, frechet, measure
from ganzoo.evaluation.neighbours import write_neighbours
from ganzoo.evaluation.protocol import Protocol, versions
from ganzoo.evaluation.scores import Scores, write_scores
from ganzoo.hub.card import write_card
from ganzoo.hub.find import find
from ganzoo.hub.load import load
from ganzoo.model_folder import read_config
from ganzoo.registry import Registry
from ganzoo.sampling import can_be_drawn

SAMPLES = 10_000
ALL_MEASURES = (*MEASURES, "class_distance", "rfd", "copying")


def evaluate(
    source: str | Path,
    *,
    data: str | None = None,
    extractor: str | None = None,
    samples: int = SAMPLES,
    measures: Collection[str] = ALL_MEASURES,
    seed: int = 0,
    device: str | torch.device = "cpu",
    neighbours: str | Path | None = None,
    progress: Progress | None = None,
) -> Scores:
    """Score a model: ``ganzoo.evaluate("runs/dcgan", data="fashion-mnist-10k").values["fd"]``.

    If the model folder is your own, scores also go into its ``metrics.json``, beside those of other protocols, and onto its
    card.

    Args:
        source: Whatever :func:`ganzoo.load` takes, or an NPZ or NPY file of samples.
        data: The real samples to compare with, held-out ones at best, in any form that ``ganzoo train --data`` takes; by
            default those that the model was trained on.
        extractor: Whose features: ``fashion-mnist-cnn``, ``timm:NAME``, ``inception``, or one that a plugin registers; by
            default the first for 28x28 grey pictures and ``inception`` for all others.
        samples: How many to draw, and how many real ones to compare with at the most.
        measures: Which scores; see :class:`Scores`.
        seed: Samples have the seeds from here on.
        device: Where to compute.
        neighbours: A PNG file for samples beside the training samples that are nearest to them.
        progress: Told of the pictures done and in all.

    Raises:
        UsageError: Samples that are no pictures, too few of them for a measure, or an unknown name.
        DataError, ModelError, HubError: Data, weights or a model that cannot be read.
    """
    if unknown := [name for name in measures if name not in ALL_MEASURES]:
        raise UnknownNameError("measure", unknown[0], ALL_MEASURES)
    registry = plugins.load().registry
    drawn = _samples_of(source, samples, seed, device)
    # A name in a model folder is a stranger's word: it is looked up, and never imported or opened.
    trained_on = drawn.trained_on if registry.find("dataset", drawn.trained_on) else None
    name = data or trained_on
    if name is None:
        raise UsageError("nothing says what the samples should be like", hint="name real ones: --data DATA")
    real = _pictures(registry, name, drawn.shape)
    train = _pictures(registry, trained_on, drawn.shape) if trained_on and trained_on != name else None
    if neighbours and train is None and trained_on is None:
        raise UsageError("the training data of these samples is not known, so that neighbours cannot be found in it")
    judge = find_extractor(registry, extractor or default_extractor(drawn.shape)).to(device)
    rows = Order(len(real), seed).indices(0, min(samples, len(real)))
    real_features = features_of_real(judge, real, rows)
    features = features_of(judge, drawn.batches, drawn.count, progress)
    values = measure(features, real_features, measures, seed=seed)
    if "class_distance" in measures and real.labels is not None and (found := _classes(judge, features)) is not None:
        values["class_distance"] = class_distance(found, real.labels[rows], real.num_classes)
    if train and "rfd" in measures:
        as_many = Order(len(train), seed).indices(0, min(len(rows), len(train)))
        values["fd_train"] = frechet(features_of_real(judge, train, as_many), real_features)
        values["rfd"] = (values["fd"] if "fd" in values else frechet(features, real_features)) / values["fd_train"]
    whole = train or real
    if (train and "copying" in measures) or neighbours:
        train_features = features_of_real(judge, whole, torch.arange(len(whole)), progress)
        if train and "copying" in measures:
            values["copying"] = copying(features, real_features, train_features)
        if neighbours:
            write_neighbours(Path(neighbours), drawn.batches, features, whole, train_features)
    scores = Scores(values, _protocol(judge, real, train, n_real=len(rows), n_fake=drawn.count, seed=seed))
    if drawn.folder:
        write_scores(drawn.folder, scores)
        write_card(drawn.folder, str(source))
    return scores


def _protocol(judge: Extractor, real: Store, train: Store | None, *, n_real: int, n_fake: int, seed: int) -> Protocol:
    return Protocol(
        extractor=judge.name,
        extractor_sha256=judge.sha256,
        resize=judge.resize,
        data=real.name,
        data_sha256=real.describe()["sha256"],
        train=train.name if train else "",
        train_sha256=train.describe()["sha256"] if train else "",
        n_real=n_real,
        n_fake=n_fake,
        seed=seed,
        versions=versions(),
    )


@dataclass(frozen=True)
class _Drawn:
    """Samples to be scored, pictures of ``shape``.

    Attributes:
        trained_on: What the model folder says.
        folder: The model folder that scores are written to, if it is the user's own.
    """

    shape: tuple[int, ...]
    count: int
    batches: Batches
    trained_on: str = ""
    folder: Path | None = None


def _samples_of(source: str | Path, samples: int, seed: int, device: str | torch.device) -> _Drawn:
    if Path(source).suffix.lower() in (".npz", ".npy"):
        store = _pictures(plugins.load().registry, str(source), None)
        count = min(samples, len(store))
        return _Drawn(store.sample_shape, count, lambda start, stop: store.batch(torch.arange(start, stop))[0])
    found = find(source)
    config = read_config(found.folder)
    if not can_be_drawn(config.sample_shape, config.value_range):
        raise UsageError(f"the samples of {str(source)!r} are no pictures, and only pictures can be scored")
    generator = load(found.folder, device=device)
    trained_on = config.training.get("data")
    return _Drawn(
        config.sample_shape,
        samples,
        lambda start, stop: generator.sample(range(seed + start, seed + stop)),
        trained_on if isinstance(trained_on, str) else "",
        found.folder if found.own else None,
    )


def _pictures(registry: Registry, name: str, shape: tuple[int, ...] | None) -> Store:
    store = open_data(name, registry=registry, resolution=shape[-1] if shape and shape[-1] == shape[-2] else None)
    if not isinstance(store, Store) or not store.is_pictures:
        raise UsageError(f"{name} holds no pictures, and only pictures can be scored")
    if shape and store.sample_shape != shape:
        sizes = ("x".join(map(str, s)) for s in (store.sample_shape, shape))
        raise UsageError("{} has pictures of {}, and the samples are of {}".format(name, *sizes))
    return store


def _classes(judge: Extractor, features: torch.Tensor) -> torch.Tensor | None:
    device = next((t.device for t in judge.state_dict().values()), features.device)
    found = judge.classes(features.to(device))
    return None if found is None else found.cpu()
