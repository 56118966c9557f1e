"""Looks at a run's samples beside real ones, as it goes.

A look takes the samples that are drawn to be shown, or as many more, and is numbers alone: no network, no labels, nothing
random. It is a row of ``metrics.jsonl``, from which a run that goes on knows what was found. What looks come to is said in
:mod:`ganzoo.training.verdict`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from ganzoo.modalities.base import Modality
from ganzoo.training.likeness import Likeness
from ganzoo.training.verdict import NEAR, Look, Verdict, faults, judge
from ganzoo.variant import Json

SPACING = 1_000
"""Images between two looks at samples that are drawn anyway, at least: a look takes a few milliseconds."""

EARLY = 5_000
"""Images between two looks at others, at least: nobody should have to wait for the first."""

FURTHER = 0.1
"""Between two looks at others, the count of images grows by at least this part, so that long runs do not look all the time."""

SHOWN = 64
"""How many samples are looked at: those that show how far a run is."""

REALS = 256
"""Real samples that others are compared with."""

FEWEST = 16
"""Of fewer real samples than that, nothing can be said."""


class Health:
    """Looks at one run.

    Args:
        reals: What its samples are compared with; None in all processes but the main one, which look at nothing.
        modality: What samples are.
        generator: Whose samples are looked at.
        shown: Whether a preview is of the generator's own samples, of the seeds from 0 on.
        per_step: Images to a step of the generator.
        looks: What was found before the run goes on; the same in every process.
        tell: Told at once of what is found, in a sentence; and of why nothing is looked at.
        advise: What to try, by what is wrong; nothing if it does not know.
    """

    def __init__(
        self,
        reals: Tensor | None,
        *,
        modality: Modality,
        generator: Any,
        shown: bool,
        per_step: int = 1,
        looks: Sequence[Look] = (),
        tell: Callable[[str], None] = lambda text: None,
        advise: Callable[[str], str] = lambda fault: "",
    ) -> None:
        self.looks = list(looks)
        self.per_step = per_step
        self._looked = looks[-1].images if looks else 0
        self._generator = generator
        self._shown = shown
        self._tell = tell
        self._advise = advise
        self._likeness: Likeness | None = None
        if reals is not None:
            try:
                self._likeness = self._compared(reals.cpu(), modality)
            except ValueError as error:
                self._give_up(str(error))

    def _compared(self, reals: Tensor, modality: Modality) -> Likeness:
        """What compares samples with these. Raises ValueError if nothing would come of it."""
        if len(reals) < FEWEST:
            raise ValueError(f"there are {len(reals)} real ones, and it takes {FEWEST}")
        if not self._shown and tuple(self._generator.latent_shape) == tuple(reals.shape[1:]):
            raise ValueError("what starts from samples makes nothing of noise")
        likeness = Likeness(reals, modality)
        if not likeness.possible:
            raise ValueError("real ones are all alike")
        return likeness

    def _give_up(self, why: str) -> None:
        self._likeness = None
        self._tell(f"samples are not looked at: {why}")

    @property
    def verdict(self) -> Verdict:
        """What all looks come to."""
        return judge(self.looks, self.per_step)

    def due(self, images: int, *, shown: bool, last: bool) -> bool:
        """Whether to look after ``images``, the same in every process.

        Args:
            images: Images shown.
            shown: Whether samples are drawn anyway.
            last: Whether the budget is spent. What a run says in the end is of what it ended with.
        """
        since = images - self._looked
        if last:
            return since > 0
        return since >= (SPACING if shown else max(EARLY, FURTHER * self._looked))

    def look(self, images: int, previewed: Tensor | None, metrics: Mapping[str, float]) -> dict[str, Json]:
        """Look at the generator as it stands, and tell of what is new.

        Args:
            images: Images shown.
            previewed: The samples that were drawn to be shown, if any were.
            metrics: Those of the last step; none if they are not known.

        Returns:
            What was found, as numbers by name, for the record.
        """
        self._looked = images
        samples = self._samples(previewed)
        if samples is None or self._likeness is None:
            return {}
        measured = self._likeness(samples) | {"told": metrics.get("apart")}
        if {"real", "fake"} <= metrics.keys():
            measured["gap"] = (metrics["real"] - metrics["fake"]) / max(1.0, self._likeness.distance / NEAR)
        found = Look(images, **{name: _rounded(value) for name, value in measured.items()})
        before = self.verdict.alarm
        self.looks.append(found)
        now = self.verdict.alarm
        if now and not (before and set(now.what) <= set(before.what)):
            advice = self._advise(now.what[0])
            numbers = f" ({words})" if (words := found.in_words()) else ""
            self._tell(f"{now}{numbers}" + f"; {advice}" * bool(advice))
        elif before and not now:
            self._tell(f"recovered after {images:,} images from: {before}")
        row = {name: value for name, value in asdict(found).items() if name != "images"}
        return row | ({"alarm": ", ".join(now.what)} if now else {})

    def of_kept(self, previewed: Tensor, images: int) -> Verdict:
        """The verdict on weights that the run had after ``images``, and that are kept in place of its last ones."""
        verdict, samples = self.verdict, self._samples(previewed)
        if verdict.alarm is None or samples is None or self._likeness is None:
            return verdict
        # Of these weights nothing is known but their samples, which have to be sound whatever went before.
        found = {name: _rounded(value) for name, value in self._likeness(samples).items()}
        return verdict if any(faults(Look(images, **found)).values()) else Verdict(recovered=verdict.alarm, kept=images)

    def _samples(self, previewed: Tensor | None) -> Tensor | None:
        """The generator's own, as many as were drawn or SHOWN; None if it makes none that could be compared."""
        if self._likeness is None:
            return None
        if previewed is not None and self._shown and len(previewed) >= SHOWN:
            return previewed.cpu()
        try:
            samples: Tensor = self._generator.sample(range(SHOWN)).cpu()
        except (torch.OutOfMemoryError, MemoryError):
            self._tell("samples were not looked at this time: there was no memory for it")
            return None
        except Exception as error:  # noqa: BLE001 - a plugin's network that is not made for seeds may raise anything
            self._give_up(f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}")
            return None
        if samples.shape[1:] != self._likeness.shape:
            self._give_up(f"they have the shape {tuple(samples.shape[1:])}, real ones {tuple(self._likeness.shape)}")
            return None
        return samples


def _rounded(value: float | None) -> float | None:
    """As it is written down, so that a run that reads it again sees the same."""
    return float(f"{value:.4g}") if value is not None and math.isfinite(value) else None
