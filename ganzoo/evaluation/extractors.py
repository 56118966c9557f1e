"""What a feature extractor is: a frozen network between whose features distances are taken."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod

from torch import Tensor, nn
from torch.nn.functional import interpolate

WITHOUT_NETWORK = "without a network: --extractor cifar10-cnn, or fashion-mnist-cnn for grey pictures of 28x28"
"""What to do where an extractor's weights cannot be downloaded."""


class Extractor(nn.Module, ABC):
    """A frozen network, and how pictures are brought to it.

    A plugin registers one as ``registry.add("extractor", "name", "module:Class")``; it is made without arguments.

    Attributes:
        name: As users call it.
        sha256: Of its weights: two extractors of one hash are one. See :func:`digest`.
        resize: What is done to pictures first, in words.
        grey: Whether it looks at grey pictures alone: those in colour are then handed to it in grey.
        at_once: How many pictures it takes at a time on a CPU. Where a layer gives more than 32 MiB, the C library returns
            that memory to the system each time, and having it anew can take longer than the arithmetic.
    """

    name: str
    sha256: str
    resize: str
    grey: bool = False
    at_once: int = 50

    @abstractmethod
    def features(self, pictures: Tensor) -> Tensor:
        """float32 ``(N, F)`` of pictures ``(N, 1 or 3, H, W)`` in [-1, 1].

        Raises:
            UsageError: Pictures of a shape that it does not take.
        """

    def classes(self, features: Tensor) -> Tensor | None:
        """The classes that pictures of these features are taken for, int64 ``(N,)``; None if it is no classifier."""
        return None


def resized(pictures: Tensor, size: tuple[int, int]) -> Tensor:
    """Colour pictures ``(N, 3, *size)`` of ``(N, 1 or 3, H, W)`` in [-1, 1], as :func:`resize_to` says; grey is repeated."""
    return interpolate(pictures.expand(-1, 3, -1, -1), size, mode="bicubic", antialias=True).clamp(-1, 1)


def resize_to(size: tuple[int, int]) -> str:
    """What :func:`resized` does, in the words of a protocol."""
    return f"bicubic, antialiased, to {size[0]}x{size[1]}"


def digest(network: nn.Module) -> str:
    """SHA-256 of a network's tensors and their names."""
    found = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        found.update(name.encode())
        found.update(tensor.detach().cpu().contiguous().numpy().data)
    return found.hexdigest()
