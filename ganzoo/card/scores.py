"""What a model's card says of its scores, and of the protocols by which they were taken."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from ganzoo import plugins
from ganzoo.card.words import cell, count
from ganzoo.measures.base import Measure
from ganzoo.measures.table import measures
from ganzoo.model_folder import ModelConfig
from ganzoo.variant import Json


def score_table(row: Mapping[str, Any], config: ModelConfig) -> str:
    """One row of a model's scores as a table, with its whole protocol below."""
    scores, protocol = row["scores"], row["protocol"]
    lines = [
        f"| {measure.title} | {float(scores[name]):.4g} | {measure.meaning} |" for name, measure in measured(scores).items()
    ]
    seed = f", seeds from {count(protocol.get('seed'))}"
    versions = protocol.get("versions")
    by = ", ".join(f"{k} {v}" for k, v in versions.items()) if isinstance(versions, dict) else ""
    published = "fd" not in scores or protocol.get("extractor") == "inception"
    seen = f"{_as_seen(protocol)}, " if "extractor" in protocol else ""
    fid = "" if published else "A Fréchet distance by these features is no FID. "
    return (
        "\n".join(["| score | | |", "|---|---|---|", *lines])
        + f"\n\nProtocol: {protocol_in_words(protocol)}{seed}; {seen}data's {'' if seen else 'SHA-256 '}"
        f"`{cell(protocol.get('data_sha256'))[:16]}`; {cell(by)}. "
        f"{seen_in_training(row, config)}{_extractor(protocol)}{fid}Scores of another protocol cannot be compared with these."
    )


def _as_seen(protocol: Mapping[str, Json]) -> str:
    """As what an extractor saw pictures, and by which hash it is known."""
    resize = protocol.get("resize")
    resized = "not resized" if resize == "none" else f"resized: {cell(resize)}"
    pictures = f"{cell(protocol['pictures'])}, " if protocol.get("pictures") else ""
    return f"pictures {pictures}{resized}; extractor's SHA-256 `{cell(protocol.get('extractor_sha256'))[:16]}`"


def _extractor(protocol: Mapping[str, Json]) -> str:
    name = protocol.get("extractor")
    entry = plugins.load().registry.find("extractor", name) if isinstance(name, str) else None
    return f"{entry.name}: {entry.summary}. " if entry and entry.summary else ""


def seen_in_training(row: Mapping[str, Any], config: ModelConfig) -> str:
    """A warning, if a model was scored against what it was trained on."""
    trained_on = config.training.get("dataset")
    if isinstance(trained_on, dict) and trained_on.get("sha256") == row["protocol"].get("data_sha256") is not None:
        return "**These are the very samples that it was trained on, not held-out ones.** "
    return "**Some of these it was trained on: they are not held-out ones.** " if row.get("held_out") is False else ""


def protocol_in_words(protocol: Mapping[str, Json]) -> str:
    """How many samples were compared with how many of which data, and by what."""
    n_fake, n_real = count(protocol.get("n_fake")), count(protocol.get("n_real"))
    method = protocol.get("method")
    by = f"by the protocol {cell(method)}" if method else f"features of {cell(protocol.get('extractor'))}"
    return f"{n_fake} samples against {n_real} of {cell(protocol.get('data'))}, {by}"


def left_out(scores: Sequence[Mapping[str, Any]], config: ModelConfig) -> str:
    """By the largest sample of held-out data, if there are several."""
    held_out = [row for row in scores if is_score(row["scores"].get("recall")) and not seen_in_training(row, config)]
    row = max(held_out, key=lambda row: n if isinstance(n := row["protocol"].get("n_real"), int) else 0, default=None)
    if row is None or not 0 <= (recall := row["scores"]["recall"]) <= 1:
        return ""
    return f": {1 - recall:.0%} of real samples are like none of its own (1 - recall; {protocol_in_words(row['protocol'])})"


def score_while_training(config: ModelConfig) -> str:
    """The score for which the weights were chosen, in words that go on from there being no other; empty if there is none."""
    told = config.training.get("scored")
    if not isinstance(told, dict) or not is_score(score := told.get("score")):
        return ""
    judge, by = told.get("judge"), ""
    if isinstance(judge, dict) and {"extractor", "n_real"} <= judge.keys():
        by = f" ({count(judge['n_real'])} of each, features of {cell(judge['extractor'])})"
    return f" against held-out data; while it trained, its {cell(told.get('by'))} to training samples was {score:.4g}{by}"


def measured(scores: Mapping[str, Json]) -> dict[str, Measure]:
    """The measures of which there is a score that can be shown, in the order of the table."""
    return {name: m for name, m in measures(plugins.load().registry).items() if is_score(scores.get(name))}


def is_score(value: Json) -> TypeGuard[float]:
    """Whether a stranger's value is a number that can be shown and compared."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
