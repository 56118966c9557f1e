"""``ganzoo info``: a variant, its parts and its presets; or a run or a trained model, and what to do with it next."""

from __future__ import annotations

from dataclasses import asdict

import click

from ganzoo.cli import complete
from ganzoo.cli.output import json_option, out
from ganzoo.registry import Registry
from ganzoo.variant import Json

EPILOG = """\b
Examples:
  ganzoo info dcgan
  ganzoo info dcgan@paper
  ganzoo info runs/dcgan-fashion-mnist-10k       how far the run is, its scores, the commands to use next
  ganzoo info dcgan-fashion-mnist                a model that ships, a model's folder, or one that was pulled
  ganzoo info dcgan --json

\b
A folder that is called like a variant: ganzoo info ./dcgan
"""


@click.command(epilog=EPILOG)
@click.argument("name", shell_complete=complete.described)
@json_option
def info(name: str, as_json: bool) -> None:
    """Show what NAME is: a variant, a dataset, the folder of a run, or a trained model.

    Of a variant (or NAME@PRESET): its parts, every option with its value, and its presets. Of a run or a model: what it was
    trained on and how long, what was noticed, its scores with their protocols, where its files are, and the commands that
    sample it, score it and resume it. Of a registered dataset: its options. Nothing is downloaded.
    """
    from ganzoo import plugins
    from ganzoo.errors import UnknownNameError
    from ganzoo.hub.shipped import shipped_models

    registry, shipped = plugins.load().registry, shipped_models()
    # With the options that --data takes after it, a dataset is described all the same.
    dataset = name.partition("?")[0]
    is_variant = registry.find("variant", name.partition("@")[0]) is not None
    if (is_variant or registry.find("dataset", dataset)) and _is_folder(name):
        out.say(f"{name!r} is a folder here, too: ganzoo info ./{name}")
    if is_variant:
        _tell_variant(registry, name, as_json=as_json)
    elif registry.find("dataset", dataset):
        _tell_dataset(registry, dataset, as_json=as_json)
    elif name in shipped or "/" in name or name.startswith((".", "~", "shipped:")) or _is_folder(name):
        from ganzoo.cli.info_folder import find_folder, tell
        from ganzoo.training.report import report

        tell(name, report(find_folder(name, shipped=shipped)), registry, as_json=as_json)
    else:
        known = [*registry.names("variant"), *registry.names("dataset"), *shipped]
        raise UnknownNameError(
            "variant, dataset or model", name, known, hint="a run or a model of your own is told by its folder"
        )


def _is_folder(name: str) -> bool:
    import os

    # Of names that no file can have, pathlib raises.
    return os.path.isdir(name)  # noqa: PTH112


def _tell_variant(registry: Registry, name: str, *, as_json: bool) -> None:
    from ganzoo.options import options_of, summaries_of
    from ganzoo.training.config import resolve
    from ganzoo.training.settings import LoopSettings

    config = resolve(registry, name)
    entry, variant = config.entry, config.variant
    options: dict[str, Json] = config.loop.model_dump()
    summaries: dict[str, Json] = dict(summaries_of(LoopSettings))
    for label, part in (config.parts | config.terms).items():
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
        larger = {
            f"from {side} pixels a side on": " ".join(f"{key}={_literal(value)}" for key, value in options.items())
            for side, options in content["from_pixels"].items()
        }
        presets[f"preset {preset}"] = about | {key: _literal(value) for key, value in content["options"].items()} | larger
    out.fields(
        {
            registry.name_of(entry): {
                "summary": variant.summary,
                "family": variant.family,
                "paper": variant.paper,
                "data": variant.data,
                "plugin": f"{entry.origin.distribution}:{entry.origin.plugin} {entry.origin.version}",
            },
            "parts": {label: part.name for label, part in (config.parts | config.terms).items()},
            f"options, as the preset {config.preset} has them": {
                key: f"{_literal(value):<12}  {summaries.get(key, '')}" for key, value in options.items()
            },
            **presets,
        }
    )


def _tell_dataset(registry: Registry, name: str, *, as_json: bool) -> None:
    """A registered dataset: where it comes from, what it is scored by, and the options that follow its name."""
    from ganzoo.options import options_of

    entry = registry.get("dataset", name)
    options = [o for o in options_of(entry.resolve()).values() if o.name not in ("resolution", "progress")]
    if as_json:
        told = [{"name": o.name, "default": None if o.required else o.default, "about": o.summary} for o in options]
        out.json({"dataset": entry.name, "summary": entry.summary, "origin": asdict(entry.origin), "options": told})
        return
    facts = {
        "summary": entry.summary,
        "plugin": f"{entry.origin.distribution}:{entry.origin.plugin} {entry.origin.version}",
        "scored by": entry.held_out,
        "train on it": f"ganzoo train NAME --data {name}",
    }
    shown = {o.name: f"{'needed' if o.required else _literal(o.default):<12}  {o.summary}" for o in options}
    out.fields(
        {
            registry.name_of(entry): {key: value for key, value in facts.items() if value},
            **({f"options: --data '{name}?KEY=VALUE'": shown} if shown else {}),
        }
    )


def _literal(value: Json) -> str:
    """The value as ``-o`` takes it."""
    import json

    from ganzoo.variant import thaw

    return value if isinstance(value, str) else json.dumps(thaw(value))
