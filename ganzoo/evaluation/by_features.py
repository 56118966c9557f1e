"""The protocol of pictures: an extractor finds features in them, and measures compare these."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor

from ganzoo import plugins
from ganzoo.data.store import Store
from ganzoo.evaluation.extractors import Extractor
from ganzoo.evaluation.features import device_of, features_of, features_of_real
from ganzoo.evaluation.named_extractors import choose_extractor, default_extractor
from ganzoo.evaluation.pictures import seen_as
from ganzoo.evaluation.protocol import Protocol
from ganzoo.evaluation.subject import Progress, Subject
from ganzoo.measures.base import Evidence, Measure, Need, SampleSet
from ganzoo.measures.table import find_measure, measures, scores_of

TRIED = 2
"""So many real pictures an extractor is tried on, before it is given thousands."""


class FeaturesProtocol(Protocol):
    """Pictures, judged by distances between features.

    Attributes:
        extractor: Whose features, once it is opened.
        replaced: Whether it is another than the usual one, which cannot be downloaded.
    """

    name: ClassVar[str] = "features"
    gives: ClassVar[tuple[Need, ...]] = ("features", "classes", "decoded", "training")
    takes_extractor: ClassVar[bool] = True
    extractor: Extractor
    replaced = False

    def open(self, real: Store) -> Sequence[str]:
        shape = self.modality.sample_shape
        named = self.named or (default_extractor(shape, shipped=True) if self.shipped else None)
        self.extractor, told = choose_extractor(self.registry, named, shape)
        self.replaced = bool(told)
        self.extractor.to(self.device)
        some = features_of(self.extractor, lambda start, stop: real.batch(torch.arange(start, stop))[0], TRIED)
        self.width = some.shape[1]
        self._classifies = self._classes(some) is not None
        return [told] if told else []

    def lacking(self, measure: Measure) -> str:
        return "" if self._classifies or "classes" not in measure.needs else f"{self.extractor.name} is no classifier"

    def drawn(self, subject: Subject, progress: Progress | None = None) -> SampleSet:
        made = super().drawn(subject, progress)
        return self._seen(made, lambda: features_of(self.extractor, subject.batches, subject.count, progress))

    def stored(self, store: Store, rows: Tensor, progress: Progress | None = None) -> SampleSet:
        made = super().stored(store, rows, progress)
        return self._seen(made, lambda: features_of_real(self.extractor, store, rows, progress))

    def stamp(self, real: Store) -> dict[str, str]:
        return {
            "extractor": self.extractor.name,
            "extractor_sha256": self.extractor.sha256,
            "pictures": seen_as(self.modality.sample_shape, real.sample_shape, self.extractor),
            "resize": self.extractor.resize,
        }

    def describe(self) -> dict[str, str]:
        return {"extractor": self.extractor.name, "extractor_sha256": self.extractor.sha256}

    def _seen(self, made: SampleSet, features: Callable[[], Tensor]) -> SampleSet:
        """The same samples, with their features, and the classes that these are taken for."""

        def classes() -> Tensor:
            found = self._classes(seen.features)
            assert found is not None
            return found

        seen = SampleSet(made.count, features=features, classes=classes, decoded=made.decoded)
        return seen

    def _classes(self, features: Tensor) -> Tensor | None:
        """What the extractor takes samples for, on the CPU; None if it is no classifier."""
        found = self.extractor.classes(features.to(device_of(self.extractor, features.device)))
        return None if found is None else found.cpu()


def measure_features(fake: Tensor, real: Tensor, names: Iterable[str] | None = None, *, seed: int = 0) -> dict[str, float]:
    """Scores between features ``(N, F)`` of samples and ``(M, F)`` of real ones, of what can be measured by these alone.

    Args:
        names: Of the measures; by default all that need nothing else.

    Raises:
        UsageError: Too few of either for a measure, or torch-fidelity is not installed.
        UnknownNameError: No such measure.
    """
    registry = plugins.load().registry
    enough = {"features", "torch-fidelity"}
    table = [m for m in measures(registry).values() if set(m.needs) <= enough and "features" in m.needs]
    wanted = table if names is None else [find_measure(registry, name) for name in names]
    samples, others = (SampleSet(len(rows), features=partial(_same, rows)) for rows in (fake, real))
    evidence = Evidence(samples, others, seed=seed)
    return {name: score for measure in wanted for name, score in scores_of(measure, evidence).items()}


def _same(features: Tensor) -> Tensor:
    return features
