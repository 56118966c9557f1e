"""Beside other work fewer threads are faster. Here they are because a step sleeps, so that no test depends on the machine."""

import json
import shutil
import time
from collections.abc import Callable
from typing import ClassVar

import pytest
import torch
from safetensors.torch import load_file

import ganzoo
from ganzoo.errors import UsageError
from ganzoo.losses import NonSaturating
from ganzoo.threads import on_threads
from ganzoo.training.trainer import AlternatingTrainer
from ganzoo.training.watcher import Watcher

OPTIONS = {"generator.width": 4, "discriminator.width": 4, "batch_size": 16}


@pytest.fixture(autouse=True)
def _two_threads():
    with on_threads(2):
        yield


class Told(Watcher):
    """Keeps what a run says."""

    def __init__(self):
        self.said = []

    def started(self, folder, facts):
        self.said.append(facts["device"])

    def noticed(self, text):
        self.said.append(text)


class Counting(NonSaturating):
    """A loss whose value is another on every number of threads, as that of a large network is in its last digits."""

    threads = 2

    def discriminator(self, real, fake):
        return super().discriminator(real, fake) * (1 + self.threads / 1024)


@pytest.fixture
def machine(monkeypatch):
    """A machine on which a step takes a moment on ``quick(step)`` threads, and a quarter of a second on any other number."""

    class Machine:
        quick: Callable[[int], int] = staticmethod(lambda step: 1)
        counts: ClassVar[dict[int, int]] = {}
        """Of the steps of runs, and not of trials."""

    original = AlternatingTrainer.step

    def step(trainer, reals, labels, context):
        count = Counting.threads = torch.get_num_threads()
        if type(context).__name__ == "Step":
            Machine.counts[context.step] = count
        time.sleep(0.002 if count == Machine.quick(max(Machine.counts, default=0)) else 0.25)
        with on_threads(1):
            return original(trainer, reals, labels, context)

    monkeypatch.setattr(AlternatingTrainer, "step", step)
    monkeypatch.setattr("ganzoo.training.thread_chooser.PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr("ganzoo.training.clock.LOOK_UP_SECONDS", 0.05)
    return Machine


def train(folder, watcher=None, **arguments):
    arguments = {"options": OPTIONS, "device": "cpu", "precision": "fp32"} | arguments
    return ganzoo.train("dcgan", out=folder, watcher=watcher, **arguments)


def began_on(folder):
    return json.loads((folder / "config.json").read_text())["threads"]


def decided(folder):
    return [json.loads(line) for line in (folder / "clock.jsonl").read_text().splitlines()]


def test_a_budget_of_time_is_spent_on_as_many_threads_as_are_fastest(tmp_path, machine):
    told = Told()
    train(tmp_path / "run", told, budget_seconds=600, images=320)
    assert set(machine.counts.values()) == {1}
    assert began_on(tmp_path / "run") == 1
    assert any("from here on 1 thread: that is" in text for text in told.said)
    assert torch.get_num_threads() == 2


def weights(folder):
    newest = max((folder / "checkpoints").iterdir())
    return {(path.name, name): tensor for path in newest.glob("*.safetensors") for name, tensor in load_file(path).items()}


def test_a_run_that_goes_on_changes_its_threads_at_the_same_steps_and_ends_with_the_same_bits(tmp_path, machine):
    options = OPTIONS | {"checkpoint_seconds": 0.1, "checkpoints": 100}
    arguments = {"budget_seconds": 600, "images": 1920, "options": options, "loss": f"{__name__}:Counting"}
    machine.quick = lambda step: 1 if 20 <= step < 60 else 2
    told = Told()
    train(tmp_path / "whole", told, **arguments)
    whole = dict(machine.counts)
    assert began_on(tmp_path / "whole") == 2
    changes = [row for row in decided(tmp_path / "whole") if "threads" in row]
    assert [row["threads"] for row in changes[:2]] == [1, 2]
    assert sum("from here on" in text for text in told.said) >= 2

    # Cut back to its first checkpoints, it goes on while one thread is never faster.
    shutil.copytree(tmp_path / "whole", tmp_path / "cut")
    (tmp_path / "cut" / "model" / "model.safetensors").unlink()
    kept = [p for p in sorted((tmp_path / "cut" / "checkpoints").iterdir()) if int(p.name) > 16 * changes[0]["step"]]
    for path in kept[1:]:
        shutil.rmtree(path)
    machine.quick = lambda step: 2
    machine.counts.clear()
    run = train(tmp_path / "cut", **arguments)
    assert run.resumed == int(kept[0].name)
    rows = decided(tmp_path / "whole")
    again = {step: count for step, count in machine.counts.items() if step <= rows[-1]["step"]}
    assert again
    assert again == {step: whole[step] for step in again}
    assert decided(tmp_path / "cut")[: len(rows)] == rows
    assert {1, 2} == set(again.values())
    expected, found = weights(tmp_path / "whole"), weights(tmp_path / "cut")
    assert len(expected) > 20
    assert [key for key in expected if not torch.equal(expected[key], found[key])] == []


def test_a_run_of_so_many_images_stays_on_its_threads_and_says_what_would_be_faster(tmp_path, machine):
    told = Told()
    train(tmp_path / "run", told, images=480)
    assert set(machine.counts.values()) == {2}
    said = [text for text in told.said if "times as fast" in text]
    assert len(said) == 1
    assert said[0].startswith("1 thread would be")
    assert "the same command with --threads 1 goes on" in said[0]
    assert any(text.startswith("cpu") and "2 threads" in text for text in told.said)


def test_a_run_goes_on_with_the_threads_that_it_began_with(tmp_path, machine):
    train(tmp_path / "run", images=160)
    with on_threads(3):
        train(tmp_path / "run", images=320)
    assert set(machine.counts.values()) == {2}
    told = Told()
    run = train(tmp_path / "run", told, images=480, threads=1)
    assert run.resumed == 320
    assert {machine.counts[step] for step in range(20, 30)} == {1}
    assert began_on(tmp_path / "run") == 1
    assert not [text for text in told.said if "times as fast" in text]


def test_whoever_names_a_number_gets_it_under_a_budget_of_time_too(tmp_path, machine):
    train(tmp_path / "run", budget_seconds=600, images=160, threads=2)
    assert set(machine.counts.values()) == {2}
    assert not [row for row in decided(tmp_path / "run") if "threads" in row]


@pytest.mark.parametrize("threads", [0, -1, 5000, 1.5, "2"])
def test_a_number_of_threads_that_is_none(tmp_path, threads):
    with pytest.raises(UsageError, match="threads is a whole number from 1 to 1024"):
        train(tmp_path / "run", images=64, threads=threads)
    assert not (tmp_path / "run").exists()
