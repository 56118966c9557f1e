import json
import math

import pytest

from ganzoo import plugins
from ganzoo.comparison import Result, _plan, compare, interval, read_results
from ganzoo.errors import UnknownNameError, UsageError
from ganzoo.training.folder import OtherRunError
from ganzoo.training.settings import Budget

pytest.importorskip("torch_fidelity", reason="needs the package torch-fidelity")


DEAF = """
import ganzoo
import torch

class Deaf(ganzoo.Generator):
    def __init__(self, *, sample_shape: tuple[int, ...]):
        super().__init__(latent_shape=(8,), sample_shape=sample_shape)
        self.sample_ = torch.nn.Parameter(torch.zeros(sample_shape))

    def forward(self, z, labels=None):
        return self.sample_.expand(len(z), *self.sample_shape).tanh()

@ganzoo.hookimpl
def register(registry):
    registry.add("generator", "deaf", Deaf)
    registry.add_variant(ganzoo.Variant(
        name="deaf", summary="ignores its latents", paper="none", generator="deaf", discriminator="mlp", loss="hinge",
        presets={
            name: ganzoo.Preset(summary="as it is", source="none", options={"discriminator.hidden": [8], "batch_size": 32})
            for name in ("default", "paper")
        },
    ))
"""


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


def test_an_interval_is_students():
    assert interval([1.0, 2.0, 3.0]) == pytest.approx((2.0, 4.303 / math.sqrt(3)), rel=1e-3)
    assert interval([5.0]) == (5.0, math.inf)


def test_a_comparison_goes_on_where_it_was_and_grows(tmp_path):
    contenders = ["mlp@default", "mlp@keras"]
    begun = []

    def run(seeds):
        begun.clear()
        return compare(
            contenders,
            out=tmp_path,
            budget=Budget(images=640),
            samples=300,
            seeds=seeds,
            device="cpu",
            beginning=lambda contender, seed: begun.append((contender, seed)),
        )

    first = run(1)
    assert begun == [("mlp", 0), ("mlp@keras", 0)]
    assert all(math.isfinite(r.scores["fd"]) for r in first)
    assert first[0].scores != first[1].scores
    stamps = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("metrics.json*")}
    second = run(2)
    assert [r for r in second if r.seed == 0] == first
    assert {p: p.stat().st_mtime_ns for p in stamps} == stamps, "what is done is not done again"
    assert len(read_results(tmp_path)) == 4
    assert (tmp_path / "mlp@keras" / "seed-1" / "model").is_dir()


def test_results_of_before_are_read(tmp_path):
    row = {"contender": "mlp", "seed": 0, "images": 640, "seconds": 1.0, "asked": {}, "scores": {"fd": 1.0}, "protocol": {}}
    (tmp_path / "results.jsonl").write_text(json.dumps(row) + "\n" + json.dumps({**row, "alarm": "collapsed"}) + "\n")
    assert [result.alarm for result in read_results(tmp_path)] == [None, "collapsed"]
    assert read_results(tmp_path)[0] == Result(**row)


def test_a_run_that_made_nothing_of_use_is_told_apart(run_ganzoo, plugin_distribution, tmp_path):
    folder = plugin_distribution("deaf", entry_points={"deaf": "deaf"}, modules={"deaf.py": DEAF})
    words = ("compare", "deaf", "mlp@keras", "--images", "9k", "--seeds", "1", "--samples", "300", "--device", "cpu")
    result = run_ganzoo(*words, plugins=[folder])
    assert result.returncode == 0, result.stderr
    head, deaf, keras = result.stdout.splitlines()
    assert head.endswith("\tNO GOOD")
    assert deaf.endswith("1 of 1")
    assert keras.endswith("0 of 1")
    assert "what it made is no good: it collapsed after" in result.stderr
    told = {row["contender"]: row["alarm"] for row in json.loads(run_ganzoo(*words, "--json", plugins=[folder]).stdout)}
    assert told["mlp@keras"] is None
    assert told["deaf"].startswith("collapsed after")
    assert {r.contender: r.alarm for r in read_results(tmp_path / "runs" / "compare")} == told


def test_without_a_budget_no_other_comparison_is_taken_over(tmp_path):
    compare(["mlp"], out=tmp_path, budget=Budget(images=640), samples=300, seeds=1, device="cpu")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.json*")}
    with pytest.raises(OtherRunError, match="was given --images 640"):
        compare(["mlp"], out=tmp_path, budget=Budget(), samples=300, seeds=1, device="cpu")
    assert {path: path.read_bytes() for path in before} == before


def test_wrong_names_are_told_before_anything_is_trained(tmp_path):
    with pytest.raises(UnknownNameError, match="papier"):
        compare(["mlp", "mlp@papier"], out=tmp_path / "out", budget=Budget(images=64))
    with pytest.raises(UnknownNameError, match="fashion-mnst"):
        compare(["mlp"], out=tmp_path / "out", budget=Budget(images=64), real="fashion-mnst")
    with pytest.raises(UsageError, match="mlp is given twice"):
        compare(["mlp", "mlp@default"], out=tmp_path / "out", budget=Budget(images=64))
    assert not (tmp_path / "out").exists()


def test_the_command(run_ganzoo, tmp_path):
    words = ("compare", "mlp", "mlp@keras", "--images", "640", "--seeds", "2", "--samples", "300", "--device", "cpu")
    result = run_ganzoo(*words)
    assert result.returncode == 0, result.stderr
    head, mlp, keras = result.stdout.splitlines()
    assert head.startswith("NAME\tSEEDS\tIMAGES\tFD\tKID")
    assert mlp.split()[:2] == ["mlp", "2"]
    assert "±" in keras
    assert "mlp@keras, seed 1: run 4 of 4" in result.stderr
    first, second = result.stderr.splitlines()[:2]
    assert first.startswith("4 runs of 640 images each: the training, and then the scoring of 300 samples of each")
    assert second.startswith("samples are compared with fashion-mnist-10k, on which the models are trained")
    assert second.endswith("add --data fashion-mnist --real fashion-mnist-10k")
    assert "mlp@keras, seed 1: fd " in result.stderr
    assert "name, seeds, images, fd, kid, precision, recall, coverage: 300 samples of each" in result.stderr
    assert "of each against 300 of fashion-mnist-10k, by fashion-mnist-cnn" in result.stderr
    rows = json.loads(run_ganzoo(*words, "--json").stdout)
    assert [(row["contender"], row["seed"]) for row in rows] == [("mlp", 0), ("mlp@keras", 0), ("mlp", 1), ("mlp@keras", 1)]
    assert run_ganzoo("compare", "mlp", "mlp@default").returncode == 2
    fewer = run_ganzoo(*("320" if word == "640" else word for word in words))
    assert fewer.returncode == 2
    assert "differs in images (640 there, 320 here); go on with the budget that it had, or compare in another" in fewer.stderr


def test_before_the_first_run_is_told_how_long_all_takes_and_that_scores_are_by_the_training_data():
    registry = plugins.load().registry
    (length,) = _plan(registry, 6, Budget(seconds=240), 1000, "./photos", "./others")
    assert length.startswith("6 runs of 4m00s each: 24m00s of training, and then the scoring of 1,000 samples of each")
    assert next(_plan(registry, 1, Budget(), 1000, "./photos", "./others")).startswith("1 run of as many images as")
    _, warning = _plan(registry, 6, Budget(seconds=240), 1000, "./photos", None)
    assert warning.endswith("add --real DATA")
