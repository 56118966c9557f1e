"""``ganzoo compare``: several variants or presets under one budget."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganzoo.cli import complete
from ganzoo.cli.output import json_option, out
from ganzoo.cli.paths import UserPath

if TYPE_CHECKING:
    from ganzoo import comparison

IN_TABLES = 1
"""How prominent measures are whose scores are shown; the others are in --json."""

EPILOG = """\b
Examples:
  ganzoo compare mlp dcgan wgan-gp --budget 4m
  ganzoo compare dcgan dcgan@paper --data fashion-mnist --real fashion-mnist-10k --budget 4m --seeds 5
  ganzoo compare dcgan wgan-gp --data ./photos --resolution 64 --images 500k --extractor timm:convnext_tiny

\b
Every run is a run as of ganzoo train, in DIR/NAME/seed-0, seed-1 ...; scores are those of ganzoo evaluate. Shown are the
mean over the seeds, half the width of its 95 % confidence interval, and in how many runs training failed, if it did in any.
If the comparison is stopped, the same command resumes it; with more --seeds or a larger budget it is extended.
It needs the packages of pip install '.[evaluation]'; if one is missing, the error says how to install it.
"""


@click.command(epilog=EPILOG)
@click.argument("names", nargs=-1, required=True, metavar="NAME[@PRESET]...", shell_complete=complete.variants)
@click.option(
    "--data",
    show_default="fashion-mnist-10k, unless the first variant has data of its own",
    metavar="DATA",
    shell_complete=complete.data,
    help="What to train on.",
)
@click.option(
    "--real",
    metavar="DATA",
    shell_complete=complete.data,
    help="What to compare samples with, at best held out. Default: what --data says.",
)
@click.option("--resolution", type=int, metavar="PIXELS", help="As for ganzoo train.")
@click.option("--budget", metavar="TIME", help="Time to train each run: 90s, 4m, 1h30m. Scoring comes on top.")
@click.option("--images", metavar="COUNT", help="Images to train each run: 500k, 2M. Default: as its preset says.")
@click.option("--seeds", type=click.IntRange(1, 100), default=3, show_default=True, help="How many runs of each variant.")
@click.option("--extractor", metavar="NAME", shell_complete=complete.named("extractor"), help="As for ganzoo evaluate.")
@click.option(
    "--samples",
    type=click.IntRange(10, 1_000_000),
    default=10_000,
    show_default=True,
    help="How many samples of each run are scored.",
)
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:1, mps ...; auto: an accelerator, if any.")
@click.option(
    "--out", "folder", type=UserPath(), default="runs/compare", show_default=True, metavar="DIR", help="Where all runs go."
)
@json_option
def compare(
    names: tuple[str, ...],
    data: str | None,
    real: str | None,
    resolution: int | None,
    budget: str | None,
    images: str | None,
    seeds: int,
    extractor: str | None,
    samples: int,
    device: str,
    folder: Path,
    as_json: bool,
) -> None:
    """Train and score several variants, or presets of them, under one budget."""
    from dataclasses import asdict

    from ganzoo import comparison, plugins
    from ganzoo.cli.progress import counting, watching
    from ganzoo.measures.table import measures, prominent
    from ganzoo.parsing import parse_count, parse_duration
    from ganzoo.training.settings import Budget

    columns = prominent(measures(plugins.load().registry).values(), IN_TABLES)
    begun = itertools.count(1)

    def beginning(contender: str, seed: int) -> None:
        out.say(f"{contender}, seed {seed}: run {next(begun)} of {len(names) * seeds}")

    def scored(result: comparison.Result) -> None:
        names = [name for name in columns if name in result.scores] or list(result.scores)
        shown = "  ".join(f"{name} {result.scores[name]:.3f}" for name in names)
        noticed = f"; what it made is no good: it {result.alarm}" if result.alarm else ""
        out.say(f"{result.contender}, seed {result.seed}: {shown}{noticed}")

    results = comparison.compare(
        names,
        out=folder,
        budget=Budget(parse_duration(budget) if budget else None, parse_count(images, "--images") if images else None),
        data=data,
        resolution=resolution,
        real=real,
        extractor=extractor,
        samples=samples,
        seeds=seeds,
        device=device,
        planned=out.say,
        beginning=beginning,
        watching=watching,
        judging=lambda: counting("judging"),
        scored=scored,
    )
    if as_json:
        out.json([asdict(result) for result in results])
        return
    _tell(results, folder, columns)


def _tell(results: list[comparison.Result], folder: Path, columns: Sequence[str]) -> None:
    """A row for each contender, and by what they were scored."""
    from ganzoo.comparison import by_contender

    common = [name for name in results[0].scores if all(name in result.scores for result in results)]
    # Of samples that no measure of ganzoo's own is for, those of plugins.
    shown = [name for name in columns if name in common] or common
    failed = any(result.alarm for result in results)
    rows = [
        [
            name,
            str(len(rows)),
            f"{sum(r.images for r in rows) / len(rows):,.0f}",
            *(interval_of([r.scores[column] for r in rows]) for column in shown),
            *([f"{sum(r.alarm is not None for r in rows)} of {len(rows)}"] if failed else []),
        ]
        for name, rows in by_contender(results).items()
    ]
    out.table(("NAME", "SEEDS", "IMAGES", *map(str.upper, shown), *(["NO GOOD"] if failed else [])), rows)
    protocol = results[0].protocol
    out.say(
        f"name, seeds, images, {', '.join(shown)}: {protocol['n_fake']:,} samples of each against {protocol['n_real']:,} of "
        f"{protocol['data']}, by {protocol.get('extractor') or protocol.get('method')}; every run and its scores: {folder}"
    )


def interval_of(values: list[float]) -> str:
    """A mean, and how far it is from certain."""
    from ganzoo.comparison import interval

    mean, half = interval(values)
    return f"{mean:.3f} ± {half:.3f}" if len(values) > 1 else f"{mean:.3f}"
