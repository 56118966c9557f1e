"""A model folder onto the Hub."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ganzoo import model_folder, pretrained
from ganzoo.card import TAG, write_card
from ganzoo.errors import ModelError, UsageError
from ganzoo.files import replace_file
from ganzoo.hub.client import parse_repo, talking
from ganzoo.model_folder import CARD, PREVIEWS, SCORES, ModelConfig, read_config, read_json, weights_file

if TYPE_CHECKING:
    from huggingface_hub import HfApi


@dataclass(frozen=True)
class Push:
    """What a push sends, or would send.

    Attributes:
        folder: The model folder.
        repo, revision: Where to; the revision is a branch, None for the main one.
        files: Those that are sent, by name.
        stale: Those that are in the repository and not in the folder, and are removed.
        left: Those in the folder that are no part of a model and stay here.
        url: The commit's page; empty before there is one.
    """

    folder: Path
    repo: str
    revision: str | None
    files: tuple[str, ...]
    stale: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    url: str = ""


def push(
    folder: str | Path,
    repo: str,
    *,
    private: bool = False,
    revision: str | None = None,
    license: str | None = None,  # noqa: A002
    dry_run: bool = False,
) -> Push:
    """Make a repository of the Hub hold exactly what a model folder holds, in one commit; it is made if it is not there.

    Args:
        folder: A model folder, or the folder of a run, which has one. Its card is written anew, for this repository.
        repo: ``user/repo``.
        private: Make the repository private, if it is made.
        revision: The branch; it is made if it is not there.
        license: Of the weights, as the Hub names it; it is kept in the folder's ``config.json``. None: what it says.
        dry_run: Send nothing, and say what would be sent. Nothing is asked of the Hub that needs a token.

    Raises:
        ModelError: The folder is no model folder, or a damaged one.
        UsageError: A name that the Hub does not take.
        HubError: The Hub cannot be reached, or does not take it.
    """
    name, at = parse_repo(repo)
    if at and revision and at != revision:
        raise UsageError(f"{repo!r} and --revision {revision} name two revisions")
    revision = at or revision
    if revision is not None:
        parse_repo(f"{name}@{revision}")
    if license is not None:
        model_folder.check_license(license)
    path = model_folder.find_folder(folder)
    config = validate(path)
    for file in model_files(config):
        # What a stranger's archive links to is not the model's, and may be a secret.
        if (path / file).is_symlink():
            raise ModelError(f"{path / file} is a link to {(path / file).resolve()}", hint="put the file itself there")
    files = [file for file in model_files(config) if (path / file).is_file() or file == CARD]
    left = tuple(sorted(entry.name for entry in path.iterdir() if entry.name not in files))
    # A push that is refused leaves the folder as it was.
    with tempfile.TemporaryDirectory() as staged:
        written = {} if dry_run else _write_anew(path, Path(staged), f"{name}@{revision}" if revision else name, license)
        without = f"nothing was sent; the model is in {path}, and the same command sends it once the Hub can be reached"
        with talking(name, revision, without=without):
            from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

            api = HfApi(library_name="ganzoo")
            if not dry_run:
                _make(api, name, revision, private=private)
            there, head = _listing(api, name, revision)
            stale = tuple(file for file in there if file not in files)
            if dry_run:
                return Push(path, name, revision, tuple(files), stale, left)
            commit = api.create_commit(
                name,
                operations=[
                    *(CommitOperationAdd(path_in_repo=file, path_or_fileobj=written.get(file, path / file)) for file in files),
                    *(CommitOperationDelete(path_in_repo=file) for file in stale),
                ],
                commit_message=f"{config.variant}, by ganzoo {config.ganzoo}",
                revision=revision,
                parent_commit=head,
            )
        for file, new in written.items():
            try:
                with replace_file(path / file) as beside:
                    shutil.copyfile(new, beside)
            except OSError as error:
                raise ModelError(
                    f"it is on the Hub, at {commit.commit_url}, but {path / file} stays as it was: {error}"
                ) from error
    return Push(path, name, revision, tuple(files), stale, left, str(commit.commit_url))


def _make(api: HfApi, name: str, revision: str | None, *, private: bool) -> None:
    """Make the repository and the branch, if they are not there."""
    api.create_repo(name, private=private, exist_ok=True)
    if private and not api.model_info(name).private:
        raise UsageError(
            f"{name} is there already, and is public; nothing was sent", hint="make it private on its page, then push"
        )
    if revision:
        api.create_branch(name, branch=revision, exist_ok=True)


def _write_anew(path: Path, staged: Path, name: str, license_name: str | None) -> dict[str, Path]:
    """The card, and the configuration it is written from, in another folder."""
    for file in (model_folder.CONFIG, SCORES, *PREVIEWS):
        if (path / file).is_file():
            shutil.copyfile(path / file, staged / file)
    if license_name is not None:
        model_folder.set_license(staged, license_name)
    write_card(staged, name)
    return {file: staged / file for file in (CARD, model_folder.CONFIG)}


def _listing(api: HfApi, name: str, revision: str | None) -> tuple[list[str], str | None]:
    """The files that a push would meet there, and the commit that has them; a branch that is new begins as the main one.

    Raises:
        UsageError: They are no model of ganzoo's, and would be lost.
    """
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

    try:
        info = api.model_info(name, revision=revision)
    except RevisionNotFoundError:
        info = api.model_info(name)
    except RepositoryNotFoundError:
        return [], None
    there = [file.rfilename for file in info.siblings or () if file.rfilename != ".gitattributes"]
    # Every other library has a config.json too; the tag is on every card of ours.
    ours = model_folder.CONFIG in there and TAG in (info.tags or ())
    if not ours and (others := set(there) - {CARD}):
        raise UsageError(
            f"{name} holds something else than a model of ganzoo's: {min(others)}; nothing was sent",
            hint="push to another name",
        )
    return there, info.sha


def model_files(config: ModelConfig) -> Sequence[str]:
    """The files that a model folder of this configuration may have; all others are no part of it."""
    return (model_folder.CONFIG, *(weights_file(role) for role in config.networks), *PREVIEWS, SCORES, CARD)


def validate(folder: Path) -> ModelConfig:
    """The configuration of a model folder all of whose files are whole. Raises ModelError for the first that is not."""
    config = read_config(folder)
    for role in config.networks:
        pretrained.load(folder, role=role)
    if (folder / SCORES).is_file() and not isinstance(read_json(folder / SCORES), list):
        raise ModelError(f"{folder / SCORES} holds no list of scores", hint="write it anew: ganzoo evaluate")
    return config
