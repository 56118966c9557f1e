"""A judge: scores that cost little, for runs that are still going on."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from ganzoo import plugins
from ganzoo.data.dataset import Dataset
from ganzoo.data.order import Order
from ganzoo.data.store import Store
from ganzoo.errors import UsageError
from ganzoo.evaluation.by_features import FeaturesProtocol
from ganzoo.evaluation.distances import fidelity
from ganzoo.evaluation.protocol import Protocol, protocol_of
from ganzoo.evaluation.subject import Subject
from ganzoo.interfaces import Generator
from ganzoo.measures.base import Counts, Evidence, Measure, SampleSet
from ganzoo.measures.table import find_measure, scores_of
from ganzoo.modalities.base import Modality
from ganzoo.variant import Json

SAMPLES = 5_000

FEWEST = 500
"""Of fewer pictures nobody's run is scored unasked: chance would choose among its checkpoints."""

FEW_WILL_DO = "go by the kernel distance, which is unbiased (evaluate --measures kid, train --until kid=0), or score more"


class Judge:
    """Scores a generator between samples and as many of the data it is trained on.

    Always the same seeds and the same data, so that scores of one run differ by its weights alone. As it is the data that the
    model is trained on, copies of it score best.

    Args:
        extractor: Whose features; by default those of one that ships: ``fashion-mnist-cnn`` for 28x28 grey pictures, and
            ``cifar10-cnn`` for all others.
        samples: How many, if there are as many real ones.
        names: Of the measures; ``kid`` alone takes few real samples, where ``fd`` takes twice as many as features.
    """

    def __init__(self, extractor: str | None = None, samples: int = SAMPLES, names: Sequence[str] = ("fd", "kid")) -> None:
        self.extractor = extractor
        self.samples = samples
        # Those that measures have now, for whoever says what one was called before.
        registry = plugins.load().registry
        self.names = tuple(registry.name_of(e) if (e := registry.find("measure", name)) else name for name in names)
        self._ready: _Ready | None = None

    def describe(self) -> dict[str, Json]:
        """By what it judges, as plain data; whose features these are is known once it is prepared."""
        if self._ready is None:
            return {"extractor": self.extractor, "samples": self.samples}
        return {**self._ready.protocol.describe(), "samples": self.samples, "n_real": self._ready.real.count}

    def __call__(self, generator: Generator, data: Dataset) -> dict[str, float]:
        """The scores of ``generator`` by the names of the measures."""
        if self._ready is None:
            self.prepare(data)
        assert self._ready is not None
        return self._ready.score(generator)

    def prepare(self, data: Dataset) -> None:
        """Compute the features of the real samples that all scores refer to, or take them from the cache.

        Raises:
            UsageError: Nothing says how such data is judged, or it is not in memory; or a measure cannot be had: there are too
                few samples, or it needs others than those that are trained on.
            UnknownNameError: No such measure.
        """
        if not isinstance(data, Store):
            raise UsageError(f"{data.name}: only samples that are in memory can be scored while a model trains on them")
        registry = plugins.load().registry
        wanted = tuple(find_measure(registry, name) for name in self.names)
        kind = protocol_of(registry, data.modality, data.name)
        protocol = kind(registry, data.modality, extractor=self.extractor, shipped=True, device=data.device)
        for measure in wanted:
            if why := protocol.misfit(measure):
                raise UsageError(f"{data.name} cannot be scored by {measure.name}: {why}")
            if "training" in measure.needs:
                raise UsageError(
                    f"{measure.name} needs samples that are not trained on, and a run is scored by those that it trains on",
                    hint="score its model: ganzoo evaluate",
                )
        protocol.open(data)
        rows = Order(len(data), 0).indices(0, min(self.samples, len(data)))
        counts = Counts(len(rows), len(rows), protocol.width)
        for measure in wanted:
            if why := protocol.lacking(measure):
                raise UsageError(f"{data.name} cannot be scored by {measure.name}: {why}")
            if why := measure.too_few(counts):
                raise UsageError(f"{len(rows)} samples are too few to score a run by {measure.name}: {why}", hint=FEW_WILL_DO)
        if any("torch-fidelity" in measure.needs for measure in wanted):
            fidelity()
        real = protocol.stored(data, rows)
        if isinstance(protocol, FeaturesProtocol):
            _ = real.features
        self._ready = _Ready(protocol, wanted, real, data.modality)


class _Ready:
    """A judge that has looked at the data."""

    def __init__(self, protocol: Protocol, measures: Sequence[Measure], real: SampleSet, modality: Modality) -> None:
        self.protocol, self.measures, self.real, self.modality = protocol, measures, real, modality

    def score(self, generator: Generator) -> dict[str, float]:
        subject = Subject(self.modality, self.real.count, lambda start, stop: generator.sample(range(start, stop)))
        evidence = Evidence(self.protocol.drawn(subject), self.real)
        return {name: score for measure in self.measures for name, score in scores_of(measure, evidence).items()}


def judges_at_once(data: Dataset) -> bool:
    """Whether a :class:`Judge` has all that it needs, and as many samples as it takes to choose by."""
    if importlib.util.find_spec("torch_fidelity") is None:
        return False
    return isinstance(data, Store) and data.modality.judged_by == FeaturesProtocol.name and len(data) >= FEWEST
