"""Other people's packages that ganzoo needs: which are there, and the command that installs those that are not.

ganzoo itself is installed from a copy of its repository. On PyPI its name belongs to somebody else, so that no command here
names it.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.requirements import Requirement

PROJECT = "ganzoo"
"""The distribution's name, which is the pluggy project's and the entry-point group's, too."""

NEWER = "get a newer copy of ganzoo and install it as its README says"
"""What to do if something asks for a newer ganzoo."""

AGAIN = "install your copy of ganzoo again as its README says"
"""What to do if ganzoo's own files are damaged."""


def requirements(extra: str = "") -> Iterator[Requirement]:
    """What ganzoo's own metadata asks for; with ``extra``, what it asks for in addition to have that."""
    from packaging.requirements import Requirement

    for requirement in map(Requirement, importlib.metadata.requires(PROJECT) or ()):
        marker = requirement.marker
        always = marker is None or marker.evaluate({"extra": ""})
        if always != bool(extra) and (marker is None or marker.evaluate({"extra": extra})):
            yield requirement


def installed(requirement: Requirement) -> str | None:
    """The version that is installed, whether it will do or not; None if there is none."""
    try:
        return importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return None


def satisfied(requirement: Requirement) -> bool:
    """Whether what is installed will do."""
    version = installed(requirement)
    return version is not None and requirement.specifier.contains(version, prereleases=True)


def install_command(extra: str) -> str:
    """The command that installs what ``extra`` needs and is not there; all of it, if nothing is missing."""
    wanted = list(requirements(extra))
    missing = [r for r in wanted if not satisfied(r)] or wanted
    return shlex.join(["pip", "install", *map(bounded, missing)])


def install_package(name: str, *options: str) -> str:
    """The command that installs one package, in the versions that ganzoo's metadata asks for where it asks for it at all.

    Args:
        name: As it is called where packages come from.
        options: Of ``pip install``.
    """
    return shlex.join(["pip", "install", *options, _as_asked_for(name)])


def bounded(requirement: Requirement) -> str:
    """A requirement as pip takes it: the name and its bounds, without the extra that asks for it."""
    return f"{requirement.name}{requirement.specifier}"


def _as_asked_for(name: str) -> str:
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    asked: Iterable[Requirement] = ()
    # Who imports ganzoo from a folder that was never installed gets the bare name, not another error.
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        asked = map(Requirement, importlib.metadata.requires(PROJECT) or ())
    return next((bounded(r) for r in asked if canonicalize_name(r.name) == canonicalize_name(name)), canonicalize_name(name))


def developed_in(distribution: str) -> Path | None:
    """The folder of a distribution that is installed for development (``pip install -e``); None for any other."""
    try:
        told = json.loads(importlib.metadata.distribution(distribution).read_text("direct_url.json") or "{}")
        return Path(told["url"].removeprefix("file://")) if told["dir_info"]["editable"] else None
    except (importlib.metadata.PackageNotFoundError, ValueError, LookupError, TypeError, AttributeError):
        return None
