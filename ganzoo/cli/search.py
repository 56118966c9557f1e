"""``ganzoo search``: models on the Hugging Face Hub."""

from __future__ import annotations

from dataclasses import asdict

import click

from ganzoo.cli import complete
from ganzoo.cli.output import json_option, out

EPILOG = """\b
Examples:
  ganzoo search
  ganzoo search shoes --variant dcgan --data fashion-mnist
  ganzoo search --score kid --json | jq -r '.[0].repo'

\b
A model that was scored by several protocols has a line for each: scores of different protocols cannot be compared.
Exit code 1 if nothing is found.
"""


@click.command(epilog=EPILOG)
@click.argument("text", default="")
@click.option("--variant", metavar="NAME", shell_complete=complete.named("variant"), help="Only models of this variant.")
@click.option(
    "--data",
    metavar="NAME",
    shell_complete=complete.named("dataset"),
    help="Only models that were trained on this dataset.",
)
@click.option(
    "--score",
    default="fd",
    show_default=True,
    metavar="NAME",
    shell_complete=complete.named("measure"),
    help="Which measure's score to tell, the best first: ganzoo list --kind measures.",
)
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="The most to ask the Hub for.")
@json_option
def search(text: str, variant: str | None, data: str | None, score: str, limit: int, as_json: bool) -> None:
    """Find models on the Hub, by TEXT in their names."""
    from ganzoo.hub.search import search as search_hub

    hits = search_hub(text, variant=variant, data=data, score=score, limit=limit)
    if as_json:
        out.json([asdict(hit) for hit in hits])
    else:
        rows = [
            (hit.repo, hit.variant, hit.data, "" if hit.score is None else f"{hit.score:.4g}", hit.protocol) for hit in hits
        ]
        out.table(("NAME", "VARIANT", "DATA", score.upper(), "PROTOCOL"), rows)
    if not hits:
        out.say("ganzoo: the Hub has no such model; all of them: ganzoo search")
        click.get_current_context().exit(1)
