"""Building a network that a stranger's file describes: it may not take up more than the file gives reason for.

A network is built on torch's meta device, where tensors have a shape and no memory. Some constructors look at the values of
their tensors (``torch.linspace(0, 1, 8).tolist()``, ``.item()``), which there are none of; those are built on the CPU, where
every operation is asked on the meta device first how much it would allocate.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as registration
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from ganzoo.errors import ModelError, UsageError

MAX_PIECES = 20_000
"""Modules, parameters and buffers of a network; timm's largest backbones have 3,000."""

SPARE_BYTES = 64 << 20
TIMES_FILE = 16
"""A constructor may allocate so many times what the weights' file has, all in all, for initial values and on the way to
them; and SPARE_BYTES more."""

_VALUE = torch.ops.aten._local_scalar_dense.default
"""What ``item()`` comes to."""


def build_bounded(build: Callable[[], nn.Module], path: Path) -> nn.Module:
    """What ``build`` returns, without memory if it can be built so, for a network whose weights are in the file ``path``.

    Raises:
        ModelError: It has more pieces, or would take more memory, than a network with these weights has.
        UsageError: It cannot be built.
    """
    with _few_pieces(path):
        try:
            with torch.device("meta"):
                return build()
        except UsageError as error:
            # What a constructor raises on purpose has no cause; what it stumbled over may be that there are no values.
            if error.__cause__ is None:
                raise
    with _few_pieces(path), _Bounded(path):
        return build()


@contextmanager
def _few_pieces(path: Path) -> Iterator[None]:
    """Let this thread build no network of more than MAX_PIECES: the millions that a file may name take long.

    Raises:
        ModelError: From within the network's constructor, as it adds one too many.
    """
    thread, pieces = threading.get_ident(), itertools.count(1)

    def count(*added: object) -> None:
        # The hooks are on all modules of the process; other threads build networks of their own.
        if threading.get_ident() == thread and next(pieces) > MAX_PIECES:
            raise ModelError(f"{path} cannot be loaded: its network has more than {MAX_PIECES:,} modules and tensors")

    with ExitStack() as hooks:
        for register in (
            registration.register_module_module_registration_hook,
            registration.register_module_parameter_registration_hook,
            registration.register_module_buffer_registration_hook,
        ):
            hooks.callback(register(count).remove)
        yield


class _Bounded(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Every operation is done on the meta device first, and in earnest if its results are not too large."""

    def __init__(self, path: Path) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._path = path
        self._left = SPARE_BYTES + TIMES_FILE * (path.stat().st_size if path.is_file() else 0)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is not _VALUE:
            shadows, named = tree_map_only(Tensor, _shadow, (args, kwargs))
            if "device" in named:
                named["device"] = torch.device("meta")
            # A generator draws where its device is.
            named.pop("generator", None)
            results = func(*shadows, **named)
            # What an operation returns as a view, or of what it was handed, takes no memory of its own.
            fresh = [r for r, told in zip(_listed(results), func._schema.returns, strict=False) if told.alias_info is None]
            tree_map_only(Tensor, self._take, fresh)
        return func(*args, **kwargs)

    def _take(self, tensor: Tensor) -> None:
        self._left -= tensor.numel() * tensor.element_size()
        if self._left < 0:
            raise ModelError(f"{self._path} cannot be loaded: its network would take far more memory than its weights do")


def _shadow(tensor: Tensor) -> Tensor:
    return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta")


def _listed(results: Any) -> list[Any]:
    return list(results) if isinstance(results, (list, tuple)) else [results]
