"""Torch's settings for the whole process, as ganzoo needs them while it computes, and as the caller has them after that."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch


@contextlib.contextmanager
def pinned() -> Iterator[None]:
    """A block, or a function under it, in which the caller's settings change nothing of what is computed.

    New tensors are float32 and on the CPU, gradients are there for those who ask, and weights are no inference tensors. What
    is called float32 is computed in it: TF32 has 10 of its 23 bits, and convolutions on a GPU use it if nobody turns it off.
    """
    dtype = torch.get_default_dtype()
    backends: tuple[Any, ...] = (torch.backends.cuda.matmul, torch.backends.cudnn)
    allowed = [backend.allow_tf32 for backend in backends]
    with contextlib.ExitStack() as held:
        held.enter_context(torch.inference_mode(False))
        held.enter_context(torch.enable_grad())
        if torch.get_default_device().type != "cpu":
            # Not always: it would make every call of torch go through Python.
            held.enter_context(torch.device("cpu"))
        torch.set_default_dtype(torch.float32)
        for backend in backends:
            backend.allow_tf32 = False
        try:
            yield
        finally:
            torch.set_default_dtype(dtype)
            for backend, before in zip(backends, allowed, strict=True):
                backend.allow_tf32 = before
