import json
import signal

import pytest
import torch
from safetensors.torch import load_file

import ganzoo
from ganzoo.errors import UnknownNameError
from ganzoo.training.records import read_scores
from ganzoo.training.scoring import Scoring
from ganzoo.training.watcher import Watcher

TINY = {"generator.width": 4, "discriminator.width": 4, "batch_size": 16}


class Brightness:
    """How far samples are from the data in brightness: a poor judge, but a judge."""

    names = ("fd",)

    def __init__(self, offset=0.0):
        self.offset = offset
        self.looked_at = []

    def prepare(self, data):
        self.looked_at.append(len(data))
        self.real = data.batch(torch.arange(500))[0].mean() + self.offset

    def describe(self):
        return {"by": "brightness"}

    def __call__(self, generator, data):
        return {"fd": float((generator.sample(range(64)).mean() - self.real).abs())}


def train(folder, scoring, **arguments):
    arguments = {"options": TINY, "images": 320, "device": "cpu"} | arguments
    return ganzoo.train("dcgan", out=folder, scoring=scoring, **arguments)


def weights(folder):
    return load_file(folder / "model" / "model.safetensors")


def test_a_run_is_scored_as_it_goes_and_the_best_is_what_the_model_folder_holds(tmp_path):
    judge = Brightness()
    run = train(tmp_path, Scoring(judge, every=64))
    rows = read_scores(tmp_path)
    assert judge.looked_at == [10_000]
    assert [row["images"] for row in rows] == [64, 128, 192, 256, 320]
    best = min(rows, key=lambda row: row["fd"])
    assert scored(run.folder) == {"by": "fd", "score": best["fd"], "images": best["images"], "judge": judge.describe()}
    generator = ganzoo.load(run.folder)
    assert judge(generator, None)["fd"] == pytest.approx(best["fd"], abs=1e-6)


def test_scoring_changes_nothing_that_is_computed(tmp_path):
    scored = train(tmp_path / "scored", Scoring(Brightness(), every=100))
    plain = train(tmp_path / "plain", None)
    newest = [load_file(sorted((r.folder / "checkpoints").iterdir())[-1] / "networks.safetensors") for r in (scored, plain)]
    assert all(torch.equal(a, b) for a, b in zip(*(n.values() for n in newest), strict=True))


def test_a_run_that_is_good_enough_stops_and_stays_so(tmp_path):
    run = train(tmp_path, Scoring(Brightness(), every=64, until=1e9))
    assert (run.images, run.interrupted) == (64, False)
    again = train(tmp_path, Scoring(Brightness(), every=64, until=1e9))
    assert (again.images, again.resumed) == (64, 64)
    further = train(tmp_path, Scoring(Brightness(), every=64, until=-1.0))
    assert (further.images, further.resumed) == (320, 64)


def test_a_run_that_goes_on_has_the_scores_of_one_that_never_stopped(tmp_path):
    class Impatient(Brightness):
        def __call__(self, generator, data):
            signal.raise_signal(signal.SIGTERM)
            return super().__call__(generator, data)

    train(tmp_path / "whole", Scoring(Brightness(), every=64))
    parts = [train(tmp_path / "parts", Scoring(Impatient(), every=64)) for _ in range(3)]
    assert [part.images for part in parts] == [80, 144, 208]
    train(tmp_path / "parts", Scoring(Brightness(), every=64))
    found = [[(row["images"], row["fd"]) for row in read_scores(tmp_path / name)] for name in ("whole", "parts")]
    assert found[0] == found[1]
    models = (weights(tmp_path / name).values() for name in ("whole", "parts"))
    assert all(torch.equal(a, b) for a, b in zip(*models, strict=True))


def test_the_best_checkpoint_outlives_newer_ones(tmp_path):
    """With a judge that likes the first look of a generator best, that one is kept to the end."""

    class First(Brightness):
        def __call__(self, generator, data):
            self.asked = getattr(self, "asked", 0) + 1
            return {"fd": float(self.asked)}

    run = train(tmp_path, Scoring(First(), every=64))
    assert [int(p.name) for p in sorted((tmp_path / "checkpoints").iterdir())] == [64, 256, 320]
    assert json.loads((run.folder / "model" / "config.json").read_text())["training"]["scored"]["images"] == 64
    early = load_file(tmp_path / "checkpoints" / f"{64:012d}" / "ema.safetensors")
    assert all(torch.equal(value, early[f"generator/{name}"]) for name, value in weights(tmp_path).items())


class Told(Brightness):
    """Says what it is told to say."""

    def __init__(self, *scores):
        super().__init__()
        self.scores = list(scores)

    def __call__(self, generator, data):
        return {"fd": self.scores.pop(0)}


def scored(folder):
    return json.loads((folder / "model" / "config.json").read_text())["training"]["scored"]


def test_the_best_checkpoint_outlives_a_stop_right_after_it(tmp_path):
    class Hasty(Watcher):
        def noticed(self, text):
            if text.startswith("going on"):
                signal.raise_signal(signal.SIGTERM)

    train(tmp_path, Scoring(Told(3.0, 2.0, 1.0), every=64), images=192)
    stopped = train(tmp_path, Scoring(Told(1.5), every=64), watcher=Hasty())
    assert stopped.interrupted
    assert (scored(tmp_path)["score"], scored(tmp_path)["images"]) == (1.0, 192)
    train(tmp_path, Scoring(Told(1.5, 1.6), every=64))
    assert (scored(tmp_path)["score"], scored(tmp_path)["images"]) == (1.0, 192)


def test_the_best_checkpoint_and_all_scores_outlive_going_on_without_any(tmp_path):
    train(tmp_path, Scoring(Told(1.0, 2.0), every=64), images=128)
    train(tmp_path, None, images=256)
    assert "scored" not in json.loads((tmp_path / "model" / "config.json").read_text())["training"]
    train(tmp_path, Scoring(Told(3.0, 4.0), every=64))
    assert [row["images"] for row in read_scores(tmp_path)] == [64, 128, 256, 320]
    assert (scored(tmp_path)["score"], scored(tmp_path)["images"]) == (1.0, 64)


def test_another_judge_begins_anew_and_says_so(tmp_path):
    class Other(Told):
        def describe(self):
            return {"by": "whim", "features": "none"}

    class Listening(Watcher):
        def __init__(self):
            self.heard = []

        def noticed(self, text):
            self.heard.append(text)

    train(tmp_path, Scoring(Told(1.0, 2.0), every=64), images=128)
    watcher = Listening()
    train(tmp_path, Scoring(Other(6.0, 5.0, 4.0), every=64), images=256, watcher=watcher)
    assert [row["fd"] for row in read_scores(tmp_path)] == [6.0, 5.0, 4.0]
    assert "this run was scored by another judge before: its scores begin anew" in watcher.heard


def test_a_score_that_the_judge_does_not_give_is_refused_before_training(tmp_path):
    with pytest.raises(UnknownNameError, match="score 'fed'"):
        train(tmp_path / "run", Scoring(Brightness(), every=64, by="fed"))
    assert not (tmp_path / "run").exists()


class Covered(Told):
    """Says what it is told to say of a score of which higher is better, by the table of measures."""

    names = ("coverage",)

    def __call__(self, generator, data):
        return {"coverage": self.scores.pop(0)}


def test_where_higher_is_better_the_highest_is_kept_and_reached(tmp_path):
    class Listening(Watcher):
        def __init__(self):
            self.heard = []

        def noticed(self, text):
            self.heard.append(text)

    watcher = Listening()
    train(tmp_path / "run", Scoring(Covered(0.1, 0.7, 0.3, 0.2, 0.4), every=64, by="coverage"), watcher=watcher)
    assert (scored(tmp_path / "run")["score"], scored(tmp_path / "run")["images"]) == (0.7, 128)
    assert any(text.endswith("the best was 0.7 after 128") for text in watcher.heard)
    run = train(tmp_path / "until", Scoring(Covered(0.1, 0.7, 0.9), every=64, by="coverage", until=0.5))
    assert run.images == 128


def test_a_judges_own_score_goes_down_unless_it_says_otherwise(tmp_path):
    class Whim(Told):
        names = ("whim",)

        def __call__(self, generator, data):
            return {"whim": self.scores.pop(0)}

    train(tmp_path / "low", Scoring(Whim(2.0, 1.0, 3.0), every=64, by="whim"), images=192)
    train(tmp_path / "high", Scoring(Whim(2.0, 1.0, 3.0), every=64, by="whim", better="higher"), images=192)
    assert [scored(tmp_path / name)["score"] for name in ("low", "high")] == [1.0, 3.0]


def test_the_curve_is_drawn_where_matplotlib_is(tmp_path):
    pytest.importorskip("matplotlib")
    train(tmp_path, Scoring(Brightness(), every=100))
    assert (tmp_path / "scores.png").read_bytes().startswith(b"\x89PNG")


def test_a_line_that_was_cut_short_ends_the_scores(tmp_path):
    (tmp_path / "scores.jsonl").write_text('{"images": 1, "fd": 2.0}\n{"images": 5, "fd": 1.0}\n{"ima')
    assert [row["images"] for row in read_scores(tmp_path)] == [1, 5]
    assert [row["images"] for row in read_scores(tmp_path, 4)] == [1]
    assert read_scores(tmp_path / "nowhere") == []
