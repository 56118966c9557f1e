"""``ganzoo.train`` in Python is ``ganzoo train`` on the command line, and takes what is in memory besides."""

import ast
import inspect
import json
import re
import subprocess
import sys

import click
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file

import ganzoo
from ganzoo.cli import cli
from ganzoo.cli.train import train as command
from ganzoo.errors import UsageError
from ganzoo.request import request
from ganzoo.training.folder import OtherRunError

TINY = {"generator.width": 4, "discriminator.width": 4, "batch_size": 16}
X = np.random.default_rng(0).integers(0, 256, (96, 28, 28), dtype=np.uint8)
Y = np.arange(96) % 3

RENAMED = {"penalties": "penalty", "trackers": "log", "folder": "out"}
"""What the command's function calls by another name than the option that is typed."""

ONLY_TYPED = {"dry_run", "as_json"}
"""It trains nothing."""

ONLY_CALLED = {"budget_seconds", "scoring", "watcher"}
"""A number, and objects, which nobody can type."""


def prepared(variant="dcgan", **words):
    asked = {
        name: parameter.default
        for name, parameter in inspect.signature(ganzoo.train).parameters.items()
        if name not in ("variant", "fresh", *ONLY_CALLED)
    }
    return request(variant, **asked | {"device": "cpu"} | words)


def train(folder, **words):
    asked = {"data": X, "options": TINY, "images": 64, "device": "cpu", "watcher": None} | words
    return ganzoo.train("dcgan", out=folder, **asked)


def weights(run):
    return load_file(run.folder / "model" / "model.safetensors")


def test_the_call_has_every_word_of_the_command_and_the_same_defaults():
    called = inspect.signature(ganzoo.train).parameters
    # A bare context: what the command's function is called with if nothing is typed.
    typed = command.make_context("train", ["NAME"]).params
    typed = {RENAMED.get(name, name): value for name, value in typed.items() if name not in ONLY_TYPED}
    assert typed.keys() == called.keys() - ONLY_CALLED
    for name, value in typed.items():
        if name != "variant":
            # An option that may be repeated is an empty tuple if it is not.
            assert (called[name].default or None) == (value or None), name


WORDS = [
    {},
    {"preset": "paper", "seed": 3},
    {"budget": "1h30m", "images": "2M"},
    {"loss": "hinge", "penalty": "r1=0.1"},
    {"penalty": ["r1=0.1", "slope"]},
    {"penalty": "none"},
    {"mirror": False, "precision": "fp32", "threads": 1},
    {"resolution": 16, "images": "500k", "score_every": "never"},
    {"images": "64", "score_every": "50k", "until": "kid=0.02"},
    {"options": {"generator.width": 8, "lr": 0.001}},
]


@pytest.mark.parametrize("words", WORDS, ids=str)
def test_the_same_words_are_the_same_run(words, tmp_path, monkeypatch):
    if "until" in words:
        pytest.importorskip("torch_fidelity", reason="needs the package torch-fidelity")
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", X)
    typed = ["--device", "cpu", "--data", "x.npy"]
    for name, value in words.items():
        if name == "options":
            typed += [word for key, option in value.items() for word in ("-o", f"{key}={option}")]
        elif isinstance(value, bool):
            typed.append(f"--{'' if value else 'no-'}{name}")
        else:
            option = f"--{name.replace('_', '-')}"
            typed += [word for one in ([value] if isinstance(value, (str, int)) else value) for word in (option, str(one))]
    told = CliRunner().invoke(cli, ["train", "dcgan", *typed, "--dry-run"])
    assert told.exit_code == 0, told.stderr
    assert json.loads(told.stdout) == json.loads(json.dumps(prepared(data="x.npy", **words).describe()))


def test_counts_may_be_numbers_of_any_kind():
    for images in (2000, "2k", np.int64(2000), torch.tensor(2000)):
        assert prepared(data=X, images=images).config.budget.images == 2000


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"budget": 240}, "budget='4m'"),
        ({"budget": "240"}, "4m"),
        ({"budget": "4m", "budget_seconds": 240}, "twice"),
        ({"images": "many"}, "500k"),
        ({"images": True}, "whole number above 0"),
        ({"images": 2.5}, "whole number above 0"),
        ({"images": 0}, "whole number above 0"),
        ({"score_every": -1}, "score_every must be"),
        ({"score_every": "never", "until": "fd=1"}, "excludes"),
        ({"until": "fd"}, "kid=0.02"),
        ({"penalty": []}, "penalty='none'"),
        ({"penalty": [0.1]}, "r1=0.1"),
        ({"penalty": ["none", "r1"]}, "none"),
        ({"penalty": ["r1=1", "r1=2"]}, "r1 is given twice"),
        ({"penalty": "r1", "options": {"penalties": {}}}, "twice"),
        ({"loss": "hinge", "options": {"loss": "minimax"}}, "twice"),
        ({"mirror": True, "options": {"mirror": False}}, "twice"),
        ({"scoring": ganzoo.Scoring(None, 1), "until": "fd=1"}, "leave those out"),
        ({"watcher": "loud"}, "ganzoo.Watcher"),
        ({"data": [1, 2]}, "numpy.asarray"),
    ],
    ids=str,
)
def test_words_that_make_no_sense_are_refused_before_anything_is_written(words, says, tmp_path):
    with pytest.raises(UsageError, match=says):
        ganzoo.train("dcgan", out=tmp_path / "run", **words)
    assert not (tmp_path / "run").exists()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return train(tmp_path_factory.mktemp("runs") / "run", data=(X, Y))


def test_a_run_says_what_it_was_given(run):
    said = json.loads((run.folder / "config.json").read_text())
    assert said["data"] == {
        "given": "numpy array",
        "shape": [96, 28, 28],
        "dtype": "uint8",
        "labels": {"shape": [96], "dtype": "int64"},
    }
    assert said["dataset"]["sha256"] == ganzoo.Store("x", torch.tensor(X[:, None]), torch.tensor(Y)).describe()["sha256"]
    model = ganzoo.load(run.folder)
    assert model.config.training["data"] == said["data"]
    assert "array, 96 samples" in (run.folder / "model" / "README.md").read_text()


def test_the_same_values_go_on_and_others_are_refused(run):
    assert train(run.folder, data=(X.copy(), list(Y))).resumed == 64
    assert train(run.folder, data=(torch.tensor(X[:, None]), Y), images=128).resumed == 64
    other = X.copy()
    other[50, 3, 3] ^= 1
    for data in ((other, Y), X, (X, Y[::-1]), (X[:95], Y[:95])):
        with pytest.raises(OtherRunError, match="differs in"):
            train(run.folder, data=data, images=128)
    assert train(run.folder, data=(X, Y), images=128).resumed == 128


def test_without_a_folder_other_values_are_another_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folders = [train(None, data=data).folder.name for data in (X, X[::-1], X, torch.tensor(X[::-1].copy()))]
    assert folders == ["dcgan-array", "dcgan-array-2", "dcgan-array", "dcgan-tensor"]


def test_an_array_trains_as_it_does_from_a_file(tmp_path):
    np.savez(tmp_path / "xy.npz", x=X, y=Y)
    here, there = train(tmp_path / "here", data=(X, Y)), train(tmp_path / "there", data=tmp_path / "xy.npz")
    assert all(torch.equal(a, b) for a, b in zip(weights(here).values(), weights(there).values(), strict=True))
    # The data's name is no part of what it is.
    assert train(tmp_path / "there", data=(X, Y)).resumed == 64


def test_the_call_on_the_card_computes_the_run(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = {"loss": "hinge", "penalty": "r1=0.1", "seed": 7, "mirror": False, "precision": "fp32"}
    first = train(tmp_path / "first", data=(X, Y), **words)
    call = json.loads((first.folder / "model" / "config.json").read_text())["training"]["command"]
    assert f"```python\n{call}\n```" in (first.folder / "model" / "README.md").read_text()
    again = eval(call, {"ganzoo": ganzoo, "x": (X, Y)})
    assert again.folder != first.folder
    assert all(torch.equal(a, b) for a, b in zip(weights(first).values(), weights(again).values(), strict=True))


def test_the_way_on_from_a_run_that_diverged_is_a_call(tmp_path):
    with pytest.raises(ganzoo.GanzooError, match="diverged") as caught:
        train(tmp_path / "run", options={**TINY, "optimizer": "sgd", "lr": 1e30})
    said = caught.value.hint
    call = ast.parse(said[said.index("ganzoo.train(") : said.rindex(")") + 1].partition("; ")[0]).body[0].value
    assert {word.arg for word in call.keywords} <= inspect.signature(ganzoo.train).parameters.keys()
    assert "--data" not in said


def test_scoring_says_what_it_was_trained_on_and_how_to_have_that(run):
    pytest.importorskip("torch_fidelity", reason="needs the package torch-fidelity")
    with pytest.raises(UsageError, match=r"a (numpy array|torch tensor) that a program had in its memory.*--data FILE\.npy"):
        ganzoo.evaluate(run.folder)


def test_a_long_run_from_python_is_scored_unasked_too(tmp_path, monkeypatch):
    pytest.importorskip("torch_fidelity", reason="needs the package torch-fidelity")
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path))
    pictures = np.random.default_rng(0).integers(0, 256, (500, 8, 8, 3), dtype=np.uint8)
    assert prepared("mlp", data=pictures, images="5M").scoring.every == 500_000
    assert prepared("mlp", data=pictures, images="5M", score_every="never").scoring is None
    assert prepared("mlp", data=pictures, images="4M").scoring is None


SESSION = """
import numpy as np, ganzoo
x = np.random.default_rng(0).uniform(-1, 1, (64, 28, 28, 1)).astype("float32")
y = ["a", "b"] * 32
run = ganzoo.train("dcgan", data=(x, y), images="64", options=dict(batch_size=16, **{"generator.width": 4}), device="cpu")
print(run.folder, ganzoo.load(run.folder).sample(seeds=range(2)).shape)
"""


def test_a_script_trains_on_its_own_array_and_reads_what_was_understood(tmp_path):
    done = subprocess.run([sys.executable, "-c", SESSION], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["runs/dcgan-array", "torch.Size([2,", "1,", "28,", "28])"]
    first, *rest = done.stderr.splitlines()
    assert first == (
        "array: 64 pictures of 28x28, as they are, in grey; 2 classes: a, b (by the labels given); channels last; "
        "float32 values: -1 is black and 1 is white"
    )
    assert any(line.startswith("100%") for line in rest)
    assert re.fullmatch(r"done after 64 images in \d+ s.*; it is in runs/dcgan-array", rest[-1])


def test_whoever_wants_silence_has_it(tmp_path, capfd):
    train(tmp_path / "run", watcher=None)
    assert capfd.readouterr() == ("", "")


def test_click_is_the_only_reason_for_the_names_that_differ():
    names = {parameter.name: parameter.opts[-1] for parameter in command.params if isinstance(parameter, click.Option)}
    assert {name: f"--{called}" for name, called in RENAMED.items()} == {name: names[name] for name in RENAMED}
