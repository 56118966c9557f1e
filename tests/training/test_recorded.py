"""A run of which there is what its folder says: it goes on, whatever its preset has become since."""

import json
import shlex
import sys

import numpy as np
import pytest

import ganzoo
from ganzoo import plugins
from ganzoo.training.folder import CONFIG
from ganzoo.training.recorded import command_again
from ganzoo.training.records import read_progress

SMALL = {"generator.width": 2, "discriminator.width": 2, "batch_size": 4}
BEFORE = {"loss": "relativistic", "penalties": {"slope": {"weight": 2e-4, "share": 0.125}}, "lr": 1e-3}
"""Of the preset for large pictures, in a version before this one."""


@pytest.fixture
def earlier(tmp_path):
    """The folder of a run with a preset of before, which its command does not say."""
    np.save(tmp_path / "large.npy", np.random.default_rng(0).integers(0, 256, (8, 96, 96, 3), np.uint8))
    data, folder = str(tmp_path / "large.npy"), tmp_path / "run"
    ganzoo.train("dcgan", data=data, out=folder, options=SMALL | BEFORE, images=8, device="cpu", watcher=None)
    run = json.loads((folder / CONFIG).read_text())
    small = [word for key, value in SMALL.items() for word in ("-o", f"{key}={value}")]
    run["ganzoo"] = "0.0.9"
    run["command"] = shlex.join(["ganzoo", "train", "dcgan", "--data", data, "--images", "8", *small, "--threads", "1"])
    (folder / CONFIG).write_text(json.dumps(run))
    return folder


def test_a_run_of_an_earlier_preset_goes_on_with_the_command_that_info_has(earlier, ganzoo_here):
    told = json.loads(ganzoo_here("info", str(earlier), "--json").stdout)
    words = shlex.split(told["next"]["resume"])
    assert words[-2:] == ["--out", str(earlier)], words
    gone_on = ganzoo_here(*words[1:])
    assert gone_on.returncode in (0, 3), gone_on.stderr
    assert read_progress(earlier)[0] == 16


def test_whoever_types_the_command_of_before_is_told_the_one_that_goes_on(earlier, ganzoo_here):
    before = json.loads((earlier / CONFIG).read_text())["command"]
    refused = ganzoo_here(*shlex.split(before)[1:], "--out", str(earlier))
    assert refused.returncode == 2
    assert "holds a run that differs in" in refused.stderr
    told = refused.stderr.partition("go on with that run: ")[2].partition("; or name another folder")[0]
    assert ganzoo_here(*shlex.split(told)[1:]).returncode in (0, 3)


def test_parts_that_no_plugin_offers_are_not_imported(earlier):
    run = json.loads((earlier / CONFIG).read_text())
    run["loss"] = {"name": "antigravity:fly", "distribution": None, "arguments": {}}
    words = command_again(run, run["command"], plugins.load().registry)
    assert words == shlex.split(run["command"])
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize("damage", [{}, {"loop": 3}, {"variant": "gone"}, {"dataset": None}, {"penalties": [1]}], ids=str)
def test_a_damaged_configuration_has_the_command_that_it_was_begun_with(earlier, damage):
    run = json.loads((earlier / CONFIG).read_text()) if damage else {}
    command = "ganzoo train dcgan --data x.npy"
    assert command_again(run | damage, command, plugins.load().registry) == shlex.split(command)


def test_a_run_with_a_budget_of_time_alone_goes_on_without_one_of_images(tmp_path):
    small = {"generator.hidden": [8], "discriminator.hidden": [8], "batch_size": 8}
    run = ganzoo.train("mlp", budget="1s", options=small, out=tmp_path / "run", device="cpu", watcher=None)
    told = json.loads((run.folder / CONFIG).read_text())
    assert told["budget"]["images"] is None
    # Of a version whose preset trained for longer.
    told["loop"]["images"] = 123_456
    words = command_again(told, told["command"], plugins.load().registry)
    assert "--images" not in words
    assert "--budget" in words
