"""The ways in which a plugin can be broken, each as the source of a real one."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

VARIANT = """
import ganzoo

preset = ganzoo.Preset(summary="a preset")

def variant(name, presets=("default", "paper")):
    return ganzoo.Variant(
        name=name, summary="a GAN", paper="a paper", generator="missing_networks:Generator",
        discriminator="missing_networks:Discriminator", presets=dict.fromkeys(presets, preset),
    )
"""

WORKING = f"""{VARIANT}
@ganzoo.hookimpl
def register(registry):
    registry.add_variant(variant("fine"))
"""


@dataclass(frozen=True)
class Broken:
    """A broken plugin.

    Attributes:
        source: Its module.
        says: What the line about it says, besides whose it is.
        attribute: What its entry point names in the module.
        module: The module that the entry point names, where that is not the one it brings.
        requires: What its distribution requires.
        offers: The names that work nevertheless.
    """

    source: str
    says: str
    attribute: str = ""
    module: str = ""
    requires: tuple[str, ...] = ()
    offers: frozenset[str] = field(default_factory=frozenset)


BROKEN = {
    "cannot-be-imported": Broken("import a_missing_dependency", "No module named 'a_missing_dependency'"),
    "exits-at-import": Broken("import sys\nsys.exit(0)", "failed to import: SystemExit: 0"),
    "does-not-parse": Broken("def register(:", "failed to import: SyntaxError"),
    "raises-in-register": Broken(
        f"""{VARIANT}
@ganzoo.hookimpl
def register(registry):
    registry.add_variant(variant("half-done"))
    raise RuntimeError("a bug\\nof several lines")
""",
        "raised in its hook 'register': RuntimeError: a bug of several lines",
    ),
    "exits-in-register": Broken(
        "import ganzoo\n@ganzoo.hookimpl\ndef register(registry):\n    raise SystemExit",
        "raised in its hook 'register': SystemExit",
    ),
    "misspells-the-hook": Broken(
        "import ganzoo\n@ganzoo.hookimpl\ndef registr(registry): pass",
        "unknown hook 'registr' (did you mean 'register'?)",
    ),
    "misnames-the-argument": Broken(
        "import ganzoo\n@ganzoo.hookimpl\ndef register(regs): pass",
        "{'regs'} are declared in the hookimpl but can not be found in the hookspec",
    ),
    "takes-a-shipped-name": Broken(
        f"""{VARIANT}
@ganzoo.hookimpl
def register(registry):
    registry.add_variant(variant("mlp"))
""",
        "claims the variant 'mlp', which ganzoo has; use 'bad-takes-a-shipped-name:mlp'",
        offers=frozenset({"bad-takes-a-shipped-name:mlp"}),
    ),
    "needs-another-ganzoo": Broken(WORKING, "needs ganzoo>=99", requires=("numpy", "Ganzoo[test]>=99")),
    "needs-a-newer-host": Broken(WORKING, "needs ganzoo>=99", requires=('ganzoo>=99; extra == "host"',)),
    "requires-nonsense": Broken(WORKING, "failed to import: InvalidRequirement", requires=("ganzoo>=soon",)),
    "describes-half-a-variant": Broken(
        f"""{VARIANT}
@ganzoo.hookimpl
def register(registry):
    registry.add_variant(variant("no-paper", presets=["default"]))
""",
        "variant 'no-paper' lacks the preset 'paper'",
    ),
    "describes-a-variant-in-a-dict": Broken(
        'import ganzoo\n@ganzoo.hookimpl\ndef register(registry):\n    registry.add_variant({"name": "mine"})',
        "add_variant takes a ganzoo.Variant, got dict",
    ),
    "names-a-missing-module": Broken(WORKING, "No module named 'a_missing_module'", module="a_missing_module"),
    "names-a-missing-attribute": Broken(WORKING, "has no attribute 'plugin'", attribute="plugin"),
    "forgets-the-decorator": Broken("def register(registry): pass", "implements no hook"),
    "names-no-plugin": Broken("plugin = None", "implements no hook", attribute="plugin"),
}
"""Kind -> a plugin that is broken in this way alone, seen as soon as names are looked for."""

BROKEN_COMMANDS = {
    "raises-in-commands": Broken(
        """
import click, ganzoo

@ganzoo.hookimpl
def register_commands(cli):
    cli.add_command(click.Command("half-done"))
    raise RuntimeError("a bug")
""",
        "raised in its hook 'register_commands': RuntimeError: a bug",
    ),
    "takes-a-builtin-command": Broken(
        """
import click, ganzoo

@ganzoo.hookimpl
def register_commands(cli):
    cli.add_command(click.Command("train", callback=lambda: click.echo("hijacked")))
    cli.add_command(click.Command("hello", callback=lambda: click.echo("hello")))
""",
        "claims the command 'train', which exists already",
        offers=frozenset({"hello"}),
    ),
}
"""Kind -> a plugin whose fault is seen when commands are looked for."""


def install_broken(plugin_distribution: Callable[..., Path], kind: str) -> Path:
    """Install the plugin ``kind`` as the distribution ``bad-kind``."""
    broken = (BROKEN | BROKEN_COMMANDS)[kind]
    module = f"bad_{kind.replace('-', '_')}"
    target = f"{broken.module or module}:{broken.attribute}".removesuffix(":")
    return plugin_distribution(
        f"bad-{kind}", entry_points={kind: target}, modules={f"{module}.py": broken.source}, requires=broken.requires
    )
