"""The contract of a modality. Importing it imports neither torch nor numpy, as whoever reads a model's folder imports it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from torch import Tensor

Rows: TypeAlias = "npt.NDArray[Any]"

MAX_SIZE = 1 << 24

Size = Annotated[int, Field(strict=True, ge=1, le=MAX_SIZE)]
Shape = Annotated[tuple[Size, ...], Field(min_length=1, max_length=8)]

PREVIEW_FORMS = ("png", "webp", "wav", "csv", "txt", "npz")
"""What files that show samples may end in, those that are shown first come first. A model folder's are of this list alone."""

AT_ONCE = 256
"""So many samples are made and written at a time."""


@dataclass(frozen=True)
class Batch:
    """Some of the samples that are written.

    Attributes:
        samples: ``(N, *sample_shape)``, as the generator made them.
        names: What a file of each sample alone is called, without its ending; with the folder of its class before it, if
            several classes are written: ``seed00000007``, ``cat/seed00000007``.
        labels: Their classes by number; None if they have none.
    """

    samples: Tensor
    names: Sequence[str]
    labels: Sequence[int] | None


@dataclass(frozen=True)
class Samples:
    """Samples that are made as they are written, some at a time, so that memory does not grow with their number.

    Iterating makes them anew, a :class:`Batch` at a time.

    Attributes:
        count: How many there are.
        make: Makes those from ``start`` to ``stop``.
        rows: How many classes were asked for, one after another, with as many samples each; 1 if none were.
        class_names: The names of all classes by number, or empty.
        at_once: How many are in a batch.
    """

    count: int
    make: Callable[[int, int], Batch]
    rows: int = 1
    class_names: Sequence[str] = field(default=(), repr=False)
    at_once: int = AT_ONCE

    def __iter__(self) -> Iterator[Batch]:
        for start in range(0, self.count, self.at_once):
            yield self.make(start, min(start + self.at_once, self.count))


Writer: TypeAlias = "Callable[[Path, Samples], None]"
"""Writes samples to a path: a file that is not there yet, whose name ends in the suffix, in small letters; or, under the empty
suffix, a folder that is there and empty. Both are in a place of their own, and take the name that was asked for when they are
whole; what else is written beside the file is removed."""


def are_rows(found: object, count: int) -> bool:
    """Whether this is an array of numbers or booleans with so many rows."""
    import numpy as np

    return isinstance(found, np.ndarray) and found.dtype.kind in "biufc" and found.ndim > 0 and len(found) == count


def rows_of(decoded: object, samples: Tensor) -> Rows:
    """What samples were decoded to, if these are rows of an array; else the samples themselves, in float32."""
    rows: Rows = decoded if are_rows(decoded, len(samples)) else samples.float().cpu().numpy().astype("<f4")  # type: ignore[assignment]
    return rows


class Modality(BaseModel, ABC):
    """What samples of one kind are.

    It is plain data: its fields are written into a model's ``config.json`` and read from a stranger's, so each has a bound.
    Modalities are registered (``registry.add("modality", "text", "my_gan.text:Text")``), and found again by name alone.

    Attributes:
        name: Under which it is registered.
        judged_by: The protocol by which its samples are scored unless somebody names another; empty if none is known.
        hub_task: The Hugging Face Hub's task for what makes such samples, if it has one.
        smooth_axes: Axes of a sample, counted from its last, along which neighbouring values are alike, so that noise is
            known by values that are not: -1 and -2 for pictures.
        sample_shape: Shape of one sample as networks see it, without the batch axis.
    """

    model_config = ConfigDict(frozen=True)
    name: ClassVar[str]
    judged_by: ClassVar[str] = ""
    hub_task: ClassVar[str | None] = None
    smooth_axes: ClassVar[tuple[int, ...]] = ()

    sample_shape: Shape

    @property
    def value_range(self) -> tuple[float, float] | None:
        """Lowest and highest value of a sample as networks see it; None if it is unbounded."""
        return None

    @property
    def side(self) -> int | None:
        """Pixels of the larger side, by which presets may differ; None for what is no picture."""
        return None

    @abstractmethod
    def check(self, stored: Tensor) -> str:
        """What is wrong with rows of a data set, in words that go on from its name; empty if nothing is.

        Args:
            stored: Two samples or more, samples first, of whatever type and shape this modality keeps them in.
        """

    @abstractmethod
    def encode(self, stored: Tensor) -> Tensor:
        """Rows as they are stored to a float32 batch ``(N, *sample_shape)`` on the same device, which networks see."""

    @abstractmethod
    def decode(self, samples: Tensor) -> Any:
        """Samples ``(N, *sample_shape)`` to what people use: a NumPy array of N rows, a list of N texts, a data frame."""

    def rows(self, samples: Tensor) -> Rows:
        """Samples as the rows of ``arr_0`` in an NPZ file, numbers or booleans, a row for each and all of one type and shape.

        By default what :meth:`decode` returns, if it is such an array; else the samples as they are, in float32.
        """
        return rows_of(self.decode(samples), samples)

    def writers(self) -> Mapping[str, Writer]:
        """The forms that ``ganzoo sample -o`` writes besides NPZ, by what a file's name ends in; ``""`` is a folder."""
        return {}

    @property
    def output(self) -> str:
        """The file that samples go to unless somebody names another."""
        return f"samples{next((suffix for suffix in self.writers() if suffix), '.npz')}"

    def preview(self, decoded: Any) -> Mapping[str, bytes]:
        """A few samples to be looked at, as :meth:`decode` returned them: files by their ending, of :data:`PREVIEW_FORMS`.

        Called on a thread beside the training: no torch here. Without any, they are shown as NPZ.
        """
        return {}

    def sheet(self, samples: Tensor) -> npt.NDArray[np.uint8] | None:
        """A few samples as one picture ``(H, W, C)`` for trackers; None if they cannot be seen."""
        return None

    def summary(self, samples: Tensor) -> Tensor | None:
        """Samples as a few numbers each ``(N, F)``, in which those are near that people would call alike.

        By these a run finds that its samples are all of a kind. None: their values as they are will do.
        """
        return None

    @property
    def noun(self) -> str:
        """What samples are called, in the plural: ``pictures``."""
        return "samples"

    def form(self, made: str = "") -> str:
        """Of which form they are, in words that follow the noun. ``made`` says it where something was done to them."""
        return made or f"of shape {'x'.join(map(str, self.sample_shape))}"

    def describe(self) -> str:
        """Noun and form in one, as a model's card has it: ``grey pictures of 28x28 pixels``."""
        return f"{self.noun} {self.form()}"

    def to_json(self) -> dict[str, Any]:
        """The fields as plain data."""
        return self.model_dump(mode="json")
