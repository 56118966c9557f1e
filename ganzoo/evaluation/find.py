"""Names to extractors."""

from __future__ import annotations

from collections.abc import Sequence

from ganzoo.errors import PluginError
from ganzoo.evaluation.backbones import BACKBONES, TimmExtractor
from ganzoo.evaluation.extractors import Extractor
from ganzoo.registry import Registry


def default_extractor(sample_shape: Sequence[int], *, shipped: bool = False) -> str:
    """The name of the extractor for pictures of this shape, where none is asked for.

    Args:
        shipped: Whether it has to be one that needs no download.
    """
    if tuple(sample_shape) == (1, 28, 28):
        return "fashion-mnist-cnn"
    return "cifar10-cnn" if shipped else "inception"


def find_extractor(registry: Registry, name: str) -> Extractor:
    """The extractor of that name, frozen: a registered one, or ``timm:NAME``.

    Raises:
        UnknownNameError: No such extractor.
        PluginError: It is not one.
        UsageError, DataError: Its weights, or a package that it needs, are not there.
    """
    if name.startswith(BACKBONES):
        return TimmExtractor(name.removeprefix(BACKBONES))
    made = registry.resolve("extractor", name)()
    if not isinstance(made, Extractor):
        raise PluginError(f"the extractor {name!r} is a {type(made).__name__}, not a ganzoo.Extractor")
    return made.eval().requires_grad_(False)
