"""``ganzoo card``: the README.md of a model folder."""

from __future__ import annotations

from pathlib import Path

import click

from ganzoo.cli import complete
from ganzoo.cli.output import json_option, out
from ganzoo.cli.paths import UserPath

EPILOG = """\b
Examples:
  ganzoo card runs/dcgan-fashion-mnist
  ganzoo card runs/dcgan-fashion-mnist --name alice/dcgan-shoes --license mit

\b
It is written from config.json and metrics.json alone, so that what it says is what was measured. ganzoo push does it too.
"""


@click.command(epilog=EPILOG)
@click.argument("folder", type=UserPath(), shell_complete=complete.runs("model"))
@click.option("--name", metavar="NAME", help="What ganzoo.load is given: user/repo. Default: the folder itself.")
@click.option("--license", "license_name", metavar="NAME", help="The licence of the weights, by the Hub's name for it.")
@json_option
def card(folder: Path, name: str | None, license_name: str | None, as_json: bool) -> None:
    """Write the model card of the model in FOLDER, or in the folder of a run."""
    from ganzoo import model_folder
    from ganzoo.card import write_card
    from ganzoo.errors import UsageError
    from ganzoo.hub.locate import locate

    found = locate(folder)
    if not found.own:
        raise UsageError(f"{folder} is not yours to write to", hint="make a copy: ganzoo pull USER/REPO FOLDER")
    path = found.folder
    if license_name is not None:
        model_folder.set_license(path, license_name)
    before = _content(path / model_folder.CARD)
    written = write_card(path, name or str(folder))
    replaced = before not in (None, _content(written))
    if replaced:
        out.replaced(written)
    if as_json:
        out.json({"card": str(written), "folder": str(path), "replaced": replaced})
    else:
        out.line(str(written))


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None
