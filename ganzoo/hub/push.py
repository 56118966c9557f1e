"""A model folder onto the Hub."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ganzoo import model_folder, pretrained
from ganzoo.errors import ModelError, UsageError
from ganzoo.hub.card import write_card
from ganzoo.hub.client import parse_repo, talking
from ganzoo.model_folder import CARD, PREVIEWS, SCORES, ModelConfig, read_config, read_json, weights_file


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
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

    name, at = parse_repo(repo)
    if at and revision and at != revision:
        raise UsageError(f"{repo!r} and --revision {revision} name two revisions")
    revision = at or revision
    path = model_folder.find(folder)
    config = validate(path)
    if not dry_run:
        if license is not None:
            model_folder.set_license(path, license)
        write_card(path, name)
    files = [file for file in model_files(config) if (path / file).is_file() or file == CARD]
    left = tuple(sorted(entry.name for entry in path.iterdir() if entry.name not in files))
    api = HfApi(library_name="ganzoo")
    with talking(name, revision):
        if not dry_run:
            api.create_repo(name, private=private, exist_ok=True)
            if revision:
                api.create_branch(name, branch=revision, exist_ok=True)
        try:
            there = api.list_repo_files(name, revision=revision)
        except (RepositoryNotFoundError, RevisionNotFoundError):
            if not dry_run:
                raise
            there = []
        stale = tuple(file for file in there if file not in files and file != ".gitattributes")
        planned = Push(path, name, revision, tuple(files), stale, left)
        if dry_run:
            return planned
        commit = api.create_commit(
            name,
            operations=[
                *(CommitOperationAdd(path_in_repo=file, path_or_fileobj=path / file) for file in files),
                *(CommitOperationDelete(path_in_repo=file) for file in stale),
            ],
            commit_message=f"{config.variant}, by ganzoo {config.ganzoo}",
            revision=revision,
        )
    return Push(path, name, revision, tuple(files), stale, left, str(commit.commit_url))


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
