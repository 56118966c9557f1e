"""Whoever follows a run is told of its moments, in order."""

import pytest
import torch

import ganzoo
from ganzoo.errors import TrainingError
from ganzoo.training.watcher import Watcher, Watchers

SMALL = {"generator.hidden": [8], "discriminator.hidden": [8], "batch_size": 32}


class Diary(Watcher):
    """Writes down what it is told."""

    def __init__(self):
        self.told = []

    def __getattribute__(self, name):
        if name in vars(Watcher) and not name.startswith("_"):
            return lambda *values: self.told.append((name, values))
        return super().__getattribute__(name)


def test_a_run_has_its_moments(tmp_path):
    diary = Diary()
    run = ganzoo.train("mlp", images=640, options=SMALL, out=tmp_path / "run", threads=1, watcher=diary)
    names = [name for name, _ in diary.told]
    assert names[0] in ("decoding", "noticed")
    assert names[-1] == "ended"
    assert names.index("started") < names.index("looked") < names.index("logged") < names.index("ended")
    looks = [values for name, values in diary.told if name == "looked"]
    assert looks[-1][0] == run.images
    generator = ganzoo.load(run.folder)
    assert torch.allclose(looks[-1][1], generator.sample(seeds=range(64)), atol=1e-5)
    logged = [values for name, values in diary.told if name == "logged"]
    assert {"loss_d", "loss_g"} <= logged[-1][1].keys()


def test_checkpoints_and_scores_are_moments(tmp_path):
    pytest.importorskip("torch_fidelity")
    diary = Diary()
    options = {**SMALL, "checkpoint_seconds": 0.001}
    scoring = ganzoo.Scoring(ganzoo.Judge(samples=200), every=320)
    ganzoo.train("mlp", images=640, options=options, out=tmp_path / "run", threads=1, watcher=diary, scoring=scoring)
    scored = [values for name, values in diary.told if name == "scored"]
    assert [images for images, _ in scored] == [320, 640]
    assert all({"fd", "kid"} <= scores.keys() for _, scores in scored)
    assert "checkpointed" in [name for name, _ in diary.told]


def test_a_run_that_diverges_says_so_before_it_ends(tmp_path):
    diary = Diary()
    with pytest.raises(TrainingError, match="diverged"):
        ganzoo.train(
            "mlp",
            images=20_000,
            options={**SMALL, "optimizer": "sgd", "lr": 1e30, "loss": "least-squares", "penalties": {}},
            out=tmp_path / "run",
            threads=1,
            watcher=diary,
        )
    names = [name for name, _ in diary.told]
    assert "diverged" in names
    assert names.index("diverged") < names.index("ended")


def test_several_watchers_are_told_in_order():
    first, second = Diary(), Diary()
    both = Watchers(first, second)
    both.noticed("a word")
    both.scored(5, {"fd": 1.0})
    assert first.told == second.told == [("noticed", ("a word",)), ("scored", (5, {"fd": 1.0}))]


@pytest.mark.parametrize("name", [name for name in vars(Watcher) if not name.startswith("_")])
def test_several_watchers_have_every_moment_that_one_has(name):
    assert name in vars(Watchers), "it would be told to nobody"
