"""Networks into a model folder and out of one.

Names in a folder are looked up among what installed plugins declare and never imported; a network is first described
without memory and compared with the file's header, then built and loaded strictly; only safetensors are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ganzoo import __version__, plugins
from ganzoo.bounded import MAX_PIECES, build_bounded
from ganzoo.errors import ModelError, PluginError, UsageError
from ganzoo.factory import Part, build_networks, kind_of, make_part
from ganzoo.files import sha256, write_json
from ganzoo.interfaces import Generator
from ganzoo.latents import Latent
from ganzoo.modalities.asking import asking
from ganzoo.modalities.base import Modality
from ganzoo.modality_of import missing, modality_of
from ganzoo.model_folder import AGAIN, CONFIG, ModelConfig, find_folder, make_config, read_config, weights_file
from ganzoo.options import OPTIONS_OF, parameters_of
from ganzoo.pinned import pinned
from ganzoo.registry import Entry, Origin, Registry
from ganzoo.variant import Json

CONFIG_OF = "_ganzoo_config"
"""The attribute of a loaded network that no network has of its own."""
MAX_WORDS = 500
MAX_HEADER = 1 << 22
"""Bytes of a weights file's header; it has about a hundred for each tensor."""
STORED = ("F64", "F32", "F16", "BF16")
INTEGERS = ("I64", "I32", "I16", "I8", "U8", "BOOL")
"""The types that floating-point weights, and others, may be stored in, whatever a network computes in."""


def save(folder: Path, config: ModelConfig, networks: Mapping[str, nn.Module], *, half: bool = False) -> None:
    """Write ``config.json`` and the weights of ``networks`` into ``folder``, which exists.

    Args:
        folder: Where to write; make it with :func:`ganzoo.files.replace_folder` to have all or nothing.
        config: Describes exactly the roles in ``networks``.
        networks: Role -> network.
        half: Store floating-point weights in 16 bits (fp16), for half the size; loading widens them again.

    Raises:
        OSError: They cannot be written.
        PluginError: See :func:`tensors_of`.
    """
    assert set(config.networks) == set(networks)
    for role, network in networks.items():
        tensors = tensors_of(network, role)
        if half:
            tensors = {name: t.half() if t.is_floating_point() else t for name, t in tensors.items()}
        path = folder / weights_file(role)
        try:
            save_file(tensors, path, metadata={"format": "pt"})
        except SafetensorError as error:
            # It has no other word for a disk that is full.
            raise OSError(f"cannot write {path}: {error}") from error
    described = config.model_dump(mode="json")
    for role, network_config in described["networks"].items():
        network_config["sha256"] = sha256(folder / weights_file(role))
    write_json(folder / CONFIG, described)


def tensors_of(network: nn.Module, role: str) -> dict[str, torch.Tensor]:
    """A network's state as safetensors takes it, each tensor with memory of its own.

    Raises:
        PluginError: The state holds something else than tensors, or the network has too many pieces to be loaded again.
    """
    pieces = sum(1 for kind in (network.modules(), network.parameters(), network.buffers()) for _ in kind)
    if pieces > MAX_PIECES:
        raise PluginError(f"the {role} has {pieces:,} modules and tensors; what is loaded may have {MAX_PIECES:,}")
    state = network.state_dict()
    if odd := [name for name, value in state.items() if not isinstance(value, torch.Tensor)]:
        raise PluginError(f"the {role}'s state {odd[0]!r} is a {type(state[odd[0]]).__name__}; only tensors can be saved")
    return {name: value.detach().cpu().clone(memory_format=torch.contiguous_format) for name, value in state.items()}


@pinned()
def load(folder: Path, *, role: str = "generator", device: str | torch.device = "cpu") -> Any:
    """A trained network out of a folder; :func:`ganzoo.load` finds the folder first.

    Args:
        folder: A model folder, or the folder of a run, which has one.
        role: Which network; the generator unless the variant keeps others too.
        device: Where to put it.

    Returns:
        The network in evaluation mode; for ``generator`` a :class:`ganzoo.Generator`. Its ``config`` attribute holds the
        folder's :class:`ModelConfig`, unless it has an attribute of that name of its own; :func:`config_of` has it always.

    Raises:
        ModelError: No model folder, or one that is damaged, or whose plugin is not installed.
        UsageError: The folder has no network of that role.
    """
    folder = find_folder(folder)
    config = read_config(folder)
    if role not in config.networks:
        raise UsageError(
            f"{folder} has no {role}: it holds {' and '.join(config.networks)}",
            hint="a variant says which of its networks a model folder keeps: docs/plugins.md",
        )
    part = _part(config, role, folder)
    path = folder / weights_file(role)
    # What is imported for these is not imported where tensors have no memory.
    told = _Told(modality_of(config), {other: _options(config, other, folder) for other in _asked(part)})
    try:
        described = build_bounded(lambda: _build(part, role, config, told), path)
        if role == "generator" and described.latent_shape != config.latent_shape:
            raise RuntimeError(f"its latents have shape {described.latent_shape}, {CONFIG} says {config.latent_shape}")
        _compare(path, described)
        if (known := config.networks[role].sha256) not in (None, sha256(path)):
            raise RuntimeError(f"it is not the file that {CONFIG} was written with, whose SHA-256 is {known}")
        # Not the one that was built with room to spare: a constructor may have looked at where its tensors were.
        network = _build(part, role, config, told)
        network.load_state_dict(load_file(path), strict=True)
    except (UsageError, SafetensorError, OSError, RuntimeError, ValueError) as error:
        raise ModelError(f"{path} cannot be loaded: {shorten(error)}", hint=AGAIN) from error
    object.__setattr__(network, CONFIG_OF, config)
    if isinstance(network, Generator) and network.num_classes == len(config.class_names):
        object.__setattr__(network, "_ganzoo_class_names", config.class_names)
    if not hasattr(network, "config"):
        network.config = config  # type: ignore[assignment]
    return network.to(device).eval().requires_grad_(False)


def config_of(network: nn.Module) -> ModelConfig:
    """What the folder that a network was loaded from says of it. Raises UsageError if it was not loaded from one."""
    config = getattr(network, CONFIG_OF, None)
    if not isinstance(config, ModelConfig):
        raise UsageError(f"this {type(network).__name__} was not loaded from a model folder")
    return config


def decode(generator: nn.Module, samples: Tensor) -> Any:
    """Samples as people use them: ``ganzoo.decode(generator, generator.sample(seeds=range(16)))``.

    Args:
        generator: That made them; from :func:`ganzoo.load`.
        samples: ``(N, *sample_shape)``.

    Returns:
        What their modality says: of pictures, a NumPy array ``(N, H, W, C)``, uint8; of arrays, float32
        ``(N, *sample_shape)``; of others, a list of texts, a data frame.

    Raises:
        UsageError: The generator was not loaded from a model folder, or the samples have another shape.
        PluginError: The modality fails.
    """
    if not isinstance(samples, Tensor):
        raise UsageError(f"samples are a tensor, as generator.sample() returns it, and not a {type(samples).__name__}")
    modality = modality_of(config_of(generator))
    if tuple(samples.shape[1:]) != modality.sample_shape:
        wanted = ", ".join(map(str, modality.sample_shape))
        raise UsageError(f"samples of shape {tuple(samples.shape)}, expected (N, {wanted})")
    with asking(modality, "decode"):
        return modality.decode(samples.detach())


def _part(config: ModelConfig, role: str, folder: Path) -> Part:
    """How to build a role's network, by what installed plugins say; the file's own words are only compared with theirs."""
    registry = plugins.load().registry
    entry = _variant_entry(registry, config)
    variant = registry.variant(entry.qualified)
    network = config.networks[role]
    if role not in variant.roles:
        raise ModelError(f"{folder / CONFIG} holds a {role}, which the variant {config.variant!r} does not have")
    name = f"{network.plugin.distribution}:{network.component}"
    if registry.find(kind_of(role), name) is None:
        declared = (variant.roles[role], *(preset.options.get(role) for preset in variant.presets.values()))
        if network.plugin.distribution not in registry.distributions():
            raise missing(f"the {kind_of(role)} {network.component!r}", network.plugin)
        if network.component not in declared:
            raise ModelError(
                f"{folder / CONFIG} names the component {network.component!r}, which no installed plugin declares"
            )
        name = network.component
    try:
        return make_part(registry, kind_of(role), name, network.arguments, label=role, within=entry.origin)
    except UsageError as error:
        raise ModelError(f"{folder / CONFIG}: {shorten(error.message)}", hint=_versions(config, entry.origin)) from error


def shorten(words: object) -> str:
    """What an error says, on one line and not longer than anybody reads; a stranger's file may have written it."""
    line = " ".join(str(words).split())
    return line if len(line) <= MAX_WORDS else f"{line[:MAX_WORDS]} …"


def _variant_entry(registry: Registry, config: ModelConfig) -> Entry:
    entry = registry.find("variant", f"{config.plugin.distribution}:{config.variant}")
    if entry is None:
        raise missing(f"the variant {config.variant!r}", config.plugin)
    return entry


def _versions(config: ModelConfig, origin: Origin) -> str:
    wrote = f"written by {origin.distribution} {config.plugin.version} and ganzoo {config.ganzoo}"
    return f"{wrote}; here are {origin.version} and {__version__}"


class _Told(NamedTuple):
    """What a network may ask for that is not in its own arguments: what samples are, and the options of other roles."""

    modality: Modality
    options: dict[str, dict[str, Json]]


def _asked(part: Part) -> list[str]:
    """The roles whose options a network asks for."""
    return [name.removesuffix(OPTIONS_OF) for name in parameters_of(part.component) if name.endswith(OPTIONS_OF)]


def _options(config: ModelConfig, role: str, folder: Path) -> dict[str, Json]:
    """Of a network that may not be in the folder, which then says how it was built all the same; as strict as for one that is.

    Raises:
        ModelError: The folder does not say it, or nothing installed is built so.
    """
    if role in config.networks:
        return _part(config, role, folder).arguments
    said = config.training.get(role)
    if not isinstance(said, dict) or not isinstance(said.get("arguments"), dict):
        raise ModelError(f"{folder / CONFIG} does not say how its {role} was built")
    distribution = said.get("distribution") or config.plugin.distribution
    version = config.plugin.version if distribution == config.plugin.distribution else "0"
    told = {"component": said.get("name"), "plugin": {"distribution": distribution, "version": version}}
    whole = config.model_dump(exclude={"networks"}) | {"networks": {role: {**told, "arguments": said["arguments"]}}}
    return _part(make_config(whole), role, folder).arguments


def _build(part: Part, role: str, config: ModelConfig, told: _Told) -> nn.Module:
    networks = build_networks(
        {role: part},
        told.modality,
        num_classes=config.num_classes,
        latent_shape=config.latent_shape,
        latents=[Latent(latent.name, latent.kind, latent.size) for latent in config.latents],
        options=told.options,
    )
    return networks[role]


def _compare(path: Path, described: nn.Module) -> None:
    """Compare a file's header with a network that has no memory yet. Raises RuntimeError where they differ."""
    if not path.is_file():
        raise RuntimeError("there is no such file")
    with path.open("rb") as raw:
        if int.from_bytes(raw.read(8), "little") > MAX_HEADER:
            raise RuntimeError(f"its header is longer than {MAX_HEADER} bytes")
    wanted = {k: (tuple(v.shape), v.dtype) for k, v in described.state_dict().items()}
    with safe_open(path, framework="pt") as file:
        names = set(file.keys())
        if names != set(wanted):
            odd = sorted(names ^ set(wanted))
            raise RuntimeError(f"its tensors are not the network's: {', '.join(odd[:3])}{' …' if len(odd) > 3 else ''}")
        for name, (shape, dtype) in wanted.items():
            found = file.get_slice(name)
            if tuple(found.get_shape()) != shape:
                raise RuntimeError(f"{name} has shape {found.get_shape()}, the network {list(shape)}")
            if found.get_dtype() not in (STORED if dtype.is_floating_point else INTEGERS):
                raise RuntimeError(f"{name} is of type {found.get_dtype()}, the network's of {dtype}")
