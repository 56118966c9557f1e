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
TOLD = ("fd", "kid", "coverage")
"""The scores in the table of models; the others are in --json and on the card."""

EPILOG = """\b
Examples:
  ganzoo list
  ganzoo list '*gan*'
  ganzoo list --kind losses
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
    entries = registry.entries(kind, pattern)
    rows: list[tuple[str, ...]] = [
        (registry.name_of(entry), entry.summary, f"{entry.origin.distribution}:{entry.origin.plugin}") for entry in entries
    ]
    return ("NAME", "SUMMARY", "PLUGIN"), rows, [_to_json(registry, entry) for entry in entries]


def _models(pattern: str) -> Listed:
    from ganzoo.hub.shipped import shipped_models
    from ganzoo.model_folder import read_config, read_scores

    rows: list[tuple[str, ...]] = []
    described: list[Json] = []
    for name, folder in shipped_models().items():
        if fnmatch.fnmatchcase(name, pattern):
            config, scored = read_config(folder), read_scores(folder)
            scores = scored[0]["scores"] if scored else {}
            told = [f"{scores[score]:.3g}" if isinstance(scores.get(score), (int, float)) else "-" for score in TOLD]
            rows.append((name, config.variant, "x".join(map(str, config.sample_shape)), *told))
            described.append({"name": name, "folder": str(folder), **config.model_dump(mode="json"), "scored": scored})
    return ("NAME", "VARIANT", "SHAPE", *map(str.upper, TOLD)), rows, described


def _to_json(registry: Registry, entry: Entry) -> Json:
    told = {"name": registry.name_of(entry), "origin": asdict(entry.origin)}
    if isinstance(entry.target, Variant):
        return {**entry.target.to_json(), **told}
    target = entry.target if isinstance(entry.target, str) else repr(entry.target)
    return {"kind": entry.kind, "summary": entry.summary, "target": target, **told}
