"""In which precision networks run."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn

from ganzoo.errors import PluginError
from ganzoo.interfaces import StepContext, Trainer
from ganzoo.noise import Noise

Precision: TypeAlias = Literal["auto", "fp32", "bf16"]

PRECISIONS: dict[str, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16}

TRIAL_STEPS = 16
"""A trial takes at most as many steps, until each network has learned once."""

TOLERANCE = 0.5
"""By how much the gradient of a tensor in bf16 may differ from that in fp32, as a part of its norm."""

NEGLIGIBLE = 0.02
"""A gradient smaller than this part of the network's whole is as wrong as its error is of this part."""


def choose_precision(device: torch.device) -> torch.dtype:
    """bfloat16 where the device computes in it (AMX, AVX512-bf16, recent CUDA), else float32."""
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    elif device.type == "cpu":
        fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    else:
        fast = False
    return torch.bfloat16 if fast else torch.float32


class Trial(StepContext):
    """Lent to a step whose outcome is thrown away."""

    def __init__(self, device: torch.device, precision: torch.dtype) -> None:
        self.device = device
        self.precision = precision
        self.step = self.images = 0
        self.progress = 0.0

    def noise(self, purpose: str) -> Noise:
        return Noise(sum(purpose.encode()), self.device)

    def autocast(self) -> AbstractContextManager[Any]:
        return autocast(self.device, self.precision)

    def backward(self, loss: Tensor) -> None:
        if not isinstance(loss, Tensor) or loss.ndim:
            found = f"a tensor of shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else f"a {type(loss).__name__}"
            raise PluginError(f"context.backward() was given {found}; it takes a loss that is one number")
        loss.backward()  # type: ignore[no-untyped-call]


def autocast(device: torch.device, precision: torch.dtype) -> AbstractContextManager[Any]:
    """Networks run in ``precision`` inside; their weights stay in fp32."""
    return torch.autocast(device.type, dtype=precision, enabled=precision is not torch.float32)


def disagreements(trainer: Trainer, reals: Tensor, labels: Tensor | None) -> dict[str, float]:
    """By how much each network's gradients in bf16 differ from those in fp32: the worst tensor's, as a part of its norm.

    The trainer's own steps are tried on a copy of it, at a learning rate of zero. Builds of torch exist that compute single
    shapes wrongly in bf16; that shows in the gradients of whatever is behind the layer, whose error is then as large as they
    are, where rounding makes it a tenth or less.

    Args:
        trainer: What is to be trained; it stays as it is.
        reals, labels: Some samples, on the training device.

    Raises:
        Exception: Whatever the trainer raises in fp32. What it raises in bf16 counts as complete disagreement.
    """
    exact = _trial_gradients(trainer, reals, labels, torch.float32)
    try:
        rounded = _trial_gradients(trainer, reals, labels, torch.bfloat16)
    except Exception:  # noqa: BLE001 - a layer that does not have it fails in its own way; in fp32 the same step went well
        return dict.fromkeys(exact, 1.0)
    return {role: _difference(gradients, rounded[role]) for role, gradients in exact.items()}


def _trial_gradients(
    trainer: Trainer, reals: Tensor, labels: Tensor | None, precision: torch.dtype
) -> Mapping[str, list[Tensor | None]]:
    trial = take_trial(trainer, reals, labels, precision)
    return {role: [p.grad for p in _trained(network)] for role, network in trial.networks.items()}


def take_trial(
    trainer: Trainer,
    reals: Tensor,
    labels: Tensor | None,
    precision: torch.dtype,
    watch: Callable[[Trainer], None] = lambda trial: None,
) -> Trainer:
    """A copy of a trainer after steps at a learning rate of zero, as many as it takes until each network has learned.

    Args:
        trainer: What is to be trained; it stays as it is.
        reals, labels: A batch, on the training device.
        precision: In which networks run.
        watch: Handed the copy before its first step.
    """
    trial = copy.deepcopy(trainer)
    watch(trial)
    for optimizer in trial.optimizers.values():
        for group in optimizer.param_groups:
            group["lr"] = 0.0
    context = Trial(reals.device, precision)
    for step in range(TRIAL_STEPS):
        torch.manual_seed(step)
        trial.step(reals, labels, context)
        context.step += 1
        context.images += len(reals)
        if all(p.grad is not None for n in trial.networks.values() for p in _trained(n)):
            break
    return trial


def _trained(network: nn.Module) -> list[nn.Parameter]:
    return [p for p in network.parameters() if p.requires_grad]


def _difference(exact: list[Tensor | None], rounded: list[Tensor | None]) -> float:
    """The largest error of one tensor, as a part of its own norm or of a share of the network's, where that is larger."""
    pairs = [(a.norm(), (a - b).norm()) for a, b in zip(exact, rounded, strict=True) if a is not None and b is not None]
    if not pairs:
        return 0.0
    norms, errors = (torch.stack(values) for values in zip(*pairs, strict=True))
    floor = max(NEGLIGIBLE * float(norms.norm()), torch.finfo(torch.float32).tiny)
    worst = float((errors / norms.clamp_min(floor)).max())
    return worst if math.isfinite(worst) else math.inf
