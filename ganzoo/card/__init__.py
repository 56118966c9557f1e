"""The model card: a model folder's ``README.md``, written whole from what the folder says of itself."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ganzoo import model_folder, plugins
from ganzoo.card.scores import is_score, left_out, measured, protocol_in_words, score_table, score_while_training
from ganzoo.card.words import cell, count, line, readable, title_of
from ganzoo.errors import GanzooError
from ganzoo.files import replace_file
from ganzoo.modalities.asking import description_of, output_of
from ganzoo.modalities.base import Modality
from ganzoo.modality_of import modality_of
from ganzoo.model_folder import REPO, ModelConfig, read_config, read_scores, weights_file
from ganzoo.network import check_client
from ganzoo.registry import Entry
from ganzoo.variant import FAMILY, Variant

CLASSES = 20
"""How many classes are named on a card."""
PICTURES = (".png", ".webp")
"""What a preview ends in that a card can show."""
TAG = "ganzoo"
VARIANT_TAG = "variant:"
DATA_TAG = "data:"
"""The Hub's own tags for datasets are of its own datasets, and a model may be trained on any."""


def write_card(folder: Path, name: str) -> Path:
    """Write :func:`card` as ``README.md`` into a model folder. Returns its path."""
    text = card(folder, name)
    path = folder / model_folder.CARD
    with replace_file(path) as beside:
        beside.write_text(text, encoding="utf-8")
    return path


def card(folder: Path, name: str) -> str:
    """The card of the model in ``folder``, as Markdown with the metadata that the Hub reads before it.

    Args:
        folder: A model folder.
        name: What ``ganzoo.load`` will be given: ``user/repo``, ``user/repo@revision``, or the name of a generator that ships.

    Raises:
        ModelError: The folder's configuration cannot be read.
        UsageError: As :func:`check_client`.
    """
    name = readable(name)
    config, scores = read_config(folder), read_scores(folder)
    preview = next((file for file in model_folder.PREVIEWS if (folder / file).is_file()), None)
    sections = [
        f"# {title_of(name)}",
        _what(config),
        f"![Samples, none picked]({preview})" if preview and preview.endswith(PICTURES) else "",
        _shown(config) if preview and preview.endswith(PICTURES) else "",
        "## Use",
        _use(config, name),
        "## How it was trained",
        _training(config),
        *(("## How good it is", *(score_table(row, config) for row in scores)) if scores else ()),
        "## Limits and bias",
        _limits(config, scores),
        "## Files",
        _files(config, folder),
        "## Citation",
        _citation(config),
    ]
    return _metadata(config, scores, name) + "\n" + "\n\n".join(section for section in sections if section) + "\n"


def _metadata(config: ModelConfig, scores: Sequence[Mapping[str, Any]], name: str) -> str:
    check_client()
    from huggingface_hub import EvalResult, ModelCardData

    data, modality = _registered(config), _modality(config)
    task = modality.hub_task if modality else None
    results = [
        EvalResult(
            task_type=task or "other",
            dataset_type=line(row["protocol"].get("data", "unknown")),
            dataset_name=line(row["protocol"].get("data", "unknown")),
            metric_type=name,
            metric_name=f"{measure.title} ({protocol_in_words(row['protocol'])})",
            metric_value=round(float(row["scores"][name]), 6),
        )
        for row in scores
        for name, measure in measured(row["scores"]).items()
    ]
    base = _base_model(config)
    told = ModelCardData(
        library_name="ganzoo",
        license=config.license or "unknown",
        # What is nobody's name for a dataset but the user's own would pass for one of the Hub's.
        datasets=[data.name] if data else None,
        base_model=base,
        tags=_tags(config),
        pipeline_tag=task,
        model_name=title_of(name) if results else None,
        eval_results=results or None,
    )
    return f"---\n{told.to_yaml()}\n---\n"


def _base_model(config: ModelConfig) -> str | None:
    """The repository of the Hub whose model it was trained from, if that is what it was."""
    start = config.training.get("start")
    name = start.get("repository") if isinstance(start, dict) else None
    return name if isinstance(name, str) and REPO.fullmatch(name) else None


def _tags(config: ModelConfig) -> list[str]:
    """By which the Hub finds it."""
    family = ["gan"] if _family(config) == FAMILY else []
    data = [f"{DATA_TAG}{name}"] if (name := _dataset(config)) else []
    return [TAG, *family, f"{VARIANT_TAG}{config.variant}", *data]


def _what(config: ModelConfig) -> str:
    variant = _variant(config)
    about = f" ({variant.summary})" if variant else ""
    data = _dataset(config)
    made = f" like those of {cell(data)}" if data else ""
    # A conditional network says so by what it was built for; that data has classes makes no network use them.
    named = ", ".join(config.class_names[:CLASSES])
    more = f" and {len(config.class_names) - CLASSES:,} more" if len(config.class_names) > CLASSES else ""
    classes = f" The data's classes: {cell(named)}{more}." if config.class_names else ""
    family = f"{'An' if _family(config)[0] in 'aeiou' else 'A'} {_family(config)}"
    return (
        f"{family} that makes {_kind(config)}{made}: the variant `{config.variant}`{about}. "
        f"The weights are {_weights(config)}, in safetensors.{classes}"
    )


def _family(config: ModelConfig) -> str:
    variant = _variant(config)
    return variant.family if variant else FAMILY


def _weights(config: ModelConfig) -> str:
    loop = config.training.get("loop")
    images = loop.get("ema_images") if isinstance(loop, dict) else None
    if images == 0:
        scored = config.training.get("scored")
        when = f"after {count(scored.get('images'))} images" if isinstance(scored, dict) else "in the end"
        return f"those that its generator had {when}, not an average"
    half_life = f", half-life up to {images:,.0f} images" if is_score(images) else ""
    return f"its generator's average over training (EMA{half_life})"


def _shown(config: ModelConfig) -> str:
    if config.samples is None:
        return ""
    seeds = config.samples.seeds
    return f"Samples of the seeds {seeds[0]} to {seeds[-1]}, none picked."


def _use(config: ModelConfig, name: str) -> str:
    own = config.plugin.distribution == "ganzoo"
    needs = "" if own else f" and its plugin `{config.plugin.distribution}`"
    shape = ", ".join(map(str, config.sample_shape))
    span = f", in [{config.value_range[0]:g}, {config.value_range[1]:g}]" if config.value_range else ""
    return (
        f"With ganzoo {config.ganzoo} or later{needs} installed (from its own repository; what PyPI has under that name is "
        "something else):\n\n"
        f"```python\nimport ganzoo\n\ngenerator = ganzoo.load({json.dumps(name, ensure_ascii=False)})\n"
        f"samples = generator.sample(seeds=range(16))  # (16, {shape}){span}\n```\n\n"
        "A seed's sample is the same in any batch and on any machine, but for rounding. On the command line: "
        f"`ganzoo sample {shlex.quote(name)} --seeds 0-63 -o samples{_suffix(config)}`."
    )


def _training(config: ModelConfig) -> str:
    told = config.training
    rows = list(_training_rows(config))
    table = "\n".join(["| | |", "|---|---|", *(f"| {key} | {cell(value)} |" for key, value in rows)])
    command = told.get("command")
    if not isinstance(command, str) or "```" in command:
        return table
    language = "python" if command.startswith("ganzoo.train(") else "sh"
    return f"```{language}\n{command}\n```\n\n{table}"


def _training_rows(config: ModelConfig) -> Iterator[tuple[str, str]]:
    told = config.training
    dataset = told.get("dataset")
    if isinstance(dataset, dict):
        yield (
            "data",
            f"{dataset.get('name')}, {count(dataset.get('count'))} samples, SHA-256 {str(dataset.get('sha256'))[:16]}…",
        )
    if isinstance(start := told.get("start"), dict):
        roles = start.get("roles")
        which = f" ({', '.join(map(str, roles))})" if isinstance(roles, list) and roles else ""
        yield "started from", f"the weights of {start.get('from')}{which}, after {count(start.get('images'))} images"
    yield "images seen", count(told.get("images"))
    if is_score(seconds := told.get("seconds")):
        yield "time", f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} seconds"
    processes = told.get("processes")
    many = f", {processes} processes" if isinstance(processes, int) and processes > 1 else ""
    yield "hardware", f"{told.get('hardware') or told.get('device')}{many}"
    if isinstance(scored := told.get("scored"), dict):
        yield "weights", f"the best by {scored.get('by')}, after {count(scored.get('images'))} images"
    for name in ("alarm", "recovered"):
        # Whoever looks for a model should read it before they have drawn a sample.
        if isinstance(found := told.get(name), dict) and isinstance(found.get("says"), str):
            yield "noticed", found["says"]
    if told.get("interrupted") is True:
        yield "ended", "before its budget was spent"
    yield "software", f"ganzoo {config.ganzoo}, torch {told.get('torch')}"


def _limits(config: ModelConfig, scores: Sequence[Mapping[str, Any]]) -> str:
    data = cell(_dataset(config)) or "its training data"
    kind = _kind(config)
    lines = [
        f"- It makes {kind} like those of {data} and nothing else, and has that data's choices and gaps: what is rare there "
        "is rarer here.",
        f"- Like every such model it leaves out a part of the data{left_out(scores, config)}, and some samples are malformed."
        " Truncation (`sample(..., truncation=0.7)`) makes samples vary less, which need not make them better."
        if scores
        else "- Like every such model it leaves out a part of the data, and some samples are malformed. It has not been scored"
        f"{score_while_training(config)}.",
        "- Samples are not data: do not use them as if they had been measured or photographed.",
    ]
    if config.license:
        lines.append(f"- The weights may be used under the licence `{config.license}`; the data has its own.")
    else:
        lines.append("- Nobody has said under which licence the weights may be used.")
    return "\n".join(lines)


def _files(config: ModelConfig, folder: Path) -> str:
    about = {
        model_folder.CONFIG: "the variant, its plugin, every constructor argument, and how it was trained",
        **{weights_file(role): f"the {role}" for role in config.networks},
        model_folder.SCORES: "all scores with their whole protocols",
        **dict.fromkeys(model_folder.PREVIEWS, "samples, none picked"),
    }
    certain = {model_folder.CONFIG, *map(weights_file, config.networks)}
    return "\n".join(f"- `{name}`: {text}" for name, text in about.items() if name in certain or (folder / name).is_file())


def _citation(config: ModelConfig) -> str:
    variant = _variant(config)
    method = f"The method:\n\n> {variant.paper}\n\n" if variant else ""
    data = _registered(config)
    method += f"The data:\n\n> {data.name}: {data.summary}\n\n" if data and data.summary else ""
    return f"{method}The software: ganzoo, a model zoo for generative adversarial networks, version {config.ganzoo}."


def _variant(config: ModelConfig) -> Variant | None:
    """What the plugin says of the variant, if it is installed here."""
    entry = plugins.load().registry.find("variant", f"{config.plugin.distribution}:{config.variant}")
    return entry.target if entry and isinstance(entry.target, Variant) else None


def _registered(config: ModelConfig) -> Entry | None:
    """The dataset that it was trained on, if a plugin here has it; a folder of its name is another."""
    name = config.training.get("data")
    return plugins.load().registry.find("dataset", name.partition("?")[0]) if isinstance(name, str) else None


def _dataset(config: ModelConfig) -> str:
    """The training data's name, as a tag can have it; empty where there is none."""
    told = config.training.get("dataset")
    name = told.get("name") if isinstance(told, dict) else None
    return name if isinstance(name, str) and name.isprintable() and 0 < len(name) <= 96 else ""


def _kind(config: ModelConfig) -> str:
    """What the model makes, in words; its plugin's, if that is here."""
    modality = _modality(config)
    if modality is None:
        return f"samples of shape {'x'.join(map(str, config.sample_shape))}"
    return description_of(modality)


def _modality(config: ModelConfig) -> Modality | None:
    """What samples are; None if the plugin that knows is not here: a card can be written all the same."""
    try:
        return modality_of(config)
    except GanzooError:
        return None


def _suffix(config: ModelConfig) -> str:
    """What ``ganzoo sample`` best writes such samples as."""
    modality = _modality(config)
    return Path(output_of(modality)).suffix if modality else ".npz"
