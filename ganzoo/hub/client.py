"""Talking to the Hugging Face Hub: every failure becomes a sentence, and what arrives is what was sent."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from ganzoo.errors import GanzooError, HubError, UsageError, first_line
from ganzoo.files import sha256

REPO = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,99}")
FORMS = "user/repo or user/repo@revision"


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
def talking(repo: str | None = None, revision: str | None = None) -> Iterator[None]:
    """What the Hub or the way to it answers in the block, as errors that say what to do.

    Args:
        repo: What it is asked about; None: about all that it has.
        revision: Which of it.

    Raises:
        HubError: It cannot be reached, has no such repository or revision, refuses, or fails.
        UsageError: A name that it would never accept.
    """
    # The last is that of whichever library the client speaks HTTP by: httpx, or httpx2.
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

    try:
        yield
    except (OSError, HTTPError, ValueError) as error:
        raise _explain(error, repo, revision) from error


def _explain(error: BaseException, repo: str | None, revision: str | None) -> GanzooError:
    from huggingface_hub import constants, errors
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

    if isinstance(error, errors.LocalEntryNotFoundError) and isinstance(error.__cause__, HTTPError):
        # The client looks into its cache when the Hub fails or refuses; that is the reason, not the empty cache.
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
            return HubError("this needs the Hub, and HF_HUB_OFFLINE is set", hint="unset it")
        case errors.LocalEntryNotFoundError():
            why = "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else "the Hub was not asked or does not answer"
            whole = f"{repo}@{revision}" if revision else repo
            return HubError(
                f"{repo} is not, or not all of it, in the cache of downloads, and {why}",
                hint=f"while online: ganzoo pull {whole}",
            )
        case errors.LocalTokenNotFoundError():
            return HubError("the Hub takes this only from somebody it knows", hint=login)
        case errors.HFValidationError():
            return UsageError(f"the Hub takes no such name: {first_line(error)}", hint=f"the form is {FORMS}")
        case errors.HfHubHTTPError():
            return _refusal(repo, error.response.status_code if error.response is not None else 0, error)
        case HTTPError():
            return HubError(f"cannot reach the Hub at {constants.ENDPOINT}: {first_line(error)}", hint="try again")
        case ValueError():
            what = f"what answers at {constants.ENDPOINT} is not the Hub: {type(error).__name__}: {first_line(error)}"
            return HubError(what, hint="is there a proxy or a log-in page, or a mistake in HF_ENDPOINT or HF_TOKEN?")
        case _:
            # The client tells a body that came too short, or a cache that cannot be written, as an OSError.
            return HubError(f"{repo or 'the Hub'}: {first_line(error)}", hint="try again; what had arrived whole is kept")


def check_downloads(repo: str, folder: Path) -> None:
    """Compare each file of a downloaded snapshot with the hash that the Hub gave for it; remove those that differ.

    Raises:
        HubError: One differed.
    """
    damaged = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        blob = path.resolve()
        # The cache keeps a file under its hash: SHA-256 for large files, git's SHA-1 for small ones.
        if re.fullmatch(r"[0-9a-f]{64}|[0-9a-f]{40}", blob.name) and _hash(blob, len(blob.name)) != blob.name:
            path.unlink()
            blob.unlink(missing_ok=True)
            damaged.append(path.name)
    if damaged:
        names = " and ".join(damaged)
        raise HubError(f"{names} of {repo} came damaged, and left the cache of downloads again", hint="try again")


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
