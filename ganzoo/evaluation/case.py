"""The first two acts of an evaluation: all that is asked for is found, and then it is computed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from ganzoo.data.order import Order
from ganzoo.errors import GanzooError, UsageError
from ganzoo.evaluation.distances import fidelity
from ganzoo.evaluation.protocol import Protocol, protocol_of
from ganzoo.evaluation.references import References, find_references, left_out
from ganzoo.evaluation.stamp import Stamp, versions
from ganzoo.evaluation.subject import Progress, Subject, find_subject
from ganzoo.files import unwritable
from ganzoo.interfaces import Generator
from ganzoo.measures.base import Counts, Evidence, Measure
from ganzoo.measures.table import find_measure, measures, scores_of
from ganzoo.modalities.asking import noun_of
from ganzoo.modalities.pictures import Pictures
from ganzoo.registry import Registry


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What somebody asks for, as :func:`ganzoo.evaluate` explains it.

    Attributes:
        names: Of the measures; None: all that there are for such samples.
    """

    names: Sequence[str] | None
    data: str | None
    train: str | None
    extractor: str | None
    samples: int
    seed: int
    device: str | torch.device
    neighbours: Path | None


@dataclass(frozen=True, kw_only=True)
class Case:
    """All that is asked for, found and tried: what is left takes time, and nothing else.

    Attributes:
        subject: The samples.
        protocol: By which they are judged.
        references: What they are compared with.
        measures: Those that can be had.
        seed: Of random choices.
        asked: Names of the measures that were asked for, in words.
        notes: What cannot be had, and why.
    """

    subject: Subject
    protocol: Protocol
    references: References
    measures: tuple[Measure, ...]
    samples: int
    seed: int
    asked: str
    notes: tuple[str, ...]

    def evidence(self, progress: Progress | None = None) -> Evidence:
        """What measures are computed from; the features of either set are computed when they are first asked for."""
        real, training = self.references.real, self.references.training
        rows = Order(len(real), self.seed).indices(0, self.n_real)
        train = self.protocol.stored(training, torch.arange(len(training)), progress) if training else None
        return Evidence(self.protocol.drawn(self.subject, progress), self.protocol.stored(real, rows), train, self.seed)

    def compute(self, evidence: Evidence) -> tuple[dict[str, float], list[str]]:
        """The scores by name; and which could not be computed after all, and why.

        Raises:
            UsageError: None could.
        """
        values: dict[str, float] = {}
        failed: list[str] = []
        needs = {need for measure in self.measures for need in measure.needs}
        # Those of real ones first, which often are in the cache: what fails then fails before samples are drawn.
        if "features" in needs:
            _ = evidence.real.features, evidence.fake.features
        if "classes" in needs:
            _ = evidence.real.classes, evidence.fake.classes
        for measure in self.measures:
            try:
                values |= scores_of(measure, evidence)
            except GanzooError as error:
                # What took minutes is told all the same.
                failed.append(left_out([measure.name], error.message))
        if not values:
            raise _nothing(self.asked, [*self.notes, *failed])
        return values, failed

    @property
    def n_real(self) -> int:
        """How many real samples are compared."""
        return min(self.samples, len(self.references.real))

    def stamp(self) -> Stamp:
        """What the scores are measured by."""
        real = self.references.real
        referred = any("training" in measure.needs for measure in self.measures)
        train = self.references.training if referred else None
        return Stamp(
            **self.protocol.stamp(real),
            data=real.name,
            data_sha256=real.describe()["sha256"],
            train=train.name if train else "",
            train_sha256=train.describe()["sha256"] if train else "",
            n_real=self.n_real,
            n_fake=self.subject.count,
            seed=self.seed,
            versions=versions(),
        )


def open_case(registry: Registry, source: str | Path | Generator, asked: Asked) -> Case:
    """Find all that is asked for, and see to it that it can be computed.

    Raises:
        UsageError, DataError, ModelError, HubError: As :func:`ganzoo.evaluate`.
    """
    named = None if asked.names is None else [find_measure(registry, name) for name in dict.fromkeys(asked.names)]
    if asked.neighbours and (folder := unwritable(asked.neighbours)):
        raise UsageError(f"cannot write to {str(folder)!r}", hint="name another file: --neighbours nearest.png")
    subject = find_subject(source, registry, samples=asked.samples, seed=asked.seed, device=asked.device)
    kind = protocol_of(registry, subject.modality, type(source).__name__ if isinstance(source, Generator) else str(source))
    protocol = kind(registry, subject.modality, extractor=asked.extractor, device=asked.device)
    if asked.neighbours and not isinstance(subject.modality, Pictures):
        raise UsageError(f"neighbours are drawn of pictures, and these are {noun_of(subject.modality)}", hint="leave them out")
    wanted, misfits = chosen(registry, protocol, named)
    references = find_references(
        registry,
        subject,
        data=asked.data,
        train=asked.train,
        measures=wanted,
        neighbours=asked.neighbours is not None,
    )
    told = protocol.open(references.real)
    wanted = [m for m in wanted if "training" not in m.needs or m.name in references.relative]
    train = len(references.training) if references.training else 0
    n_real = min(asked.samples, len(references.real))
    missing = misfits | lacking(protocol, wanted, Counts(subject.count, n_real, protocol.width, train))
    had = tuple(measure for measure in wanted if measure.name not in missing)
    notes = (*references.notes, *told, *reasons(missing))
    words = ", ".join(asked.names or (measure.name for measure in wanted))
    if not had:
        raise _nothing(words, notes)
    if any("torch-fidelity" in measure.needs for measure in had):
        fidelity()
    limits = {"samples": asked.samples, "seed": asked.seed}
    return Case(subject=subject, protocol=protocol, references=references, measures=had, asked=words, notes=notes, **limits)


def chosen(
    registry: Registry, protocol: Protocol, named: Sequence[Measure] | None = None
) -> tuple[list[Measure], dict[str, str]]:
    """The measures that are asked for and are for such samples, in the order of the table.

    Args:
        named: Those that somebody named; by default all that can be asked for.

    Returns:
        Them; and of those that somebody named, which are for others, and why.
    """
    table = measures(registry)
    names = table if named is None else {measure.name for measure in named}
    asked = [measure for name, measure in table.items() if name in names and not measure.beside]
    misfits = {measure.name: why for measure in asked if (why := protocol.misfit(measure))}
    return [measure for measure in asked if measure.name not in misfits], {} if named is None else misfits


def lacking(protocol: Protocol, wanted: Sequence[Measure], counts: Counts) -> dict[str, str]:
    """Which of the measures a protocol, now that it is open, and so many samples do not give: name -> why."""
    return {m.name: why for m in wanted if (why := protocol.lacking(m) or m.too_few(counts))}


def reasons(missing: Mapping[str, str]) -> Iterator[str]:
    """A line for each reason why measures cannot be had."""
    for why in dict.fromkeys(missing.values()):
        yield left_out([name for name in missing if missing[name] == why], why)


def _nothing(asked: str, notes: Sequence[str]) -> UsageError:
    return UsageError(f"none of {asked} can be had here: {'; '.join(notes)}")
