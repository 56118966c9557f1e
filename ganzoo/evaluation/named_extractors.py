"""Names to extractors."""

from __future__ import annotations

from collections.abc import Sequence

from ganzoo.errors import DataError, PluginError
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


def choose_extractor(registry: Registry, name: str | None, sample_shape: Sequence[int]) -> tuple[Extractor, str]:
    """The extractor of that name; where none is asked for, the one for pictures of this shape.

    If that one cannot be downloaded, it is one that ships.

    Returns:
        The extractor, and why it is not the usual one, if it is not.

    Raises:
        GanzooError: As for :func:`find_extractor`.
    """
    if name is not None:
        return find_extractor(registry, name), ""
    usual, shipped = default_extractor(sample_shape), default_extractor(sample_shape, shipped=True)
    try:
        return find_extractor(registry, usual), ""
    except DataError as error:
        if shipped == usual:
            raise
        why = f"{error.message}. These scores are by {shipped}, which ships with ganzoo; its distance is no published FID"
        return find_extractor(registry, shipped), why


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
