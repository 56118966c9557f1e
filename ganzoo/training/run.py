"""One run, from names to a folder: the public ``ganzoo.train``."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from ganzoo import __version__, plugins
from ganzoo.data import open_data
from ganzoo.data.order import Order
from ganzoo.data.store import Store
from ganzoo.errors import GanzooError, ModelError, PluginError, UsageError
from ganzoo.factory import build_networks, count_parameters
from ganzoo.files import replace_folder, write_json
from ganzoo.interfaces import Generator, Trainer
from ganzoo.pretrained import FORMAT, ModelConfig, make_config, save, tensors_of
from ganzoo.registry import Origin
from ganzoo.sampling import can_be_drawn, write_preview
from ganzoo.training.config import RunConfig, resolve
from ganzoo.training.ema import EMA
from ganzoo.training.loop import Budget, Outcome, blaming, run_loop, stop_signals, stream
from ganzoo.training.monitor import METRICS, Monitor, Silent, Watcher
from ganzoo.training.precision import choose_device, choose_precision
from ganzoo.variant import Json

PREVIEW_SEEDS = tuple(range(64))
RUNS = Path("runs")
"""Where runs go that are given no folder."""


@dataclass(frozen=True)
class Prepared:
    """A run that is ready to start: data read, networks built, nothing written."""

    config: RunConfig
    store: Store
    networks: dict[str, nn.Module]
    trainer: Trainer
    ema: EMA
    device: torch.device
    precision: torch.dtype
    folder: Path | None

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
    # The caller's own random numbers are none of a run's business.
    with torch.random.fork_rng():
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
    check_folder(Path(out) if out is not None else RUNS / "new")
    registry = plugins.load().registry
    decoding = (watcher or Silent()).decoding
    store = open_data(config.data, registry=registry, resolution=config.resolution, progress=decoding)
    torch.manual_seed(stream(config.seed, 0, "weights"))
    networks = build_networks(
        config.networks,
        sample_shape=store.sample_shape,
        num_classes=store.num_classes,
        value_range=store.value_range,
    )
    for network in networks.values():
        network.to(where).train()
        for module in network.modules():
            # Pictures' convolutions run faster with channels last.
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                module.to(memory_format=torch.channels_last)
    trainer: Trainer = config.parts["trainer"].build(
        "trainer",
        networks=networks,
        loss=config.parts["loss"].build("loss"),
        penalties={name: part.build(f"penalties.{name}") for name, part in config.penalties.items()},
    )
    ema = rehearse_saving(config, networks)
    folder = Path(out) if out is not None else None
    prepared = Prepared(config, store.to(where), networks, trainer, ema, where, choose_precision(where), folder)
    try:
        describe_model(prepared, Outcome(images=0, seconds=0, interrupted=False))
    except ModelError as error:
        raise UsageError(f"a model of this could not be saved: {error.message}") from error
    return prepared


def rehearse_saving(config: RunConfig, networks: Mapping[str, nn.Module]) -> EMA:
    """The averages of the kept networks, after a try at all that will be done to them: what cannot be saved is not trained.

    Raises:
        PluginError: A network that cannot be copied, averaged, written or read back.
    """
    try:
        ema = EMA({role: networks[role] for role in config.kept}, config.loop.ema_images)
        ema.update(1, 1)
        for role, network in ema.networks.items():
            network.load_state_dict(safetensors.torch.load(safetensors.torch.save(tensors_of(network, role))), strict=True)
    except GanzooError:
        raise
    except Exception as error:
        names = " or ".join(repr(config.parts[role].name) for role in config.kept)
        why = f"{type(error).__name__}: {error}"
        raise PluginError(f"a model with {names} could not be saved: {why}", hint="GANZOO_DEBUG=1 shows where") from error
    return ema


def execute(prepared: Prepared, *, watcher: Watcher | None = None) -> Run:
    """Train, and leave a model folder in the run's folder.

    Ctrl-C or SIGTERM ends training after the step; the model is saved all the same. A second one ends everything at once.
    """
    watcher = watcher or Silent()
    with stop_signals() as stop:
        folder, made = claim_folder(prepared.folder, f"{prepared.config.variant.name}-{prepared.store.name}")
        try:
            return _train_in(folder, prepared, watcher, stop)
        except BaseException:
            # A run that has nothing to show leaves nothing behind.
            if not (folder / METRICS).exists():
                for entry in folder.iterdir():
                    shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
                # Somebody else may have begun to use one of them.
                with contextlib.suppress(OSError):
                    for new in made:
                        new.rmdir()
            raise


def _train_in(folder: Path, prepared: Prepared, watcher: Watcher, stop: Sequence[int]) -> Run:
    config, trainer, store, ema = prepared.config, prepared.trainer, prepared.store, prepared.ema
    drawn = can_be_drawn(store.sample_shape, store.value_range)
    write_json(folder / "config.json", prepared.describe())
    reals, labels = store.batch(Order(len(store), config.seed).indices(0, min(len(PREVIEW_SEEDS), len(store))))
    write_preview(folder / "reals", reals, drawn=drawn)
    seeds = PREVIEW_SEEDS[: len(reals)]

    def preview() -> Tensor:
        with blaming(f"drawing samples of {config.variant.name!r}"):
            return trainer.preview(ema.networks, seeds, reals, labels)

    monitor = Monitor(folder, preview, drawn, watcher)
    watcher.started(folder, prepared.facts())
    outcome = run_loop(
        trainer,
        store,
        ema,
        monitor,
        stop,
        settings=config.loop,
        budget=_budget(config),
        seed=config.seed,
        device=prepared.device,
        precision=prepared.precision,
    )
    with replace_folder(folder / "model") as beside:
        save(beside, describe_model(prepared, outcome), ema.networks)
        samples = write_preview(beside / "samples", monitor.preview(), drawn=drawn)
    return Run(folder, folder / "model" / samples.name, outcome.images, outcome.seconds, interrupted=bool(stop))


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


def claim_folder(out: Path | None, name: str) -> tuple[Path, list[Path]]:
    """Take a folder for one run and no other: ``out``, or the first of ``runs/name``, ``runs/name-2``, … that is new.

    Returns:
        The folder, and those of it and its parents that had to be made, innermost first.

    Raises:
        UsageError: ``out`` is in use, or cannot be written to.
    """
    number = 1
    while True:
        folder = out or RUNS / (name if number == 1 else f"{name}-{number}")
        number += 1
        made = [p for p in (folder, *folder.parents) if not p.exists()]
        try:
            folder.mkdir(parents=True, exist_ok=out is not None)
            if out is not None:
                check_folder(out)
            (folder / "config.json").open("x").close()
        except FileExistsError:
            if out is not None:
                raise UsageError(f"another run has just taken {str(out)!r}", hint="name another folder: --out DIR") from None
        else:
            return folder, made


def _plugin(origin: Origin) -> dict[str, str]:
    return {"distribution": origin.distribution, "version": origin.version}


def _budget(config: RunConfig) -> Budget:
    given = config.budget_seconds is not None or config.budget_images is not None
    return Budget(config.budget_seconds, config.budget_images if given else config.loop.images)
