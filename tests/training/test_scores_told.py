"""Every score of a run is told once: to who watches, and to trackers."""

import pytest

import ganzoo
from ganzoo.training.scoring import Scoring
from ganzoo.training.watcher import Watcher

TINY = {"generator.hidden": [8], "discriminator.hidden": [8], "batch_size": 16}


class Brightness:
    """How bright samples are: a poor judge, but a judge."""

    names = ("fd",)

    def prepare(self, data):
        pass

    def describe(self):
        return {"by": "brightness"}

    def __call__(self, generator, data):
        return {"fd": float(generator.sample(range(8)).mean().abs())}


class Listening(Watcher):
    def __init__(self):
        self.heard = []

    def noticed(self, text):
        self.heard += [text] if text.startswith("fd ") else []


def told(folder, **scoring):
    """The images after which scores were told: to the watcher, and to TensorBoard."""
    pytest.importorskip("tensorboard", reason="needs the package tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    watcher = Listening()
    options = {"options": TINY, "images": 160, "device": "cpu", "precision": "fp32", "log": ["tensorboard"]}
    ganzoo.train("mlp", out=folder, watcher=watcher, scoring=Scoring(Brightness(), **scoring), **options)
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    heard = [int(text.partition(" after ")[2].partition(" ")[0]) for text in watcher.heard]
    return heard, [event.step for event in events.Scalars("fd")]


@pytest.mark.parametrize(
    ("scoring", "images"),
    [
        ({"every": 64, "until": 1e9}, [64]),
        ({"every": 64}, [64, 128, 160]),
        ({"every": 80}, [80, 160]),
        ({"every": 1000}, [160]),
    ],
    ids=["good enough", "at the end of its budget", "at the end and due", "only at the end"],
)
def test_each_score_is_told_once(tmp_path, scoring, images):
    assert told(tmp_path / "run", **scoring) == (images, images)
