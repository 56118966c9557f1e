"""One run, from names to a folder: the public ``ganzoo.train``."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from ganzoo import __version__, plugins
from ganzoo.data import open_data
from ganzoo.data.store import Store
from ganzoo.data.stream import Stream
from ganzoo.errors import GanzooError, ModelError, PluginError, TrainingError, UsageError
from ganzoo.factory import build_networks, count_parameters
from ganzoo.files import replace_folder, write_json
from ganzoo.interfaces import Generator, Trainer
from ganzoo.pretrained import FORMAT, ModelConfig, find, make_config, read_config, save, tensors_of
from ganzoo.registry import Origin
from ganzoo.sampling import can_be_drawn, write_preview
from ganzoo.training.checkpoint import Checkpoints
from ganzoo.training.clock import Clock, Decision, Journal
from ganzoo.training.config import RunConfig, resolve
from ganzoo.training.ema import EMA
from ganzoo.training.folder import METRICS, RUNS, RunFolder, check_folder, run_folder
from ganzoo.training.loop import Outcome, Step, blaming, run_loop, stop_signals, stream
from ganzoo.training.monitor import Monitor, Silent, Watcher, cut_records
from ganzoo.training.precision import PRECISIONS, TOLERANCE, TRIAL_BATCH, Precision, choose_precision, disagreements
from ganzoo.training.processes import Processes, join
from ganzoo.training.state import Snapshot, capture, restore
from ganzoo.training.trackers import Trackers, check_trackers
from ganzoo.training.writer import Writer
from ganzoo.variant import Json

PREVIEW_SEEDS = tuple(range(64))
JOURNAL = "clock.jsonl"


@dataclass(frozen=True)
class Prepared:
    """A run that is ready to start or to go on: data read, networks built, nothing written."""

    config: RunConfig
    store: Store | Stream
    trainer: Trainer
    ema: EMA
    processes: Processes
    folder: Path | None
    trackers: tuple[str, ...] = ()

    @property
    def networks(self) -> dict[str, nn.Module]:
        """Every network by role."""
        return self.trainer.networks

    def describe(self) -> dict[str, Json]:
        """The resolved configuration and the networks' sizes, as plain data."""
        parameters = {role: count_parameters(network) for role, network in self.networks.items()}
        return {**self.config.to_json(), "dataset": self.store.describe(), "parameters": parameters}

    def facts(self, precision: torch.dtype) -> dict[str, str]:
        """The run in a few words, for people."""
        sizes = ", ".join(f"{role} {count_parameters(n):,}" for role, n in self.networks.items())
        c, count = self.config, self.processes.count
        limits = [f"{c.budget.seconds:g} s"] if c.budget.seconds else []
        limits += [f"{c.budget.images:,} images"] if c.budget.images else []
        threads = f"{torch.get_num_threads()} threads"
        return {
            "variant": f"{c.variant.name}, preset {c.preset}",
            "data": f"{self.store.name}: {len(self.store):,} samples {'x'.join(map(str, self.store.sample_shape))}",
            "parameters": sizes,
            "budget": " or ".join(limits),
            "device": f"{self.processes.device}, {str(precision).removeprefix('torch.')}, {threads}"
            + (f" in each of {count} processes" if count > 1 else ""),
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
        resumed: Images shown when it went on; 0 if it began anew.
    """

    folder: Path
    samples: Path
    images: int
    seconds: float
    interrupted: bool
    resumed: int = 0


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
    precision: Precision = "auto",
    compile: bool = False,  # noqa: A002 - torch's own word for it
    out: str | Path | None = None,
    fresh: bool = False,
    log: Sequence[str] = (),
    watcher: Watcher | None = None,
) -> Run:
    """Train a variant and save it: ``ganzoo.train("dcgan", budget_seconds=240)``.

    The same call goes on with a run that was stopped, or that a larger budget now gives more time, as if it had never
    stopped: bit by bit, on the same machine. One that is done is returned as it is.

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
        precision: ``fp32``, ``bf16`` (networks run in bfloat16; weights, losses and penalties stay in float32), or ``auto``:
            bf16 where the device has it and a trial of both agrees.
        compile: Let ``torch.compile`` make the networks faster; it pays on GPUs and takes a while to begin with.
        out: The run's folder: new, empty, or that of the run to go on with. By default under ``runs/``, the one that holds
            the same run or else a new one.
        fresh: Begin anew. What is in ``out`` is then removed; without ``out``, a new folder is made.
        log: Where metrics and samples go besides the run's folder: ``tensorboard``, ``trackio``, ``wandb``.
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
        precision=precision,
        compile=compile,
    )
    # The caller's own random numbers are none of a run's business.
    with torch.random.fork_rng():
        prepared = prepare(config, device=device, out=out, log=log, watcher=watcher)
        return execute(prepared, fresh=fresh, watcher=watcher)


def prepare(
    config: RunConfig,
    *,
    device: str = "auto",
    out: str | Path | None = None,
    log: Sequence[str] = (),
    watcher: Watcher | None = None,
) -> Prepared:
    """Read the data and build the networks and the trainer. Writes nothing.

    Args:
        config: What to train.
        device, out, log: As for :func:`train`.
        watcher: Told as data is read.

    Raises:
        UsageError, DataError, PluginError: As :func:`train`.
    """
    check_folder(Path(out) if out is not None else RUNS / "new")
    check_trackers(log)
    processes = join(device)
    if config.loop.batch_size % processes.count:
        raise UsageError(f"batch_size={config.loop.batch_size} cannot be shared out equally to {processes.count} processes")
    registry = plugins.load().registry
    decoding = (watcher if watcher and processes.is_main else Silent()).decoding
    store = processes.in_turn(
        lambda: open_data(config.data, registry=registry, resolution=config.resolution, progress=decoding)
    )
    torch.manual_seed(stream(config.seed, 0, "weights"))
    networks = build_networks(
        config.networks,
        sample_shape=store.sample_shape,
        num_classes=store.num_classes,
        value_range=store.value_range,
    )
    for network in networks.values():
        network.to(processes.device).train()
        for module in network.modules():
            # Pictures' convolutions run faster with channels last.
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                module.to(memory_format=torch.channels_last)
    processes.synchronise(networks.values())
    trainer: Trainer = config.parts["trainer"].build(
        "trainer",
        networks=networks,
        loss=config.parts["loss"].build("loss"),
        penalties={name: part.build(f"penalties.{name}") for name, part in config.penalties.items()},
    )
    ema = rehearse_saving(config, networks)
    folder = Path(out) if out is not None else None
    prepared = Prepared(config, store.to(processes.device), trainer, ema, processes, folder, tuple(log))
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


def execute(prepared: Prepared, *, fresh: bool = False, watcher: Watcher | None = None) -> Run:
    """Train, or go on training, and leave a model folder in the run's folder.

    Ctrl-C or SIGTERM ends training after the step; everything is saved all the same. A second one ends it at once.

    Args:
        prepared: What :func:`prepare` made.
        fresh: As for :func:`train`.
        watcher: Who follows the run.
    """
    processes = prepared.processes
    watcher = watcher if watcher and processes.is_main else Silent()
    name = f"{prepared.config.variant.name}-{prepared.store.name}"
    with stop_signals() as stop, contextlib.ExitStack() as held:
        folder = None
        if processes.is_main:
            folder = held.enter_context(run_folder(prepared.folder, name, prepared.describe(), fresh=fresh))
        try:
            run = _train_in(folder, prepared, watcher, stop)
            processes.meet()
            return run
        except BaseException:
            # A run that has nothing to show leaves nothing behind.
            if folder and folder.previous is None and not (folder.path / METRICS).exists():
                folder.abandon()
            raise


def _train_in(folder: RunFolder | None, prepared: Prepared, watcher: Watcher, stop: Sequence[int]) -> Run:
    config, trainer, store, ema, processes = (
        prepared.config, prepared.trainer, prepared.store, prepared.ema, prepared.processes,
    )  # fmt: skip
    past = processes.share(find_past(folder, config, watcher) if folder else None)
    if past.done:
        assert past.snapshot is not None
        images, seconds = past.snapshot.images, past.snapshot.seconds
        return Run(past.folder, past.folder / "model" / past.done, images, seconds, interrupted=False, resumed=images)

    precision = PRECISIONS[past.precision] if past.precision else settle_precision(prepared, watcher)
    context = Step(config.seed, processes.device, precision, (processes.rank, processes.count))
    seconds = 0.0
    if past.snapshot:
        context.step, context.images, seconds = past.snapshot.step, past.snapshot.images, past.snapshot.seconds
        try:
            restore(past.snapshot, trainer, ema)
        except (KeyError, ValueError, RuntimeError) as error:
            raise TrainingError(f"the checkpoint is of another run: {error}", hint="begin anew: --fresh") from error
        watcher.noticed(f"going on after {context.images:,} images")
    processes.lead(trainer.optimizers.values())
    if config.compile:
        for network in trainer.networks.values():
            network.compile()

    drawn = can_be_drawn(store.sample_shape, store.value_range)
    feed = store.feed(config.seed, processes.rank, processes.count)
    shown = min(len(PREVIEW_SEEDS), len(store) // processes.count)
    reals, labels = feed.batch(0, shown * processes.count)
    seeds = PREVIEW_SEEDS[: len(reals)]
    described = {**prepared.describe(), "precision": next(name for name, p in PRECISIONS.items() if p is precision)}
    path = folder.path if folder else None
    if path:
        write_json(path / "config.json", described)
        cut_records(path, context.images)
        write_preview(path / "reals", reals, drawn=drawn)
    watcher.started(past.folder, prepared.facts(precision))

    def preview() -> Tensor:
        with blaming(f"drawing samples of {config.variant.name!r}"):
            return trainer.preview(ema.networks, seeds, reals, labels)

    checkpoints = Checkpoints(past.folder / "checkpoints", config.loop.checkpoints)
    clock = Clock(
        config.budget,
        stop,
        processes,
        seconds=seconds,
        decisions=past.decisions,
        journal=Journal(path / JOURNAL) if path and config.budget.seconds else None,
    )

    def snapshot() -> Snapshot:
        return capture(trainer, ema, step=context.step, images=context.images, seconds=clock.decided)

    with Writer() as writer:
        trackers = Trackers(prepared.trackers if path else (), past.folder, described, context.images)
        saving: list[Future[Any]] = []

        def checkpoint() -> bool:
            if path and not all(job.done() for job in saving):
                return False
            saving[:] = [writer.submit(checkpoints.save, snapshot())] if path else []
            return True

        monitor = Monitor(
            path,
            preview,
            drawn=drawn,
            watcher=watcher,
            writer=writer,
            trackers=trackers,
            processes=processes,
            start=(context.images, seconds),
            progress=config.budget.progress(seconds, context.images),
        )
        outcome = run_loop(
            trainer, feed, ema, monitor, clock, context, settings=config.loop, checkpoint=checkpoint
        )  # fmt: skip
        writer.submit(trackers.finish)
    for failure in writer.failures():
        watcher.noticed(f"could not be written: {failure}")
    if path is None:
        return Run(past.folder, past.folder / "model", outcome.images, outcome.seconds, outcome.interrupted, context.images)
    try:
        checkpoints.save(snapshot())
        with replace_folder(path / "model") as beside:
            save(beside, describe_model(prepared, outcome), ema.networks)
            samples = write_preview(beside / "samples", preview(), drawn=drawn)
    except OSError as error:
        raise TrainingError(
            f"the run could not be saved: {error}", hint="make room; the same command then goes on from its last checkpoint"
        ) from error
    resumed = past.snapshot.images if past.snapshot else 0
    return Run(path, path / "model" / samples.name, outcome.images, outcome.seconds, outcome.interrupted, resumed)


@dataclass(frozen=True)
class Past:
    """What is there of a run that may go on.

    Attributes:
        folder: The run's folder.
        snapshot: Where it goes on from; None for the beginning.
        decisions: What time decided from there on.
        precision: What it was trained in; None if that is still to be chosen.
        done: The name of its samples' file, if it needs nothing more.
    """

    folder: Path
    snapshot: Snapshot | None = None
    decisions: tuple[Decision, ...] = ()
    precision: str | None = None
    done: str | None = None


def find_past(folder: RunFolder, config: RunConfig, watcher: Watcher) -> Past:
    """What the main process finds in the run's folder.

    Raises:
        TrainingError: There are checkpoints, and all are damaged.
    """
    path = folder.path
    if folder.previous is None:
        return Past(path)
    precision = folder.previous["precision"]
    snapshot = Checkpoints(path / "checkpoints").load(lambda text: watcher.noticed(f"{text}; the one before is used"))
    decisions = tuple(Journal(path / JOURNAL).after(snapshot.step if snapshot else 0)) if config.budget.seconds else ()
    done = None
    if snapshot and config.budget.progress(snapshot.seconds, snapshot.images) >= 1:
        with contextlib.suppress(ModelError):
            if read_config(find(path / "model")).training["images"] == snapshot.images:
                done = next((p.name for p in (path / "model").glob("samples.*")), None)
    return Past(path, snapshot, decisions, precision, done)


def settle_precision(prepared: Prepared, watcher: Watcher) -> torch.dtype:
    """The precision asked for; float32, with a word of why, where bf16 turns out to compute something else."""
    config, processes, store = prepared.config, prepared.processes, prepared.store
    chosen = choose_precision(processes.device) if config.precision == "auto" else PRECISIONS[config.precision]
    if chosen is torch.float32:
        return chosen
    count = min(TRIAL_BATCH * processes.count, config.loop.batch_size)
    reals, labels = store.feed(config.seed, processes.rank, processes.count).batch(0, count)
    with blaming(f"a trial step of {type(prepared.trainer).__name__}"):
        found = disagreements(prepared.trainer, reals, labels)
    worst = dict(zip(found, processes.largest(found.values()), strict=True))
    if wrong := [f"{role} {error:.0%}" for role, error in worst.items() if error > TOLERANCE]:
        watcher.noticed(f"trained in float32: here, gradients in bfloat16 are off by {', '.join(wrong)}")
        return torch.float32
    return chosen


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
        "device": prepared.processes.device.type,
        "processes": prepared.processes.count,
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


def _plugin(origin: Origin) -> dict[str, str]:
    return {"distribution": origin.distribution, "version": origin.version}
