"""The table of measures, read: those that come with ganzoo and those of plugins, in the order in which they are registered."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ganzoo.errors import GanzooError, PluginError, UnknownNameError, UsageError, describe
from ganzoo.measures.base import Evidence, Found, Measure
from ganzoo.registry import Entry, Registry, import_reference

LISTED = "list them: ganzoo list --kind measures"


def measures(registry: Registry) -> dict[str, Measure]:
    """All measures by the names that reach them, which are also the names of their scores.

    One that cannot be had, because its plugin fails, is left out: whoever asks for it by name is told why.
    """
    found: dict[str, Measure] = {}
    for entry in registry.in_order("measure"):
        try:
            found[registry.name_of(entry)] = _measure(registry, entry)
        except PluginError:
            continue
    return found


def find_measure(registry: Registry, name: str) -> Measure:
    """The measure that can be asked for by that name.

    Raises:
        UnknownNameError: There is none, with the nearest names.
        UsageError: Another measure finds it beside its own score.
        PluginError: Its plugin fails.
    """
    if registry.find("measure", name) is None:
        askable = [name for name, measure in measures(registry).items() if not measure.beside]
        raise UnknownNameError("measure", name, askable, hint=LISTED)
    measure = _measure(registry, registry.get("measure", name))
    if measure.beside:
        raise UsageError(f"{name} is found beside {measure.beside}", hint=f"ask for that: --measures {measure.beside}")
    return measure


def scores_of(measure: Measure, evidence: Evidence) -> dict[str, float]:
    """The score of a measure under its name, and what it finds beside it.

    Raises:
        PluginError: It fails, or returns no number.
        GanzooError: What it raises itself.
    """
    assert measure.compute is not None
    assert not isinstance(measure.compute, str)
    try:
        found = measure.compute(evidence)
        score, beside = found if isinstance(found, tuple) else (found, {})
        values = {measure.name: score, **beside}
    except (GanzooError, OSError):
        raise
    except Exception as error:
        raise PluginError(f"it failed with {describe(error)}", hint="GANZOO_DEBUG=1 shows where") from error
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            raise PluginError(f"its {name} is {type(value).__name__}, and a score is a number")
        if not math.isfinite(value):
            raise PluginError(f"its {name} is {value}, which is no finite number")
    return {str(name): float(value) for name, value in values.items()}


def prominent(measures: Iterable[Measure], least: int) -> tuple[str, ...]:
    """The names of the measures that tables have; see :attr:`Measure.prominence`."""
    return tuple(measure.name for measure in measures if measure.prominence >= least)


def _measure(registry: Registry, entry: Entry) -> Measure:
    """The row that an entry stands for, under the name that reaches it, with its function ready to be called."""
    found = entry.resolve()
    whose = f"the measure {entry.name!r} of plugin {entry.origin.plugin!r}"
    if not isinstance(found, Measure):
        raise PluginError(f"{whose} is a {type(found).__name__}, not a ganzoo.Measure")
    if found.name != entry.name:
        raise PluginError(f"{whose} calls itself {found.name!r}", hint="it is registered by its own name")
    return replace(found, name=registry.name_of(entry), compute=_bound(found, entry))


def _bound(measure: Measure, entry: Entry) -> Any:
    """The function that computes a measure, imported when it is called if it is named by ``module:function``."""
    reference = measure.compute
    if not isinstance(reference, str):
        return reference

    def compute(evidence: Evidence) -> Found:
        found: Found = import_reference(reference, entry.origin)(evidence)
        return found

    return compute
