"""``ganzoo push``: a model onto the Hugging Face Hub."""

from __future__ import annotations

from pathlib import Path

import click

from ganzoo.cli.output import out
from ganzoo.cli.paths import UserPath

EPILOG = """\b
Examples:
  ganzoo push runs/dcgan-fashion-mnist alice/dcgan-shoes --dry-run
  ganzoo push runs/dcgan-fashion-mnist alice/dcgan-shoes --license mit
  ganzoo push runs/dcgan-fashion-mnist alice/dcgan-shoes --private --revision try-2

\b
Needs an account: hf auth login, or HF_TOKEN. What is sent: config.json, the weights, samples.png, metrics.json and
README.md, the card, which is written anew. It is one commit; what the repository held besides is removed. Scores first, if
the card is to have some: ganzoo evaluate FOLDER --data ...
"""


@click.command(epilog=EPILOG)
@click.argument("folder", type=UserPath())
@click.argument("repo", metavar="USER/REPO")
@click.option("--private", is_flag=True, help="Make the repository private, if it is made now.")
@click.option("--revision", metavar="BRANCH", help="A branch other than the main one; made if it is not there.")
@click.option(
    "--license", "license_name", metavar="NAME", help="Of the weights, as the Hub names it: mit, apache-2.0, cc-by-4.0 ..."
)
@click.option("--dry-run", is_flag=True, help="List what would be sent and removed; send nothing.")
def push(folder: Path, repo: str, private: bool, revision: str | None, license_name: str | None, dry_run: bool) -> None:
    """Publish the model in FOLDER, or in the folder of a run, as USER/REPO."""
    from ganzoo.hub.push import push as push_folder
    from ganzoo.model_folder import read_config

    done = push_folder(folder, repo, private=private, revision=revision, license=license_name, dry_run=dry_run)
    rows = [("send", name, _size(done.folder / name)) for name in done.files]
    rows += [("remove", name, "") for name in done.stale]
    rows += [("keep here", name, "") for name in done.left]
    if license_name is None and read_config(done.folder).license is None:
        out.say("nobody has said under which licence the weights may be used: --license NAME")
    if dry_run:
        out.table(("WHAT", "FILE", "SIZE"), rows)
        out.say(f"nothing was sent; without --dry-run this goes to {done.repo}")
        return
    at = f"{done.repo}@{done.revision}" if done.revision else done.repo
    for name in done.stale:
        out.say(f"removed from {at}: {name}")
    out.line(done.url)
    out.say(f"anybody who may see it loads it with: ganzoo.load({at!r})")


def _size(path: Path) -> str:
    return f"{path.stat().st_size:,} bytes" if path.is_file() else "written anew"
