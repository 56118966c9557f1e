"""Layers that variants share."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LogitHead(nn.Module):
    """Features to one logit each, always in fp32.

    A logit is the small difference of large sums; in bf16 it has three digits, too few for a loss to follow.

    Args:
        features: Numbers per sample, whatever their shape.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, 1)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, ...)`` to ``(N,)``."""
        with torch.autocast(x.device.type, enabled=False):
            logits: Tensor = self.linear(x.flatten(1).float())
        return logits.squeeze(1)
