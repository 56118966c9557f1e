"""Names that are typed as two words: ``ganzoo train wgan gp``."""

from __future__ import annotations

import re

import click

from ganzoo.errors import UsageError, nearest


class OneName(click.Command):
    """A command of one variant, which says what is meant where a second word follows it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            rest = re.search(r"unexpected extra arguments? \((.*)\)", error.format_message())
            first = ctx.params.get("variant")
            if rest is None or not isinstance(first, str):
                raise
            from ganzoo import plugins

            typed, names = f"{first} {rest[1]}", plugins.load().registry.names("variant")
            # Whose name the first word is alone, that was not what the others belong to.
            if near := [name for name in nearest("-".join(typed.split()), names) if name != first]:
                hint = f"did you mean {' or '.join(near)}? list them: ganzoo list"
                raise UsageError(f"a variant's name is one word, got {typed!r}", hint=hint) from None
            raise
