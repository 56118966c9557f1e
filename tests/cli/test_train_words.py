"""Every number that a run shows is explained where people look: on the help page and in the README."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

import ganzoo
from ganzoo import plugins
from ganzoo.cli.train import train as command
from ganzoo.training.config import resolve
from ganzoo.training.verdict import LIMITS

README = (Path(__file__).parents[2] / "README.md").read_text()
SECTION = README.partition("## What the numbers of a run mean\n")[2].partition("\n## ")[0]
HELP = CliRunner().invoke(command, ["--help"]).output
PARAGRAPH = HELP.partition("What a line of progress says")[2].partition("Exit code 3")[0]

FACTS = {"images", "seconds", "images_per_second", "time"}
"""What a row of metrics has besides metrics, by names that need no explanation."""


class Shown(ganzoo.Watcher):
    """Collects the words of the display."""

    def __init__(self):
        self.words = set()

    def status(self, status):
        self.words |= status.metrics.keys()


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    """All that runs with each built-in penalty and trainer display and record."""
    registry = plugins.load().registry
    built_in = {kind: set(registry.names(kind)) for kind in ("penalty", "trainer")}
    assert {"r1", "gradient-penalty"} < built_in["penalty"]
    folder, shown, recorded = tmp_path_factory.mktemp("runs"), Shown(), set()
    tiny = {"generator.hidden": [8], "discriminator.hidden": [8], "batch_size": 32}
    for trainer in sorted(built_in["trainer"]):
        run = ganzoo.train(
            "mlp",
            out=folder / trainer,
            penalty=sorted(built_in["penalty"]),
            options={**tiny, "trainer": trainer},
            images=6_400,
            device="cpu",
            watcher=shown,
        )
        for line in (run.folder / "metrics.jsonl").read_text().splitlines():
            recorded |= json.loads(line).keys()
    assert shown.words >= built_in["penalty"] | {"loss_d", "loss_g", "real", "fake", "apart"}
    assert recorded >= {"spread", "kinds", "off", "rough", "gap", "told"}
    return shown.words | recorded - FACTS - {"alarm", "unscheduled"}


def test_the_help_page_shows_how_an_augmentation_and_its_option_are_typed():
    example = re.search(r"--augment shift -o (augmentations\.shift\.p)=(0\.5)", HELP)
    config = resolve(plugins.load().registry, "dcgan", options={"augmentations": {"shift": {}}, example[1]: float(example[2])})
    assert config.augmentations["shift"].arguments["p"] == 0.5


def test_each_word_of_a_run_is_on_the_help_page(words):
    told = set(re.findall(r"[\w-]+", PARAGRAPH))
    assert words - told == set()


def test_each_word_of_a_run_is_in_the_readme(words):
    told = set(re.findall(r"`([\w-]+)`", "\n".join(line.split("|")[1] for line in SECTION.splitlines() if line[:1] == "|")))
    assert words - told == set()


def test_the_limits_that_are_told_are_those_that_decide():
    for text in (PARAGRAPH, SECTION):
        for name, limit in (("spread", LIMITS.spread), ("kinds", LIMITS.kinds), ("off", LIMITS.off), ("rough", LIMITS.rough)):
            (line,) = [line for line in text.splitlines() if line.strip(" |`").startswith(name)]
            assert re.search(rf"(below|above) {limit:g}\b", line), line
        assert f"above {LIMITS.gap:g}" in text


def test_the_readme_shows_a_line_as_a_run_prints_it():
    from ganzoo.training.progress import Lines
    from ganzoo.training.watcher import Status

    said = []
    metrics = {"loss_d": 0.657, "real": 0.77, "fake": 0.567, "apart": 0.608, "slope": 58.2, "loss_g": 1.17}
    Lines(said.append).status(Status(8_448, 871.0, 10.0, 0.4, metrics))
    assert f"```\n{said[0]}\n```" in SECTION
