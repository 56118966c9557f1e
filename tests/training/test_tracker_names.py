"""Trackers by name: all that accelerate knows, and those of plugins."""

import json
import sys
import threading
import types

import pytest
from accelerate import tracking

import ganzoo
from ganzoo.errors import PluginError, TrainingError, UnknownNameError, UsageError
from ganzoo.training.trackers import check_trackers

TINY = {"generator.width": 4, "discriminator.width": 4, "batch_size": 16}

BOOK = """
import json, pathlib
import ganzoo

class Book:
    requires_logging_directory = True

    def __init__(self, run_name, logging_dir):
        self.path = pathlib.Path(logging_dir) / "book.jsonl"
        self.run_name = run_name

    def start(self):
        self.write({"run": self.run_name})

    def write(self, row):
        with self.path.open("a") as file:
            print(json.dumps(row), file=file)

    def store_init_configuration(self, config):
        self.write({"variant": config["variant"]})

    def log(self, values, step=None):
        self.write({"step": step, "values": values})

    def log_images(self, values, step=None):
        self.write({"step": step, "shape": values["samples"][0].shape})

    def finish(self):
        self.write({"finished": True})

class Half:
    def __init__(self, run_name):
        self.run_name = run_name

@ganzoo.hookimpl
def register(registry):
    registry.add("tracker", "book", "book_tracker:Book", summary="lines of JSON")
    registry.add("tracker", "half", Half)
"""


@pytest.fixture
def book(plugin_distribution, load_plugins):
    folder = plugin_distribution("book-tracker", entry_points={"book": "book_tracker"}, modules={"book_tracker.py": BOOK})
    load_plugins(folder)
    return folder


def train(folder, *trackers):
    return ganzoo.train("dcgan", options=TINY, images=64, device="cpu", out=folder, log=trackers, watcher=None)


def test_a_plugins_tracker_is_told_of_a_run_as_accelerates_are(book, tmp_path):
    train(tmp_path / "run", "book")
    rows = [json.loads(line) for line in (tmp_path / "run" / "logs" / "book" / "book.jsonl").read_text().splitlines()]
    assert rows[:2] == [{"run": "run"}, {"variant": "dcgan"}]
    assert rows[-1] == {"finished": True}
    (metrics,) = [row["values"] for row in rows if "values" in row]
    assert {"loss_d", "loss_g", "images_per_second"} <= set(metrics)
    assert {"step": 64, "shape": [224, 224]} in rows, rows


def test_a_plugins_tracker_is_listed_and_offered(book, run_ganzoo):
    assert "book" in run_ganzoo("list", "--kind", "trackers", plugins=[book]).stdout
    typed = {"_GANZOO_COMPLETE": "bash_complete", "COMP_WORDS": "ganzoo train dcgan --log ", "COMP_CWORD": "4"}
    assert "plain,book" in run_ganzoo(env=typed, plugins=[book]).stdout


def test_what_is_no_tracker_is_said_to_be_none(book, tmp_path):
    with pytest.raises(PluginError, match=r"the tracker 'half' is a Half, which has no start\(\)"):
        train(tmp_path / "run", "half")


@pytest.mark.parametrize("name", sorted(tracking.LOGGER_TYPE_TO_CLASS))
def test_every_tracker_of_accelerates_is_known_and_its_package_is_named(name, monkeypatch):
    monkeypatch.setattr("ganzoo.training.trackers.importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError) as found:
        check_trackers([name])
    assert found.value.message == f"--log {name} needs the package {name}, which is not installed"
    bound = "'tensorboard>=2.16'" if name == "tensorboard" else name.replace("_", "-")
    assert found.value.hint == f"try: pip install {bound}"


def test_a_tracker_that_was_registered_with_accelerate_is_one_too(monkeypatch):
    with pytest.raises(UnknownNameError, match="unknown tracker 'mine'"):
        check_trackers(["mine"])
    monkeypatch.setitem(tracking.LOGGER_TYPE_TO_CLASS, "mine", type("Mine", (), {}))
    check_trackers(["mine"])


def test_a_tracker_that_cannot_begin_is_one_line(tmp_path, monkeypatch):
    def refuse(**words):
        assert words == {"project": "ganzoo", "name": "run"}
        raise ConnectionError("no key for wandb")

    module = types.ModuleType("wandb")
    module.init = refuse
    module.__spec__ = types.SimpleNamespace()
    monkeypatch.setitem(sys.modules, "wandb", module)
    with pytest.raises(TrainingError, match="the tracker wandb cannot begin: ConnectionError: no key for wandb") as found:
        train(tmp_path / "run", "wandb")
    assert "leave out --log wandb" in found.value.hint


def test_a_tracker_whose_run_belongs_to_a_thread_is_begun_and_told_and_finished_in_one(tmp_path, monkeypatch):
    threads = []

    class Bound(tracking.GeneralTracker):
        name, requires_logging_directory, tracker = "mlflow", True, None

        def __init__(self, run_name, logging_dir):
            assert logging_dir.is_dir()

        def start(self):
            threads.append(threading.get_ident())

        def store_init_configuration(self, values):
            self.start()

        def log(self, values, step=None):
            self.start()

        def finish(self):
            self.start()

    monkeypatch.setitem(tracking.LOGGER_TYPE_TO_CLASS, "mlflow", Bound)
    # It stands in for the package too, which takes the pictures.
    monkeypatch.setitem(sys.modules, "mlflow", types.SimpleNamespace(log_image=lambda *_, **__: None))
    train(tmp_path / "run", "mlflow")
    assert len(threads) >= 4
    assert set(threads) == {threads[0]}
    assert threads[0] != threading.get_ident()
