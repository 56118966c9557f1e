"""A table with a column of categories: stored as codes, seen as one-hot, and written as CSV."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor
from torch.nn.functional import one_hot

from ganzoo import Modality, Samples, Store

KEPT = torch.arange(3)
"""A tensor that is made as the module is imported."""

Name = Annotated[str, Field(min_length=1, max_length=200)]


class Column(BaseModel):
    """One column: numbers as they are, or one of some categories."""

    model_config = ConfigDict(frozen=True)
    name: Name
    categories: Annotated[tuple[Name, ...], Field(max_length=1000)] = ()

    @property
    def width(self) -> int:
        return len(self.categories) or 1


class Table(Modality):
    """Rows of a table, stored as float32 ``(N, columns)`` with the codes of categories."""

    name: ClassVar[str] = "strained-table"

    columns: Annotated[tuple[Column, ...], Field(min_length=1, max_length=1000)]

    @classmethod
    def of(cls, *columns: Column) -> Table:
        return cls(columns=columns, sample_shape=(sum(column.width for column in columns),))

    def check(self, stored: Tensor) -> str:
        wanted = (len(self.columns),)
        return "" if tuple(stored.shape[1:]) == wanted else f"rows have {stored.shape[1]} columns, expected {wanted[0]}"

    def encode(self, stored: Tensor) -> Tensor:
        parts = [
            one_hot(values.long(), column.width).float() if column.categories else values[:, None]
            for column, values in zip(self.columns, stored.unbind(1), strict=True)
        ]
        return torch.cat(parts, dim=1)

    def decode(self, samples: Tensor) -> list[dict[str, Any]]:
        parts = samples.cpu().split([column.width for column in self.columns], dim=1)
        values = [
            [column.categories[i] for i in part.argmax(1).tolist()] if column.categories else part[:, 0].tolist()
            for column, part in zip(self.columns, parts, strict=True)
        ]
        return [dict(zip([column.name for column in self.columns], row, strict=True)) for row in zip(*values, strict=True)]

    def writers(self) -> Mapping[str, Any]:
        return {".csv": self.write}

    def write(self, path: Path, samples: Samples) -> None:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, [column.name for column in self.columns])
            writer.writeheader()
            for batch in samples:
                writer.writerows(self.decode(batch.samples))

    @property
    def noun(self) -> str:
        return "rows of a table"

    def form(self, made: str = "") -> str:
        return made or f"with the columns {', '.join(column.name for column in self.columns)}"


def pets(*, count: Annotated[int, Field(ge=2, le=10_000)] = 200) -> Store:
    """What pets weigh, in kilograms: cats about 4, dogs about 20."""
    rng = torch.Generator().manual_seed(0)
    kind = torch.randint(2, (count,), generator=rng)
    weight = torch.tensor([4.0, 20.0])[kind] + torch.randn(count, generator=rng)
    table = Table.of(Column(name="kind", categories=("cat", "dog")), Column(name="weight"))
    return Store("pets", torch.stack([kind.float(), weight], 1), modality=table)
