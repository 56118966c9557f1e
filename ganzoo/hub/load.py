"""The public ``ganzoo.load`` and ``ganzoo.load_discriminator``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ganzoo import model_folder, pretrained
from ganzoo.hub.locate import locate, unless_it_fails
from ganzoo.interfaces import Discriminator


def load(
    source: str | Path, *, role: str = "generator", device: str | torch.device = "cpu", local_files_only: bool = False
) -> Any:
    """A trained network, ready to use: ``ganzoo.load("dcgan-fashion-mnist").sample(seeds=range(16))``.

    Args:
        source: The name of a generator that ships with ganzoo; a model folder, or the folder of a run, which has one; or
            ``user/repo`` or ``user/repo@revision`` on the Hugging Face Hub, which is downloaded once. A folder that
            exists comes before a repository of the same name.
        role: Which network; the generator unless the variant keeps others too.
        device: Where to put it.
        local_files_only: Take what was downloaded before and do not ask the Hub; HF_HUB_OFFLINE=1 does the same.

    Returns:
        The network in evaluation mode; for ``generator`` a :class:`ganzoo.Generator`. Its ``config`` attribute holds the
        folder's :class:`~ganzoo.model_folder.ModelConfig`, unless the network has an attribute of that name of its own.

    Raises:
        ModelError: No model folder, or one that is damaged, or whose plugin is not installed.
        HubError: The Hub cannot be reached, has no such model, or does not let this account have it.
        UsageError: The folder has no network of that role, or the name is no model's or may mean two things.
    """
    files = (model_folder.CONFIG, model_folder.weights_file("generator"), model_folder.weights_file(role))
    with unless_it_fails(source):
        found = locate(source, files=files, local_files_only=local_files_only)
        return pretrained.load(found.folder, role=role, device=device)


def load_discriminator(
    source: str | Path, *, device: str | torch.device = "cpu", local_files_only: bool = False
) -> Discriminator:
    """The discriminator that a model folder holds besides its generator, if it does; see :func:`load`.

    Raises:
        UsageError: It holds none: most do not.
        ModelError, HubError: As for :func:`load`.
    """
    network: Discriminator = load(source, role="discriminator", device=device, local_files_only=local_files_only)
    return network
