"""Try recipes of a variant under one budget, and say what each gives.

    pip install '.[evaluation]'
    python benchmarks/recipes.py dcgan --budget 2m "" "lr=1e-3" "lr=1e-3 ema_images=20000"
    python benchmarks/recipes.py dcgan --budget 4m --seeds 3 "penalties.finite-difference.weight=0.3"

Each argument is a recipe: the default preset, changed by what it says, as ``-o`` takes it; "" is the preset as it is. Runs
train on the 60,000 pictures of Fashion-MNIST, and 10,000 samples are compared with the 10,000 test pictures. Prints a row in
Markdown for each; leave the machine alone meanwhile.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import ganzoo
from ganzoo import plugins
from ganzoo.measures.table import measures
from ganzoo.parsing import parse_duration, parse_option


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variant")
    parser.add_argument("recipes", nargs="+")
    parser.add_argument("--budget", type=parse_duration, default=120.0, metavar="TIME")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--preset", default="default")
    parser.add_argument("--out", type=Path, default=Path("runs/recipes"))
    arguments = parser.parse_args()
    # What takes the 60,000 training pictures is left out, since it takes long.
    table = {name: m for name, m in measures(plugins.load().registry).items() if m.prominence and "training" not in m.needs}
    names = tuple(table)
    print(f"| recipe | seconds | pictures | {' | '.join(table[name].title for name in names)} |")
    print(f"|---|---|---|{'---|' * len(names)}", flush=True)
    for recipe in arguments.recipes:
        found = []
        for seed in range(arguments.seeds):
            run = ganzoo.train(
                arguments.variant,
                preset=arguments.preset,
                data="fashion-mnist",
                options=dict(parse_option(word) for word in recipe.split()),
                budget_seconds=arguments.budget,
                seed=seed,
                score_every="never",
                out=arguments.out / "run",
                fresh=True,
            )
            found.append((run, ganzoo.evaluate(run.folder, data="fashion-mnist-10k", measures=names).values))
            sheet = arguments.out / f"{arguments.variant} {recipe.replace('/', '_') or 'default'} {seed}.png"
            shutil.copy(run.samples, sheet)
        runs, scores = zip(*found, strict=True)
        images = sum(run.images for run in runs) / len(runs)
        fds = " ".join(f"{s['fd']:.3f}" for s in scores)
        means = " | ".join(f"{sum(s[n] for s in scores) / len(scores):.3f}" for n in names if n != "fd")
        print(f"| {recipe or 'default'} | {runs[0].seconds:.0f} | {images:,.0f} | {fds} | {means} |", flush=True)


if __name__ == "__main__":
    main()
