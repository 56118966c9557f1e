"""How good variants and presets are on Fashion-MNIST after the same time, over some seeds.

    pip install '.[evaluation]'
    python benchmarks/quality.py --budget 4m --seeds 3                 # every variant and preset; an hour and a half
    python benchmarks/quality.py --budget 15m --seeds 1 mlp dcgan wgan-gp

Trains on the 60,000 training pictures and compares 10,000 samples of the averaged generator with the 10,000 test pictures. It
may be stopped; the same command goes on. Leave the machine alone meanwhile: time is the budget.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ganzoo import plugins
from ganzoo.comparison import by_contender, compare, interval
from ganzoo.measures.table import measures, prominent
from ganzoo.parsing import parse_duration
from ganzoo.training.settings import Budget

EVERYBODY = ("mlp", "mlp@paper", "mlp@keras", "dcgan", "dcgan@paper", "wgan-gp", "wgan-gp@paper")
COLUMNS = (*prominent(measures(plugins.load().registry).values(), 1), "copying")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=EVERYBODY, metavar="NAME[@PRESET]")
    parser.add_argument("--budget", type=parse_duration, default=240.0, metavar="TIME")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("runs/quality"))
    arguments = parser.parse_args()
    results = compare(
        arguments.names,
        out=arguments.out / f"{arguments.budget:.0f}s",
        budget=Budget(seconds=arguments.budget),
        data="fashion-mnist",
        real="fashion-mnist-10k",
        seeds=arguments.seeds,
        beginning=lambda contender, seed: print(f"{contender}, seed {seed}", file=sys.stderr),
    )
    spread = f"{arguments.seeds} seeds: mean ± half of the 95 % confidence interval" if arguments.seeds > 1 else "one seed"
    print(f"After {arguments.budget:.0f} seconds, {spread}.\n")
    print(f"| | pictures shown | {' | '.join(COLUMNS)} |\n|---|{'---|' * (len(COLUMNS) + 1)}")
    for name, rows in by_contender(results).items():
        cells = [f"{sum(r.images for r in rows) / len(rows):,.0f}"]
        for column in COLUMNS:
            mean, half = interval([r.scores[column] for r in rows])
            cells.append(f"{mean:.3f} ± {half:.3f}" if len(rows) > 1 else f"{mean:.3f}")
        print(f"| `{name}` | {' | '.join(cells)} |")
    protocol = results[0].protocol
    print(f"\n{protocol['n_fake']:,} samples against {protocol['n_real']:,} of {protocol['data']}, features of", end=" ")
    print(f"{protocol['extractor']} ({protocol['extractor_sha256'][:12]}).")


if __name__ == "__main__":
    main()
