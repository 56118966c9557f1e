"""Talking to the Hugging Face Hub: every failure becomes a sentence, and what arrives is what was sent."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ganzoo.errors import GanzooError, HubError, UsageError, first_line
from ganzoo.files import sha256
from ganzoo.model_folder import REPO
from ganzoo.network import check_client, hub_or_its_cache
from ganzoo.packages import install_package

HASH = r"[0-9a-f]{64}|[0-9a-f]{40}"
REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,99}")
FORMS = "user/repo or user/repo@revision"
WITHOUT = "without it there are the models that ship (ganzoo list --kind models), folders here, and what was downloaded before"
"""What works where the Hub cannot be reached."""


def parse_repo(text: str) -> tuple[str, str | None]:
    """``user/repo@revision`` as both of them; the revision (a branch, a tag or a commit) may be left out.

    Raises:
        UsageError: It is neither form.
    """
    repo, at, revision = text.partition("@")
    if not REPO.fullmatch(repo) or ".." in text or (at and not REVISION.fullmatch(revision)):
        raise UsageError(f"{text!r} names no repository of the Hub", hint=f"the form is {FORMS}")
    return repo, revision or None


@contextlib.contextmanager
def talking(repo: str | None = None, revision: str | None = None, *, without: str = WITHOUT) -> Iterator[str | None]:
    """What the Hub or the way to it answers in the block, as errors that say what to do.

    Where it cannot be reached at all, the block has the client's cache, and no request is waited for.

    Args:
        repo: What it is asked about; None: about all that it has.
        revision: Which of it.
        without: What to do where it cannot be reached.

    Yields:
        Why the block has the cache alone, in words; None if it has the Hub.

    Raises:
        HubError: It cannot be reached, has no such repository or revision, refuses, or fails.
        UsageError: A name that it would never accept, or as :func:`check_client`.
    """
    check_client()
    # Of whichever library it speaks HTTP by: httpx, or httpx2.
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

    with hub_or_its_cache() as why:
        try:
            yield why
        except GanzooError:
            raise
        # The client takes strangers' cards apart, and raises whatever it meets in them.
        except (OSError, HTTPError, ValueError, RuntimeError, AttributeError, KeyError, TypeError) as error:
            raise _explain(error, repo, revision, why, without) from error


def _explain(error: BaseException, repo: str | None, revision: str | None, why: str | None, without: str) -> GanzooError:
    from huggingface_hub import constants, errors
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

    if isinstance(error, errors.LocalEntryNotFoundError) and isinstance(error.__cause__, HTTPError):
        # The client looks into its cache when the Hub fails or refuses; that is the reason, not the empty cache.
        error = error.__cause__
    if isinstance(error, RuntimeError) and error.__cause__ is not None:
        # How the client tells that a large file did not get there.
        error = error.__cause__
    login = "hf auth login, or set HF_TOKEN"
    match error:
        case errors.GatedRepoError():
            hint = f"ask its owner at {constants.ENDPOINT}/{repo}, then: {login}"
            return HubError(f"{repo} is gated, and this account has not been let in", hint=hint)
        case errors.RepositoryNotFoundError():
            unseen = f"the Hub has no repository {repo}, or it is private and this account may not see it"
            return HubError(unseen, hint=f"check the name; for a private one: {login}")
        case errors.RevisionNotFoundError():
            return HubError(f"{repo} has no revision {revision!r}", hint="a branch, a tag, or a commit's whole hash")
        case errors.OfflineModeIsEnabled():
            return HubError(f"this needs the Hub, and {why or 'the client is offline'}", hint=without)
        case errors.LocalEntryNotFoundError():
            whole = f"{repo}@{revision}" if revision else repo
            return HubError(
                f"{repo} is not, or not all of it, in the cache of downloads, and {why or 'the Hub was not asked'}",
                hint=f"while online: ganzoo pull {whole}; {without}" if why else f"while online: ganzoo pull {whole}",
            )
        case errors.LocalTokenNotFoundError():
            return HubError("the Hub takes this only from somebody it knows", hint=login)
        case errors.HFValidationError():
            return UsageError(f"the Hub takes no such name: {first_line(error)}", hint=f"the form is {FORMS}")
        case errors.HfHubHTTPError():
            return _refusal(repo, error.response.status_code if error.response is not None else 0, error)
        case HTTPError():
            return HubError(
                f"the Hub cannot be reached at {constants.ENDPOINT}: {first_line(error)}", hint=f"try again; {without}"
            )
        case ValueError() if "metadata in README.md" in str(error):
            why = " ".join(line.lstrip("- ") for line in str(error).splitlines()[1:])
            return UsageError(f"the Hub does not take the card: {why}", hint="is it the licence? --license mit")
        case ValueError():
            what = f"what answers at {constants.ENDPOINT} is not the Hub: {type(error).__name__}: {first_line(error)}"
            return HubError(what, hint="is there a proxy or a log-in page, or a mistake in HF_ENDPOINT or HF_TOKEN?")
        case AttributeError() | KeyError() | TypeError():
            what = f"{type(error).__name__}: {first_line(error)}"
            return HubError(
                f"what the Hub has of {repo or 'this'} confuses the client: {what}",
                hint=f"try: {install_package('huggingface-hub', '--upgrade')}",
            )
        case _:
            # The client tells a body that came too short, or a cache that cannot be written, as an OSError.
            return HubError(f"{repo or 'the Hub'}: {first_line(error)}", hint="try again; what had arrived whole is kept")


def check_downloads(repo: str, folder: Path, *, offline: bool = False) -> None:
    """Compare each file of a downloaded snapshot with the hash that the Hub gave for it; remove those that differ.

    Args:
        repo: Whose snapshot.
        folder: Where the cache has it.
        offline: Do not ask the Hub for hashes that the cache does not know. They are not missed either if it does not answer:
            the client itself goes by sizes.

    Raises:
        HubError: One differed.
    """
    damaged, unlinked = [], []
    for path in sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else ():
        # The cache keeps a file under its hash: SHA-256 for large files, git's SHA-1 for small ones.
        blob = path.resolve()
        if not re.fullmatch(HASH, blob.name):
            unlinked.append(path)
        elif _hash(blob, len(blob.name)) != blob.name:
            path.unlink()
            blob.unlink(missing_ok=True)
            damaged.append(path.name)
    if unlinked and not offline:
        # Where there are no links, it keeps them under their names.
        with contextlib.suppress(HubError):
            for path, told in _hashes(repo, folder.name, unlinked):
                if _hash(path, len(told)) != told:
                    path.unlink()
                    damaged.append(path.name)
    if damaged:
        names = " and ".join(damaged)
        raise HubError(f"{names} of {repo} came damaged, and left the cache of downloads again", hint="try again")


def _hashes(repo: str, commit: str, paths: Sequence[Path]) -> list[tuple[Path, str]]:
    """What the Hub says that files of a commit have for hashes; SHA-256 of large ones, git's SHA-1 of small ones."""
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

    with talking(repo, commit):
        told = HfApi(library_name="ganzoo").get_paths_info(repo, [path.name for path in paths], revision=commit)
    found = {file.path: file.lfs.sha256 if file.lfs else file.blob_id for file in told if isinstance(file, RepoFile)}
    return [(path, found[path.name]) for path in paths if re.fullmatch(HASH, found.get(path.name, ""))]


def _hash(path: Path, length: int) -> str:
    if length == 64:
        return sha256(path)
    with path.open("rb") as file:
        header = b"blob %d\0" % os.fstat(file.fileno()).st_size
        return hashlib.file_digest(file, lambda: hashlib.sha1(header)).hexdigest()


def _refusal(repo: str | None, status: int, error: Exception) -> HubError:
    from huggingface_hub import get_token

    if status == 401 and get_token() is None:
        return HubError("the Hub takes this only from somebody it knows", hint="hf auth login, or set HF_TOKEN")
    if status == 401:
        return HubError("the Hub does not accept this token", hint="it may have expired: hf auth login, or set HF_TOKEN")
    if status == 403:
        whose = repo or "what the Hub has"
        return HubError(f"this account, or its token, may not do that with {whose}", hint="with one that may: hf auth login")
    if status == 429:
        return HubError("the Hub has had too many requests from here", hint="try again in some minutes")
    if status >= 500:
        return HubError(f"the Hub fails: it answers {status}", hint="try again later")
    return HubError(f"the Hub refuses: {first_line(error)}")
