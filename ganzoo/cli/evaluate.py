"""``ganzoo evaluate``: how near a model's samples come to real ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganzoo.cli import complete
from ganzoo.cli.output import json_option, out
from ganzoo.cli.paths import UserPath

if TYPE_CHECKING:
    from ganzoo.measures.base import Measure

EPILOG = """\b
Examples:
  ganzoo evaluate dcgan-fashion-mnist
  ganzoo evaluate runs/dcgan-photos
  ganzoo evaluate runs/dcgan-photos --data ./more-photos --neighbours nearest.png
  ganzoo evaluate samples.npz --data ./photos --extractor inception --json
  ganzoo evaluate folder-of-samples --data ./photos
  ganzoo evaluate samples.npz --data 'torch/cifar10?split=test' --extractor timm:convnext_tiny --measures kid

\b
Measures:
{measures}

\b
With the extractor inception, fd is the published FID. {training} two sets of samples: those that the model
was trained on (--train, where its run does not know) and others (--data) of which none was trained on. Real pictures are
scaled to the size of the samples; if one side is grey and the other in colour, the extractor gets both in the same form. A
score that cannot be computed is left out, with the reason.

\b
Scores of a model of your own go into metrics.json in its folder, with their protocol: extractor, data, hashes, how many of
each, seed, versions. Compare only scores of the same protocol. Scoring needs the packages of pip install '.[evaluation]'; if
one is missing, the error says how to install it.
"""


class WithMeasures(click.Command):
    """A command whose help names the measures that there are."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.epilog = with_measures(EPILOG)
        super().format_epilog(ctx, formatter)


def with_measures(text: str) -> str:
    """A text in which the table of measures stands, and the names of those that need the training data."""
    from ganzoo import plugins
    from ganzoo.measures.table import measures

    table = {name: measure for name, measure in measures(plugins.load().registry).items() if not measure.beside}
    width = max(map(len, table))
    told = "\n".join(f"  {name:<{width}}  {_in_words(measure)}" for name, measure in table.items())
    *first, last = (name for name, measure in table.items() if "training" in measure.needs)
    return text.format(measures=told, training=f"{', '.join(first)} and {last} need")


def _in_words(measure: Measure) -> str:
    """What a measure says, and which direction is better unless that is in its words."""
    better = measure.better
    return measure.summary + (f"; {better} is better" if better and better not in measure.meaning else "")


@click.command(cls=WithMeasures, epilog=EPILOG)
@click.argument("model", shell_complete=complete.models)
@click.option(
    "--data",
    metavar="DATA",
    shell_complete=complete.data,
    help="Real pictures, at best such as it was not trained on. Default: those held out from what it was trained on, if "
    "there are some, else those that it was trained on.",
)
@click.option(
    "--extractor",
    metavar="NAME",
    shell_complete=complete.named("extractor"),
    help="The network whose features are compared: ganzoo list --kind extractors, or timm:NAME. "
    "Default: fashion-mnist-cnn for grey pictures of 28x28, inception for others, or cifar10-cnn if inception cannot be "
    "downloaded.",
)
@click.option(
    "--samples",
    type=click.IntRange(10, 1_000_000),
    default=10_000,
    show_default=True,
    help="How many samples are drawn, and real pictures taken at the most. Fewer take less time: --samples 1000.",
)
@click.option(
    "--measures",
    metavar="NAMES",
    shell_complete=complete.named("measure"),
    help="Only these measures, separated by commas. Default: all that are for such samples.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**62),
    default=0,
    show_default=True,
    help="The seed of the first sample; the others follow it.",
)
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:1, mps ...; auto: an accelerator, if any.")
@click.option(
    "--train",
    metavar="DATA",
    shell_complete=complete.data,
    help="What it was trained on, where neither its run nor its folder says so.",
)
@click.option(
    "--neighbours",
    type=UserPath(dir_okay=False),
    metavar="PNG",
    help="Write samples beside their nearest training samples.",
)
@json_option
def evaluate(
    model: str,
    data: str | None,
    extractor: str | None,
    samples: int,
    measures: str | None,
    seed: int,
    device: str,
    train: str | None,
    neighbours: Path | None,
    as_json: bool,
) -> None:
    """Score MODEL: one that ships, a folder of a model or a run, or user/repo[@revision] on the Hub.

    MODEL may also be samples: pictures in any form that --data takes, such as a folder or an NPZ that ganzoo sample wrote.
    """
    from ganzoo.cli.progress import counting
    from ganzoo.devices import choose_device
    from ganzoo.evaluation import evaluate as evaluation

    there = neighbours is not None and neighbours.is_file()
    with counting("judging") as progress:
        scores = evaluation.evaluate(
            model,
            data=data,
            extractor=extractor,
            samples=samples,
            measures=None if measures is None else [name.strip() for name in measures.split(",")],
            seed=seed,
            device=choose_device(device),
            train=train,
            neighbours=neighbours,
            progress=progress,
        )
    report = scores.to_json()
    if as_json:
        out.json(report)
    else:
        versions = ", ".join(f"{name} {version}" for name, version in scores.protocol.versions.items())
        protocol = {name: value for name, value in report["protocol"].items() if value != ""} | {"versions": versions}
        out.fields({"scores": {name: f"{value:.4g}" for name, value in scores.values.items()}, "protocol": protocol})
    if scores.held_out is False:
        from ganzoo import plugins
        from ganzoo.evaluation.references import unseen

        out.say(
            f"it was trained on samples of {scores.protocol.data}, and a model that copies these would score best; to learn "
            f"whether it does, score it by samples that it has not seen: --data "
            f"{unseen(plugins.load().registry, scores.protocol.data)}"
        )
    for note in scores.notes:
        out.say(note)
    if neighbours:
        out.say(f"samples beside their nearest training samples: {neighbours}")
        if there:
            out.replaced(neighbours)
