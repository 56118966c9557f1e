"""One run, from names to a folder: the public ``ganzoo.train``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ganzoo import __version__, plugins
from ganzoo.data import open_data
from ganzoo.data.order import Order
from ganzoo.data.store import Store
from ganzoo.errors import ModelError, UsageError
from ganzoo.factory import build_networks, count_parameters
from ganzoo.files import replace_folder, write_json
from ganzoo.interfaces import Generator, Trainer
from ganzoo.pretrained import FORMAT, ModelConfig, make_config, save
from ganzoo.sampling import write_preview
from ganzoo.training.config import RunConfig, resolve
from ganzoo.training.ema import EMA
from ganzoo.training.loop import Budget, Outcome, run_loop, stream
from ganzoo.training.monitor import Monitor, Silent, Watcher
from ganzoo.training.precision import choose_device, choose_precision
from ganzoo.variant import Json

PREVIEW_SEEDS = tuple(range(64))


@dataclass(frozen=True)
class Prepared:
    """A run that is ready to start: data read, networks built, nothing written."""

    config: RunConfig
    store: Store
    networks: dict[str, nn.Module]
    trainer: Trainer
    device: torch.device
    precision: torch.dtype
    folder: Path

    def describe(self) -> dict[str, Json]:
        """The resolved configuration and the networks' sizes, as plain data."""
        parameters = {role: count_parameters(network) for role, network in self.networks.items()}
        return {**self.config.to_json(), "dataset": self.store.describe(), "parameters": parameters}

    def facts(self) -> dict[str, str]:
        """The run in a few words, for people."""
        sizes = ", ".join(f"{role} {count_parameters(n):,}" for role, n in self.networks.items())
        c = self.config
        limits = [f"{c.budget_seconds:g} s"] if c.budget_seconds else []
        limits += [f"{_budget(c).images:,} images"] if _budget(c).images else []
        return {
            "variant": f"{c.variant.name}, preset {c.preset}",
            "data": f"{self.store.name}: {len(self.store):,} samples {'x'.join(map(str, self.store.sample_shape))}",
            "parameters": sizes,
            "budget": " or ".join(limits),
            "device": f"{self.device}, {str(self.precision).removeprefix('torch.')}, {torch.get_num_threads()} threads",
        }


@dataclass(frozen=True)
class Run:
    """A run that ended.

    Attributes:
        folder: Its folder; ``ganzoo.load`` takes it.
        samples: The trainer's last preview: of the EMA generator, seeds 0 to 63, unless the trainer shows something else.
        images: Real samples shown to the discriminator.
        seconds: Seconds trained.
        interrupted: Whether it was stopped before its budget was spent.
    """

    folder: Path
    samples: Path
    images: int
    seconds: float
    interrupted: bool


def train(
    variant: str,
    *,
    data: str = "fashion-mnist-10k",
    resolution: int | None = None,
    preset: str = "default",
    options: Mapping[str, Json] | None = None,
    budget_seconds: float | None = None,
    images: int | None = None,
    seed: int = 0,
    device: str = "auto",
    out: str | Path | None = None,
    watcher: Watcher | None = None,
) -> Run:
    """Train a variant and save it: ``ganzoo.train("dcgan", budget_seconds=240)``.

    Args:
        variant: A name from ``ganzoo list``.
        data: A registered dataset, a folder or zip of pictures, an IDX, NPY or NPZ file, or a dataset name of timm's.
        resolution: Height and width of pictures, where it should differ from the data's.
        preset: One of the variant's presets.
        options: What ``-o`` takes on the command line, e.g. ``{"batch_size": 128, "generator.width": 64}``.
        budget_seconds: Seconds to train.
        images: Images to train; with both, whichever comes first; with neither, the preset's.
        seed: Of everything random.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps`` …
        out: The run's folder, new or empty; by default a new one under ``runs/``.
        watcher: Who follows the run.

    Raises:
        UsageError, DataError, PluginError, TrainingError: See :mod:`ganzoo.errors`. Nothing is left behind unless
            training had begun.
    """
    config = resolve(
        plugins.load().registry,
        variant,
        preset=preset,
        options=options,
        data=data,
        resolution=resolution,
        seed=seed,
        budget_seconds=budget_seconds,
        budget_images=images,
    )
    return execute(prepare(config, device=device, out=out, watcher=watcher), watcher=watcher)


def prepare(
    config: RunConfig, *, device: str = "auto", out: str | Path | None = None, watcher: Watcher | None = None
) -> Prepared:
    """Read the data and build the networks and the trainer. Writes nothing.

    Args:
        config: What to train.
        device, out: As for :func:`train`.
        watcher: Told as data is read.

    Raises:
        UsageError, DataError, PluginError: As :func:`train`.
    """
    where = choose_device(device)
    if out is not None:
        check_folder(Path(out))
    registry = plugins.load().registry
    decoding = (watcher or Silent()).decoding
    store = open_data(config.data, registry=registry, resolution=config.resolution, progress=decoding)
    folder = Path(out) if out is not None else free_folder(Path("runs"), f"{config.variant.name}-{store.name}")
    torch.manual_seed(stream(config.seed, 0, "weights"))
    networks = build_networks(
        config.networks,
        sample_shape=store.sample_shape,
        num_classes=store.num_classes,
        value_range=store.value_range,
    )
    for network in networks.values():
        network.to(where).train()
        if _convolves_pictures(network):
            network.to(memory_format=torch.channels_last)
    trainer: Trainer = config.parts["trainer"].build(
        "trainer",
        networks=networks,
        loss=config.parts["loss"].build("loss"),
        penalties={name: part.build(f"penalties.{name}") for name, part in config.penalties.items()},
    )
    prepared = Prepared(config, store.to(where), networks, trainer, where, choose_precision(where), folder)
    try:
        # What could not be written at the end must not be trained.
        describe_model(prepared, Outcome(images=0, seconds=0, interrupted=False))
    except ModelError as error:
        raise UsageError(f"a model of this could not be saved: {error.message}") from error
    return prepared


def execute(prepared: Prepared, *, watcher: Watcher | None = None) -> Run:
    """Train, and leave a model folder in the run's folder."""
    config, trainer, store, folder = prepared.config, prepared.trainer, prepared.store, prepared.folder
    watcher = watcher or Silent()
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "config.json", prepared.describe())
    reals, labels = store.batch(Order(len(store), config.seed).indices(0, min(len(PREVIEW_SEEDS), len(store))))
    write_preview(folder / "reals", reals)
    ema = EMA({role: trainer.networks[role] for role in config.kept}, config.loop.ema_images)
    seeds = PREVIEW_SEEDS[: len(reals)]
    monitor = Monitor(folder, lambda: trainer.preview(ema.networks, seeds, reals, labels), watcher)
    watcher.started(folder, prepared.facts())
    outcome = run_loop(
        trainer,
        store,
        ema,
        monitor,
        settings=config.loop,
        budget=_budget(config),
        seed=config.seed,
        device=prepared.device,
        precision=prepared.precision,
    )
    with replace_folder(folder / "model") as beside:
        save(beside, describe_model(prepared, outcome), ema.networks)
        samples = write_preview(beside / "samples", monitor.preview())
    return Run(folder, folder / "model" / samples.name, outcome.images, outcome.seconds, outcome.interrupted)


def describe_model(prepared: Prepared, outcome: Outcome) -> ModelConfig:
    """What the model folder's ``config.json`` says of this run. Raises ModelError if it cannot be said there."""
    config, store = prepared.config, prepared.store
    generator = prepared.networks["generator"]
    assert isinstance(generator, Generator)
    origin = config.entry.origin
    training: dict[str, Any] = {
        "images": outcome.images,
        "seconds": round(outcome.seconds, 1),
        "interrupted": outcome.interrupted,
        "device": prepared.facts()["device"],
        "torch": torch.__version__,
        "dataset": store.describe(),
        **{k: v for k, v in config.to_json().items() if k not in ("ganzoo", "variant", "plugin", *config.kept)},
    }
    return make_config(
        {
            "format": FORMAT,
            "ganzoo": __version__,
            "variant": config.variant.name,
            "plugin": {"distribution": origin.distribution, "version": origin.version},
            "networks": {
                role: {"component": config.parts[role].name, "arguments": config.parts[role].to_json()["arguments"]}
                for role in config.kept
            },
            "sample_shape": store.sample_shape,
            "latent_shape": generator.latent_shape,
            "num_classes": store.num_classes,
            "class_names": store.class_names,
            "value_range": store.value_range,
            "training": training,
        }
    )


def check_folder(folder: Path) -> None:
    """Raise UsageError unless a run can be written to ``folder``: new or empty, under a folder that can be written to."""
    if folder.is_dir():
        if any(folder.iterdir()):
            raise UsageError(f"{str(folder)!r} is not empty", hint="name another folder: --out DIR")
        parent = folder
    elif folder.exists() or folder.is_symlink():
        raise UsageError(f"{str(folder)!r} is not a folder", hint="name another: --out DIR")
    else:
        parent = next(p for p in folder.absolute().parents if p.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise UsageError(f"cannot write to {str(parent)!r}", hint="name another folder: --out DIR")


def free_folder(under: Path, name: str) -> Path:
    """``under/name``, or with the first number behind it that makes it new. Raises UsageError if it cannot be written."""
    folder, number = under / name, 1
    while folder.exists():
        number += 1
        folder = under / f"{name}-{number}"
    check_folder(folder)
    return folder


def _budget(config: RunConfig) -> Budget:
    given = config.budget_seconds is not None or config.budget_images is not None
    return Budget(config.budget_seconds, config.budget_images if given else config.loop.images)


def _convolves_pictures(network: nn.Module) -> bool:
    """Whether there are 2-d convolutions, which run faster with channels last."""
    return any(isinstance(m, (nn.Conv2d, nn.ConvTranspose2d)) for m in network.modules())
