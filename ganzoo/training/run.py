"""One run, from what was prepared to a folder."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ganzoo.data.store import Feed, Store
from ganzoo.errors import TrainingError
from ganzoo.files import replace_folder, write_json
from ganzoo.interfaces import Trainer
from ganzoo.pinned import pinned
from ganzoo.sampling import can_be_drawn, write_preview
from ganzoo.threads import on_threads
from ganzoo.training.advice import advise
from ganzoo.training.checkpoint import Checkpoints
from ganzoo.training.clock import Clock, Journal
from ganzoo.training.command import command_of
from ganzoo.training.divergence import DivergedError, not_finite, way_on
from ganzoo.training.folder import CHECKPOINTS, CONFIG, CURVE, JOURNAL, METRICS, OtherRunError, RunFolder, run_folder
from ganzoo.training.graphs import choose_step
from ganzoo.training.health import REALS, Health
from ganzoo.training.loop import Step, blaming, run_loop, stop_signals
from ganzoo.training.model import SHOWN, Preview, describe_model, left_unsaid, write_model
from ganzoo.training.monitor import Monitor, cut_records
from ganzoo.training.precision import PRECISIONS
from ganzoo.training.prepare import Prepared, settle_precision, wanted_precision
from ganzoo.training.recorded import command_there
from ganzoo.training.rehearsal import try_keeping, try_steps
from ganzoo.training.resume import find_past
from ganzoo.training.scoring import ScoreBook
from ganzoo.training.state import Snapshot, capture, restore, restore_average
from ganzoo.training.thread_chooser import ThreadChooser
from ganzoo.training.trackers import Trackers
from ganzoo.training.verdict import Look
from ganzoo.training.watcher import Status, Watcher
from ganzoo.training.writer import Writer
from ganzoo.variant import Json


@dataclass(frozen=True)
class Run:
    """A run that ended.

    Attributes:
        folder: Its folder; ``ganzoo.load`` takes it.
        samples: The trainer's last preview: of the EMA generator, seeds 0 to 63, unless the trainer shows something else.
        images: Real samples shown to the discriminator.
        seconds: Seconds trained.
        interrupted: Whether it was stopped before its budget was spent.
        resumed: Images shown when it went on; 0 if it began anew.
        alarm: What is wrong with the model, in words: "collapsed after 16,000 images: all samples are alike". None if
            nothing was seen to be.
        recovered: What was wrong while it trained, and is not with the model.
        advice: What to try where something is wrong, in words; empty if nothing is known.
    """

    folder: Path
    samples: Path
    images: int
    seconds: float
    interrupted: bool
    resumed: int = 0
    alarm: str | None = None
    recovered: str | None = None
    advice: str = ""


@pinned()
def execute(prepared: Prepared, *, fresh: bool = False, watcher: Watcher | None = None) -> Run:
    """Train, or go on training, and leave a model folder in the run's folder.

    Ctrl-C or SIGTERM ends training after the step; everything is saved all the same. A second one ends it at once.

    Args:
        prepared: What :func:`prepare` made.
        fresh: As for :func:`ganzoo.train`.
        watcher: Is told what happens, as it happens.
    """
    processes = prepared.processes
    watcher = watcher if watcher is not None and processes.is_main else Watcher()
    config = prepared.config
    name = "-".join([config.variant.name, *([] if config.preset == "default" else [config.preset]), prepared.store.name])
    with stop_signals() as stop, on_threads(torch.get_num_threads()), contextlib.ExitStack() as held:
        if processes.device.type == "cuda":
            held.enter_context(torch.cuda.device(processes.device))
        folder = None
        if processes.is_main:
            try:
                folder = held.enter_context(run_folder(prepared.folder, name, prepared.describe(), fresh=fresh))
            except OtherRunError as error:
                if prepared.folder and (words := command_there(prepared.folder)):
                    error.hint = f"go on with that run: {words}; or {error.hint}"
                raise
        try:
            run = _train_in(folder, prepared, watcher, stop)
            processes.meet()
            return run
        except DivergedError as error:
            if folder:
                error.hint = way_on(config, prepared.scoring, folder.path, named=prepared.folder is not None)
            raise
        except BaseException:
            # A run that has nothing to show leaves nothing behind.
            if folder and folder.previous is None and not any((folder.path / n).exists() for n in (METRICS, CHECKPOINTS)):
                folder.abandon()
            raise


def _train_in(folder: RunFolder | None, prepared: Prepared, watcher: Watcher, stop: Sequence[int]) -> Run:
    config, store, processes = prepared.config, prepared.store, prepared.processes
    past = processes.share(find_past(folder, prepared, watcher) if folder else None)
    before = past.snapshot.images if past.snapshot else 0
    if past.done:
        assert past.snapshot is not None
        samples = past.folder / "model" / past.done
        seen = (past.folder, samples, before, past.snapshot.seconds)
        return Run(*seen, interrupted=False, resumed=before, alarm=past.alarm, recovered=past.recovered)
    feed = store.feed(config.seed, processes.rank, processes.count)
    draw = Preview(prepared, *feed.batch(0, min(SHOWN, len(store) // processes.count) * processes.count))
    precision = PRECISIONS[past.precision] if past.precision else wanted_precision(prepared)
    threads = _threads(prepared, past.threads, precision, watcher)
    passed_over = {"beside": folder.passed_over} if folder and folder.passed_over else {}
    watcher.started(past.folder, prepared.facts(precision) | passed_over)
    # What comes first takes a second or a few, in which somebody is waiting for a sign of life.
    watcher.status(Status(before, 0.0, 0.0, 0.0, {}))
    trained = try_steps(prepared, *feed.batch(0, config.loop.batch_size))
    if folder:
        for words in left_unsaid(prepared, str(folder.path)):
            watcher.noticed(words)
        with writing(folder.path, "make room, or name another folder: --out DIR"):
            try_keeping(prepared, trained, draw, folder.path)
    del trained
    if past.precision is None:
        precision = settle_precision(prepared, feed, watcher)
    if past.threads is None and threads:
        threads.choose(*feed.batch(0, config.loop.batch_size))
    context = Step(config.seed, processes.device, precision, (processes.rank, processes.count))
    seconds = _take_up(past.snapshot, prepared, context, watcher) if past.snapshot else 0.0
    processes.lead(prepared.trainer.optimizers.values())
    if config.compile:
        for network in prepared.networks.values():
            network.compile()
    settled = {"precision": next(name for name, p in PRECISIONS.items() if p is precision), "threads": torch.get_num_threads()}
    command = command_of(config, prepared.scoring, shared=False, log=prepared.trackers)
    described = {**prepared.describe(), **settled, "command": command}
    path = folder.path if folder else None
    if folder and folder.previous and not prepared.scoring and (scored := folder.previous.get("scoring")):
        # Whoever scores it again is to find what was scored before.
        described["scoring"] = scored
        watcher.noticed("this run was scored, and goes on without: its model will be its last one (--score-every scores it)")
    if path:
        with writing(path, "make room, or name another folder: --out DIR"):
            write_json(path / CONFIG, described)
            cut_records(path, context.images)
            write_preview(path / "reals", draw.reals, drawn=draw.drawn)
    scoring = prepared.scoring
    checkpoints = Checkpoints(
        past.folder / CHECKPOINTS, config.loop.checkpoints, *((scoring.by, scoring.stamp) if scoring else ())
    )
    health = _health(prepared, feed, past.looks, watcher)
    journal = Journal(path / JOURNAL, watcher.noticed) if path and config.budget.seconds else None
    clock = Clock(config.budget, stop, processes, seconds=seconds, decisions=past.decisions, journal=journal, threads=threads)

    def snapshot() -> Snapshot:
        if broken := not_finite(prepared.trainer, prepared.ema):
            raise DivergedError(f"training diverged: {broken} are not finite after {context.images:,} images")
        return capture(prepared.trainer, prepared.ema, step=context.step, images=context.images, seconds=clock.decided)

    with Writer() as writer, contextlib.ExitStack() as ending:
        trackers = Trackers(prepared.trackers if path else (), past.folder, described, context.images)
        # After all that was logged, and also if the run fails or is ended at once.
        ending.callback(writer.submit, trackers.finish)
        saving: list[Future[Any]] = []

        def checkpoint() -> bool:
            if path and not all(job.done() for job in saving):
                return False
            saving[:] = [writer.submit(checkpoints.save, snapshot(), scored_here())] if path else []
            return True

        monitor = Monitor(
            path,
            draw,
            drawn=draw.drawn,
            watcher=watcher,
            writer=writer,
            trackers=trackers,
            processes=processes,
            health=health,
            start=(context.images, seconds),
            progress=config.budget.progress(seconds, context.images),
        )
        book = _score_book(prepared, past.scores)

        def scored_here() -> Mapping[str, float] | None:
            return book.scores_at(context.images) if book else None

        def take_score() -> Mapping[str, float]:
            assert book is not None
            with blaming("scoring"):
                found = book.take(context.images, clock.read())
            watcher.noticed(book.describe())
            if path:
                writer.submit(book.write, path)
            writer.submit(trackers.log, found, context.images)
            return found

        def score() -> bool:
            if book is None:
                return False
            if book.due(context.images):
                found = take_score()
                # Where disks are slow, snapshots would fill the memory.
                for job in saving:
                    job.exception()
                saving[:] = [writer.submit(checkpoints.save, snapshot(), found)] if path else []
            return book.reached

        take_step = choose_step(prepared.trainer, context, watcher.noticed)
        take_step = threads.timed(take_step) if threads else take_step
        parts = (prepared.trainer, take_step, feed, prepared.ema, monitor, clock, context)
        settings = config.loop.model_copy(update={"mirror": prepared.mirror})
        outcome = run_loop(*parts, settings=settings, checkpoint=checkpoint, score=score)
        scores = scored_here()
        if book and scores is None and not outcome.interrupted:
            scores = take_score()
    monitor.tell_failures()
    samples, verdict = past.folder / "model", health.verdict
    if path:
        with writing(path, "make room; the same command then goes on from its last checkpoint"):
            checkpoints.save(snapshot(), scores)
            best = _take_best(checkpoints, prepared) if book else None
            shown = draw()
            if best and best["images"] != outcome.images:
                verdict = health.of_kept(shown, best["images"])
            model = describe_model(prepared, outcome, previewed=len(draw.reals), scored=best, verdict=verdict)
            with replace_folder(path / "model") as beside:
                samples /= write_model(beside, prepared, model, shown, str(path)).name
            if book:
                book.plot(path / CURVE)
    verdict = processes.share(verdict)
    told = verdict.describe()
    alarm, recovered = (told[name]["says"] if name in told else None for name in ("alarm", "recovered"))
    advice = advise(verdict.alarm.what[0], config, prepared.trainer) if verdict.alarm else ""
    return Run(past.folder, samples, outcome.images, outcome.seconds, outcome.interrupted, before, alarm, recovered, advice)


@contextlib.contextmanager
def writing(folder: Path, hint: str) -> Iterator[None]:
    """An OSError in the block becomes a TrainingError that says that the run could not be saved."""
    try:
        yield
    except OSError as error:
        raise TrainingError(f"the run in {str(folder)!r} could not be saved: {error.strerror or error}", hint=hint) from error


def _threads(prepared: Prepared, before: int | None, precision: torch.dtype, watcher: Watcher) -> ThreadChooser | None:
    """Set the number of threads that a run begins with, or goes on with. Returns who watches it, if nobody has decided it."""
    config, processes, most = prepared.config, prepared.processes, torch.get_num_threads()
    if count := config.threads or before:
        torch.set_num_threads(count)
    if config.threads or processes.count > 1 or processes.device.type != "cpu" or config.compile or most == 1:
        return None
    return ThreadChooser(prepared.trainer, precision, most, chooses=config.budget.seconds is not None, tell=watcher.noticed)


def _take_up(snapshot: Snapshot, prepared: Prepared, context: Step, watcher: Watcher) -> float:
    """Make the run what it was. Returns the seconds that were spent."""
    try:
        restore(snapshot, prepared.trainer, prepared.ema)
    except (KeyError, ValueError, RuntimeError) as error:
        raise TrainingError(f"the checkpoint is of another run: {error}", hint="begin anew: --fresh") from error
    context.step, context.images = snapshot.step, snapshot.images
    watcher.noticed(f"going on after {context.images:,} images")
    return snapshot.seconds


def _score_book(prepared: Prepared, rows: Sequence[dict[str, float]]) -> ScoreBook | None:
    if prepared.scoring is None:
        return None
    generator: Any = prepared.ema.networks["generator"]
    return ScoreBook(prepared.scoring, list(rows), generator=generator, data=prepared.store, processes=prepared.processes)


def _health(prepared: Prepared, feed: Feed, looks: Sequence[Look], watcher: Watcher) -> Health:
    store, processes, trainer = prepared.store, prepared.processes, prepared.trainer
    reals = None
    if processes.is_main:
        # Whatever its share of the data: what is found should be no matter of how many processes there are.
        whole, share = (store.feed(prepared.config.seed), 1) if isinstance(store, Store) else (feed, processes.count)
        reals, _ = whole.batch(0, min(REALS, len(store) // share) * share)
    return Health(
        reals,
        pictures=can_be_drawn(store.sample_shape, store.value_range),
        generator=prepared.ema.networks["generator"],
        shown=type(trainer).preview is Trainer.preview,
        per_step=prepared.config.loop.batch_size * getattr(trainer, "n_critic", 1),
        looks=looks,
        tell=watcher.noticed,
        advise=lambda fault: advise(fault, prepared.config, trainer),
    )


def _take_best(checkpoints: Checkpoints, prepared: Prepared) -> dict[str, Json] | None:
    """Make the averages those of the best checkpoint. Returns its score, None if it cannot be had."""
    found = checkpoints.best()
    if found is None:
        return None
    snapshot, score = found
    restore_average(snapshot, prepared.ema)
    judge = prepared.scoring.judge.describe() if prepared.scoring else {}
    return {"by": checkpoints.by, "score": score, "images": snapshot.images, "judge": judge}
