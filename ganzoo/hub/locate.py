"""What a model's name means: a folder here, a generator that ships with ganzoo, or a repository of the Hub."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from ganzoo import model_folder, plugins
from ganzoo.errors import HubError, ModelError, UsageError, nearest
from ganzoo.files import replace_file
from ganzoo.hub.client import FORMS, check_downloads, parse_repo, talking
from ganzoo.hub.shipped import shipped_models
from ganzoo.model_folder import REPO
from ganzoo.network import check_client

SHIPPED = "shipped:"
RUNS = "runs/"
"""Where runs go that are given no folder. Who types it means one of them, and no user of the Hub."""
FEW = 5
"""So many folders are named to somebody who got one wrong."""


@dataclass(frozen=True)
class Found:
    """A model folder.

    Attributes:
        folder: Where it is.
        own: Whether it is the user's, to be written to; one that ships, or that the Hub's cache holds, is not.
        repository: ``user/repo``, if it was asked for as a repository of the Hub.
    """

    folder: Path
    own: bool
    repository: str = ""


def locate(
    source: str | Path,
    *,
    files: Collection[str] = (model_folder.CONFIG, model_folder.weights_file("generator")),
    local_files_only: bool = False,
) -> Found:
    """The model folder that a name means, downloaded if it has to be.

    Args:
        source: A folder (a model's, or a run's, which has one); the name of a generator that ships, ``shipped:NAME`` to be
            clear; or ``user/repo`` or ``user/repo@revision`` on the Hub. A folder that exists comes before a repository.
        files: Those that are wanted of a repository; what it does not have is not missed.
        local_files_only: Ask nobody: take what was downloaded before.

    Raises:
        ModelError: There is no such folder.
        UsageError: It may mean two things, or is none of these forms.
        HubError: The Hub does not give it.
    """
    text = str(source)
    shipped = shipped_models()
    if text.startswith(SHIPPED):
        name = text.removeprefix(SHIPPED)
        if name not in shipped:
            raise _unknown(name, shipped)
        return Found(shipped[name], own=False)
    if isinstance(source, str) and text in shipped:
        if _exists(text):
            raise UsageError(
                f"{text!r} is a folder here and the name of a generator that ships", hint=f"say ./{text} or {SHIPPED}{text}"
            )
        return Found(shipped[text], own=False)
    if isinstance(source, Path) or _exists(text) or text.startswith((".", "/", "~")):
        folder = model_folder.find_folder(source)
        return Found(folder, own=not _is_cached(folder))
    repo = text.partition("@")[0]
    above = text.partition("/")[0]
    if "@" not in text and (text.startswith(RUNS) or (REPO.fullmatch(repo) and Path(above).is_dir())):
        raise _no_folder(text)
    if REPO.fullmatch(repo):
        return Found(download(text, files, local_files_only=local_files_only), own=False, repository=repo)
    if text.count("/") > 1 or "@" in text:
        raise ModelError(f"no folder {text!r}, and no repository of the Hub is called that", hint=f"its form is {FORMS}")
    raise _unknown(text, shipped)


def locate_whole(source: str | Path) -> Found:
    """As :func:`locate`, with the weights of every role that the model holds. Raises ModelError too if it is damaged."""
    with unless_it_fails(source):
        found = locate(source)
        files = [model_folder.weights_file(role) for role in model_folder.read_config(found.folder).networks]
        return locate(source, files=(model_folder.CONFIG, *files)) if found.repository and len(files) > 1 else found


def download(text: str, files: Collection[str], *, local_files_only: bool = False) -> Path:
    """The snapshot of a repository in the Hub's cache, with those of ``files`` that it has. Raises UsageError, HubError."""
    repo, revision = parse_repo(text)
    with unless_it_fails(text):
        with talking(repo, revision) as why:
            from huggingface_hub import snapshot_download

            # Unless a pattern has a letter that is special to it, it is a name at the top of the repository.
            folder = Path(
                snapshot_download(repo, revision=revision, allow_patterns=list(files), local_files_only=local_files_only)
            )
        offline = local_files_only or why is not None
        check_downloads(repo, folder, offline=offline)
    needed = (model_folder.CONFIG, model_folder.weights_file("generator"))
    if missing := [name for name in needed if name in files and not (folder / name).is_file()]:
        if offline:
            raise HubError(f"the cache has only a part of {repo}", hint=f"while online: ganzoo pull {text}")
        raise HubError(f"{repo} is no model of ganzoo's: it lacks {' and '.join(missing)}", hint="find some: ganzoo search")
    return folder


@contextlib.contextmanager
def unless_it_fails(source: str | Path) -> Iterator[None]:
    """The block moves a branch of the Hub's cache on, or leaves it at the commit that is there, and works offline.

    Args:
        source: What is found in the block; of what is no repository there is nothing to keep.

    Raises:
        UsageError: A revision that is none.
    """
    if not REPO.fullmatch(str(source).partition("@")[0]) or isinstance(source, Path) or _exists(str(source)):
        yield
        return
    repo, revision = parse_repo(str(source))
    check_client()
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    branch = Path(constants.HF_HUB_CACHE, repo_folder_name(repo_id=repo, repo_type="model"), "refs", revision or "main")
    before = branch.read_bytes() if branch.is_file() else None
    try:
        yield
    except BaseException:
        if before is not None and not (branch.is_file() and branch.read_bytes() == before):
            with replace_file(branch) as beside:
                beside.write_bytes(before)
        raise


def _is_cached(folder: Path) -> bool:
    """Whether it is the Hub's cache that holds it, as links to what it is sure of, or, where there are no links, as files."""
    snapshots = folder.resolve().parent
    return (folder / model_folder.CONFIG).is_symlink() or (
        snapshots.name == "snapshots" and snapshots.parent.name.startswith("models--")
    )


def _exists(text: str) -> bool:
    # Of names that no file can have, pathlib raises.
    return os.path.exists(text)  # noqa: PTH110


def _no_folder(text: str) -> ModelError:
    """Of a folder that is not there: those that are there beside it."""
    above, name = Path(text.partition("/")[0]), text.split("/")[1]
    there = sorted(path.name for path in above.iterdir() if (path / model_folder.CONFIG).is_file()) if above.is_dir() else []
    near = nearest(name, there)
    listed = [*near, *(other for other in there if other not in near)][:FEW]
    said = f"in {above} there are {', '.join(listed)}{' …' if len(there) > FEW else ''}" if there else ""
    if text.startswith(RUNS):
        return ModelError(f"no folder {text!r}", hint=said or "no run is there: ganzoo train NAME makes one")
    hub = f"if it is a repository of the Hub, say {text}@main"
    return ModelError(f"no folder {text!r}", hint=f"{said}; {hub}" if said else hub)


def _unknown(name: str, shipped: Collection[str]) -> UsageError:
    near = nearest(name, shipped)
    meant = f"did you mean {' or '.join(near)}? " if near else ""
    forms = f"a model is one of ganzoo list --kind models, a folder, or {FORMS} on the Hub"
    if plugins.load().registry.find("variant", name):
        return UsageError(f"no model {name!r}: that is a variant", hint=f"train it: ganzoo train {name}; {meant}{forms}")
    return UsageError(f"no model {name!r}", hint=f"{meant}{forms}")
