"""``ganzoo list``: the names that can be used, and the plugin that each comes from."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial

import click

from ganzoo.cli.output import json_option, out
from ganzoo.registry import PLURALS, Entry, Kind, Registry
from ganzoo.variant import Json, Variant

KINDS: dict[str, Kind] = {plural: kind for kind, plural in PLURALS.items()}
MODELS = "models"
Listed = tuple[Sequence[str], list[tuple[str, ...]], list[Json]]
"""Columns, rows, and the same for programs."""
CHOICES = (*KINDS, MODELS)
IN_TABLES = 2
"""How prominent measures are whose scores are in the table of models; the others are in --json and on the card."""

EPILOG = """\b
Examples:
  ganzoo list
  ganzoo list '*gan*'
  ganzoo list --kind losses
  ganzoo list --kind measures              what can be measured, and in which direction it is better
  ganzoo list --kind models                trained generators that come with ganzoo, and their scores
  ganzoo list --json | jq -r '.[].name'

\b
Exit code 1 if nothing matches PATTERN.
"""


@click.command("list", epilog=EPILOG)
@click.argument("pattern", default="*")
@click.option("--kind", type=click.Choice(CHOICES), default="variants", metavar="KIND", help=f"{', '.join(CHOICES)}.")
@json_option
def list_names(pattern: str, kind: str, as_json: bool) -> None:
    """List the variants, or the parts they are made of, or trained models.

    PATTERN may hold the wildcards * ? [abc]; quote it. Each name comes with a summary and, as distribution:plugin, where
    it is from; models with their scores.
    """
    columns, rows, described = _models(pattern) if kind == MODELS else _components(pattern, KINDS[kind])
    if as_json:
        out.json(described)
    else:
        out.table(columns, rows)
    if not rows and pattern == "*":
        out.say(f"ganzoo: no plugin offers {kind}; see: ganzoo plugins")
    elif not rows:
        near = (_models if kind == MODELS else partial(_components, kind=KINDS[kind]))(f"*{pattern}*")[1]
        hint = f"try: ganzoo list --kind {kind} '*{pattern}*'" if near else f"list all: ganzoo list --kind {kind}"
        out.say(f"ganzoo: none of the {kind} matches {pattern!r}; {hint}")
        click.get_current_context().exit(1)


def _components(pattern: str, kind: Kind) -> Listed:
    from ganzoo import plugins

    registry = plugins.load().registry
    if kind == "measure":
        return _measures(registry, pattern)
    entries = registry.entries(kind, pattern)
    rows: list[tuple[str, ...]] = [
        (registry.name_of(entry), entry.summary, f"{entry.origin.distribution}:{entry.origin.plugin}") for entry in entries
    ]
    return ("NAME", "SUMMARY", "PLUGIN"), rows, [_to_json(registry, entry) for entry in entries]


def _measures(registry: Registry, pattern: str) -> Listed:
    """Measures in the order of the table, with which direction is better."""
    from ganzoo.measures.table import measures

    table, rows, described = measures(registry), list[tuple[str, ...]](), list[Json]()
    for entry in registry.in_order("measure"):
        name = registry.name_of(entry)
        if not fnmatch.fnmatchcase(name, pattern):
            continue
        told, better, summary = _to_json(registry, entry), "?", entry.summary
        if measure := table.get(name):
            better = measure.better or ("-" if measure.ideal is None else f"{measure.ideal:g}")
            summary = measure.summary
            told |= {key: getattr(measure, key) for key in ("title", "meaning", "better", "ideal", "beside")}
            told["target"] = entry.target if isinstance(entry.target, str) else getattr(entry.target, "compute", None)
            told |= {"summary": summary, "needs": list(measure.needs), "modalities": list(measure.modalities)}
        rows.append((name, better, summary, f"{entry.origin.distribution}:{entry.origin.plugin}"))
        described.append(told)
    return ("NAME", "BETTER", "SUMMARY", "PLUGIN"), rows, described


def _models(pattern: str) -> Listed:
    from ganzoo import plugins
    from ganzoo.hub.shipped import shipped_models
    from ganzoo.measures.table import measures, prominent
    from ganzoo.model_folder import read_config, read_scores

    shown = prominent(measures(plugins.load().registry).values(), IN_TABLES)
    rows: list[tuple[str, ...]] = []
    described: list[Json] = []
    for name, folder in shipped_models().items():
        if fnmatch.fnmatchcase(name, pattern):
            config, scored = read_config(folder), read_scores(folder)
            scores = scored[0]["scores"] if scored else {}
            told = [f"{scores[score]:.3g}" if isinstance(scores.get(score), (int, float)) else "-" for score in shown]
            rows.append((name, config.variant, "x".join(map(str, config.sample_shape)), *told))
            described.append({"name": name, "folder": str(folder), **config.model_dump(mode="json"), "scored": scored})
    return ("NAME", "VARIANT", "SHAPE", *map(str.upper, shown)), rows, described


def _to_json(registry: Registry, entry: Entry) -> dict[str, Json]:
    told: dict[str, Json] = {"name": registry.name_of(entry), "origin": asdict(entry.origin)}
    if isinstance(entry.target, Variant):
        return {**entry.target.to_json(), **told}
    target = entry.target if isinstance(entry.target, str) else repr(entry.target)
    return {"kind": entry.kind, "summary": entry.summary, "target": target, **told}
