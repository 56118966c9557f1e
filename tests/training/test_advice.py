"""What is advised to try is taken by the same command, and is something new."""

import json

import pytest
from click.testing import CliRunner

from ganzoo import plugins
from ganzoo.cli import cli
from ganzoo.training.advice import advise
from ganzoo.training.config import resolve
from ganzoo.training.prepare import prepare
from ganzoo.training.verdict import SAYS

NARROW = {"generator.width": 4, "discriminator.width": 4}
LAYERED = {"generator.hidden": [8], "discriminator.hidden": [8]}
SMALL = {
    "mlp": LAYERED,
    "mlp@paper": {"generator.hidden": [8], "discriminator.units": 8},
    "mlp@keras": LAYERED,
    "dcgan": NARROW,
    "dcgan@paper": NARROW,
    "wgan-gp": NARROW,
    "wgan-gp@paper": NARROW,
}
SLOPES = "try --loss relativistic --penalty slope"


def prepared_of(name, **options):
    return prepare(resolve(plugins.load().registry, name, options=options), device="cpu")


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("without", [[], ["--penalty", "none"]])
def test_what_is_advised_is_taken(name, without):
    words = [name, *(f"-o{key}={json.dumps(value)}" for key, value in SMALL[name].items())]
    prepared = prepared_of(name, **SMALL[name], **({"penalties": {}} if without else {}))
    for told in {advise(fault, prepared.config, prepared.trainer) for fault in SAYS}:
        # The words behind the last colon, where there is one.
        advised = told.rpartition("try ")[2].rpartition(": ")[2].split()
        # A penalty takes the place of none.
        kept = [] if "--penalty" in advised else without
        result = CliRunner().invoke(cli, ["train", *words, *kept, *advised, "--score-every", "never", "--dry-run"])
        assert result.exit_code == 0, (told, result.exception)
        before, after = prepared.config.to_json(), json.loads(result.stdout)
        assert [key for key in ("loss", "penalties", "trainer") if json.loads(json.dumps(before[key])) != after[key]], told


@pytest.mark.parametrize(
    ("name", "options", "advice"),
    [
        ("mlp@keras", {}, SLOPES),
        ("mlp@keras", {"loss": "relativistic"}, SLOPES),
        ("dcgan", {"loss": "hinge", "penalties": {"gradient-penalty": {"weight": 10.0}}}, SLOPES),
        ("dcgan", {}, "try a lower learning rate: -o lr=0.0007"),
        ("dcgan@paper", {}, "try a lower learning rate: -o lr=7e-05"),
        ("dcgan", {"lr": 0.05}, "try the preset's rate: -o lr=0.002"),
        ("dcgan", {"lr": 0.05, "loss": "hinge"}, f"{SLOPES} -o lr=0.002"),
        ("dcgan", {"lr": 0.003}, "try a lower learning rate: -o lr=0.001"),
        ("dcgan", {"discriminator_lr": 0.03}, "try a lower learning rate: -o lr=0.0007 -o discriminator_lr=0.01"),
    ],
)
def test_what_is_advised(name, options, advice):
    prepared = prepared_of(name, **SMALL[name], **options)
    assert advise("alike", prepared.config, prepared.trainer) == advice
