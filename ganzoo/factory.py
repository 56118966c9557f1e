"""From names and arguments to networks: the one path that training, loading, describing and checking all take."""

from __future__ import annotations

import inspect
import math
import re
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ConfigDict, PydanticSchemaGenerationError, TypeAdapter, ValidationError
from torch import nn

from ganzoo.errors import GanzooError, PluginError, UnknownNameError, UsageError, describe
from ganzoo.interfaces import Discriminator, Generator, Loss, Penalty, Trainer
from ganzoo.registry import Kind, Origin, Registry
from ganzoo.variant import Json, leaves, thaw

CONTEXT = ("sample_shape", "num_classes", "value_range", "latent_shape")
"""What a network's constructor may ask for by name; everything else in its signature is an option."""

GIVEN = (*CONTEXT, "networks", "loss", "penalties")
"""Parameters that are never options of a part: networks ask for those of CONTEXT, trainers for the others."""


TYPES: dict[Kind, type] = {
    "generator": Generator,
    "discriminator": Discriminator,
    "network": nn.Module,
    "loss": Loss,
    "penalty": Penalty,
    "trainer": Trainer,
}
"""What a component of each kind makes."""


@dataclass(frozen=True)
class Option:
    """One keyword argument of a component.

    Attributes:
        annotation: Its type, ``Any`` if the component does not say.
        default: Its default, :data:`inspect.Parameter.empty` if it must be given.
        summary: What the component's docstring says of it, if anything.
    """

    name: str
    annotation: Any
    default: Any
    summary: str = ""

    @property
    def required(self) -> bool:
        return self.default is inspect.Parameter.empty

    def check(self, value: Json, label: str) -> Json:
        """``value`` as the annotation has it. Raises UsageError, naming ``label``, if it does not fit."""
        if any(isinstance(leaf, float) and not math.isfinite(leaf) for leaf in leaves(value)):
            raise UsageError(f"{label} must be finite, got {value!r}")
        annotated = typing.get_origin(self.annotation) is typing.Annotated
        bare = typing.get_args(self.annotation)[0] if annotated else self.annotation
        # bool is an int to Python, and so to pydantic; to users it is not.
        if not _mentions(self.annotation, bool) and any(isinstance(leaf, bool) for leaf in leaves(value)):
            raise UsageError(f"{label}={value!r}: true and false are no values for it")
        try:
            adapter: TypeAdapter[Any] = TypeAdapter(self.annotation, config=ConfigDict(allow_inf_nan=False))
        except PydanticSchemaGenerationError as error:
            raise PluginError(f"{label} has a type that options cannot have: {self.annotation!r}") from error
        # Somebody who types one number means a list of one.
        if typing.get_origin(bare) is tuple and not isinstance(value, (list, tuple)):
            value = [value]
        try:
            return adapter.validate_python(value)
        except ValidationError as error:
            why = error.errors()[0]["msg"]
            raise UsageError(f"{label}={value!r}: {why[0].lower()}{why[1:]}") from None


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
        wanted = inspect.signature(self.component).parameters
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


def options_of(component: Callable[..., Any]) -> dict[str, Option]:
    """The options of a component: its constructor's named parameters, less what it is given by others."""
    function = component.__init__ if inspect.isclass(component) else component
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except NameError:
        hints = {}
    try:
        parameters = inspect.signature(component).parameters.values()
    except ValueError as error:
        raise PluginError(f"{component!r} does not say what it is built with: {error}") from error
    named = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    summaries = summaries_of(component)
    return {
        p.name: Option(p.name, hints.get(p.name, Any), p.default, summaries.get(p.name, ""))
        for p in parameters
        if p.kind in named and p.name not in GIVEN
    }


def summaries_of(component: Callable[..., Any]) -> dict[str, str]:
    """What the docstring of a class or function says of each argument or attribute, those of the classes above it too.

    It is read as Google's style has it: ``name: text`` under ``Args:`` or ``Attributes:``, further lines indented.
    """
    found: dict[str, str] = {}
    for documented in reversed(inspect.getmro(component) if inspect.isclass(component) else (component,)):
        section, names = False, list[str]()
        # Not inspect.getdoc, which gives a class without a docstring that of the class above.
        for line in inspect.cleandoc(documented.__doc__ or "").splitlines():
            if line and not line.startswith(" "):
                section = line in ("Args:", "Attributes:")
            elif section and re.match(r"    \S", line):
                match = re.match(r"    (\w+(?:, \w+)*)(?: \(.*?\))?: (.*)", line)
                names = match[1].split(", ") if match else []
                found |= dict.fromkeys(names, match[2].strip().replace("``", "")) if match else {}
            elif section and line.strip():
                found |= {name: f"{found[name]} {line.strip()}".replace("``", "") for name in names}
    return found


def make_part(
    registry: Registry, kind: Kind, name: str, arguments: Mapping[str, Json], *, label: str, within: Origin | None = None
) -> Part:
    """Resolve a component and check its arguments against its own signature.

    Args:
        registry: Where names are looked up.
        kind: What it is.
        name: Registry name or ``module:attr``.
        arguments: The options that are not left at their defaults.
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
    options = options_of(component)
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


def kind_of(role: str) -> Kind:
    """The registry kind that a role's network is looked up in: ``generator_b`` is a generator, ``encoder`` a network."""
    stem = role.partition("_")[0]
    return "generator" if stem == "generator" else "discriminator" if stem == "discriminator" else "network"


def build_networks(
    parts: Mapping[str, Part],
    *,
    sample_shape: Sequence[int],
    num_classes: int = 0,
    value_range: tuple[float, float] | None = None,
    latent_shape: Sequence[int] | None = None,
) -> dict[str, nn.Module]:
    """Every network by role, with fresh weights; the generator comes first, and its latent shape is told to the others.

    Args:
        parts: Role -> part.
        sample_shape: Shape of one sample.
        num_classes: Classes in the data's labels, 0 for none.
        value_range: Lowest and highest value of a sample, None if unbounded.
        latent_shape: For when no generator is among the parts.

    Raises:
        UsageError: A network does not support the shape or an argument.
        PluginError: A part is not the kind of network that its role needs.
    """
    context: dict[str, Any] = {
        "sample_shape": tuple(sample_shape),
        "num_classes": num_classes,
        "value_range": value_range,
        "latent_shape": latent_shape,
    }
    networks: dict[str, nn.Module] = {}
    for role in sorted(parts, key=lambda r: r != "generator"):
        network = parts[role].build(role, **context)
        if role == "generator":
            if network.sample_shape != context["sample_shape"]:
                raise PluginError(f"generator {parts[role].name!r} makes {network.sample_shape}, asked for {sample_shape}")
            context["latent_shape"] = network.latent_shape
        networks[role] = network
    return networks


def count_parameters(network: nn.Module) -> int:
    """How many numbers training changes in ``network``."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def _mentions(annotation: Any, wanted: type) -> bool:
    return annotation in (wanted, Any) or any(_mentions(part, wanted) for part in typing.get_args(annotation))
