"""The weights that a new run starts from: those of another run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from ganzoo.errors import UsageError
from ganzoo.files import sha256, user_path
from ganzoo.training.checkpoint import MANIFEST, Checkpoints, read_checkpoint
from ganzoo.training.folder import CHECKPOINTS
from ganzoo.training.state import Snapshot, restore_networks, tensors_in
from ganzoo.variant import Json


@dataclass(frozen=True)
class Start:
    """The checkpoint that a run starts from.

    Attributes:
        path: Its folder.
        snapshot: What it holds. A run takes over the networks, and neither averages nor optimizers nor how far it was.
    """

    path: Path
    snapshot: Snapshot

    def describe(self) -> dict[str, Json]:
        """As plain data; ``sha256`` is of the networks' file and tells whether two runs started alike."""
        return {"images": self.snapshot.images, "sha256": sha256(self.path / "networks.safetensors")}

    def restore(self, networks: Mapping[str, nn.Module]) -> None:
        """Give every network its weights and buffers. Raises UsageError if one is another network than it was there."""
        tensors = self.snapshot.tensors.get("networks", {})
        for role, network in networks.items():
            there = {n.removeprefix(f"{role}/"): tuple(t.shape) for n, t in tensors.items() if n.startswith(f"{role}/")}
            here = {name: tuple(tensor.shape) for name, tensor in tensors_in(network).items()}
            if odd := [name for name in {**there, **here} if there.get(name) != here.get(name)]:
                shapes = " and ".join(
                    f"of shape {found[odd[0]]} {where}" if odd[0] in found else f"missing {where}"
                    for found, where in ((there, "there"), (here, "here"))
                )
                raise UsageError(
                    f"the {role} in {self.path} is another network than this run's: {odd[0]} is {shapes}",
                    hint="give the options that say how large its networks are as that run had them",
                )
        restore_networks("networks", networks, self.snapshot)


def find_start(source: str | Path) -> Start:
    """What ``--from`` names: a checkpoint, or a run, whose newest whole one is taken.

    Raises:
        UsageError: There is no checkpoint.
        TrainingError: It is damaged, or all of them are.
    """
    path = user_path(source)
    if (path / MANIFEST).is_file():
        return Start(path, read_checkpoint(path))
    found = Checkpoints(path / CHECKPOINTS).newest(lambda text: None)
    if found is None:
        raise UsageError(
            f"there is no checkpoint in {str(source)!r} to start from",
            hint="--from takes a run's folder or a checkpoint in it",
        )
    return Start(*found)
