"""Names to components, by kind; nothing is imported before it is used."""

from __future__ import annotations

import fnmatch
import importlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from ganzoo.errors import PluginError, UnknownNameError, UsageError, describe, place_of, say_renamed
from ganzoo.measures.base import Measure
from ganzoo.packages import AGAIN, PROJECT, developed_in
from ganzoo.variant import NAME, Variant, noting

Kind: TypeAlias = Literal[
    "variant",
    "generator",
    "discriminator",
    "network",
    "loss",
    "penalty",
    "augmentation",
    "trainer",
    "modality",
    "dataset",
    "extractor",
    "measure",
    "protocol",
    "tracker",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
PLURALS: dict[Kind, str] = {kind: f"{kind}s" for kind in KINDS} | {
    "loss": "losses",
    "penalty": "penalties",
    "modality": "modalities",
}
REFERENCE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
"""``module:attr``, the form in which a component is named before it is imported."""


@dataclass(frozen=True)
class Origin:
    """The installed distribution and the plugin in it that something comes from."""

    distribution: str
    version: str
    plugin: str


@dataclass(frozen=True)
class Entry:
    """One registered name.

    Attributes:
        held_out: Of a dataset: the one by which models that were trained on it are scored, if there is one.
    """

    kind: Kind
    name: str
    target: Variant | Measure | str | Callable[..., Any]
    summary: str
    origin: Origin
    held_out: str = ""

    @property
    def qualified(self) -> str:
        """``distribution:name``, which reaches the entry even where another one took the bare name."""
        return f"{self.origin.distribution}:{self.name}"

    def resolve(self) -> Any:
        """The component itself, imported now if it was named by ``module:attr``.

        Raises:
            PluginError: The module or the attribute cannot be imported.
        """
        return import_reference(self.target, self.origin) if isinstance(self.target, str) else self.target


class Registry:
    """What all plugins together offer. Built once by :mod:`ganzoo.plugins`, read by everybody."""

    def __init__(self) -> None:
        self._by_name: dict[tuple[Kind, str], Entry] = {}
        self._by_qualified: dict[tuple[Kind, str], Entry] = {}
        self._former: dict[tuple[Kind, str], Entry] = {}

    def include(self, entries: list[Entry]) -> list[str]:
        """Add what one plugin offers; who comes first keeps a bare name. Returns a line for each name already taken."""
        taken = []
        for entry in entries:
            holder = self._by_name.setdefault((entry.kind, entry.name), entry)
            if self._by_qualified.setdefault((entry.kind, entry.qualified), entry) is not entry:
                taken.append(f"registers the {entry.kind} {entry.name!r} a second time; the first one stays")
            elif holder is not entry:
                taken.append(
                    f"claims the {entry.kind} {entry.name!r}, which {holder.origin.distribution} has; use {entry.qualified!r}"
                )
        return taken

    def include_aliases(self, distribution: str, aliases: list[tuple[Kind, str, str]]) -> list[str]:
        """Let names from before reach what has another name now. Returns a line for each that cannot."""
        problems = []
        for kind, old, new in aliases:
            entry = self._by_qualified.get((kind, f"{distribution}:{new}"))
            if entry is None:
                problems.append(f"says that the {kind} {old!r} is called {new!r} now, which it does not register")
            elif (kind, f"{distribution}:{old}") in self._by_qualified:
                problems.append(f"says that the {kind} {old!r} is called {new!r} now, and registers {old!r} as well")
            else:
                self._former.setdefault((kind, old), entry)
                self._former.setdefault((kind, f"{distribution}:{old}"), entry)
        return problems

    def former_names(self, entry: Entry) -> list[str]:
        """What ``entry`` was called before."""
        return [name for (kind, name), e in self._former.items() if kind == entry.kind and e is entry and ":" not in name]

    def entries(self, kind: Kind, pattern: str = "*") -> list[Entry]:
        """What is registered as ``kind``, sorted by the name that reaches it, which ``pattern`` (a glob) must match."""
        return [e for name, e in sorted(self._named(kind)) if fnmatch.fnmatchcase(name, pattern)]

    def in_order(self, kind: Kind) -> list[Entry]:
        """What is registered as ``kind``, in the order in which it was: ganzoo's own first."""
        return [entry for _, entry in self._named(kind)]

    def names(self, kind: Kind) -> list[str]:
        """The names that reach the entries of ``kind``: bare where it is theirs, else ``distribution:name``."""
        return sorted(name for name, _ in self._named(kind))

    def name_of(self, entry: Entry) -> str:
        """The shortest name that reaches ``entry``."""
        return entry.name if self._by_name.get((entry.kind, entry.name)) is entry else entry.qualified

    def get(self, kind: Kind, name: str, *, within: str | None = None) -> Entry:
        """The entry of that name, or of what had it before; whoever typed the old name is told the new one.

        Args:
            kind: What it is.
            name: ``name`` or ``distribution:name``.
            within: A distribution whose own names come first: the one of the variant that does the naming, so that a
                plugin always gets its own parts, whoever else claims their names.

        Raises:
            UnknownNameError: Nothing of that name, with the nearest names.
        """
        entry = self.find(kind, name, within=within)
        if entry is None:
            raise UnknownNameError(kind, name, self.names(kind), hint=f"list them: ganzoo list --kind {PLURALS[kind]}")
        self._tell(entry, name, within)
        return entry

    def find(self, kind: Kind, name: str, *, within: str | None = None) -> Entry | None:
        """As :meth:`get`, but None for a name that nothing has, and without a word on an old one: files have those."""
        key, own = (kind, name), (kind, f"{within}:{name}")
        mine = self._by_qualified.get(own) or self._former.get(own) if within else None
        return mine or self._by_name.get(key) or self._by_qualified.get(key) or self._former.get(key)

    def _tell(self, entry: Entry, name: str, within: str | None) -> None:
        # What a variant names is its author's business.
        if within is None and name not in (entry.name, entry.qualified):
            say_renamed(entry.kind, name, self.name_of(entry))

    def variant(self, name: str) -> Variant:
        """The variant of that name. Raises UnknownNameError."""
        target = self.get("variant", name).target
        assert isinstance(target, Variant)
        return target

    def resolve(self, kind: Kind, name: str, *, within: Origin | None = None) -> Any:
        """The component of that registry name or ``module:attr``, imported.

        Only names that the user typed or that an installed plugin declares may come here, never one from a
        downloaded file: ``module:attr`` is imported as it stands.

        Raises:
            UnknownNameError: Neither registered nor of the form ``module:attr``.
            PluginError: It cannot be imported.
        """
        whose = within.distribution if within else None
        entry = self.find(kind, name, within=whose)
        if entry is not None:
            self._tell(entry, name, whose)
            return entry.resolve()
        if not REFERENCE.fullmatch(name):
            return self.get(kind, name)
        return import_reference(name, within)

    def distributions(self) -> set[str]:
        """The distributions that offer anything."""
        return {entry.origin.distribution for entry in self._by_qualified.values()}

    def _named(self, kind: Kind) -> Iterator[tuple[str, Entry]]:
        return ((self.name_of(e), e) for (k, _), e in self._by_qualified.items() if k == kind)


class Registrar:
    """What a plugin's ``register`` hook is handed: it collects what this one plugin offers."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._entries: list[Entry] = []
        self._aliases: list[tuple[Kind, str, str]] = []
        self.problems: list[str] = []

    def offered(self) -> list[Entry]:
        """What was offered, in order."""
        return list(self._entries)

    def aliases(self) -> list[tuple[Kind, str, str]]:
        """What was renamed: kind, old name, new name."""
        return list(self._aliases)

    def add_variant(self, variant: Variant) -> None:
        """Offer a variant under ``variant.name``."""
        with noting(self.problems):
            if not isinstance(variant, Variant):
                raise TypeError(f"add_variant takes a ganzoo.Variant, got {type(variant).__name__}")
            if variant.problem:
                # It says where by itself.
                self.problems.append(variant.problem)
                return
            self._entries.append(Entry("variant", variant.name, variant, variant.summary, self._origin))

    def add(
        self,
        kind: Kind,
        name: str,
        target: str | Measure | Callable[..., Any],
        *,
        summary: str = "",
        held_out: str = "",
    ) -> None:
        """Offer a component.

        Args:
            kind: ``generator``, ``discriminator``, ``network`` (any further role), ``loss``, ``penalty``, ``augmentation``,
                ``trainer``, ``modality``, ``dataset``, ``extractor``, ``measure``, ``protocol`` or ``tracker``.
            name: What users type.
            target: ``"module:attr"``, imported on first use (which keeps ``ganzoo list`` fast), or the class or
                function itself. That of a measure is a :class:`ganzoo.Measure`.
            summary: One line for ``ganzoo list --kind``; of a measure, its title and meaning are shown.
            held_out: Of a dataset: the name of the dataset whose samples are of the same kind and others, by which
                ``ganzoo evaluate`` scores what was trained on this one.
        """
        with noting(self.problems):
            self._check(kind, name, target, summary, held_out)
            self._entries.append(Entry(kind, name, target, summary, self._origin, held_out))

    def add_alias(self, kind: Kind, old: str, new: str) -> None:
        """Keep a name working that something of this plugin had before: ``add_alias("loss", "wgan", "wasserstein")``.

        Whoever types the old name is told the new one, which alone is listed; runs and models that have it go on and load.

        Args:
            kind: ``variant``, or one of the kinds of :meth:`add`.
            old: What it was called.
            new: What it is called now, under which this plugin offers it.
        """
        with noting(self.problems):
            if kind not in KINDS:
                raise ValueError(f"kind {kind!r} is none of {', '.join(KINDS)}")
            if odd := [name for name in (old, new) if not isinstance(name, str) or not NAME.fullmatch(name)]:
                raise ValueError(f"{kind} name {odd[0]!r} must be lower-case letters and digits joined by '-', '_' or '.'")
            self._aliases.append((kind, old, new))

    def _check(self, kind: Kind, name: str, target: object, summary: str, held_out: object) -> None:
        """Raise TypeError or ValueError, naming what is malformed."""
        if kind not in KINDS or kind == "variant":
            raise ValueError(f"kind {kind!r} is none of {', '.join(k for k in KINDS if k != 'variant')}")
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise ValueError(f"{kind} name {name!r} must be lower-case letters and digits joined by '-', '_' or '.'")
        if not isinstance(summary, str):
            raise TypeError(f"{kind} {name!r}: its summary must be a string, got {summary!r}")
        if not (isinstance(target, str) and REFERENCE.fullmatch(target)):
            wanted = "a ganzoo.Measure" if kind == "measure" else "a class or function"
            if not (isinstance(target, Measure) if kind == "measure" else callable(target)):
                raise TypeError(f"{kind} {name!r} must be 'module:attr' or {wanted}, got {target!r}")
        if not isinstance(held_out, str) or (held_out and kind != "dataset"):
            raise TypeError(f"{kind} {name!r}: held_out is the name of a dataset, and of a dataset alone, got {held_out!r}")


def import_reference(reference: str, origin: Origin | None) -> Any:
    """What ``module:attr`` names. Raises PluginError, naming the plugin, if it cannot be imported."""
    module, _, attribute = reference.partition(":")
    whose = f"plugin {origin.plugin!r} ({origin.distribution} {origin.version}): " if origin else ""
    try:
        found: Any = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except ImportError as error:
        where = f" ({place})" if (place := place_of(error, {module.partition(".")[0]})) else ""
        if origin is None and isinstance(error, ModuleNotFoundError):
            raise UsageError(f"{reference!r}: {error}{where}") from error
        raise PluginError(f"{whose}cannot import {reference!r}: {error}{where}", hint=_reinstall(origin)) from error
    except (Exception, SystemExit) as error:
        what = describe(error, {module.partition(".")[0]})
        raise PluginError(f"{whose}{reference!r} failed with {what}", hint=_reinstall(origin)) from error
    return found


def _reinstall(origin: Origin | None) -> str | None:
    """What to do if a part of a plugin cannot be had; nothing is known of one that is being developed."""
    if origin is None or origin.distribution == PROJECT:
        return AGAIN if origin else None
    return None if developed_in(origin.distribution) else f"try: pip install --upgrade {origin.distribution}"
