"""What the shell offers on TAB: the names that could stand there. None of what they name is imported."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeAlias

import click
from click.shell_completion import BashComplete, CompletionItem, add_completion_class, split_arg_string

from ganzoo.registry import Kind
from ganzoo.variant import Variant

VARIABLE = "_GANZOO_COMPLETE"
"""In which a shell asks for completions, as click has it."""

Completer: TypeAlias = Callable[[click.Context, click.Parameter, str], list["CompletionItem[str]"]]


def serve(cli: click.Group) -> None:
    """Answer a shell, and exit: with completions, or with the script that asks for them."""
    add_completion_class(Bash, "bash")
    asks = os.environ[VARIABLE].endswith("_complete")
    # Whoever presses TAB is in the middle of a line, and not to be told of broken plugins in it.
    with contextlib.redirect_stderr(io.StringIO()) if asks else contextlib.nullcontext():
        try:
            cli.main(prog_name="ganzoo", complete_var=VARIABLE)
        except Exception:  # noqa: BLE001 - nor of what fails for another reason
            sys.exit(1)


class Bash(BashComplete):
    """Bash cuts what is typed at some letters: ``dcgan@pa`` are three words to it, of which it replaces the last one."""

    BREAKS = "@:="
    """Those of ``COMP_WORDBREAKS`` that stand in names and options."""
    _before = 0
    """Letters of the completed word that bash takes for words of their own."""

    def get_completion_args(self) -> tuple[list[str], str]:
        words = split_arg_string(os.environ["COMP_WORDS"])
        at = int(os.environ["COMP_CWORD"])
        words = [*words[:at], words[at] if at < len(words) else ""]
        whole: list[str] = []
        for index, word in enumerate(words):
            broken = index and word and (word in self.BREAKS or words[index - 1] in self.BREAKS)
            if broken:
                whole[-1] += word
            else:
                whole.append(word)
        last = "" if words[-1] in self.BREAKS else words[-1]
        # Of --loss=hi, click itself completes what is after the sign.
        name_of_option = whole[-1].partition("=")[0] + "=" if whole[-1].startswith("--") and "=" in whole[-1] else ""
        self._before = max(0, len(whole[-1]) - len(last) - len(name_of_option))
        return whole[1:-1], whole[-1]

    def format_completion(self, item: CompletionItem[Any]) -> str:
        return f"{item.type},{item.value[self._before :] if item.type == 'plain' else item.value}"


def named(kind: Kind, *others: str) -> Completer:
    """The registered names of a kind, and others."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        from ganzoo import plugins

        registry = plugins.load().registry
        known = [(registry.name_of(entry), entry.summary) for entry in registry.entries(kind)]
        return _matching([*known, *((name, "") for name in others)], incomplete)

    return complete


def variants(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Names of variants; after an ``@``, those of the variant's presets."""
    name, at, _ = incomplete.partition("@")
    if not at:
        return named("variant")(ctx, param, incomplete)
    return _matching([(f"{name}@{preset}", about) for preset, about in _presets(name).items()], incomplete)


def described(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """What can be told about: variants, generators that ship, runs, and files."""
    return [*variants(ctx, param, incomplete), *models(ctx, param, incomplete)]


def presets(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """The presets of the variant that is named before; those of all, if it comes after."""
    from ganzoo.plugins import list_variants

    # Where a value is still to come, click leaves what was typed before it as it is.
    typed = [ctx.params.get("variant"), *ctx.args]
    found = next((presets for word in typed if word and (presets := _presets(word))), None)
    return _matching((found or _presets(*list_variants())).items(), incomplete)


def data(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Registered datasets, and files."""
    return [CompletionItem(incomplete, type="file"), *named("dataset")(ctx, param, incomplete)]


def models(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Generators that ship, runs that have a model, and files."""
    from ganzoo.hub.shipped import shipped_models

    known = [(name, "ships with ganzoo") for name in shipped_models()]
    return [CompletionItem(incomplete, type="file"), *_matching([*known, *_runs("model")], incomplete)]


def runs(holding: str) -> Completer:
    """Runs that hold this (``model``, ``checkpoints``), and files."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        return [CompletionItem(incomplete, type="file"), *_matching(_runs(holding), incomplete)]

    return complete


def starts(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """What a run can start from: generators that ship, runs with checkpoints, and files."""
    from ganzoo.hub.shipped import shipped_models

    known = [(name, "ships with ganzoo") for name in shipped_models()]
    return [CompletionItem(incomplete, type="file"), *_matching([*_runs("checkpoints"), *known], incomplete)]


def _presets(*variants: str) -> dict[str, str]:
    """Preset -> what it is for, of these variants; none of what is no variant."""
    from ganzoo import plugins

    registry = plugins.load().registry
    entries = [entry for name in variants if (entry := registry.find("variant", name))]
    described = [entry.target for entry in entries if isinstance(entry.target, Variant)]
    return {name: preset.summary for variant in described for name, preset in variant.presets.items()}


def _runs(holding: str) -> list[tuple[str, str]]:
    """The folders under ``runs/`` that hold this."""
    folder = Path("runs")
    return [(str(run), "a run") for run in (sorted(folder.iterdir()) if folder.is_dir() else ()) if (run / holding).is_dir()]


def _matching(known: Iterable[tuple[str, str]], incomplete: str) -> list[CompletionItem[str]]:
    return [CompletionItem(name, help=about or None) for name, about in known if name.startswith(incomplete)]
