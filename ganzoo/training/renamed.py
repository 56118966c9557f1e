"""The configuration of a run from before something was renamed, by the names that it has now.

Nothing is imported but what an installed plugin offers or what the installed variant itself names.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from ganzoo.errors import GanzooError
from ganzoo.factory import kind_of
from ganzoo.options import as_named_now, renamed_of
from ganzoo.registry import Entry, Kind, Registry
from ganzoo.training.layout import TERMS
from ganzoo.training.settings import LoopSettings
from ganzoo.variant import Json, Variant


def by_names_of_now(run: Mapping[str, Json], registry: Registry) -> dict[str, Json]:
    """A run's ``config.json`` with today's names of variant, parts and options; what nothing here knows stays as it is."""
    told = dict(run)
    origin = run.get("plugin")
    entry = _find(registry, "variant", run.get("variant"), origin.get("distribution") if isinstance(origin, dict) else None)
    if entry:
        told["variant"] = entry.name
    if isinstance(loop := run.get("loop"), dict):
        told["loop"] = {renamed_of(LoopSettings).get(key, key): value for key, value in loop.items()}
    for label, part in run.items():
        if isinstance(part, dict) and {"name", "arguments"} <= part.keys():
            told[label] = _part(registry, kind_of(label), part, entry)[1]
    for term, kind in TERMS.items():
        if isinstance(parts := run.get(term), dict):
            told[term] = dict(_part(registry, kind, part, entry, name) for name, part in parts.items())
    return told


def _part(registry: Registry, kind: Kind, part: Any, variant: Entry | None, key: str = "") -> tuple[str, Any]:
    """A part by its names of now, and what a run calls it."""
    if not isinstance(part, dict) or not isinstance(part.get("arguments"), dict):
        return key, part
    entry = _find(registry, kind, part.get("name"), part.get("distribution"))
    component = None
    # What cannot be imported cannot say what its options were called.
    with contextlib.suppress(GanzooError):
        if entry:
            component = entry.resolve()
        elif variant and part.get("name") in _declared(variant):
            component = registry.resolve(kind, part["name"], within=variant.origin)
    arguments = as_named_now(component, part["arguments"]) if callable(component) else part["arguments"]
    name = entry.name if entry else part.get("name")
    return (entry.name if entry and key == part.get("name") else key), {**part, "name": name, "arguments": arguments}


def _declared(variant: Entry) -> set[str | None]:
    """What the installed variant itself names."""
    described = variant.target
    assert isinstance(described, Variant)
    return {*described.roles.values(), described.loss, described.trainer, *described.penalties}


def _find(registry: Registry, kind: Kind, name: Any, distribution: Any) -> Entry | None:
    if not isinstance(name, str):
        return None
    return registry.find(kind, f"{distribution}:{name}" if distribution else name)
