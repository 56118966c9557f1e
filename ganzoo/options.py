"""The options of a component: what its constructor's signature and docstring say, and whether a value fits."""

from __future__ import annotations

import inspect
import json
import math
import re
import shlex
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ConfigDict, PydanticSchemaGenerationError, TypeAdapter, ValidationError

from ganzoo.errors import PluginError, UsageError
from ganzoo.variant import Json, leaves, thaw

CONTEXT = ("sample_shape", "num_classes", "value_range", "modality", "latent_shape", "latents")
"""What a network's constructor may ask for by name; everything else in its signature is an option."""

OPTIONS_OF = "_options"
"""What a parameter ends with that asks for the options of the role before it: ``generator_options``."""

TRAINED = ("networks", "loss", "penalties", "augmentations")
"""What a trainer's constructor may ask for by name."""

BASES = "ganzoo.interfaces."
"""Where the classes are that plugins derive from, whose own parameters are none of a component's."""


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
            raise UsageError(f"{label}={value!r}: {_in_words(error)}", hint=self._example(label)) from None

    def _example(self, label: str) -> str | None:
        """A value that fits, as it is typed: the default, if that is one."""
        if self.required or self.default is None:
            return None
        shown = self.default if isinstance(self.default, str) else json.dumps(thaw(self.default))
        return f"for example: {'--data' if '?' in label else '-o'} {shlex.quote(f'{label}={shown}')}"


BOUNDS = {
    "greater_than": "greater than",
    "greater_than_equal": "at least",
    "less_than": "less than",
    "less_than_equal": "at most",
}
TYPES = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "text",
    "tuple": "a list, such as 1,2",
}
TYPES |= {"list": TYPES["tuple"], "dict": "names with values, as JSON has them", "finite": "a number that is finite"}


def _in_words(error: ValidationError) -> str:
    """What is wrong with a value, in plain words."""
    errors = error.errors(include_url=False)
    first = errors[0]
    # Of several values in a list, which one.
    where = "".join(f"value {at + 1} of it " for at in first["loc"][:1] if isinstance(at, int)) or "it "
    wanted = [_wanted(told["type"], told.get("ctx", {})) for told in (errors if where == "it " else errors[:1])]
    if first["type"] == "value_error":
        return str(first["ctx"]["error"])
    if None in wanted:
        return first["msg"][0].lower() + first["msg"][1:]
    # A value that may be of several types has an error for each.
    return f"{where}must be {', or '.join(dict.fromkeys(map(str, wanted)))}"


def _wanted(kind: str, context: Mapping[str, Any]) -> str | None:
    """What a value must be, by the kind of pydantic's error; None for a rare one."""
    if kind in BOUNDS:
        return f"{BOUNDS[kind]} {next(iter(context.values())):g}"
    if kind == "literal_error":
        return str(context["expected"])
    return None if kind.endswith(("_short", "_long")) else TYPES.get(kind.partition("_")[0])


def parameters_of(component: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The named parameters of a component, with its types resolved where they can be.

    A class whose constructor takes ``**options`` has those of the class above it too, to which it hands them on.

    Raises:
        PluginError: It does not say what it is built with.
    """
    found: dict[str, inspect.Parameter] = {}
    for owner in inspect.getmro(component) if inspect.isclass(component) else (component,):
        if owner is not component and (owner is object or str(owner.__module__).startswith((BASES, "torch."))):
            break
        function = owner.__init__ if inspect.isclass(owner) else owner
        try:
            parameters = inspect.signature(component if owner is component else function).parameters.values()
        except ValueError as error:
            raise PluginError(f"{component!r} does not say what it is built with: {error}") from error
        try:
            hints = typing.get_type_hints(function, include_extras=True)
        except NameError:
            hints = {}
        for p in parameters:
            if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD) and p.name != "self":
                found.setdefault(p.name, p.replace(annotation=hints.get(p.name, Any)))
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return found


def options_of(component: Callable[..., Any]) -> dict[str, Option]:
    """The options of a component: its constructor's named parameters, less what it is given by others."""
    summaries = summaries_of(component)
    return {
        name: Option(name, parameter.annotation, parameter.default, summaries.get(name, ""))
        for name, parameter in parameters_of(component).items()
        if not _is_given(component, name)
    }


def _is_given(component: Callable[..., Any], name: str) -> bool:
    """Whether a component of its kind gets the parameter of that name from others, instead of its being an option."""
    above = {base.__name__ for base in getattr(component, "__mro__", ()) if str(base.__module__).startswith(BASES)}
    if "Trainer" in above:
        return name in TRAINED
    if above & {"Loss", "Penalty", "Augmentation"}:
        return False
    return name in CONTEXT or name.endswith(OPTIONS_OF)


def renamed_of(component: Any) -> dict[str, str]:
    """What the options of a component were called before -> what they are called now.

    It says so in ``renamed = {"channels": "width"}``, an attribute of the class, whose parents' count too, or of the function.
    """
    found: dict[str, str] = {}
    for owner in reversed(inspect.getmro(component)) if inspect.isclass(component) else (component,):
        told = vars(owner).get("renamed") if hasattr(owner, "__dict__") else None
        found |= told if isinstance(told, Mapping) else {}
    return found


def as_named_now(component: Callable[..., Any], arguments: Mapping[str, Json]) -> dict[str, Json]:
    """Arguments by the names that their options have now; of two for one option, the later counts."""
    renamed = renamed_of(component)
    if not renamed:
        return dict(arguments)
    options = options_of(component)
    return {key if key in options else renamed.get(key, key): value for key, value in arguments.items()}


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


def _mentions(annotation: Any, wanted: type) -> bool:
    return annotation in (wanted, Any) or any(_mentions(part, wanted) for part in typing.get_args(annotation))
