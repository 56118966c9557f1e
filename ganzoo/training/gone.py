"""Runs whose plugin is gone: what they were made with, in the place of a name that nobody knows any more."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from ganzoo import plugins
from ganzoo.errors import PluginError, UnknownNameError
from ganzoo.factory import kind_of
from ganzoo.files import user_path
from ganzoo.training.folder import RUNS, read_run
from ganzoo.training.layout import TERMS
from ganzoo.variant import Json


@contextlib.contextmanager
def naming_what_is_gone(*named: str | Path | None) -> Iterator[None]:
    """A name in the block that nothing has, and that a run here was made with, is told with the plugin that it was of.

    Args:
        named: The folders of runs, or of checkpoints in them, that the user named. Those under ``runs/`` come after them.

    Raises:
        PluginError: In the place of the UnknownNameError.
    """
    try:
        yield
    except UnknownNameError as error:
        paths = [user_path(path) for path in named if path is not None]
        folders = [folder for path in paths for folder in (path, path.parent.parent)]
        for folder in (*folders, *(sorted(RUNS.iterdir()) if RUNS.is_dir() else ())):
            run = read_run(folder)
            if run is not None and (plugin := _plugin_of(run, error.what, error.name)):
                became, hint = plugins.made_with(*plugin)
                raise PluginError(f"{error.message}, of the run in {str(folder)!r}: {became}", hint=hint) from error
        raise


def _plugin_of(run: Mapping[str, Json], kind: str, name: str) -> tuple[str, str] | None:
    """The distribution, and its version, that a run had something from, as its configuration tells."""
    bare = name.rpartition(":")[2]
    if kind == "variant":
        told = run.get("plugin") if run["variant"] == bare else None
    else:
        origins = run.get("plugins")
        labels = [label for label in _labels(run, kind, bare) if isinstance(origins, dict) and label in origins]
        told = origins[labels[0]] if labels and isinstance(origins, dict) else None
    if not isinstance(told, dict) or not all(isinstance(told.get(key), str) for key in ("distribution", "version")):
        return None
    return told["distribution"], told["version"]


def _labels(run: Mapping[str, Json], kind: str, name: str) -> Iterator[str]:
    """What a run calls the parts of this kind that have this name."""
    if kind == "dataset" and str(run.get("data")).partition("?")[0].rpartition(":")[2] == name:
        yield "data"
    for term in (term for term, of_kind in TERMS.items() if of_kind == kind):
        if isinstance(found := run.get(term), dict) and name in found:
            yield f"{term}.{name}"
    for label, part in run.items():
        if isinstance(part, dict) and part.get("name") == name and kind_of(label) == kind:
            yield label
