"""``ganzoo doctor``: what this installation is made of, and what is wrong with it."""

from __future__ import annotations

import importlib
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from ganzoo import __version__
from ganzoo.cli import plugin_commands
from ganzoo.cli.output import json_option, out
from ganzoo.cli.plugins import status_of
from ganzoo.packages import install_package, installed, requirements, satisfied
from ganzoo.plugins import HEAVY_MODULES, load
from ganzoo.variant import Json

EPILOG = """\b
Examples:
  ganzoo doctor
  ganzoo doctor --json > doctor.json     to attach to a bug report

\b
Exit code 1 if it finds a problem.
"""


@click.command(epilog=EPILOG)
@json_option
def doctor(as_json: bool) -> None:
    """Check this installation: versions, devices, folders, data, plugins."""
    problems: list[str] = []
    report: dict[str, dict[str, Json]] = {}
    for title, examine in EXAMINATIONS.items():
        report[title] = {}
        # What stops one examination must not hide what the others find.
        try:
            for name, value in examine(problems):
                report[title][name] = value
        except Exception as error:  # noqa: BLE001
            problems.append(f"{title}: {type(error).__name__}: {error}")
    if as_json:
        out.json({**report, "problems": problems})
    else:
        numbered = {str(number): problem for number, problem in enumerate(problems, 1)}
        out.fields({**report, "problems": numbered or {"none": ""}})
    if problems:
        click.get_current_context().exit(1)


def _versions(problems: list[str]) -> Iterator[tuple[str, Json]]:
    """What ganzoo's own metadata asks for, against what is installed."""
    yield "ganzoo", __version__
    yield "python", f"{platform.python_version()}, {platform.system()} {platform.machine()}, {sys.executable}"
    for requirement in requirements():
        version = installed(requirement)
        if version is not None:
            yield requirement.name, version
        if not satisfied(requirement):
            problems.append(f"{requirement.name} is {version or 'not installed'}; try: {install_package(requirement.name)}")
    for module in HEAVY_MODULES:
        # Versions that are fine each by itself may not fit together: torchvision is built for one torch.
        try:
            importlib.import_module(module)
        except Exception as error:  # noqa: BLE001
            problems.append(f"cannot import {module}: {type(error).__name__}: {error}")


def _computing(problems: list[str]) -> Iterator[tuple[str, Json]]:
    """What networks run on, tried with one small product."""
    import torch

    from ganzoo.devices import choose_device
    from ganzoo.training.precision import choose_precision

    accelerator = torch.accelerator.current_accelerator(check_available=True)
    if accelerator is None and Path("/dev/nvidia0").exists() and "CUDA_VISIBLE_DEVICES" not in os.environ:
        problems.append("there is an NVIDIA GPU, but this torch cannot use it: see https://pytorch.org/get-started")
    device = choose_device()
    yield "device", str(device)
    if accelerator is not None:
        names = torch.get_device_module(accelerator)
        yield "accelerators", [names.get_device_name(i) for i in range(torch.accelerator.device_count())]
    for precision in (torch.float32, choose_precision(device)):
        try:
            square = torch.ones(64, 64, device=device, dtype=precision)
            if (square @ square).float().sum().item() != 64**3:
                problems.append(f"{device} computes a product in {precision} wrongly")
        except RuntimeError as error:
            problems.append(f"{device} cannot compute in {precision}: {error}")
    yield "trains in", str(choose_precision(device)).removeprefix("torch.")
    yield "processor", torch.backends.cpu.get_cpu_capability()
    yield "processor's bfloat16", _bfloat16_instructions()
    yield "threads", torch.get_num_threads()
    yield "cores", len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _bfloat16_instructions() -> Json:
    import torch

    # Named by torch from 2.11 or so on.
    capabilities: dict[str, Json] = getattr(torch.cpu, "get_capabilities", dict)()
    return [name for name, there in sorted(capabilities.items()) if name.endswith("bf16") and there]


def _folders(problems: list[str]) -> Iterator[tuple[str, Json]]:
    """Where downloads are kept."""
    from huggingface_hub.constants import HF_HUB_CACHE

    from ganzoo.data.cache import cache_folder

    for name, folder in (("ganzoo", cache_folder()), ("hugging face", Path(HF_HUB_CACHE))):
        yield name, str(folder)
        nearest = next(p for p in (folder, *folder.absolute().parents) if p.exists())
        if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
            problems.append(f"nothing can be kept in {str(folder)!r}, because of {str(nearest)!r}")


def _data(problems: list[str]) -> Iterator[tuple[str, Json]]:
    """What can be trained on without a network."""
    from ganzoo.data.cache import cache_folder
    from ganzoo.data.fashion_mnist import DEBIAN, fashion_mnist_10k
    from ganzoo.errors import DataError

    try:
        fashion_mnist_10k()
        yield "fashion-mnist-10k", "ships with ganzoo"
    except (DataError, OSError) as error:
        problems.append(f"fashion-mnist-10k, which ships with ganzoo, is damaged: {error}")
    folders = (DEBIAN, cache_folder() / "fashion-mnist")
    here = next((folder for folder in folders if (folder / "train-images-idx3-ubyte.gz").exists()), None)
    yield "fashion-mnist", str(here) if here else "downloaded on first use"


def _plugins(problems: list[str]) -> Iterator[tuple[str, Json]]:
    """Every plugin and how it fares; ``ganzoo plugins`` says more."""
    found = load()
    plugin_commands()
    for plugin in found.found:
        yield f"{plugin.origin.distribution}:{plugin.origin.plugin}", f"{plugin.origin.version}, {status_of(plugin)}"
        problems += [found.describe(plugin, problem) for problem in plugin.problems]
    for origin in found.skipped:
        yield f"{origin.distribution}:{origin.plugin}", f"{origin.version}, skipped"
    problems += [f"GANZOO_LOAD_PLUGINS names {name!r}, which is not installed" for name in found.missing]


EXAMINATIONS = {
    "versions": _versions,
    "computing": _computing,
    "caches": _folders,
    "data": _data,
    "plugins": _plugins,
}
