"""Paths as options and arguments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ganzoo.files import user_path


class UserPath(click.Path):
    """A file or folder, in which ``~`` is the home folder, which the shell leaves to us in ``--out=~/runs`` and in quotes."""

    def __init__(self, **options: Any) -> None:
        super().__init__(path_type=Path, **options)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return super().convert(user_path(value), param, ctx)
