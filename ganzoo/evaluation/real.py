"""Real samples: opened so that others can be compared with them, and which of two sets are the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import torch

from ganzoo.data import open_data
from ganzoo.data.store import Store
from ganzoo.errors import UsageError
from ganzoo.evaluation.pictures import to_grey
from ganzoo.modalities.asking import description_of, noun_of
from ganzoo.modalities.base import Modality
from ganzoo.modalities.pictures import Pictures
from ganzoo.options import parameters_of
from ganzoo.registry import Registry

ROWS_AT_ONCE = 1000


def open_real(registry: Registry, name: str, like: Modality | None = None) -> Store:
    """The samples that ``name`` names, in any form that ``--data`` takes.

    Args:
        registry: Where datasets are registered.
        name: What the user typed.
        like: What they are compared with: they have to be of its kind and shape. Pictures get its height and width, and keep
            their colours.

    Raises:
        UsageError: They are not in memory, are of another kind or shape, or do not get that height and width.
        DataError: They cannot be read.
    """
    square = isinstance(like, Pictures) and like.sample_shape[1] == like.sample_shape[2]
    side = like.sample_shape[-1] if like and square and _has_resolution(registry, name) else None
    store = open_data(name, registry=registry, resolution=side)
    if not isinstance(store, Store):
        raise UsageError(f"{name} is read as a stream, and only samples in memory can be scored")
    if like is not None and type(store.modality) is not type(like):
        raise UsageError(
            f"{name} holds no {noun_of(like)}, with which samples could be compared, but {description_of(store.modality)}"
        )
    if isinstance(like, Pictures):
        if store.sample_shape[1:] != like.sample_shape[1:]:
            sizes = (f"{s[-1]}x{s[-2]}" for s in (store.sample_shape, like.sample_shape))
            raise UsageError("{} has pictures of {} pixels, and the samples are of {}".format(name, *sizes))
    elif like is not None and store.sample_shape != like.sample_shape:
        raise UsageError(f"{name} holds {description_of(store.modality)}, and the samples are {description_of(like)}")
    return store


def _has_resolution(registry: Registry, name: str) -> bool:
    """Whether pictures come in the size that is asked for: not those of a registered dataset that takes no resolution."""
    entry = registry.find("dataset", name.partition("?")[0])
    return entry is None or "resolution" in parameters_of(entry.resolve())


def count_shared(real: Store, training: Store) -> int:
    """How many of the real samples are among those that were trained on: the same values, by their hashes.

    Where one of the two has colours and the other has not, both are compared in grey.
    """
    grey = isinstance(real.modality, Pictures) and real.sample_shape[0] != training.sample_shape[0]
    known = set(_hashes(training, grey))
    return sum(found in known for found in _hashes(real, grey))


def _hashes(store: Store, grey: bool) -> Iterator[bytes]:
    for rows in torch.split(store.samples, ROWS_AT_ONCE):
        for sample in (to_grey(rows) if grey else rows).cpu().numpy():
            yield hashlib.blake2b(sample.tobytes(), digest_size=16).digest()
