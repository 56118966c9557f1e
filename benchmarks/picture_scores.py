"""What is measured of a generator that was trained on a set of pictures: the same for every contender."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ganzoo import plugins
from ganzoo.data import open_data
from ganzoo.data.order import Order
from ganzoo.data.store import Store
from ganzoo.evaluation.by_features import measure_features
from ganzoo.evaluation.distances import copying
from ganzoo.evaluation.extractors import Extractor
from ganzoo.evaluation.features import features_of, features_of_real
from ganzoo.evaluation.named_extractors import find_extractor
from ganzoo.interfaces import Generator
from ganzoo.modalities.pictures import to_levels, to_unit

COLOUR = "cifar10-cnn"
"""The extractor for all sets; it is quick, so that copying is told by its features too."""
IMAGENET = "timm:tf_efficientnet_lite0"
"""A second opinion on pictures of 64 pixels and more, which COLOUR sees at 32."""
COUNTS = {COLOUR: 5000, "fashion-mnist-cnn": 5000, IMAGENET: 2000}
"""How many samples and real pictures each is shown at the most; IMAGENET takes long on one thread, and KID needs no more."""
MEASURES = ("kid", "recall", "coverage")
ENOUGH = 1000
"""Fewer pictures than these say too little: then samples are compared with those that were trained on."""
SPREAD = 500


@dataclass(frozen=True)
class PictureSet:
    """A set to train on, and what to score by.

    Attributes:
        name: As the table has it.
        data: What ``--data`` takes.
        train, held_out: Its pictures, and others of the same kind.
    """

    name: str
    data: str
    train: Store
    held_out: Store

    @property
    def real(self) -> Store:
        """What samples are compared with: pictures that were not trained on, if there are enough."""
        return self.held_out if len(self.held_out) >= ENOUGH else self.train

    @property
    def extractors(self) -> tuple[str, ...]:
        """The names of the extractors for it."""
        if self.name == "fashion-mnist":
            return COLOUR, "fashion-mnist-cnn"
        return (COLOUR, IMAGENET) if self.train.sample_shape[-1] >= 64 else (COLOUR,)


def data_of(folder: Path, name: str) -> tuple[str, str]:
    """What ``--data`` takes for the set and for what is held out, made by ``picture_sets.py`` in ``folder`` or registered."""
    if name == "fashion-mnist":
        return name, "fashion-mnist-10k"
    return str(folder / f"{name}.npz"), str(folder / f"{name}-held-out.npz")


def open_set(folder: Path, name: str) -> PictureSet:
    """The set of that name."""
    data = data_of(folder, name)
    train, held_out = (open_data(spec, registry=plugins.load().registry) for spec in data)
    assert isinstance(train, Store)
    assert isinstance(held_out, Store)
    return PictureSet(name, data[0], train, held_out)


def rehearse(pictures: PictureSet) -> None:
    """See to it that everything can be measured, before hours are spent."""
    for extractor in find_extractors(pictures):
        measure_features(*[extractor.features(pictures.train.batch(torch.arange(8))[0])] * 2, MEASURES)


def find_extractors(pictures: PictureSet) -> Iterator[Extractor]:
    registry = plugins.load().registry
    return (find_extractor(registry, name) for name in pictures.extractors)


def score(generator: Generator, pictures: PictureSet) -> dict[str, float]:
    """The scores of samples of seeds from 0 on: ``spread``, ``copying``, and ``EXTRACTOR kid`` and so on for each."""
    real = pictures.real
    most = max(COUNTS[name] for name in pictures.extractors)
    samples = torch.cat([to_levels(generator.sample(range(i, min(i + 250, most)))) for i in range(0, most, 250)])
    found = {"spread": spread(to_unit(samples[:SPREAD])) / spread(_some(real, SPREAD))}
    for extractor in find_extractors(pictures):
        count = COUNTS[extractor.name]
        fake = features_of(extractor, lambda start, stop: to_unit(samples[start:stop]), min(count, len(samples)))
        rows = Order(len(real), 0).indices(0, min(count, len(real)))
        values = measure_features(fake, features_of_real(extractor, real, rows), MEASURES)
        found |= {f"{extractor.name} {name}": value for name, value in values.items()}
        if extractor.name == COLOUR:
            held_out, train = (
                features_of_real(extractor, part, torch.arange(len(part))) for part in (pictures.held_out, pictures.train)
            )
            found["copying"] = copying(fake, held_out, train)
    return found


def spread(pictures: Tensor) -> float:
    """How far apart two pictures are: the mean over pairs of the root mean square over values.

    :func:`ganzoo.training.likeness.spread` is the root mean square over pairs, too. Both are told as parts of what real
    pictures have, and as such hardly differ.
    """
    values = pictures.flatten(1)
    return float(torch.pdist(values).mean()) / values.shape[1] ** 0.5


def _some(store: Store, count: int) -> Tensor:
    return store.batch(Order(len(store), 0).indices(0, min(count, len(store))))[0]
