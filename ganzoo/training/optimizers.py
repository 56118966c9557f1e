"""Optimizers by name: the common ones from torch, all others from timm."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import nn

from ganzoo.errors import UnknownNameError, UsageError

COMMON: dict[str, type[torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "rmsprop": torch.optim.RMSprop,
    "sgd": torch.optim.SGD,
}


def create_optimizer(name: str, network: nn.Module, *, lr: float, **options: Any) -> torch.optim.Optimizer:
    """An optimizer over what ``network`` trains.

    Args:
        name: One of torch's four in :data:`COMMON`, fused where it can be, or any of timm's.
        network: Parameters that do not require gradients are left out.
        lr: Learning rate.
        options: Further arguments; those that are None are left at the optimizer's defaults.

    Raises:
        UnknownNameError: No such optimizer.
        UsageError: An option that this optimizer does not have.
    """
    parameters = [p for p in network.parameters() if p.requires_grad]
    given = {k: v for k, v in options.items() if v is not None}
    if name not in COMMON:
        return _from_timm(name, parameters, lr, given)
    make = COMMON[name]
    known = inspect.signature(make).parameters
    if unknown := [k for k in given if k not in known]:
        raise UsageError(f"the optimizer {name!r} has no option {unknown[0]!r}", hint=f"leave it out: -o {unknown[0]}=null")
    if "fused" in known:
        given["fused"] = all(p.is_floating_point() for p in parameters)
    return make(parameters, lr=lr, **given)  # type: ignore[call-arg]


def _from_timm(name: str, parameters: list[nn.Parameter], lr: float, options: dict[str, Any]) -> torch.optim.Optimizer:
    from timm.optim import create_optimizer_v2, list_optimizers

    if name not in (names := list_optimizers()):
        raise UnknownNameError("optimizer", name, [*COMMON, *names])
    try:
        made: torch.optim.Optimizer = create_optimizer_v2(parameters, opt=name, lr=lr, **options)
    except TypeError as error:
        raise UsageError(f"the optimizer {name!r} does not take these options: {error}") from error
    return made
