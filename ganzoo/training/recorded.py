"""The command that goes on with a run, of which there is what its ``config.json`` says.

The command that it was begun with may be another run's today: a preset may have changed with a new version.
"""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ganzoo import plugins
from ganzoo.errors import GanzooError
from ganzoo.factory import kind_of
from ganzoo.options import options_of
from ganzoo.registry import Kind, Origin, Registry
from ganzoo.training.command import command_of
from ganzoo.training.config import RunConfig, resolve
from ganzoo.training.folder import NEWER, read_run
from ganzoo.training.layout import TERMS
from ganzoo.training.renamed import by_names_of_now
from ganzoo.training.settings import LoopSettings
from ganzoo.variant import Json, Variant, thaw

TRAIN = ("ganzoo", "train")
HOW = ("--precision", "--threads", "--score-every", "--until", "--log")
"""Options that say how a run is computed and judged: they are as they were typed."""


def command_again(run: Mapping[str, Json], command: Json, registry: Registry) -> list[str]:
    """The words of the command with which the preset as it is now gives that very run, without ``--out``.

    Args:
        run: Its ``config.json``.
        command: The command that it was begun with.
        registry: Where names are looked up. What no installed plugin offers is not imported.

    Returns:
        The words. Those of ``command`` if they cannot be said anew; none if it is no command, but a call from Python.
    """
    try:
        typed = shlex.split(command) if isinstance(command, str) else []
    except ValueError:
        typed = []
    if tuple(typed[:2]) != TRAIN:
        return []
    try:
        words = shlex.split(command_of(recorded(run, registry), shared=False))
    # It may be of a version that had other keys, or damaged.
    except (GanzooError, ArithmeticError, AttributeError, KeyError, LookupError, TypeError, ValueError):
        return typed
    return words + [word for pair in itertools.pairwise(typed) if pair[0] in HOW for word in pair]


def command_there(folder: Path) -> str:
    """The command that goes on with the run in a folder, to be typed; empty if there is none."""
    run = read_run(folder) or {}
    words = command_again(run, run.get("command"), plugins.load().registry)
    return shlex.join([*words, "--out", str(folder)]) if words else ""


def recorded(run: Mapping[str, Json], registry: Registry) -> RunConfig:
    """The configuration that a run's ``config.json`` records, whatever its preset has become since.

    Raises:
        GanzooError, LookupError, TypeError, ValueError, AttributeError: It cannot be had: a plugin is gone, say.
    """
    run = by_names_of_now(run, registry)
    entry = registry.get("variant", _named(run["variant"], run["plugin"]["distribution"]))
    described = entry.target
    assert isinstance(described, Variant)
    labels = [*described.roles, "trainer", *(["loss"] if "loss" in run else [])]
    own = {**described.roles, "loss": described.loss, "trainer": described.trainer}
    # What came later is as it was before there was a choice, and not as the preset of now has it.
    options: dict[str, Json] = LoopSettings().model_dump()
    options |= {key.removeprefix("loop."): value for key, value in NEWER.items()} | run["loop"]
    if run["budget"]["images"] is None:
        # It is no budget of this run, which had one of time alone.
        del options["images"]
    for label in labels:
        options |= dict(_part(registry, kind_of(label), label, run[label], own[label], entry.origin))
    for term, kind in TERMS.items():
        options[term] = {_known(registry, kind, part): part["arguments"] for part in run.get(term, {}).values()}
    return resolve(
        registry,
        entry.qualified,
        preset=run["preset"],
        options=options,
        data=run["data"],
        resolution=run["resolution"],
        seed=run["seed"],
        budget_seconds=run["budget"]["seconds"],
        budget_images=run["budget"]["images"],
        compile=run["compile"],
        start=run["start"]["from"] if run.get("start") else None,
        side=_side(run["dataset"]),
    )


def _part(
    registry: Registry, kind: Kind, label: str, part: Mapping[str, Any], own: str | None, origin: Origin
) -> Iterator[tuple[str, Json]]:
    """A part as options."""
    name: str = part["name"]
    within: Origin | None = origin
    # What a variant has as module:attr has no other name.
    if part.get("distribution") or name != own:
        name, within = _known(registry, kind, part), None
        yield label, name
    component = registry.resolve(kind, name, within=within)
    for key, option in options_of(component).items():
        if not option.required:
            yield f"{label}.{key}", thaw(option.default)
    yield from ((f"{label}.{key}", value) for key, value in part["arguments"].items())


def _known(registry: Registry, kind: Kind, part: Mapping[str, Any]) -> str:
    """The name of a part that an installed plugin offers. Raises UnknownNameError: no file's word is enough to import it."""
    return registry.name_of(registry.get(kind, _named(part["name"], part.get("distribution"))))


def _named(name: str, distribution: str | None) -> str:
    return f"{distribution}:{name}" if distribution else name


def _side(dataset: Mapping[str, Any]) -> int | None:
    """The larger side of the pictures that a run was trained on; None if they were none."""
    shape = dataset["sample_shape"]
    return max(shape[1:]) if dataset.get("dtype") == "uint8" and len(shape) == 3 and "modality" not in dataset else None
