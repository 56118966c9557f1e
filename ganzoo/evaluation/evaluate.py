"""Scores of a model, or of samples in a file: the public ``ganzoo.evaluate``."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from ganzoo import plugins
from ganzoo.data import open_data
from ganzoo.data.order import Order
from ganzoo.data.store import Store
from ganzoo.errors import DataError, GanzooError, UnknownNameError, UsageError
from ganzoo.evaluation.extractors import Extractor
from ganzoo.evaluation.features import Batches, Progress, features_of, features_of_real
from ganzoo.evaluation.find import default_extractor, find_extractor
from ganzoo.evaluation.measures import MEASURES, class_distance, copying, frechet, measure, require_enough
from ganzoo.evaluation.neighbours import write_neighbours
from ganzoo.evaluation.protocol import Protocol, versions
from ganzoo.evaluation.scores import Scores, write_scores
from ganzoo.files import unwritable
from ganzoo.hub.card import write_card
from ganzoo.hub.find import find, unless_it_fails
from ganzoo.interfaces import Generator
from ganzoo.model_folder import ModelConfig, read_config
from ganzoo.pretrained import load
from ganzoo.registry import Registry
from ganzoo.sampling import can_be_drawn
from ganzoo.variant import Json

SAMPLES = 10_000
SUBSETS = 5
"""Of the training data, over which ``fd_train`` is a mean."""
RELATIVE = {"rfd", "copying"}
"""The measures that refer to the training data."""
ALL_MEASURES = (*MEASURES, "class_distance", "rfd", "copying")


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
        source: Whatever :func:`ganzoo.load` takes or returns, or an NPZ or NPY file of samples.
        data: The real samples to compare with, held-out ones at best, in any form that ``ganzoo train --data`` takes; by
            default those that the model was trained on, if they are a registered dataset.
        extractor: Whose features: ``fashion-mnist-cnn``, ``cifar10-cnn``, ``timm:NAME``, ``inception``, or one that a plugin
            registers; by default the first for 28x28 grey pictures and ``inception`` for all others.
        samples: How many to draw, and how many real ones to compare with at the most.
        measures: Which scores, or the one; see :class:`Scores`.
        seed: Samples have the seeds from here on.
        device: Where to compute; a generator that is given stays where it is.
        train: What the model was trained on, for ``rfd``, ``copying`` and ``neighbours``; by default the registered dataset
            that the model folder names.
        neighbours: A PNG file for samples beside the training samples that are nearest to them.
        progress: Told of the pictures done and in all.

    Raises:
        UsageError: Samples that are no pictures, too few of them for a measure, or an unknown name.
        DataError, ModelError, HubError: Data, weights or a model that cannot be read.
    """
    measures = (measures,) if isinstance(measures, str) else measures
    if unknown := [name for name in measures if name not in ALL_MEASURES]:
        raise UnknownNameError("measure", unknown[0], ALL_MEASURES)
    registry = plugins.load().registry
    drawn = _samples_of(source, samples, seed, device)
    # A name in a model folder is a stranger's word: it is looked up, and never imported or opened.
    trained_on = train or (drawn.trained_on if registry.find("dataset", drawn.trained_on) else None)
    name = data or trained_on
    if name is None:
        raise UsageError("nothing says what the samples should be like", hint="name real ones: --data DATA")
    real = _pictures(registry, name, drawn.shape)
    if neighbours and (folder := unwritable(Path(neighbours))):
        raise UsageError(f"cannot write to {str(folder)!r}", hint="name another file: --neighbours nearest.png")
    wanted, notes = RELATIVE & set(measures), []
    training, why = None, "nothing says what this model was trained on"
    if trained_on and (wanted or neighbours):
        try:
            training = real if trained_on == name else _pictures(registry, trained_on, drawn.shape)
        except DataError as error:
            if train or neighbours or set(measures) <= RELATIVE:
                raise
            why = f"what it was trained on cannot be had: {error.message}"
        if training and not train and drawn.trained_sha256 not in ("", training.describe()["sha256"]):
            training, why = None, f"what is called {trained_on} here is not what it was trained on"
    if neighbours and training is None:
        raise UsageError(f"{why}, to find neighbours in", hint="name it: --train DATA")
    held_out = _held_out(drawn, real, training, by_name=trained_on == name and bool(train or not drawn.trained_sha256))
    # Samples that were trained on say nothing of copying, and have no distance to themselves.
    if wanted and not held_out:
        if set(measures) <= RELATIVE:
            raise UsageError(
                f"{' and '.join(sorted(measures))} need real samples that the model was not trained on, and those that it was",
                hint="name both: --data HELD-OUT --train DATA",
            )
        if training is None:
            notes.append(f"{' and '.join(sorted(wanted))} left out: {why}; --train DATA names it")
        wanted = set()
    if "rfd" in wanted and training and len(training) < drawn.count:
        notes.append(f"rfd left out: there are {len(training):,} training samples; --samples {len(training)} has it")
        wanted -= {"rfd"}
    judge = find_extractor(registry, extractor or default_extractor(drawn.shape)).to(device)
    rows = Order(len(real), seed).indices(0, min(samples, len(real)))
    real_features = features_of_real(judge, real, rows)
    # Known before any sample is drawn, as drawing takes long.
    require_enough(drawn.count, real_features, measures)
    features = features_of(judge, drawn.batches, drawn.count, progress)
    values = measure(features, real_features, measures, seed=seed)
    if "class_distance" in measures:
        if (classes := _classes(judge, features, real_features)) is not None:
            values["class_distance"] = class_distance(*classes)
        else:
            notes.append(f"class_distance left out: {judge.name} is no classifier")
    train_features = torch.empty(0)
    if training and (wanted or neighbours):
        train_features = features_of_real(judge, training, torch.arange(len(training)), progress)
    if "rfd" in wanted:
        values |= _relative(features, real_features, train_features, seed)
    if "copying" in wanted:
        values["copying"] = copying(features, real_features, train_features)
    if not values:
        raise UsageError(f"none of {', '.join(measures)} can be had here: {'; '.join(notes)}")
    referred = training if wanted else None
    protocol = _protocol(judge, real, referred, n_real=len(rows), n_fake=drawn.count, seed=seed)
    scores = Scores(values, protocol, held_out)
    if drawn.folder:
        try:
            write_scores(drawn.folder, scores)
            write_card(drawn.folder, str(source))
        except (OSError, GanzooError) as error:
            # What took minutes is told all the same.
            notes.append(f"nothing is written to {drawn.folder}: {getattr(error, 'strerror', None) or error}")
    if neighbours and training:
        write_neighbours(Path(neighbours), drawn.batches, features, training, train_features)
    return replace(scores, notes=tuple(notes))


def _held_out(drawn: _Drawn, real: Store, training: Store | None, *, by_name: bool) -> bool | None:
    """Whether the real samples are others than those that were trained on, whatever both are called; None: it is not known."""
    if by_name or drawn.trained_sha256 == real.describe()["sha256"]:
        return False
    if training is None:
        # Hashes that differ may be of the same pictures, with labels and without.
        return None
    return training.samples.shape != real.samples.shape or not torch.equal(training.samples, real.samples)


def _relative(features: Tensor, real_features: Tensor, train_features: Tensor, seed: int) -> dict[str, float]:
    """``rfd`` and what it refers to: the distance of as many training samples, since a distance depends on how many.

    The distance of one subset is made by a few outliers more or less: it is the mean over some.
    """
    count, order = len(features), Order(len(train_features), seed)
    parts = [order.indices(n * count, (n + 1) * count) for n in range(min(SUBSETS, len(train_features) // count))]
    mean = statistics.fmean(frechet(train_features[rows], real_features) for rows in parts)
    return {"fd_train": mean, "rfd": frechet(features, real_features) / mean}


def rehearse(shape: Sequence[int], *, data: str, extractor: str | None, samples: int) -> dict[str, Json]:
    """See to it that samples of a shape can be scored, before hours are spent on making them.

    Returns:
        The hashes of the real samples and of the extractor.

    Raises:
        UsageError, DataError: They cannot.
    """
    registry = plugins.load().registry
    real = _pictures(registry, data, tuple(shape))
    judge = find_extractor(registry, extractor or default_extractor(shape))
    one = features_of(judge, lambda start, stop: real.batch(torch.arange(start, stop))[0], 2)
    require_enough(samples, one[:1].expand(min(samples, len(real)), -1), ALL_MEASURES)
    return {"data_sha256": real.describe()["sha256"], "extractor_sha256": judge.sha256}


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
        trained_on, trained_sha256: What the model folder says.
        folder: The model folder that scores are written to, if it is the user's own.
    """

    shape: tuple[int, ...]
    count: int
    batches: Batches
    trained_on: str = ""
    trained_sha256: str = ""
    folder: Path | None = None


def _samples_of(source: str | Path | Generator, samples: int, seed: int, device: str | torch.device) -> _Drawn:
    if isinstance(source, Generator):
        config = getattr(source, "config", None)
        return _drawn_by(source, config if isinstance(config, ModelConfig) else None, samples, seed)
    if Path(source).suffix.lower() in (".npz", ".npy"):
        store = _pictures(plugins.load().registry, str(source), None)
        # A file may be sorted, by class for example.
        rows = Order(len(store), seed).indices(0, samples) if samples < len(store) else torch.arange(len(store))
        return _Drawn(store.sample_shape, len(rows), lambda start, stop: store.batch(rows[start:stop])[0])
    with unless_it_fails(source):
        found = find(source)
        config = read_config(found.folder)
        generator = load(found.folder, device=device)
    if not can_be_drawn(config.sample_shape, config.value_range):
        raise UsageError(f"the samples of {str(source)!r} are no pictures, and only pictures can be scored")
    return _drawn_by(generator, config, samples, seed, folder=found.folder if found.own else None)


def _drawn_by(
    generator: Generator, config: ModelConfig | None, samples: int, seed: int, *, folder: Path | None = None
) -> _Drawn:
    training = config.training if config else {}
    trained_on, dataset = training.get("data"), training.get("dataset")
    sha256 = dataset.get("sha256") if isinstance(dataset, dict) else None
    return _Drawn(
        generator.sample_shape,
        samples,
        lambda start, stop: generator.sample(range(seed + start, seed + stop)),
        trained_on if isinstance(trained_on, str) else "",
        sha256 if isinstance(sha256, str) else "",
        folder,
    )


def _pictures(registry: Registry, name: str, shape: tuple[int, ...] | None) -> Store:
    store = open_data(name, registry=registry, resolution=shape[-1] if shape and shape[-1] == shape[-2] else None)
    if not isinstance(store, Store) or not store.is_pictures:
        raise UsageError(f"{name} holds no pictures, and only pictures can be scored")
    if shape and store.sample_shape != shape:
        sizes = ("x".join(map(str, s)) for s in (store.sample_shape, shape))
        raise UsageError("{} has pictures of {}, and the samples are of {}".format(name, *sizes))
    return store


def _classes(judge: Extractor, *features: Tensor) -> list[Tensor] | None:
    """What the extractor takes samples, and real ones, for; None if it is no classifier."""
    device = next((t.device for t in judge.state_dict().values()), features[0].device)
    found = [judge.classes(rows.to(device)) for rows in features]
    return [classes.cpu() for classes in found if classes is not None] or None
