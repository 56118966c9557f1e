"""The model folder: what a run ends with, and what is loaded from.

A folder holds ``config.json`` (which variant, from which plugin, every constructor argument), ``model.safetensors`` (the
EMA generator), one more ``ROLE.safetensors`` for each further network that the variant keeps, and ``samples.png``.

Everything in a folder may come from a stranger. Names in it are looked up among what installed plugins declare and never
imported; a network is first described without memory and compared with the file's header, then built and loaded
strictly; only safetensors are read.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from ganzoo import __version__, plugins
from ganzoo.errors import ModelError, PluginError, UnknownNameError, UsageError
from ganzoo.factory import Part, build_networks, kind_of, make_part
from ganzoo.files import write_json
from ganzoo.registry import Entry, Origin, Registry
from ganzoo.variant import NAME, Json

FORMAT = 1
CONFIG = "config.json"
MAX_CONFIG_BYTES = 1 << 20
MAX_INTEGER = 1 << 24
MAX_VALUES = 1 << 26
"""The most values that a sample has: a picture of 4096 x 4096 in colour has fewer."""

Size = Annotated[int, Field(ge=1, le=MAX_INTEGER)]
Shape = Annotated[tuple[Size, ...], Field(max_length=8)]


class PluginConfig(BaseModel):
    """The installed distribution that something came from."""

    model_config = ConfigDict(frozen=True)
    distribution: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
    version: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+!-]{0,99}$")]


class NetworkConfig(BaseModel):
    """How one network is built: the component's name, the plugin that offers it, and every argument."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    component: Annotated[str, Field(max_length=200)]
    plugin: PluginConfig
    arguments: dict[str, Json]


class ModelConfig(BaseModel):
    """What ``config.json`` holds.

    Attributes:
        format: Version of the model folder's layout.
        ganzoo: Version of ganzoo that wrote it.
        variant: Name of the variant, without its distribution.
        plugin: Where the variant came from.
        networks: Role -> how it is built, for every role whose weights are in the folder.
        sample_shape, latent_shape: Without the batch axis.
        num_classes: Classes in the data, 0 if it has no labels.
        class_names: Their names, if known.
        value_range: Lowest and highest value of a sample; None if unbounded.
        training: What the run was: preset, data, images seen, seconds, options.
    """

    model_config = ConfigDict(frozen=True)
    format: Literal[1]
    ganzoo: Annotated[str, Field(max_length=100)]
    variant: Annotated[str, Field(pattern=rf"^{NAME.pattern}$", max_length=100)]
    plugin: PluginConfig
    networks: dict[str, NetworkConfig]
    sample_shape: Shape
    latent_shape: Shape
    num_classes: Annotated[int, Field(ge=0, le=1 << 20)] = 0
    class_names: tuple[str, ...] = ()
    value_range: tuple[float, float] | None = None
    training: dict[str, Json] = {}


def weights_file(role: str) -> str:
    """The name of the file that holds a role's weights."""
    return "model.safetensors" if role == "generator" else f"{role}.safetensors"


def save(folder: Path, config: ModelConfig, networks: Mapping[str, nn.Module]) -> None:
    """Write ``config.json`` and the weights of ``networks`` into ``folder``, which exists.

    Args:
        folder: Where to write; make it with :func:`ganzoo.files.replace_folder` to have all or nothing.
        config: Describes exactly the roles in ``networks``.
        networks: Role -> network.
    """
    assert set(config.networks) == set(networks)
    for role, network in networks.items():
        save_file(tensors_of(network, role), folder / weights_file(role), metadata={"format": "pt"})
    write_json(folder / CONFIG, config.model_dump(mode="json"))


def tensors_of(network: nn.Module, role: str) -> dict[str, torch.Tensor]:
    """A network's state as safetensors takes it, each tensor with memory of its own.

    Raises:
        PluginError: The state holds something else than tensors.
    """
    state = network.state_dict()
    if odd := [name for name, value in state.items() if not isinstance(value, torch.Tensor)]:
        raise PluginError(f"the {role}'s state {odd[0]!r} is a {type(state[odd[0]]).__name__}; only tensors can be saved")
    return {name: value.detach().cpu().clone(memory_format=torch.contiguous_format) for name, value in state.items()}


def find(source: str | Path) -> Path:
    """The model folder that ``source`` means: itself, or ``model/`` inside the folder of a run.

    Raises:
        ModelError: There is none.
    """
    path = Path(source)
    with contextlib.suppress(RuntimeError):
        path = path.expanduser()
    for folder in (path, path / "model"):
        if (folder / CONFIG).is_file() and (folder / weights_file("generator")).is_file():
            return folder
    if not path.is_dir():
        raise ModelError(
            f"no model folder {str(source)!r}", hint="make one: ganzoo train NAME, then load the folder that it names"
        )
    if (path / "metrics.jsonl").is_file():
        raise ModelError(f"the run {str(source)!r} has no model: it is still going on, or did not finish")
    raise ModelError(f"{str(source)!r} is not a model folder: it lacks {CONFIG} or {weights_file('generator')}")


def read_config(folder: Path) -> ModelConfig:
    """The validated ``config.json`` of a model folder. Raises ModelError if it is missing, damaged or not understood."""
    path = folder / CONFIG
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_CONFIG_BYTES + 1)
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror or error}") from error
    if len(raw) > MAX_CONFIG_BYTES:
        raise ModelError(f"{path} is larger than {MAX_CONFIG_BYTES} bytes, which no model's configuration is")
    try:
        data = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} is not JSON: {error}") from error
    if isinstance(data, dict) and data.get("format") != FORMAT and isinstance(data.get("format"), int):
        raise ModelError(
            f"{path} has format {data['format']}, this ganzoo reads {FORMAT}", hint="pip install --upgrade ganzoo"
        )
    try:
        return make_config(data)
    except ModelError as error:
        raise ModelError(f"{path} is not a model's configuration: {error.message}") from None


def make_config(data: Any) -> ModelConfig:
    """``data`` as a model's configuration. Raises ModelError, naming the field that is malformed or out of bounds."""
    try:
        config = ModelConfig.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        raise ModelError(f"{'.'.join(map(str, first['loc'])) or 'it'}: {first['msg'].lower()}") from None
    if math.prod(config.sample_shape) > MAX_VALUES:
        raise ModelError(f"sample_shape: {config.sample_shape} is more than {MAX_VALUES} values")
    for role, network in config.networks.items():
        if (largest := _largest_integer(network.arguments)) > MAX_INTEGER:
            raise ModelError(f"networks.{role} has the integer {largest}, beyond ±{MAX_INTEGER}")
    return config


def load(source: str | Path, *, role: str = "generator", device: str | torch.device = "cpu") -> Any:
    """A trained network, ready to use: ``ganzoo.load("runs/dcgan").sample(seeds=range(16))``.

    Args:
        source: A model folder, or the folder of a run, which has one.
        role: Which network; the generator unless the variant keeps others too.
        device: Where to put it.

    Returns:
        The network in evaluation mode; for ``generator`` a :class:`ganzoo.Generator`. Its ``config`` attribute holds the
        folder's :class:`ModelConfig`.

    Raises:
        ModelError: No model folder, or one that is damaged, or whose plugin is not installed.
        UsageError: The folder has no network of that role.
    """
    folder = find(source)
    config = read_config(folder)
    if role not in config.networks:
        raise UnknownNameError("role", role, config.networks, hint=f"{folder} holds {', '.join(config.networks)}")
    part = _part(config, role, folder)
    path = folder / weights_file(role)
    try:
        with torch.device("meta"):
            described = _build(part, role, config)
        _compare(path, described)
        network = _build(part, role, config)
        network.load_state_dict(load_file(path), strict=True)
    except (UsageError, SafetensorError, OSError, RuntimeError) as error:
        raise ModelError(f"{path} cannot be loaded: {error}") from error
    network.config = config  # type: ignore[assignment]
    return network.to(device).eval().requires_grad_(False)


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
            raise ModelError(f"this model's {role} comes from a plugin that is not loaded", hint=_missing(network.plugin))
        if network.component not in declared:
            raise ModelError(
                f"{folder / CONFIG} names the component {network.component!r}, which no installed plugin declares"
            )
        name = network.component
    try:
        return make_part(registry, kind_of(role), name, network.arguments, label=role, within=entry.origin)
    except UsageError as error:
        raise ModelError(f"{folder / CONFIG}: {error.message}", hint=_versions(config, entry.origin)) from error


def _variant_entry(registry: Registry, config: ModelConfig) -> Entry:
    entry = registry.find("variant", f"{config.plugin.distribution}:{config.variant}")
    if entry is None:
        raise ModelError(f"this model needs the variant {config.variant!r}, which is not loaded", hint=_missing(config.plugin))
    return entry


def _missing(plugin: PluginConfig) -> str:
    """What to do about a plugin that a model needs and that is not there; it is never installed by itself."""
    whose = f"it is in the plugin {plugin.distribution!r} {plugin.version}"
    if any(origin.distribution == plugin.distribution for origin in plugins.load().skipped):
        return f"{whose}, which GANZOO_LOAD_PLUGINS leaves out"
    if any(p.origin.distribution == plugin.distribution and p.problems for p in plugins.load().found):
        return f"{whose}, which is broken; see: ganzoo plugins"
    return f"{whose}; if you trust it: pip install {plugin.distribution}"


def _versions(config: ModelConfig, origin: Origin) -> str:
    wrote = f"written by {origin.distribution} {config.plugin.version} and ganzoo {config.ganzoo}"
    return f"{wrote}; here are {origin.version} and {__version__}"


def _build(part: Part, role: str, config: ModelConfig) -> nn.Module:
    networks = build_networks(
        {role: part},
        sample_shape=config.sample_shape,
        num_classes=config.num_classes,
        value_range=config.value_range,
        latent_shape=config.latent_shape,
    )
    return networks[role]


def _compare(path: Path, described: nn.Module) -> None:
    """Compare a file's header with a network that has no memory yet. Raises RuntimeError where they differ."""
    wanted = {k: (tuple(v.shape), v.dtype) for k, v in described.state_dict().items()}
    with safe_open(path, framework="pt") as file:
        names = set(file.keys())
        if names != set(wanted):
            odd = sorted(names ^ set(wanted))
            raise RuntimeError(f"its tensors are not the network's: {', '.join(odd[:3])}{' …' if len(odd) > 3 else ''}")
        for name, (shape, _) in wanted.items():
            if tuple(file.get_slice(name).get_shape()) != shape:
                raise RuntimeError(f"{name} has shape {file.get_slice(name).get_shape()}, the network {list(shape)}")


def _largest_integer(value: Json) -> int:
    """The largest absolute value of an integer anywhere in ``value``: constructors are asked to allocate by them."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return max(map(_largest_integer, value), default=0)
    return abs(value) if isinstance(value, int) else 0
