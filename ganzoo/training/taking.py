"""What a run takes over of the trained networks that it starts from: which of them, their options, and their weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from ganzoo.errors import UsageError
from ganzoo.factory import Part, kind_of, make_part
from ganzoo.registry import Entry, Registry
from ganzoo.training.start import Network, Start
from ganzoo.training.state import restore_networks, tensors_in
from ganzoo.variant import Json, Variant


@dataclass(frozen=True)
class Taken:
    """What a run takes over.

    Attributes:
        start: Where from.
        roles: Which networks.
        options: How these are built there, as options of a run; they come before the preset's, and after those that the user
            gives.
    """

    start: Start
    roles: tuple[str, ...]
    options: Mapping[str, Json]

    def describe(self) -> dict[str, Json]:
        """As plain data, for ``config.json``."""
        start = self.start
        known = {"repository": start.repository} if start.repository else {}
        return {"images": start.snapshot.images, "sha256": start.digest, "roles": list(self.roles), **known}

    def in_words(self, roles: Mapping[str, Any]) -> str:
        """Which networks start from there, and which of ``roles`` do not, in a sentence."""
        ours, others = [role for role in roles if role in self.roles], [role for role in roles if role not in self.roles]
        said = f"{_listed(ours)} {_start(ours)} from the weights of {self.start.source}"
        return f"{said}, {_listed(others)} from fresh weights" if others else said

    def restore(self, networks: Mapping[str, nn.Module], *, sample_shape: tuple[int, ...], num_classes: int) -> None:
        """Give the networks their weights and buffers. Raises UsageError if one is another network than it was there."""
        snapshot = self.start.snapshot
        tensors = dict(snapshot.tensors["networks"])
        taken = {role: network for role, network in networks.items() if role in self.roles}
        for role, network in taken.items():
            there = {n.removeprefix(f"{role}/"): tuple(t.shape) for n, t in tensors.items() if n.startswith(f"{role}/")}
            here = {name: tuple(tensor.shape) for name, tensor in tensors_in(network).items()}
            # What a network works out anew each time that it is built may be different for samples of another shape.
            for name in [n for n in here.keys() - network.state_dict().keys() if there.get(n) != here[n]]:
                tensors[f"{role}/{name}"] = tensors_in(network)[name]
                there[name] = here[name]
            if odd := [name for name in {**there, **here} if there.get(name) != here.get(name)]:
                shapes = " and ".join(
                    f"of shape {'x'.join(map(str, found[odd[0]])) or '1'} {where}" if odd[0] in found else f"missing {where}"
                    for found, where in ((there, "there"), (here, "here"))
                )
                raise UsageError(
                    f"the {role} in {self.start.path} is another network than this run's: {odd[0]} is {shapes}",
                    hint=self._way_on(role, sample_shape, num_classes),
                )
        restore_networks("networks", taken, replace(snapshot, tensors={"networks": tensors}))

    def _way_on(self, role: str, sample_shape: tuple[int, ...], num_classes: int) -> str:
        """What to do about a network that does not fit."""
        start, shape = self.start, "x".join(map(str, self.start.sample_shape or ()))
        if role not in start.networks:
            return "give the options that say how large its networks are as that run had them"
        if start.sample_shape not in (None, sample_shape):
            resolution = f"try --resolution {start.sample_shape[-1]}" if start.sample_shape and len(sample_shape) == 3 else ""
            here = "x".join(map(str, sample_shape))
            same_channels = start.sample_shape is not None and start.sample_shape[:1] == sample_shape[:1]
            what = f"it was trained on samples of {shape}, and these are {here}"
            return f"{what}: {resolution if resolution and same_channels else 'leave out --from'}"
        if start.num_classes != num_classes:
            return f"it was trained on {start.num_classes} classes, and these samples have {num_classes}: leave out --from"
        return f"leave out the options of the {role} that you gave: it then has those that it has there"


def take(registry: Registry, entry: Entry, preset: str, given: Mapping[str, Json], start: Start) -> Taken:
    """What a run of a variant takes over of what was trained.

    A network comes from there if the run has its role, and the same component for it. Of the same variant the component comes
    too, unless the user names another one. What is the generator there must be the generator here.

    Args:
        registry: Where names are looked up; what installed plugins do not offer is not imported.
        entry: The variant.
        preset, given: The run's preset, and the options that the user gave.
        start: Where from.

    Raises:
        UsageError: It has no network that this run could start from, or one with options that are not known.
    """
    variant = entry.target
    assert isinstance(variant, Variant)
    roles, options = list[str](), dict[str, Json]()
    for role in (role for role in variant.roles if role in start.roles):
        network = start.networks.get(role)
        if network is None:
            # Whoever has nothing but a checkpoint knows what is in it.
            roles.append(role)
            continue
        ours = given.get(role) or variant.presets[preset].options.get(role) or variant.roles[role]
        name = _name_here(registry, entry, role, network)
        same = name is not None and name == _name(registry, role, str(ours), None if role in given else entry)
        if not same and (name is None or role in given or not _is_of(registry, start, entry)):
            if role == "generator":
                raise _refusal(registry, entry, start, network, str(ours))
            continue
        assert name is not None
        roles.append(role)
        options |= dict(_options(registry, entry, role, name, network, start))
    if "generator" not in roles:
        raise UsageError(f"there is no generator in {start.source} to start from")
    return Taken(start, tuple(roles), options)


def options_of_networks(parts: Mapping[str, Part]) -> dict[str, Json]:
    """Networks by role as options that say all of them."""
    said: dict[str, Json] = {}
    for role, part in parts.items():
        said[role] = f"{part.distribution}:{part.name}" if part.distribution else part.name
        said |= {f"{role}.{key}": value for key, value in part.arguments.items()}
    return said


def _options(
    registry: Registry, entry: Entry, role: str, name: str, network: Network, start: Start
) -> Iterator[tuple[str, Json]]:
    """A network as options, once they are known to be some."""
    try:
        make_part(registry, kind_of(role), name, network.arguments, label=role, within=entry.origin)
    except UsageError as error:
        raise UsageError(f"the {role} in {start.path} cannot be built: {error.message}") from error
    yield role, name
    yield from ((f"{role}.{key}", value) for key, value in network.arguments.items())


def _name_here(registry: Registry, entry: Entry, role: str, network: Network) -> str | None:
    """The name by which the run has a component that was recorded; None if no installed plugin offers or declares it."""
    variant = entry.target
    assert isinstance(variant, Variant)
    if found := registry.find(kind_of(role), f"{network.distribution}:{network.component}"):
        return found.qualified
    declared = (variant.roles[role], *(preset.options.get(role) for preset in variant.presets.values()))
    own = network.distribution == entry.origin.distribution and network.component in declared
    return network.component if own else None


def _name(registry: Registry, role: str, name: str, whose: Entry | None) -> str:
    """The one name of a component that the run names."""
    found = registry.find(kind_of(role), name, within=whose.origin.distribution if whose else None)
    return found.qualified if found else name


def _is_of(registry: Registry, start: Start, entry: Entry) -> bool:
    """Whether what is started from is of this variant, by whichever name it was recorded."""
    return registry.find("variant", f"{start.distribution}:{start.variant}") is entry


def _refusal(registry: Registry, entry: Entry, start: Start, network: Network, ours: str) -> UsageError:
    there = registry.find("variant", f"{start.distribution}:{start.variant}")
    own = registry.name_of(there) if there else start.variant
    return UsageError(
        f"{start.source} is of {own}, whose generator is {network.component!r}, and that of {entry.name} here is {ours!r}",
        hint=f"start a run of the same variant: ganzoo train {own} --from {start.source}",
    )


def _listed(roles: list[str]) -> str:
    words = [f"the {role}" for role in roles]
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _start(roles: list[str]) -> str:
    return "start" if len(roles) > 1 else "starts"
