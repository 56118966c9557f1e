"""Whether samples that are not there yet can be scored, asked before hours are spent on making them."""

from __future__ import annotations

from ganzoo import plugins
from ganzoo.errors import UsageError
from ganzoo.evaluation.by_features import FeaturesProtocol
from ganzoo.evaluation.case import chosen, lacking, reasons
from ganzoo.evaluation.distances import fidelity
from ganzoo.evaluation.protocol import protocol_of
from ganzoo.evaluation.real import open_real
from ganzoo.measures.base import Counts
from ganzoo.modalities.base import Modality
from ganzoo.variant import Json


def rehearse(modality: Modality, *, data: str, extractor: str | None, samples: int) -> tuple[str | None, dict[str, Json]]:
    """See to it that samples of a modality can be scored.

    Returns:
        The extractor's name, for it to be the same every time; and the hashes of the real samples and of the extractor.

    Raises:
        UsageError, DataError: They cannot.
    """
    registry = plugins.load().registry
    protocol = protocol_of(registry, modality, data)(registry, modality, extractor=extractor)
    real = open_real(registry, data, modality)
    protocol.open(real)
    wanted = [m for m in chosen(registry, protocol)[0] if "training" not in m.needs]
    missing = lacking(protocol, wanted, Counts(samples, min(samples, len(real)), protocol.width))
    had = [measure for measure in wanted if measure.name not in missing]
    if not any(measure.goal.is_known for measure in had):
        raise UsageError("; ".join(reasons(missing)), hint="take more samples to compare with, or --samples")
    if any("torch-fidelity" in measure.needs for measure in had):
        fidelity()
    hashes: dict[str, Json] = {"data_sha256": real.describe()["sha256"]}
    if isinstance(protocol, FeaturesProtocol):
        extractor = protocol.extractor.name if protocol.replaced else extractor
        hashes["extractor_sha256"] = protocol.extractor.sha256
    return extractor, hashes
