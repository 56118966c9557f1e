"""What a protocol is: the way in which samples of one kind are judged as a whole."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from ganzoo.data.store import Store
from ganzoo.errors import PluginError, UsageError
from ganzoo.evaluation.subject import Progress, Subject
from ganzoo.measures.base import Measure, Need, SampleSet
from ganzoo.modalities.asking import asking, description_of, noun_of
from ganzoo.modalities.base import AT_ONCE, Modality
from ganzoo.modality_of import origin_of
from ganzoo.registry import Registry


class Protocol:
    """How samples of one kind are judged: what is looked at, before the measures compare.

    A plugin registers one as ``registry.add("protocol", "name", "module:Class")``, and a modality names it in its
    ``judged_by``. It is made for one judging, opened once, and then gives what measures ask for. As it stands here it gives
    the samples as people use them, which is all that many measures need; a subclass gives more.

    Args:
        registry: Where parts are registered.
        modality: What the samples are.
        extractor: The extractor that somebody named, for a protocol that takes one.
        shipped: Whether it has to do with what ships, without a download.
        device: Where to compute.

    Attributes:
        name: Under which it is registered.
        gives: What measures may need of it.
        width: How many features a sample has, once it is opened; 0 if it has none.

    Raises:
        UsageError: An extractor for a protocol that takes none.
    """

    name: ClassVar[str]
    gives: ClassVar[tuple[Need, ...]] = ("decoded", "training")
    takes_extractor: ClassVar[bool] = False
    width: int = 0

    def __init__(
        self,
        registry: Registry,
        modality: Modality,
        *,
        extractor: str | None = None,
        shipped: bool = False,
        device: str | torch.device = "cpu",
    ) -> None:
        if extractor is not None and not self.takes_extractor:
            raise UsageError(f"{noun_of(modality)} are judged without an extractor", hint="leave --extractor out")
        self.registry, self.modality, self.shipped, self.device = registry, modality, shipped, device
        self.named = extractor

    def open(self, real: Store) -> Sequence[str]:
        """Make ready what it takes, before anything long is done, and try it on the real samples.

        Returns:
            What somebody should know of it.

        Raises:
            UsageError, DataError: It cannot be had, or is not for such samples.
        """
        return ()

    def misfit(self, measure: Measure) -> str:
        """Why a measure is not for this kind of sample, as what follows "left out:"; empty if it is."""
        if measure.modalities and self.modality.name not in measure.modalities:
            return f"it is for {' and '.join(measure.modalities)}, and these are {noun_of(self.modality)}"
        absent = [need for need in measure.needs if need not in (*self.gives, "torch-fidelity")]
        return f"it needs {absent[0]}, and {noun_of(self.modality)} are judged without" if absent else ""

    def lacking(self, measure: Measure) -> str:
        """Why a measure that fits cannot be had of what was opened, as what follows "left out:"; empty if it can."""
        return ""

    def drawn(self, subject: Subject, progress: Progress | None = None) -> SampleSet:
        """The samples that are judged."""
        return SampleSet(subject.count, decoded=lambda: self._decoded(subject.modality, subject.batches, subject.count))

    def stored(self, store: Store, rows: Tensor, progress: Progress | None = None) -> SampleSet:
        """Those of a data set that have these numbers, int64 ``(N,)``."""

        def batches(start: int, stop: int) -> Tensor:
            return store.batch(rows[start:stop])[0]

        return SampleSet(len(rows), decoded=lambda: self._decoded(store.modality, batches, len(rows)))

    def stamp(self, real: Store) -> dict[str, str]:
        """What scores by it depend on, besides the data: fields of :class:`~ganzoo.evaluation.stamp.Stamp`."""
        return {"method": self.name}

    def describe(self) -> dict[str, str]:
        """By what it judges, as the runs say it that are scored by it as they go."""
        return {"method": self.name}

    @staticmethod
    def _decoded(modality: Modality, batches: Any, count: int) -> Iterator[Any]:
        for start in range(0, count, AT_ONCE):
            samples = batches(start, min(start + AT_ONCE, count)).detach()
            with asking(modality, "decode"):
                decoded = modality.decode(samples)
            yield decoded


def protocol_of(registry: Registry, modality: Modality, what: str) -> type[Protocol]:
    """The protocol by which samples of a modality are judged.

    Args:
        what: What holds them, for the error.

    Raises:
        UsageError: The modality names none.
        UnknownNameError, PluginError: What it names is not there, or is no protocol.
    """
    if not modality.judged_by:
        raise UsageError(f"{what} cannot be scored: nothing says by which protocol {description_of(modality)} are judged")
    # A modality means its own plugin's protocol, whoever else has the name.
    own = None
    with contextlib.suppress(PluginError):
        own = origin_of(registry, modality).distribution
    found = registry.get("protocol", modality.judged_by, within=own).resolve()
    if not (isinstance(found, type) and issubclass(found, Protocol)):
        raise PluginError(f"the protocol {modality.judged_by!r} is not a ganzoo.Protocol")
    return found
