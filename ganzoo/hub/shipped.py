"""The generators that come with ganzoo, with no download."""

from __future__ import annotations

from pathlib import Path

CONFIG = "config.json"
"""As in :mod:`ganzoo.model_folder`, which takes longer to import than whoever completes a name wants to wait."""

# In the wheel they lie inside the package; in a checkout, where an editable install leaves them, beside it.
_PLACES = (Path(__file__).parents[1] / "model_cards", Path(__file__).parents[2] / "model_cards")


def shipped_models() -> dict[str, Path]:
    """Name -> model folder, by name."""
    root = next((place for place in _PLACES if place.is_dir()), None)
    folders = sorted(root.iterdir()) if root else []
    return {folder.name: folder for folder in folders if (folder / CONFIG).is_file()}
