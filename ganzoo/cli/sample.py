"""``ganzoo sample``: pictures, or an array, from a trained model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import click

from ganzoo.cli import complete
from ganzoo.cli.output import json_option, out
from ganzoo.cli.paths import UserPath
from ganzoo.errors import UsageError

EPILOG = """\b
Examples:
  ganzoo sample dcgan-fashion-mnist
  ganzoo sample runs/dcgan-fashion-mnist-10k --seeds 0-63 -o grid.png
  ganzoo sample runs/dcgan-fashion-mnist-10k/model --seeds 7,11,100-199 -o pictures/
  ganzoo sample runs/dcgan-fashion-mnist-10k --seeds 0-49999 -o samples.npz

\b
What is written, by what OUTPUT ends in:
  .png    one sheet of all samples; .jpg and .webp, too
  .npz    an array arr_0, uint8 (N, H, W, C), in memory that does not grow with N; float32 if they are no pictures
  else    a folder with one PNG for each seed
"""

MAX_SEEDS = 100_000_000


@click.command(epilog=EPILOG)
@click.argument("model", shell_complete=complete.models)
@click.option("--seeds", default="0-63", show_default=True, metavar="SEEDS", help="7 or 0-63 or 1,5,10-19.")
@click.option("-o", "--output", type=UserPath(), default="samples.png", show_default=True, help="Where to write.")
@click.option("--class", "label", type=int, metavar="N", help="The class to sample, of a conditional model. Default: all.")
@click.option("--truncation", type=float, metavar="T", help="Pull latents to within ±T: smaller is safer, and less varied.")
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:1, mps ...; auto: an accelerator, if any.")
@json_option
def sample(
    model: str, seeds: str, output: Path, label: int | None, truncation: float | None, device: str, as_json: bool
) -> None:
    """Draw samples from MODEL: one that ships, a folder of a model or a run, or user/repo[@revision] on the Hub.

    A seed gives the same picture whatever the other seeds are.
    """
    chosen = parse_seeds(seeds)

    from ganzoo.cli.progress import counting
    from ganzoo.hub.load import load
    from ganzoo.pretrained import config_of
    from ganzoo.sampling import can_be_drawn, sample_to
    from ganzoo.training.precision import choose_device

    there = output.is_file()
    generator = load(model, device=choose_device(device))
    with counting("sampling") as progress:
        drawn = can_be_drawn(generator.sample_shape, config_of(generator).value_range)
        sample_to(output, generator, chosen, drawn=drawn, labels=label, truncation=truncation, progress=progress)
    if there:
        out.say(f"{output} was there before, and has been replaced")
    if not as_json:
        out.line(str(output))
        return
    told = {"output": str(output), "model": model, "seeds": seeds, "count": len(chosen)}
    out.json({**told, "sample_shape": generator.sample_shape, "pictures": drawn, "replaced": there})


def parse_seeds(text: str) -> Sequence[int]:
    """The seeds in ``7``, ``0-63`` or ``1,5,10-19``, in that order; a single range takes no memory. Raises UsageError."""
    ranges = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,19})(?:\s*-\s*(\d{1,19}))?\s*", part)
        if not match:
            raise UsageError(f"cannot read the seeds {text!r}", hint="for example: --seeds 0-63 or --seeds 7,11,100-199")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise UsageError(f"the seeds {part.strip()!r} run backwards")
        ranges.append(range(first, last + 1))
    if sum(r.stop - r.start for r in ranges) > MAX_SEEDS:
        raise UsageError(f"{text!r} are more than {MAX_SEEDS:,} seeds")
    return ranges[0] if len(ranges) == 1 else [seed for r in ranges for seed in r]
