"""One run, from what was prepared to a folder."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from functools import partial

import torch

from ganzoo import plugins
from ganzoo.data.dataset import Feed
from ganzoo.errors import TrainingError
from ganzoo.pinned import pinned
from ganzoo.threads import on_threads
from ganzoo.training.advice import advise
from ganzoo.training.command import command_of
from ganzoo.training.divergence import DivergedError, way_on
from ganzoo.training.folder import CHECKPOINTS, METRICS, OtherRunError, RunFolder, run_folder
from ganzoo.training.loop import Step, stop_signals
from ganzoo.training.model import SHOWN, Preview, left_unsaid
from ganzoo.training.precision import PRECISIONS
from ganzoo.training.prepare import Prepared, settle_precision, wanted_precision
from ganzoo.training.recorded import command_there
from ganzoo.training.rehearsal import try_keeping, try_steps
from ganzoo.training.renamed import by_names_of_now
from ganzoo.training.result import Run
from ganzoo.training.resume import find_past
from ganzoo.training.session import Session, writing
from ganzoo.training.state import Snapshot, restore
from ganzoo.training.thread_chooser import ThreadChooser
from ganzoo.training.watcher import Status, Watcher
from ganzoo.variant import Json


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
    registry, rest = plugins.load().registry, [*([] if config.preset == "default" else [config.preset]), prepared.store.name]
    name, *formerly = ["-".join([n, *rest]) for n in (config.variant.name, *registry.former_names(config.entry))]
    with stop_signals() as stop, on_threads(torch.get_num_threads()), contextlib.ExitStack() as held:
        if processes.device.type == "cuda":
            held.enter_context(torch.cuda.device(processes.device))
        folder = None
        if processes.is_main:
            try:
                folder = held.enter_context(
                    run_folder(
                        prepared.folder,
                        name,
                        prepared.describe(),
                        config.defaults(),
                        fresh=fresh,
                        formerly=formerly,
                        by_names_of_now=partial(by_names_of_now, registry=registry),
                    )
                )
            except OtherRunError as error:
                if prepared.folder and (words := command_there(prepared.folder)):
                    error.hint = f"go on with that run: {words}; or {error.hint}"
                raise
        try:
            run = _train_in(folder, prepared, watcher, stop)
            processes.meet()
            return run
        except DivergedError as error:
            watcher.diverged(error.message)
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
    past = processes.broadcast(find_past(folder, prepared, watcher) if folder else None)
    before = past.snapshot.images if past.snapshot else 0
    if past.done:
        assert past.snapshot is not None
        seen = (past.folder, past.folder / "model" / past.done, before, past.snapshot.seconds)
        return Run(*seen, interrupted=False, resumed=before, alarm=past.alarm, recovered=past.recovered)
    feed = store.feed(config.seed, processes.rank, processes.count)
    draw = Preview(prepared, *feed.batch(0, min(SHOWN, len(store) // processes.count) * processes.count))
    precision = PRECISIONS[past.precision] if past.precision else wanted_precision(prepared)
    threads = _threads(prepared, past.threads, precision, watcher)
    passed_over = {"beside": folder.passed_over} if folder and folder.passed_over else {}
    watcher.started(past.folder, prepared.facts(precision) | passed_over)
    # What comes first takes a second or a few, in which somebody is waiting for a sign of life.
    spent = past.snapshot.seconds if past.snapshot else 0.0
    watcher.status(Status(before, 0.0, spent, config.budget.progress(spent, before), {}))
    _rehearse(folder, prepared, feed, draw, watcher)
    if past.precision is None:
        precision = settle_precision(prepared, feed, watcher)
    if past.threads is None and threads:
        threads.choose(*feed.batch(0, config.loop.batch_size))
    context = Step(config.seed, processes.device, precision, (processes.rank, processes.count), processes.gather)
    seconds = _take_up(past.snapshot, prepared, context, watcher) if past.snapshot else 0.0
    processes.lead(prepared.trainer.optimizers.values())
    if config.compile:
        for network in prepared.networks.values():
            network.compile()
    session = Session(
        prepared,
        past,
        folder.path if folder else None,
        feed=feed,
        draw=draw,
        context=context,
        threads=threads,
        watcher=watcher,
        stop=stop,
        seconds=seconds,
    )
    described = _describe(folder, prepared, precision, watcher)
    session.describe(described)
    outcome = session.train(described)
    samples, verdict = session.keep(outcome)
    verdict = processes.broadcast(verdict)
    told = verdict.describe()
    alarm, recovered = (told[name]["says"] if name in told else None for name in ("alarm", "recovered"))
    advice = advise(verdict.alarm.what[0], config, prepared.trainer) if verdict.alarm else ""
    return Run(past.folder, samples, outcome.images, outcome.seconds, outcome.interrupted, before, alarm, recovered, advice)


def _rehearse(folder: RunFolder | None, prepared: Prepared, feed: Feed, draw: Preview, watcher: Watcher) -> None:
    """Try all that the run will do, on copies and in a folder of its own."""
    trained = try_steps(prepared, *feed.batch(0, prepared.config.loop.batch_size))
    if folder:
        for words in left_unsaid(prepared, str(folder.path)):
            watcher.noticed(words)
        with writing(folder.path, "make room, or name another folder: --out DIR"):
            try_keeping(prepared, trained, draw, folder.path)


def _describe(folder: RunFolder | None, prepared: Prepared, precision: torch.dtype, watcher: Watcher) -> dict[str, Json]:
    """What ``config.json`` says of the run, with what was settled, and the command that makes it."""
    settled = {"precision": next(name for name, p in PRECISIONS.items() if p is precision), "threads": torch.get_num_threads()}
    command = command_of(prepared.config, prepared.scoring, shared=False, log=prepared.trackers)
    described = {**prepared.describe(), **settled, "command": command}
    if folder and folder.previous and not prepared.scoring and (scored := folder.previous.get("scoring")):
        # Whoever scores it again is to find what was scored before.
        described["scoring"] = scored
        watcher.noticed("this run was scored, and goes on without: its model will be its last one (--score-every scores it)")
    return described


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
