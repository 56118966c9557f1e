"""``ganzoo info``: one variant, its parts and its presets."""

from __future__ import annotations

from dataclasses import asdict

import click

from ganzoo.cli.output import json_option, out
from ganzoo.variant import Json

EPILOG = """\b
Examples:
  ganzoo info dcgan
  ganzoo info dcgan --json
"""


@click.command(epilog=EPILOG)
@click.argument("name")
@json_option
def info(name: str, as_json: bool) -> None:
    """Show what the variant NAME is made of, the options of its parts with their defaults, and its presets."""
    from ganzoo import plugins
    from ganzoo.factory import kind_of, options_of
    from ganzoo.training.config import LoopSettings

    registry = plugins.load().registry
    entry = registry.get("variant", name)
    variant = registry.variant(name)
    parts = [(role, kind_of(role), component) for role, component in variant.roles.items()]
    parts += [("loss", "loss", variant.loss), ("trainer", "trainer", variant.trainer)]
    parts += [(f"penalties.{penalty}", "penalty", penalty) for penalty in variant.penalties]
    options: dict[str, Json] = {key: field.default for key, field in LoopSettings.model_fields.items()}
    for label, kind, component in parts:
        found = options_of(registry.resolve(kind, component, within=entry.origin))
        prefix = "" if label == "trainer" else f"{label}."
        options |= {f"{prefix}{o.name}": None if o.required else o.default for o in found.values()}
    described = variant.to_json()
    if as_json:
        out.json({**described, "origin": asdict(entry.origin), "options": options})
        return
    presets: dict[str, dict[str, Json]] = {}
    for preset, content in described["presets"].items():
        about = {"": content["summary"]} | ({"from": content["source"]} if content["source"] else {})
        presets[f"preset {preset}"] = about | {key: _literal(value) for key, value in content["options"].items()}
    out.fields(
        {
            registry.name_of(entry): {
                "summary": variant.summary,
                "paper": variant.paper,
                "plugin": f"{entry.origin.distribution}:{entry.origin.plugin} {entry.origin.version}",
            },
            "parts": {label: component for label, _, component in parts},
            "options and their defaults": {key: _literal(value) for key, value in options.items()},
            **presets,
        }
    )


def _literal(value: Json) -> str:
    """The value as ``-o`` takes it."""
    import json

    from ganzoo.variant import thaw

    return value if isinstance(value, str) else json.dumps(thaw(value))
