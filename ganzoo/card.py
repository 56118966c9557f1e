"""The model card: a model folder's ``README.md``, written whole from what the folder says of itself."""

from __future__ import annotations

import html
import json
import shlex
import sys
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeGuard

from ganzoo import model_folder, plugins
from ganzoo.errors import GanzooError
from ganzoo.files import replace_file
from ganzoo.measure import Measure
from ganzoo.measure_table import measures
from ganzoo.modalities.base import Modality
from ganzoo.modality_of import modality_of
from ganzoo.model_folder import REPO, ModelConfig, read_config, read_scores, weights_file
from ganzoo.network import check_client
from ganzoo.registry import Entry
from ganzoo.variant import FAMILY, Json, Variant

SPECIAL = "\\[]*~"
"""Letters that mean something to Markdown wherever they stand."""
NO_LETTERS = ("Cc", "Cs", "Zl", "Zp")
"""The categories of Unicode for controls, halves of pairs, and ends of lines and paragraphs."""
TURNING = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""What decides in which direction the letters after it are read."""
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
    name = _readable(name)
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
        *(("## How good it is", *(_table(row, config) for row in scores)) if scores else ()),
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
            dataset_type=_line(row["protocol"].get("data", "unknown")),
            dataset_name=_line(row["protocol"].get("data", "unknown")),
            metric_type=name,
            metric_name=f"{measure.title} ({_protocol(row['protocol'])})",
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
    made = f" like those of {_cell(data)}" if data else ""
    # A conditional network says so by what it was built for; that data has classes makes no network use them.
    named = ", ".join(config.class_names[:CLASSES])
    more = f" and {len(config.class_names) - CLASSES:,} more" if len(config.class_names) > CLASSES else ""
    classes = f" The data's classes: {_cell(named)}{more}." if config.class_names else ""
    family = f"{'An' if _family(config)[0] in 'aeiou' else 'A'} {_family(config)}"
    return (
        f"{family} that makes {_kind(config)}{made}: the variant `{config.variant}`{about}. "
        f"The weights are {_weights(config)}, in safetensors.{classes}"
    )


def _family(config: ModelConfig) -> str:
    variant = _variant(config)
    return variant.family if variant else FAMILY


def title_of(name: str) -> str:
    """What a card calls the model that ``ganzoo.load`` finds as ``name``: the last part of it."""
    name = _readable(name)
    repo = name.partition("@")[0]
    # A path may have an @ in it, and a revision a slash.
    return (repo if REPO.fullmatch(repo) else name).rstrip("/").rpartition("/")[2] or name


def _readable(name: str) -> str:
    """``name`` on one line, and \N{REPLACEMENT CHARACTER} for what is no letter, or would turn around those beside it."""
    told = "".join(c if unicodedata.category(c) not in NO_LETTERS and c not in TURNING else "\ufffd" for c in name)
    return told if told.strip() else "model"


def _weights(config: ModelConfig) -> str:
    loop = config.training.get("loop")
    images = loop.get("ema_images") if isinstance(loop, dict) else None
    if images == 0:
        scored = config.training.get("scored")
        when = f"after {_count(scored.get('images'))} images" if isinstance(scored, dict) else "in the end"
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
    table = "\n".join(["| | |", "|---|---|", *(f"| {key} | {_cell(value)} |" for key, value in rows)])
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
            f"{dataset.get('name')}, {_count(dataset.get('count'))} samples, SHA-256 {str(dataset.get('sha256'))[:16]}…",
        )
    if isinstance(start := told.get("start"), dict):
        roles = start.get("roles")
        which = f" ({', '.join(map(str, roles))})" if isinstance(roles, list) and roles else ""
        yield "started from", f"the weights of {start.get('from')}{which}, after {_count(start.get('images'))} images"
    yield "images seen", _count(told.get("images"))
    if is_score(seconds := told.get("seconds")):
        yield "time", f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} seconds"
    processes = told.get("processes")
    many = f", {processes} processes" if isinstance(processes, int) and processes > 1 else ""
    yield "hardware", f"{told.get('hardware') or told.get('device')}{many}"
    if isinstance(scored := told.get("scored"), dict):
        yield "weights", f"the best by {scored.get('by')}, after {_count(scored.get('images'))} images"
    for name in ("alarm", "recovered"):
        # Whoever looks for a model should read it before they have drawn a sample.
        if isinstance(found := told.get(name), dict) and isinstance(found.get("says"), str):
            yield "noticed", found["says"]
    if told.get("interrupted") is True:
        yield "ended", "before its budget was spent"
    yield "software", f"ganzoo {config.ganzoo}, torch {told.get('torch')}"


def _table(row: Mapping[str, Any], config: ModelConfig) -> str:
    scores, protocol = row["scores"], row["protocol"]
    lines = [
        f"| {measure.title} | {float(scores[name]):.4g} | {measure.meaning} |" for name, measure in measured(scores).items()
    ]
    seed = f", seeds from {_count(protocol.get('seed'))}"
    versions = protocol.get("versions")
    by = ", ".join(f"{k} {v}" for k, v in versions.items()) if isinstance(versions, dict) else ""
    published = "fd" not in scores or protocol.get("extractor") == "inception"
    seen = f"{_as_seen(protocol)}, " if "extractor" in protocol else ""
    fid = "" if published else "A Fréchet distance by these features is no FID. "
    return (
        "\n".join(["| score | | |", "|---|---|---|", *lines])
        + f"\n\nProtocol: {_protocol(protocol)}{seed}; {seen}data's {'' if seen else 'SHA-256 '}"
        f"`{_cell(protocol.get('data_sha256'))[:16]}`; {_cell(by)}. "
        f"{_seen(row, config)}{_extractor(protocol)}{fid}Scores of another protocol cannot be compared with these."
    )


def _as_seen(protocol: Mapping[str, Json]) -> str:
    """As what an extractor saw pictures, and by which hash it is known."""
    resize = protocol.get("resize")
    resized = "not resized" if resize == "none" else f"resized: {_cell(resize)}"
    pictures = f"{_cell(protocol['pictures'])}, " if protocol.get("pictures") else ""
    return f"pictures {pictures}{resized}; extractor's SHA-256 `{_cell(protocol.get('extractor_sha256'))[:16]}`"


def _extractor(protocol: Mapping[str, Json]) -> str:
    name = protocol.get("extractor")
    entry = plugins.load().registry.find("extractor", name) if isinstance(name, str) else None
    return f"{entry.name}: {entry.summary}. " if entry and entry.summary else ""


def _seen(row: Mapping[str, Any], config: ModelConfig) -> str:
    """A warning, if a model was scored against what it was trained on."""
    trained_on = config.training.get("dataset")
    if isinstance(trained_on, dict) and trained_on.get("sha256") == row["protocol"].get("data_sha256") is not None:
        return "**These are the very samples that it was trained on, not held-out ones.** "
    return "**Some of these it was trained on: they are not held-out ones.** " if row.get("held_out") is False else ""


def _protocol(protocol: Mapping[str, Json]) -> str:
    n_fake, n_real = _count(protocol.get("n_fake")), _count(protocol.get("n_real"))
    method = protocol.get("method")
    by = f"by the protocol {_cell(method)}" if method else f"features of {_cell(protocol.get('extractor'))}"
    return f"{n_fake} samples against {n_real} of {_cell(protocol.get('data'))}, {by}"


def _limits(config: ModelConfig, scores: Sequence[Mapping[str, Any]]) -> str:
    data = _cell(_dataset(config)) or "its training data"
    kind = _kind(config)
    lines = [
        f"- It makes {kind} like those of {data} and nothing else, and has that data's choices and gaps: what is rare there "
        "is rarer here.",
        f"- Like every such model it leaves out a part of the data{_left_out(scores, config)}, and some samples are malformed."
        " Truncation (`sample(..., truncation=0.7)`) makes samples vary less, which need not make them better."
        if scores
        else "- Like every such model it leaves out a part of the data, and some samples are malformed. It has not been scored"
        f"{_while_training(config)}.",
        "- Samples are not data: do not use them as if they had been measured or photographed.",
    ]
    if config.license:
        lines.append(f"- The weights may be used under the licence `{config.license}`; the data has its own.")
    else:
        lines.append("- Nobody has said under which licence the weights may be used.")
    return "\n".join(lines)


def _left_out(scores: Sequence[Mapping[str, Any]], config: ModelConfig) -> str:
    """By the largest sample of held-out data, if there are several."""
    held_out = [row for row in scores if is_score(row["scores"].get("recall")) and not _seen(row, config)]
    row = max(held_out, key=lambda row: n if isinstance(n := row["protocol"].get("n_real"), int) else 0, default=None)
    if row is None or not 0 <= (recall := row["scores"]["recall"]) <= 1:
        return ""
    return f": {1 - recall:.0%} of real samples are like none of its own (1 - recall; {_protocol(row['protocol'])})"


def _while_training(config: ModelConfig) -> str:
    told = config.training.get("scored")
    if not isinstance(told, dict) or not is_score(score := told.get("score")):
        return ""
    judge, by = told.get("judge"), ""
    if isinstance(judge, dict) and {"extractor", "n_real"} <= judge.keys():
        by = f" ({_count(judge['n_real'])} of each, features of {_cell(judge['extractor'])})"
    return f" against held-out data; while it trained, its {_cell(told.get('by'))} to training samples was {score:.4g}{by}"


def _files(config: ModelConfig, folder: Path) -> str:
    about = {
        model_folder.CONFIG: "the variant, its plugin, every constructor argument, and how it was trained",
        **{weights_file(role): f"the {role}" for role in config.networks},
        model_folder.SCORES: "all scores with their whole protocols",
        "samples.png": "samples, none picked",
        "samples.npz": "samples, none picked",
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
    return plugins.load().registry.find("dataset", name) if isinstance(name, str) else None


def _dataset(config: ModelConfig) -> str:
    """The training data's name, as a tag can have it; empty where there is none."""
    told = config.training.get("dataset")
    name = told.get("name") if isinstance(told, dict) else None
    return name if isinstance(name, str) and name.isprintable() and 0 < len(name) <= 96 else ""


def _kind(config: ModelConfig) -> str:
    """What the model makes, in words; its plugin's, if that is here."""
    modality = _modality(config)
    return modality.describe() if modality else f"samples of shape {'x'.join(map(str, config.sample_shape))}"


def _modality(config: ModelConfig) -> Modality | None:
    """What samples are; None if the plugin that knows is not here: a card can be written all the same."""
    try:
        return modality_of(config)
    except GanzooError:
        return None


def _suffix(config: ModelConfig) -> str:
    """What ``ganzoo sample`` best writes such samples as."""
    modality = _modality(config)
    return Path(modality.output).suffix if modality else ".npz"


def measured(scores: Mapping[str, Json]) -> dict[str, Measure]:
    """The measures of which there is a score that can be shown, in the order of the table."""
    return {name: m for name, m in measures(plugins.load().registry).items() if is_score(scores.get(name))}


def is_score(value: Json) -> TypeGuard[float]:
    """Whether a stranger's value is a number that can be shown and compared."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _count(value: Json) -> str:
    return f"{value:,}" if isinstance(value, int) else "?"


def _line(value: Json) -> str:
    return " ".join(str(value).split())


def _cell(value: Json) -> str:
    """A stranger's words as they may stand in a table or a sentence: on one line, no column, link or tag of their own."""
    words = _line(value).replace("|", "/").replace("`", "'")
    words = html.escape("".join(f"\\{letter}" if letter in SPECIAL else letter for letter in words), quote=False)
    # What looks like an address becomes a link without any brackets.
    for letters, code in (("://", "&#58;//"), ("www.", "www&#46;"), ("WWW.", "WWW&#46;"), ("@", "&#64;")):
        words = words.replace(letters, code)
    return words
