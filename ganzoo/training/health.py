"""Whether a run makes anything of use: a look at its samples beside real ones, as often as a sheet of them is drawn.

A look takes the samples that are drawn anyway, in long runs a few more, and is numbers alone: no network, no labels, nothing
random. What is wrong at two looks in a row is an alarm. What an alarm needs follows from the rows of ``metrics.jsonl``, so
that a run that goes on notices what one that never stopped would. ``benchmarks/alarms.py`` tries it on runs that are broken
and on runs that go well.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganzoo.training.folder import METRICS
from ganzoo.training.likeness import Likeness
from ganzoo.variant import Json

SPACING = 1_000
"""Images between two looks, at least: a look takes a few milliseconds."""

EARLY = 5_000
"""Images between two looks until LONG, where previews are further apart: nobody should have to wait for the first."""

LONG = 50_000
"""Images between two looks from which on a look is at SAMPLES samples."""

SHOWN = 64
"""How many samples are looked at otherwise: those that show how far a run is."""

SAMPLES = 256
"""How many samples are looked at where that takes next to nothing."""

REALS = 256
"""Real samples that others are compared with."""

NEAR = 25.0
"""See :attr:`Limits.gap`. Fashion-MNIST's pictures are 23 from each other, as numbers."""

FEWEST = 16
"""Of fewer real samples than that, nothing can be said."""


@dataclass(frozen=True)
class Limits:
    """From where on something is wrong.

    Attributes:
        images, steps: Nothing is said before so many images and steps of the generator.
        arrival: Steps of the generator before which samples may be far off the data.
        patience: Steps of the generator after which ``spread`` is what is said here; before, it is as much lower as the steps
            are fewer, unless what is measured was better before.
        patience_kinds: Likewise for ``kinds``.
        lasting: Images over which something has to be wrong at every look.
        spread: The samples are alike below this: their distance from each other, real samples' being 1.
        kinds: Most kinds are missing below this: how many there are, real samples' being 1; if the mean of the samples is as
            far from that of real ones as ``aside``, for a generator that is slow stays in the middle of them.
        aside: See there.
        gap: The logits have run away if those of real and of generated samples are so far apart, for real samples that are no
            further than NEAR from each other; where they are, a critic whose slope is 1 gives larger logits.
        told: The discriminator tells samples from real ones if it is right so often.
        off: Samples are far off the data if their mean is so far from that of real ones, the deviation of those being 1.
        rough: Pictures are noise if neighbouring pixels differ so many times as much as real ones'.
        fallen: What has come down to this part of its best was better.
        growth: What changes for the better by this factor from look to look is on its way.
    """

    images: int = 4_000
    steps: int = 100
    arrival: int = 250
    patience: int = 2_000
    patience_kinds: int = 5_000
    lasting: int = 1_500
    spread: float = 0.2
    kinds: float = 0.35
    aside: float = 0.5
    gap: float = 300.0
    told: float = 0.99
    off: float = 1.1
    rough: float = 3.0
    fallen: float = 0.35
    growth: float = 1.2


LIMITS = Limits()

ALIKE, FEW, RAN_AWAY, WON, FAR = "alike", "few kinds", "ran away", "won", "far off"

SAYS: Mapping[str, tuple[str, str]] = {
    ALIKE: ("collapsed", "all samples are alike"),
    FEW: ("collapsed", "most kinds of samples are missing"),
    RAN_AWAY: ("ran away", "the discriminator's logits grow without end"),
    WON: ("got stuck", "the discriminator tells every sample from real ones"),
    FAR: ("went astray", "samples are far off the data"),
}
"""What is wrong -> what the run did, and how that shows. The first one that holds leads."""

ADVICE: Mapping[str, str] = {
    ALIKE: "try --loss relativistic --penalty slope, or a lower learning rate (-o lr=…)",
    FEW: "see reals.png for what it was shown; try --loss relativistic --penalty slope, or a lower learning rate (-o lr=…)",
    RAN_AWAY: "try a penalty (--penalty slope), or a lower learning rate (-o lr=…)",
    WON: "try a stronger penalty (--penalty slope=0.002), or a lower rate (-o discriminator_lr=…)",
    FAR: "try a lower learning rate (-o lr=…), or a stronger penalty",
}


@dataclass(frozen=True)
class Look:
    """What was measured once.

    Attributes:
        images: Images shown by then.
        spread, kinds, off, rough: As in :class:`Limits`; None where it cannot be said.
        gap: How far the logits of the last step's real samples are above those of its generated ones.
        told: How often they were above.
    """

    images: int
    spread: float | None
    kinds: float | None = None
    off: float | None = None
    rough: float | None = None
    gap: float | None = None
    told: float | None = None

    def in_words(self) -> str:
        """What was measured, for people."""
        words = {
            "spread": "they are {:.0%} as far from each other as real ones",
            "kinds": "of {:.0%} as many kinds",
            "off": "{:.2f} deviations off their mean",
            "rough": "{:.1f} times as rough",
            "gap": "logits {:,.0f} apart",
        }
        return ", ".join(text.format(value) for name, text in words.items() if (value := getattr(self, name)) is not None)


@dataclass(frozen=True)
class Alarm:
    """What is wrong with a run.

    Attributes:
        what: Of :data:`SAYS`, the first one first.
        images: Images shown when it was noticed.
    """

    what: tuple[str, ...]
    images: int

    def __str__(self) -> str:
        did, shows = SAYS[self.what[0]]
        return f"{did} after {self.images:,} images: {' and '.join([shows, *(SAYS[w][1] for w in self.what[1:])])}"

    def describe(self, says: str) -> dict[str, Json]:
        """As plain data, for a model folder."""
        return {"what": list(self.what), "images": self.images, "says": says}


@dataclass(frozen=True)
class Verdict:
    """What several looks come to.

    Attributes:
        alarm: What is wrong now.
        recovered: What was wrong before, and is not any more.
        kept: After how many images that was not so, if weights are kept that are not the last ones.
    """

    alarm: Alarm | None = None
    recovered: Alarm | None = None
    kept: int | None = None

    def describe(self) -> dict[str, Json]:
        """As plain data, for a model folder: nothing for a run in which nothing was wrong."""
        if self.alarm:
            return {"alarm": self.alarm.describe(str(self.alarm))}
        if self.recovered:
            since = f"; the weights of {self.kept:,} images are kept" if self.kept is not None else ", and recovered"
            return {"recovered": self.recovered.describe(f"{self.recovered}{since}")}
        return {}


SOUND = Verdict()
"""Of a run in which nothing is wrong, as far as can be seen."""


def judge(looks: Sequence[Look], per_step: int = 1, limits: Limits = LIMITS) -> Verdict:
    """What these looks, one after another, come to.

    Args:
        looks: The first one first.
        per_step: Images to a step of the generator.
        limits: From where on something is wrong.
    """
    verdict, since = Verdict(), dict[str, int]()
    for number, look in enumerate(looks):
        wrong = list(faults(look, limits))
        blamed = [fault for fault in wrong if not _excused(fault, look, looks[:number], per_step, limits)]
        since = {fault: since.get(fault, look.images) for fault in blamed}
        lasting = tuple(fault for fault, images in since.items() if look.images - images >= limits.lasting)
        if verdict.alarm and not wrong:
            verdict = Verdict(recovered=verdict.alarm)
        elif lasting and not verdict.alarm:
            verdict = Verdict(Alarm(lasting, look.images), verdict.recovered)
    return verdict


def faults(look: Look, limits: Limits = LIMITS) -> Iterator[str]:
    """What is wrong at one look, whatever went before; the most telling first."""
    if look.spread is None:
        yield FAR  # not even numbers
        return
    far = (look.off or 0) > limits.off or (look.rough or 0) > limits.rough
    if look.spread < limits.spread:
        yield ALIKE
    elif not far and look.kinds is not None and look.kinds < limits.kinds and (look.off or 0) > limits.aside:
        yield FEW
    if look.gap is not None and not abs(look.gap) < limits.gap:
        yield RAN_AWAY
    if far:
        yield WON if look.told is not None and look.told > limits.told else FAR


def _excused(fault: str, look: Look, before: Sequence[Look], per_step: int, limits: Limits) -> bool:
    """Whether something that is wrong may be so in a run that goes well: at its beginning, or on its way."""
    if look.images < max(limits.images, limits.steps * per_step):
        return True
    if fault == RAN_AWAY or look.spread is None:
        return False
    if fault in (WON, FAR):
        if look.images < limits.arrival * per_step:
            return True
        pairs = [
            (getattr(look, n) or 0, getattr(was, n) or 0, getattr(limits, n)) for n in ("off", "rough") for was in before[-1:]
        ]
        return bool(pairs) and all(now <= limit or now * limits.growth < was for now, was, limit in pairs)
    if fault == ALIKE:
        name, limit, patience = "spread", limits.spread, limits.patience
    else:
        name, limit, patience = "kinds", limits.kinds, limits.patience_kinds
    value = getattr(look, name)
    known = [was for earlier in before if (was := getattr(earlier, name)) is not None]
    if known and value > limits.growth * known[-1]:
        return True
    learnt = min(1.0, look.images / per_step / patience)
    return bool(value >= limit * learnt and value >= limits.fallen * max(known, default=0.0))


class Health:
    """Looks at one run.

    Args:
        reals: What its samples are compared with; None in all processes but the main one, which look at nothing.
        pictures: Whether they are.
        generator: Whose samples are looked at.
        shown: Whether a preview is of the generator's own samples, of the seeds from 0 on.
        per_step: Images to a step of the generator.
        looks: What was found before the run goes on; the same in every process.
        tell: Told at once of what is found, in a sentence.
    """

    def __init__(
        self,
        reals: Tensor | None,
        *,
        pictures: bool,
        generator: Any,
        shown: bool,
        per_step: int = 1,
        looks: Sequence[Look] = (),
        tell: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.looks = list(looks)
        self.per_step = per_step
        self._looked = looks[-1].images if looks else 0
        self._generator = generator
        self._shown = shown
        self._tell = tell
        self._likeness: Likeness | None = None
        # What starts from samples makes nothing of noise.
        translates = not shown and reals is not None and tuple(generator.latent_shape) == tuple(reals.shape[1:])
        if reals is not None and len(reals) >= FEWEST and not translates:
            likeness = Likeness(reals.cpu(), pictures=pictures)
            self._likeness = likeness if likeness.possible else None

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
        return since >= SPACING if shown else since >= EARLY and images <= LONG

    def look(self, images: int, previewed: Tensor | None, metrics: Mapping[str, Tensor]) -> dict[str, Json]:
        """Look at the generator as it stands, and tell of what is new.

        Args:
            images: Images shown.
            previewed: The samples that were drawn to be shown, if any were.
            metrics: Those of the last step.

        Returns:
            What was found, as numbers by name, for the record.
        """
        since, self._looked = images - self._looked, images
        samples = self._samples(previewed, SAMPLES if since >= LONG else SHOWN)
        if samples is None or self._likeness is None:
            return {}
        logits = {"told": metrics["apart"]} if "apart" in metrics else {}
        if {"real", "fake"} <= metrics.keys():
            logits["gap"] = (metrics["real"] - metrics["fake"]) / max(1.0, self._likeness.distance / NEAR)
        measured = {**self._likeness(samples), **{name: float(value) for name, value in logits.items()}}
        found = Look(images, **{name: _rounded(value) for name, value in measured.items()})
        before = self.verdict
        self.looks.append(found)
        now = self.verdict
        if now.alarm and now.alarm != before.alarm:
            self._tell(f"{now.alarm} ({found.in_words()}); {ADVICE[now.alarm.what[0]]}")
        elif before.alarm and not now.alarm:
            self._tell(f"recovered after {images:,} images; it had {before.alarm}")
        row = {name: value for name, value in asdict(found).items() if name != "images" and value is not None}
        return row | ({"alarm": ", ".join(now.alarm.what)} if now.alarm else {})

    def of_kept(self, previewed: Tensor, images: int) -> Verdict:
        """The verdict on weights that the run had after ``images``, and that are kept in place of its last ones."""
        verdict, samples = self.verdict, self._samples(previewed)
        if verdict.alarm is None or samples is None or self._likeness is None:
            return verdict
        # Of these weights nothing is known but their samples, which have to be sound whatever went before.
        found = {name: _rounded(value) for name, value in self._likeness(samples).items()}
        return verdict if any(faults(Look(images, **found))) else Verdict(recovered=verdict.alarm, kept=images)

    def _samples(self, previewed: Tensor | None, count: int = SHOWN) -> Tensor | None:
        """``count`` of the generator's own, or as many as were drawn; None if it makes none that could be compared."""
        if self._likeness is None:
            return None
        known = previewed.cpu() if previewed is not None and self._shown else None
        first = len(known) if known is not None else 0
        if first >= count:
            return known
        try:
            more = self._generator.sample(range(first, count)).cpu()
            return self._likeness.check(more if known is None else torch.cat([known, more]))
        except Exception:  # noqa: BLE001 - a plugin's network that takes no seeds is shown in another way, and may be
            self._likeness = None
            return None


def _rounded(value: float | None) -> float | None:
    """As it is written down, so that a run that reads it again sees the same."""
    return float(f"{value:.4g}") if value is not None and math.isfinite(value) else None


def read_looks(folder: Path, images: int) -> list[Look]:
    """What was found in a run up to so many images, but for what an interruption had it look at: the first one first."""
    try:
        lines = (folder / METRICS).read_bytes().splitlines()
    except FileNotFoundError:
        return []
    names = [field.name for field in fields(Look)]
    looks = []
    for line in lines:
        try:
            row = json.loads(line)
            if row["images"] <= images and "spread" in row and not row.get("unscheduled"):
                looks.append(Look(**{name: row.get(name) for name in names}))
        except (ValueError, KeyError, TypeError):
            continue
    return looks
