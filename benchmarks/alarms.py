"""Break a run in ten ways, and see what it says; then let runs go well, and see that they say nothing.

    python benchmarks/alarms.py --emoji FOLDER --cifar FILE.npz --out runs/alarms
    python benchmarks/alarms.py --out runs/alarms --only broken

Each way to break a run goes through public options, or through parts that a plugin might offer and that are in this file.
Every run is one line in OUT/alarms.jsonl, and is not run again: it may be stopped, and the same command goes on. Prints both
tables in Markdown. Pictures of emoji, and those of CIFAR-10, are left out if nobody says where they are.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import ganzoo
from ganzoo.data.fashion_mnist import fashion_mnist_10k
from ganzoo.errors import TrainingError
from ganzoo.losses import Hinge
from ganzoo.training.verdict import ALIKE, FAR, FEW, RAN_AWAY, WON
from ganzoo.training.watcher import Watcher

DIVERGED = "diverged"
"""What a run says that has values which are not finite, and fails."""


class Deaf(ganzoo.Generator):
    """Ignores its latent."""

    def __init__(self, *, sample_shape: tuple[int, ...]) -> None:
        super().__init__(latent_shape=(8,), sample_shape=sample_shape)
        self.layers = nn.Sequential(
            nn.Linear(8, 64), nn.SiLU(), nn.Linear(64, int(torch.Size(sample_shape).numel())), nn.Tanh()
        )

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.layers(torch.ones_like(z)).view(len(z), *self.sample_shape)


class OneClass(ganzoo.AlternatingTrainer):
    """Shows the discriminator the samples of class 1, and no others."""

    def step(self, reals: Tensor, labels: Tensor | None, context: ganzoo.StepContext) -> Mapping[str, Tensor]:
        assert labels is not None
        own = (labels == 1).nonzero().squeeze(1)
        if not len(own):
            return {}
        rows = own.repeat(-(-len(reals) // len(own)))[: len(reals)]
        return super().step(reals[rows], labels[rows], context)


class Turncoat(Hinge):
    """The generator's loss has the wrong sign."""

    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        return fake.mean()


PLUGIN = Path(__file__).stem
"""This very file, as a plugin."""


@ganzoo.hookimpl
def register(registry: ganzoo.Registrar) -> None:
    """Offer the parts that break a run."""
    registry.add("generator", "deaf", f"{PLUGIN}:Deaf")
    registry.add("trainer", "one-class", f"{PLUGIN}:OneClass")
    registry.add("loss", "turncoat", f"{PLUGIN}:Turncoat")


@dataclass(frozen=True)
class Case:
    """One run.

    Attributes:
        name: What was done.
        variant, data, images, options, resolution: As for :func:`ganzoo.train`.
        named: What it may be called; nothing for a run that goes well.
        seed: Of the run.
    """

    name: str
    variant: str
    data: str
    images: int
    options: Mapping[str, Any] = field(default_factory=dict)
    named: Sequence[str] = ()
    seed: int = 0
    resolution: int | None = None


OLD = {
    "loss": "hinge",
    "penalties": {"gradient-penalty": {"weight": 10.0, "share": 0.25}},
    "lr": 2e-3,
    "betas": [0.0, 0.99],
    "batch_size": 64,
    "generator.width": 32,
    "generator.blocks": 1,
    "discriminator.width": 32,
    "ema_images": 100_000,
}
"""What ``dcgan`` was trained with while it collapsed on emoji: spelt out, for presets change."""

SMALL = {"generator.width": 16, "discriminator.width": 16}
QUICK = {**OLD, **SMALL, "batch_size": 32}
"""The same on few features: what breaks the one breaks the other, in a fraction of the time."""


def broken(emoji: str | None) -> Iterator[Case]:
    """Ten ways, and what each may be called."""
    clothes = "fashion-mnist-10k"
    lost = (ALIKE, FEW, FAR, WON, RAN_AWAY, DIVERGED)
    yield Case("learning rates x10", "dcgan", clothes, 20_000, {**QUICK, "lr": 2e-2}, lost)
    yield Case("learning rates x30", "dcgan", clothes, 20_000, {**QUICK, "lr": 6e-2}, lost)
    yield Case(
        "wasserstein without a penalty, rates x10",
        "dcgan",
        clothes,
        12_000,
        {**QUICK, "loss": "wasserstein", "penalties": {}, "lr": 2e-2},
        (RAN_AWAY, DIVERGED, WON, FAR, ALIKE),
    )
    yield Case(
        "no penalty, discriminator's rate x25",
        "dcgan",
        clothes,
        12_000,
        {**QUICK, "penalties": {}, "discriminator_lr": 5e-2},
        (RAN_AWAY, WON),
    )
    yield Case(
        "a generator that ignores its latents",
        "mlp",
        clothes,
        12_000,
        {"generator": "deaf", "batch_size": 32},
        (ALIKE,),
    )
    yield Case(
        "one class is shown",
        "mlp",
        clothes,
        120_000,
        {"trainer": "one-class", "batch_size": 32, "lr": 7e-4, "betas": [0.0, 0.99]},
        (FEW, ALIKE),
    )
    yield Case(
        "the generator's loss has the wrong sign",
        "dcgan",
        clothes,
        15_000,
        {**QUICK, "loss": "turncoat"},
        (WON, FAR, ALIKE),
    )
    yield Case(
        "least squares without norm or penalty, rates x5",
        "dcgan",
        clothes,
        20_000,
        {**QUICK, "loss": "least-squares", "penalties": {}, "generator.norm": "none", "lr": 1e-2},
        lost,
    )
    yield Case(
        "R1 alone with a tiny weight, rates x10",
        "dcgan",
        clothes,
        20_000,
        {**QUICK, "loss": "wasserstein", "penalties": {"r1": {"weight": 1e-6}}, "lr": 2e-2},
        (RAN_AWAY, DIVERGED, WON, FAR, ALIKE),
    )
    if emoji:
        yield Case("dcgan's recipe of before, on emoji", "dcgan", emoji, 28_000, OLD, (ALIKE,))


def sound(emoji: str | None, cifar: str | None) -> Iterator[Case]:
    """Runs that go well, as far as they get: presets as they ship, on features that are few."""
    clothes, few = "fashion-mnist", {**SMALL, "batch_size": 32}
    for seed in range(3):
        for variant, images in (("mlp", 40_000), ("mlp@paper", 80_000), ("mlp@keras", 60_000)):
            yield Case(variant, variant, clothes, images, seed=seed)
        yield Case("dcgan, width 16", "dcgan", "fashion-mnist-10k", 16_000, few, seed=seed)
        yield Case("wgan-gp, width 16", "wgan-gp", "fashion-mnist-10k", 16_000, few, seed=seed)
        yield Case("dcgan@paper, width 16", "dcgan@paper", clothes, 20_000, few, seed=seed)
        yield Case("wgan-gp@paper, width 16", "wgan-gp@paper", clothes, 30_000, {**SMALL, "batch_size": 20}, seed=seed)
        yield Case("mlp, 300 pictures", "mlp", "few.npy", 20_000, {"batch_size": 32}, seed=seed)
        for name in TABLES:
            yield Case(f"mlp, {name}", "mlp", f"{name}.npy", 30_000, seed=seed)
        if emoji:
            for variant in ("dcgan", "wgan-gp"):
                yield Case(f"{variant}, emoji 32x32", variant, emoji, 7_000, few, seed=seed, resolution=32)
    if emoji:
        yield Case("dcgan, emoji 64x64", "dcgan", emoji, 13_000)
        yield Case("mlp, emoji 32x32", "mlp", emoji, 30_000, resolution=32)
    for variant in ("dcgan", "wgan-gp", "mlp") if cifar else ():
        assert cifar is not None
        yield Case(f"{variant}, CIFAR-10", variant, cifar, 14_000, {} if variant == "mlp" else few)


def install(folder: Path) -> None:
    """Make this file a plugin of ganzoo's, in this process."""
    info = folder / "plugin" / f"{PLUGIN}-1.0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {PLUGIN}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[ganzoo]\n{PLUGIN} = {PLUGIN}\n")
    sys.path.insert(0, str(info.parent))


def clusters(rng: np.random.Generator) -> np.ndarray:
    """Rows of a table in three clusters."""
    rows = rng.normal(0, 0.3, (3_000, 6)) + rng.normal(0, 1, (3, 6))[np.arange(3_000) % 3]
    return rows / rows.std(0)


def sines(rng: np.random.Generator) -> np.ndarray:
    """Waves that fade in and out, so that the numbers at either end hardly change."""
    phase = rng.uniform(2, 20, (4_000, 1)) * np.linspace(0, 1, 512) + rng.uniform(0, 1, (4_000, 1))
    return np.hanning(512) * np.sin(2 * np.pi * phase)


def clothes_as_rows(rng: np.random.Generator) -> np.ndarray:
    """Fashion-MNIST as numbers, many of which are nearly always 0."""
    return fashion_mnist_10k().samples[:, 0].flatten(1).numpy() / 255


TABLES: Mapping[str, Callable[[np.random.Generator], np.ndarray]] = {
    "clusters": clusters,
    "sines": sines,
    "clothes": clothes_as_rows,
    "lognormal": lambda rng: rng.lognormal(0, 1, (4_000, 6)),
}
"""Data that is no picture."""


def made_up(folder: Path) -> None:
    """Write the data that is no data set's."""
    np.save(folder / "few.npy", fashion_mnist_10k().samples[:300, 0].numpy())
    for name, make in TABLES.items():
        np.save(folder / f"{name}.npy", make(np.random.default_rng(0)).astype("f4"))


class Stops(Watcher):
    """Asks a run to end as soon as it has said what is wrong: what comes after is no matter here."""

    def __init__(self) -> None:
        self.says = ""

    def noticed(self, text: str) -> None:
        if any(f" {word} " in f" {text} " for word in ("collapsed", "ran away", "got stuck", "went astray")) and not self.says:
            self.says = text
            signal.raise_signal(signal.SIGTERM)


def tried(case: Case, out: Path) -> dict[str, Any]:
    """Run a case. Returns the row that says what came of it."""
    watcher, what = Stops(), ""
    folder = out / "run"
    try:
        ganzoo.train(
            case.variant,
            data=str(out / case.data) if case.data.endswith(".npy") else case.data,
            resolution=case.resolution,
            options=dict(case.options),
            images=case.images,
            seed=case.seed,
            out=folder,
            fresh=True,
            watcher=watcher,
        )
    except TrainingError as error:
        what, watcher.says = DIVERGED, error.message
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    looks = [{key: row[key] for key in LOOK if key in row} for row in rows if "spread" in row]
    alarm = next((row for row in looks if "alarm" in row), None)
    shutil.rmtree(folder)
    images = alarm["images"] if alarm else rows[-1]["images"]
    return {
        "case": case.name,
        "seed": case.seed,
        "what": what or (alarm or {}).get("alarm", ""),
        "images": images,
        "says": watcher.says,
        "looks": looks,
    }


LOOK = ("images", "spread", "kinds", "off", "rough", "gap", "told", "alarm")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--emoji", metavar="FOLDER", help="A folder of emoji, 64x64.")
    parser.add_argument("--cifar", metavar="FILE", help="CIFAR-10 as an NPZ file.")
    parser.add_argument("--only", choices=["broken", "sound"])
    parser.add_argument("--out", type=Path, default=Path("runs/alarms"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    made_up(arguments.out)
    install(arguments.out)
    record = arguments.out / "alarms.jsonl"
    done = [json.loads(line) for line in record.read_text().splitlines()] if record.exists() else []
    found = {(row["case"], row["seed"]): row for row in done}

    def row_of(case: Case) -> dict[str, Any]:
        if (case.name, case.seed) not in found:
            row = found[case.name, case.seed] = tried(case, arguments.out)
            with record.open("a") as file:
                file.write(json.dumps(row) + "\n")
        return found[case.name, case.seed]

    if arguments.only != "sound":
        print("| what was done | what the run said | after images | rightly |\n|---|---|---|---|", flush=True)
        rightly = []
        for case in broken(arguments.emoji):
            row = row_of(case)
            rightly.append(bool(set(row["what"].split(", ")) & set(case.named)))
            print(
                f"| {case.name} | {row['what'] or 'nothing'} | {row['images']:,} | {'yes' if rightly[-1] else 'no'} |",
                flush=True,
            )
        print(f"\n{sum(rightly)} of {len(rightly)} named rightly\n", flush=True)
    if arguments.only != "broken":
        print("| run | seed | images | last spread | alarm |\n|---|---|---|---|---|", flush=True)
        alarms = []
        for case in sound(arguments.emoji, arguments.cifar):
            row = row_of(case)
            alarms.append(bool(row["what"]))
            last = (row["looks"][-1]["spread"] if row["looks"] else None) or float("nan")
            print(f"| {case.name} | {case.seed} | {row['images']:,} | {last:.2f} | {row['what'] or 'none'} |", flush=True)
        print(f"\n{sum(alarms)} of {len(alarms)} healthy runs with an alarm")


if __name__ == "__main__":
    main()
