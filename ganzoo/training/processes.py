"""The processes that train together: one, unless ``torchrun`` or ``accelerate launch`` started more.

Each has the same networks and its own share of every batch: of N processes, number r has the samples r, r + N, … Gradients
are averaged when an optimizer steps and batch statistics are taken over the whole batch, so that N processes compute what
one would. Rank 0 alone reads and writes the run's folder and looks at the clock.
"""

from __future__ import annotations

import atexit
import functools
import os
from collections.abc import Callable, Iterable
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor, distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ganzoo.devices import choose_device
from ganzoo.errors import TrainingError, UsageError

T = TypeVar("T")
P = ParamSpec("P")


def _together(exchange: Callable[P, T]) -> Callable[P, T]:
    """What fails in an exchange with other processes has failed in one of them."""

    @functools.wraps(exchange)
    def guarded(*arguments: P.args, **named: P.kwargs) -> T:
        try:
            return exchange(*arguments, **named)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise TrainingError(
                "another process of this run has ended", hint="its own error is among the lines above"
            ) from error

    return guarded


class Processes:
    """How many train together, and which of them this one is.

    Attributes:
        count: 1 for a run of one process.
        rank: In [0, count).
        device: Where this one computes.
    """

    def __init__(self, count: int, rank: int, device: torch.device) -> None:
        self.count = count
        self.rank = rank
        self.device = device

    @property
    def is_main(self) -> bool:
        """Whether it is this one that reads and writes files and shows progress."""
        return self.rank == 0

    def catch_up(self) -> None:
        """Wait until the device has done what it was asked for: it may be many steps behind."""
        if self.device.type != "cpu":
            torch.accelerator.synchronize(self.device)

    @_together
    def broadcast(self, value: T | None) -> T:
        """What the main process was handed, in all of them."""
        if self.count > 1:
            from accelerate.utils import broadcast_object_list

            (value,) = broadcast_object_list([value if self.is_main else None])
        return value  # type: ignore[return-value]

    def in_turn(self, make: Callable[[], T]) -> T:
        """What ``make`` returns, called in the main process before all others: it may download what they then find."""
        if self.count == 1:
            return make()
        from accelerate import PartialState

        with PartialState().main_process_first():
            return make()

    @_together
    def meet(self) -> None:
        """Go on when every process has come here."""
        if self.count > 1:
            distributed.barrier()

    @_together
    def largest(self, values: Iterable[float]) -> list[float]:
        """Value by value, the largest of any process; every process must ask."""
        values = list(values)
        if self.count == 1:
            return values
        tensor = torch.tensor(values, dtype=torch.float64, device=self.device)
        distributed.all_reduce(tensor, distributed.ReduceOp.MAX)
        found: list[float] = tensor.tolist()
        return found

    @_together
    def mean(self, tensor: Tensor) -> Tensor:
        """Value by value, the mean over all processes; every process must ask."""
        if self.count > 1:
            tensor = tensor.clone()
            distributed.all_reduce(tensor)
            tensor /= self.count
        return tensor

    @_together
    def gather(self, rows: Tensor) -> Tensor:
        """Rows of all processes, one process's after another's; every process must ask, with as many rows."""
        if self.count == 1:
            return rows
        found = [torch.empty_like(rows) for _ in range(self.count)]
        distributed.all_gather(found, rows.contiguous())
        return torch.cat(found)

    def lead(self, optimizers: Iterable[torch.optim.Optimizer]) -> None:
        """From now on each of these optimizers steps along the mean of all processes' gradients."""
        if self.count > 1:
            for optimizer in optimizers:
                optimizer.register_step_pre_hook(self._average_gradients)

    def synchronise(self, networks: Iterable[nn.Module]) -> None:
        """From now on batch norm in these networks takes its statistics over the batches of all processes."""
        if self.count > 1:
            for network in networks:
                for module in network.modules():
                    # In place: others may hold on to the layer.
                    if type(module) in _SYNCHRONISED:
                        module.__class__ = _SYNCHRONISED[type(module)]

    @_together
    @torch.no_grad()
    def _average_gradients(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        # A parameter may have got no gradient in some of the processes; all must speak of the same ones.
        given = torch.tensor([p.grad is not None for p in parameters], dtype=torch.float32, device=self.device)
        flat = torch.cat([given, *((p.grad if p.grad is not None else torch.zeros_like(p)).flatten() for p in parameters)])
        distributed.all_reduce(flat)
        shares = flat[len(parameters) :].div_(self.count).split_with_sizes([p.numel() for p in parameters])
        for parameter, share, givers in zip(parameters, shares, flat[: len(parameters)], strict=True):
            if parameter.grad is not None:
                parameter.grad.copy_(share.view_as(parameter))
            elif givers:
                parameter.grad = torch.empty_like(parameter).copy_(share.view_as(parameter))


def join(device: str = "auto") -> Processes:
    """Meet the other processes, if there are any.

    Args:
        device: As for :func:`ganzoo.train`; where there are several processes, its number is not for the user to say.

    Raises:
        UsageError: No such device.
    """
    said = os.environ.get("WORLD_SIZE", "1")
    missing = [name for name in ("RANK", "MASTER_ADDR", "MASTER_PORT") if name not in os.environ]
    if not said.isdecimal() or (int(said) > 1 and missing):
        why = f"WORLD_SIZE={said} is set" + (f" and {', '.join(missing)} not" if missing else "")
        raise UsageError(f"{why}, so that processes cannot meet", hint="start them with torchrun, which sets all of these")
    count = int(said)
    if count <= 1:
        return Processes(1, 0, choose_device(device))
    kind, _, number = device.partition(":")
    if number:
        raise UsageError(f"--device {device}: {count} processes share the devices of their machine", hint=f"--device {kind}")
    # Its functions keep the group of processes that exists when they are imported (torch.optim imports them late), so
    # that the group's threads would outlive its end and now and then abort the interpreter's.
    import torch.distributed.nn.functional  # noqa: F401
    from accelerate import PartialState

    where = choose_device(kind)
    state = PartialState(cpu=where.type == "cpu")
    atexit.register(state.destroy_process_group)
    return Processes(state.num_processes, state.process_index, state.device if where.type != "cpu" else where)


@_together
def _add_up(tensor: Tensor) -> Tensor:
    tensor = tensor.clone()
    distributed.all_reduce(tensor)
    return tensor


class _Sum(torch.autograd.Function):
    """The sum over all processes; so is that of its gradients."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return _add_up(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (gradient,) = gradients
        return _add_up(gradient)


class _Synchronised(_BatchNorm):
    """Batch norm whose statistics are those of all processes' batches, which are equally large, on any device.

    torch's own ``SyncBatchNorm`` does not compute on the CPU.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's own name
        if not self.training:
            return super().forward(input)
        self._check_input_dim(input)  # type: ignore[no-untyped-call]
        x = input.float()
        count = distributed.get_world_size()
        axes = [0, *range(2, x.ndim)]
        shape = (1, -1, *[1] * (x.ndim - 2))
        total: Tensor = _Sum.apply(x.mean(axes))
        mean = total / count
        centred = x - mean.view(shape)
        total = _Sum.apply(centred.square().mean(axes))
        variance = total / count
        if self.track_running_stats:
            self._take_in(mean.detach(), variance.detach(), count * x.numel() // x.shape[1])
        out = centred * torch.rsqrt(variance + self.eps).view(shape)
        if self.affine:
            out = out * self.weight.view(shape) + self.bias.view(shape)
        return out.to(input.dtype)

    @torch.no_grad()
    def _take_in(self, mean: Tensor, variance: Tensor, seen: int) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        weight = self.momentum if self.momentum is not None else 1 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean, weight)
        self.running_var.lerp_(variance * (seen / max(1, seen - 1)), weight)


class _Synchronised1d(_Synchronised, nn.BatchNorm1d): ...


class _Synchronised2d(_Synchronised, nn.BatchNorm2d): ...


class _Synchronised3d(_Synchronised, nn.BatchNorm3d): ...


_SYNCHRONISED: dict[type, type] = {
    nn.BatchNorm1d: _Synchronised1d,
    nn.BatchNorm2d: _Synchronised2d,
    nn.BatchNorm3d: _Synchronised3d,
}
