"""``ganzoo train``: a variant, a preset and data in; a trained model out."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganzoo.cli import complete
from ganzoo.cli.errors import INTERRUPTED, NO_GOOD
from ganzoo.cli.output import json_option, out
from ganzoo.cli.paths import UserPath
from ganzoo.cli.two_words import OneName
from ganzoo.data import FORMS
from ganzoo.variant import Json

if TYPE_CHECKING:
    from ganzoo.training.precision import Precision
    from ganzoo.training.prepare import Prepared
    from ganzoo.training.result import Run

OFTEN = 100
"""Whoever is shown a sample so many times may know it by heart."""

EARLY = 0.25
"""Whoever ends a run with less than this part of the images that the preset trains on is told how many these are."""

PARAGRAPHS = f"""\
{FORMS}
Options with -o (all that NAME has, with their values: ganzoo info NAME):
  -o batch_size=128 -o lr=5e-4 -o n_critic=2       the loop's and the trainer's
  -o generator.width=64 -o discriminator.width=64  a part's, dotted
  --penalty r1 -o penalties.r1.interval=16         a penalty's
  --augment shift -o augmentations.shift.p=0.5     an augmentation's

Examples:
  ganzoo train dcgan
  ganzoo train wgan-gp --data ./photos --resolution 64 --budget 30m
  ganzoo train mlp@paper --images 2M --out runs/goodfellow
  ganzoo train dcgan --data fashion-mnist --budget 1h --until fd=0.5 --score-every 200k
  ganzoo train dcgan --loss hinge --penalty r1=0.1 -o batch_size=128 --dry-run
  ganzoo train dcgan --json | jq -r .model

What a line of progress says, such as "40%  8,448 images  871/s  left 15s  loss_d 0.66  real 0.77  fake 0.57  apart 0.61 ...":
  images, /s, left   pictures shown to the discriminator so far, pictures per second, and the time that is left
  real, fake         the discriminator's mean output (logit) for real and for generated pictures; higher means that they look
                     more real to it. Good: their distance stays about the same. Bad: it grows without end
  apart              how often a real picture gets a higher logit than a generated one. At 0.5 the discriminator cannot tell
                     them apart, at 1 it always can. Good: between the two. Bad: it stays at 1 and the samples do not improve
  loss_d, loss_g     the losses of the discriminator and the generator, without penalties. The two networks work against each
                     other, so these losses need not fall: steady is good, growing without end is bad. Their size depends on
                     --loss. With wasserstein, loss_d is below 0, and nearer to 0 as samples become better
  r1, r2, slope, finite-difference, gradient-penalty
                     the penalty in use, before it is multiplied by its weight: how steep the discriminator is
                     (gradient-penalty: how far its steepness is from 1). Good: it settles. Bad: it grows without end
The samples in the run's folder say more than these numbers. Every few thousand images, metrics.jsonl also gets a comparison of
64 samples with real ones, in which real ones have the value in brackets:
  spread (1)   how different samples are from each other; below 0.2 they are nearly all alike
  kinds (1)    how many kinds of samples there are; below 0.35 most kinds are missing
  off (0)      how far the mean sample is from the mean of the data, in standard deviations; above 1.1 is far off
  rough (1)    how much neighbouring pixels differ; above 3 pictures are noise
  gap, told    the last step's real - fake, scaled to the data, and its apart; a gap above 300 means that the logits run away
A run says by itself when these numbers have been bad for some time.

Exit code 3: training has ended, but the model is not usable, and the last line says why: "collapsed after 16,000 images: all
samples are alike". Every few thousand images, its samples are compared with real ones; metrics.jsonl has the numbers.

Ctrl-C finishes the step and saves everything; the exit code is then 130. However a run was stopped, the same command
resumes it, exactly as if it had not been stopped. A larger --budget or --images trains a finished run further.
--fresh starts over.

More than one process or machine: torchrun --nproc_per_node 2 -m ganzoo train NAME ...   (docs/scaling.md)
"""
# click fills a paragraph's lines unless it begins with \b.
EPILOG = "\n\n".join(f"\b\n{paragraph}" for paragraph in PARAGRAPHS.split("\n\n"))


@click.command(cls=OneName, epilog=EPILOG)
@click.argument("variant", metavar="NAME", shell_complete=complete.variants)
@click.option(
    "--data",
    show_default="fashion-mnist-10k, unless the variant has data of its own",
    shell_complete=complete.data,
    help="What to train on; its forms are below.",
)
@click.option("--resolution", type=int, metavar="N", help="Height and width of the pictures, if not the data's own.")
@click.option(
    "--preset",
    show_default="default",
    shell_complete=complete.presets,
    help="One of the variant's presets; NAME@PRESET is the same.",
)
@click.option("--budget", metavar="TIME", help="Time to train: 90s, 4m, 1h30m.")
@click.option("--images", metavar="N", help="Images to train: 500k, 2M. With --budget too, whichever is reached first.")
@click.option(
    "--loss",
    metavar="LOSS",
    shell_complete=complete.named("loss"),
    help="Another loss; see: ganzoo list --kind losses.",
)
@click.option(
    "--penalty",
    "penalties",
    multiple=True,
    metavar="NAME[=WEIGHT]",
    shell_complete=complete.named("penalty", "none"),
    help="Other penalties, or none. May be repeated.",
)
@click.option(
    "--augment",
    "augment",
    multiple=True,
    metavar="NAME[=P]",
    shell_complete=complete.named("augmentation", "none"),
    help="Change all that the discriminator sees, real and generated, for example --augment shift=0.5. P is its strength, "
    "from 0 to 1. May be repeated; see: ganzoo list --kind augmentations.",
)
@click.option(
    "--mirror/--no-mirror",
    default=None,
    help="Show half of the pictures mirrored, left to right. Default: if a simple test cannot tell them from mirrored ones, "
    "as with photographs of animals; clothes and digits it can.",
)
@click.option(
    "-o",
    "--option",
    "options",
    multiple=True,
    metavar="KEY=VALUE",
    help="Any option that ganzoo info NAME lists. May be repeated.",
)
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Of all random numbers.")
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:1, mps ...; auto: an accelerator, if any.")
@click.option(
    "--precision",
    type=click.Choice(["auto", "fp32", "bf16"]),
    default="auto",
    show_default=True,
    help="What networks compute in. auto: bf16 where the device has it and a trial agrees with fp32, else fp32.",
)
@click.option("--compile", is_flag=True, help="Use torch.compile, which takes a minute or so, instead of CUDA graphs.")
@click.option(
    "--threads",
    type=click.IntRange(1, 1024),
    metavar="N",
    help="Compute on N of the processor's threads. Default: with --budget, on as many as are fastest beside whatever else the "
    "machine does, chosen anew as that changes; else on one for each core.",
)
@click.option(
    "--score-every",
    metavar="IMAGES",
    help="Score the run this often (100k, never), and keep the best checkpoint as the model. Default: 500k in runs of 15 "
    "minutes or 5M images and more on 500 pictures and more, else never.",
)
@click.option(
    "--until",
    metavar="SCORE=VALUE",
    help="Stop when a score is as good as this: kid=0.02, coverage=0.9. Scores need the packages of '.[evaluation]'.",
)
@click.option(
    "--from",
    "start",
    metavar="RUN|MODEL",
    shell_complete=complete.starts,
    help="Start a new run from trained weights: a run's folder or one of its checkpoints, or a model, by its folder, by the "
    "name of one that ships, or as user/repo on the Hub. Its networks' options come with them, before the preset's.",
)
@click.option(
    "--log",
    "trackers",
    multiple=True,
    metavar="TRACKER",
    shell_complete=complete.named("tracker"),
    help="Log to a tracker as well: tensorboard, wandb, mlflow, trackio or any other that accelerate knows, or one of a "
    "plugin's. May be repeated.",
)
@click.option(
    "--out",
    "folder",
    type=UserPath(),
    help="The run's folder. Default: a folder in runs/, that of the same run if there is one, or else a new one.",
)
@click.option("--fresh", is_flag=True, help="Start over: in the folder that --out names, or in a new one.")
@click.option("--dry-run", is_flag=True, help="Print the configuration and the networks' sizes as JSON; train nothing.")
@json_option
def train(
    variant: str,
    data: str | None,
    resolution: int | None,
    preset: str | None,
    budget: str | None,
    images: str | None,
    loss: str | None,
    penalties: tuple[str, ...],
    augment: tuple[str, ...],
    mirror: bool | None,
    options: tuple[str, ...],
    seed: int,
    device: str,
    precision: Precision,
    compile: bool,  # noqa: A002
    threads: int | None,
    score_every: str | None,
    until: str | None,
    start: str | None,
    trackers: tuple[str, ...],
    folder: Path | None,
    fresh: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Train the variant NAME and leave a model in the run's folder."""
    from ganzoo.cli.progress import watching
    from ganzoo.modalities.asking import output_of
    from ganzoo.parsing import parse_option
    from ganzoo.request import request
    from ganzoo.training.run import execute

    with watching() as watcher:
        prepared = request(
            variant,
            data=data,
            resolution=resolution,
            preset=preset,
            budget=budget,
            images=images,
            loss=loss,
            penalty=penalties or None,
            augment=augment or None,
            mirror=mirror,
            options=dict(parse_option(text) for text in options),
            seed=seed,
            device=device,
            precision=precision,
            compile=compile,
            threads=threads,
            score_every=score_every,
            until=until,
            start=start,
            log=trackers,
            out=folder,
            watcher=watcher,
        )
        config = prepared.config
        if dry_run:
            if prepared.processes.is_main:
                out.json(prepared.describe())
            return
        run = execute(prepared, fresh=fresh, watcher=watcher)
    if not prepared.processes.is_main:
        return
    out.say(_in_the_end(run, config.loop.images, output_of(prepared.store.modality)))
    if word := shown_often(prepared, run):
        out.say(word)
    code = INTERRUPTED if run.interrupted else NO_GOOD if run.alarm else 0
    if as_json:
        out.json({**describe_run(run), "exit_code": code})
    else:
        out.table(("WHAT", "WHERE"), [("model", str(run.folder / "model")), ("samples", str(run.samples))])
    if code:
        click.get_current_context().exit(code)


def _in_the_end(run: Run, usual: int, output: str) -> str:
    """The last line: how the run ended, what was noticed, and what to do next.

    The preset trains on ``usual`` images, and samples are best written to ``output``.
    """
    following = f"next: ganzoo sample {run.folder} --seeds 0-63 -o {output}"
    if run.interrupted:
        following = f"the same command goes on; {following}"
    elif run.resumed == run.images:
        following = f"a larger --budget or --images goes on, --fresh starts over; {following}"
    elif run.alarm and run.advice:
        following = f"{run.advice}; {following}"
    elif run.images < usual * EARLY and not run.alarm:
        more = f"the preset trains on {usual:,} images"
        following = f"{more}, and the same command with a larger --budget or --images goes on; {following}"
    done = "interrupted" if run.interrupted else "was done" if run.resumed == run.images else "done"
    noticed = (
        f", but what it made is no good: it {run.alarm}" if run.alarm else f"; it {run.recovered}" if run.recovered else ""
    )
    return f"{done} after {run.images:,} images in {run.seconds:.0f} s{noticed}; {following}"


def describe_run(run: Run) -> dict[str, Json]:
    """What a run made, for programs: where it is, how far it was trained, what is wrong with it, and its scores."""
    from ganzoo.model_folder import read_config, read_scores
    from ganzoo.training.records import read_scores as scores_of_run

    model = run.folder / "model"
    config, scores = read_config(model), [dict[str, Json](row) for row in read_scores(model)]
    if kept := config.training.get("scored"):
        row = next((row for row in scores_of_run(run.folder) if row["images"] == kept["images"]), {kept["by"]: kept["score"]})
        values = {name: value for name, value in row.items() if name not in ("images", "seconds")}
        protocol = {**kept["judge"], "data": config.training["dataset"]["name"], "train": True}
        scores.insert(0, {"scores": values, "protocol": protocol, "images": kept["images"]})
    return {
        "folder": str(run.folder),
        "model": str(model),
        "samples": str(run.samples),
        "variant": config.variant,
        "preset": config.training["preset"],
        "images": run.images,
        "seconds": round(run.seconds, 3),
        "resumed": run.resumed,
        "interrupted": run.interrupted,
        "alarm": run.alarm,
        "recovered": run.recovered,
        "advice": run.advice or None,
        "scores": scores,
    }


def shown_often(prepared: Prepared, run: Run) -> str | None:
    """A word on data that is so small that a model may know it by heart, and how to look."""
    store = prepared.store
    times = run.images // len(store)
    if times < OFTEN:
        return None
    said = f"each of the {len(store):,} samples was shown {times:,} times: of so few, a model may make copies"
    said += " (evaluate --measures copying --data OTHERS measures it, where OTHERS are samples that it was not trained on)"
    from ganzoo.evaluation.named_extractors import default_extractor
    from ganzoo.modalities.pictures import Pictures

    if store.modality.judged_by != Pictures.judged_by:
        return said
    data, extractor = str(prepared.config.data), default_extractor(store.sample_shape, shipped=True)
    words = ["ganzoo", "evaluate", str(run.folder), "--data", data, "--train", data, "--measures", "kid"]
    words += ["--extractor", extractor, "--neighbours", "nearest.png"]
    return f"{said}. Samples beside the nearest real ones: {shlex.join(words)}"
