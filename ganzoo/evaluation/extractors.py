"""Feature extractors: frozen networks between whose features distances are taken, found by name."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor, nn

from ganzoo.errors import PluginError
from ganzoo.registry import Registry

BACKBONES = "timm:"
"""What names of timm's backbones begin with."""


class Extractor(nn.Module, ABC):
    """A frozen network, and how pictures are brought to it.

    A plugin registers one as ``registry.add("extractor", "name", "module:Class")``; it is made without arguments.

    Attributes:
        name: As users call it.
        sha256: Of its weights: two extractors of one hash are one. See :func:`digest`.
        resize: What is done to pictures first, in words.
    """

    name: str
    sha256: str
    resize: str

    @abstractmethod
    def features(self, pictures: Tensor) -> Tensor:
        """float32 ``(N, F)`` of pictures ``(N, 1 or 3, H, W)`` in [-1, 1].

        Raises:
            UsageError: Pictures of a shape that it does not judge.
        """

    def classes(self, features: Tensor) -> Tensor | None:
        """The classes that pictures of these features are taken for, int64 ``(N,)``; None if it is no classifier."""
        return None


def digest(network: nn.Module) -> str:
    """SHA-256 of a network's tensors and their names."""
    found = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        found.update(name.encode())
        found.update(tensor.detach().cpu().contiguous().numpy().data)
    return found.hexdigest()


def default_extractor(sample_shape: Sequence[int]) -> str:
    """The name of the extractor for pictures of this shape, where none is asked for."""
    return "fashion-mnist-cnn" if tuple(sample_shape) == (1, 28, 28) else "inception"


def find_extractor(registry: Registry, name: str) -> Extractor:
    """The extractor of that name, frozen: a registered one, or ``timm:NAME``.

    Raises:
        UnknownNameError: No such extractor.
        PluginError: It is not one.
        UsageError, DataError: Its weights, or a package that it needs, are not there.
    """
    if name.startswith(BACKBONES):
        from ganzoo.evaluation.backbones import TimmExtractor

        return TimmExtractor(name.removeprefix(BACKBONES))
    made = registry.resolve("extractor", name)()
    if not isinstance(made, Extractor):
        raise PluginError(f"the extractor {name!r} is a {type(made).__name__}, not a ganzoo.Extractor")
    return made.eval().requires_grad_(False)
