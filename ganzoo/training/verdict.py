"""What looks at the samples of a run come to: what is wrong, since when, and whether it passed.

What is wrong at two looks in a row is an alarm. What an alarm needs follows from the looks alone, so that a run that goes on
notices what one that never stopped would; and from images, so that it is no matter how far apart looks are.
``benchmarks/alarms.py`` tries it on runs that are broken and on runs that go well.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ganzoo.variant import Json

NEAR = 25.0
"""See :attr:`Limits.gap`. Fashion-MNIST's pictures are 23 from each other, as numbers."""


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
        growth: What changes for the better faster than this power of the images is on its way.
        recent: That is measured from the last look at which no more than this part of the images had been shown.
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
    growth: float = 0.5
    recent: float = 0.65


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


@dataclass(frozen=True)
class Look:
    """What was measured once.

    Attributes:
        images: Images shown by then.
        spread, kinds, off, rough: As in :class:`Limits`; None where it cannot be said, and ``spread`` only for samples that
            are not even numbers.
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
    alarm: Alarm | None = None
    recovered: Alarm | None = None
    since: dict[str, int] = {}
    for number, look in enumerate(looks):
        states = faults(look, limits)
        for fault, wrong in states.items():
            if wrong is False or (wrong and _excused(fault, look, looks[:number], per_step, limits)):
                since.pop(fault, None)
            elif wrong:
                since.setdefault(fault, look.images)
        lasting = [fault for fault, first in since.items() if states[fault] and look.images - first >= limits.lasting]
        still = [fault for fault in (alarm.what if alarm else ()) if states[fault] is not False]
        if what := tuple(fault for fault in SAYS if fault in lasting or fault in still):
            alarm = Alarm(what, alarm.images if alarm and still else look.images)
        elif alarm:
            alarm, recovered = None, alarm
    return Verdict(alarm, recovered)


def faults(look: Look, limits: Limits = LIMITS) -> dict[str, bool | None]:
    """Whether each thing is wrong at one look, whatever went before; None where the look does not tell."""
    if look.spread is None:
        return {**dict.fromkeys(SAYS), FAR: True}  # not even numbers
    far = (look.off or 0) > limits.off or (look.rough or 0) > limits.rough
    alike = look.spread < limits.spread
    few = look.kinds is not None and look.kinds < limits.kinds and (look.off or 0) > limits.aside
    return {
        ALIKE: alike,
        FEW: None if alike or far or look.kinds is None else few,
        RAN_AWAY: None if look.gap is None else not abs(look.gap) < limits.gap,
        WON: far and (None if look.told is None else look.told > limits.told),
        FAR: far,
    }


def _excused(fault: str, look: Look, before: Sequence[Look], per_step: int, limits: Limits) -> bool:
    """Whether something that is wrong may be so in a run that goes well: at its beginning, or on its way."""
    if look.images < max(limits.images, limits.steps * per_step):
        return True
    if fault == RAN_AWAY or look.spread is None:
        return False
    if fault in (WON, FAR):
        wrong = [name for name in ("off", "rough") if (getattr(look, name) or 0) > getattr(limits, name)]
        on_its_way = all(_power(name, look, before, limits) < -limits.growth for name in wrong)
        return on_its_way or look.images < limits.arrival * per_step
    if fault == ALIKE:
        name, limit, patience = "spread", limits.spread, limits.patience
    else:
        name, limit, patience = "kinds", limits.kinds, limits.patience_kinds
    if _power(name, look, before, limits) > limits.growth:
        return True
    value = getattr(look, name)
    best = max((known for was in before if (known := getattr(was, name)) is not None), default=0.0)
    learnt = min(1.0, look.images / per_step / patience)
    return bool(value >= limit * learnt and value >= limits.fallen * best)


def _power(name: str, look: Look, before: Sequence[Look], limits: Limits) -> float:
    """As what power of the images a number has changed of late; 0 if nothing is known."""
    known = [was for was in before if getattr(was, name) is not None]
    was = next((w for w in reversed(known) if w.images <= limits.recent * look.images), known[0] if known else None)
    now, then = getattr(look, name), getattr(was, name, None)
    if was is None or now == then or not 0 < was.images < look.images:
        return 0.0
    if not now or not then:
        return math.inf if now else -math.inf
    return (math.log(now) - math.log(then)) / math.log(look.images / was.images)
