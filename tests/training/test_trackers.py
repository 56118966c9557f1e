import pytest

import ganzoo
from ganzoo.errors import UnknownNameError, UsageError
from ganzoo.training.trackers import check_trackers

TINY = {"generator.width": 4, "discriminator.width": 4, "batch_size": 16}


def train(folder, images, tracker):
    return ganzoo.train("dcgan", options=TINY, images=images, device="cpu", out=folder, log=[tracker])


def test_tensorboard_shows_metrics_and_sheets_over_images(tmp_path):
    pytest.importorskip("tensorboard", reason="needs the package tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train(tmp_path / "run", 64, "tensorboard")
    train(tmp_path / "run", 128, "tensorboard")
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    events.Reload()
    tags = events.Tags()
    assert {"loss_d", "loss_g", "images_per_second"} <= set(tags["scalars"])
    assert [event.step for event in events.Scalars("loss_d")] == [64, 128]
    assert events.Images("samples")[0].width == 8 * 28
    assert events.Images("samples")[-1].step == 128
    assert "config/text_summary" in tags["tensors"]


def test_trackio_is_told(tmp_path, monkeypatch):
    pytest.importorskip("trackio", reason="needs the package trackio")
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    monkeypatch.setattr("trackio.utils.TRACKIO_DIR", tmp_path / "trackio", raising=False)
    train(tmp_path / "run", 64, "trackio")


def test_a_tracker_that_is_unknown_or_not_installed_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(UnknownNameError, match="did you mean tensorboard"):
        train(tmp_path / "run", 64, "tensorbord")
    assert not (tmp_path / "run").exists()


def test_what_is_missing_is_said_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr("ganzoo.training.trackers.importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match="pip install wandb"):
        check_trackers(["wandb"])
