"""Samples beside the training samples that are nearest to them: a look at whether a model copies."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from ganzoo.data.store import Store
from ganzoo.evaluation.distances import nearest
from ganzoo.evaluation.subject import Batches
from ganzoo.files import replace_file
from ganzoo.modalities.pictures import grid, save_image

SAMPLES = 12
NEAREST = 7


def write_neighbours(path: Path, batches: Batches, features: Tensor, train: Store, train_features: Tensor) -> None:
    """Write a sheet with a row for each of the first few samples: the sample, a gap, the nearest training samples.

    Args:
        path: A PNG file.
        batches: The samples.
        features: Theirs.
        train: The training data.
        train_features: Theirs, in their order.
    """
    count = min(SAMPLES, len(features))
    rows = nearest(features[:count], train_features, min(NEAREST, len(train)))[1]
    samples = batches(0, count).cpu()
    channels = max(train.sample_shape[0], samples.shape[1])
    gap = torch.ones_like(samples[0])
    pictures = [
        torch.stack([picture.expand(channels, -1, -1) for picture in (samples[i], gap, *train.batch(rows[i])[0].cpu())])
        for i in range(count)
    ]
    with replace_file(path) as beside:
        save_image(beside, grid(torch.cat(pictures), columns=rows.shape[1] + 2))
