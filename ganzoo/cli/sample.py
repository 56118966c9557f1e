"""``ganzoo sample``: pictures, or an array, from a trained model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganzoo.cli import complete
from ganzoo.cli.output import json_option, out
from ganzoo.cli.paths import UserPath
from ganzoo.errors import UsageError

if TYPE_CHECKING:
    from ganzoo.model_folder import ModelConfig

EPILOG = """\b
Examples:
  ganzoo sample dcgan-fashion-mnist
  ganzoo sample runs/dcgan-fashion-mnist-10k --seeds 0-63 -o grid.png
  ganzoo sample runs/dcgan-fashion-mnist-10k/model --seeds 7,11,100-199 -o pictures/
  ganzoo sample runs/dcgan-fashion-mnist-10k --seeds 0-49999 -o samples.npz
  ganzoo sample runs/my-pets --class cat,dog -o grid.png           a row for each class, if the model is conditional
  ganzoo sample runs/my-pets --class 0-9 --seeds 0-99 -o pets.npz  100 of each of ten classes, by number

\b
What is written, by what OUTPUT ends in:
  .png    one sheet of all samples; .jpg and .webp, too; of several classes each has a row
  .npz    an array arr_0, uint8 (N, H, W, C), in memory that does not grow with N; float32 if they are no pictures; if the
          model is conditional, labels, int64 (N,), and class_names, whose n-th is that of label n
  else    a folder with one PNG for each seed, in a folder for each class if --class names several
"""

MAX_SEEDS = 100_000_000
SEEDS, SEEDS_OF_EACH = "0-63", "0-7"
"""What is drawn unless seeds are named, of one class or of none, and of each of several."""


@click.command(epilog=EPILOG)
@click.argument("model", shell_complete=complete.models)
@click.option(
    "--seeds",
    metavar="SEEDS",
    help=f"7 or 0-63 or 1,5,10-19. Default: {SEEDS}, or {SEEDS_OF_EACH} of each of several classes.",
)
@click.option(
    "-o",
    "--output",
    type=UserPath(),
    show_default="samples.png; for other samples than pictures samples.npz, .csv, .txt …",
    help="Where to write.",
)
@click.option(
    "--class",
    "classes",
    multiple=True,
    metavar="CLASSES",
    help="The classes to sample, of a conditional model, by name or number: cat or 3 or cat,dog or 0-9. May be repeated; a "
    "name that has a comma in it is found if it stands alone. Default: seed by seed, one class after another.",
)
@click.option(
    "--truncation",
    type=float,
    metavar="T",
    help="Draw latents from within ±T only, 0.9 say. Samples then vary less; those of the models that ship get no better.",
)
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:1, mps ...; auto: an accelerator, if any.")
@json_option
def sample(
    model: str,
    seeds: str | None,
    output: Path | None,
    classes: tuple[str, ...],
    truncation: float | None,
    device: str,
    as_json: bool,
) -> None:
    """Draw samples from MODEL: one that ships, a folder of a model or a run, or user/repo[@revision] on the Hub.

    A seed gives the same picture whatever the other seeds are.
    """
    asked = parse_seeds(seeds) if seeds is not None else None

    from ganzoo.cli.progress import counting
    from ganzoo.devices import choose_device
    from ganzoo.hub.load import load
    from ganzoo.modalities.asking import output_of
    from ganzoo.modality_of import modality_of
    from ganzoo.pretrained import config_of
    from ganzoo.sampling import fits_an_array, sample_to

    generator = load(model, device=choose_device(device))
    config = config_of(generator)
    modality = modality_of(config)
    output = output or Path(f"samples{Path(output_of(modality)).suffix}")
    there = output.is_file()
    labels = choose_classes(model, classes, generator.num_classes, config) if classes else None
    seeds = seeds or (SEEDS_OF_EACH if labels and len(labels) > 1 else SEEDS)
    chosen = asked or parse_seeds(seeds)
    if labels and len(chosen) * len(labels) > MAX_SEEDS:
        raise UsageError(f"{len(chosen):,} samples of each of {len(labels):,} classes are more than {MAX_SEEDS:,}")
    names = config.class_names if len(config.class_names) == generator.num_classes else ()
    with counting("sampling") as progress:
        which: Any = {"classes": labels, "class_names": names}
        sample_to(output, generator, chosen, modality, **which, truncation=truncation, progress=progress)
    if names and output.suffix.lower() == ".npz" and not fits_an_array(names):
        out.say(f"the names of the {len(names):,} classes are left out of {output}: together they are too long")
    if there:
        out.replaced(output)
    if not as_json:
        out.line(str(output))
        return
    count = len(chosen) * (len(labels) if labels else 1)
    told = {"output": str(output), "model": model, "seeds": seeds, "classes": labels, "count": count}
    out.json({**told, "sample_shape": generator.sample_shape, "modality": modality.name, "replaced": there})


def choose_classes(model: str, texts: Sequence[str], count: int, config: ModelConfig) -> list[int]:
    """The numbers of the classes that ``--class`` names.

    Args:
        model: Whose, as it was typed.
        texts: As they were typed.
        count: How many classes the generator has.
        config: What the model's folder says.

    Raises:
        UsageError: There is no such class, or the generator has none at all.
    """
    from ganzoo.class_names import parse_classes

    if not count:
        why = f"; its data had {config.num_classes:,} classes, which {config.variant} does not tell apart"
        raise UsageError(
            f"--class: {model} has no classes to choose from, for its generator is unconditional"
            + (why if config.num_classes else ""),
            hint="leave --class out; docs/plugins.md shows how to write a conditional generator (num_classes)",
        )
    return parse_classes(texts, config.class_names if len(config.class_names) == count else (), count, out.say)


def parse_seeds(text: str) -> Sequence[int]:
    """The seeds in ``7``, ``0-63`` or ``1,5,10-19``, in that order; a single range takes no memory. Raises UsageError."""
    ranges = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,19})(?:\s*-\s*(\d{1,19}))?\s*", part)
        if not match:
            raise UsageError(f"cannot read the seeds {text!r}", hint="for example: --seeds 0-63 or --seeds 7,11,100-199")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise UsageError(f"the seeds {part.strip()!r} run backwards", hint=f"say --seeds {last}-{first}")
        ranges.append(range(first, last + 1))
    if sum(r.stop - r.start for r in ranges) > MAX_SEEDS:
        raise UsageError(f"{text!r} are more than {MAX_SEEDS:,} seeds")
    return ranges[0] if len(ranges) == 1 else [seed for r in ranges for seed in r]
