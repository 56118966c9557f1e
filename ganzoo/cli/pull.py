"""``ganzoo pull``: a model from the Hugging Face Hub."""

from __future__ import annotations

from pathlib import Path

import click

from ganzoo.cli.output import json_option, out
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
@json_option
def pull(repo: str, folder: Path | None, as_json: bool) -> None:
    """Download a model; with FOLDER, copy it there."""
    from ganzoo.hub.client import parse_repo
    from ganzoo.hub.pull import pull as pull_folder
    from ganzoo.hub.push import model_files
    from ganzoo.model_folder import read_config

    held = folder is not None and folder.is_dir() and any(folder.iterdir())
    there = pull_folder(repo, folder)
    if held:
        out.replaced(there)
    if not as_json:
        out.line(str(there))
        return
    config, (name, revision) = read_config(there), parse_repo(repo)
    files = [file for file in model_files(config) if (there / file).is_file()]
    told = {"repo": name, "revision": revision, "folder": str(there), "variant": config.variant, "license": config.license}
    out.json({**told, "files": [{"name": file, "bytes": (there / file).stat().st_size} for file in files]})
