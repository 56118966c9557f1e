"""Trackers that a run's metrics and sheets go to besides its own folder, through accelerate."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from ganzoo import plugins
from ganzoo.errors import GanzooError, PluginError, TrainingError, UnknownNameError, UsageError, describe
from ganzoo.modalities.asking import asking
from ganzoo.modalities.base import Modality
from ganzoo.packages import install_package
from ganzoo.training.folder import LOGS
from ganzoo.training.watcher import Watcher
from ganzoo.training.writer import Writer
from ganzoo.variant import Json

NEEDED = ("start", "store_init_configuration", "log", "finish")
"""What accelerate asks of a tracker, and so do we."""

NAMED = {"wandb": "name", "trackio": "name", "mlflow": "run_name", "swanlab": "experiment_name", "clearml": "task_name"}
"""What trackers call a run's name, beside that of the project which they are all given first."""

THREAD_BOUND = ("mlflow",)
"""What is begun in one thread is not known in another to these."""


def check_trackers(names: Sequence[str]) -> None:
    """Raise UsageError unless all of these trackers can be used here, or PluginError if a plugin's cannot be imported."""
    for name in [names] if isinstance(names, str) else names:
        _find(name)


def _find(name: str) -> Callable[..., Any]:
    """What makes a tracker: a class of accelerate's, or else what a plugin offers under that name."""
    # It imports every tracker that is installed, and so only where one is asked for.
    from accelerate import tracking

    known: Mapping[str, Any] = tracking.LOGGER_TYPE_TO_CLASS
    registry = plugins.load().registry
    if name in known:
        # Others may have been added to accelerate's by whoever trains from Python.
        if known[name].__module__ == tracking.__name__ and importlib.util.find_spec(name) is None:
            raise UsageError(
                f"--log {name} needs the package {name}, which is not installed", hint=f"try: {install_package(name)}"
            )
        found: Callable[..., Any] = known[name]
    elif registry.find("tracker", name) is not None:
        found = registry.get("tracker", name).resolve()
    else:
        raise UnknownNameError("tracker", name, sorted({*known, *registry.names("tracker")}))
    return found


def _make(name: str, folder: Path, images: int) -> Any:
    """A tracker that has not begun. Raises UsageError, PluginError as :func:`check_trackers`."""
    found = _find(name)
    if name == "tensorboard":
        # Its files are in a folder of its name. What a killed run had logged past its last checkpoint is hidden.
        return found(name, folder, purge_step=images + 1 if images else None)
    where = folder / LOGS / name.replace(":", "-")
    if getattr(found, "requires_logging_directory", False):
        where.mkdir(parents=True, exist_ok=True)
        made = found(folder.name, where)
    elif name == "dvclive":
        # It clears its folder, unless it is told to go on, and knows no projects.
        made = found(folder.name, dir=str(where), resume=images > 0)
    elif name in NAMED:
        made = found("ganzoo", **{NAMED[name]: folder.name})
    else:
        made = found(folder.name)
    if missing := [method for method in NEEDED if not callable(getattr(made, method, None))]:
        raise PluginError(f"the tracker {name!r} is a {type(made).__name__}, which has no {missing[0]}()")
    return made


class Trackers:
    """Some trackers at once, none of them too; call it from one thread, and finish it whatever happens.

    Args:
        names: Those of accelerate's, or of plugins'.
        folder: The run's; TensorBoard's files are in ``tensorboard/`` there, and those of others that write any in ``logs/``.
        config: Of the run.
        images: Where it begins or goes on.
        writer: On whose thread the rest of the calls will be made, if it is another than this.
    """

    def __init__(
        self, names: Sequence[str], folder: Path, config: Mapping[str, Json], images: int, writer: Writer | None = None
    ) -> None:
        self._trackers: list[Any] = []
        if not names:
            return
        from accelerate import PartialState

        PartialState(cpu=True)  # which trackers ask whether they are in the main process
        try:
            for name in names:
                if writer and name in THREAD_BOUND:
                    writer.submit(self._begin, name, folder, config, images).result()
                else:
                    # Some handle signals, which only the main thread can.
                    self._begin(name, folder, config, images)
        except BaseException:
            self.finish()
            raise

    def _begin(self, name: str, folder: Path, config: Mapping[str, Json], images: int) -> None:
        with contextlib.redirect_stdout(sys.stderr):
            try:
                tracker = _make(name, folder, images)
                tracker.start()
            except GanzooError:
                raise
            except Exception as error:
                hint = f"leave out --log {name}, or set it up as its own documentation says"
                raise TrainingError(f"the tracker {name} cannot begin: {describe(error)}", hint=hint) from error
            self._trackers.append(tracker)
            if name == "tensorboard":
                tracker.log({"config": f"```json\n{json.dumps(config, indent=2)}\n```"}, step=images)
            else:
                tracker.store_init_configuration(dict(config))

    @property
    def any(self) -> bool:
        """Whether there is one."""
        return bool(self._trackers)

    def log(self, values: Mapping[str, float], images: int) -> None:
        """Metrics by name, after so many images."""
        self._with_each(lambda tracker: tracker.log(dict(values), step=images))

    def log_sheet(self, sheet: npt.NDArray[np.uint8], images: int) -> None:
        """A sheet of samples ``(H, W, C)``."""
        self._with_each(lambda tracker: _log_sheet(tracker, sheet, images))

    def finish(self) -> None:
        """Send what is left."""
        with contextlib.redirect_stdout(sys.stderr):
            self._with_each(lambda tracker: tracker.finish())

    def _with_each(self, do: Callable[[Any], None]) -> None:
        """What one tracker raises comes after all of them have had their turn."""
        with contextlib.ExitStack() as turns:
            for tracker in reversed(self._trackers):
                turns.callback(do, tracker)


class Tracking(Watcher):
    """Sends what a run finds to its trackers, on the thread that writes.

    Args:
        trackers: Where to.
        writer: Who does it.
        modality: What samples are.
    """

    def __init__(self, trackers: Trackers, writer: Writer, modality: Modality) -> None:
        self._trackers = trackers
        self._writer = writer
        self._modality = modality

    def logged(self, images: int, values: Mapping[str, float]) -> None:
        self._writer.submit(self._trackers.log, values, images)

    def looked(self, images: int, samples: Tensor) -> None:
        if not self._trackers.any:
            return
        with asking(self._modality, "sheet"):
            sheet = self._modality.sheet(samples)
        if sheet is not None:
            self._writer.submit(self._trackers.log_sheet, sheet, images)

    def scored(self, images: int, scores: Mapping[str, float]) -> None:
        self._writer.submit(self._trackers.log, scores, images)


def _log_sheet(tracker: Any, sheet: npt.NDArray[np.uint8], images: int) -> None:
    """Accelerate's trackers take pictures in different ways, and some of them only by what they stand for."""
    name, picture = getattr(tracker, "name", ""), sheet.squeeze(-1) if sheet.shape[-1] == 1 else sheet
    if name == "tensorboard":
        tracker.log_images({"samples": sheet[None]}, step=images, dataformats="NHWC")
    elif name == "trackio":
        import trackio

        tracker.log({"samples": trackio.Image(picture)}, step=images)
    elif name == "mlflow":
        import mlflow

        mlflow.log_image(picture, key="samples", step=images)
    elif name == "dvclive":
        tracker.tracker.log_image("samples.png", picture)
    elif name == "comet_ml":
        tracker.tracker.log_image(picture, name="samples", step=images)
    elif name in ("aim", "clearml"):
        tracker.log_images({"samples": picture}, step=images)
    elif hasattr(tracker, "log_images"):
        tracker.log_images({"samples": [picture]}, step=images)
