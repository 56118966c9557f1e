"""What people see of a run, and what a watcher of their own is told."""

import contextlib
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import threading

import numpy as np
import pytest

import ganzoo
from ganzoo.training.progress import Lines, ProgressBar, duration

TINY = {"generator.hidden": [8], "discriminator.hidden": [8], "batch_size": 16}
ROWS = np.random.default_rng(0).normal(size=(64, 4)).astype("f4")


def train(folder, **words):
    asked = {"data": ROWS, "options": TINY, "images": 64, "device": "cpu"} | words
    return ganzoo.train("mlp", out=folder, **asked)


class Diary(ganzoo.Watcher):
    """Writes down all that it is told, by the name of the method."""

    def __init__(self):
        self.told = []

    def __getattribute__(self, name):
        if name in ("decoding", "started", "noticed", "status", "stopping", "ended"):
            return lambda *told: self.told.append((name, *told))
        return super().__getattribute__(name)

    @property
    def names(self):
        return [name for name, *_ in self.told]


def test_a_watcher_is_told_everything_in_the_order_that_its_documentation_says(tmp_path):
    diary = Diary()
    run = train(tmp_path / "run", data=np.zeros((60, 9, 9, 4), np.uint8), watcher=diary, resolution=8)
    names = diary.names
    assert names.count("decoding") == 60
    assert names.index("decoding") < names.index("noticed") < names.index("started") < names.index("status")
    assert names.count("started") == names.count("ended") == 1
    assert diary.told[-1] == ("ended", run)
    (first, *_, last) = [told for name, told in ((t[0], t[1:]) for t in diary.told) if name == "status"]
    assert (first[0].images, first[0].progress, first[0].metrics) == (0, 0.0, {})
    assert (last[0].images, last[0].progress) == (64, 1.0)
    assert {"loss_d", "loss_g"} <= last[0].metrics.keys()
    folder, facts = next(t[1:] for t in diary.told if t[0] == "started")
    assert folder == tmp_path / "run"
    assert {"variant", "data", "parameters", "budget", "device", "model"} <= facts.keys()


def test_a_watcher_is_told_of_the_end_whatever_it_is(tmp_path):
    for words in (
        {"device": "gpu"},
        {"options": {"lr": "fast"}},
        {"data": "nothing.npy"},
        {"options": {**TINY, "lr": 1e30, "optimizer": "sgd"}},
    ):
        diary = Diary()
        with pytest.raises(ganzoo.GanzooError):
            train(tmp_path / "run", watcher=diary, **words)
        assert diary.told[-1] == ("ended", None)
        assert diary.names.count("ended") == 1


def test_a_run_that_was_done_is_said_to_have_ended(tmp_path):
    train(tmp_path / "run", watcher=None)
    diary = Diary()
    run = train(tmp_path / "run", watcher=diary)
    assert diary.names == ["noticed", "noticed", "ended"]
    assert diary.told[-1] == ("ended", run)


def test_a_watcher_of_one_method_is_a_watcher(tmp_path):
    seen = []

    class Losses(ganzoo.Watcher):
        def status(self, status):
            seen.append(status.metrics.get("loss_g"))

    train(tmp_path / "run", watcher=Losses())
    assert seen[0] is None
    assert isinstance(seen[-1], float)


def test_what_a_watcher_raises_ends_the_run_and_costs_no_more_than_that(tmp_path):
    class Stops(ganzoo.Watcher):
        def status(self, status):
            if status.images == 128:
                raise RuntimeError("enough")

    train(tmp_path / "run", watcher=None)
    with pytest.raises(RuntimeError, match="enough"):
        train(tmp_path / "run", images=128, watcher=Stops())
    assert train(tmp_path / "run", images=128, watcher=None).resumed == 64


def test_a_bar_that_is_no_terminals_is_lines(tmp_path, capfd):
    bar = ProgressBar()
    for images in (64, 128):
        train(tmp_path / "run", images=images, watcher=bar)
    said = capfd.readouterr()
    assert said.out == ""
    lines = said.err.splitlines()
    assert lines[0].startswith("array: 64 rows of numbers, of 4 columns")
    assert sum(line.startswith("100%") for line in lines) == 2
    assert [line.partition(" images")[0] for line in lines if line.startswith("done")] == ["done after 64", "done after 128"]
    assert lines[-1].endswith(f"it is in {tmp_path / 'run'}")
    assert "\r" not in said.err


def test_a_run_that_is_stopped_says_so(tmp_path, capfd):
    class Impatient(ProgressBar):
        def started(self, folder, facts):
            super().started(folder, facts)
            signal.raise_signal(signal.SIGINT)

    run = train(tmp_path / "run", images=10**6, watcher=Impatient())
    assert run.interrupted
    said = capfd.readouterr().err
    assert "stopping: the run is being saved" in said
    assert re.search(r"\ninterrupted after [\d,]+ images in \d+ s; the same call goes on; it is in ", said)


def test_what_would_move_the_cursor_is_escaped(capfd):
    bar = ProgressBar()
    bar.noticed("a\x1b[2Jb\nc")
    assert capfd.readouterr().err == "a\\x1b[2Jb\\nc\n"


def test_lines_are_rare(capsys):
    said = []
    lines = Lines(said.append)
    for done in range(1, 1001):
        lines.decoding(done, 1000)
    assert said == []


@pytest.mark.parametrize(("seconds", "words"), [(0.4, "0s"), (59, "59s"), (185, "3m05s"), (7620, "2h07m"), (np.inf, "?")])
def test_durations(seconds, words):
    assert duration(seconds) == words


SCRIPT = """
import numpy as np, ganzoo
x = np.random.default_rng(0).normal(size=(64, 4)).astype("f4")
options = {"generator.hidden": [8], "discriminator.hidden": [8], "batch_size": 16}
ganzoo.train("mlp", data=x, images=64, options=options, device="cpu")
"""

NOTEBOOK = """
import sys, types
kernel = types.SimpleNamespace(config={"IPKernelApp": {}})
sys.modules["IPython"] = types.SimpleNamespace(get_ipython=lambda: kernel)
sys.modules["ipykernel.zmqshell"] = types.ModuleType("zmqshell")
"""
"""What makes a process look like a notebook's kernel, one without widgets."""

WIDGETS = """
import atexit, sys, types

class Widget:
    value = bar_style = ""

    def __init__(self, **traits):
        self.__dict__ |= {"layout": types.SimpleNamespace(), "style": types.SimpleNamespace(), **traits}

shown = []
kinds = {name: type(name, (Widget,), {}) for name in ("FloatProgress", "HTML", "HBox")}
sys.modules["ipywidgets"] = types.SimpleNamespace(**kinds)
sys.modules["IPython.display"] = types.SimpleNamespace(display=shown.append)
atexit.register(lambda: [print("bar", [(child.value, child.bar_style) for child in box.children]) for box in shown])
"""
"""The widgets, which keep what they are told to show."""


@pytest.mark.parametrize(("columns", "shown_as"), [(100, "100%|██"), (0, "100%          64 images")])
def test_a_terminal_shows_a_bar_if_it_has_room_for_one(tmp_path, monkeypatch, columns, shown_as):
    master, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, columns))
    shown = []

    def read():
        # Reading from a terminal that nobody has open any more is an error, on Linux.
        with contextlib.suppress(OSError):
            while part := os.read(master, 1 << 16):
                shown.append(part)

    reader = threading.Thread(target=read)
    reader.start()
    with os.fdopen(terminal, "w", encoding="utf-8") as screen, monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", screen)
        train(tmp_path / "run")
    reader.join()
    os.close(master)
    text = b"".join(shown).decode()
    assert "array: 64 rows of numbers" in text
    assert shown_as in text
    assert re.search(r"done after 64 images in \d+ s", text)


def test_a_notebook_shows_a_bar_and_no_red_words(tmp_path):
    done = subprocess.run([sys.executable, "-c", NOTEBOOK + SCRIPT], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "array: 64 rows of numbers" in done.stdout
    assert "done after 64 images" in done.stdout
    assert re.search(r"100%\|█+\| 64 images", done.stderr)
    assert "array" not in done.stderr


def test_a_notebook_with_widgets_shows_one(tmp_path):
    code = NOTEBOOK + WIDGETS + SCRIPT
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "done after 64 images" in done.stdout
    bar = done.stdout.splitlines()[-1].replace("\\u2007", " ")
    assert bar.startswith("bar [('100%', ''), (1.0, 'success'), (' 64 images")
