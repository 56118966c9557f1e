"""Models on the Hub that ganzoo can load."""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ganzoo import plugins
from ganzoo.card import DATA_TAG, TAG, VARIANT_TAG
from ganzoo.card.scores import is_score
from ganzoo.errors import UnknownNameError
from ganzoo.hub.client import talking
from ganzoo.measures.table import LISTED, measures
from ganzoo.variant import Json

if TYPE_CHECKING:
    from huggingface_hub.hf_api import ModelInfo


@dataclass(frozen=True)
class Hit:
    """A repository with a model.

    Attributes:
        repo: ``user/repo``.
        variant, data: By its tags; empty where they do not say.
        score: The value that was asked for, with its protocol; None if it does not have it.
        protocol: How the score was measured, in words.
        downloads, likes: As the Hub counts them.
    """

    repo: str
    variant: str
    data: str
    score: float | None
    protocol: str
    downloads: int
    likes: int


def search(
    text: str = "", *, variant: str | None = None, data: str | None = None, score: str = "fd", limit: int = 50
) -> list[Hit]:
    """Models on the Hub; those with the best score come first, those without it last.

    Args:
        text: In the repository's name.
        variant, data: Only of this variant, and trained on this dataset.
        score: The measure, ``fd``, ``kid`` …, whose score is told; scores of different protocols are listed by protocol, not
            mixed.
        limit: The most that are asked for.

    Raises:
        HubError: The Hub cannot be reached.
        UnknownNameError: No such score.
    """
    table = measures(plugins.load().registry)
    if score not in table:
        raise UnknownNameError("score", score, table, hint=LISTED)
    goal = table[score].goal
    tags = [TAG, *([VARIANT_TAG + variant] if variant else []), *([DATA_TAG + data] if data else [])]
    with talking(without="without it there are the models that ship: ganzoo list --kind models"):
        from huggingface_hub import HfApi

        # Of the cards, what the client does not read itself: it raises whatever a stranger's card makes it raise.
        found = list(
            HfApi(library_name="ganzoo").list_models(
                filter=tags, search=text or None, limit=limit, expand=["downloads", "likes", "model-index", "tags"]
            )
        )
    hits = [hit for model in found for hit in _hits(model, score)]
    return sorted(hits, key=lambda hit: (hit.score is None, hit.protocol, goal.distance(hit.score or 0), hit.repo))


def _hits(model: ModelInfo, score: str) -> Iterator[Hit]:
    """One for each protocol that the model has been scored by; one without a score if there is none."""

    def tagged(prefix: str) -> str:
        return next((tag.removeprefix(prefix) for tag in model.tags or () if tag.startswith(prefix)), "")

    told = (model.id, tagged(VARIANT_TAG), tagged(DATA_TAG))
    counts = (model.downloads or 0, model.likes or 0)
    scored = [m for m in _metrics(model.model_index) if m.get("type") == score and is_score(m.get("value"))]
    for metric in scored:
        protocol = html.unescape(str(metric.get("name") or "")).partition("(")[2].removesuffix(")")
        yield Hit(*told, float(metric["value"]), protocol, *counts)
    if not scored:
        yield Hit(*told, None, "", *counts)


def _metrics(index: Json) -> Iterator[dict[str, Json]]:
    """The metrics in a card's ``model-index``, which is a stranger's word and may be anything."""
    for model in _mappings(index):
        for result in _mappings(model.get("results")):
            yield from _mappings(result.get("metrics"))


def _mappings(value: Json) -> list[dict[str, Json]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
