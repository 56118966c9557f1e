"""Weights that are numbers no more: they are never kept, and whoever trained them is told how to go on from before."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from ganzoo.errors import TrainingError
from ganzoo.factory import Part
from ganzoo.interfaces import Trainer
from ganzoo.training.checkpoint import Checkpoints
from ganzoo.training.command import command_of
from ganzoo.training.config import RunConfig
from ganzoo.training.ema import EMA
from ganzoo.training.folder import CHECKPOINTS
from ganzoo.training.scoring import Scoring
from ganzoo.training.taking import options_of_networks

SLOWER = 0.5
"""What learning rates are multiplied with in the command that goes on."""


class DivergedError(TrainingError):
    """A metric or a weight is no finite number any more."""


@torch.no_grad()
def not_finite(trainer: Trainer, ema: EMA) -> str | None:
    """Which weights, statistics or moments are not finite, in words; None if all are.

    Weights have to be finite. Buffers, a mask of which may hold infinities, and optimizers' moments must have no NaN.
    It waits for the device, once for each network, and so is not for every step.
    """
    for whose, networks in (("", trainer.networks), ("the average of ", ema.networks)):
        for role, network in networks.items():
            if not all(map(torch.isfinite, _extremes(network.parameters()))):
                return f"{whose}the weights of the {role}"
            if any(map(torch.isnan, _extremes(network.buffers()))):
                return f"{whose}the buffers of the {role}"
    for name, optimizer in trainer.optimizers.items():
        if any(map(torch.isnan, _extremes(_moments(optimizer)))):
            return f"the moments of the optimizer {name!r}"
    return None


def _extremes(tensors: Iterable[Tensor]) -> Iterator[Tensor]:
    """The least and the greatest value of all that have a fraction, on the CPU; NaN where any is."""
    found = [torch.stack(t.detach().aminmax()).float() for t in tensors if t.is_floating_point() and t.numel()]
    return iter(torch.cat([f.to(found[0].device) for f in found]).cpu()) if found else iter(())


def _moments(optimizer: torch.optim.Optimizer) -> Iterator[Tensor]:
    return (value for state in optimizer.state.values() for value in state.values() if isinstance(value, Tensor))


def way_on(config: RunConfig, scoring: Scoring | None, folder: Path, *, named: bool) -> str:
    """What to do about a run that diverged: which checkpoint is good, and the command that goes on from it.

    Args:
        config: The run.
        scoring: How it is scored.
        folder: Its folder.
        named: Whether the user named the folder.
    """
    slower = replace(config, parts={**config.parts, "trainer": _slower(config.parts["trainer"])})
    rate = (
        "a lower learning rate" if slower.parts["trainer"].arguments != config.parts["trainer"].arguments else "other options"
    )
    found = None
    with contextlib.suppress(TrainingError):
        found = Checkpoints(folder / CHECKPOINTS).newest(lambda text: None)
    if found:
        # All networks are there as they are here.
        inherited = options_of_networks(config.networks)
        slower = replace(slower, start=str(found[0]), taken=None, inherited=inherited)
    # Another run than the one that is there, and so in another folder; where nobody named one, a new one is found.
    words = command_of(slower, scoring, shared=False, out=_beside(folder) if named else None)
    samples = f"the samples until then are in {folder / 'samples'}"
    if found is None:
        return f"there is no checkpoint from before that. Begin anew with {rate}: {words}; {samples}"
    return (
        f"the checkpoint {found[0]}, after {found[1].images:,} images, is good. Start from it with {rate}: {words} "
        f"(the same command as before would come to the same end); {samples}"
    )


def _slower(trainer: Part) -> Part:
    """The trainer with every learning rate that it has as an option lowered."""
    lower = {
        key: float(f"{value * SLOWER:.4g}")
        for key, value in trainer.arguments.items()
        if (key == "lr" or key.endswith("_lr") or key.startswith("lr_")) and isinstance(value, float)
    }
    return replace(trainer, arguments={**trainer.arguments, **lower})


def _beside(folder: Path) -> Path:
    number = 2
    while (path := folder.with_name(f"{folder.name}-{number}")).exists():
        number += 1
    return path
