"""``ganzoo info``: one variant, its parts and its presets."""

from __future__ import annotations

from dataclasses import asdict

import click

from ganzoo.cli import complete
from ganzoo.cli.output import json_option, out
from ganzoo.variant import Json

EPILOG = """\b
Examples:
  ganzoo info dcgan
  ganzoo info dcgan@paper
  ganzoo info dcgan --json
"""


@click.command(epilog=EPILOG)
@click.argument("name", shell_complete=complete.variants)
@json_option
def info(name: str, as_json: bool) -> None:
    """Show what the variant NAME, or NAME@PRESET, is made of, every option with its value, and its presets."""
    from ganzoo import plugins
    from ganzoo.errors import UsageError
    from ganzoo.factory import options_of, summaries_of
    from ganzoo.hub.shipped import shipped_models
    from ganzoo.model_folder import CARD
    from ganzoo.training.config import LoopSettings, resolve

    if name in (shipped := shipped_models()):
        raise UsageError(f"{name} is a trained model, not a variant", hint=f"its card is {shipped[name] / CARD}")
    registry = plugins.load().registry
    config = resolve(registry, name)
    entry, variant = config.entry, config.variant
    penalties = {f"penalties.{penalty}": part for penalty, part in config.penalties.items()}
    options: dict[str, Json] = config.loop.model_dump()
    summaries: dict[str, Json] = dict(summaries_of(LoopSettings))
    for label, part in (config.parts | penalties).items():
        prefix = "" if label == "trainer" else f"{label}."
        options |= {f"{prefix}{option}": value for option, value in part.arguments.items()}
        summaries |= {f"{prefix}{name}": option.summary for name, option in options_of(part.component).items()}
    described = variant.to_json()
    if as_json:
        about = {name: summaries.get(name, "") for name in options}
        out.json({**described, "origin": asdict(entry.origin), "options": options, "about": about})
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
            "parts": {label: part.name for label, part in (config.parts | penalties).items()},
            f"options, as the preset {config.preset} has them": {
                key: f"{_literal(value):<12}  {summaries.get(key, '')}" for key, value in options.items()
            },
            **presets,
        }
    )


def _literal(value: Json) -> str:
    """The value as ``-o`` takes it."""
    import json

    from ganzoo.variant import thaw

    return value if isinstance(value, str) else json.dumps(thaw(value))
