"""What a run writes down as it goes: metrics, sample grids, and a word to whoever is watching."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from ganzoo.files import parse_json, replace_file
from ganzoo.modalities.base import Modality
from ganzoo.sampling import to_show, write_shown
from ganzoo.training.divergence import DivergedError
from ganzoo.training.folder import METRICS, SCORES, SHEET
from ganzoo.training.health import Health
from ganzoo.training.processes import Processes
from ganzoo.training.watcher import Status, Watcher
from ganzoo.training.writer import Writer
from ganzoo.variant import Json

LOG_SECONDS = 2.0
PREVIEWS = 20
"""How many sample grids a run writes, evenly over its budget."""


class Monitor:
    """Keeps a run's records in its folder, and writes them on a thread of their own.

    Metrics stay on the device and are fetched every few seconds, so that no step waits for the device.

    Args:
        folder: The run's folder; None in all processes but the main one, which write nothing.
        preview: Makes the samples to show.
        modality: What they are.
        watcher: Who is told: whoever follows the run, and trackers.
        writer: Who writes.
        processes: Whose metrics are averaged.
        health: Who looks at the samples, if anybody does.
        start: Images and seconds that the run had behind it when it went on.
        progress: Likewise.
    """

    def __init__(
        self,
        folder: Path | None,
        preview: Callable[[], Tensor],
        *,
        modality: Modality,
        watcher: Watcher,
        writer: Writer,
        processes: Processes,
        health: Health | None = None,
        start: tuple[int, float] = (0, 0.0),
        progress: float = 0.0,
    ) -> None:
        self.folder = folder
        self.preview = preview
        self.modality = modality
        self.watcher = watcher
        self.writer = writer
        self.processes = processes
        self.health = health
        self._values: dict[str, list[Tensor]] = {}
        self._last = start
        self._told: set[str] = set()
        self._shown = False
        self._drawn = -1
        self._found: dict[str, Json] = {}
        # A run that goes on has drawn what was due before.
        self._previewed = int(progress * PREVIEWS) if start[0] else -1

    def note(self, metrics: Mapping[str, Tensor]) -> None:
        """Keep one step's metrics until the next line."""
        for name, value in metrics.items():
            self._values.setdefault(name, []).append(value)

    def look(self, images: int, seconds: float, progress: float) -> None:
        """Write a line of metrics, if the last one is some seconds old.

        Raises:
            DivergedError: A metric is not finite.
        """
        if not self._shown or seconds - self._last[1] >= LOG_SECONDS:
            self._log(images, seconds, progress)
        self.tell_failures("; training goes on, and what comes next is tried again")

    def tell_failures(self, following: str = "") -> None:
        """Tell the watcher what could not be written or sent, once for each reason."""
        for error in self.writer.failures():
            why = getattr(error, "strerror", None) or str(error) or type(error).__name__
            if why not in self._told:
                self._told.add(why)
                what = getattr(error, "filename", None) or "a record of the run"
                self.watcher.noticed(f"{what} could not be written: {why}{following}")

    def preview_if_due(self, images: int, seconds: Callable[[], float], progress: float) -> None:
        """Draw a sheet of samples at every twentieth of the budget, and look at samples then, and now and then besides."""
        due = int(progress * PREVIEWS) > self._previewed
        samples = self._preview(images, progress) if due else None
        if self.health and self.health.due(images, shown=due, last=progress >= 1):
            self._examine(self.health, images, samples)
            # The numbers of a look are on a line of their own.
            self._log(images, seconds(), progress)

    def finish(self, images: int, seconds: float, progress: float) -> None:
        """The last line and the last sheet."""
        if images != self._drawn:
            samples = self._preview(images, progress)
            if self.health and self.health.due(images, shown=True, last=progress >= 1):
                self._examine(self.health, images, samples)
                # A run that goes on from here has not been looked at where one that never stopped would have been.
                self._found |= {"unscheduled": True} if self._found else {}
        if self._values or self._found or images != self._last[0]:
            self._log(images, seconds, progress)

    def _preview(self, images: int, progress: float) -> Tensor | None:
        self._previewed = int(progress * PREVIEWS)
        self._drawn = images
        if self.folder is None:
            return None
        stem, samples = self.folder / "samples" / f"{images:010d}", self.preview().cpu()
        self.watcher.looked(images, samples)
        # What computes with torch is done here, and what makes files of it on the other thread.
        self.writer.submit(write_shown, stem, to_show(samples, self.modality), self.modality)
        return samples

    def _examine(self, health: Health, images: int, previewed: Tensor | None) -> None:
        """Every process has to: the logits are those of all."""
        last = {name: self._values[name][-1] for name in ("real", "fake", "apart") if name in self._values}
        means = self.processes.mean(torch.stack(list(last.values())).float()).tolist() if last else []
        self._found = health.look(images, previewed, dict(zip(last, means, strict=True)))

    def _log(self, images: int, seconds: float, progress: float) -> None:
        self._shown = True
        values, self._values = self._values, {}
        means = [torch.stack(found).float().mean() for found in values.values()]
        metrics = dict(zip(values, self.processes.mean(torch.stack(means)).tolist() if means else [], strict=True))
        seen, before = self._last
        rate = (images - seen) / (seconds - before) if seconds > before else 0.0
        self._last = (images, seconds)
        finite = {n: v if math.isfinite(v) else None for n, v in metrics.items()}
        if (metrics or self._found) and self.folder is not None:
            row: dict[str, Json] = {
                "images": images,
                "seconds": round(seconds, 3),
                "images_per_second": round(rate, 1),
                "time": time.time(),
            }
            row |= {**finite, **self._found}
            self.writer.submit(_write_row, self.folder / METRICS, row)
            told = {n: v for n, v in row.items() if isinstance(v, float) and n not in ("images", "time")}
            self.watcher.logged(images, told)
        self._found = {}
        if broken := [n for n, v in finite.items() if v is None]:
            raise DivergedError(f"training diverged: {broken[0]} is not finite after {images:,} images")
        self.watcher.status(Status(images, rate, seconds, progress, metrics))


def _write_row(path: Path, row: Mapping[str, Json]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def cut_records(folder: Path, images: int) -> None:
    """Remove what a run's records say of the time after ``images``, which is about to come once more."""
    for path in (folder / METRICS, folder / SCORES):
        if path.exists():
            kept = [line for line in path.read_bytes().splitlines(keepends=True) if _images(line) <= images]
            with replace_file(path) as beside:
                beside.write_bytes(b"".join(kept))
    for sheet in (folder / "samples").glob("[0-9]*.*"):
        if re.fullmatch(SHEET, sheet.name) and int(sheet.stem) > images:
            sheet.unlink()


def _images(line: bytes) -> float:
    """Of a row of metrics; infinite for one that was cut short."""
    try:
        return float(parse_json(line)["images"])
    except (ValueError, KeyError, TypeError, OverflowError):
        return math.inf
