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

from ganzoo.errors import UnknownNameError, UsageError
from ganzoo.modalities.base import Modality
from ganzoo.training.watcher import Watcher
from ganzoo.training.writer import Writer
from ganzoo.variant import Json

TRACKERS = ("tensorboard", "trackio", "wandb")


def check_trackers(names: Sequence[str]) -> None:
    """Raise UsageError unless all of these trackers can be used here."""
    for name in [names] if isinstance(names, str) else names:
        if name not in TRACKERS:
            raise UnknownNameError("tracker", name, TRACKERS)
        if importlib.util.find_spec(name) is None:
            raise UsageError(f"--log {name} needs the package {name}", hint=f"try: pip install {name}")


class Trackers:
    """Some trackers at once, none of them too; call it from one thread, and finish it whatever happens.

    Args:
        names: Of :data:`TRACKERS`.
        folder: The run's; TensorBoard's files are in ``tensorboard/`` there.
        config: Of the run.
        images: Where it begins or goes on.
    """

    def __init__(self, names: Sequence[str], folder: Path, config: Mapping[str, Json], images: int) -> None:
        self._trackers: list[Any] = []
        if not names:
            return
        from accelerate import PartialState

        PartialState(cpu=True)  # which trackers ask whether they are in the main process
        try:
            for name in names:
                self._begin(name, folder, config, images)
        except BaseException:
            self.finish()
            raise

    def _begin(self, name: str, folder: Path, config: Mapping[str, Json], images: int) -> None:
        from accelerate.tracking import LOGGER_TYPE_TO_CLASS

        if name == "tensorboard":
            # What a killed run had logged past its last checkpoint is hidden.
            tracker = LOGGER_TYPE_TO_CLASS[name](name, folder, purge_step=images + 1 if images else None)
        else:
            tracker = LOGGER_TYPE_TO_CLASS[name]("ganzoo", name=folder.name)
        with contextlib.redirect_stdout(sys.stderr):
            tracker.start()
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
        if self._trackers.any and (sheet := self._modality.sheet(samples)) is not None:
            self._writer.submit(self._trackers.log_sheet, sheet, images)

    def scored(self, images: int, scores: Mapping[str, float]) -> None:
        self._writer.submit(self._trackers.log, scores, images)


def _log_sheet(tracker: Any, sheet: npt.NDArray[np.uint8], images: int) -> None:
    if tracker.name == "trackio":
        import trackio

        tracker.log({"samples": trackio.Image(sheet.squeeze(-1) if sheet.shape[-1] == 1 else sheet)}, step=images)
    elif tracker.name == "tensorboard":
        tracker.log_images({"samples": sheet[None]}, step=images, dataformats="NHWC")
    else:
        tracker.log_images({"samples": [sheet]}, step=images)
