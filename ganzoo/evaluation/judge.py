"""A score that costs little, for runs that are still going on."""

from __future__ import annotations

import importlib.util

from torch import Tensor

from ganzoo import plugins
from ganzoo.data.dataset import Dataset
from ganzoo.data.order import Order
from ganzoo.data.store import Store
from ganzoo.errors import UsageError
from ganzoo.evaluation.extractors import Extractor
from ganzoo.evaluation.features import features_of, features_of_real
from ganzoo.evaluation.find import default_extractor, find_extractor
from ganzoo.evaluation.measures import measure
from ganzoo.interfaces import Generator
from ganzoo.modalities.pictures import Pictures
from ganzoo.variant import Json

SAMPLES = 5_000

FEWEST = 500
"""Of fewer pictures nobody's run is scored unasked: chance would choose among its checkpoints."""


class Judge:
    """Scores a generator by ``fd`` and ``kid``, between samples and as many of the data it is trained on.

    Always the same seeds and the same data, so that scores of one run differ by its weights alone. As it is the data that the
    model is trained on, copies of it score best.

    Args:
        extractor: Whose features; by default those of one that ships: ``fashion-mnist-cnn`` for 28x28 grey pictures, and
            ``cifar10-cnn`` for all others.
        samples: How many, if there are as many pictures.
        names: The scores; ``kid`` alone takes few real samples, where ``fd`` takes twice as many as features.
    """

    def __init__(self, extractor: str | None = None, samples: int = SAMPLES, names: tuple[str, ...] = ("fd", "kid")) -> None:
        self.extractor = extractor
        self.samples = samples
        self.names = names
        self._real: tuple[Extractor, Tensor] | None = None

    def describe(self) -> dict[str, Json]:
        """By what it judges, as plain data; whose features these are is known once it is prepared."""
        if self._real is None:
            return {"extractor": self.extractor, "samples": self.samples}
        judge, real = self._real
        return {"extractor": judge.name, "extractor_sha256": judge.sha256, "samples": self.samples, "n_real": len(real)}

    def __call__(self, generator: Generator, data: Dataset) -> dict[str, float]:
        """The scores of ``generator``, lower is better."""
        if self._real is None:
            self.prepare(data)
        assert self._real is not None
        judge, real = self._real

        def batches(start: int, stop: int) -> Tensor:
            return generator.sample(range(start, stop))

        return measure(features_of(judge, batches, len(real)), real, self.names)

    def prepare(self, data: Dataset) -> None:
        """Compute the features of the real samples that all scores refer to, or take them from the cache.

        Raises:
            UsageError: The data are no pictures, or not in memory; or there are too few of them for a distance.
        """
        if not isinstance(data, Store) or not isinstance(data.modality, Pictures):
            raise UsageError(f"{data.name}: only pictures that are in memory can be scored while a model trains on them")
        name = self.extractor or default_extractor(data.sample_shape, shipped=True)
        judge = find_extractor(plugins.load().registry, name).to(data.device)
        rows = Order(len(data), 0).indices(0, min(self.samples, len(data)))
        real = features_of_real(judge, data, rows)
        measure(real, real, self.names)
        self._real = judge, real


def judges_at_once(data: Dataset) -> bool:
    """Whether a :class:`Judge` has all that it needs, and as many pictures as it takes to choose by."""
    if importlib.util.find_spec("torch_fidelity") is None:
        return False
    return isinstance(data, Store) and isinstance(data.modality, Pictures) and len(data) >= FEWEST
