"""Datasets as timm makes them of a name, and what is said where it makes none."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from ganzoo.data.cache import cache_folder
from ganzoo.errors import DataError, UsageError
from ganzoo.files import user_path
from ganzoo.network import hub_or_its_cache
from ganzoo.packages import install_package

_NEEDS = {"hfds": "datasets", "hfids": "datasets", "wds": "webdataset", "tfds": "tensorflow_datasets"}
_HUB = ("hfds", "hfids")
"""What comes from the Hugging Face Hub."""
_SMALL = ("cifar10", "cifar100", "mnist", "kmnist", "fashion_mnist", "qmnist")
"""What torchvision may download unasked; its others are hundreds of gigabytes."""


def create(name: str, options: dict[str, str]) -> Any:
    """What timm makes of a name, for this process to read all of.

    Raises:
        UsageError: No ``root`` where there is no default.
        DataError: A missing package, or no network.
        Exception: Whatever is raised behind timm; see :func:`refusal`.
    """
    prefix, _, rest = name.lower().partition("/")
    if prefix in _NEEDS and importlib.util.find_spec(_NEEDS[prefix]) is None:
        package = _NEEDS[prefix].replace("_", "-")
        raise DataError(f"{name} needs the package {package}", hint=f"try: {install_package(package)}")
    keys = {key: value for key, value in options.items() if key.endswith("_key")}
    root = options.get("root")
    if root is None and _is_folder(name):
        raise UsageError(f"{name} needs the folder of its files", hint=f"for example: --data '{name}?root=/data'")
    if root is None and prefix in ("torch", "tfds"):
        root = str(cache_folder() / prefix)
    import timm.data

    # A line for each sample that it passes over, which are counted here; whoever set a level wants these lines.
    log = logging.getLogger("timm.data.readers")
    log.setLevel(log.level or logging.ERROR)
    with contextlib.redirect_stdout(sys.stderr), _from_the_hub(name) if prefix in _HUB else contextlib.nullcontext():
        dataset = timm.data.create_dataset(
            name,
            root=root,
            split=options.get("split", "train"),
            download=prefix == "tfds" or (prefix == "torch" and rest in _SMALL),
            input_img_mode="",  # pictures come in their own mode, so that grey ones stay grey
            **keys,
        )
    # What each process reads is decided elsewhere; these readers would leave out what they take for another's.
    reader: Any = getattr(dataset, "reader", None)
    if hasattr(reader, "dist_rank"):
        reader.dist_rank, reader.dist_num_replicas = 0, 1
    return dataset


@contextlib.contextmanager
def _from_the_hub(name: str) -> Iterator[None]:
    """The block has what the Hub has; where that cannot be reached, what is in the cache, and no request is waited for."""
    with hub_or_its_cache() as why:
        try:
            yield
        except Exception as error:
            if why is None:
                raise
            hint = "without it: fashion-mnist-10k, which ships, or pictures of your own (ganzoo train --help has the forms)"
            raise DataError(f"cannot read {name}: it is not, or not all of it, in the cache, and {why}", hint=hint) from error


def at_home(name: str, options: dict[str, str]) -> tuple[str, dict[str, str]]:
    """The same, with the user's folder for ``~`` wherever a path may be."""
    prefix, _, rest = name.partition("/")
    paths = {key: str(user_path(options[key])) for key in ("root", "split") if options.get(key, "").startswith("~")}
    return f"{prefix}/{user_path(rest)}" if rest.startswith("~") else name, {**options, **paths}


def _is_folder(name: str) -> bool:
    """Whether the name says only how files are read, and ``root`` which."""
    prefix, _, rest = name.lower().partition("/")
    return prefix == "wds" or (prefix == "torch" and rest in ("image_folder", "folder"))


def title_of(name: str, options: dict[str, str]) -> str:
    """What the dataset is called, its split included unless that is the one to train on."""
    title = Path(options["root"]).name if _is_folder(name) else name.rpartition("/")[2]
    return f"{title}-{options['split']}" if options.get("split", "train") != "train" else title


def refusal(spec: str, error: Exception) -> DataError:
    """What is said where timm, or what is behind it, raised this."""
    said = (str(error).strip().splitlines() or [""])[0]
    return DataError(
        f"cannot read {spec}: {type(error).__name__}: {said}" if said else f"cannot read {spec}: {type(error).__name__}",
        hint="is the name right, and the network there? Files that are here already: name their folder with '?root=…'",
    )


def gives_targets(dataset: Any) -> bool:
    """Whether its samples have what it is told to take for labels."""
    try:
        first_of(dataset)
    except KeyError:
        return False
    return True


def first_of(dataset: Any) -> Sequence[Any] | None:
    """The first sample that can be read."""
    if not is_indexed(dataset):
        return next(iter(dataset), None)
    for index in range(len(dataset)):
        with contextlib.suppress(OSError, ValueError, SyntaxError):
            sample: Sequence[Any] = dataset[index]
            return sample
    return None


def is_indexed(dataset: Any) -> bool:
    """Whether samples can be had by number, and not in order alone."""
    return not isinstance(dataset, torch.utils.data.IterableDataset)


def length_of(dataset: Any) -> int:
    """How many samples it says it has; 0 if it does not say."""
    try:
        return len(dataset)
    except TypeError:
        return 0
