"""A trainer's steps as CUDA graphs.

A small network's step is hundreds of operations, each of which a GPU has done before Python has asked for the next. A graph
is recorded of a step once, and one launch then stands for all of them.
"""

from __future__ import annotations

import contextlib
import random
import warnings
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ganzoo.interfaces import Trainer
from ganzoo.noise import Noise
from ganzoo.training.loop import Step, TakeStep, stream

WARM_UP = 4
"""How many steps of a kind are taken as ever before one is recorded: in them optimizers and libraries set themselves up."""

KINDS = 16
"""How many kinds of steps are recorded; each keeps as much memory as a step needs."""

CAPTURABLE = (torch.optim.Adam, torch.optim.AdamW)
"""Optimizers that keep all that changes on the device, and can read their learning rate there."""


def choose_step(trainer: Trainer, context: Step, tell: Callable[[str], None] = lambda text: None) -> TakeStep:
    """How to take the steps of a run: by :class:`Replays` on a CUDA device, or else as ever; ``tell`` is told why not."""
    if context.device.type != "cuda":
        return trainer.step
    if why := why_not(trainer, context):
        tell(f"steps are not recorded as CUDA graphs: {why}")
        return trainer.step
    return Replays(trainer, context.device, tell).step


def why_not(trainer: Trainer, context: Step) -> str:
    """Why the steps of ``trainer`` cannot be recorded; empty if nothing is known against it."""
    if context.shard != (0, 1):
        return "several processes train"
    if trainer.graph_key(context.step) is None:
        return "the trainer, its loss or a penalty does not say that they can be"
    for optimizer in trainer.optimizers.values():
        if type(optimizer) not in CAPTURABLE or not all(group["fused"] for group in optimizer.param_groups):
            return f"the optimizer is {type(optimizer).__name__}, and only torch's Adam and AdamW are"
    for module in (m for network in trainer.networks.values() for m in network.modules()):
        if module._compiled_call_impl is not None:
            return "the networks are compiled"
        if not getattr(module, "capturable", True) or type(module).get_extra_state is not nn.Module.get_extra_state:
            return f"{type(module).__name__} keeps something in Python"
    return ""


class Replays:
    """Takes a trainer's steps: the first of each kind as ever, then by replaying one of them.

    What is replayed sees new samples, new random numbers and new learning rates, and computes what the step would have.

    Args:
        trainer: One that nothing is known against, see :func:`why_not`. Its learning rates become tensors.
        device: Where its networks are.
        tell: Told, once, if steps cannot be recorded after all, and why; they are then taken as ever.
    """

    def __init__(self, trainer: Trainer, device: torch.device, tell: Callable[[str], None] = lambda text: None) -> None:
        self._trainer = trainer
        self._device = device
        self._tell = tell
        self._taken: Counter[Hashable] = Counter()
        self._asked: dict[Hashable, list[str]] = {}
        self._recordings: dict[Hashable, _Recording] = {}
        self._gave_up = False
        for optimizer in trainer.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = torch.tensor(float(group["lr"]), device=device)

    def step(self, reals: Tensor, labels: Tensor | None, context: Step) -> Mapping[str, Tensor]:
        """See :meth:`ganzoo.Trainer.step`."""
        key = self._trainer.graph_key(context.step)
        if key is None or self._gave_up or (key not in self._recordings and len(self._recordings) == KINDS):
            return self._trainer.step(reals, labels, context)
        if key not in self._recordings:
            self._taken[key] += 1
            if self._taken[key] <= WARM_UP:
                listener = _Listener(context)
                self._asked[key] = listener.asked
                return self._warm_up(reals, labels, listener, last=self._taken[key] == WARM_UP)
            why, state = "", torch.cuda.get_rng_state(self._device)
            try:
                self._recordings[key] = self._record(reals, labels, _Tape(context, self._asked[key]))
            except Exception as error:  # noqa: BLE001 - what cannot be recorded can be run all the same, and may then say why not
                why = str(error).strip().partition("\n")[0] or type(error).__name__
            # Not before the error, and what it holds on to of the recording, is gone.
            if why:
                _free_generator(self._device, state)
                self._give_up(why)
                return self._trainer.step(reals, labels, context)
        return self._recordings[key].replay(reals, labels, context)

    def _warm_up(self, reals: Tensor, labels: Tensor | None, context: Step, *, last: bool) -> Mapping[str, Tensor]:
        # What is set up on the stream that all else runs on would tie the recording to it.
        beside = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        here = torch.cuda.current_stream(self._device)
        beside.wait_stream(here)
        before = kept_in_python(self._trainer) if last else {}
        with torch.cuda.stream(beside), _waiting(last) as waits:
            metrics = self._trainer.step(reals, labels, context)
        here.wait_stream(beside)
        if last and (changed := [name for name, kept in kept_in_python(self._trainer).items() if before.get(name) != kept]):
            self._give_up(f"{changed[0]} changed in a step")
        elif waits:
            self._give_up("a step waits for the device")
        return metrics

    def _record(self, reals: Tensor, labels: Tensor | None, tape: _Tape) -> _Recording:
        graph = torch.cuda.CUDAGraph()
        beside = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        here = torch.cuda.current_stream(self._device)
        for _, noise in tape.noises:
            graph.register_generator_state(noise.rng)
        reals, labels = reals.clone(), None if labels is None else labels.clone()
        groups = [g for o in self._trainer.optimizers.values() for g in o.param_groups]
        for group in groups:
            group["capturable"] = True
        try:
            # A recording that fails leaves its own stream as the current one.
            with torch.cuda.stream(here), torch.cuda.graph(graph, stream=beside):
                metrics = self._trainer.step(reals, labels, tape)
                values = torch.stack([value.float() for value in metrics.values()]) if metrics else reals.new_empty(0)
        finally:
            for group in groups:
                group["capturable"] = False
        return _Recording(graph, reals, labels, tape.noises, tuple(metrics), values)

    def _give_up(self, why: str) -> None:
        self._gave_up = True
        self._recordings.clear()
        self._tell(f"steps cannot be recorded as a CUDA graph ({why}); they are run one operation at a time")


@dataclass(frozen=True)
class _Recording:
    """A step whose operations are in ``graph``, which reads the samples here and leaves its metrics in ``values``."""

    graph: torch.cuda.CUDAGraph
    reals: Tensor
    labels: Tensor | None
    noises: Sequence[tuple[str, Noise]]
    names: tuple[str, ...]
    values: Tensor

    def replay(self, reals: Tensor, labels: Tensor | None, context: Step) -> dict[str, Tensor]:
        self.reals.copy_(reals)
        if self.labels is not None and labels is not None:
            self.labels.copy_(labels)
        for purpose, noise in self.noises:
            noise.rng.manual_seed(stream(context.seed, context.step, purpose))
        self.graph.replay()
        return dict(zip(self.names, self.values.clone().unbind(), strict=True))


class _SameStep(Step):
    def __init__(self, context: Step) -> None:
        super().__init__(context.seed, context.device, context.precision, context.shard)
        self.step, self.images, self.progress = context.step, context.images, context.progress


class _Listener(_SameStep):
    """Lent to a step before one of its kind is recorded.

    Attributes:
        asked: For which random numbers the step has asked, in order.
    """

    def __init__(self, context: Step) -> None:
        super().__init__(context)
        self.asked: list[str] = []

    def noise(self, purpose: str) -> Noise:
        self.asked.append(purpose)
        return super().noise(purpose)


class _Tape(_SameStep):
    """Lent to the step that is recorded: its random numbers come from sources that can be seeded anew for each replay.

    Attributes:
        noises: By purpose, in the order of ``asked``: what a recording uses must be there before it begins.
    """

    def __init__(self, context: Step, asked: Sequence[str]) -> None:
        super().__init__(context)
        self.noises = [(purpose, Noise(0, context.device)) for purpose in asked]
        self._left = iter(self.noises)

    def noise(self, purpose: str) -> Noise:
        expected, noise = next(self._left, ("", None))
        if noise is None or purpose != expected:
            raise RuntimeError(f"its random numbers for {purpose!r} were not drawn in the steps before it")
        return noise


def _free_generator(device: torch.device, state: Tensor) -> None:
    """Give torch's own generator, which a recording that failed leaves waiting for its end, the state that it had before."""
    with torch.cuda.device(device):
        generator = torch.cuda.default_generators[torch.cuda.current_device()]
    generator.graphsafe_set_state(torch.Generator(device).graphsafe_get_state())
    generator.set_state(state)


def kept_in_python(trainer: Trainer) -> dict[str, Any]:
    """What a step must leave as it is, or a recording of it would repeat the change or miss it, by name.

    Plain values and the places of tensors in a trainer, its loss, its penalties and augmentations, its networks and its
    optimizers' groups; and how far the sources of random numbers are that a device does not know of.
    """
    found: dict[str, Any] = {
        "torch's random numbers on the CPU": torch.get_rng_state().numpy().tobytes(),
        "Python's random numbers": random.getstate(),
        "NumPy's random numbers": str(np.random.get_state()),
    }
    parts = {"the trainer": trainer, "the loss": getattr(trainer, "loss", None)}
    for kind, several in (("penalty", "penalties"), ("augmentation", "augmentations")):
        parts |= {f"the {kind} {name}": part for name, part in getattr(trainer, several, {}).items()}
    holders: dict[str, Mapping[str, Any]] = {name: getattr(part, "__dict__", {}) for name, part in parts.items()}
    for role, network in trainer.networks.items():
        holders |= {f"{role} {name}".strip(): {**vars(m), **m._buffers} for name, m in network.named_modules()}
    for role, optimizer in trainer.optimizers.items():
        holders |= {f"the optimizer {role}, group {number}": group for number, group in enumerate(optimizer.param_groups)}
    for holder, values in holders.items():
        for name, value in values.items():
            if isinstance(value, (bool, int, float, str)):
                found[f"{holder}'s {name}"] = value
            elif isinstance(value, Tensor):
                found[f"{holder}'s {name}"] = value.data_ptr()
    return found


@contextlib.contextmanager
def _waiting(look: bool) -> Iterator[list[str]]:
    """Where in the block Python waited for the device, as far as torch notices it, if one is to look."""
    found: list[str] = []
    if not look:
        yield found
        return
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        mode = torch.cuda.get_sync_debug_mode()
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield found
        finally:
            torch.cuda.set_sync_debug_mode(mode)
    for warning in caught:
        if "synchronizing CUDA operation" in str(warning.message):
            found.append(str(warning.message))
        elif "Synchronization debug mode" not in str(warning.message):
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
