"""What a run is: a variant's preset, with the user's options laid over it, every name resolved and every value checked."""

from __future__ import annotations

import contextlib
import inspect
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PositiveFloat, PositiveInt

from ganzoo import __version__
from ganzoo.data.given import Given
from ganzoo.errors import UnknownNameError, UsageError
from ganzoo.factory import Option, Part, kind_of, make_part, options_of
from ganzoo.packages import PROJECT
from ganzoo.registry import Entry, Origin, Registry
from ganzoo.training.precision import PRECISIONS, Precision
from ganzoo.variant import Json, Preset, Variant, thaw

MOST_THREADS = 1024
"""No processor has more, and a journal that asks for more is damaged."""

Fraction = Annotated[float, Field(ge=0, le=1)]


def _count(value: Json) -> Json:
    """A count, as a number or as users write it: 1M."""
    try:
        return parse_count(value) if isinstance(value, str) else value
    except UsageError as error:
        raise ValueError(str(error)) from None


class LoopSettings(BaseModel):
    """The loop's own options. Lengths of training are counted in images shown to the discriminator.

    Attributes:
        images: How long to train, unless ``--budget`` or ``--images`` says.
        batch_size: Real samples in a step.
        ema_images: Half-life of the generator's moving average (Karras et al., 2020), 0 for none.
        ema_ramp: The half-life is at most this part of the images shown so far, so that the first samples are not those of the
            random start.
        mirror: Show half of all pictures mirrored, left to right. ``auto``: if a simple test cannot tell them from mirrored
            ones, as with photographs of animals; clothes and digits it can.
        lr_decay_images: After so many images, learning rates fall as 1/√images (Karras et al., 2024, arXiv:2312.02696),
            whatever the budget is; 0: they do not.
        lr_decay_from: The fraction of the budget after which learning rates fall, linearly.
        lr_final: What they fall to by that at its end, as a fraction of what they would be without.
        checkpoint_seconds: Between two checkpoints.
        checkpoints: How many of the newest are kept.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    images: Annotated[PositiveInt, BeforeValidator(_count)] = 1_000_000
    batch_size: Annotated[int, Field(ge=2, le=1 << 20)] = 64
    ema_images: Annotated[float, Field(ge=0), BeforeValidator(_count)] = 10_000
    ema_ramp: Annotated[float, Field(gt=0, le=1)] = 0.2
    mirror: bool | Literal["auto"] = "auto"
    lr_decay_images: Annotated[float, Field(ge=0), BeforeValidator(_count)] = 0
    lr_decay_from: Fraction = 1.0
    lr_final: Fraction = 1.0
    checkpoint_seconds: PositiveFloat = 60
    checkpoints: Annotated[int, Field(ge=1, le=1000)] = 2


@dataclass(frozen=True)
class Budget:
    """How long to train: until either limit, whichever comes first."""

    seconds: float | None = None
    images: int | None = None

    def progress(self, seconds: float, images: int) -> float:
        """The part that is spent, in [0, 1]."""
        by_clock = seconds / self.seconds if self.seconds else 0.0
        by_count = images / self.images if self.images else 0.0
        return min(1.0, max(by_clock, by_count))


@dataclass(frozen=True)
class RunConfig:
    """Everything that decides what a run computes, save the data's own content.

    Attributes:
        given: The options that the user gave.
        sample_shape: Of the data, once it has been read.
        step: From how many pixels a side on the preset is as it is here (see :class:`Preset`), if it is so for such pictures.
    """

    entry: Entry
    preset: str
    parts: dict[str, Part]
    penalties: dict[str, Part]
    loop: LoopSettings
    data: str | Given
    resolution: int | None
    seed: int
    budget: Budget
    precision: Precision = "auto"
    compile: bool = False
    threads: int | None = None
    start: str | None = None
    data_origin: Origin | None = None
    given: Mapping[str, Json] = field(default_factory=dict)
    sample_shape: tuple[int, ...] | None = None
    step: int | None = None

    @property
    def variant(self) -> Variant:
        assert isinstance(self.entry.target, Variant)
        return self.entry.target

    @property
    def networks(self) -> dict[str, Part]:
        """The parts that are networks, by role."""
        return {role: self.parts[role] for role in self.variant.roles}

    @property
    def kept(self) -> tuple[str, ...]:
        """The roles that EMA follows and the model folder holds."""
        return ("generator", *self.variant.keeps)

    @property
    def origins(self) -> dict[str, Origin]:
        """What comes from other plugins than the variant, by what the run calls it."""
        parts = self.parts | {f"penalties.{name}": part for name, part in self.penalties.items()}
        found = {label: part.origin for label, part in parts.items()} | {"data": self.data_origin}
        own = (PROJECT, self.entry.origin.distribution)
        return {label: origin for label, origin in found.items() if origin and origin.distribution not in own}

    def to_json(self) -> dict[str, Json]:
        """The run as plain data, for ``config.json`` and ``--dry-run``."""
        origin = self.entry.origin
        others = {label: {"distribution": o.distribution, "version": o.version} for label, o in self.origins.items()}
        return {
            "ganzoo": __version__,
            "variant": self.variant.name,
            "plugin": {"distribution": origin.distribution, "version": origin.version},
            **({"plugins": others} if others else {}),
            "preset": self.preset,
            "data": self.data if isinstance(self.data, str) else self.data.describe(),
            "resolution": self.resolution,
            "seed": self.seed,
            "budget": {"seconds": self.budget.seconds, "images": self.budget.images},
            "precision": self.precision,
            "compile": self.compile,
            "threads": self.threads,
            "loop": self.loop.model_dump(),
            **{label: part.to_json() for label, part in self.parts.items()},
            "penalties": {label: part.to_json() for label, part in self.penalties.items()},
        }


def resolve(
    registry: Registry,
    variant: str,
    *,
    preset: str | None = None,
    options: Mapping[str, Json] | None = None,
    data: str | Given = "fashion-mnist-10k",
    resolution: int | None = None,
    seed: int = 0,
    budget_seconds: float | None = None,
    budget_images: int | None = None,
    precision: Precision = "auto",
    compile: bool = False,  # noqa: A002 - torch's own word for it
    threads: int | None = None,
    start: str | None = None,
    sample_shape: tuple[int, ...] | None = None,
) -> RunConfig:
    """Lay ``options`` over a preset over the variant, and check every name and value. Reads no data, builds no network.

    Args:
        registry: Where names are looked up.
        variant: The variant's name, or ``name@preset``.
        preset: One of its presets; ``default`` if neither says one.
        options: Option -> value. Keys are the loop's settings and the trainer's own options (``batch_size``, ``lr``);
            parts by name (``loss``, ``generator``); what is inside a part, dotted (``generator.width``,
            ``penalties.r1.weight``); and ``penalties``, a mapping of names to arguments that replaces all of them.
        data, resolution, seed, budget_seconds, budget_images, precision, compile, threads, start: As for
            :func:`ganzoo.train`.
        sample_shape: Of the data, once it has been read: ``(C, H, W)`` of pictures, for which a preset may be another.

    Raises:
        UnknownNameError: A name or key that is not known, with the nearest ones.
        UsageError: A value of the wrong type or out of range.
        PluginError: A component that cannot be imported.
    """
    if precision not in ("auto", *PRECISIONS):
        raise UnknownNameError("precision", precision, ("auto", *PRECISIONS))
    if not 0 <= seed < 1 << 63:
        raise UsageError(f"a seed is a number from 0 to 2^63 - 1, got {seed}")
    _check_budget(budget_seconds, budget_images)
    if threads is not None and not (isinstance(threads, int) and 1 <= threads <= MOST_THREADS):
        raise UsageError(f"threads is a whole number from 1 to {MOST_THREADS}, got {threads!r}", hint="for example: threads=1")
    variant, at, named = variant.partition("@")
    if at and preset not in (None, named):
        raise UsageError(f"{variant}@{named} and the preset {preset} are two presets")
    preset = named if at else preset or "default"
    entry = registry.get("variant", variant)
    described: Variant = entry.target  # type: ignore[assignment]
    if preset not in described.presets:
        raise UnknownNameError(f"preset of {variant}", preset, described.presets)
    given = dict(options or {})
    laid = _lay(registry, entry, preset, given, sample_shape)
    dataset = registry.find("dataset", data.partition("?")[0]) if isinstance(data, str) else None
    if budget_images is None and ("images" in given or budget_seconds is None):
        budget_images = laid.loop.images
    return RunConfig(
        entry=entry,
        preset=preset,
        parts=laid.parts,
        penalties=laid.penalties,
        loop=laid.loop,
        data=data,
        resolution=resolution,
        seed=seed,
        budget=Budget(budget_seconds, budget_images),
        precision=precision,
        compile=compile,
        threads=threads,
        start=start,
        data_origin=dataset.origin if dataset else None,
        given=given,
        sample_shape=sample_shape,
        step=laid.step,
    )


def fitted(config: RunConfig, registry: Registry, sample_shape: tuple[int, ...]) -> RunConfig:
    """The run, with its preset as it is for samples of that shape. Raises as :func:`resolve`."""
    laid = _lay_out(registry, config.entry, config.preset, config.given, sample_shape)
    return replace(config, **laid._asdict(), sample_shape=sample_shape)


class _Laid(NamedTuple):
    """A preset with the user's options over it, as fields of a run's configuration."""

    parts: dict[str, Part]
    penalties: dict[str, Part]
    loop: LoopSettings
    step: int | None


def _lay(
    registry: Registry, entry: Entry, preset: str, given: Mapping[str, Json], sample_shape: tuple[int, ...] | None
) -> _Laid:
    """As :func:`_lay_out`; before there is data, in whichever way of the preset the options are known."""
    try:
        return _lay_out(registry, entry, preset, given, sample_shape)
    except UnknownNameError:
        for side in entry.target.presets[preset].from_pixels if sample_shape is None else ():  # type: ignore[union-attr]
            with contextlib.suppress(UnknownNameError):
                return _lay_out(registry, entry, preset, given, (1, side, side))
        raise


def _lay_out(
    registry: Registry, entry: Entry, preset: str, given: Mapping[str, Json], sample_shape: tuple[int, ...] | None
) -> _Laid:
    """Lay options over a preset over a variant, for samples of a shape, if it is known."""
    described: Variant = entry.target  # type: ignore[assignment]
    variant = described.name
    plan, chosen = _Plan(described), described.presets[preset]
    plan.lay(chosen)
    step = chosen.step(max(sample_shape[1:])) if sample_shape is not None and len(sample_shape) == 3 else None
    # Parts go together: who chooses one of them has the others as they are for pictures of any size.
    if step is not None and not given.keys() & {key for key in chosen.from_pixels[step] if key in {*plan.names, "penalties"}}:
        plan.lay(Preset(summary="", options=chosen.from_pixels[step]))
    else:
        step = None
    plan.lay(Preset(summary="", options=given), typed=True)

    def part(label: str, kind: Any, name: str, arguments: Mapping[str, Json]) -> Part:
        # What the variant names is its own plugin's first; what the user types is what `ganzoo list` calls by that name.
        within = None if label in plan.typed else entry.origin
        return make_part(registry, kind, name, arguments, label=label, within=within)

    kinds = {role: kind_of(role) for role in described.roles} | {"loss": "loss", "trainer": "trainer"}
    loop_options = {name: Option(name, field.rebuild_annotation(), None) for name, field in LoopSettings.model_fields.items()}
    trainer = registry.resolve("trainer", plan.names["trainer"], within=None if "trainer" in plan.typed else entry.origin)
    loop, inner = {}, dict(plan.arguments["trainer"])
    trainer_options = options_of(trainer)
    for key, value in plan.flat.items():
        if key in loop_options:
            loop[key] = loop_options[key].check(thaw(value), key)
        elif key in trainer_options:
            # trainer.lr as typed comes before lr in a preset.
            if key in given or key not in inner:
                inner[key] = trainer_options[key].check(thaw(value), key)
        # What a preset says to its own trainer is dropped with it when the user chooses another.
        elif key in given or "trainer" not in given:
            what = "option" if key in given else f"option, in the preset {preset!r} of {variant!r}:"
            raise UnknownNameError(what, key, [*loop_options, *trainer_options, *plan.dotted(registry, kinds, entry)])
    if given.get("optimizer") not in (None, "adam", "adamw"):
        # What a preset says of Adam is nothing to another optimizer, which may not have it.
        inner = {key: value for key, value in inner.items() if key != "betas" or key in given}
    plan.arguments["trainer"] = inner
    taken = inspect.signature(trainer).parameters
    for key, wanted in (("penalties", bool(plan.penalties)), ("loss", "loss" in given)):
        if wanted and key not in taken:
            raise UsageError(f"the trainer {plan.names['trainer']!r} takes no {key}")
    parts = {label: part(label, kind, plan.names[label], plan.arguments[label]) for label, kind in kinds.items()}
    if unknown := [role for role in ("generator", *described.keeps) if parts[role].origin is None]:
        name = parts[unknown[0]].name
        raise UsageError(f"{unknown[0]}={name!r}: a network that a model folder keeps must be registered by a plugin")
    penalties = {n: part(f"penalties.{n}", "penalty", n, arguments) for n, arguments in plan.penalties.items()}
    return _Laid(parts, penalties, LoopSettings(**loop), step)


def _check_budget(seconds: object, images: object) -> None:
    """Raise UsageError unless each is None or says how long to train."""
    if seconds is not None and not (isinstance(seconds, (int, float)) and 0 < seconds < math.inf):
        raise UsageError(f"a budget is a number of seconds above 0, got {seconds!r}", hint="for example: budget_seconds=240")
    if images is not None and not (isinstance(images, int) and images > 0):
        raise UsageError(f"images must be a whole number above 0, got {images!r}", hint="for example: images=500_000")


class _Plan:
    """The names and arguments of a run's parts while options are laid over one another."""

    def __init__(self, variant: Variant) -> None:
        self.names = {**variant.roles, "loss": variant.loss, "trainer": variant.trainer}
        self.arguments: dict[str, dict[str, Json]] = {label: {} for label in self.names}
        self.penalties: dict[str, dict[str, Json]] = {n: dict(a) for n, a in variant.penalties.items()}
        self.flat: dict[str, Json] = {}
        self.typed: set[str] = set()

    def lay(self, preset: Preset, *, typed: bool = False) -> None:
        """Lay a preset's options over what is there: whole parts first, then what is inside them."""
        for key, value in sorted(preset.options.items(), key=lambda item: "." in item[0]):
            head, _, tail = key.partition(".")
            if key in self.names:
                if not isinstance(value, str):
                    raise UsageError(f"{key} must be the name of a component, got {value!r}")
                self.names[key], self.arguments[key] = value, {}
                self.typed |= {key} if typed else set()
            elif key == "penalties":
                self.penalties = _penalties(value)
                self.typed |= {f"penalties.{name}" for name in self.penalties} if typed else set()
            elif head in self.names and tail:
                self.arguments[head][tail] = value
            elif head == "penalties":
                name, _, argument = tail.rpartition(".")
                if name not in self.penalties:
                    raise UnknownNameError(
                        "penalty of this run", name or tail, self.penalties, hint=f"add it: --penalty {name or tail}"
                    )
                self.penalties[name][argument] = value
            elif typed or not tail:
                self.flat[key] = value
            else:
                raise UsageError(f"the preset has the option {key!r}, which no part takes")

    def dotted(self, registry: Registry, kinds: Mapping[str, Any], entry: Entry) -> Iterable[str]:
        """Every dotted option of the parts that can be imported, to find the nearest of a wrong one."""
        yield from self.names
        for label, kind in kinds.items():
            component = registry.resolve(kind, self.names[label], within=None if label in self.typed else entry.origin)
            yield from (f"{label}.{option}" for option in options_of(component))
        for name in self.penalties:
            own = None if f"penalties.{name}" in self.typed else entry.origin
            component = registry.resolve("penalty", name, within=own)
            yield from (f"penalties.{name}.{option}" for option in options_of(component))


def _penalties(value: Json) -> dict[str, dict[str, Json]]:
    if not isinstance(value, Mapping) or not all(isinstance(v, Mapping) for v in value.values()):
        raise UsageError(f'penalties must map names to arguments, got {value!r}; for example {{"r1": {{"weight": 0.1}}}}')
    return {name: dict(arguments) for name, arguments in value.items()}


def parse_option(text: str) -> tuple[str, Json]:
    """``key=value`` as typed: JSON if it is that, a list if it has commas, else a string.

    Raises:
        UsageError: There is no ``=`` or no key.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise UsageError(f"-o takes key=value, got {text!r}", hint="for example: -o batch_size=128")
    return key.strip(), parse_value(value.strip())


def parse_value(text: str) -> Json:
    try:
        # No option is nested deeper than this; what is would exhaust the stack further on.
        return json.loads(text) if text.count("[") + text.count("{") < 100 else text
    except (ValueError, RecursionError):
        return [parse_value(part) for part in text.split(",")] if "," in text and text[0] not in '[{"' else text


def parse_penalty(text: str) -> dict[str, dict[str, Json]]:
    """``r1``, ``r1=0.1`` (its weight), or ``none``, as ``--penalty`` takes it."""
    name, equals, weight = text.partition("=")
    if text == "none":
        return {}
    return {name: {"weight": parse_value(weight)} if equals else {}}


def parse_duration(text: str) -> float:
    """Seconds in ``45s``, ``4m``, ``1.5h``, ``2d``, ``1h30m``. Raises UsageError, for a number without a unit too."""
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400}
    if not re.fullmatch(r"(\d{1,9}(\.\d{0,9})?[smhd]){1,4}", text):
        raise UsageError(f"cannot read the time {text[:50]!r}", hint="for example: --budget 4m, 90s, 1h30m")
    seconds = sum(float(n) * units[u] for n, _, u in re.findall(r"(\d+(\.\d*)?)([smhd])", text))
    if not 0 < seconds <= 366 * 86400:
        raise UsageError(f"a budget of {text!r} trains nothing" if seconds == 0 else f"a budget of {text!r} is over a year")
    return seconds


def parse_count(text: str) -> int:
    """A count in ``20000``, ``20k``, ``2M``, ``1.5M``. Raises UsageError."""
    match = re.fullmatch(r"(\d{1,15}(?:\.\d{0,15})?)([kKmMgG]?)", text)
    if not match:
        raise UsageError(f"cannot read the count {text!r}", hint="for example: --images 500k, 2M")
    count = round(float(match[1]) * {"": 1, "k": 1e3, "m": 1e6, "g": 1e9}[match[2].lower()])
    if not 0 < count <= 10**12:
        raise UsageError(f"{text!r} images train nothing" if count == 0 else f"{text!r} images are more than can be counted")
    return count
