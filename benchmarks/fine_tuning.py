"""What trained weights are worth to a run on few pictures: ``--from`` a model that ships, beside a run from nothing.

    pip install '.[evaluation]'
    python benchmarks/fine_tuning.py                       # two classes, one seed: 12 minutes
    python benchmarks/fine_tuning.py 9 --speed 800         # where other work makes time say nothing

Trains on 1,000 of the training pictures of one class of Fashion-MNIST: ``ganzoo train dcgan --from dcgan-fashion-mnist`` for
half a minute, and ``ganzoo train dcgan`` for half a minute and for four minutes, each on one thread. Compares 10,000 samples
of each, and of the model that ships as it is, with the 1,000 test pictures of that class. It may be stopped; the same command
goes on. Leave the machine alone meanwhile, or say with ``--speed`` how many pictures a second it would train on by itself:
each run is then shown as many as in its time.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import ganzoo
from ganzoo import plugins
from ganzoo.data import open_data
from ganzoo.data.store import Store

MODEL = "dcgan-fashion-mnist"
TRAINED_ON = 1_000
COLUMNS = ("kid", "fd", "precision", "recall", "coverage")


def pictures(data: str, kind: int, out: Path, most: int | None = None) -> Path:
    """The first pictures of one class as a file of their own."""
    path = out / f"{data}-{kind}.npy"
    if not path.exists():
        store = open_data(data, registry=plugins.load().registry)
        assert isinstance(store, Store)
        assert store.labels is not None
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, store.samples[store.labels == kind][:most].squeeze(1).numpy())
    return path


def contenders(data: Path, kind: int, seed: int, speed: int | None, out: Path) -> Iterator[tuple[str, int, str]]:
    """What is compared: its name, the pictures that it was shown, and what ``ganzoo evaluate`` is told."""
    yield "the model that ships", 0, MODEL
    for name, seconds, start in (
        ("from the model, 30 seconds", 30, MODEL),
        ("from nothing, 30 seconds", 30, None),
        ("from nothing, 4 minutes", 240, None),
    ):
        limit: dict[str, Any] = {"images": seconds * speed} if speed else {"budget_seconds": float(seconds)}
        folder = out / f"class-{kind}-seed-{seed}-{seconds}{'-from' if start else ''}{f'-{speed}' if speed else ''}"
        words = {"start": start, "seed": seed, "threads": 1, "score_every": "never", "out": folder}
        run = ganzoo.train("dcgan", data=data, **limit, **words)
        if run.interrupted:
            sys.exit("stopped; the same command goes on")
        yield name, run.images, str(run.folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("classes", nargs="*", type=int, default=[9, 0], help="numbers of classes: 9 (boots) and 0 (T-shirts)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--speed", type=int, metavar="N", help="show each run N pictures for each of its seconds")
    parser.add_argument("--out", type=Path, default=Path("runs/fine-tuning"))
    arguments = parser.parse_args()
    print(f"| class | | pictures shown | {' | '.join(COLUMNS)} |\n|---|---|{'---|' * (len(COLUMNS) + 1)}")
    for kind in arguments.classes:
        data = pictures("fashion-mnist", kind, arguments.out, TRAINED_ON)
        held_out = pictures("fashion-mnist-10k", kind, arguments.out)
        for name, images, source in contenders(data, kind, arguments.seed, arguments.speed, arguments.out):
            found = ganzoo.evaluate(source, data=str(held_out), extractor="fashion-mnist-cnn", measures=COLUMNS)
            print(f"| {kind} | {name} | {images:,} | {' | '.join(f'{found.values[c]:.3f}' for c in COLUMNS)} |", flush=True)


if __name__ == "__main__":
    main()
