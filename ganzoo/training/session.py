"""A run while it trains: what is kept of it and when, and the moments at which whoever follows it is told."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, NamedTuple

from ganzoo.data.dataset import Feed
from ganzoo.data.store import Store
from ganzoo.errors import TrainingError
from ganzoo.files import replace_folder, write_json
from ganzoo.interfaces import Trainer
from ganzoo.sampling import write_preview
from ganzoo.training.advice import advise
from ganzoo.training.checkpoint import Checkpoints
from ganzoo.training.clock import Clock, Journal
from ganzoo.training.divergence import DivergedError, not_finite
from ganzoo.training.folder import CHECKPOINTS, CONFIG, CURVE, JOURNAL
from ganzoo.training.graphs import choose_step
from ganzoo.training.health import REALS, Health
from ganzoo.training.loop import Outcome, Step, blaming, run_loop
from ganzoo.training.model import Preview, describe_model, write_model
from ganzoo.training.monitor import Monitor, cut_records
from ganzoo.training.prepare import Prepared
from ganzoo.training.resume import Past
from ganzoo.training.scoring import ScoreBook
from ganzoo.training.state import Snapshot, capture, restore_average
from ganzoo.training.thread_chooser import ThreadChooser
from ganzoo.training.trackers import Trackers, Tracking
from ganzoo.training.verdict import Verdict
from ganzoo.training.watcher import Watcher, Watchers
from ganzoo.training.writer import Writer
from ganzoo.variant import Json


class Kept(NamedTuple):
    """What a session leaves: the sheet of samples, and what was seen to be wrong with the model."""

    samples: Path
    verdict: Verdict


class Session:
    """One run, from the step that it begins or goes on with to its model folder.

    Args:
        prepared: The run.
        past: What there was of it.
        path: Its folder; None in all processes but the main one, which keep nothing.
        feed: Its data.
        draw: Its samples that are shown.
        context: Where it stands.
        threads: Who chooses the number of threads, if anybody does.
        watcher: Who follows it.
        stop: Not empty once it is asked to stop.
        seconds: Spent before.
    """

    def __init__(
        self,
        prepared: Prepared,
        past: Past,
        path: Path | None,
        *,
        feed: Feed,
        draw: Preview,
        context: Step,
        threads: ThreadChooser | None,
        watcher: Watcher,
        stop: Sequence[int],
        seconds: float,
    ) -> None:
        config, scoring = prepared.config, prepared.scoring
        self.prepared, self.past, self.path = prepared, past, path
        self.feed, self.draw, self.context, self.threads = feed, draw, context, threads
        self.watcher = watcher
        journal = Journal(path / JOURNAL, watcher.noticed) if path and config.budget.seconds else None
        clock: dict[str, Any] = {"seconds": seconds, "decisions": past.decisions, "journal": journal, "threads": threads}
        self.clock = Clock(config.budget, stop, prepared.processes, **clock)
        judge = (scoring.by, scoring.stamp, scoring.goal) if scoring else ()
        self.checkpoints = Checkpoints(past.folder / CHECKPOINTS, config.loop.checkpoints, *judge)
        self.health = _health(prepared, feed, past, watcher)
        self.book = _score_book(prepared, past)
        self.writer = Writer()
        self.told = watcher
        self._saving: list[Future[Any]] = []

    def describe(self, described: Mapping[str, Json]) -> None:
        """Write down what the run is, with its real samples, and forget what its records say of the time that comes again."""
        if self.path:
            with writing(self.path, "make room, or name another folder: --out DIR"):
                write_json(self.path / CONFIG, described)
                cut_records(self.path, self.context.images)
                write_preview(self.path / "reals", self.draw.reals, self.draw.modality)

    def train(self, described: Mapping[str, Json]) -> Outcome:
        """Train until the budget is spent, a score good enough, or a stop asked for."""
        prepared, config, past = self.prepared, self.prepared.config, self.past
        start = (self.context.images, self.clock.elapsed)
        with self.writer, contextlib.ExitStack() as ending:
            names = prepared.trackers if self.path else ()
            trackers = Trackers(names, past.folder, described, self.context.images, self.writer)
            # After all that was logged, and also if the run fails or is ended at once.
            ending.callback(self.writer.submit, trackers.finish)
            self.told = Watchers(self.watcher, Tracking(trackers, self.writer, self.draw.modality))
            monitor = Monitor(
                self.path,
                self.draw,
                modality=self.draw.modality,
                watcher=self.told,
                writer=self.writer,
                processes=prepared.processes,
                health=self.health,
                start=start,
                progress=config.budget.progress(start[1], start[0]),
            )
            take_step = choose_step(prepared.trainer, self.context, self.watcher.noticed)
            take_step = self.threads.timed(take_step) if self.threads else take_step
            parts = (prepared.trainer, take_step, self.feed, prepared.ema, monitor, self.clock, self.context)
            settings = config.loop.model_copy(update={"mirror": prepared.mirror})
            outcome = run_loop(*parts, settings=settings, checkpoint=self.checkpoint, score=self.score)
            if self.book and self._scores() is None and not outcome.interrupted:
                self._take_score(self.book)
        monitor.tell_failures()
        return outcome

    def checkpoint(self) -> bool:
        """Keep the run as it is, unless the one before is still being written."""
        if self.path and not all(job.done() for job in self._saving):
            return False
        self._save(self._scores())
        return True

    def score(self) -> bool:
        """Score the run if it is time to. Returns whether it is as good as it has to be."""
        if self.book is None:
            return False
        if self.book.due(self.context.images):
            found = self._take_score(self.book)
            # Where disks are slow, snapshots would fill the memory.
            for job in self._saving:
                job.exception()
            self._save(found)
        return self.book.reached

    def keep(self, outcome: Outcome) -> Kept:
        """Write the last checkpoint, and the model folder: of the best checkpoint by its score, or else of this one."""
        samples, verdict = self.past.folder / "model", self.health.verdict
        if self.path is None:
            return Kept(samples, verdict)
        with writing(self.path, "make room; the same command then goes on from its last checkpoint"):
            self.checkpoints.save(self._snapshot(), self._scores())
            best = self._take_best() if self.book else None
            shown = self.draw()
            if best and best["images"] != outcome.images:
                verdict = self.health.of_kept(shown, best["images"])
            previewed = len(self.draw.reals)
            model = describe_model(self.prepared, outcome, previewed=previewed, scored=best, verdict=verdict)
            with replace_folder(self.path / "model") as beside:
                samples /= write_model(beside, self.prepared, model, shown, str(self.path)).name
            if self.book:
                self.book.plot(self.path / CURVE)
        return Kept(samples, verdict)

    def _snapshot(self) -> Snapshot:
        """The run as it is. Raises DivergedError rather than keep what is not finite."""
        prepared, context = self.prepared, self.context
        if broken := not_finite(prepared.trainer, prepared.ema):
            raise DivergedError(f"training diverged: {broken} are not finite after {context.images:,} images")
        seconds = self.clock.decided
        return capture(prepared.trainer, prepared.ema, step=context.step, images=context.images, seconds=seconds)

    def _save(self, scores: Mapping[str, float] | None) -> None:
        if self.path:
            self._saving = [self.writer.submit(self.checkpoints.save, self._snapshot(), scores)]
        self.told.checkpointed(self.context.images)

    def _scores(self) -> Mapping[str, float] | None:
        """Of the run as it is, if it has been scored."""
        return self.book.scores_at(self.context.images) if self.book else None

    def _take_score(self, book: ScoreBook) -> Mapping[str, float]:
        with blaming("scoring"):
            found = book.take(self.context.images, self.clock.read())
        self.watcher.noticed(book.describe())
        if self.path:
            self.writer.submit(book.write, self.path)
        self.told.scored(self.context.images, found)
        return found

    def _take_best(self) -> dict[str, Json] | None:
        """Make the averages those of the best checkpoint. Returns its score, None if it cannot be had."""
        found = self.checkpoints.best()
        if found is None:
            return None
        snapshot, score = found
        restore_average(snapshot, self.prepared.ema)
        judge = self.prepared.scoring.judge.describe() if self.prepared.scoring else {}
        return {"by": self.checkpoints.by, "score": score, "images": snapshot.images, "judge": judge}


@contextlib.contextmanager
def writing(folder: Path, hint: str) -> Iterator[None]:
    """An OSError in the block becomes a TrainingError that says that the run could not be saved."""
    try:
        yield
    except OSError as error:
        raise TrainingError(f"the run in {str(folder)!r} could not be saved: {error.strerror or error}", hint=hint) from error


def _score_book(prepared: Prepared, past: Past) -> ScoreBook | None:
    if prepared.scoring is None:
        return None
    generator: Any = prepared.ema.networks["generator"]
    judged = {"generator": generator, "data": prepared.store}
    return ScoreBook(prepared.scoring, list(past.scores), **judged, processes=prepared.processes)


def _health(prepared: Prepared, feed: Feed, past: Past, watcher: Watcher) -> Health:
    store, processes, trainer = prepared.store, prepared.processes, prepared.trainer
    reals = None
    if processes.is_main:
        # Whatever samples this process has: what is found should be no matter of how many processes there are.
        whole, count = (store.feed(prepared.config.seed), 1) if isinstance(store, Store) else (feed, processes.count)
        reals, _ = whole.batch(0, min(REALS, len(store) // count) * count)
    return Health(
        reals,
        modality=store.modality,
        generator=prepared.ema.networks["generator"],
        shown=type(trainer).preview is Trainer.preview,
        per_step=prepared.config.loop.batch_size * getattr(trainer, "n_critic", 1),
        looks=past.looks,
        tell=watcher.noticed,
        advise=lambda fault: advise(fault, prepared.config, trainer),
    )
