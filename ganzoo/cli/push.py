"""``ganzoo push``: a model onto the Hugging Face Hub."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganzoo.cli import complete
from ganzoo.cli.output import json_option, out
from ganzoo.cli.paths import UserPath
from ganzoo.variant import Json

if TYPE_CHECKING:
    from ganzoo.hub.push import Push

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
@click.argument("folder", type=UserPath(), shell_complete=complete.runs("model"))
@click.argument("repo", metavar="USER/REPO")
@click.option("--private", is_flag=True, help="Make the repository private, if it is made now.")
@click.option("--revision", metavar="BRANCH", help="A branch other than the main one; made if it is not there.")
@click.option(
    "--license",
    "license_name",
    metavar="NAME",
    help="The licence of the weights, by the Hub's name for it: mit, apache-2.0, cc-by-4.0 ...",
)
@click.option("--dry-run", is_flag=True, help="List what would be sent and removed; send nothing.")
@json_option
def push(
    folder: Path, repo: str, private: bool, revision: str | None, license_name: str | None, dry_run: bool, as_json: bool
) -> None:
    """Publish the model in FOLDER, or in the folder of a run, as USER/REPO."""
    from ganzoo.hub.push import push as push_folder
    from ganzoo.model_folder import read_config

    done = push_folder(folder, repo, private=private, revision=revision, license=license_name, dry_run=dry_run)
    if license_name is None and read_config(done.folder).license is None:
        out.say("nobody has said under which licence the weights may be used: --license NAME")
    if as_json:
        out.json(_describe(done))
    elif dry_run:
        rows = [("send", name, _size(done.folder / name)) for name in done.files]
        rows += [("remove", name, "") for name in done.stale]
        rows += [("keep here", name, "") for name in done.left]
        out.table(("WHAT", "FILE", "SIZE"), rows)
    if dry_run:
        out.say(f"nothing was sent; without --dry-run this goes to {done.repo}")
        return
    at = f"{done.repo}@{done.revision}" if done.revision else done.repo
    for name in done.stale:
        out.say(f"removed from {at}: {name}")
    if not as_json:
        out.line(done.url)
    out.say(f"anybody who may see it loads it with: ganzoo.load({at!r})")


def _describe(done: Push) -> dict[str, Json]:
    """What was sent, or would be, for programs; there is no url before there is a commit."""
    sizes = {name: path.stat().st_size if (path := done.folder / name).is_file() else None for name in done.files}
    return {
        "repo": done.repo,
        "revision": done.revision,
        "url": done.url or None,
        "folder": str(done.folder),
        "files": [{"name": name, "bytes": size} for name, size in sizes.items()],
        "removed": done.stale,
        "kept_here": done.left,
    }


def _size(path: Path) -> str:
    return f"{path.stat().st_size:,} bytes" if path.is_file() else "written anew"
