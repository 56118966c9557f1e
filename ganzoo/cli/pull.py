"""``ganzoo pull``: a model from the Hugging Face Hub."""

from __future__ import annotations

from pathlib import Path

import click

from ganzoo.cli.output import out
from ganzoo.cli.paths import UserPath

EPILOG = """\b
Examples:
  ganzoo pull alice/dcgan-shoes                 into the cache: ganzoo.load('alice/dcgan-shoes') then works offline
  ganzoo pull alice/dcgan-shoes@v1.0 shoes      and a copy in the folder shoes
  HF_TOKEN=hf_... ganzoo pull alice/private

\b
Every file is compared with the hash that the Hub gives for it, and the model is loaded once, before it is said to be there.
"""


@click.command(epilog=EPILOG)
@click.argument("repo", metavar="USER/REPO[@REVISION]")
@click.argument("folder", type=UserPath(), required=False)
def pull(repo: str, folder: Path | None) -> None:
    """Download a model; with FOLDER, copy it there."""
    from ganzoo.hub.pull import pull as pull_folder

    out.line(str(pull_folder(repo, folder)))
