"""What somebody asks of a run, in the words of ``ganzoo train``, from the command line and from Python: ``ganzoo.train``."""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch

from ganzoo import plugins
from ganzoo.data.given import Data, given
from ganzoo.devices import choose_device
from ganzoo.errors import ModelError, UsageError
from ganzoo.evaluation.judge import Judge, judges_at_once
from ganzoo.hub.locate import locate_whole
from ganzoo.measures.table import find_measure
from ganzoo.parsing import parse_augmentation, parse_count, parse_duration, parse_penalty
from ganzoo.pinned import pinned
from ganzoo.training.config import resolve
from ganzoo.training.gone import naming_what_is_gone
from ganzoo.training.precision import Precision
from ganzoo.training.prepare import Prepared, prepare
from ganzoo.training.progress import ProgressBar
from ganzoo.training.result import Run
from ganzoo.training.run import execute
from ganzoo.training.scoring import Scoring
from ganzoo.training.settings import Budget
from ganzoo.training.start import Start, holds_checkpoints, start_from_model, start_from_run
from ganzoo.training.watcher import Watcher
from ganzoo.variant import Json

NEVER = "never"
SCORE_IMAGES = 500_000
UNTIL_IMAGES = 100_000

LONG_SECONDS = 15 * 60
LONG_IMAGES = 5_000_000
"""A run of this budget or more is scored every SCORE_IMAGES, without being asked to."""


@pinned()
def train(
    variant: str,
    *,
    data: Data | None = None,
    resolution: int | None = None,
    preset: str | None = None,
    budget: str | None = None,
    images: int | str | None = None,
    loss: str | None = None,
    penalty: str | Sequence[str] | None = None,
    augment: str | Sequence[str] | None = None,
    mirror: bool | None = None,
    options: Mapping[str, Json] | None = None,
    seed: int = 0,
    device: str = "auto",
    precision: Precision = "auto",
    compile: bool = False,  # noqa: A002 - torch's own word for it
    threads: int | None = None,
    score_every: int | str | None = None,
    until: str | None = None,
    start: str | Path | None = None,
    log: str | Sequence[str] = (),
    out: str | Path | None = None,
    fresh: bool = False,
    budget_seconds: float | None = None,
    scoring: Scoring | None = None,
    watcher: Watcher | Literal["auto"] | None = "auto",
) -> Run:
    """Train a variant and save it: ``ganzoo.train("dcgan", data=x_train, budget="4m")``.

    It says and does what ``ganzoo train`` does, in the same words and with the same defaults; ``--from`` is ``start``, a word
    that Python does not have for itself. Whoever calls it sees a progress bar, unless ``watcher`` says otherwise.

    The same call goes on with a run that was stopped, or that a larger budget now gives more time, as if it had never
    stopped: bit by bit, on the same processor. One that is done is returned as it is.

    Args:
        variant: A name from ``ganzoo list``, or ``name@preset``.
        data: What to train on; by default what the variant says, or fashion-mnist-10k.

            - Text: what ``--data`` takes: a registered dataset, a folder or zip of pictures, an IDX, NPY or NPZ file, or a
              dataset name of timm's, with options after a question mark.
            - A ``Path``: a folder or a file.
            - A numpy array or a torch tensor on any device, of at least two samples. Shapes (N, H, W), (N, H, W, 1|3|4) and
              (N, 1|3|4, H, W) are pictures if their values can be nothing else: uint8 in [0, 255], booleans, uint16; with four
              dimensions also whole numbers in [0, 65535], and decimal ones in [0, 1] or [-1, 1], of which the lowest is black
              and the highest white. They become uint8 squares of 1 or 3 channels. All other numbers are finite samples
              ``(N, *sample_shape)`` as they stand, in float32.
            - ``(x, y)``: the same with labels, ``(N,)`` whole numbers from 0 on or texts, or ``(N, K)`` one-hot.
            - A :class:`ganzoo.Store`, as it is.

            A line at the start says what was understood. No other process can read an array again: the run's
            ``config.json`` has its shape, type and SHA-256, and a run goes on only if it is given the same values.
        resolution: Height and width of pictures, where it should differ from the data's; in [1, 2048].
        preset: One of the variant's presets; ``default`` if neither says one.
        budget: Time to train, in text: ``"90s"``, ``"4m"``, ``"1h30m"``.
        images: Images to train: ``500_000`` or ``"500k"``; with both, whichever comes first; with neither, the preset's.
        loss: Another loss; ``ganzoo list --kind losses`` has all.
        penalty: Other penalties: ``"r1"``, ``"r1=0.1"`` with its weight, several of them in a list, or ``"none"``.
        augment: Augmentations, which change all that the discriminator sees: ``"mirror"``, ``"shift=0.5"`` with its strength,
            several of them in a list, or ``"none"``; ``ganzoo list --kind augmentations`` has all.
        mirror: Whether to show half of all pictures mirrored, left to right. None: if a simple test cannot tell them from
            mirrored ones.
        options: What ``-o`` takes on the command line, e.g. ``{"batch_size": 128, "generator.width": 64}``.
        seed: Of every random number, in [0, 2^63): the same seed gives the same run.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps`` …
        precision: ``fp32``, ``bf16`` (networks run in bfloat16; weights, losses and penalties stay in float32), or ``auto``:
            bf16 where the device has it and a trial of both agrees.
        compile: Let ``torch.compile`` make the networks faster, which takes a while to begin with, instead of recording steps
            as CUDA graphs.
        threads: On how many of the processor's threads to compute. By default, under a time budget, on as many as are fastest
            beside whatever else the machine does, as it goes; else on as many as torch has.
        score_every: Score the run each time so many images were shown (``100_000``, ``"100k"``), and keep the best checkpoint
            as the model; or ``"never"``. None: every 500,000 in runs of 15 minutes or 5 million images and more, on 500
            pictures and more, if torch-fidelity is installed; else never.
        until: Stop when a score is as good as this: ``"kid=0.02"``, ``"coverage=0.9"``.
        start: Start from trained weights: those of another run, by its folder or one of its checkpoints, or of a model, by
            whatever name :func:`ganzoo.load` has for it. Networks that are there start from their weights and are built with
            their options, unless ``options`` says others; those that are not start from fresh weights, and a line says which.
            It is a new run all the same, whose images are counted from 0.
        log: Where metrics and samples go besides the run's folder, one or several: ``tensorboard``, ``wandb``, ``mlflow``,
            ``trackio`` and any other tracker that accelerate knows, or one of a plugin's.
        out: The run's folder: new, empty, or that of the run to go on with. By default under ``runs/``, the one that holds
            the same run or else a new one.
        fresh: Begin anew. A run in ``out`` is then removed; without ``out``, a new folder is made.
        budget_seconds: ``budget`` as a number, above 0.
        scoring: Scores by a judge of your own, or by one with other settings, instead of ``score_every`` and ``until``:
            ``ganzoo.Scoring(ganzoo.Judge(names=("kid",)), every=100_000, by="kid", until=0.02)``.
        watcher: Who is told what happens, as it happens: a :class:`ganzoo.Watcher`. By default a
            :class:`ganzoo.ProgressBar`, which shows a bar in notebooks and terminals and prints lines elsewhere; None shows
            nothing.

    Raises:
        UsageError, DataError, PluginError, TrainingError: See :mod:`ganzoo.errors`. Nothing is left behind unless
            training had begun.

    Ctrl-C or SIGTERM while it trains does not raise: the run is saved and returned, with ``interrupted`` set.
    """
    if isinstance(watcher, str) and watcher != "auto":
        raise UsageError(f"watcher={watcher!r} is no watcher", hint="it is 'auto', None, or a ganzoo.Watcher")
    following = ProgressBar() if isinstance(watcher, str) else watcher
    run = None
    try:
        chosen = choose_device(device)
        # The caller's own random numbers are none of a run's business.
        with torch.random.fork_rng([chosen] if chosen.type == "cuda" else []):
            prepared = request(
                variant,
                data=data,
                resolution=resolution,
                preset=preset,
                budget=budget,
                images=images,
                loss=loss,
                penalty=penalty,
                augment=augment,
                mirror=mirror,
                options=options,
                seed=seed,
                device=device,
                precision=precision,
                compile=compile,
                threads=threads,
                score_every=score_every,
                until=until,
                start=start,
                log=log,
                out=out,
                budget_seconds=budget_seconds,
                scoring=scoring,
                watcher=following,
            )
            run = execute(prepared, fresh=fresh, watcher=following)
            return run
    finally:
        if following is not None and os.environ.get("RANK", "0") == "0":
            following.ended(run)


def request(
    variant: str,
    *,
    data: Data | None,
    resolution: int | None,
    preset: str | None,
    budget: str | None,
    images: int | str | None,
    loss: str | None,
    penalty: str | Sequence[str] | None,
    augment: str | Sequence[str] | None,
    mirror: bool | None,
    options: Mapping[str, Json] | None,
    seed: int,
    device: str,
    precision: Precision,
    compile: bool,  # noqa: A002
    threads: int | None,
    score_every: int | str | None,
    until: str | None,
    start: str | Path | None,
    log: str | Sequence[str],
    out: str | Path | None,
    budget_seconds: float | None = None,
    scoring: Scoring | None = None,
    watcher: Watcher | None = None,
) -> Prepared:
    """A run that is ready to start, from the words of the command line or of :func:`train`, which explains each of them.

    Raises:
        UsageError, DataError, PluginError: As :func:`train`.
    """
    if budget is not None:
        if budget_seconds is not None:
            raise UsageError(f"the budget is given twice, as {budget!r} and as {budget_seconds!r} seconds")
        if not isinstance(budget, str):
            raise UsageError(f"a budget is text, got {budget!r}", hint="for example: budget='4m', or budget_seconds=240")
        budget_seconds = parse_duration(budget)
    if scoring is not None and (score_every, until) != (None, None):
        raise UsageError("scoring says all that score_every and until do", hint="leave those out, or scoring")
    with naming_what_is_gone(out, start):
        config = resolve(
            plugins.load().registry,
            variant,
            preset=preset,
            options=_options(options, loss, penalty, augment, mirror),
            data=None if data is None else given(data),
            resolution=resolution,
            seed=seed,
            budget_seconds=budget_seconds,
            budget_images=None if images is None else _count("images", images),
            precision=precision,
            compile=compile,
            threads=threads,
            start=None if start is None else find_start(start),
        )
    scoring = scoring or choose_scoring(score_every, until)
    prepared = prepare(config, device=device, out=out, log=log, scoring=scoring, watcher=watcher)
    unasked = scoring is None and score_every is None and is_long(config.budget)
    return scored_by_itself(prepared) if unasked else prepared


def find_start(source: str | Path) -> Start:
    """What ``--from`` names: a run or one of its checkpoints, or else a model, as :func:`ganzoo.load` finds it.

    Raises:
        UsageError: It is neither.
        TrainingError, ModelError, HubError: It cannot be read, or be had.
    """
    if holds_checkpoints(source):
        return start_from_run(source)
    try:
        found = locate_whole(source)
    except (ModelError, UsageError) as error:
        raise UsageError(
            f"there is no checkpoint in {str(source)!r} to start from; {error.message}", hint=error.hint
        ) from error
    return start_from_model(source, found.folder, found.repository)


def _options(
    options: Mapping[str, Json] | None,
    loss: str | None,
    penalty: str | Sequence[str] | None,
    augment: str | Sequence[str] | None,
    mirror: bool | None,
) -> dict[str, Json]:
    """All options, those that have a word of their own too."""
    chosen = dict(options or {})
    penalties = None if penalty is None else _terms("penalty", "penalties", penalty, "r1=0.1")
    augmentations = None if augment is None else _terms("augment", "augmentations", augment, "mirror")
    words = {"loss": loss, "penalties": penalties, "augmentations": augmentations, "mirror": mirror}
    for key, value in words.items():
        if value is not None:
            if key in chosen:
                raise UsageError(f"{key} is given twice, as an option of its own and with -o")
            chosen[key] = value
    return chosen


def _terms(word: str, plural: str, asked: str | Sequence[str], example: str) -> dict[str, Json]:
    """Penalties, or augmentations, by name, as they are typed after ``--word``."""
    texts = [asked] if isinstance(asked, str) else list(asked)
    if not texts or not all(isinstance(text, str) for text in texts):
        hint = f"for example: {word}={example!r}, or {word}='none' for none"
        raise UsageError(f"{word}={asked!r} names no {plural}", hint=hint)
    if "none" in texts and len(texts) > 1:
        raise UsageError(f"--{word} none excludes any other")
    found: dict[str, Json] = {}
    parse = parse_penalty if word == "penalty" else parse_augmentation
    for name, arguments in (item for text in texts for item in parse(text).items()):
        if name in found:
            raise UsageError(f"the {'penalty' if word == 'penalty' else 'augmentation'} {name} is given twice")
        found[name] = arguments
    return found


def _count(what: str, value: int | str) -> int:
    """A count as a number of any type, or as text."""
    if isinstance(value, str):
        return parse_count(value, f"--{what.replace('_', '-')}")
    try:
        count = -1 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        count = -1
    if count <= 0:
        raise UsageError(f"{what} must be a whole number above 0, got {value!r}", hint=f"for example: {what}=500_000")
    return count


def choose_scoring(every: int | str | None, until: str | None) -> Scoring | None:
    """What ``score_every`` and ``until`` ask for. Raises UsageError."""
    if every == NEVER and until is not None:
        raise UsageError(f"--until needs scores, and --score-every {NEVER} excludes them")
    if (every is None or every == NEVER) and until is None:
        return None
    by, equals, target = (until or "").partition("=")
    try:
        limit = float(target) if equals else None
    except ValueError:
        limit = math.nan
    if until is not None and (limit is None or not math.isfinite(limit)):
        raise UsageError(f"cannot read {until!r}", hint="for example: --until kid=0.02")
    images = _count("score_every", every) if every is not None else SCORE_IMAGES if limit is None else UNTIL_IMAGES
    if limit is None:
        return Scoring(Judge(), images)
    by = find_measure(plugins.load().registry, by).name
    usual = Judge()
    # A Fréchet distance takes many samples: where another score is asked for, it is not in the way.
    return Scoring(usual if by == usual.names[0] else Judge(names=(by,)), images, by, limit)


def is_long(budget: Budget) -> bool:
    """Whether a run takes long enough to be scored unasked."""
    return (budget.seconds or 0) >= LONG_SECONDS or (budget.seconds is None and (budget.images or 0) >= LONG_IMAGES)


def scored_by_itself(prepared: Prepared) -> Prepared:
    """The same run, scored if that takes nothing that is not installed."""
    if not judges_at_once(prepared.store):
        return prepared
    scoring = Scoring(Judge(), SCORE_IMAGES)
    if prepared.processes.is_main:
        scoring.prepare(prepared.store)
    return replace(prepared, scoring=scoring)
