"""The model folder that a run leaves: what it says of the run, and how it is written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganzoo import __version__, plugins
from ganzoo.card import write_card
from ganzoo.card.words import title_of
from ganzoo.interfaces import Generator, Trainer
from ganzoo.modalities.asking import output_of
from ganzoo.modality_of import origin_of
from ganzoo.model_folder import FORMAT, ModelConfig, as_text, make_config
from ganzoo.pretrained import save
from ganzoo.registry import Origin
from ganzoo.sampling import write_preview
from ganzoo.training.command import command_of, shareable
from ganzoo.training.hardware import hardware
from ganzoo.training.loop import Outcome, blaming
from ganzoo.training.prepare import Prepared
from ganzoo.training.verdict import SOUND, Verdict

SHOWN = 64
"""How many samples show how far a run is: those of the seeds from 0 on."""

NAMES_BYTES = 7 << 17
"""The most that the names of all classes may take in ``config.json``, an eighth of which is left for all else."""


def write_model(folder: Path, prepared: Prepared, config: ModelConfig, shown: Tensor, name: str) -> Path:
    """Write a run's averages as a model folder: weights, ``config.json``, a sheet of samples, and the card.

    Args:
        folder: Where to; it exists.
        prepared: The run.
        config: What :func:`describe_model` says of it.
        shown: Samples ``(N, *sample_shape)`` for the sheet.
        name: What ``ganzoo.load`` will be given.

    Returns:
        The sheet's path.
    """
    store = prepared.store
    save(folder, config, prepared.ema.networks)
    sheet = write_preview(folder / "samples", shown, store.modality)
    write_card(folder, name)
    return sheet


def describe_model(
    prepared: Prepared,
    outcome: Outcome,
    *,
    previewed: int,
    scored: Mapping[str, Any] | None = None,
    verdict: Verdict = SOUND,
) -> ModelConfig:
    """What the model folder's ``config.json`` says of this run.

    Texts are as UTF-8 has them, and the names of classes are there once, if there is room for them: see :func:`left_unsaid`.

    Args:
        prepared: The run.
        outcome: How it ended.
        previewed: Samples on the sheet that lies in the folder.
        scored: The score for which these weights were chosen out of those that the run went through.
        verdict: What was seen to be wrong.

    Raises:
        ModelError: It cannot be said there.
    """
    config, store = prepared.config, prepared.store
    generator = prepared.networks["generator"]
    assert isinstance(generator, Generator)
    origin = config.entry.origin
    training: dict[str, Any] = {
        "images": outcome.images,
        "seconds": round(outcome.seconds, 1),
        "interrupted": outcome.interrupted,
        "command": command_of(config, prepared.scoring),
        "device": prepared.processes.device.type,
        "hardware": hardware(prepared.processes.device),
        "processes": prepared.processes.count,
        "torch": torch.__version__,
        "dataset": {key: value for key, value in store.describe().items() if key != "class_names"},
        "mirrored": prepared.mirror,
        **({"start": {"from": shareable(str(config.start)), **config.taken.describe()}} if config.taken else {}),
        **({"scored": dict(scored)} if scored else {}),
        **verdict.describe(),
        **{k: v for k, v in config.to_json().items() if k not in ("ganzoo", "variant", "plugin", *config.kept)},
        "data": shareable(config.data) if isinstance(config.data, str) else config.data.describe(),
    }
    told = {
        "format": FORMAT,
        "ganzoo": __version__,
        "variant": config.variant.name,
        "plugin": _plugin(origin),
        "networks": {
            role: {
                "component": part.name,
                "plugin": _plugin(part.origin or origin),
                "arguments": part.to_json()["arguments"],
            }
            for role, part in config.networks.items()
            if role in config.kept
        },
        "sample_shape": store.sample_shape,
        "latent_shape": generator.latent_shape,
        **({"latents": [asdict(latent) for latent in generator._ganzoo_latents]} if generator._ganzoo_latents else {}),
        "num_classes": store.num_classes,
        "class_names": store.class_names if _fit(store.class_names) else (),
        "value_range": store.value_range,
        "modality": {
            "name": store.modality.name,
            "plugin": _plugin(origin_of(plugins.load().registry, store.modality)),
            "fields": store.modality.to_json(),
            "output": output_of(store.modality),
            "judged_by": store.modality.judged_by,
        },
        "training": training,
        "samples": {"first": 0, "count": previewed} if type(prepared.trainer).preview is Trainer.preview else None,
    }
    return make_config(as_text(told))


def left_unsaid(prepared: Prepared, name: str) -> list[str]:
    """What a model folder called ``name`` will not say, or not as it is, of the run; a sentence each, for people."""
    names, said = prepared.store.class_names, []
    if not _fit(names):
        said.append(f"the names of the {len(names):,} classes are left out of the model: together they are too long")
    elif odd := [old for old, new in zip(names, as_text(names), strict=True) if old != new]:
        said.append(f"the name of the class {as_text(odd[0])!r} is not UTF-8; the model has it with escapes" + _more(odd))
    if title_of(name) not in name:
        said.append(f"the model's card is called {title_of(name)!r}: the folder's name is no text that could stand there")
    return said


def _more(names: Sequence[str]) -> str:
    return f", and those of {len(names) - 1} more" if len(names) > 1 else ""


def _fit(names: Sequence[str]) -> bool:
    return len(json.dumps(as_text(names), ensure_ascii=False, indent=4).encode()) <= NAMES_BYTES


def _plugin(origin: Origin) -> dict[str, str]:
    return {"distribution": origin.distribution, "version": origin.version}


class Preview:
    """Draws the samples that show how far a run is, always of the same seeds and beside the same real samples."""

    def __init__(self, prepared: Prepared, reals: Tensor, labels: Tensor | None) -> None:
        self.reals = reals
        self.labels = labels
        self.modality = prepared.store.modality
        self._prepared = prepared

    def __call__(self) -> Tensor:
        trainer, seeds = self._prepared.trainer, range(len(self.reals))
        with blaming(f"drawing samples of {self._prepared.config.variant.name!r}"):
            return trainer.preview(self._prepared.ema.networks, seeds, self.reals, self.labels)
