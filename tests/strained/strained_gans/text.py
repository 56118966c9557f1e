"""Short texts, letter by letter: tokens are stored as bytes without being pictures, and come back as lines of text."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

import torch
from pydantic import Field, PositiveInt, StringConstraints
from torch import Tensor, nn

from ganzoo import Discriminator, Generator, Modality, Samples, Store
from strained_gans.rows import perceptron

END = "."


class Text(Modality):
    """Texts of up to ``length`` letters of an alphabet, stored as uint8 ``(N, length)``, seen as ``(length, letters)``."""

    name: ClassVar[str] = "strained-text"
    judged_by: ClassVar[str] = "strained-letters"

    alphabet: Annotated[str, StringConstraints(min_length=2, max_length=256)]
    length: Annotated[int, Field(ge=1, le=4096)]

    @classmethod
    def of(cls, alphabet: str, length: int) -> Text:
        return cls(alphabet=alphabet, length=length, sample_shape=(length, len(alphabet)))

    @property
    def value_range(self) -> tuple[float, float]:
        return (0.0, 1.0)

    def check(self, stored: Tensor) -> str:
        if stored.dtype != torch.uint8 or tuple(stored.shape[1:]) != (self.length,):
            return f"texts are {stored.dtype} {tuple(stored.shape)}, expected uint8 (N, {self.length})"
        return "a letter is none of the alphabet" if int(stored.max()) >= len(self.alphabet) else ""

    def encode(self, stored: Tensor) -> Tensor:
        return nn.functional.one_hot(stored.long(), len(self.alphabet)).float()

    def decode(self, samples: Tensor) -> list[str]:
        return ["".join(self.alphabet[i] for i in row).partition(END)[0] for row in samples.argmax(-1).tolist()]

    def writers(self) -> Mapping[str, Any]:
        return {".txt": self.write}

    def write(self, path: Path, samples: Samples) -> None:
        with path.open("w", encoding="utf-8") as file:
            for batch in samples:
                file.writelines(f"{line}\n" for line in self.decode(batch.samples))

    def preview(self, decoded: list[str]) -> Mapping[str, bytes]:
        return {"txt": "\n".join(decoded).encode()}

    @property
    def noun(self) -> str:
        return "texts"

    def form(self, made: str = "") -> str:
        return made or f"of up to {self.length} of {len(self.alphabet)} letters"


class TextGenerator(Generator):
    def __init__(self, *, modality: Modality, latent_dim: PositiveInt = 8, hidden: PositiveInt = 32) -> None:
        super().__init__(latent_shape=(latent_dim,), sample_shape=modality.sample_shape)
        self.layers = perceptron(latent_dim, hidden, math.prod(modality.sample_shape))

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.layers(z).unflatten(1, self.sample_shape).softmax(-1)


class TextDiscriminator(Discriminator):
    def __init__(self, *, sample_shape: tuple[int, ...], hidden: PositiveInt = 32) -> None:
        super().__init__()
        self.layers = perceptron(math.prod(sample_shape), hidden, 1)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.layers(x.flatten(1)).squeeze(1)


def words(*, length: Annotated[int, Field(ge=3, le=64)] = 6, count: Annotated[int, Field(ge=2, le=10_000)] = 200) -> Store:
    """Words of the letters a, b and c, whose length is at random.

    Args:
        length: Of the longest, its end included.
        count: How many.
    """
    alphabet = "abc" + END
    rng = torch.Generator().manual_seed(0)
    rows = torch.randint(3, (count, length), generator=rng, dtype=torch.uint8)
    ends = torch.randint(1, length, (count, 1), generator=rng)
    rows = rows.where(torch.arange(length) < ends, torch.tensor(3, dtype=torch.uint8))
    return Store("words", rows, modality=Text.of(alphabet, length))
