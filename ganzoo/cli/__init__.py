"""The ``ganzoo`` command: a table of commands, each imported when it is run."""

from __future__ import annotations

import functools
import importlib
import os
import sys
from typing import Any

import click

from ganzoo import __version__
from ganzoo.cli import errors
from ganzoo.cli.output import out

COMMANDS = {
    "list": ("ganzoo.cli.list:list_names", "List the variants, or the parts they are made of."),
    "info": ("ganzoo.cli.info:info", "Show what a variant, a run or a model is, and what to do with it."),
    "train": ("ganzoo.cli.train:train", "Train a variant."),
    "sample": ("ganzoo.cli.sample:sample", "Draw samples from a trained model."),
    "evaluate": ("ganzoo.cli.evaluate:evaluate", "Score a model's samples, or a file of samples."),
    "compare": ("ganzoo.cli.compare:compare", "Train and score several variants under one budget."),
    "push": ("ganzoo.cli.push:push", "Publish a model on the Hugging Face Hub."),
    "pull": ("ganzoo.cli.pull:pull", "Download a model from the Hub."),
    "search": ("ganzoo.cli.search:search", "Find models on the Hub."),
    "card": ("ganzoo.cli.card:card", "Write a model's card."),
    "plugins": ("ganzoo.cli.plugins:plugins", "List the plugins, what they offer and what is wrong with them."),
    "doctor": ("ganzoo.cli.doctor:doctor", "Check this installation: versions, devices, folders, data, plugins."),
}
"""Name -> where the command is, and its line in ``ganzoo --help``, which is shown without importing it."""


@functools.cache
def plugin_commands() -> dict[str, click.Command]:
    """The commands that plugins add."""
    from ganzoo import plugins

    return plugins.load().commands(taken=COMMANDS)


class Commands(click.Group):
    """The built-in commands, then those of plugins, which are looked for only where no built-in one is meant."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS, *plugin_commands()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return plugin_commands().get(cmd_name)
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if not ctx.resilient_parsing and self.get_command(ctx, args[0]) is None:
            from ganzoo.errors import UnknownNameError

            raise UnknownNameError("command", args[0], self.list_commands(ctx), hint="list them: ganzoo --help")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> None:
        # What a command returns is dropped: click would hand it to main(), where it would pass for an exit code.
        super().invoke(ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])
        added = [(name, command.get_short_help_str(90)) for name, command in plugin_commands().items() if not command.hidden]
        if added:
            with formatter.section("Commands of plugins"):
                formatter.write_dl(added)


EPILOG = """\b
Examples:
  ganzoo list                                  what there is
  ganzoo train dcgan                           train on pictures that ship with ganzoo
  ganzoo train dcgan --data ./photos --budget 30m
  ganzoo sample runs/dcgan-... --seeds 0-63 -o grid.png

\b
Results go to stdout, everything else to stderr. Exit codes:
  0    done
  1    it failed: data, model folder, plugin, training
  2    the request itself was wrong
  3    training has ended, but the model is not usable
  130  interrupted
GANZOO_DEBUG=1 shows the traceback of a failure.

\b
TAB completes names once the shell has read this line (zsh: zsh_source; fish: see the README):
  eval "$(_GANZOO_COMPLETE=bash_source ganzoo)"
"""


@click.group(
    cls=Commands,
    epilog=EPILOG,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="ganzoo", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """A zoo of generative adversarial networks, in which every model is a plugin."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main() -> None:
    """Run the command line, and leave with its exit code."""
    if "_GANZOO_COMPLETE" in os.environ:
        from ganzoo.cli.complete import serve

        serve(cli)
    errors.show_warnings()
    code: Any = 0
    try:
        with cli.make_context("ganzoo", sys.argv[1:]) as context:
            cli.invoke(context)
        out.flush()
    except click.exceptions.Exit as leaving:
        code = leaving.exit_code
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - a user is owed a sentence, whatever it is
        code = errors.report(error)
    sys.exit(code)
