"""A run before its first step: data read, networks and trainer built, and all tried that will be done to them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from ganzoo import plugins
from ganzoo.data import open_data
from ganzoo.data.dataset import Dataset, Feed
from ganzoo.data.memory import free_on
from ganzoo.data.mirror import FEWEST, looks_the_same_mirrored
from ganzoo.data.placing import place
from ganzoo.errors import UsageError
from ganzoo.factory import Part, build_networks, count_parameters
from ganzoo.files import user_path
from ganzoo.interfaces import Augmentation, Trainer
from ganzoo.modalities.base import Modality
from ganzoo.modalities.pictures import Pictures
from ganzoo.network import check_client
from ganzoo.pinned import pinned
from ganzoo.training.config import RunConfig, fitted
from ganzoo.training.ema import EMA
from ganzoo.training.folder import RUNS, check_folder
from ganzoo.training.gone import naming_what_is_gone
from ganzoo.training.loop import blaming, seed_layers, stream
from ganzoo.training.precision import PRECISIONS, TOLERANCE, choose_precision, disagreements
from ganzoo.training.processes import Processes, join
from ganzoo.training.scoring import Scoring
from ganzoo.training.trackers import check_trackers
from ganzoo.training.watcher import Watcher
from ganzoo.variant import Json

FEW = 100
"""Whoever trains on fewer samples than this, or than there are in a batch, is told that they may be learnt by heart."""


@dataclass(frozen=True)
class Prepared:
    """A run that is ready to start or to go on: data read, networks built, nothing written."""

    config: RunConfig
    store: Dataset
    trainer: Trainer
    ema: EMA
    processes: Processes
    folder: Path | None
    mirror: bool
    trackers: tuple[str, ...] = ()
    scoring: Scoring | None = None

    @property
    def networks(self) -> dict[str, nn.Module]:
        """Every network by role."""
        return self.trainer.networks

    def describe(self) -> dict[str, Json]:
        """The resolved configuration and the networks' sizes, as plain data."""
        parameters = {role: count_parameters(network) for role, network in self.networks.items()}
        scoring = {"scoring": self.scoring.describe()} if self.scoring else {}
        taken = self.config.taken
        start = {"start": {"from": self.config.start, **taken.describe()}} if taken else {}
        found = {"dataset": self.store.describe(), "mirrored": self.mirror, "parameters": parameters}
        return {**self.config.to_json(), **start, **scoring, **found}

    def facts(self, precision: torch.dtype) -> dict[str, str]:
        """The run in a few words, for people."""
        sizes = ", ".join(f"{role} {count_parameters(n):,}" for role, n in self.networks.items())
        c, count = self.config, self.processes.count
        limits = [f"{c.budget.seconds:g} s"] if c.budget.seconds else []
        limits += [f"{c.budget.images:,} images"] if c.budget.images else []
        threads = f"{torch.get_num_threads()} thread{'s' if torch.get_num_threads() > 1 else ''}"
        model = "the weights that it ends with"
        if self.scoring:
            model = f"the weights with the best {self.scoring.by}, which is taken every {self.scoring.every:,} images"
        return {
            "variant": f"{plugins.load().registry.name_of(c.entry)}, preset {c.preset}{self._as_for_pixels()}",
            "data": f"{self.store.name}: {len(self.store):,} samples {'x'.join(map(str, self.store.sample_shape))}"
            + self._mirrored(),
            "parameters": sizes,
            **({"augmented": self._augmented()} if c.augmentations else {}),
            **({"start": f"{', '.join(c.taken.roles)} from the weights in {c.taken.start.path}"} if c.taken else {}),
            "budget": " or ".join(limits),
            "device": f"{self.processes.device}, {str(precision).removeprefix('torch.')}, {threads}"
            + (f" in each of {count} processes" if count > 1 else ""),
            "model": model,
        }

    def _mirrored(self) -> str:
        """Whether pictures are shown mirrored too, and why, in words."""
        if self.mirror:
            return ", half of them shown mirrored"
        if self.config.loop.mirror != "auto" or not isinstance(self.store.modality, Pictures):
            return ""
        why = "mirrored ones look different" if len(self.store) >= FEWEST else "too few to tell whether mirrored ones would do"
        return f", none of them shown mirrored ({why}; --mirror shows them)"

    def _augmented(self) -> str:
        """What is done to all that the discriminator sees, in words."""
        said = (
            f"{name} ({', '.join(f'{k} {v}' for k, v in part.arguments.items())})"
            for name, part in self.config.augmentations.items()
        )
        return ", ".join(said)

    def _as_for_pixels(self) -> str:
        """What the preset has for pictures of this size and not for smaller ones, in words."""
        if (step := self.config.step) is None:
            return ""
        options = self.config.variant.presets[self.config.preset].from_pixels[step]
        words = (f"{key} {', '.join(value) if isinstance(value, Mapping) else value}" for key, value in options.items())
        return f" (from {step} pixels on: {'; '.join(words)})"


@pinned()
def prepare(
    config: RunConfig,
    *,
    device: str = "auto",
    out: str | Path | None = None,
    log: Sequence[str] = (),
    scoring: Scoring | None = None,
    watcher: Watcher | None = None,
) -> Prepared:
    """Read the data and build the networks and the trainer. Writes nothing.

    Args:
        config: What to train.
        device, out, log, scoring: As for :func:`ganzoo.train`.
        watcher: Told as data is read.

    Raises:
        UsageError, DataError, PluginError: As :func:`ganzoo.train`.
    """
    if os.environ.get("RANK", "0") == "0":
        check_folder(user_path(out) if out is not None else RUNS / "new")
        check_trackers(log)
        check_client()  # which writes the card's metadata
    processes = join(device)
    if config.loop.batch_size % processes.count:
        raise UsageError(f"batch_size={config.loop.batch_size} cannot be shared out equally to {processes.count} processes")
    registry = plugins.load().registry
    following = watcher if watcher is not None and processes.is_main else Watcher()
    with naming_what_is_gone(out, config.start):
        store = processes.in_turn(
            lambda: open_data(config.data, registry=registry, resolution=config.resolution, progress=following.decoding)
        )
    # At once, so that it stands above whatever fails for it.
    following.noticed(store.understood())
    if len(store) < max(FEW, config.loop.batch_size):
        few = f"{len(store):,} samples are so few that a model may do no more than learn them by heart"
        following.noticed(f"{few}: 'ganzoo evaluate --measures copying' tells whether it did")
    config = fitted(config, registry, store.modality.side)
    mirror = settle_mirror(config, store, processes)
    seed_layers(processes.device, stream(config.seed, 0, "weights"))
    networks = build_networks(
        config.networks,
        store.modality,
        num_classes=store.num_classes,
    )
    for network in networks.values():
        network.to(processes.device).train()
        for module in network.modules():
            # Pictures' convolutions run faster with channels last.
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                module.to(memory_format=torch.channels_last)
    processes.synchronise(networks.values())
    if config.taken:
        config.taken.restore(networks, sample_shape=store.sample_shape, num_classes=store.num_classes)
        following.noticed(config.taken.in_words(networks))
    trainer: Trainer = config.parts["trainer"].build(
        "trainer",
        networks=networks,
        loss=config.parts["loss"].build("loss") if "loss" in config.parts else None,
        penalties={name: part.build(f"penalties.{name}") for name, part in config.penalties.items()},
        augmentations={name: _augmentation(name, part, store.modality) for name, part in config.augmentations.items()},
    )
    if (config.loop.batch_size // processes.count) % trainer.accumulate:
        parts = f"accumulate={trainer.accumulate} parts" + (f" in each of {processes.count} processes" * (processes.count > 1))
        raise UsageError(f"batch_size={config.loop.batch_size} cannot be cut into {parts}", hint="choose a multiple of it")
    with blaming("the moving average of the generator"):
        ema = EMA({role: networks[role] for role in config.kept}, config.loop.ema_images, config.loop.ema_ramp)
        ema.update(1, 1)
    folder, trackers = user_path(out) if out is not None else None, (log,) if isinstance(log, str) else tuple(log)
    placed, told = place(store, processes.device, free_on(processes.device))
    if told:
        following.noticed(told)
    prepared = Prepared(config, placed, trainer, ema, processes, folder, mirror, trackers, scoring)
    if scoring and processes.is_main:
        scoring.prepare(prepared.store)
    return prepared


def _augmentation(name: str, part: Part, modality: Modality) -> Augmentation:
    """Built, and asked whether it is for such samples. Raises UsageError."""
    augmentation: Augmentation = part.build(f"augmentations.{name}")
    augmentation.check(modality)
    return augmentation


def settle_mirror(config: RunConfig, store: Dataset, processes: Processes) -> bool:
    """Whether pictures are shown mirrored too: as the options say, or as the data is. Raises UsageError."""
    if config.loop.mirror is True and not isinstance(store.modality, Pictures):
        raise UsageError(f"mirror=true is for pictures, and the samples of {store.name} are none", hint="leave --mirror out")
    if config.loop.mirror != "auto":
        return config.loop.mirror
    # Processors that round differently might not agree.
    return processes.broadcast(looks_the_same_mirrored(store) if processes.is_main else False)


def wanted_precision(prepared: Prepared) -> torch.dtype:
    """The precision asked for; where that is left to us, what the device is fast at."""
    asked = prepared.config.precision
    return choose_precision(prepared.processes.device) if asked == "auto" else PRECISIONS[asked]


def settle_precision(prepared: Prepared, feed: Feed, watcher: Watcher) -> torch.dtype:
    """The precision wanted; float32, with a word of why, where bf16 turns out to compute something else."""
    config, processes, chosen = prepared.config, prepared.processes, wanted_precision(prepared)
    if chosen is torch.float32:
        return chosen
    # A whole batch: a part of it may not be divisible by whatever a trainer divides it by.
    reals, labels = feed.batch(0, config.loop.batch_size)
    with blaming(f"a trial step of {type(prepared.trainer).__name__}"):
        found = disagreements(prepared.trainer, reals, labels)
    worst = dict(zip(found, processes.largest(found.values()), strict=True))
    if wrong := [f"{role} {error:.0%}" for role, error in worst.items() if error > TOLERANCE]:
        watcher.noticed(f"trained in float32: here, gradients in bfloat16 are off by {', '.join(wrong)}")
        return torch.float32
    return chosen
