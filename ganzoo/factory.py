"""From names and arguments to networks: the one path that training, loading, describing and checking all take."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from ganzoo.errors import GanzooError, PluginError, UnknownNameError, UsageError, describe
from ganzoo.interfaces import Augmentation, Discriminator, Generator, Loss, Penalty, Trainer
from ganzoo.latents import Latent
from ganzoo.modalities.asking import asking
from ganzoo.modalities.base import Modality
from ganzoo.options import OPTIONS_OF, as_named_now, options_of, parameters_of
from ganzoo.registry import Kind, Origin, Registry
from ganzoo.variant import Json, thaw

TYPES: dict[Kind, type] = {
    "generator": Generator,
    "discriminator": Discriminator,
    "network": nn.Module,
    "loss": Loss,
    "penalty": Penalty,
    "augmentation": Augmentation,
    "trainer": Trainer,
}
"""What a component of each kind makes."""


@dataclass(frozen=True)
class Part:
    """A component together with every argument it is built with.

    Attributes:
        name: How it was named: a registry name or ``module:attr``.
        arguments: Every option, defaults filled in, as JSON.
        origin: The plugin that offers it; None for a ``module:attr`` that no plugin declares.
    """

    kind: Kind
    name: str
    origin: Origin | None
    component: Callable[..., Any]
    arguments: dict[str, Json]

    @property
    def distribution(self) -> str | None:
        """Which distribution's the name is, as two may have one; None for ``module:attr``, which is one thing by itself."""
        return self.origin.distribution if self.origin and ":" not in self.name else None

    def to_json(self) -> dict[str, Json]:
        return {"name": self.name, "distribution": self.distribution, "arguments": thaw(self.arguments)}

    def build(self, label: str, **context: Any) -> Any:
        """The object itself, handed those of ``context`` that its constructor asks for.

        Raises:
            UsageError: The component refuses its arguments or the samples' shape, or fails on them.
        """
        wanted = parameters_of(self.component)
        given = {k: v for k, v in context.items() if k in wanted}
        try:
            built = self.component(**given, **self.arguments)
        except GanzooError:
            raise
        except Exception as error:
            shown = ", ".join(f"{k}={v}" for k, v in self.arguments.items())
            raise UsageError(
                f"{label} {self.name!r} cannot be built with {shown or 'no options'}: {describe(error)}",
                hint="GANZOO_DEBUG=1 shows the whole traceback",
            ) from error
        if not isinstance(built, wanted_type := TYPES[self.kind]):
            raise UsageError(f"{label} {self.name!r} is a {type(built).__name__}, not a {wanted_type.__name__}")
        return built


def make_part(
    registry: Registry, kind: Kind, name: str, arguments: Mapping[str, Json], *, label: str, within: Origin | None = None
) -> Part:
    """Resolve a component and check its arguments against its own signature.

    Args:
        registry: Where names are looked up.
        kind: What it is.
        name: Registry name or ``module:attr``.
        arguments: The options that are not left at their defaults, by the names that they have or once had.
        label: What users call it: ``generator``, ``penalties.r1``.
        within: Whose variant names it.

    Raises:
        UnknownNameError: No such component, or no such option, with the nearest names.
        UsageError: A value of the wrong type, or a required option that is missing.
        PluginError: The component cannot be imported.
    """
    entry = registry.find(kind, name, within=within.distribution if within else None)
    component = registry.resolve(kind, name, within=within)
    if not callable(component):
        raise PluginError(f"{label} {name!r} is a {type(component).__name__}, not a class or function")
    options, arguments = options_of(component), as_named_now(component, arguments)
    if unknown := [key for key in arguments if key not in options]:
        raise UnknownNameError("option", f"{label}.{unknown[0]}", [f"{label}.{o}" for o in options])
    checked = {}
    for key, option in options.items():
        if key in arguments:
            checked[key] = option.check(thaw(arguments[key]), f"{label}.{key}")
        elif option.required:
            raise UsageError(f"{label} {name!r} needs the option {label}.{key}", hint=f"give it: -o {label}.{key}=VALUE")
        else:
            checked[key] = option.default
    return Part(kind, entry.name if entry else name, entry.origin if entry else within, component, checked)


def kind_of(label: str) -> Kind:
    """The registry kind that a part of a run is looked up in: ``loss`` and ``trainer`` are what they are called; of networks,
    ``generator_b`` is a generator, and ``encoder`` a network."""
    if label in ("loss", "trainer"):
        return "loss" if label == "loss" else "trainer"
    stem = label.partition("_")[0]
    return "generator" if stem == "generator" else "discriminator" if stem == "discriminator" else "network"


def build_networks(
    parts: Mapping[str, Part],
    modality: Modality,
    *,
    num_classes: int = 0,
    latent_shape: Sequence[int] | None = None,
    latents: Sequence[Latent] = (),
    options: Mapping[str, Mapping[str, Json]] | None = None,
) -> dict[str, nn.Module]:
    """Every network by role, with fresh weights; the generator comes first, and its latents are told to the others.

    Args:
        parts: Role -> part.
        modality: What samples are.
        num_classes: Classes in the data's labels, 0 for none.
        latent_shape, latents: For when no generator is among the parts.
        options: Likewise, role -> the options of networks that are not among the parts.

    Raises:
        UsageError: A network does not support the shape or an argument.
        PluginError: A part is not the kind of network that its role needs.
    """
    with asking(modality, "value_range"):
        value_range = modality.value_range
    context: dict[str, Any] = {
        "sample_shape": modality.sample_shape,
        "num_classes": num_classes,
        "value_range": value_range,
        "modality": modality,
        "latent_shape": latent_shape,
        "latents": tuple(latents),
    }
    told = dict(options or {}) | {role: part.arguments for role, part in parts.items()}
    context |= {f"{role}{OPTIONS_OF}": dict(arguments) for role, arguments in told.items()}
    networks: dict[str, nn.Module] = {}
    for role in sorted(parts, key=lambda r: r != "generator"):
        network = parts[role].build(role, **context)
        if role == "generator":
            if network.sample_shape != context["sample_shape"]:
                asked = context["sample_shape"]
                raise PluginError(f"generator {parts[role].name!r} makes {network.sample_shape}, asked for {asked}")
            context |= {"latent_shape": network.latent_shape, "latents": network._ganzoo_latents}
        networks[role] = network
    return networks


def count_parameters(network: nn.Module) -> int:
    """How many numbers training changes in ``network``."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)
