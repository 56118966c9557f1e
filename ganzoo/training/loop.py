"""The training loop: it owns data order, budget, schedules, precision, EMA and records; the trainer owns the step."""

from __future__ import annotations

import contextlib
import hashlib
import math
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import FrameType
from typing import Any, TypeAlias

import torch
from torch import Tensor

from ganzoo.data.dataset import Feed
from ganzoo.data.mirror import mirrored
from ganzoo.errors import GanzooError, TrainingError, describe
from ganzoo.interfaces import StepContext, Trainer
from ganzoo.noise import Noise
from ganzoo.training.clock import Clock
from ganzoo.training.ema import EMA
from ganzoo.training.monitor import Monitor
from ganzoo.training.precision import autocast
from ganzoo.training.settings import LoopSettings


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    images: int
    seconds: float
    interrupted: bool


class Step(StepContext):
    """What one step is lent. See :class:`ganzoo.StepContext`.

    Attributes:
        shard: Which samples of a batch this process has: ``(first, stride)``.
    """

    def __init__(
        self,
        seed: int,
        device: torch.device,
        precision: torch.dtype,
        shard: tuple[int, int] = (0, 1),
        gathering: Callable[[Tensor], Tensor] = lambda rows: rows,
    ) -> None:
        self._gathering = gathering
        self.seed = seed
        self.device = device
        self.precision = precision
        self.shard = shard
        self.step = self.images = 0
        self.progress = 0.0

    def noise(self, purpose: str) -> Noise:
        return Noise(stream(self.seed, self.step, purpose), self.device, *self.shard)

    def autocast(self) -> AbstractContextManager[Any]:
        return autocast(self.device, self.precision)

    def gather(self, values: Tensor) -> Tensor:
        return self._gathering(values)

    def backward(self, loss: Tensor) -> None:
        loss.backward()  # type: ignore[no-untyped-call]


TakeStep: TypeAlias = Callable[[Tensor, Tensor | None, Step], Mapping[str, Tensor]]
"""Trains on real samples and their labels, as :meth:`ganzoo.Trainer.step` does."""


def stream(seed: int, step: int, purpose: str) -> int:
    """The seed of the random numbers that belong to (seed, step, purpose): nothing else moves them."""
    digest = hashlib.blake2b(f"{seed} {step} {purpose}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def run_loop(
    trainer: Trainer,
    take_step: TakeStep,
    feed: Feed,
    ema: EMA,
    monitor: Monitor,
    clock: Clock,
    context: Step,
    *,
    settings: LoopSettings,
    checkpoint: Callable[[], bool],
    score: Callable[[], bool],
) -> Outcome:
    """Train until the budget is spent, the score good enough, or a stop asked for; a step that has begun is always finished.

    Args:
        trainer: What to train; its optimizers have the learning rates that they start with.
        take_step: Its ``step``, or what stands for it.
        feed: What on.
        ema: What follows the networks.
        monitor: Who keeps the records.
        clock: What says when to stop, and how far the run is.
        context: Where the run is, at its beginning or where it goes on.
        settings: The loop's own options.
        checkpoint: Keeps the run as it is, between two steps; called every ``settings.checkpoint_seconds``. If it returns
            False, because the one before is still being written, it is soon called again.
        score: Scores the run, between two steps, when it is time to. Returns whether it is as good as it has to be.

    Raises:
        TrainingError: The trainer failed, or a metric is not finite.
    """
    rates = [(group, float(group["lr"])) for o in trainer.optimizers.values() for group in o.param_groups]
    kept = clock.elapsed
    while True:
        looking = clock.look(context.step)
        context.progress = clock.progress(context.images)
        # Before a checkpoint, which is then of a run whose samples have been looked at.
        monitor.preview_if_due(context.images, clock.read, context.progress)
        if looking:
            monitor.look(context.images, clock.elapsed, context.progress)
            if clock.elapsed - kept >= settings.checkpoint_seconds and checkpoint():
                kept = clock.elapsed
        if context.progress >= 1 or clock.stopping or score():
            break
        factor = lr_factor(settings, context.progress, context.images)
        for group, rate in rates:
            set_rate(group, rate * factor)
        # Layers that draw for themselves, such as dropout, use torch's own generator.
        seed_layers(context.device, stream(context.seed, context.step, f"layers {context.shard[0]}"))
        reals, labels = feed.batch(context.images, settings.batch_size)
        if settings.mirror is True:
            reals = mirrored(reals, context.noise("mirror").uniform(len(reals)) < 0.5)
        with blaming(f"step {context.step} of {type(trainer).__name__}"):
            metrics = take_step(reals, labels, context)
        context.step += 1
        context.images += settings.batch_size
        with blaming("the moving average of the generator"):
            ema.update(context.images, settings.batch_size)
        monitor.note(metrics)
    interrupted = clock.stopping and context.progress < 1
    if interrupted:
        monitor.watcher.stopping()
    monitor.finish(context.images, clock.read(), context.progress)
    return Outcome(context.images, clock.elapsed, interrupted)


def set_rate(group: dict[str, Any], rate: float) -> None:
    """Give an optimizer's group a learning rate; where it is a tensor, whoever reads it there goes on doing so."""
    if isinstance(group["lr"], Tensor):
        group["lr"].fill_(rate)
    else:
        group["lr"] = rate


def seed_layers(device: torch.device, seed: int) -> None:
    """Seed torch's own generators, of the CPU and of ``device`` alone: ``torch.manual_seed`` goes through all there are."""
    torch.default_generator.manual_seed(seed)
    if device.type != "cpu":
        torch.get_device_module(device).manual_seed(seed)


@contextlib.contextmanager
def blaming(what: str) -> Iterator[None]:
    """An unforeseen exception in the block, which runs a plugin's code, becomes a TrainingError that begins with ``what``."""
    try:
        yield
    except (GanzooError, OSError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        raise TrainingError(f"{what} failed: {describe(error)}", hint="GANZOO_DEBUG=1 shows the whole traceback") from error


def lr_factor(settings: LoopSettings, progress: float, images: int) -> float:
    """What learning rates are multiplied with, after so many images and with that part of the budget spent.

    The product of two: one falls as 1/√images after ``lr_decay_images``, the other linearly after ``lr_decay_from`` of the
    budget, to ``lr_final``. Each is 1 before.
    """
    factor = 1.0
    if 0 < settings.lr_decay_images < images:
        factor = math.sqrt(settings.lr_decay_images / images)
    if progress > settings.lr_decay_from:
        fallen = (progress - settings.lr_decay_from) / (1 - settings.lr_decay_from)
        factor *= 1 + fallen * (settings.lr_final - 1)
    return factor


@contextlib.contextmanager
def stop_signals() -> Iterator[list[int]]:
    """A list that is empty until Ctrl-C or SIGTERM; a second signal acts as it always does."""
    caught: list[int] = []
    before: dict[int, Any] = {}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def handle(number: int, frame: FrameType | None) -> None:
        caught.append(number)
        restore()

    # Handlers can only be set in the main thread; elsewhere, whoever runs the thread decides.
    with contextlib.suppress(ValueError):
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, handle)
    try:
        yield caught
    finally:
        restore()
