"""Finding plugins, and keeping a broken one from breaking anything else.

A plugin is whatever an installed distribution names in its ``ganzoo`` entry-point group; the variants that ship with
ganzoo come in by that same door. Each plugin gets a plugin manager of its own, so nothing that one does reaches another.

``GANZOO_LOAD_PLUGINS``: names of distributions or plugins, separated by commas; only those are loaded (``''``: none).
``GANZOO_STRICT_PLUGINS=1``: a broken plugin raises PluginError instead of costing a line on stderr.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import io
import os
import re
import sys
import textwrap
import warnings
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

from ganzoo import __version__, hookspecs, standard
from ganzoo.errors import PluginError, UnknownNameError, debugging, nearest, place_of
from ganzoo.packages import AGAIN, NEWER, PROJECT, developed_in
from ganzoo.registry import Origin, Registrar, Registry
from ganzoo.variant import lenient

if TYPE_CHECKING:
    import click

HOST = "host"
"""The extra in which a plugin says which ganzoo it needs, without having pip fetch PyPI's package of that name."""

HEAVY_MODULES = ("torch", "timm", "torchvision", "accelerate", "huggingface_hub")
"""What a plugin should not import before its networks are used: it slows every command down."""


@dataclass
class Plugin:
    """One plugin that was looked at; ``package`` is the package at the top that its code is in."""

    origin: Origin
    manager: pluggy.PluginManager | None = None
    problems: list[str] = field(default_factory=list)
    offers: dict[str, list[str]] = field(default_factory=dict)
    slow_imports: list[str] = field(default_factory=list)
    package: str = ""

    @property
    def works(self) -> bool:
        """Whether its hooks can be called."""
        return self.manager is not None


class Plugins:
    """Everything that discovery found.

    Attributes:
        registry: The names that the working plugins offer.
        found: Every plugin that was looked at, broken ones too; the first is ganzoo's own.
        skipped: Origins of plugins that ``GANZOO_LOAD_PLUGINS`` leaves out.
        missing: Names in ``GANZOO_LOAD_PLUGINS`` that no installed plugin or distribution has.
    """

    def __init__(self) -> None:
        self.registry = Registry()
        self.found: list[Plugin] = []
        self.skipped: list[Origin] = []
        self.missing: list[str] = []
        self._reported: set[object] = set()

    def describe(self, plugin: Plugin, problem: str) -> str:
        """One line: which plugin, what is wrong, how to disable it, and how to remove it if it is not being developed here."""
        origin = plugin.origin
        line = f"plugin {origin.plugin!r} ({origin.distribution} {origin.version}) {problem}"
        if origin.distribution == PROJECT:
            return f"{line}. To mend it, {AGAIN}"
        broken = {p.origin.distribution for p in self.found if p.problems}
        others = [p.origin for p in self.found if not p.problems and p.origin.distribution != PROJECT]
        well = sorted({o.plugin if o.distribution in broken else o.distribution for o in others})
        ways = f"Disable it: GANZOO_LOAD_PLUGINS={','.join([PROJECT, *well])}"
        if developed_in(origin.distribution) is None:
            ways += f"; remove it: pip uninstall {origin.distribution}"
        return f"{line}. {ways}"

    def report(self) -> None:
        """Write a line on stderr for each problem not yet reported; with GANZOO_STRICT_PLUGINS=1 raise PluginError."""
        origins = [*(p.origin for p in self.found), *self.skipped]
        known = {name for o in origins for name in (o.distribution, o.plugin)}
        lines: dict[object, str] = {
            name: str(UnknownNameError("plugin", name, known, hint="GANZOO_LOAD_PLUGINS names it")) for name in self.missing
        }
        lines |= {(p.origin, problem): self.describe(p, problem) for p in self.found for problem in p.problems}
        for key, line in lines.items():
            if os.environ.get("GANZOO_STRICT_PLUGINS") == "1":
                raise PluginError(line)
            if key not in self._reported:
                self._reported.add(key)
                _tell(f"ganzoo: {line}")

    def commands(self, taken: Collection[str]) -> dict[str, click.Command]:
        """The commands that plugins add, none of which may be in ``taken``; problems are reported like all others."""
        import click

        added: dict[str, click.Command] = {}
        for plugin in self.found:
            group = click.Group()
            with _guarded(plugin, "raised in its hook 'register_commands'"):
                if plugin.manager:
                    plugin.manager.hook.register_commands(cli=group)
                for name, command in sorted(group.commands.items()):
                    if not isinstance(command, click.Command):
                        raise TypeError(f"{name!r} is a {type(command).__name__}, not a command")
                    command.get_short_help_str()
                    if name in taken or name in added:
                        plugin.problems.append(f"claims the command {name!r}, which exists already")
                    else:
                        added[name] = command
                        plugin.offers.setdefault("command", []).append(name)
        self.report()
        return added


@functools.cache
def load() -> Plugins:
    """Discover and register every plugin, once per process.

    Raises:
        PluginError: A plugin is broken and GANZOO_STRICT_PLUGINS=1.
    """
    plugins = Plugins()
    own = Plugin(Origin(PROJECT, __version__, "standard"))
    plugins.found.append(own)
    _register(plugins.registry, own, standard)
    wanted = os.environ.get("GANZOO_LOAD_PLUGINS")
    names = None if wanted is None else {n.strip() for n in wanted.split(",") if n.strip()}
    seen = set()
    for plugin, entry_point in _discover():
        origin = plugin.origin
        chosen = {origin.plugin, _normal(origin.distribution)}
        seen |= chosen
        if names is not None and not chosen & {n for name in names for n in (name, _normal(name))}:
            plugins.skipped.append(origin)
            continue
        plugins.found.append(plugin)
        if plugin.problems or entry_point is None:
            continue
        before = set(sys.modules)
        module = None
        with _guarded(plugin, "failed to import"):
            if problem := _too_old(entry_point.dist):
                plugin.problems.append(problem)
            else:
                with lenient():
                    module = entry_point.load()
        if not plugin.problems:
            _register(plugins.registry, plugin, module)
        plugin.slow_imports = [m for m in HEAVY_MODULES if m in sys.modules and m not in before]
    plugins.missing = sorted(n for n in names or () if not seen & {n, _normal(n)})
    plugins.report()
    return plugins


def list_variants(pattern: str = "*") -> list[str]:
    """The names of the variants that can be used here, which ``pattern`` (a glob) must match."""
    registry = load().registry
    return [registry.name_of(entry) for entry in registry.entries("variant", pattern)]


def made_with(distribution: str, version: str) -> tuple[str, str]:
    """What to say of the distribution that something was made with, where that is not offered: what became of it; a hint.

    A name that a file gives is nothing to install by: it may be a stranger's file, or the name a stranger's by now.
    """
    found, made = load(), f"it was made with the plugin {distribution!r} {version}"
    here = [p for p in found.found if _normal(p.origin.distribution) == _normal(distribution)]
    if any(_normal(origin.distribution) == _normal(distribution) for origin in found.skipped):
        return f"{made}, which GANZOO_LOAD_PLUGINS leaves out", f"name {distribution} there too, or unset it"
    if any(p.problems for p in here):
        return f"{made}, which is broken", "see: ganzoo plugins"
    if distribution == PROJECT:
        return f"{made}; here is {__version__}, which does not offer that", NEWER
    if here:
        return f"{made}; here is {here[0].origin.version}, which does not offer that", "see: ganzoo plugins"
    return f"{made}, which is not installed", "whoever made it knows where to get that plugin; nothing is installed by itself"


def _discover() -> list[tuple[Plugin, importlib.metadata.EntryPoint | None]]:
    """Every plugin, ganzoo's own first, then by distribution and name, so that shipped names win.

    Distributions are asked one by one: one whose files cannot be read must not hide the others.
    """
    found: dict[tuple[str, str], tuple[Plugin, importlib.metadata.EntryPoint | None]] = {}
    for distribution in importlib.metadata.distributions():
        folder = getattr(distribution, "_path", None)
        plugin = Plugin(Origin(folder.name.partition("-")[0] if isinstance(folder, Path) else "?", "?", "?"))
        entry_points: list[importlib.metadata.EntryPoint] = []
        with _guarded(plugin, "has entry points that cannot be read"):
            entry_points = list(distribution.entry_points.select(group=PROJECT))
        if plugin.problems and isinstance(folder, Path) and _is_about_us(folder / "entry_points.txt"):
            found.setdefault((plugin.origin.distribution, "?"), (plugin, None))
        for entry_point in entry_points:
            package = entry_point.value.partition(":")[0].partition(".")[0].strip()
            plugin = Plugin(Origin(plugin.origin.distribution, "?", entry_point.name), package=package)
            # An interrupted pip uninstall leaves a distribution without metadata, hence without a name.
            with _guarded(plugin, "has metadata that cannot be read"):
                name, version = distribution.name or plugin.origin.distribution, distribution.version or "?"
                plugin.origin = Origin(name, version, entry_point.name)
            found.setdefault((_normal(plugin.origin.distribution), entry_point.name), (plugin, entry_point))
    order = sorted(found.values(), key=lambda f: (f[0].origin.distribution, f[0].origin.plugin))
    return sorted(order, key=lambda f: f[0].origin.distribution != PROJECT)


def _is_about_us(path: Path) -> bool:
    try:
        return f"[{PROJECT}]".encode() in path.read_bytes()
    except OSError:
        return False


def _register(registry: Registry, plugin: Plugin, module: Any) -> None:
    """Let one plugin offer its names: all of them, or none if it raises."""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    with _guarded(plugin, "implements a hook wrongly"):
        manager.register(module)
    if plugin.problems:
        return
    callers = manager.get_hookcallers(module) or []
    for caller in callers:
        if not caller.has_spec() and not all(impl.optionalhook for impl in caller.get_hookimpls()):
            meant = nearest(caller.name, ["register", "register_commands"])
            plugin.problems.append(
                f"implements the unknown hook {caller.name!r}" + (f" (did you mean {meant[0]!r}?)" if meant else "")
            )
    if not callers:
        plugin.problems.append("implements no hook: its functions need the decorator @ganzoo.hookimpl")
    plugin.manager = manager
    with _guarded(plugin, "raised in its hook 'register'"):
        registrar = Registrar(plugin.origin)
        with lenient():
            manager.hook.register(registry=registrar)
        plugin.problems += [f"describes something wrongly, which is left out: {problem}" for problem in registrar.problems]
        entries = registrar.offered()
        plugin.problems += registry.include(entries)
        plugin.problems += registry.include_aliases(plugin.origin.distribution, registrar.aliases())
        for entry in entries:
            plugin.offers.setdefault(entry.kind, []).append(registry.name_of(entry))


@contextlib.contextmanager
def _guarded(plugin: Plugin, what: str) -> Iterator[None]:
    """Whatever goes wrong in the block is a problem of ``plugin``; what it prints goes to stderr. Only Ctrl-C gets out."""
    printed = io.StringIO()
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(printed):
            warnings.simplefilter("ignore")
            yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        if debugging():
            _tell_all(error)
        place = place_of(error, {plugin.package})
        plugin.problems.append(f"{what}: {_one_line(error)}" + (f" ({place})" if place else ""))
    if not printed.closed:
        for line in printed.getvalue().splitlines():
            _tell(line)


def _tell(line: str) -> None:
    """One line on stderr, if there is one; what would move a terminal's cursor is escaped."""
    if sys.stderr is not None:
        print("".join(c if c.isprintable() else ascii(c)[1:-1] for c in line), file=sys.stderr)


def _tell_all(error: BaseException) -> None:
    """The whole traceback on stderr, causes and all."""
    import traceback

    # What an error of a plugin's own says may raise as well.
    with contextlib.suppress(Exception):
        for text in traceback.format_exception(error):
            for line in text.splitlines():
                _tell(line)


def _too_old(distribution: importlib.metadata.Distribution | None) -> str | None:
    """The problem, if the distribution's own metadata asks for another ganzoo than this one."""
    for line in (distribution.requires if distribution else None) or ():
        if not re.match(rf"{PROJECT}\b(?![-.])", line, re.IGNORECASE):
            continue
        from packaging.requirements import Requirement

        requirement = Requirement(line)
        if requirement.marker and not any(requirement.marker.evaluate({"extra": extra}) for extra in ("", HOST)):
            continue
        if not requirement.specifier.contains(__version__, prereleases=True):
            return f"needs ganzoo{requirement.specifier}, this is {__version__}: {NEWER}"
    return None


def _normal(distribution: str) -> str:
    """A distribution's name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def _one_line(error: BaseException) -> str:
    """The error's type and what it says, if it can say it."""
    try:
        text = textwrap.shorten(str(error), 300, placeholder=" …")
    except Exception:
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
