"""Writing files so that a reader finds the old one or the new one, never half of one."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MAX_NESTED = 128
"""How deep lists and objects in JSON may lie in one another. No option is nested so deep, and no function that walks through
the values runs out of stack."""

_STRING_OR_BRACKET = re.compile(rb'(?s)"(?:[^"\\]|\\.)*+"?|[\[\]{}]')


def user_path(path: str | Path) -> Path:
    """A path as a user gives it: ``~`` at its beginning is the home folder, where there is one, and ``~name`` another's."""
    with contextlib.suppress(RuntimeError):  # ~nobody is no home
        return Path(path).expanduser()
    return Path(path)


def unwritable(path: Path) -> Path | None:
    """The folder that would have to take a file or folder of this name, if it does not; None if it does."""
    path = path.absolute()
    parent = next((p for p in path.parents if p.exists()), path)
    return None if parent.is_dir() and os.access(parent, os.W_OK | os.X_OK) else parent


@contextlib.contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """A path beside ``path`` to write to; when the block ends well it is synced to disk and takes the name ``path``.

    If the block raises, what was written is removed and ``path`` stays as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    os.close(handle)
    beside = Path(name)
    try:
        yield beside
        _sync(beside)
        beside.chmod(0o666 & ~_umask())
        beside.replace(path)
        _sync(path.parent)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def replace_named_file(path: Path) -> Iterator[Path]:
    """As :func:`replace_file`, for what goes by a file's name: a path of that name in a folder of its own, with no file there.

    What else is put into that folder is removed. The suffix is in small letters, as libraries know it.

    Raises:
        FileNotFoundError: The block ends well and has written no file there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp") as folder:
        beside = Path(folder) / f"{path.stem}{path.suffix.lower()}"
        yield beside
        _sync(beside)
        beside.chmod(0o666 & ~_umask())
        beside.replace(path)
        _sync(path.parent)


@contextlib.contextmanager
def replace_folder(path: Path) -> Iterator[Path]:
    """A folder beside ``path`` to fill; when the block ends well its files are synced and it takes the name ``path``.

    A folder that had the name before is removed. If the block raises, it stays, and what was written is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp"))
    try:
        beside.chmod(0o777 & ~_umask())
        yield beside
        for file in beside.rglob("*"):
            if file.is_file():
                # Some libraries write files that only their owner may read.
                file.chmod(0o666 & ~_umask())
            _sync(file)
        _sync(beside)
        if path.exists():
            old = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".old"))
            path.replace(old / path.name)
            beside.replace(path)
            shutil.rmtree(old)
        else:
            beside.replace(path)
        _sync(path.parent)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise


def is_leftover(path: Path, names: str) -> bool:
    """Whether a process that was killed left it behind, on its way to a name that matches the expression ``names``."""
    return re.fullmatch(rf"\.({names})\.[a-z0-9_]{{8}}\.(tmp|old)", path.name) is not None


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON, in place of what ``path`` held."""
    text = json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False)
    with replace_file(path) as beside:
        # A name that is no text (a file's, say) becomes an escape, as JSON has it.
        beside.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")


def parse_json(raw: bytes, *, nested: int = MAX_NESTED, **hooks: Any) -> Any:
    """The value of JSON that anybody may have written: a file, or a line of one.

    Args:
        raw: In UTF-8.
        nested: How deep lists and objects may lie in one another.
        hooks: Of :func:`json.loads`.

    Raises:
        ValueError: It is no JSON, or nested deeper.
    """
    depth = 0
    for token in _STRING_OR_BRACKET.finditer(raw) if raw.count(b"[") + raw.count(b"{") > nested else ():
        depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(token[0], 0)
        if depth > nested:
            raise ValueError(f"it is nested more than {nested} deep")
    return json.loads(raw.decode("utf-8"), **hooks)


def sha256(path: Path) -> str:
    """Of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        # Not every system opens folders; the rename is still atomic there.
        if not path.is_dir():
            raise
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
