"""The training loop: it owns data order, budget, schedules, precision, EMA and records; the trainer owns the step."""

from __future__ import annotations

import contextlib
import hashlib
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import FrameType
from typing import Any

import torch
from torch import Tensor

from ganzoo.data.order import Order
from ganzoo.data.store import Store
from ganzoo.errors import GanzooError, TrainingError
from ganzoo.interfaces import StepContext, Trainer
from ganzoo.training.config import LoopSettings
from ganzoo.training.ema import EMA
from ganzoo.training.monitor import Monitor


@dataclass(frozen=True)
class Budget:
    """How long to train: until either limit, whichever comes first."""

    seconds: float | None = None
    images: int | None = None

    def progress(self, seconds: float, images: int) -> float:
        """The part that is spent, in [0, 1]."""
        by_clock = seconds / self.seconds if self.seconds else 0.0
        by_count = images / self.images if self.images else 0.0
        return min(1.0, max(by_clock, by_count))


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    images: int
    seconds: float
    interrupted: bool


class Step(StepContext):
    """What one step is lent. See :class:`ganzoo.StepContext`."""

    def __init__(self, seed: int, device: torch.device, precision: torch.dtype) -> None:
        self.seed = seed
        self.device = device
        self.precision = precision
        self.step = self.images = 0
        self.progress = 0.0

    def rng(self, purpose: str) -> torch.Generator:
        return torch.Generator(self.device).manual_seed(stream(self.seed, self.step, purpose))

    def autocast(self) -> AbstractContextManager[Any]:
        return torch.autocast(self.device.type, dtype=self.precision, enabled=self.precision is not torch.float32)

    def backward(self, loss: Tensor) -> None:
        loss.backward()  # type: ignore[no-untyped-call]


def stream(seed: int, step: int, purpose: str) -> int:
    """The seed of the random numbers that belong to (seed, step, purpose): nothing else moves them."""
    digest = hashlib.blake2b(f"{seed} {step} {purpose}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def run_loop(
    trainer: Trainer,
    store: Store,
    ema: EMA,
    monitor: Monitor,
    stop: Sequence[int],
    *,
    settings: LoopSettings,
    budget: Budget,
    seed: int,
    device: torch.device,
    precision: torch.dtype,
) -> Outcome:
    """Train until the budget is spent or ``stop`` is no longer empty; a step that has begun is always finished.

    Raises:
        TrainingError: The trainer failed, or a metric is not finite.
    """
    order = Order(len(store), seed)
    context = Step(seed, device, precision)
    rates = [(group, group["lr"]) for o in trainer.optimizers.values() for group in o.param_groups]
    start = time.perf_counter()
    seconds = 0.0
    while True:
        context.progress = budget.progress(seconds, context.images)
        if context.progress >= 1 or stop:
            break
        monitor.update(context.images, seconds, context.progress)
        factor = lr_factor(settings, context.progress)
        for group, rate in rates:
            group["lr"] = rate * factor
        # Layers that draw for themselves, such as dropout, use torch's own generator.
        torch.manual_seed(stream(seed, context.step, "layers"))
        reals, labels = store.batch(order.indices(context.images, settings.batch_size))
        with blaming(f"step {context.step} of {type(trainer).__name__}"):
            metrics = trainer.step(reals, labels, context)
        context.step += 1
        context.images += settings.batch_size
        ema.update(context.images, settings.batch_size)
        monitor.note(metrics)
        seconds = time.perf_counter() - start
    if stop:
        monitor.watcher.stopping()
    monitor.update(context.images, seconds, context.progress, last=True)
    return Outcome(context.images, seconds, interrupted=bool(stop))


@contextlib.contextmanager
def blaming(what: str) -> Iterator[None]:
    """An unforeseen exception in the block, which runs a plugin's code, becomes a TrainingError that begins with ``what``."""
    try:
        yield
    except (GanzooError, OSError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        why = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
        raise TrainingError(f"{what} failed: {why}", hint="GANZOO_DEBUG=1 shows where") from error


def lr_factor(settings: LoopSettings, progress: float) -> float:
    """What learning rates are multiplied with: 1, then falling linearly from ``lr_decay_from`` to ``lr_final`` at the end."""
    if progress <= settings.lr_decay_from:
        return 1.0
    fallen = (progress - settings.lr_decay_from) / (1 - settings.lr_decay_from)
    return 1 + fallen * (settings.lr_final - 1)


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
