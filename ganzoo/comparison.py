"""Several variants or presets under one budget, over some seeds: who is how good, and how surely."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ganzoo import plugins
from ganzoo.data import open_data
from ganzoo.data.store import Store
from ganzoo.devices import choose_device
from ganzoo.errors import UsageError
from ganzoo.evaluation.evaluate import SAMPLES, evaluate
from ganzoo.evaluation.references import pair_of
from ganzoo.evaluation.rehearsal import rehearse
from ganzoo.evaluation.stamp import require_same
from ganzoo.evaluation.subject import Progress
from ganzoo.files import parse_json, replace_file
from ganzoo.measures.table import measures
from ganzoo.model_folder import read_config
from ganzoo.plots import draw_dots
from ganzoo.registry import Registry
from ganzoo.request import NEVER, train
from ganzoo.training.config import resolve
from ganzoo.training.folder import OtherRunError, read_run
from ganzoo.training.gone import naming_what_is_gone
from ganzoo.training.progress import duration
from ganzoo.training.result import Run
from ganzoo.training.settings import Budget
from ganzoo.training.watcher import Watcher
from ganzoo.variant import Json

RESULTS = "results.jsonl"
PLOT = "compare.png"
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Result:
    """One run and its scores.

    Attributes:
        contender: ``dcgan``, or ``dcgan@paper``.
        seed: Of the run.
        images, seconds: What it took.
        asked: What it was trained and scored with.
        scores, protocol: As :class:`ganzoo.evaluation.scores.Scores` has them.
        alarm: What is wrong with what it made, in words, if anything was seen to be.
    """

    contender: str
    seed: int
    images: int
    seconds: float
    asked: Mapping[str, Json]
    scores: Mapping[str, float]
    protocol: Mapping[str, Json]
    alarm: str | None = None


def compare(
    contenders: Sequence[str],
    *,
    out: Path,
    budget: Budget,
    data: str | None = None,
    resolution: int | None = None,
    real: str | None = None,
    extractor: str | None = None,
    samples: int = SAMPLES,
    seeds: int = 3,
    device: str = "auto",
    planned: Callable[[str], None] = lambda line: None,
    beginning: Callable[[str, int], None] = lambda contender, seed: None,
    watching: Callable[[], AbstractContextManager[Watcher | None]] = nullcontext,
    judging: Callable[[], AbstractContextManager[Progress | None]] = nullcontext,
    scored: Callable[[Result], None] = lambda result: None,
) -> list[Result]:
    """Train every contender from every seed, one after another, and score what comes out.

    It may be stopped at any time: the same call goes on, in the very run in which it stopped.

    Args:
        contenders: Who takes part: variants, or ``variant@preset``. Each has a folder in ``out``, with a run for each seed.
        out: A folder, which also gets the results, a line of JSON each, and a plot of them.
        budget: That of every single run; without one, each has that of its preset.
        data, resolution, device: As for :func:`ganzoo.train`; without data, what the first contender trains on by default.
        real, extractor, samples: As for :func:`ganzoo.evaluate`; ``real`` is its ``data``.
        seeds: How many; they are 0, 1, 2 …
        planned: Told, before the first run, how long all takes at least, and by what it is scored if that says little.
        beginning: Told of each run before it.
        watching: Makes who follows a run.
        judging: Makes who is told how far a run's scoring is.
        scored: Told of each result.

    Raises:
        UsageError, DataError, PluginError, TrainingError: As for both of these; a name that is given twice.
        KeyboardInterrupt: A run was asked to stop, and did. What is done is kept.
    """
    registry = plugins.load().registry
    contenders = _distinct(registry, contenders, out)
    data = data or str(resolve(registry, contenders[0]).data)
    if budget == Budget():
        for contender in contenders:
            for seed in range(seeds):
                _require_whole(resolve(registry, contender).budget, out / contender / f"seed-{seed}")
    # What cannot be read or scored should be known before hours of training.
    store = open_data(data, registry=registry, resolution=resolution)
    modality, known = store.modality, data if isinstance(store, Store) else None
    # Every run opens it anew.
    del store
    fixed, judged = rehearse(modality, data=real or data, extractor=extractor, samples=samples)
    asked: dict[str, Json] = {"data": data, "real": real, "extractor": extractor, "samples": samples, **judged}
    for line in _plan(registry, len(contenders) * seeds, budget, samples, data, real):
        planned(line)
    contest = _Contest(out, budget, data, resolution, device, asked, train_data=known, extractor=fixed)
    kept, results = read_results(out), []
    # Seed by seed: a comparison that is stopped half way has something to say of everybody.
    for seed in range(seeds):
        for contender in contenders:
            beginning(contender, seed)
            with watching() as watcher:
                run = contest.train(contender, seed, watcher)
            if run.interrupted:
                raise KeyboardInterrupt
            this = contest.asked_of(run)
            same = [r for r in kept if (r.contender, r.seed) == (contender, seed)]
            result = next((r for r in same if r.images == run.images and r.asked == this), None)
            if result is None:
                with judging() as progress:
                    result = contest.score(contender, seed, run, progress)
                kept = [*(r for r in kept if r not in same), result]
                _write_results(out, kept)
            result = replace(result, alarm=run.alarm)
            results.append(result)
            scored(result)
    for result in results:
        require_same(results[0].protocol, result.protocol)
    # The first in the table that all have: of few samples there is no Fréchet distance.
    table = measures(registry).values()
    common = (m.name for m in table if m.goal.is_known and all(m.name in result.scores for result in results))
    if by := next(common, None):
        draw_dots(out / PLOT, {name: [r.scores[by] for r in rows] for name, rows in by_contender(results).items()}, y=by)
    return results


def _plan(registry: Registry, runs: int, budget: Budget, samples: int, data: str, real: str | None) -> Iterator[str]:
    """What is to be done, in words: how much that is, and a warning if samples are compared with what was trained on."""
    each = [duration(budget.seconds)] if budget.seconds else []
    each += [f"{budget.images:,} images"] if budget.images else []
    length = " or ".join(each) or "as many images as the preset says"
    total = f"{duration(runs * budget.seconds)} of training" if budget.seconds and not budget.images else "the training"
    once = f"1 run of {length}" if runs == 1 else f"{runs} runs of {length} each"
    yield (
        f"{once}: {total}, and then the scoring of {samples:,} samples of each; what an earlier call of this comparison has "
        "done is not done again"
    )
    if real in (None, data):
        pair = pair_of(registry, data)
        words = f"--data {pair[0]} --real {pair[1]}" if pair else "--real DATA"
        yield (
            f"samples are compared with {data}, on which the models are trained, and one that copies them would "
            f"score best; to compare with others that none was trained on, add {words}"
        )


def _distinct(registry: Registry, names: Sequence[str], out: Path) -> list[str]:
    """The contenders by their shortest names. Raises UsageError if one is there twice, under whichever names."""
    contenders = [name.removesuffix("@default") for name in names]
    # By what they are: one variant may have two names.
    are = []
    for contender in contenders:
        with naming_what_is_gone(out / contender / "seed-0"):
            config = resolve(registry, contender)
        are.append((config.entry, config.preset))
    if twice := [name for name, this in zip(contenders, are, strict=True) if are.count(this) > 1]:
        words = " and ".join(dict.fromkeys(twice))
        raise UsageError(f"{words} is given twice" if len(set(twice)) == 1 else f"{words} are the same")
    return contenders


@dataclass(frozen=True)
class _Contest:
    """What all runs of a comparison have in common.

    Attributes:
        asked: What they are trained and scored with, as results say it.
        train_data: The training data's name, if it can be opened once more to score by.
        extractor: Its name; None for the one that is usual for such samples.
    """

    out: Path
    budget: Budget
    data: str
    resolution: int | None
    device: str
    asked: Mapping[str, Json]
    train_data: str | None
    extractor: str | None

    def train(self, contender: str, seed: int, watcher: Watcher | None) -> Run:
        """Train, or go on training, or find that it is done."""
        try:
            return train(
                contender,
                data=self.data,
                resolution=self.resolution,
                budget_seconds=self.budget.seconds,
                images=self.budget.images,
                seed=seed,
                device=self.device,
                score_every=NEVER,
                out=self.out / contender / f"seed-{seed}",
                watcher=watcher,
            )
        except OtherRunError as error:
            hint = "go on with the budget that it had, or compare in another folder: --out DIR"
            raise OtherRunError(error.message, hint=hint) from None

    def asked_of(self, run: Run) -> dict[str, Json]:
        """What the scores of a run depend on."""
        return {**self.asked, "weights_sha256": read_config(run.folder / "model").networks["generator"].sha256}

    def score(self, contender: str, seed: int, run: Run, progress: Progress | None) -> Result:
        """Score what a run made."""
        told = evaluate(
            run.folder,
            data=self.asked["real"] or self.data,
            train=self.train_data,
            extractor=self.extractor,
            samples=self.asked["samples"],
            device=choose_device(self.device),
            progress=progress,
        ).to_json()
        row = (contender, seed, run.images, round(run.seconds, 1), self.asked_of(run), told["scores"], told["protocol"])
        return Result(*row, alarm=run.alarm)


def by_contender(results: Iterable[Result]) -> dict[str, list[Result]]:
    """The results of each contender, in the order in which they first appear."""
    found: dict[str, list[Result]] = {}
    for result in results:
        found.setdefault(result.contender, []).append(result)
    return found


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The mean, and half the width of its 95 % confidence interval by Student's t; infinite for a single value."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return mean, math.inf
    from scipy.special import stdtrit

    quantile = float(stdtrit(len(values) - 1, (1 + CONFIDENCE) / 2))
    return mean, quantile * statistics.stdev(values) / math.sqrt(len(values))


def read_results(out: Path) -> list[Result]:
    """What an earlier comparison in this folder has found; a line that is no result is passed over."""
    try:
        lines = (out / RESULTS).read_bytes().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        try:
            found.append(Result(**parse_json(line)))
        except (ValueError, TypeError):
            continue
    return found


def _require_whole(preset: Budget, folder: Path) -> None:
    """Raise OtherRunError if a folder holds a run that was given a budget: to go on with it to its preset's takes a word."""
    previous = read_run(folder)
    if previous is None:
        return
    had = Budget(**previous["budget"])
    if had != preset:
        told = f"--images {had.images}" if had.images else f"--budget {had.seconds:g}s"
        raise OtherRunError(
            f"{str(folder)!r} holds a run that was given {told}", hint="say so again, or compare in another folder: --out DIR"
        )


def _write_results(out: Path, results: Iterable[Result]) -> None:
    with replace_file(out / RESULTS) as beside:
        beside.write_text("".join(json.dumps(asdict(result)) + "\n" for result in results), encoding="utf-8")
