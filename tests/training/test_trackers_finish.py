"""However a run ends, what it had logged is sent, and its trackers are finished."""

import threading

import pytest
import torch

import ganzoo
from ganzoo.training.divergence import DivergedError
from ganzoo.training.trackers import Trackers
from ganzoo.training.watcher import Watcher

pytest.importorskip("tensorboard", reason="needs the package tensorboard")

TINY = {"generator.width": 4, "discriminator.width": 4, "batch_size": 16}


def logged(folder):
    """The images after which metrics, and sheets of samples, were logged."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "tensorboard"), size_guidance={"images": 0})
    events.Reload()
    return [event.step for event in events.Scalars("images_per_second")], [event.step for event in events.Images("samples")]


def senders():
    """The threads of TensorBoard's that wait for more to write."""
    return [thread for thread in threading.enumerate() if type(thread).__module__.startswith("tensorboard")]


def train(folder, watcher=None, **options):
    more = {"device": "cpu", "precision": "fp32", "log": ["tensorboard"], "watcher": watcher}
    return ganzoo.train("dcgan", options=TINY | options, images=64, out=folder, **more)


def drawn(folder):
    return sorted(int(sheet.stem) for sheet in (folder / "samples").iterdir())


def test_a_run_that_diverged_has_all_its_sheets_in_tensorboard(tmp_path):
    with pytest.raises(DivergedError):
        train(tmp_path / "run", lr=1e30)
    assert not senders()
    metrics, sheets = logged(tmp_path / "run")
    assert metrics
    assert sheets == drawn(tmp_path / "run")


class Fails(Watcher):
    """Raises once training goes on, as a second Ctrl-C does."""

    def __init__(self, error):
        self.error = error

    def status(self, status):
        if status.images:
            raise self.error


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ZeroDivisionError()])
def test_trackers_are_finished_whatever_ends_a_run(tmp_path, error):
    with pytest.raises(type(error)):
        train(tmp_path / "run", Fails(error))
    assert not senders()
    assert logged(tmp_path / "run") == ([64], drawn(tmp_path / "run"))


def test_trackers_that_have_begun_are_finished_if_one_cannot_begin(tmp_path):
    with pytest.raises(TypeError):
        Trackers(["tensorboard", "tensorboard"], tmp_path, {"what no tracker can be told": object()}, 0)
    assert not senders()


def test_a_tracker_that_fails_keeps_nothing_from_the_others(tmp_path):
    trackers = Trackers(["tensorboard", "tensorboard"], tmp_path, {}, 0)
    broken = trackers._trackers[0]
    broken.writer.close()
    broken.writer = None
    with pytest.raises(AttributeError):
        trackers.log({"images_per_second": 1.0}, 16)
    with pytest.raises(AttributeError):
        trackers.log_sheet(torch.zeros(8, 8, 1, dtype=torch.uint8).numpy(), 16)
    with pytest.raises(AttributeError):
        trackers.finish()
    assert logged(tmp_path) == ([16], [16])
    assert not senders()
