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
import os
import re
import sys
import textwrap
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pluggy

from ganzoo import __version__, hookspecs, standard
from ganzoo.errors import PluginError, UnknownNameError, nearest
from ganzoo.hookspecs import PROJECT
from ganzoo.registry import Origin, Registrar, Registry

if TYPE_CHECKING:
    import click

HEAVY_MODULES = ("torch", "timm", "torchvision", "accelerate", "huggingface_hub")
"""What a plugin should not import before its networks are used: it slows every command down."""


@dataclass
class Plugin:
    """One plugin that was looked at."""

    origin: Origin
    manager: pluggy.PluginManager | None = None
    problems: list[str] = field(default_factory=list)
    offers: dict[str, list[str]] = field(default_factory=dict)
    slow_imports: list[str] = field(default_factory=list)

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
        """One line: which plugin, what is wrong, how to disable or remove it."""
        origin = plugin.origin
        line = f"plugin {origin.plugin!r} ({origin.distribution} {origin.version}) {problem}"
        if origin.distribution == PROJECT:
            return f"{line}. Mend it: pip install --force-reinstall {PROJECT}"
        broken = {p.origin.distribution for p in self.found if p.problems}
        others = [p.origin for p in self.found if not p.problems and p.origin.distribution != PROJECT]
        well = sorted({o.plugin if o.distribution in broken else o.distribution for o in others})
        ways = f"Disable it: GANZOO_LOAD_PLUGINS={','.join([PROJECT, *well])}; remove it: pip uninstall {origin.distribution}"
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
                print(f"ganzoo: {line}", file=sys.stderr)

    def commands(self, taken: Collection[str]) -> dict[str, click.Command]:
        """The commands that plugins add, none of which may be in ``taken``; problems are reported like all others."""
        import click

        added: dict[str, click.Command] = {}
        for plugin in self.found:
            group = click.Group()
            if not _call(plugin, "register_commands", cli=group):
                continue
            for name, command in sorted(group.commands.items()):
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
    _register(plugins, own, standard)
    wanted = os.environ.get("GANZOO_LOAD_PLUGINS")
    names = None if wanted is None else {n.strip() for n in wanted.split(",") if n.strip()}
    seen = set()
    for entry_point, origin in _entry_points():
        chosen = {origin.plugin, _normal(origin.distribution)}
        seen |= chosen
        if names is not None and not chosen & {n for name in names for n in (name, _normal(name))}:
            plugins.skipped.append(origin)
            continue
        plugin = Plugin(origin)
        before = set(sys.modules)
        try:
            if not (problem := _too_old(entry_point.dist)):
                with contextlib.redirect_stdout(sys.stderr):
                    module = entry_point.load()
        except (Exception, SystemExit) as error:
            problem = f"failed to import: {_one_line(error)}"
        if problem:
            plugin.problems.append(problem)
            plugins.found.append(plugin)
            continue
        _register(plugins, plugin, module)
        plugin.slow_imports = [m for m in HEAVY_MODULES if m in sys.modules and m not in before]
    plugins.missing = sorted(n for n in names or () if not seen & {n, _normal(n)})
    plugins.report()
    return plugins


def list_variants(pattern: str = "*") -> list[str]:
    """The names of the variants that can be used here, which ``pattern`` (a glob) must match."""
    registry = load().registry
    return [registry.name_of(entry) for entry in registry.entries("variant", pattern)]


def _entry_points() -> Iterator[tuple[importlib.metadata.EntryPoint, Origin]]:
    """Every plugin's entry point, ganzoo's own first, then by distribution and name, so that shipped names win."""
    found = []
    for entry_point in importlib.metadata.entry_points(group=PROJECT):
        distribution = entry_point.dist
        assert distribution is not None
        # An interrupted pip uninstall leaves a distribution without metadata, hence without a name.
        name, version = distribution.name or entry_point.name, distribution.version or "?"
        found.append((entry_point, Origin(name, version, entry_point.name)))
    return iter(sorted(found, key=lambda f: (f[1].distribution != PROJECT, f[1].distribution, f[1].plugin)))


def _register(plugins: Plugins, plugin: Plugin, module: Any) -> None:
    """Let one plugin offer its names: all of them, or none if it raises."""
    plugins.found.append(plugin)
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    try:
        manager.register(module)
    except Exception as error:
        plugin.problems.append(f"implements a hook wrongly: {_one_line(error)}")
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
    registrar = Registrar(plugin.origin)
    if _call(plugin, "register", registry=registrar):
        plugin.problems += plugins.registry.include(registrar.entries)
        for entry in registrar.entries:
            plugin.offers.setdefault(entry.kind, []).append(plugins.registry.name_of(entry))


def _call(plugin: Plugin, hook: str, **arguments: Any) -> bool:
    """Call one hook of one plugin. False, with the problem noted, if it raises; what it prints goes to stderr."""
    if plugin.manager is None:
        return False
    try:
        with contextlib.redirect_stdout(sys.stderr):
            getattr(plugin.manager.hook, hook)(**arguments)
    except (Exception, SystemExit) as error:
        plugin.problems.append(f"raised in its hook {hook!r}: {_one_line(error)}")
        return False
    return True


def _too_old(distribution: importlib.metadata.Distribution | None) -> str | None:
    """The problem, if the distribution's own metadata asks for another ganzoo than this one."""
    for line in (distribution.requires if distribution else None) or ():
        if not re.match(rf"{PROJECT}\b(?![-.])", line, re.IGNORECASE):
            continue
        from packaging.requirements import Requirement

        requirement = Requirement(line)
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        if not requirement.specifier.contains(__version__, prereleases=True):
            return f"needs ganzoo{requirement.specifier}, this is {__version__} (pip install --upgrade ganzoo)"
    return None


def _normal(distribution: str) -> str:
    """A distribution's name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def _one_line(error: BaseException) -> str:
    """The error's type and what it says."""
    text = textwrap.shorten(str(error), 300, placeholder=" …")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
