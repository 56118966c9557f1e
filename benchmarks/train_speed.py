"""How fast networks train in ganzoo's loop, beside the loop of the tutorials, other libraries, and the bare arithmetic.

    python benchmarks/train_speed.py                     # all variants, a table in Markdown; leave the machine alone meanwhile
    python benchmarks/train_speed.py dcgan --rounds 9
    python benchmarks/train_speed.py --beside 1 --rounds 3 --seconds 30   # beside one busy program: 15 minutes
    pip install --no-deps torchgan vegans && pip install matplotlib   # to have these in the table

All contenders of a row take turns in one process, a block of steps each, so that a machine that slows down slows them all;
ratios are taken within a round, and their median is printed with the smallest and the largest. Peak memory is that of a
process in which only one of them runs.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import beside_others
import torch

from ganzoo import plugins
from ganzoo.data.fashion_mnist import fashion_mnist_10k
from ganzoo.devices import choose_device
from ganzoo.interfaces import Critique
from ganzoo.noise import Noise
from ganzoo.training.clock import Clock
from ganzoo.training.config import resolve
from ganzoo.training.graphs import choose_step
from ganzoo.training.loop import Step, run_loop
from ganzoo.training.monitor import Monitor
from ganzoo.training.precision import autocast, choose_precision
from ganzoo.training.prepare import Prepared, prepare
from ganzoo.training.settings import Budget
from ganzoo.training.watcher import Watcher
from ganzoo.training.writer import Writer

sys.path.insert(0, str(Path(__file__).parent))

BATCH = 64
LONG = Budget(images=4_000_000)
"""A run of which every block is a small part, with its share of sheets."""
SAME_LOSS: dict[str, dict[str, Any]] = {
    "mlp": {"loss": "non-saturating", "penalties": {}},
    "dcgan": {"loss": "non-saturating", "penalties": {}},
    "wgan-gp": {"penalties.gradient-penalty.share": 1.0},
}
"""What makes a variant's step compute what the tutorials' step computes."""

Block = Callable[[int], None]
"""Takes so many steps."""


def prepared(variant: str, options: dict[str, Any]) -> Prepared:
    config = resolve(plugins.load().registry, variant, options={**options, "batch_size": BATCH})
    return prepare(config)


class Until(list[int]):
    """Asks the loop to stop when it has come to so many images."""

    def __init__(self, context: Step, images: int) -> None:
        self.context = context
        self.images = images

    def __bool__(self) -> bool:
        return self.context.images >= self.images


def ganzoo(variant: str, options: dict[str, Any], precision: torch.dtype) -> Block:
    """The real loop: data, noise, schedules, EMA, metrics, sheets, progress."""
    run = prepared(variant, options)
    feed, context = run.store.feed(0), Step(0, run.processes.device, precision)
    take_step = choose_step(run.trainer, context)
    folder = Path(tempfile.mkdtemp())

    # One thread for all blocks, as a run has it.
    writer = Writer()

    def block(steps: int) -> None:
        stop = Until(context, context.images + steps * BATCH)
        monitor = Monitor(
            folder,
            lambda: run.ema.networks["generator"].sample(range(64)),  # type: ignore[operator]
            modality=run.store.modality,
            watcher=Watcher(),
            writer=writer,
            processes=run.processes,
            start=(context.images, 0.0),
            progress=context.images / 4_000_000,
        )
        parts = (run.trainer, take_step, feed, run.ema, monitor, Clock(LONG, stop), context)
        run_loop(*parts, settings=run.config.loop, checkpoint=lambda: True, score=lambda: False)

    return block


def bare(variant: str, options: dict[str, Any], precision: torch.dtype) -> Block:
    """Forward, backward and optimizer of both networks on one batch, and nothing else."""
    run = prepared(variant, options)
    trainer: Any = run.trainer
    generator, discriminator = run.networks["generator"], run.networks["discriminator"]
    device = run.processes.device
    reals, labels = run.store.batch(torch.arange(BATCH))
    noise = Noise(0, device)
    latents = noise.draw(BATCH, generator.draw_latents)  # type: ignore[arg-type]
    n_critic = trainer.n_critic

    def block(steps: int) -> None:
        for step in range(steps):
            learns = (step + 1) % n_critic == 0
            with autocast(device, precision), torch.set_grad_enabled(learns):
                fakes = generator(latents).float()
            with autocast(device, precision):
                logits = discriminator(torch.cat([reals, fakes.detach()])).float()
            real, fake = logits[:BATCH], logits[BATCH:]
            loss = trainer.loss.discriminator(real, fake)
            for penalty in trainer.penalties.values():
                with autocast(device, precision):
                    term = penalty(Critique(discriminator, reals, fakes.detach(), real, fake, labels, noise))
                loss = loss + penalty.weight * term
            trainer.optimizers["discriminator"].zero_grad()
            loss.backward()
            trainer.optimizers["discriminator"].step()
            if not learns:
                continue
            discriminator.requires_grad_(False)
            with autocast(device, precision):
                with torch.no_grad():
                    real = discriminator(reals).float() if trainer.loss.pairs else real
                fake = discriminator(fakes).float()
            trainer.optimizers["generator"].zero_grad()
            trainer.loss.generator(real, fake).backward()
            trainer.optimizers["generator"].step()
            discriminator.requires_grad_(True)

    return block


def tutorial(variant: str, options: dict[str, Any]) -> Block:
    """The loop of the tutorials, on the pictures that ship."""
    from PIL import Image
    from tutorials import tutorial_loop

    networks = prepared(variant, options).networks
    pictures = [Image.fromarray(picture[0].numpy()) for picture in fashion_mnist_10k().samples]
    return tutorial_loop(networks, pictures, batch_size=BATCH, device=choose_device(), wasserstein=variant == "wgan-gp")


def contenders(variant: str) -> dict[str, Callable[[], Block]]:
    """By name, each to be made when its turn has come."""
    same, fast = SAME_LOSS[variant], choose_precision(choose_device())
    name = str(fast).removeprefix("torch.")
    found: dict[str, Callable[[], Block]] = {
        "tutorial loop, float32": lambda: tutorial(variant, same),
        "ganzoo, float32": lambda: ganzoo(variant, same, torch.float32),
    }
    if fast is not torch.float32:
        found[f"ganzoo, {name}"] = lambda: ganzoo(variant, same, fast)
    found["bare compute, float32"] = lambda: bare(variant, same, torch.float32)
    if fast is not torch.float32:
        found[f"bare compute, {name}"] = lambda: bare(variant, same, fast)
    found[f"ganzoo, {name}, default recipe"] = lambda: ganzoo(variant, {}, fast)
    found[f"bare compute, {name}, default recipe"] = lambda: bare(variant, {}, fast)
    from peers import peers

    return found | peers(variant)


def measure(variant: str, rounds: int, seconds: float) -> dict[str, list[float]]:
    """Images per second of each contender, round by round."""
    blocks: dict[str, Block] = {}
    steps: dict[str, int] = {}
    for name, make in contenders(variant).items():
        try:
            block = make()
            timed(block, 30)  # as many as it takes until every kind of step is what it will be
            each = timed(block, 20) / 20
        except Exception as error:  # noqa: BLE001 - a library that fails says so in the table
            print(f"{name}: {type(error).__name__}: {error}", file=sys.stderr)
            continue
        blocks[name], steps[name] = block, max(5, round(seconds / each))
    rates: dict[str, list[float]] = {name: [] for name in blocks}
    for round_ in range(rounds):
        names = list(blocks)
        for name in names[round_ % len(names) :] + names[: round_ % len(names)]:
            rates[name].append(steps[name] * BATCH / timed(blocks[name], steps[name]))
        print(f"{variant}: round {round_ + 1} of {rounds}", file=sys.stderr)
    return rates


def timed(block: Block, steps: int) -> float:
    """Seconds until an accelerator, too, has done so many steps."""
    start = time.perf_counter()
    block(steps)
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()
    return time.perf_counter() - start


def ratio(rates: dict[str, list[float]], name: str, other: str | None) -> str:
    """Median, smallest and largest ratio within a round."""
    if other not in rates:
        return "–"
    ratios = [a / b for a, b in zip(rates[name], rates[other], strict=True)]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})"


def peak_memory(variant: str, name: str) -> float:
    """MiB of a process that runs this contender alone, torch and the data included."""
    words = [sys.executable, __file__, variant, "--alone", name]
    return float(subprocess.run(words, capture_output=True, text=True, check=True).stdout)


def peak_resident() -> float:
    """MiB. Linux hands the ``ru_maxrss`` of a parent down to its children, so that the figure of /proc goes first."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    peaks = [int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")]
    return peaks[0] if peaks else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variants", nargs="*", default=[*SAME_LOSS], help="of mlp, dcgan, wgan-gp")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each block")
    parser.add_argument("--no-memory", action="store_true", help="leave out the peak memory, which takes a while")
    parser.add_argument(
        "--beside", type=int, metavar="N", help="of N programs that never rest; only `ganzoo train` is measured"
    )
    parser.add_argument("--alone", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.alone:
        contenders(arguments.variants[0])[arguments.alone]()(20)
        print(peak_resident())
        return
    print(f"{processor()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, {choose_device()}; torch", end=" ")
    print(torch.__version__)
    if arguments.beside:
        print_beside(arguments.variants, arguments.beside, arguments.rounds, arguments.seconds)
        return
    print(f"Batches of {BATCH}; median of {arguments.rounds} rounds (smallest–largest).\n")
    for variant in arguments.variants:
        rates = measure(variant, arguments.rounds, arguments.seconds)
        print(f"| `{variant}` | images/s | of the tutorial loop | of the bare compute | peak memory, MiB |")
        print("|---|---|---|---|---|")
        for name, found in rates.items():
            floor = name.replace("ganzoo", "bare compute") if name.startswith("ganzoo") else None
            memory = "–" if arguments.no_memory else f"{peak_memory(variant, name):,.0f}"
            beside = ratio(rates, name, "tutorial loop, float32")
            print(f"| {name} | {statistics.median(found):,.0f} | {beside} | {ratio(rates, name, floor)} | {memory} |")
        print(flush=True)


def print_beside(variants: list[str], others: int, rounds: int, seconds: float) -> None:
    """The table of ``--beside``."""
    print(f"`ganzoo train NAME --data fashion-mnist --budget {seconds:g}s`; median of {rounds} rounds (smallest–largest).\n")
    print(f"| beside {others} busy program{'s' if others > 1 else ''} | images/s | of the speed alone |\n|---|---|---|")
    for variant in variants:
        for name, found in (rates := beside_others.measure(variant, others, rounds, seconds)).items():
            print(f"| `{variant}`, {name} | {statistics.median(found):,.0f} | {ratio(rates, name, 'alone')} |", flush=True)


def processor() -> str:
    """What the processor calls itself."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


if __name__ == "__main__":
    main()
