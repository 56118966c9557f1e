"""A model folder from the Hub."""

from __future__ import annotations

import shutil
from pathlib import Path

from ganzoo import model_folder
from ganzoo.errors import ModelError, UsageError
from ganzoo.files import replace_folder, user_path
from ganzoo.hub.client import parse_repo, talking
from ganzoo.hub.locate import download, unless_it_fails
from ganzoo.hub.push import model_files, validate
from ganzoo.model_folder import read_config
from ganzoo.network import TOLD


def pull(repo: str, folder: str | Path | None = None) -> Path:
    """Download a model into the Hub's cache, where ``ganzoo.load(repo)`` finds it offline, and copy it to a folder.

    Args:
        repo: ``user/repo`` or ``user/repo@revision``.
        folder: Where to copy it; it must be new, empty, or hold a model, which is replaced. None: leave it in the cache.

    Returns:
        The folder: the one that was named, or the one in the cache.

    Raises:
        UsageError: A folder that holds something else.
        HubError: The Hub cannot be reached, or has no such model.
        ModelError: What it has is damaged, or needs a plugin that is not there.
    """
    name, revision = parse_repo(repo)
    target = None if folder is None else _target(Path(folder))
    with talking(name, revision) as why:
        from huggingface_hub import HfApi

        if why != TOLD:
            # Where the Hub refuses, the client makes do with what its cache has; who pulls is to know.
            HfApi(library_name="ganzoo").model_info(name, revision=revision, expand=["sha"])
    with unless_it_fails(repo):
        first = download(repo, (model_folder.CONFIG,))
        # The cache calls a snapshot by its commit. What is pushed meanwhile is another.
        snapshot = download(f"{name}@{first.name}", model_files(read_config(first)))
        config = validate(snapshot)
    if target is None:
        return snapshot
    with replace_folder(target) as beside:
        for name in model_files(config):
            if (snapshot / name).is_file():
                # The cache holds links; what is copied is what they lead to.
                shutil.copyfile(snapshot / name, beside / name)
    return target


def _target(folder: Path) -> Path:
    """The folder to copy to. Raises UsageError for one in which anything would be lost but a model."""
    folder = user_path(folder).resolve()
    if not folder.exists():
        return folder
    if not folder.is_dir():
        raise UsageError(f"{str(folder)!r} is not a folder")
    if there := {entry.name for entry in folder.iterdir()}:
        try:
            mine = there - set(model_files(read_config(folder)))
        except ModelError:
            mine = there
        if mine:
            named = min(mine, key=lambda name: (name.startswith("."), name))
            raise UsageError(f"{str(folder)!r} holds something else than a model: {named}", hint="name a new folder")
    if folder == Path.cwd():
        raise UsageError("the current folder cannot be replaced", hint="name a new one")
    return folder
