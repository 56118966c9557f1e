"""The trained weights that a new run starts from: those of another run, or of a model."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ganzoo import pretrained
from ganzoo.errors import UsageError
from ganzoo.files import sha256, user_path
from ganzoo.model_folder import read_config, weights_file
from ganzoo.training.checkpoint import MANIFEST, Checkpoints, read_checkpoint
from ganzoo.training.folder import CHECKPOINTS, read_run
from ganzoo.training.state import Snapshot, capture_networks
from ganzoo.variant import Json


@dataclass(frozen=True)
class Network:
    """How a network that was trained is built, in the words of whoever recorded it."""

    component: str
    distribution: str
    arguments: Mapping[str, Json]


@dataclass(frozen=True)
class Start:
    """Trained networks, by role.

    Attributes:
        source: What the user named.
        path: The folder of the checkpoint, or of the model.
        snapshot: Their weights.
        digest: A SHA-256 of their weights, which tells whether two runs started alike.
        networks: How they are built; empty if nothing is known but the weights, as of a checkpoint that lies by itself.
        variant, distribution: The variant that they were trained as, and where that is from; empty if it is not known.
        sample_shape, num_classes: What they were trained on; None if it is not known.
        repository: Where a model is on the Hub: ``user/repo``; empty for all others.
    """

    source: str
    path: Path
    snapshot: Snapshot = field(repr=False)
    digest: str
    networks: Mapping[str, Network] = field(default_factory=dict)
    variant: str = ""
    distribution: str = ""
    sample_shape: tuple[int, ...] | None = None
    num_classes: int | None = None
    repository: str = ""

    @property
    def roles(self) -> tuple[str, ...]:
        """Those of which there are weights."""
        names = self.snapshot.tensors.get("networks", {})
        return tuple(dict.fromkeys([name.partition("/")[0] for name in names]))


def holds_checkpoints(source: str | Path) -> bool:
    """Whether a name is that of a checkpoint here, or of the folder of a run with checkpoints."""
    path = user_path(source)
    try:
        return (path / MANIFEST).is_file() or any((path / CHECKPOINTS).iterdir())
    except (OSError, ValueError):
        # Among the names that people type are some that no file can have.
        return False


def start_from_run(source: str | Path) -> Start:
    """The weights in a checkpoint, or in the newest whole one of a run. All roles are there, as they were, not averages.

    Raises:
        UsageError: There is no checkpoint.
        TrainingError: It is damaged, or all of them are.
    """
    path = user_path(source)
    if (path / MANIFEST).is_file():
        found: tuple[Path, Snapshot] | None = (path, read_checkpoint(path))
    else:
        found = Checkpoints(path / CHECKPOINTS).newest(lambda text: None)
    if found is None:
        raise UsageError(f"there is no checkpoint in {str(source)!r} to start from", hint="--from takes a run's folder")
    path, snapshot = found
    # Optimizers and averages would be held in memory for nothing.
    snapshot = replace(snapshot, tensors={"networks": snapshot.tensors.get("networks", {})})
    start = Start(str(source), path, snapshot, sha256(path / "networks.safetensors"))
    run = read_run(path.absolute().parent.parent)
    return start if run is None else replace(start, **_told(run, start.roles))


def _told(run: Mapping[str, Any], roles: tuple[str, ...]) -> dict[str, Any]:
    """What a run's configuration says of its networks; nothing if it is damaged."""
    try:
        own = run["plugin"]["distribution"]
        networks = {
            role: Network(run[role]["name"], run[role].get("distribution") or own, run[role]["arguments"])
            for role in roles
            if role in run
        }
        seen = {"sample_shape": tuple(run["dataset"]["sample_shape"]), "num_classes": run["dataset"]["num_classes"]}
        return {"networks": networks, "variant": run["variant"], "distribution": own, **seen}
    except (AttributeError, KeyError, TypeError):
        return {}


def start_from_model(source: str | Path, folder: Path, repository: str = "") -> Start:
    """The weights in a model folder: the generator's, and those of whatever other roles it holds.

    Args:
        source: What the user named.
        folder: The model folder that this means.
        repository: Where it is on the Hub, if that is what was named.

    Raises:
        ModelError: It is damaged, or its plugin is not installed.
    """
    config = read_config(folder)
    networks = {role: pretrained.load(folder, role=role) for role in config.networks}
    scored = config.training.get("scored")
    # Of a run that was scored, the best weights are kept, and not the last.
    images = (scored if isinstance(scored, dict) else config.training).get("images")
    digests = [sha256(folder / weights_file(role)) for role in networks]
    return Start(
        str(source),
        folder,
        capture_networks(networks, images=images if isinstance(images, int) else 0),
        digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode()).hexdigest(),
        {r: Network(n.component, n.plugin.distribution, n.arguments) for r, n in config.networks.items()},
        config.variant,
        config.plugin.distribution,
        config.sample_shape,
        config.num_classes,
        repository,
    )
