"""The command on a model's card computes the run that the card is of."""

import json
import shlex

import numpy as np
import pytest
from click.testing import CliRunner

from ganzoo import plugins
from ganzoo.cli import cli
from ganzoo.training.command import command_of, shareable
from ganzoo.training.config import fitted, resolve

RUNS = [
    {},
    {"preset": "paper"},
    {"seed": 3, "budget_images": 5000},
    {"budget_seconds": 1800.0, "precision": "fp32"},
    {"options": {"lr": 5e-4, "batch_size": 32, "generator.width": 8}},
    {"options": {"loss": "hinge", "penalties": {"r1": {"weight": 0.1}}}},
    {"options": {"penalties.slope.weight": 0.001, "ema_images": 0}},
    {"options": {"mirror": True}},
    {"options": {"discriminator": "mlp", "discriminator.hidden": [32, 16]}},
    {"options": {"penalties": {}}},
]


@pytest.mark.parametrize("asked", RUNS, ids=str)
def test_the_command_is_the_run(asked):
    config = resolve(plugins.load().registry, "dcgan", **asked)
    words = shlex.split(command_of(config))
    assert words[0] == "ganzoo"
    told = CliRunner().invoke(cli, [*words[1:], "--dry-run"])
    assert told.exit_code == 0, told.output
    described = json.loads(told.stdout)
    assert {key: described[key] for key in config.to_json()} == json.loads(json.dumps(config.to_json()))


def test_the_command_for_this_machine_says_what_computes_nothing_too():
    asked = {"options": {"checkpoint_seconds": 3, "checkpoints": 5}, "compile": True, "budget_images": 5000}
    config = resolve(plugins.load().registry, "dcgan", **asked)
    words = shlex.split(command_of(config, shared=False, log=["tensorboard"]))
    assert words[words.index("--log") + 1] == "tensorboard"
    assert words.count("--images") == 1
    assert not [word for word in words if word.startswith(("images=", "mirror="))]
    told = CliRunner().invoke(cli, [*words[1:], "--dry-run"])
    assert told.exit_code == 0, told.output
    described = json.loads(told.stdout)
    assert {key: described[key] for key in config.to_json()} == json.loads(json.dumps(config.to_json()))
    assert "checkpoints" not in command_of(config)


LOSSES = ["relativistic", "wasserstein", "hinge", None]
PENALTIES = [
    {},
    {"slope": {"weight": 1e-3}},
    {"slope": {"weight": 2e-4, "share": 0.125}},
    {"gradient-penalty": {"weight": 10.0, "share": 0.25}},
    None,
]
LARGE = [
    {"options": {key: value for key, value in (("loss", loss), ("penalties", penalties)) if value is not None}}
    for loss in LOSSES
    for penalties in PENALTIES
]
LARGE += [{"options": {"penalties.gradient-penalty.weight": 5.0, "lr": 1e-3}}]


@pytest.mark.parametrize("asked", LARGE, ids=str)
def test_the_command_is_the_run_for_large_pictures_too(asked, tmp_path):
    np.save(tmp_path / "large.npy", np.zeros((8, 96, 96, 3), np.uint8))
    config = resolve(plugins.load().registry, "dcgan", data=str(tmp_path / "large.npy"), **asked)
    config = fitted(config, plugins.load().registry, 96)
    told = CliRunner().invoke(cli, [*shlex.split(command_of(config, shared=False))[1:], "--dry-run"])
    assert told.exit_code == 0, told.output
    described = json.loads(told.stdout)
    assert {key: described[key] for key in config.to_json()} == json.loads(json.dumps(config.to_json()))


def test_folders_of_this_machine_are_not_told(tmp_path):
    (tmp_path / "photos").mkdir()
    assert shareable(str(tmp_path / "photos")) == "./photos"
    assert shareable("fashion-mnist") == "fashion-mnist"
    assert shareable("torch/cifar10") == "torch/cifar10"


def test_options_of_data_are_shared_and_its_folder_is_not(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "a.npz").touch()
    assert shareable(f"{tmp_path}/here/a.npz?labels=none") == "./a.npz?labels=none"
    assert shareable("here/a.npz") == "./a.npz"
    assert shareable("torch/cifar10?split=test") == "torch/cifar10?split=test"
