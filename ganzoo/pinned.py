"""Torch's settings for the whole process, as ganzoo needs them while it computes, and as the caller has them after that."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch


@contextlib.contextmanager
def pinned() -> Iterator[None]:
    """A block, or a function under it, in which the caller's settings change nothing of what is computed.

    New tensors are float32 and on the CPU, gradients are there for those who ask, weights are no inference tensors, and no
    autocast is on. What is called float32 is computed in it: see :func:`exact_float32`.
    """
    dtype = torch.get_default_dtype()
    with contextlib.ExitStack() as held:
        held.enter_context(torch.inference_mode(False))
        held.enter_context(torch.enable_grad())
        if torch.get_default_device().type != "cpu":
            # Not always: it would make every call of torch go through Python.
            held.enter_context(torch.device("cpu"))
        accelerator = torch.accelerator.current_accelerator()
        for kind in {"cpu", accelerator.type if accelerator else "cpu"}:
            if torch.is_autocast_enabled(kind):
                held.enter_context(torch.autocast(kind, enabled=False))
        held.enter_context(exact_float32())
        torch.set_default_dtype(torch.float32)
        try:
            yield
        finally:
            torch.set_default_dtype(dtype)


@contextlib.contextmanager
def exact_float32() -> Iterator[None]:
    """A block in which float32 has all of its 23 bits.

    TF32 has 10 of them and bfloat16 has 7. Convolutions on a GPU use TF32 if nobody turns it off, and
    ``torch.set_float32_matmul_precision("medium")`` has matrices multiplied in bfloat16, on processors too.
    """
    matmul, cudnn, single = torch.backends.cuda.matmul, torch.backends.cudnn, parts()
    before = [part.fp32_precision for part in single]
    older: list[Callable[[], object]] = []
    # Torch has two ways to say this, and does not answer in the older one to somebody who has used the newer one.
    for backend in (matmul, cudnn):
        with contextlib.suppress(RuntimeError):
            older.append(partial(setattr, backend, "allow_tf32", backend.allow_tf32))
    with contextlib.suppress(RuntimeError):
        older.append(partial(torch.set_float32_matmul_precision, torch.get_float32_matmul_precision()))
    torch.set_float32_matmul_precision("highest")
    cudnn.allow_tf32 = False
    for part in single:
        part.fp32_precision = "ieee"
    try:
        yield
    finally:
        for restore in older:
            restore()
        for part, value in zip(single, before, strict=True):
            # What only follows the setting above it goes on following it.
            part.fp32_precision = "none"
            if part.fp32_precision != value:
                part.fp32_precision = value


def parts() -> list[Any]:
    """The parts of torch that say by themselves, as ``fp32_precision``, what float32 is to them; none before torch 2.9."""
    backends: Any = torch.backends
    if not hasattr(backends, "fp32_precision"):
        return []
    cudnn, mkldnn = backends.cudnn, backends.mkldnn
    return [backends.cuda.matmul, cudnn.conv, cudnn.rnn, mkldnn.matmul, mkldnn.conv, mkldnn.rnn]
