"""A run that starts from trained weights: which networks come from there, what they are built with, and what is told of it."""

import json
import shlex

import numpy as np
import pytest
import torch
import yaml
from click.testing import CliRunner
from safetensors.torch import load_file

import ganzoo
from ganzoo.cli import cli
from ganzoo.errors import UsageError
from ganzoo.hub.push import push
from ganzoo.training.folder import read_run
from ganzoo.training.recorded import command_there

STILL = {"lr": 1e-12, "batch_size": 8}
"""At such a rate weights stay what they are."""


class Notes(ganzoo.Watcher):
    def __init__(self):
        self.said = []

    def noticed(self, text):
        self.said.append(text)


def train(variant, folder, start, images=16, watcher=None, options=STILL, **words):
    return ganzoo.train(
        variant, out=folder, start=start, images=images, options=options, device="cpu", watcher=watcher, **words
    )


def started(folder):
    return read_run(folder)["start"]


def weights(folder):
    return load_file(folder / "model" / "model.safetensors")


def grey(side, tmp_path, count=16):
    path = tmp_path / f"grey-{side}.npy"
    np.save(path, np.random.default_rng(0).integers(0, 256, (count, side, side), np.uint8))
    return path


def same(ours, theirs):
    """Whether all weights are alike; the statistics of batch norm follow the data."""
    names = [name for name in theirs if "running" not in name and "tracked" not in name]
    assert names
    return all(torch.allclose(ours[name], theirs[name], atol=1e-6) for name in names)


def test_a_run_starts_from_a_model_that_ships_and_says_which_network_does_not(tmp_path):
    notes = Notes()
    run = train("dcgan", tmp_path / "run", "dcgan-fashion-mnist", watcher=notes)
    words = "the generator starts from the weights of dcgan-fashion-mnist, the discriminator from fresh weights"
    assert words in notes.said
    assert same(weights(run.folder), ganzoo.load("dcgan-fashion-mnist").state_dict())
    told = started(run.folder)
    assert (told["from"], told["roles"]) == ("dcgan-fashion-mnist", ["generator"])
    model = json.loads((run.folder / "model" / "config.json").read_text())["training"]["start"]
    assert model == told
    card = (run.folder / "model" / "README.md").read_text()
    assert "| started from | the weights of dcgan-fashion-mnist (generator), after 2,600,000 images |" in card
    assert "base_model" not in card.split("---")[1], "it is no repository of the Hub"


def test_the_options_of_the_networks_come_with_them_and_not_those_of_the_preset(model, tmp_path):
    run = train("mlp", tmp_path / "run", model, options={**STILL, "generator.output": "tanh"})
    told = read_run(run.folder)
    assert told["generator"]["arguments"]["hidden"] == [16]
    assert told["generator"]["arguments"]["output"] == "tanh", "what the user says comes before"
    assert told["discriminator"]["arguments"]["hidden"] == [512, 512], "it is not there"
    assert same(weights(run.folder), load_file(model / "model.safetensors"))


def test_an_option_that_an_older_model_does_not_have_is_as_it_was_then(tmp_path):
    run = train("dcgan", tmp_path / "run", "wgan-gp-fashion-mnist")
    assert read_run(run.folder)["generator"]["arguments"]["blocks"] == 0, "the preset has 1"


def test_a_network_that_the_user_makes_another_one_is_refused_with_both_shapes(model, tmp_path):
    with pytest.raises(UsageError, match=r"the generator in .*model.* is another network than this run's") as found:
        train("mlp", tmp_path / "run", model, options={**STILL, "generator.hidden": [8]})
    assert "is of shape 16x64 there and of shape 8x64 here" in found.value.message
    assert "leave out the options of the generator" in found.value.hint
    assert not (tmp_path / "run").exists()


def test_samples_of_another_size_are_refused_where_the_network_is_for_one_size(model, tmp_path):
    data = grey(16, tmp_path)
    with pytest.raises(UsageError, match="of shape 784x16 there and of shape 256x16 here") as found:
        train("mlp", tmp_path / "run", model, data=data)
    assert "it was trained on samples of 1x28x28, and these are 1x16x16: try --resolution 28" in found.value.hint
    assert train("mlp", tmp_path / "run", model, data=data, resolution=28).images == 16


def test_another_size_and_other_classes_work_where_the_network_allows_it(tmp_path):
    run = train("dcgan", tmp_path / "run", "dcgan-fashion-mnist", data=grey(32, tmp_path))
    assert ganzoo.load(run.folder).sample_shape == (1, 32, 32)
    assert same(weights(run.folder), ganzoo.load("dcgan-fashion-mnist").state_dict())


def test_a_model_of_another_variant_is_taken_if_its_network_is_the_same(tmp_path):
    run = train("wgan-gp", tmp_path / "run", "dcgan-fashion-mnist")
    assert read_run(run.folder)["generator"]["arguments"]["blocks"] == 1
    with pytest.raises(UsageError) as found:
        train("mlp", tmp_path / "other", "dcgan-fashion-mnist")
    assert found.value.message == (
        "dcgan-fashion-mnist is of dcgan, whose generator is 'dcgan', and that of mlp here is 'mlp'"
    )
    assert "ganzoo train dcgan --from dcgan-fashion-mnist" in found.value.hint


def test_a_run_has_all_of_its_networks_and_a_component_that_is_chosen_anew_starts_fresh(model, tmp_path):
    first, notes = model.parent / "first", Notes()
    train("mlp", first, None, options={**STILL, "generator.hidden": [8], "discriminator.hidden": [8]})
    run = train("mlp", tmp_path / "second", first, watcher=notes)
    assert started(run.folder)["roles"] == ["generator", "discriminator"]
    assert read_run(run.folder)["discriminator"]["arguments"]["hidden"] == [8]
    assert any("the generator and the discriminator start from the weights of" in text for text in notes.said)
    other = train("mlp", tmp_path / "third", first, options={**STILL, "discriminator": "maxout"})
    assert started(other.folder)["roles"] == ["generator"]
    assert train("mlp", tmp_path / "fourth", next((first / "checkpoints").iterdir())).images == 16


def test_the_average_begins_at_the_weights_and_the_run_goes_on_bit_by_bit(tmp_path):
    options = {"batch_size": 8, "ema_ramp": 1.0, "ema_images": 1e6, "lr": 1e-3}
    whole = train("dcgan", tmp_path / "whole", "dcgan-fashion-mnist", images=32, options=options)
    train("dcgan", tmp_path / "parts", "dcgan-fashion-mnist", images=16, options=options)
    parts = train("dcgan", tmp_path / "parts", "dcgan-fashion-mnist", images=32, options=options)
    assert parts.resumed == 16
    assert all(torch.equal(tensor, weights(parts.folder)[name]) for name, tensor in weights(whole.folder).items())
    shipped, ours = ganzoo.load("dcgan-fashion-mnist").state_dict(), weights(whole.folder)
    assert (ours["project.weight"] - shipped["project.weight"]).abs().max() < 0.01


def test_a_run_of_before_that_says_less_of_its_start_goes_on(model, tmp_path):
    train("mlp", tmp_path / "run", model)
    told = json.loads((tmp_path / "run" / "config.json").read_text())
    del told["start"]["roles"]
    (tmp_path / "run" / "config.json").write_text(json.dumps(told))
    assert train("mlp", tmp_path / "run", model, images=32).resumed == 16


def test_the_commands_that_are_told_are_that_run(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ganzoo.train("mlp", out="run", start="model", images=16, options=STILL, watcher=None)
    told = json.loads((tmp_path / "run" / "config.json").read_text())
    assert "hidden" not in told["command"], "it comes with the model"
    for command in (told["command"], command_there(tmp_path / "run").partition(" --out")[0]):
        dry = CliRunner().invoke(cli, [*shlex.split(command)[1:], "--dry-run"])
        assert dry.exit_code == 0, dry.output
        again = json.loads(dry.stdout)
        assert {key: again[key] for key in ("generator", "discriminator", "trainer", "start")} == {
            key: told[key] for key in ("generator", "discriminator", "trainer", "start")
        }


def test_a_model_of_the_hub_is_named_in_the_cards_metadata(hub, model, tmp_path):
    push(model, "alice/clothes")
    run = train("mlp", tmp_path / "run", "alice/clothes@main")
    assert started(run.folder)["repository"] == "alice/clothes"
    text = (run.folder / "model" / "README.md").read_text()
    assert yaml.safe_load(text.split("---\n")[1])["base_model"] == "alice/clothes"
    assert same(weights(run.folder), load_file(model / "model.safetensors"))
    assert train("mlp", tmp_path / "run", "alice/clothes@main", images=32).resumed == 16


def test_what_is_neither_run_nor_model_is_told_as_that(tmp_path):
    (tmp_path / "empty").mkdir()
    for name in ("dcgan-fashion-mist", str(tmp_path / "empty"), tmp_path / "nowhere"):
        with pytest.raises(UsageError, match="there is no checkpoint in") as found:
            train("mlp", tmp_path / "run", name)
        assert "dcgan-fashion-mnist" in str(found.value) or "model" in found.value.message


def test_a_models_start_is_shown(model, tmp_path, run_ganzoo):
    train("mlp", tmp_path / "run", model)
    shown = run_ganzoo("info", "run").stdout
    assert f"the weights of {model} (generator), after 256 images" in shown
    assert json.loads(run_ganzoo("info", "run", "--json").stdout)["start"]["roles"] == ["generator"]
