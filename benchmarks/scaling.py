"""What two processes bring on one machine, and what they tell each other at every step.

    python benchmarks/scaling.py            # prints the tables of docs/scaling.md; leave the machine alone meanwhile

Runs ``ganzoo train`` in one process on one core, in one process on two, and in two processes on one core each, in turn.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from torch import nn

from ganzoo import plugins
from ganzoo.training.config import resolve
from ganzoo.training.prepare import prepare

VARIANTS = ("mlp", "dcgan", "wgan-gp")
SETTINGS = {"1 process, 1 core": (1, 1), "1 process, 2 cores": (1, 2), "2 processes, 1 core each": (2, 1)}


def rate(variant: str, processes: int, threads: int, batch: int, seconds: float) -> float:
    """Images per second, once it is under way."""
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)] if processes > 1 else []
    with tempfile.TemporaryDirectory() as folder:
        words = [*launch, "-m", "ganzoo", "train", variant, "--device", "cpu", "--budget", f"{seconds:g}s"]
        words += ["-o", f"batch_size={batch}", "--out", f"{folder}/run"]
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        subprocess.run([sys.executable, *words], check=True, capture_output=True, env=environment)
        rows = [json.loads(line) for line in (Path(folder) / "run" / "metrics.jsonl").read_text().splitlines()]
    return statistics.median(row["images_per_second"] for row in rows[1:])


def traffic(variant: str) -> tuple[int, int]:
    """Bytes that are added up over the processes: gradients of a step of each network; batch norm's statistics."""
    run = prepare(resolve(plugins.load().registry, variant), device="cpu")
    gradients = sum(4 * p.numel() + 4 for network in run.networks.values() for p in network.parameters())
    channels = sum(
        m.num_features for n in run.networks.values() for m in n.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)
    )
    # A mean and a variance, forward and backward.
    return gradients, 4 * 4 * channels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=12.0)
    parser.add_argument("--batches", type=int, nargs="*", default=[64, 256])
    arguments = parser.parse_args()
    print("| variant | gradients, bytes | batch norm's statistics, bytes |\n|---|---|---|")
    for variant in VARIANTS:
        gradients, statistic = traffic(variant)
        print(f"| `{variant}` | {gradients:,} | {statistic:,} |")
    print(f"\n| variant, batch | {' | '.join(SETTINGS)} | 2 processes / 1 process on 2 cores |\n|---|---|---|---|---|")
    for variant in VARIANTS:
        for batch in arguments.batches:
            rates: dict[str, list[float]] = {name: [] for name in SETTINGS}
            for _ in range(arguments.rounds):
                for name, (processes, threads) in SETTINGS.items():
                    rates[name].append(rate(variant, processes, threads, batch, arguments.seconds))
            one, two = (rates[name] for name in list(SETTINGS)[1:])
            ratios = [b / a for a, b in zip(one, two, strict=True)]
            cells = " | ".join(f"{statistics.median(found):,.0f}" for found in rates.values())
            spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})"
            print(f"| `{variant}`, {batch} | {cells} | {spread} |", flush=True)


if __name__ == "__main__":
    main()
