"""How fast a run trains beside other work, as a part of how fast it trains alone.

Other work is a program that never rests, on a core of its own. The command is the one that people type, and the model's own
record says how many images it was shown in its time. Runs alone and beside others take turns.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

THREADS = os.cpu_count() or 1


@contextlib.contextmanager
def busy(count: int) -> Iterator[None]:
    """So many cores, the last ones, have something to do in the block."""
    programs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    for number, program in enumerate(programs):
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(program.pid, {THREADS - 1 - number % THREADS})
    try:
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()


def images_per_second(variant: str, seconds: float, *options: str) -> float:
    """Of one run on the processor."""
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, "-m", "ganzoo", "train", variant, "--data", "fashion-mnist", "--device", "cpu"]
        words += ["--budget", f"{seconds:g}s", "--out", f"{folder}/run", *options]
        environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
        # 3: what it made is no good, of which so short a run may be accused.
        if (code := subprocess.run(words, env=environment, capture_output=True).returncode) not in (0, 3):
            raise RuntimeError(f"{' '.join(words)} ended with {code}")
        trained = json.loads((Path(folder) / "run" / "model" / "config.json").read_text())["training"]
        return float(trained["images"] / trained["seconds"])


def measure(variant: str, others: int, rounds: int, seconds: float) -> dict[str, list[float]]:
    """Images per second alone, beside others, and beside others on all threads, round by round."""
    rates: dict[str, list[float]] = {"alone": [], "beside": [], f"beside, --threads {THREADS}": []}
    for number in range(rounds):
        rates["alone"].append(images_per_second(variant, seconds))
        with busy(others):
            rates["beside"].append(images_per_second(variant, seconds))
            rates[f"beside, --threads {THREADS}"].append(images_per_second(variant, seconds, "--threads", str(THREADS)))
        print(f"{variant}: round {number + 1} of {rounds}", file=sys.stderr)
    return rates
