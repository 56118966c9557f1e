"""A run's configuration as the command that computes it, for those who read its model card."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path

from ganzoo import plugins
from ganzoo.data.spec import exists, parse
from ganzoo.factory import Part
from ganzoo.files import user_path
from ganzoo.registry import Registry
from ganzoo.training.config import RunConfig, resolve
from ganzoo.training.folder import FREE
from ganzoo.training.scoring import Scoring
from ganzoo.variant import Json, thaw


def command_of(config: RunConfig, scoring: Scoring | None = None, *, shared: bool = True, out: Path | None = None) -> str:
    """``ganzoo train …`` with everything in which the run differs from its preset.

    Args:
        config: The run.
        scoring: How it is scored as it goes, which decides what weights are kept.
        shared: It is for others, and has data by a name without its folder; else it is to be typed on this machine.
        out: The folder that it says.
    """
    named = shareable if shared else str
    registry = plugins.load().registry
    words = ["ganzoo", "train", registry.name_of(config.entry)]
    if config.preset != "default":
        words += ["--preset", config.preset]
    words += ["--data", named(config.data)]
    if config.start is not None:
        words += ["--from", named(config.start)]
    if config.resolution is not None:
        words += ["--resolution", str(config.resolution)]
    if config.budget.seconds is not None:
        words += ["--budget", f"{config.budget.seconds:g}s"]
    plain = resolve(
        registry,
        config.entry.qualified,
        preset=config.preset,
        data=config.data,
        resolution=config.resolution,
        budget_seconds=config.budget.seconds,
        budget_images=config.budget.images,
    )
    if config.budget.images not in (None, plain.loop.images):
        words += ["--images", str(config.budget.images)]
    if config.seed != plain.seed:
        words += ["--seed", str(config.seed)]
    if config.loop.mirror != plain.loop.mirror and isinstance(config.loop.mirror, bool):
        words += ["--mirror" if config.loop.mirror else "--no-mirror"]
    if config.precision != plain.precision:
        words += ["--precision", config.precision]
    if config.threads is not None:
        words += ["--threads", str(config.threads)]
    if scoring is not None:
        words += ["--score-every", str(scoring.every)]
        words += ["--until", f"{scoring.by}={scoring.until:g}"] if scoring.until is not None else []
    for key, value in _changes(plain, config, registry):
        words += ["-o", f"{key}={value if isinstance(value, str) else json.dumps(thaw(value))}"]
    if out is not None:
        words += ["--out", str(out)]
    return shlex.join(words)


def _changes(plain: RunConfig, config: RunConfig, registry: Registry) -> Iterator[tuple[str, Json]]:
    """The options, as ``-o`` takes them, that ``config`` has and ``plain`` has not."""
    for key, value in config.loop.model_dump().items():
        if f"loop.{key}" not in FREE and value != plain.loop.model_dump()[key]:
            yield key, value
    parts, others = config.parts, plain.parts
    if {name: _is(part) for name, part in config.penalties.items()} == {n: _is(part) for n, part in plain.penalties.items()}:
        parts, others = (
            {**c.parts, **{f"penalties.{name}": part for name, part in c.penalties.items()}} for c in (config, plain)
        )
    else:
        yield "penalties", {_named(part, registry): part.to_json()["arguments"] for part in config.penalties.values()}
    for label, part in parts.items():
        same = _is(part) == _is(others[label])
        if not same:
            yield label, _named(part, registry)
        for key, value in part.arguments.items():
            if not same or value != others[label].arguments[key]:
                yield key if label == "trainer" else f"{label}.{key}", value


def _is(part: Part) -> tuple[str, str | None]:
    return part.name, part.distribution


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
