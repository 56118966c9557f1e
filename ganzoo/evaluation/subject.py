"""What is scored: the samples that a model draws, or those that somebody has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ganzoo.data import names_reader
from ganzoo.data.order import Order
from ganzoo.errors import ModelError
from ganzoo.evaluation.real import open_real
from ganzoo.files import user_path
from ganzoo.hub.locate import locate, unless_it_fails
from ganzoo.hub.shipped import shipped_models
from ganzoo.interfaces import Generator
from ganzoo.modalities.base import Modality
from ganzoo.modalities.inferred import of_shape
from ganzoo.modality_of import modality_of
from ganzoo.model_folder import CONFIG, ModelConfig, read_config, read_json
from ganzoo.pretrained import CONFIG_OF, load
from ganzoo.registry import REFERENCE, Registry

Batches = Callable[[int, int], Tensor]
"""``(start, stop)`` to the samples of that range, as networks see them: pictures ``(N, C, H, W)`` in [-1, 1]."""

Progress = Callable[[int, int], None]
"""Called with (samples done, samples in all)."""


@dataclass(frozen=True)
class Subject:
    """Samples to be scored.

    Attributes:
        modality: What they are.
        count: How many there are.
        batches: Them.
        trained_on: What the model was trained on, if that may be opened: a registered dataset, or a folder or file that the
            user's own run names. Empty if it is not known.
        trained_sha256: Its hash; empty if it is not known.
        named: What the user's own run names as its data, whether it may be opened or not.
        given: What it was trained on, in words, if that was an array in a program's memory; empty if it was not.
        folder: The model folder that scores are written to, if it is the user's own.
    """

    modality: Modality
    count: int
    batches: Batches
    trained_on: str = ""
    trained_sha256: str = ""
    named: str = ""
    given: str = ""
    folder: Path | None = None


def find_subject(
    source: str | Path | Generator, registry: Registry, *, samples: int, seed: int, device: str | torch.device
) -> Subject:
    """What a name means that is to be scored.

    Args:
        source: Whatever :func:`ganzoo.load` takes or returns, or samples in any form that ``--data`` takes.
        registry: Where datasets are registered.
        samples: How many to draw, or to take of those that there are.
        seed: Of the first one, or of the choice.
        device: Where a model that is loaded computes.

    Raises:
        UsageError: It is a name that is nothing.
        DataError, ModelError, HubError: It cannot be read.
    """
    if isinstance(source, Generator):
        config = getattr(source, CONFIG_OF, None)
        return _drawn(source, config if isinstance(config, ModelConfig) else None, registry, samples, seed)
    if _names_samples(source, registry):
        store = open_real(registry, str(source))
        # A file may be sorted, by class for example.
        rows = Order(len(store), seed).indices(0, samples) if samples < len(store) else torch.arange(len(store))
        return Subject(store.modality, len(rows), lambda start, stop: store.batch(rows[start:stop])[0])
    with unless_it_fails(source):
        found = locate(source)
        config = read_config(found.folder)
        generator = load(found.folder, device=device)
    return _drawn(generator, config, registry, samples, seed, folder=found.folder if found.own else None)


def _drawn(
    generator: Generator,
    config: ModelConfig | None,
    registry: Registry,
    samples: int,
    seed: int,
    *,
    folder: Path | None = None,
) -> Subject:
    training = config.training if config else {}
    named, dataset = training.get("data"), training.get("dataset")
    sha256 = dataset.get("sha256") if isinstance(dataset, dict) else None
    # A name in a model folder is a stranger's word: it is looked up, and never imported or opened.
    known = named if isinstance(named, str) and is_dataset(registry, named) else ""
    own = _named_by_run(folder) if folder else ""
    return Subject(
        modality_of(config) if config else of_shape(generator.sample_shape, (-1.0, 1.0)),
        samples,
        lambda start, stop: generator.sample(range(seed + start, seed + stop)),
        trained_on=own if own and (is_dataset(registry, own) or _lies_here(own)) else known,
        trained_sha256=sha256 if isinstance(sha256, str) else "",
        named=own,
        given=f"a {named['given']}" if isinstance(named, dict) and isinstance(named.get("given"), str) else "",
        folder=folder,
    )


def _named_by_run(folder: Path) -> str:
    """What the run that a model folder lies in was trained on, as it was typed; empty if it lies in none."""
    try:
        run = read_json(folder.parent / CONFIG) if folder.name == "model" else None
    except ModelError:
        return ""
    data = run.get("data") if isinstance(run, dict) else None
    return data if isinstance(data, str) else ""


def _lies_here(data: str) -> bool:
    """Whether it is a folder or a file. Even a run's folder may be a stranger's: nothing is imported or downloaded for it."""
    if names_reader(data) or REFERENCE.fullmatch(data):
        return False
    path = user_path(data.partition("?")[0])
    return path.is_dir() or path.is_file()


def is_dataset(registry: Registry, name: str) -> bool:
    """Whether a registered dataset has this name, which may end in options."""
    return registry.find("dataset", name.partition("?")[0]) is not None


def _names_samples(source: str | Path, registry: Registry) -> bool:
    """Whether it is samples that are meant, and not a model."""
    text = str(source)
    if isinstance(source, str) and text in shipped_models():
        return False
    path = user_path(text.partition("?")[0])
    if path.is_dir():
        return not any((path / name).is_file() for name in (CONFIG, f"model/{CONFIG}", "metrics.jsonl"))
    return path.is_file() or (isinstance(source, str) and (is_dataset(registry, text) or names_reader(text)))
