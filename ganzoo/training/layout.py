"""How a preset and what the user asks for are laid over a variant: every name resolved, every value checked."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ganzoo.errors import UnknownNameError, UsageError, say_renamed
from ganzoo.factory import Part, kind_of, make_part
from ganzoo.options import Option, as_named_now, options_of, parameters_of, renamed_of
from ganzoo.registry import Entry, Kind, Registry
from ganzoo.training.settings import LoopSettings
from ganzoo.variant import Json, Preset, Variant, thaw

TERMS: dict[str, Kind] = {"penalties": "penalty", "augmentations": "augmentation"}
"""Options that hold any number of parts by name, which a run may have or not."""


FLAGS = {"penalties": "--penalty", "augmentations": "--augment"}

STRENGTH = {"penalties": "weight", "augmentations": "p"}
"""The option that a flag's number sets: ``--penalty r1=0.1``."""

CALLED = {
    "learning_rate": "lr",
    "batch": "batch_size",
    "batchsize": "batch_size",
    "bs": "batch_size",
    "beta1": "betas",
    "beta2": "betas",
    "epochs": "images",
    "steps": "images",
    "critic_steps": "n_critic",
    "ema": "ema_images",
}
"""What other programs call an option, whose name here is spelled otherwise."""


class Laid(NamedTuple):
    """A preset with the user's options over it, as fields of a run's configuration."""

    parts: dict[str, Part]
    penalties: dict[str, Part]
    augmentations: dict[str, Part]
    loop: LoopSettings
    step: int | None


def lay(
    registry: Registry,
    entry: Entry,
    preset: str,
    given: Mapping[str, Json],
    side: int | None,
    inherited: Mapping[str, Json] | None = None,
) -> Laid:
    """As :func:`lay_for`; before there is data, in whichever way of the preset the options are known."""
    try:
        return lay_for(registry, entry, preset, given, side, inherited)
    except UnknownNameError:
        for least in entry.target.presets[preset].from_pixels if side is None else ():  # type: ignore[union-attr]
            with contextlib.suppress(UnknownNameError):
                return lay_for(registry, entry, preset, given, least, inherited)
        raise


def lay_for(
    registry: Registry,
    entry: Entry,
    preset: str,
    given: Mapping[str, Json],
    side: int | None,
    inherited: Mapping[str, Json] | None = None,
) -> Laid:
    """Lay options over a preset over a variant, for pictures of ``side`` pixels, if that is known and these are pictures.

    Those of trained networks that the run starts from, ``inherited``, come between the preset's and the user's.
    """
    described: Variant = entry.target  # type: ignore[assignment]
    plan, chosen = _Plan(registry, entry, given), described.presets[preset]
    plan.lay(chosen)
    step = chosen.step(side)
    # Parts go together: who chooses one of them has the others as they are for pictures of any size.
    if step is not None and not given.keys() & {key for key in chosen.from_pixels[step] if key in {*plan.names, *TERMS}}:
        plan.lay(Preset(summary="", options=chosen.from_pixels[step]))
    else:
        step = None
    plan.lay(Preset(summary="", options=inherited or {}))
    plan.lay(Preset(summary="", options=given), typed=True)
    loop = plan.settle_flat(preset)
    plan.drop_unused(given)
    parts = {label: plan.part(label, kind, plan.names[label], plan.arguments[label]) for label, kind in plan.kinds.items()}
    if unknown := [role for role in ("generator", *described.keeps) if parts[role].origin is None]:
        name = parts[unknown[0]].name
        raise UsageError(f"{unknown[0]}={name!r}: a network that a model folder keeps must be registered by a plugin")
    terms = {
        term: {name: plan.part(f"{term}.{name}", kind, name, arguments) for name, arguments in plan.terms[term].items()}
        for term, kind in TERMS.items()
    }
    return Laid(parts, **terms, loop=loop, step=step)


class _Plan:
    """The names and arguments of a run's parts while options are laid over one another."""

    def __init__(self, registry: Registry, entry: Entry, given: Mapping[str, Json]) -> None:
        variant: Variant = entry.target  # type: ignore[assignment]
        self.registry, self.entry, self.given = registry, entry, given
        self.names = {**variant.roles, **({"loss": variant.loss} if variant.loss else {}), "trainer": variant.trainer}
        self.arguments: dict[str, dict[str, Json]] = {label: {} for label in self.names}
        self.terms: dict[str, dict[str, dict[str, Json]]] = {term: {} for term in TERMS}
        self.terms["penalties"] = {self.term("penalties", n): dict(a) for n, a in variant.penalties.items()}
        self.flat: dict[str, Json] = {}
        self.typed: set[str] = set()

    def lay(self, preset: Preset, *, typed: bool = False) -> None:
        """Lay a preset's options over what is there: whole parts first, then what is inside them."""
        for key, value in sorted(preset.options.items(), key=lambda item: "." in item[0]):
            head, _, tail = key.partition(".")
            # A loss may be chosen where the variant names none, for another trainer.
            if key in (*self.names, "loss"):
                if not isinstance(value, str):
                    raise UsageError(f"{key} must be the name of a component, got {value!r}")
                self.names[key], self.arguments[key] = value, {}
                self.typed |= {key} if typed else set()
            elif key in TERMS:
                self.terms[key] = {self.term(key, name, typed): a for name, a in _by_name(key, value).items()}
                self.typed |= {f"{key}.{name}" for name in self.terms[key]} if typed else set()
            elif head in self.names and tail:
                _put(self.arguments[head], tail, value)
            elif head in TERMS:
                name, _, argument = tail.rpartition(".")
                if not name and (tail in self.terms[head] or self.registry.find(TERMS[head], tail)):
                    whole, which = f"{head}.{tail}", STRENGTH[head]
                    hint = f"for example: -o {whole}.{which}=0.5, which is {FLAGS[head]} {tail}=0.5"
                    raise UsageError(f"{whole} is a whole {TERMS[head]}: name the option of it that is meant", hint=hint)
                name = self.term(head, name, typed)
                if name not in self.terms[head]:
                    what, flag = TERMS[head], FLAGS[head]
                    hint = f"add it: {flag} {name or tail}"
                    raise UnknownNameError(f"{what} of this run", name or tail, self.terms[head], hint=hint)
                _put(self.terms[head][name], argument, value)
            elif typed or not tail:
                _put(self.flat, key, value)
            else:
                raise UsageError(f"the preset has the option {key!r}, which no part takes")

    @property
    def kinds(self) -> dict[str, Kind]:
        """What each part is."""
        return {label: kind_of(label) for label in self.names}

    def part(self, label: str, kind: Kind, name: str, arguments: Mapping[str, Json]) -> Part:
        # What the variant names is its own plugin's first; what the user types is what `ganzoo list` calls by that name.
        within = None if label in self.typed else self.entry.origin
        for old, new in renamed_of(self.component(label, kind, name)).items():
            if f"{label}.{old}" in self.given and old in arguments:
                say_renamed("option", f"{label}.{old}", f"{label}.{new}")
        return make_part(self.registry, kind, name, arguments, label=label, within=within)

    def term(self, term: str, name: str, typed: bool = False) -> str:
        """What a penalty or an augmentation is called now; only whoever typed another name is told."""
        entry = self.registry.find(TERMS[term], name, within=None if typed else self.entry.origin.distribution)
        if entry is None or name in (entry.name, entry.qualified):
            return name
        if typed:
            say_renamed(TERMS[term], name, self.registry.name_of(entry))
        return entry.name if entry.name in self.terms[term] or not typed else self.registry.name_of(entry)

    def component(self, label: str, kind: Kind, name: str) -> Any:
        """What is named so, imported."""
        return self.registry.resolve(kind, name, within=None if label in self.typed else self.entry.origin)

    def settle_flat(self, preset: str) -> LoopSettings:
        """Share out the options that have no dot: to the trainer's arguments, and to the loop, whose settings are returned."""
        fields = LoopSettings.model_fields
        loop_options = {name: Option(name, field.rebuild_annotation(), field.default) for name, field in fields.items()}
        trainer = self.component("trainer", "trainer", self.names["trainer"])
        trainer_options = options_of(trainer)
        renamed = renamed_of(LoopSettings) | renamed_of(trainer)
        now = {old: new for old, new in renamed.items() if old not in loop_options and old not in trainer_options}
        for old in self.given.keys() & now.keys():
            say_renamed("option", old, now[old])
        given = {now.get(key, key): value for key, value in self.given.items()}
        loop, inner = {}, as_named_now(trainer, self.arguments["trainer"])
        for key, value in {now.get(key, key): value for key, value in self.flat.items()}.items():
            if key in loop_options:
                loop[key] = loop_options[key].check(thaw(value), key)
            elif key in trainer_options:
                # trainer.lr as typed comes before lr in a preset.
                if key in given or key not in inner:
                    inner[key] = trainer_options[key].check(thaw(value), key)
            # What a preset says to its own trainer is dropped with it when the user chooses another.
            elif key in given or "trainer" not in given:
                whose = self.entry.name
                what = "option" if key in given else f"option, in the preset {preset!r} of {whose!r}:"
                known = [*loop_options, *trainer_options, *self.dotted()]
                meant = next((now for now in (CALLED.get(key.lower()),) if now in known), None)
                raise UnknownNameError(what, key, known, hint=f"ganzoo info {whose} lists all options", meant=meant)
        if given.get("optimizer") not in (None, "adam", "adamw"):
            # What a preset says of Adam is nothing to another optimizer, which may not have it.
            inner = {key: value for key, value in inner.items() if key != "betas" or key in given}
        self.arguments["trainer"] = inner
        return LoopSettings(**loop)

    def drop_unused(self, given: Mapping[str, Json]) -> None:
        """Leave out a loss that the trainer does not take. Raises UsageError for what was asked for in vain."""
        name = self.names["trainer"]
        taken = parameters_of(self.component("trainer", "trainer", name))
        asked = any(key.partition(".")[0] == "loss" for key in given)
        for key, wanted in (*((term, bool(self.terms[term])) for term in TERMS), ("loss", asked)):
            if wanted and key not in taken:
                raise UsageError(f"the trainer {name!r} takes no {key}")
        if "loss" not in taken:
            self.names.pop("loss", None)
        elif "loss" not in self.names:
            raise UsageError(
                f"the trainer {name!r} takes a loss, and {self.entry.name!r} has none", hint="name one: --loss non-saturating"
            )

    def dotted(self) -> Iterable[str]:
        """Every dotted option of the parts that can be imported, to find the nearest of a wrong one."""
        yield from self.names
        for label, kind in self.kinds.items():
            yield from (f"{label}.{option}" for option in options_of(self.component(label, kind, self.names[label])))
        for term, kind in TERMS.items():
            for name in self.terms[term]:
                component = self.component(f"{term}.{name}", kind, name)
                yield from (f"{term}.{name}.{option}" for option in options_of(component))


def _put(options: dict[str, Json], key: str, value: Json) -> None:
    """Lay an option over what is there, as the last: of an old and a new name, the later counts."""
    options.pop(key, None)
    options[key] = value


def _by_name(term: str, value: Json) -> dict[str, dict[str, Json]]:
    if not isinstance(value, Mapping) or not all(isinstance(v, Mapping) for v in value.values()):
        example = '{"r1": {"weight": 0.1}}' if term == "penalties" else '{"mirror": {"p": 1.0}}'
        raise UsageError(f"{term} must map names to arguments, got {value!r}; for example {example}")
    return {name: dict(arguments) for name, arguments in value.items()}
