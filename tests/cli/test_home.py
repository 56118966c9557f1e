"""``~`` is the home folder wherever a path is typed that the shell has left alone: in quotes, and after ``--out=``."""

import shutil

import numpy as np
import pytest
from click.testing import CliRunner

import ganzoo
from ganzoo.cli import cli

OPTIONS = {"generator.hidden": [8], "discriminator.hidden": [8], "batch_size": 8}
TINY = [word for key, value in OPTIONS.items() for word in ("-o", f"{key}={value[0] if isinstance(value, list) else value}")]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained") / "run"
    return ganzoo.train("mlp", out=folder, options=OPTIONS, images=16, device="cpu").folder


@pytest.fixture
def home(tmp_path, monkeypatch, trained):
    """A home with a run in it, which is not the current folder."""
    home = tmp_path / "home"
    shutil.copytree(trained, home / "run")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GANZOO_CACHE", "~/cache")
    yield home
    assert list((tmp_path / "here").iterdir()) == [], "nothing was taken for a folder called ~"


def ganzoo_says(*words):
    done = CliRunner().invoke(cli, list(words), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_a_run_in_it_is_told_of(home):
    assert "a run of mlp, preset default" in ganzoo_says("info", "~/run")


def test_a_run_starts_from_one_in_it(home):
    ganzoo_says("train", "mlp", *TINY, "--from", "~/run", "--out=~/second", "--images", "16", "--device", "cpu")
    assert (home / "second" / "model" / "model.safetensors").is_file()


def test_a_model_in_it_is_pushed_and_one_pulled_to_it(home, hub):
    ganzoo_says("push", "~/run", "alice/clothes")
    assert "alice/clothes" in hub.repos
    ganzoo_says("pull", "alice/clothes", "~/copy")
    assert (home / "copy" / "config.json").is_file()


def test_samples_and_data_in_it_are_scored_and_what_is_cached_is_in_it(home):
    pytest.importorskip("torch_fidelity", reason="needs the package torch-fidelity")
    for number, name in enumerate(("samples", "held-out", "trained-on")):
        np.savez(home / f"{name}.npz", arr_0=np.random.default_rng(number).integers(0, 256, (40, 28, 28), np.uint8))
    told = ganzoo_says(
        *("evaluate", "~/samples.npz", "--data", "~/held-out.npz", "--train", "~/trained-on.npz"),
        *("--neighbours=~/near.png", "--measures", "kid,copying", "--samples", "40", "--extractor", "fashion-mnist-cnn"),
    )
    assert "copying" in told
    assert (home / "near.png").is_file()
    assert list((home / "cache" / "features").iterdir())


def test_a_comparison_is_written_to_it(home):
    pytest.importorskip("torch_fidelity", reason="needs the package torch-fidelity")
    words = ("--images", "64", "--seeds", "1", "--samples", "200", "--device", "cpu", "--out=~/compared")
    ganzoo_says("compare", "mlp@keras", *words)
    assert (home / "compared" / "results.jsonl").is_file()
