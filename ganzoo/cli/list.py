"""``ganzoo list``: the names that can be used, and the plugin that each comes from."""

from __future__ import annotations

from dataclasses import asdict

import click

from ganzoo.cli.output import json_option, out
from ganzoo.registry import PLURALS, Entry, Kind, Registry
from ganzoo.variant import Json, Variant

KINDS: dict[str, Kind] = {plural: kind for kind, plural in PLURALS.items()}

EPILOG = """\b
Examples:
  ganzoo list
  ganzoo list '*gan*'
  ganzoo list --kind losses
  ganzoo list --json | jq -r '.[].name'

\b
Exit code 1 if nothing matches PATTERN.
"""


@click.command("list", epilog=EPILOG)
@click.argument("pattern", default="*")
@click.option("--kind", type=click.Choice(list(KINDS)), default="variants", metavar="KIND", help=f"{', '.join(KINDS)}.")
@json_option
def list_names(pattern: str, kind: str, as_json: bool) -> None:
    """List the variants, or the parts they are made of.

    PATTERN may hold the wildcards * ? [abc]; quote it. Each name comes with a summary and, as distribution:plugin, where
    it is from.
    """
    from ganzoo import plugins

    registry = plugins.load().registry
    entries = registry.entries(KINDS[kind], pattern)
    if as_json:
        out.json([_to_json(registry, entry) for entry in entries])
    else:
        rows = [
            (registry.name_of(entry), entry.summary, f"{entry.origin.distribution}:{entry.origin.plugin}") for entry in entries
        ]
        out.table(("NAME", "SUMMARY", "PLUGIN"), rows)
    if not entries and pattern == "*":
        out.say(f"ganzoo: no plugin offers {kind}; see: ganzoo plugins")
    elif not entries:
        near = registry.entries(KINDS[kind], f"*{pattern}*")
        hint = f"try: ganzoo list --kind {kind} '*{pattern}*'" if near else f"list all: ganzoo list --kind {kind}"
        out.say(f"ganzoo: none of the {kind} matches {pattern!r}; {hint}")
        click.get_current_context().exit(1)


def _to_json(registry: Registry, entry: Entry) -> Json:
    told = {"name": registry.name_of(entry), "origin": asdict(entry.origin)}
    if isinstance(entry.target, Variant):
        return {**entry.target.to_json(), **told}
    target = entry.target if isinstance(entry.target, str) else repr(entry.target)
    return {"kind": entry.kind, "summary": entry.summary, "target": target, **told}
