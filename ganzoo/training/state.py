"""All that a run is at one moment, as plain data and tensors: what a checkpoint holds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ganzoo.errors import PluginError
from ganzoo.interfaces import Trainer
from ganzoo.training.ema import EMA
from ganzoo.variant import Json

HOW_NOT_WHAT = {"params", "lr", "initial_lr", "fused", "foreach", "capturable", "differentiable"}
"""What an optimizer's group says of this process and not of the run. Learning rates follow from the run's progress."""


@dataclass(frozen=True)
class Snapshot:
    """A run between two steps.

    Attributes:
        step: Steps taken.
        images: Real samples shown to the discriminator.
        seconds: Seconds spent, as the schedules have it.
        tensors: File -> name -> tensor, on the CPU, with memory of their own.
        rest: What is no tensor in the optimizers and the trainer.
    """

    step: int
    images: int
    seconds: float
    tensors: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    rest: dict[str, Json] = field(default_factory=dict)


def capture(trainer: Trainer, ema: EMA, *, step: int, images: int, seconds: float) -> Snapshot:
    """A copy of everything, as it is now.

    Raises:
        PluginError: The state of an optimizer or of the trainer holds what is neither a tensor nor plain data.
    """
    tensors: dict[str, dict[str, Tensor]] = {"networks": {}, "ema": {}, "optimizers": {}, "trainer": {}}
    for file, networks in (("networks", trainer.networks), ("ema", ema.networks)):
        for role, network in networks.items():
            tensors[file] |= {f"{role}/{name}": _copy(tensor) for name, tensor in tensors_in(network).items()}
    rest = {
        "optimizers": {
            name: take_apart(optimizer.state_dict(), name, tensors["optimizers"])
            for name, optimizer in trainer.optimizers.items()
        },
        "trainer": take_apart(dict(trainer.state()), "state", tensors["trainer"]),
        "extra": _extra("networks", trainer.networks, tensors) | _extra("ema", ema.networks, tensors),
    }
    return Snapshot(step, images, seconds, {file: found for file, found in tensors.items() if found}, rest)


def capture_networks(networks: Mapping[str, nn.Module], *, images: int) -> Snapshot:
    """A copy of some networks by role, which :func:`restore_networks` takes as ``networks``. Raises PluginError likewise."""
    tensors = {"networks": {f"{r}/{n}": _copy(t) for r, network in networks.items() for n, t in tensors_in(network).items()}}
    return Snapshot(0, images, 0.0, tensors, {"extra": _extra("networks", networks, tensors)})


def _extra(file: str, networks: Mapping[str, nn.Module], tensors: dict[str, dict[str, Tensor]]) -> dict[str, Json]:
    """What modules keep that is neither parameter nor buffer, its tensors among those of the file."""
    return {
        f"{file}/{role}/{name}": take_apart(module.get_extra_state(), f"extra/{role}/{name}", tensors[file])
        for role, network in networks.items()
        for name, module in _with_extra_state(network)
    }


@torch.no_grad()
def restore(snapshot: Snapshot, trainer: Trainer, ema: EMA) -> None:
    """Make a run what it was. Its networks and optimizers are new, and of the same kind as when it was captured.

    Raises:
        KeyError, ValueError, RuntimeError: It is another kind of run's.
    """
    restore_networks("networks", trainer.networks, snapshot)
    restore_networks("ema", ema.networks, snapshot)
    kept = snapshot.tensors.get("optimizers", {})
    for name, optimizer in trainer.optimizers.items():
        state = put_together(snapshot.rest["optimizers"][name], kept)
        for live, saved in zip(optimizer.param_groups, state["param_groups"], strict=True):
            saved.update({key: live[key] for key in HOW_NOT_WHAT & live.keys() - {"params"}})
        optimizer.load_state_dict(state)
        _match_layouts(optimizer)
    trainer.load_state(put_together(snapshot.rest["trainer"], snapshot.tensors.get("trainer", {})))


@torch.no_grad()
def restore_average(snapshot: Snapshot, ema: EMA) -> None:
    """Make the averages what they were, and nothing else."""
    restore_networks("ema", ema.networks, snapshot)


@torch.no_grad()
def restore_networks(file: str, networks: Mapping[str, nn.Module], snapshot: Snapshot) -> None:
    """Make the networks by role what those in ``file``, ``networks`` or ``ema``, were. Raises KeyError, RuntimeError."""
    for role, network in networks.items():
        for name, tensor in tensors_in(network).items():
            tensor.copy_(snapshot.tensors[file][f"{role}/{name}"])
        for name, module in _with_extra_state(network):
            module.set_extra_state(put_together(snapshot.rest["extra"][f"{file}/{role}/{name}"], snapshot.tensors[file]))


def tensors_in(network: nn.Module) -> dict[str, Tensor]:
    """Every parameter and buffer, also those that a network's state leaves out."""
    return {**dict(network.named_parameters()), **dict(network.named_buffers())}


def _with_extra_state(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    return ((n, m) for n, m in network.named_modules() if type(m).get_extra_state is not nn.Module.get_extra_state)


def take_apart(value: Any, where: str, tensors: dict[str, Tensor]) -> Json:
    """``value`` as JSON that names the tensors in it, which are copied into ``tensors``.

    Raises:
        PluginError: It holds what is neither a tensor nor plain data.
    """
    if isinstance(value, Tensor):
        tensors[where] = _copy(value)
        return {"tensor": where}
    if isinstance(value, Mapping):
        return {"mapping": [[key, take_apart(v, f"{where}/{key}", tensors)] for key, v in value.items()]}
    if isinstance(value, (list, tuple)):
        kind = "tuple" if isinstance(value, tuple) else "list"
        return {kind: [take_apart(v, f"{where}/{i}", tensors) for i, v in enumerate(value)]}
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise PluginError(f"{where} holds a {type(value).__name__}: a checkpoint takes tensors and plain data")


def put_together(value: Json, tensors: Mapping[str, Tensor]) -> Any:
    """The inverse of :func:`take_apart`."""
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    match kind:
        case "tensor":
            return tensors[content]
        case "float":
            return float(content)
        case "mapping":
            return {key: put_together(v, tensors) for key, v in content}
        case "list":
            return [put_together(v, tensors) for v in content]
        case "tuple":
            return tuple(put_together(v, tensors) for v in content)
    raise ValueError(f"unknown kind of state {kind!r}")


def _copy(tensor: Tensor) -> Tensor:
    return tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)


def _match_layouts(optimizer: torch.optim.Optimizer) -> None:
    """Lay out an optimizer's tensors as its parameters are: fused kernels go through both in the order of memory."""
    for parameter, state in optimizer.state.items():
        for key, value in state.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape and value.stride() != parameter.stride():
                state[key] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
