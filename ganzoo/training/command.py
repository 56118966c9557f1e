"""A run's configuration as the command that computes it, for those who read its model card."""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from ganzoo import plugins
from ganzoo.data.spec import exists, parse
from ganzoo.files import user_path
from ganzoo.training.config import RunConfig, resolve
from ganzoo.training.folder import FREE
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

    Args:
        config: The run.
        scoring: How it is scored as it goes, which decides what weights are kept.
        shared: It is for others, and has data by a name without its folder, and only what decides what is computed; else it
            is to be typed on this machine.
        out: The folder that it says.
        log: The trackers that it says.
    """
    named = shareable if shared else str
    words = ["ganzoo", "train", config.variant.name]
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
        plugins.load().registry,
        config.entry.qualified,
        preset=config.preset,
        data=config.data,
        resolution=config.resolution,
        budget_seconds=config.budget.seconds,
        budget_images=config.budget.images,
        sample_shape=config.sample_shape,
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
    if config.compile and not shared:
        words += ["--compile"]
    words += [word for tracker in log for word in ("--log", tracker)]
    for key, value in _changes(plain, config, {f"loop.{key}" for key in SAID} if not shared else FREE):
        words += ["-o", f"{key}={value if isinstance(value, str) else json.dumps(thaw(value))}"]
    if out is not None:
        words += ["--out", str(out)]
    return shlex.join(words)


def _changes(plain: RunConfig, config: RunConfig, without: Collection[str]) -> Iterator[tuple[str, Json]]:
    """The options, as ``-o`` takes them, that ``config`` has and ``plain`` has not."""
    for key, value in config.loop.model_dump().items():
        if f"loop.{key}" not in without and value != plain.loop.model_dump()[key]:
            yield key, value
    parts, others = config.parts, plain.parts
    if config.penalties.keys() == plain.penalties.keys():
        parts, others = (
            {**c.parts, **{f"penalties.{name}": part for name, part in c.penalties.items()}} for c in (config, plain)
        )
    else:
        yield "penalties", {name: part.to_json()["arguments"] for name, part in config.penalties.items()}
    for label, part in parts.items():
        same = part.name == others[label].name
        if not same:
            yield label, part.name
        for key, value in part.arguments.items():
            if not same or value != others[label].arguments[key]:
                yield key if label == "trainer" else f"{label}.{key}", value


def shareable(data: str) -> str:
    """What ``--data`` named, without the folders on this machine that lead to it."""
    name, _ = parse(data)
    path = user_path(name)
    # With ./ before it no name is a registered dataset's.
    return f"./{path.name}{data[len(name) :]}" if exists(path) and path.name not in ("", name) else data
