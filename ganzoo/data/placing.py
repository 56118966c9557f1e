"""Where data is while a run trains: on the device if there is room, else in main memory, from which its batches go there."""

from __future__ import annotations

from dataclasses import replace

import torch

from ganzoo.data.dataset import Dataset
from ganzoo.data.memory import DEVICE_SHARE, fits_on_device, gib
from ganzoo.data.store import Store


def place(data: Dataset, device: torch.device, free: float) -> tuple[Dataset, str]:
    """The same data, with its batches on ``device``: the same batches, wherever the samples themselves are.

    Args:
        data: What is not in memory as a whole is not there either.
        device: Where a run trains.
        free: Bytes of its memory that are free.

    Returns:
        The data; and what people should know of where it is, or an empty text if it is where they would think.
    """
    if not isinstance(data, Store):
        return data.to(device), ""
    tensors = [tensor for tensor in (data.samples, data.labels) if tensor is not None and tensor.device != device]
    size = sum(tensor.nbytes for tensor in tensors)
    if fits_on_device(size, free):
        # Somebody else may have taken it since it was asked for.
        try:
            return data.to(device), ""
        except torch.OutOfMemoryError:
            pass
    return replace(data, device=device), (
        f"{data.name} stays in main memory, from which each batch goes to {device}: there is no room for its {gib(size)} GiB, "
        f"as {gib(free)} GiB are free there and data may take {DEVICE_SHARE:.0%} of that"
    )
