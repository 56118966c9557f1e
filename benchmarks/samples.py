"""Draw the sample grids of the README, with its own command, and print the table under them.

Run it from the checkout, with nothing else running: ``python benchmarks/samples.py``. It takes as long as its budgets.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--budget", default="4m", help="time for each variant")
    parser.add_argument("--data", default="fashion-mnist")
    parser.add_argument("variants", nargs="*", default=["mlp", "wgan-gp", "dcgan"])
    arguments = parser.parse_args()
    print(f"{processor()}, {os.cpu_count()} cores")
    print("| variant | trained for | images seen | images per second |")
    print("|---|---|---|---|")
    for variant in arguments.variants:
        with tempfile.TemporaryDirectory() as folder:
            words = ["train", variant, "--data", arguments.data, "--budget", arguments.budget, "--out", f"{folder}/run"]
            subprocess.run([sys.executable, "-m", "ganzoo", *words], check=True, stdout=subprocess.DEVNULL)
            model = Path(folder) / "run" / "model"
            training = json.loads((model / "config.json").read_text())["training"]
            shutil.copy(model / "samples.png", ROOT / "docs" / "images" / f"{variant}.png")
        images, seconds = training["images"], training["seconds"]
        print(f"| `{variant}` | {seconds:.0f} s | {images:,} | {images / seconds:,.0f} |", flush=True)


def processor() -> str:
    """What the processor calls itself."""
    information = Path("/proc/cpuinfo")
    names = (
        [line for line in information.read_text().splitlines() if line.startswith("model name")]
        if information.exists()
        else []
    )
    return names[0].partition(":")[2].strip() if names else platform.processor()


if __name__ == "__main__":
    main()
