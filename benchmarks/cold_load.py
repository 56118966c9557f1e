"""From a new process to the first picture of a generator that ships, beside a bare ``import torch``.

    python benchmarks/cold_load.py --rounds 10

Both in turn, in processes of their own; medians, smallest and largest.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

CASES = {
    "import torch": "import torch",
    "first picture": "import ganzoo; ganzoo.load({name!r}).sample(seeds=[0])",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?", default="wgan-gp-fashion-mnist")
    parser.add_argument("--rounds", type=int, default=10)
    arguments = parser.parse_args()
    taken: dict[str, list[float]] = {case: [] for case in CASES}
    for _ in range(arguments.rounds + 1):
        for case, code in CASES.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", code.format(name=arguments.name)], check=True)
            taken[case].append(time.perf_counter() - start)
    # The first of each reads files that the others find in memory.
    rows = {case: seconds[1:] for case, seconds in taken.items()}
    rows["over import torch"] = [b - a for a, b in zip(*rows.values(), strict=True)]
    print("| | median | smallest | largest |\n|---|---|---|---|")
    for case, seconds in rows.items():
        print(f"| {case} | {statistics.median(seconds):.2f} s | {min(seconds):.2f} s | {max(seconds):.2f} s |")


if __name__ == "__main__":
    main()
