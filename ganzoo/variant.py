"""A variant: one model of the zoo, described in plain data that needs no torch."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, ClassVar, TypeAlias

from ganzoo.errors import caller

Json: TypeAlias = Any
"""None, bool, int, float, str, or a list or string-keyed mapping of these (tuples count as lists)."""

NAME = re.compile(r"[a-z0-9]+([._-][a-z0-9]+)*")
REQUIRED_PRESETS = ("default", "paper")

ALTERNATING = "alternating"
"""The trainer of most GANs, which needs both networks and a loss."""
FAMILY = "generative adversarial network"
DATA = "fashion-mnist-10k"
"""What a variant trains on where neither it nor the user says."""

EARLY = ("images", "batch_size")
"""Options that a run needs before it knows of which size its pictures are."""

_LENIENT: ContextVar[bool] = ContextVar("lenient", default=False)


@contextlib.contextmanager
def lenient() -> Iterator[None]:
    """In the block, which is a plugin's code, what is malformed says so in its ``problem`` instead of raising.

    So one variant that is malformed does not keep a plugin from offering the others.
    """
    token = _LENIENT.set(True)
    try:
        yield
    finally:
        _LENIENT.reset(token)


@contextlib.contextmanager
def noting(problems: list[str]) -> Iterator[None]:
    """What is malformed in the block is added to ``problems``, with the author's file and line, where that is asked for."""
    try:
        yield
    except (TypeError, ValueError) as error:
        if not _LENIENT.get():
            raise
        place = caller()
        problems.append(f"{error} ({place})" if place else str(error))


class _Described:
    """What a plugin describes in plain data.

    Attributes:
        problem: What is wrong with it, for one that was made by a plugin as it was loaded; elsewhere, that is raised.
    """

    problem: ClassVar[str] = ""

    def __post_init__(self) -> None:
        problems: list[str] = []
        with noting(problems):
            self._settle()
        for problem in problems:
            object.__setattr__(self, "problem", problem)

    def _settle(self) -> None:
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Preset(_Described):
    """A named set of options of a variant.

    Args:
        summary: One line: what this preset is for.
        options: Dotted option name -> value, exactly what ``ganzoo train -o key=value`` takes:
            ``{"batch_size": 64, "lr": 2e-4, "generator.width": 64, "loss": "hinge"}``.
        source: Where the numbers come from (paper, section, file), for presets that follow something published.
        from_pixels: What is different for pictures of at least so many pixels a side: ``{96: {"loss": "wasserstein", …}}``.
            Of several numbers, the largest that a picture reaches counts. What the user says comes before; whoever chooses
            one of the parts that are named there (its loss, say), chooses against all of it. It cannot hold ``images`` or
            ``batch_size``, which are settled before pictures are read.
    """

    summary: str
    options: Mapping[str, Json] = field(default_factory=dict)
    source: str = ""
    from_pixels: Mapping[int, Mapping[str, Json]] = field(default_factory=dict)

    def _settle(self) -> None:
        if not isinstance(self.options, Mapping):
            raise TypeError(f"Preset.options must be a mapping, got {self.options!r}")
        object.__setattr__(self, "options", freeze(self.options, "options"))
        given = self.from_pixels if isinstance(self.from_pixels, Mapping) else {"": self.from_pixels}
        # JSON has no keys but strings.
        sides = [int(side) if str(side).isdecimal() else 0 for side in given]
        if min(sides, default=1) < 1 or not all(isinstance(options, Mapping) for options in given.values()):
            raise TypeError(f"Preset.from_pixels must map numbers of pixels to options, got {self.from_pixels!r}")
        larger = dict(zip(sides, given.values(), strict=True))
        for side, options in larger.items():
            if early := [key for key in EARLY if key in options]:
                raise ValueError(f"Preset.from_pixels[{side}] has {early[0]!r}, which is settled before pictures are read")
        frozen = {side: freeze(larger[side], f"from_pixels[{side}]") for side in sorted(larger)}
        object.__setattr__(self, "from_pixels", MappingProxyType(frozen))

    def step(self, side: int | None) -> int | None:
        """Which of ``from_pixels`` counts for pictures of ``side`` pixels; None if none does, or samples are no pictures."""
        return max((least for least in self.from_pixels if side is not None and least <= side), default=None)

    def to_json(self) -> dict[str, Json]:
        """The preset as plain dicts, lists and scalars."""
        larger = {str(side): thaw(options) for side, options in self.from_pixels.items()}
        return {"summary": self.summary, "source": self.source, "options": thaw(self.options), "from_pixels": larger}


@dataclass(frozen=True, kw_only=True)
class Variant(_Described):
    """One model: which parts it is made of, and the presets that train it.

    Parts are named by registry name (``"dcgan"``) or by ``"module:attr"`` (``"my_gan.networks:Critic"``), and are
    imported on first use only.

    Args:
        name: What users type: lower case, digits, ``-``, ``_`` and ``.``.
        summary: One line for ``ganzoo list``.
        paper: Citation: authors, title, year, link.
        generator: The network that makes samples. EMA follows it and a model folder holds it.
        discriminator: The network that judges them; None where nothing does, as in a VAE, which needs a trainer of its own.
        networks: Further networks by role, for variants that have them: ``{"encoder": "my_gan.networks:Encoder"}``.
        keeps: The roles that a model folder holds besides ``generator``.
        loss: The adversarial loss; None if its trainer takes none.
        penalties: Penalty name -> its arguments, e.g. ``{"r1": {"weight": 0.1}}``.
        trainer: The algorithm of one training step.
        family: What kind of model it is, in words that follow "a" or "an": ``variational autoencoder``.
        data: What it trains on unless the user names something; a registered dataset. By default that of ``ganzoo train``.
        presets: At least ``default`` (the best recipe measured) and ``paper`` (the original's hyper-parameters).

    Raises:
        TypeError, ValueError: A field that is malformed, with the field's name.
    """

    name: str
    summary: str
    paper: str
    generator: str
    discriminator: str | None
    networks: Mapping[str, str] = field(default_factory=dict)
    keeps: tuple[str, ...] = ()
    loss: str | None = "non-saturating"
    penalties: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    trainer: str = ALTERNATING
    family: str = FAMILY
    data: str = DATA
    presets: Mapping[str, Preset]

    def _settle(self) -> None:
        for name in ("name", "summary", "paper", "generator", "discriminator", "loss", "trainer", "family", "data"):
            value, may_lack = getattr(self, name), name in ("discriminator", "loss")
            if not (value is None and may_lack) and (not isinstance(value, str) or not value):
                raise TypeError(f"Variant.{name} must be a non-empty string{' or None' * may_lack}, got {value!r}")
        for name in ("discriminator", "loss"):
            if self.trainer == ALTERNATING and getattr(self, name) is None:
                raise ValueError(f"Variant.{name} of {self.name!r} is None, and the trainer {ALTERNATING!r} needs one")
        if not NAME.fullmatch(self.name):
            raise ValueError(f"Variant.name {self.name!r} must be lower-case letters and digits joined by '-', '_' or '.'")
        for name, kind in (("networks", str), ("penalties", Mapping), ("presets", Preset)):
            if not isinstance(values := getattr(self, name), Mapping):
                raise TypeError(f"Variant.{name} must be a mapping, got {values!r}")
            if wrong := [k for k, v in values.items() if not isinstance(v, kind)]:
                raise TypeError(f"Variant.{name}[{wrong[0]!r}] must be a {kind.__name__}, got {values[wrong[0]]!r}")
        for preset in self.presets.values():
            if preset.problem:
                raise ValueError(preset.problem)
        if isinstance(self.keeps, str):
            raise TypeError(f"Variant.keeps must be a tuple of roles, got {self.keeps!r}")
        if missing := [p for p in REQUIRED_PRESETS if p not in self.presets]:
            raise ValueError(f"variant {self.name!r} lacks the preset {missing[0]!r}")
        for role in self.networks:
            # The generator's weights are in model.safetensors.
            if role in ("generator", "discriminator", "model") or not role.isidentifier():
                raise ValueError(f"variant {self.name!r}: {role!r} cannot name a further network")
        if unknown := set(self.keeps) - (set(self.roles) - {"generator"}):
            raise ValueError(f"variant {self.name!r} keeps unknown roles {sorted(unknown)}")
        object.__setattr__(self, "keeps", tuple(self.keeps))
        object.__setattr__(self, "networks", freeze(self.networks, "networks"))
        object.__setattr__(self, "penalties", freeze(self.penalties, "penalties"))
        object.__setattr__(self, "presets", MappingProxyType(dict(self.presets)))

    @property
    def roles(self) -> dict[str, str]:
        """Every network's component by role, the generator first."""
        judged = {"discriminator": self.discriminator} if self.discriminator else {}
        return {"generator": self.generator, **judged, **self.networks}

    def to_json(self) -> dict[str, Json]:
        """The variant as plain dicts, lists and scalars."""
        presets = {name: preset.to_json() for name, preset in self.presets.items()}
        return {**{f.name: thaw(getattr(self, f.name)) for f in fields(self) if f.name != "presets"}, "presets": presets}


def freeze(value: Json, where: str) -> Json:
    """``value`` with every mapping and list made read-only; TypeError, naming ``where``, if it is not JSON-able."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return tuple(freeze(v, f"{where}[{i}]") for i, v in enumerate(value))
    if isinstance(value, Mapping):
        if bad := [k for k in value if not isinstance(k, str)]:
            raise TypeError(f"{where} has a key that is not a string: {bad[0]!r}")
        return MappingProxyType({k: freeze(v, f"{where}.{k}") for k, v in value.items()})
    raise TypeError(f"{where} holds a {type(value).__name__}, which is not plain data")


def thaw(value: Json) -> Json:
    """The inverse of :func:`freeze`: fresh dicts and lists that ``json`` can write."""
    if isinstance(value, Mapping):
        return {k: thaw(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [thaw(v) for v in value]
    return value


def leaves(value: Json) -> Iterator[Json]:
    """The values in nested lists and mappings."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from leaves(item)
    else:
        yield value
