"""A run's configuration as the command that computes it, for those who read its model card."""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from ganzoo import plugins
from ganzoo.data.spec import exists, parse
from ganzoo.factory import Part
from ganzoo.files import user_path
from ganzoo.registry import Registry
from ganzoo.training.config import RunConfig, resolve
from ganzoo.training.folder import FREE
from ganzoo.training.layout import TERMS
from ganzoo.training.scoring import Scoring
from ganzoo.variant import Json, thaw

SAID = ("images", "mirror")
"""Options of the loop that have a flag of their own."""


def command_of(
    config: RunConfig,
    scoring: Scoring | None = None,
    *,
    shared: bool = True,
    out: Path | None = None,
    log: Sequence[str] = (),
) -> str:
    """``ganzoo train …`` with everything in which the run differs from its preset.

    No command has data that a process had in its memory: for that it is the call of ``ganzoo.train``, with ``x`` for the data.

    Args:
        config: The run.
        scoring: How it is scored as it goes, which decides what weights are kept.
        shared: It is for others, and has data by a name without its folder, and only what decides what is computed; else it
            is to be typed on this machine.
        out: The folder that it says.
        log: The trackers that it says.
    """
    words, name = _words(config, scoring, shared, log), plugins.load().registry.name_of(config.entry)
    if isinstance(config.data, str):
        return shlex.join(["ganzoo", "train", name, *_typed(words), *(["--out", str(out)] if out else [])])
    words |= {"out": str(out)} if out else {}
    said = [f"{key}={'x' if key == 'data' else repr(value)}" for key, value in words.items() if value != {}]
    return f"ganzoo.train({', '.join([repr(name), *said])})"


def _words(config: RunConfig, scoring: Scoring | None, shared: bool, log: Sequence[str]) -> dict[str, Json]:
    """What ``ganzoo.train`` is to be told besides the variant's name, by the names that it has for it; options last."""
    named = shareable if shared else str
    registry = plugins.load().registry
    words: dict[str, Json] = {} if config.preset == "default" else {"preset": config.preset}
    words["data"] = named(config.data) if isinstance(config.data, str) else None
    if config.start is not None:
        words["start"] = named(config.start)
    if config.resolution is not None:
        words["resolution"] = config.resolution
    if config.budget.seconds is not None:
        words["budget"] = f"{config.budget.seconds:g}s"
    plain, changes = _simplest(config, registry, FREE if shared else {f"loop.{key}" for key in SAID})
    if config.budget.images not in (None, plain.loop.images):
        words["images"] = config.budget.images
    if config.seed != plain.seed:
        words["seed"] = config.seed
    if config.loop.mirror != plain.loop.mirror and isinstance(config.loop.mirror, bool):
        words["mirror"] = config.loop.mirror
    if config.precision != plain.precision:
        words["precision"] = config.precision
    if config.threads is not None:
        words["threads"] = config.threads
    if scoring is not None:
        words["score_every"] = scoring.every
        words |= {"until": f"{scoring.by}={scoring.until:g}"} if scoring.until is not None else {}
    words |= {"compile": True} if config.compile and not shared else {}
    words |= {"log": list(log)} if log else {}
    words["options"] = {key: thaw(value) for key, value in changes.items()}
    return words


def _simplest(config: RunConfig, registry: Registry, without: Collection[str]) -> tuple[RunConfig, dict[str, Json]]:
    """The preset as a run's samples have it, and the options with which it is that run.

    Options that choose a part against the preset for large pictures choose against all of it: then it is the preset as it is
    for other pictures that they are laid over, and one such option has to be among them.
    """
    chosen = config.variant.presets[config.preset]

    def preset(side: int | None) -> RunConfig:
        return resolve(
            registry,
            config.entry.qualified,
            preset=config.preset,
            data=config.data,
            resolution=config.resolution,
            budget_seconds=config.budget.seconds,
            budget_images=config.budget.images,
            start=config.start,
            inherited=config.inherited,
            side=side,
        )

    plain = preset(config.side)
    changes = dict(_changes(plain, config, registry, without))
    if plain.step is None:
        return plain, changes
    against = [key for key in chosen.from_pixels[plain.step] if key in {*config.parts, *TERMS}]
    if not changes.keys() & set(against):
        return plain, changes
    plain = preset(None)
    changes = dict(_changes(plain, config, registry, without))
    if not changes.keys() & set(against):
        changes = dict(_changes(plain, config, registry, without, also=against[0]))
    return plain, changes


def _typed(words: Mapping[str, Json]) -> Iterator[str]:
    """Words as they are typed after ``ganzoo train NAME``."""
    for key, value in words.items():
        flag = "from" if key == "start" else key.replace("_", "-")
        if key == "options":
            for name, option in value.items():
                yield from ("-o", f"{name}={option if isinstance(option, str) else json.dumps(option)}")
        elif isinstance(value, bool):
            yield f"--{flag}" if value else f"--no-{flag}"
        else:
            for one in value if isinstance(value, list) else [value]:
                yield from (f"--{flag}", str(one))


def _changes(
    plain: RunConfig, config: RunConfig, registry: Registry, without: Collection[str], also: str = ""
) -> Iterator[tuple[str, Json]]:
    """The options, as ``-o`` takes them, that ``config`` has and ``plain`` has not; and the part ``also``, if both have it."""
    for key, value in config.loop.model_dump().items():
        if f"loop.{key}" not in without and value != plain.loop.model_dump()[key]:
            yield key, value
    parts, others = config.parts, plain.parts
    for term in TERMS:
        mine, its = getattr(config, term), getattr(plain, term)
        alike = len(mine) == len(its) and all(_is(part) == _is(its.get(name)) for name, part in mine.items())
        if alike and also != term:
            parts = parts | {f"{term}.{name}": part for name, part in mine.items()}
            others = others | {f"{term}.{name}": part for name, part in its.items()}
        else:
            yield term, {_named(part, registry): part.to_json()["arguments"] for part in mine.values()}
    for label, part in parts.items():
        # What is not known of the networks that a run started from is said of its own.
        unsure = config.inherited is None and label in config.networks
        same = _is(part) == _is(others[label]) and label != also and not unsure
        if not same:
            yield label, _named(part, registry)
        for key, value in part.arguments.items():
            if not same or value != others[label].arguments[key]:
                yield key if label == "trainer" else f"{label}.{key}", value


def _is(part: Part | None) -> tuple[str, str | None] | None:
    return (part.name, part.distribution) if part else None


def _named(part: Part, registry: Registry) -> str:
    """The name by which somebody who types it has this part, and no other."""
    entry = registry.find(part.kind, f"{part.distribution}:{part.name}") if part.distribution else None
    return registry.name_of(entry) if entry else part.name


def shareable(data: str) -> str:
    """What ``--data`` named, without the folders on this machine that lead to it."""
    name, _ = parse(data)
    path = user_path(name)
    # With ./ before it no name is a registered dataset's.
    return f"./{path.name}{data[len(name) :]}" if exists(path) and path.name not in ("", name) else data
