"""Pictures mirrored at random: twice the data where left and right are alike, and wrong where something is written."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, pad, relu

from ganzoo.data.dataset import Dataset
from ganzoo.data.store import Store
from ganzoo.modalities.pictures import Pictures, to_unit

LOOKED_AT = 4_000
"""Pictures that are asked about at the most."""

FEWEST = 500
"""Of fewer pictures, too little can be told."""

TOLD_APART = 0.55
"""From which part of right answers on, pictures and their mirrored ones are told apart. By chance it is a half."""

SURE = 2.0
"""Standard errors on the safe side of that: what cannot be told for sure is not mirrored."""

SMALL_CLASS = 50
"""Classes of fewer pictures are asked about together."""

_SIDE = 8
_UNITS = 256
_SEEN = 64
_AT_ONCE = 2**24


def mirrored(pictures: Tensor, turned: Tensor) -> Tensor:
    """Pictures ``(N, C, H, W)``, those of them mirrored (left to right) that ``turned``, bool ``(N,)``, says."""
    return torch.where(turned.view(-1, 1, 1, 1), pictures.flip(3), pictures)


def looks_the_same_mirrored(data: Dataset) -> bool:
    """Whether pictures cannot be told from mirrored ones, so that showing these as well teaches little that is wrong.

    A small classifier is trained on half of some thousand pictures, and asked of the other half which way round they are;
    then the other way about. It sees colours, where a picture differs from its own mean, and which way strokes lean, which
    letters of any colour on any ground have in common, all at 8x8. Of clothes it tells 77 % right, of handwritten digits
    98 %, of CIFAR-10's photographs 49 %. Where there are labels there is a classifier for each class, for left shoes and
    right shoes together have no side. What it cannot see: writing in a few of many photographs, and other small things.

    Returns:
        False as well for what is no picture, for fewer than :data:`FEWEST` pictures, and for data that is not in memory.
    """
    if not isinstance(data, Store) or not isinstance(data.modality, Pictures) or len(data) < FEWEST:
        return False
    rows = torch.randperm(len(data), generator=torch.Generator().manual_seed(0))[:LOOKED_AT]
    # Every so many pixels of large pictures are enough for 8x8, and a few pictures at a time for the memory.
    step = max(1, min(data.sample_shape[1:]) // _SEEN)
    parts = torch.split(rows, max(1, _AT_ONCE // data.samples[0].numel()))
    one_sided = torch.cat([_one_sided(to_unit(data.samples[some][..., ::step, ::step].cpu())) for some in parts])
    labels = None if data.labels is None else data.labels.cpu()[rows]
    answers = [_right_answers(one_sided[kind]) for kind in _kinds(labels, len(rows))]
    # One class of many may be written, such as signs among animals.
    alone = any(part.mean() - SURE * _error(len(part)) > TOLD_APART for part in answers)
    right = torch.cat(answers)
    return not alone and float(right.mean()) + SURE * _error(len(right)) < TOLD_APART


def _one_sided(pictures: Tensor) -> Tensor:
    """What changes its sign as a picture is mirrored, ``(N, F)``: it is all that such a classifier has to go by."""
    return _features(pictures) - _features(pictures.flip(3))


def _features(pictures: Tensor) -> Tensor:
    grey = pictures.mean(1, keepdim=True)
    grey = grey - grey.mean((2, 3), keepdim=True)
    contrast = grey.abs()
    across, down = grey[..., 1:, 1:] - grey[..., 1:, :-1], grey[..., 1:, 1:] - grey[..., :-1, 1:]
    # Which way strokes lean, whatever their colour.
    slant = pad(across * down, (1, 0, 1, 0))
    small = adaptive_avg_pool2d(torch.cat([pictures, contrast, slant], 1), _SIDE).flatten(1)
    # And what these have to do with each other: a layer of random units, the same ones always.
    layer = torch.randn(small.shape[1], _UNITS, generator=torch.Generator().manual_seed(0)).to(small)
    return torch.cat([small, relu(small @ layer / small.shape[1] ** 0.5)], 1).double()


def _kinds(labels: Tensor | None, count: int) -> Iterator[Tensor]:
    """The rows of each class; those of small classes together."""
    if labels is None:
        yield torch.arange(count)
        return
    sizes = labels.bincount()
    few = sizes < SMALL_CLASS
    for label in torch.nonzero(~few).flatten():
        yield torch.nonzero(labels == label).flatten()
    if (rest := torch.nonzero(few[labels]).flatten()).numel():
        yield rest


def _right_answers(one_sided: Tensor) -> Tensor:
    """For each of the rows ``(N, F)``, which way round it is: 1 for a right answer, 0 for a wrong one, ½ for none."""
    answers = torch.full((len(one_sided),), 0.5, dtype=torch.float64)
    for half in (0, 1):
        shown, asked = one_sided[1 - half :: 2], one_sided[half::2]
        if len(shown) and len(asked):
            answers[half::2] = (torch.sign(asked @ _direction(shown)) + 1) / 2
    return answers


def _direction(shown: Tensor) -> Tensor:
    """That in which rows ``(N, F)`` lie furthest from their negatives: ridge regression of 1."""
    products = shown.T @ shown
    ridge = 0.01 * products.diagonal().mean() * torch.eye(len(products), dtype=products.dtype)
    solution: Tensor = torch.linalg.lstsq(products + ridge, shown.sum(0)[:, None]).solution
    return solution[:, 0]


def _error(count: int) -> float:
    """The standard error of a part of right answers, where they are right by chance."""
    return 0.5 / math.sqrt(count)
