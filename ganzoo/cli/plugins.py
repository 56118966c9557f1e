"""``ganzoo plugins``: every plugin that was found, and how it fares."""

from __future__ import annotations

from typing import TypedDict

import click

from ganzoo.cli import plugin_commands
from ganzoo.cli.output import json_option, out
from ganzoo.plugins import Plugin, load
from ganzoo.registry import Origin

EPILOG = """\b
Examples:
  ganzoo plugins
  ganzoo plugins --json
  GANZOO_LOAD_PLUGINS=ganzoo ganzoo plugins     load only those that ship with ganzoo

\b
Status:
  ok       works
  partial  works, except for what is said
  broken   nothing of it can be used
  skipped  left out by GANZOO_LOAD_PLUGINS
"""


class Row(TypedDict):
    """One plugin as ``--json`` prints it."""

    plugin: str
    distribution: str
    version: str
    status: str
    offers: dict[str, list[str]]
    problems: list[str]
    slow_imports: list[str]


@click.command(epilog=EPILOG)
@json_option
def plugins(as_json: bool) -> None:
    """List the plugins, what they offer and what is wrong with them."""
    found = load()
    # A plugin's commands show only once they have been asked for.
    plugin_commands()
    rows = [_row(plugin.origin, status_of(plugin), plugin) for plugin in found.found]
    rows += [_row(origin, "skipped") for origin in found.skipped]
    if as_json:
        out.json(rows)
    else:
        columns = ("PLUGIN", "DISTRIBUTION", "STATUS", "OFFERS")
        out.table(columns, [(r["plugin"], f"{r['distribution']} {r['version']}", r["status"], _in_words(r)) for r in rows])


def _row(origin: Origin, status: str, plugin: Plugin | None = None) -> Row:
    return Row(
        plugin=origin.plugin,
        distribution=origin.distribution,
        version=origin.version,
        status=status,
        offers=plugin.offers if plugin else {},
        problems=plugin.problems if plugin else [],
        slow_imports=plugin.slow_imports if plugin else [],
    )


def status_of(plugin: Plugin) -> str:
    """One word for how a plugin fares."""
    if not plugin.problems:
        return "ok"
    return "partial" if plugin.offers else "broken"


def _in_words(row: Row) -> str:
    slow = [f"slows every command down by importing {', '.join(row['slow_imports'])}"] if row["slow_imports"] else []
    offers = [f"{kind}: {', '.join(names)}" for kind, names in row["offers"].items()]
    return "; ".join([*row["problems"], *slow, *offers])
