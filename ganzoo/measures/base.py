"""What a measure is: its words, its good direction, what it needs, and how it is computed. Importing it imports no torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, get_args

from ganzoo.errors import PluginError
from ganzoo.variant import NAME

if TYPE_CHECKING:
    from torch import Tensor

Better: TypeAlias = Literal["lower", "higher"]
Need: TypeAlias = Literal["features", "classes", "training", "decoded", "torch-fidelity"]
NEEDS: tuple[Need, ...] = get_args(Need)

Found: TypeAlias = float | tuple[float, Mapping[str, float]]
"""What a measure comes to: the score; or that, and further values by name that stand beside it in a model's metrics.json."""

T = TypeVar("T")


@dataclass(frozen=True)
class Goal:
    """Where a score should go.

    Attributes:
        better: Which direction is better. None: neither, and the nearer to ``ideal`` the better.
        ideal: The score of what is as good as can be, if there is one.
    """

    better: Better | None = "lower"
    ideal: float | None = None

    @property
    def is_known(self) -> bool:
        """Whether one score can be better than another at all."""
        return self.better is not None or self.ideal is not None

    def distance(self, score: float) -> float:
        """A number that is the lower the better the score is, and that says nothing else."""
        if self.better is None:
            return 0.0 if self.ideal is None else abs(score - self.ideal)
        return score if self.better == "lower" else -score


class SampleSet:
    """One of the sets of samples that are compared.

    Args:
        count: How many samples there are.
        features: Computes their features.
        classes: Computes the classes that they are taken for.
        decoded: Makes them anew, some at a time, as people use them.
    """

    def __init__(
        self,
        count: int,
        *,
        features: Callable[[], Tensor] | None = None,
        classes: Callable[[], Tensor] | None = None,
        decoded: Callable[[], Iterator[Any]] | None = None,
    ) -> None:
        self.count = count
        self._features, self._classes, self._decoded = features, classes, decoded

    @cached_property
    def features(self) -> Tensor:
        """float32 ``(count, F)`` on the CPU; needs ``features``."""
        return self._given(self._features, "features")()

    @cached_property
    def classes(self) -> Tensor:
        """int64 ``(count,)`` on the CPU; needs ``classes``."""
        return self._given(self._classes, "classes")()

    def decoded(self) -> Iterator[Any]:
        """The samples as their modality decodes them, some at a time: of pictures uint8 ``(N, H, W, C)``; needs ``decoded``.

        Each call makes them anew, so that memory does not grow with their number.
        """
        return self._given(self._decoded, "decoded")()

    def _given(self, what: T | None, need: Need) -> T:
        if what is None:
            raise PluginError(f"a measure asks for {need!r}, which it does not name in its needs, or which is not here")
        return what


@dataclass(frozen=True, eq=False)
class Evidence:
    """What a measure is computed from.

    Attributes:
        fake: The generated samples.
        real: The real ones that they are compared with.
        train: What the model was trained on, for measures that need ``training``; ``real`` then holds none of it.
        seed: Of random choices.
    """

    fake: SampleSet
    real: SampleSet
    train: SampleSet | None = None
    seed: int = 0
    _known: dict[Any, Any] = field(default_factory=dict, repr=False)

    def once(self, function: Callable[[Evidence], T]) -> T:
        """What a function of this makes of it, computed once however many measures ask for it."""
        if function not in self._known:
            self._known[function] = function(self)
        found: T = self._known[function]
        return found


@dataclass(frozen=True)
class Counts:
    """How much there is to measure by, known before any sample is drawn.

    Attributes:
        fake, real: How many samples are compared.
        features: How many features each has; 0 where there are none.
        train: How many training samples are known; 0 if none are.
    """

    fake: int
    real: int
    features: int = 0
    train: int = 0


def _enough(counts: Counts) -> str:
    return ""


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One thing that can be measured of samples: a row of the table that every part of ganzoo reads.

    A plugin registers one as ``registry.add("measure", "brightness", "my_gan.measures:BRIGHTNESS")``.

    Attributes:
        name: As users type it, and as scores are called in files; after ``distribution:`` where another plugin has the name.
        title: As a card calls it.
        meaning: What its score says, and of which one is good, in a few words.
        compute: A function that is given :class:`Evidence` and returns the score; or that, and a mapping of further values by
            name. Named by ``"module:function"`` it is imported when it is first computed, and the table can be read without
            torch. None for what another measure finds ``beside`` itself.
        better: ``"lower"`` or ``"higher"``; None if neither is.
        ideal: The score of what is as good as can be; None if there is none.
        needs: Of ``features``, ``classes`` (whose extractor is a classifier), ``training`` (the training data is known, and is
            not what samples are compared with), ``decoded`` (samples as people use them) and ``torch-fidelity``.
        modalities: Of which kinds of sample, by the names of their modalities; empty: of any.
        too_few: Says why so few samples do not give it, as what follows "left out:"; nothing where they do.
        beside: The measure that finds this value beside its own, where it is not measured by itself.
        prominence: 2: it is in every table of scores; 1: in wide ones; 0: on cards, and where it is asked for.
    """

    name: str
    title: str
    meaning: str
    compute: str | Callable[[Evidence], Found] | None
    better: Better | None = None
    ideal: float | None = None
    needs: tuple[Need, ...] = ()
    modalities: tuple[str, ...] = ()
    too_few: Callable[[Counts], str] = _enough
    beside: str = ""
    prominence: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not NAME.fullmatch(self.name.rpartition(":")[2]):
            raise ValueError(f"measure name {self.name!r} must be lower-case letters and digits joined by '-', '_' or '.'")
        if not self.title or not self.meaning:
            raise ValueError(f"measure {self.name!r} has a title and a meaning")
        if self.better not in (None, *get_args(Better)):
            raise ValueError(f"measure {self.name!r}: better is 'lower', 'higher' or None, got {self.better!r}")
        if self.ideal is not None and not math.isfinite(self.ideal):
            raise ValueError(f"measure {self.name!r}: ideal is a finite number, or None if there is no end to it")
        if isinstance(self.needs, str) or (unknown := [need for need in self.needs if need not in NEEDS]):
            wrong = self.needs if isinstance(self.needs, str) else unknown[0]
            raise ValueError(f"measure {self.name!r}: needs are a tuple of {', '.join(NEEDS)}, got {wrong!r}")
        if (self.compute is None) != bool(self.beside):
            raise ValueError(f"measure {self.name!r} is computed by a function, or found beside another measure")

    @property
    def goal(self) -> Goal:
        """Where its score should go."""
        return Goal(self.better, self.ideal)

    @property
    def summary(self) -> str:
        """Title and meaning on one line; without a title that says the same as the name."""
        same = self.title.lower().replace(" ", "_") == self.name
        return self.meaning if same else f"{self.title}: {self.meaning}"
