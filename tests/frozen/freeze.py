"""Freeze what the ganzoo of today writes, for the tests of all later ones: python tests/frozen/freeze.py tests/frozen/COMMIT

Each run is begun and stopped; beside it is what the same ganzoo made of it when it went on. The networks are tiny.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

CNN = ("-o", "generator.width=2", "-o", "generator.latent_dim=8", "-o", "discriminator.width=2")
MLP = ("-o", "generator.hidden=[4]", "-o", "generator.latent_dim=8", "-o", "discriminator.hidden=[4]")
HOW = ("--data", "fashion-mnist-10k", "--threads", "1", "--precision", "fp32", "-o", "batch_size=32")

RUNS = {
    "mlp": (("mlp", *HOW, *MLP, "--seed", "7", "--images", "3200"), ()),
    "dcgan": (("dcgan", *HOW, *CNN, "--images", "1280"), ("--images", "1920")),
    "wgan-gp": (("wgan-gp", *HOW, *CNN, "-o", "n_critic=2", "--images", "1280"), ("--images", "1920")),
    "budget": (("mlp", *HOW, *MLP, "--budget", "1s"), ("--budget", "2s")),
}
"""Name -> the words with which it is begun, and those that come after them when it goes on: none for what Ctrl-C stopped."""

SEEDS = "0-15"
"""Those of which the samples of each model are kept."""


def processor() -> dict[str, str]:
    """What decides to which bits a processor computes: torch, the instructions that it uses, and the processor's make."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    told = dict(reversed([tuple(map(str.strip, line.split(":", 1))) for line in lines if ":" in line]))
    made = {key: told.get(key, "") for key in ("vendor_id", "cpu family", "model")}
    return {"torch": torch.__version__, "instructions": torch.backends.cpu.get_cpu_capability(), **made}


def main(folder: Path) -> None:
    """Write everything into ``folder``."""
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        for name, (words, more) in RUNS.items():
            train = [sys.executable, "-m", "ganzoo", "train", *words, "--out", name]
            if not more:
                _interrupt(train, work, work / name / "metrics.jsonl")
            else:
                subprocess.run(train, cwd=work, check=True)
            _keep(work / name, folder / name)
            (folder / f"{name}.json").write_text(json.dumps({"words": words, "more": more}, indent=2) + "\n")
            sample = [
                sys.executable,
                "-m",
                "ganzoo",
                "sample",
                name,
                "--seeds",
                SEEDS,
                "-o",
                folder.absolute() / f"{name}.npz",
            ]
            subprocess.run(sample, cwd=work, check=True)
            if name != "budget":
                subprocess.run([*train, *more], cwd=work, check=True)
                last = max((work / name / "checkpoints").iterdir())
                for file in ("networks.safetensors", "ema.safetensors"):
                    shutil.copy(last / file, folder / f"{name}-{file}")
    (folder / "processor.json").write_text(json.dumps(processor(), indent=2) + "\n")


def _interrupt(train: list[str], work: Path, metrics: Path) -> None:
    process = subprocess.Popen(train, cwd=work)
    while process.poll() is None and not (metrics.is_file() and re.search(r'"images": (\d{4,})', metrics.read_text())):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    if process.wait() != 130:
        raise SystemExit("it was too quick to be interrupted: give it more images")


def _keep(run: Path, folder: Path) -> None:
    """A run as it is, less the pictures that nobody reads again."""
    shutil.copytree(run, folder, ignore=lambda where, _: (".lock", "reals.png", "samples") if Path(where) == run else ())


if __name__ == "__main__":
    Path(sys.argv[1]).mkdir(parents=True)
    main(Path(sys.argv[1]))
