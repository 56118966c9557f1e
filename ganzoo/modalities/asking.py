"""Asking a modality, which is as often a plugin's: what fails there says whose it is, and what it was asked for."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ganzoo.errors import GanzooError, PluginError, describe
from ganzoo.modalities.base import Modality


@contextlib.contextmanager
def asking(modality: Modality, what: str) -> Iterator[None]:
    """What the modality's code raises in the block becomes a PluginError in one line.

    Errors that are ganzoo's own, or of files or the lack of memory, stay what they are.

    Args:
        modality: That is asked.
        what: Which of its methods or attributes: ``decode``.
    """
    try:
        yield
    except (GanzooError, OSError, MemoryError):
        raise
    except Exception as error:
        # That of torch, which is not imported for whoever reads a model's folder alone.
        if type(error).__name__ == "OutOfMemoryError":
            raise
        raise PluginError(f"the modality {modality.name!r} fails in {what}: {describe(error)}") from error


def noun_of(modality: Modality) -> str:
    """What its samples are called. Raises PluginError if it fails."""
    with asking(modality, "noun"):
        return modality.noun


def description_of(modality: Modality) -> str:
    """What its samples are, in words: noun and form. Raises PluginError if it fails."""
    with asking(modality, "describe"):
        return modality.describe()


def output_of(modality: Modality) -> str:
    """The file that its samples go to unless somebody names another. Raises PluginError if it fails."""
    with asking(modality, "output"):
        return modality.output
