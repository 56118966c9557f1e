"""What a run is: a variant's preset, with the user's options laid over it, every name resolved and every value checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ganzoo import __version__
from ganzoo.data.given import Given
from ganzoo.errors import UnknownNameError, UsageError
from ganzoo.factory import Part
from ganzoo.options import options_of
from ganzoo.packages import PROJECT
from ganzoo.registry import Entry, Origin, Registry
from ganzoo.training.layout import lay, lay_for
from ganzoo.training.precision import PRECISIONS, Precision
from ganzoo.training.settings import MOST_THREADS, Budget, LoopSettings, check_budget
from ganzoo.training.start import Start
from ganzoo.training.taking import Taken, take
from ganzoo.variant import Json, Variant, thaw


@dataclass(frozen=True)
class RunConfig:
    """Everything that decides what a run computes, save the data's own content.

    Attributes:
        given: The options that the user gave.
        side: Of the data's pictures, once it has been read; None before, and for what is no picture.
        step: From how many pixels a side on the preset is as it is here (see :class:`Preset`), if it is so for such pictures.
        start: What the user named to start from.
        taken: What the run takes over from there.
        inherited: The options among these, which stand in for the preset's; None if there is a start and they are not known.
    """

    entry: Entry
    preset: str
    parts: dict[str, Part]
    penalties: dict[str, Part]
    augmentations: dict[str, Part]
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
    side: int | None = None
    step: int | None = None
    taken: Taken | None = field(default=None, repr=False, compare=False)
    inherited: Mapping[str, Json] | None = field(default_factory=dict)

    @property
    def variant(self) -> Variant:
        assert isinstance(self.entry.target, Variant)
        return self.entry.target

    @property
    def networks(self) -> dict[str, Part]:
        """The parts that are networks, by role."""
        return {role: self.parts[role] for role in self.variant.roles}

    @property
    def terms(self) -> dict[str, Part]:
        """Penalties and augmentations, by the names that options have for them: ``penalties.r1``."""
        penalties = {f"penalties.{name}": part for name, part in self.penalties.items()}
        return penalties | {f"augmentations.{name}": part for name, part in self.augmentations.items()}

    @property
    def kept(self) -> tuple[str, ...]:
        """The roles that EMA follows and the model folder holds."""
        return ("generator", *self.variant.keeps)

    @property
    def origins(self) -> dict[str, Origin]:
        """What comes from other plugins than the variant, by what the run calls it."""
        parts = self.parts | self.terms
        found = {label: part.origin for label, part in parts.items()} | {"data": self.data_origin}
        own = (PROJECT, self.entry.origin.distribution)
        return {label: origin for label, origin in found.items() if origin and origin.distribution not in own}

    def defaults(self) -> dict[str, Json]:
        """What options are if nobody says, by their keys in ``config.json``: ``generator.arguments.width``."""
        found: dict[str, Json] = {f"loop.{key}": value for key, value in LoopSettings().model_dump().items()}
        for label, part in (self.parts | self.terms).items():
            options = options_of(part.component).values()
            found |= {f"{label}.arguments.{option.name}": thaw(option.default) for option in options if not option.required}
        return found

    def to_json(self) -> dict[str, Json]:
        """The run as plain data, for ``config.json`` and ``--dry-run``."""
        origin = self.entry.origin
        others = {label: {"distribution": o.distribution, "version": o.version} for label, o in self.origins.items()}
        augmentations = {label: part.to_json() for label, part in self.augmentations.items()}
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
            **({"augmentations": augmentations} if augmentations else {}),
        }


def resolve(
    registry: Registry,
    variant: str,
    *,
    preset: str | None = None,
    options: Mapping[str, Json] | None = None,
    data: str | Given | None = None,
    resolution: int | None = None,
    seed: int = 0,
    budget_seconds: float | None = None,
    budget_images: int | None = None,
    precision: Precision = "auto",
    compile: bool = False,  # noqa: A002 - torch's own word for it
    threads: int | None = None,
    start: Start | str | None = None,
    side: int | None = None,
    inherited: Mapping[str, Json] | None = None,
) -> RunConfig:
    """Lay ``options`` over a preset over the variant, and check every name and value. Reads no data, builds no network.

    Args:
        registry: Where names are looked up.
        variant: The variant's name, or ``name@preset``.
        preset: One of its presets; ``default`` if neither says one.
        options: Option -> value. Keys are the loop's settings and the trainer's own options (``batch_size``, ``lr``);
            parts by name (``loss``, ``generator``); what is inside a part, dotted (``generator.width``,
            ``penalties.r1.weight``, ``augmentations.mirror.p``); and ``penalties`` and ``augmentations``, mappings of names to
            arguments that replace all of them.
        data, resolution, seed, budget_seconds, budget_images, precision, compile, threads: As for :func:`ganzoo.train`.
        start: The trained networks that the run starts from, or the name alone, of a run that is only to be described.
        inherited: With a name alone: the options that come from there, if they are known.
        side: The larger side of the data's pictures, once it has been read, for which a preset may be another.

    Raises:
        UnknownNameError: A name or key that is not known, with the nearest ones.
        UsageError: A value of the wrong type or out of range.
        PluginError: A component that cannot be imported.
    """
    if precision not in ("auto", *PRECISIONS):
        raise UnknownNameError("precision", precision, ("auto", *PRECISIONS))
    if not 0 <= seed < 1 << 63:
        raise UsageError(f"a seed is a number from 0 to 2^63 - 1, got {seed}")
    check_budget(budget_seconds, budget_images)
    if threads is not None and not (isinstance(threads, int) and 1 <= threads <= MOST_THREADS):
        raise UsageError(f"threads is a whole number from 1 to {MOST_THREADS}, got {threads!r}", hint="for example: threads=1")
    variant, at, named = variant.partition("@")
    if at and preset not in (None, named):
        raise UsageError(f"{variant}@{named} and the preset {preset} are two presets")
    preset = named if at else preset or "default"
    entry = registry.get("variant", variant)
    described: Variant = entry.target  # type: ignore[assignment]
    if preset not in described.presets:
        raise UnknownNameError(
            f"preset of {variant}", preset, described.presets, hint=f"ganzoo info {variant} lists its presets"
        )
    data = described.data if data is None else data
    given = dict(options or {})
    taken = take(registry, entry, preset, given, start) if isinstance(start, Start) else None
    if start is None or taken:
        inherited = taken.options if taken else {}
    laid = lay(registry, entry, preset, given, side, inherited)
    dataset = registry.find("dataset", data.partition("?")[0]) if isinstance(data, str) else None
    if budget_images is None and ("images" in given or budget_seconds is None):
        budget_images = laid.loop.images
    return RunConfig(
        entry=entry,
        preset=preset,
        parts=laid.parts,
        penalties=laid.penalties,
        augmentations=laid.augmentations,
        loop=laid.loop,
        data=data,
        resolution=resolution,
        seed=seed,
        budget=Budget(budget_seconds, budget_images),
        precision=precision,
        compile=compile,
        threads=threads,
        start=start.source if isinstance(start, Start) else start,
        taken=taken,
        inherited=inherited,
        data_origin=dataset.origin if dataset else None,
        given=given,
        side=side,
        step=laid.step,
    )


def fitted(config: RunConfig, registry: Registry, side: int | None) -> RunConfig:
    """The run, with its preset as it is for pictures of that size. Raises as :func:`resolve`."""
    laid = lay_for(registry, config.entry, config.preset, config.given, side, config.inherited)
    return replace(config, **laid._asdict(), side=side)
