"""A run that is stopped, anywhere and in any way, goes on as if it had not been."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import ganzoo
from ganzoo.errors import TrainingError, UsageError
from ganzoo.training.loop import Step
from ganzoo.training.watcher import Watcher

SMALL = {
    "mlp": {"generator.hidden": [16], "discriminator.hidden": [16]},
    "dcgan": {"generator.width": 4, "discriminator.width": 4},
    "wgan-gp": {"generator.width": 4, "discriminator.width": 4, "n_critic": 2},
}
OWN_RATES = {"mlp@paper": {"generator.hidden": [16]}}
"""Whose trainer changes its learning rates at every step."""
FALLING = {"lr_decay_images": 200, "lr_decay_from": 0.3, "lr_final": 0.1}
"""Rates that are others at every step."""
KILLS = int(os.environ.get("KILLS", "6"))
"""How many runs are killed, over all variants. The long test: ``KILLS=50 pytest tests/training/test_resume.py -k kill_it``."""

COMMAND = Path(sysconfig.get_path("scripts")) / "ganzoo"


def train(folder, variant="dcgan", **arguments):
    small = {**SMALL, **OWN_RATES}[variant]
    options = {**small, **FALLING, "batch_size": 16, **arguments.pop("options", {})}
    arguments = {"images": 640, "device": "cpu", "precision": "fp32"} | arguments
    return ganzoo.train(variant, out=folder, options=options, **arguments)


def left(folder):
    """Every tensor that a run ended with."""
    newest = max((Path(folder) / "checkpoints").iterdir())
    files = [*newest.glob("*.safetensors"), Path(folder) / "model" / "model.safetensors"]
    assert len(files) == 4
    return {f"{file.name}/{name}": tensor for file in files for name, tensor in load_file(file).items()}


def assert_same(a, b):
    a, b = left(a), left(b)
    assert a.keys() == b.keys()
    assert [name for name in a if not torch.equal(a[name], b[name])] == []


class Stops(Watcher):
    """Sends a signal once so many images have been shown."""

    def __init__(self, monkeypatch, step):
        from ganzoo.training.trainer import AlternatingTrainer

        original = AlternatingTrainer.step

        def stepping(trainer, reals, labels, context):
            # Not in the trial before the first step.
            if context.step == step and isinstance(context, Step):
                signal.raise_signal(signal.SIGTERM)
            return original(trainer, reals, labels, context)

        monkeypatch.setattr(AlternatingTrainer, "step", stepping)


@pytest.mark.parametrize("variant", [*SMALL, *OWN_RATES])
def test_a_run_that_was_stopped_goes_on_bit_by_bit(tmp_path, monkeypatch, variant):
    train(tmp_path / "whole", variant)
    for stop in (0, 13, 24):
        with monkeypatch.context() as patch:
            run = train(tmp_path / "cut", variant, watcher=Stops(patch, stop))
        assert run.interrupted
        assert run.images == 16 * (stop + 1)
    run = train(tmp_path / "cut", variant)
    assert (run.images, run.resumed, run.interrupted) == (640, 400, False)
    assert_same(tmp_path / "whole", tmp_path / "cut")


def test_the_records_read_as_if_it_had_not_been_stopped(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        train(tmp_path / "run", watcher=Stops(patch, 20))
    with (tmp_path / "run" / "metrics.jsonl").open("a") as file:
        file.write('{"images": 600, "loss_d": 1.0}\n{"images": 6')
    (tmp_path / "run" / "samples" / "0000000600.png").touch()
    train(tmp_path / "run")
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    images = [row["images"] for row in rows]
    assert images == sorted(set(images))
    assert 600 not in images
    assert not (tmp_path / "run" / "samples" / "0000000600.png").exists()
    sheets = {int(p.stem) for p in (tmp_path / "run" / "samples").iterdir()}
    assert {0, 32, 64, 320, 608, 640} <= sheets


def test_what_time_decided_is_decided_again(tmp_path, monkeypatch):
    budget = {"images": None, "budget_seconds": 2.0, "options": {"checkpoint_seconds": 0.3, "checkpoints": 3}}
    train(tmp_path / "whole", **budget)
    shutil.copytree(tmp_path / "whole", tmp_path / "cut")
    (tmp_path / "cut" / "model" / "model.safetensors").unlink()
    newest = sorted((tmp_path / "cut" / "checkpoints").iterdir())
    for path in newest[1:]:
        shutil.rmtree(path)
    slow = torch.nn.Module.__call__
    monkeypatch.setattr(torch.nn.Module, "__call__", lambda *a, **k: (time.sleep(0.0002), slow(*a, **k))[1])
    run = train(tmp_path / "cut", **budget)
    assert 0 < run.resumed < run.images
    decided = [(tmp_path / name / "clock.jsonl").read_text() for name in ("whole", "cut")]
    assert decided[0] == decided[1]
    assert_same(tmp_path / "whole", tmp_path / "cut")


def test_a_larger_budget_goes_on_and_a_run_that_is_done_is_left_alone(tmp_path):
    train(tmp_path / "run", images=160)
    weights = (tmp_path / "run" / "model" / "model.safetensors").stat()
    again = train(tmp_path / "run", images=160)
    assert (again.images, again.resumed) == (160, 160)
    assert again.samples.exists()
    assert (tmp_path / "run" / "model" / "model.safetensors").stat().st_mtime_ns == weights.st_mtime_ns
    more = train(tmp_path / "run", images=320)
    assert (more.images, more.resumed) == (320, 160)
    with pytest.raises(UsageError, match=r"images \(320 there, 160 here\)"):
        train(tmp_path / "run", images=160)


def test_a_model_that_got_lost_is_made_again_from_the_last_checkpoint(tmp_path):
    train(tmp_path / "run", images=160)
    before = left(tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "model")
    train(tmp_path / "run", images=160)
    after = left(tmp_path / "run")
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_what_would_change_the_mathematics_is_refused(tmp_path):
    train(tmp_path / "run", images=32)
    with pytest.raises(UsageError, match=r"lr \([\d.]+ there, 0.01 here\)"):
        train(tmp_path / "run", images=32, options={"lr": 0.01})
    with pytest.raises(UsageError, match="seed"):
        train(tmp_path / "run", images=32, seed=1)
    fresh = train(tmp_path / "run", images=32, seed=1, fresh=True)
    assert fresh.resumed == 0


def test_a_damaged_checkpoint_is_said_and_the_one_before_used(tmp_path, monkeypatch):
    train(tmp_path / "whole")
    with monkeypatch.context() as patch:
        train(tmp_path / "cut", watcher=Stops(patch, 10))
    with monkeypatch.context() as patch:
        train(tmp_path / "cut", watcher=Stops(patch, 20))
    older, newer = sorted((tmp_path / "cut" / "checkpoints").iterdir())
    content = bytearray((newer / "optimizers.safetensors").read_bytes())
    content[len(content) // 2] ^= 1
    (newer / "optimizers.safetensors").write_bytes(content)
    told = []

    class Listens(Watcher):
        def noticed(self, text):
            told.append(text)

    run = train(tmp_path / "cut", watcher=Listens())
    assert run.resumed == int(older.name)
    (damaged,) = [text for text in told if "damaged" in text]
    assert str(newer) in damaged
    assert_same(tmp_path / "whole", tmp_path / "cut")
    for path in (tmp_path / "cut" / "checkpoints").iterdir():
        (path / "state.json").unlink()
    with pytest.raises(TrainingError, match="--fresh"):
        train(tmp_path / "cut", images=1280)


def test_a_finished_run_whose_model_is_broken_writes_it_again(tmp_path):
    run = train(tmp_path / "run")
    weights = run.folder / "model" / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:100])
    train(tmp_path / "run")
    assert weights.read_bytes() == content


def killed_run(folder, variant, seed, images, budget, moment):
    """Run the command, and kill it after ``moment`` seconds of training, or while it writes a checkpoint if that is None."""
    words = [COMMAND, "train", variant, "--device", "cpu", "--seed", str(seed), *budget]
    options = {**SMALL[variant], "batch_size": 16, "checkpoint_seconds": 0.05, "checkpoints": 3}
    words += [word for key, value in options.items() for word in ("-o", f"{key}={json.dumps(value)}")]
    words += ["--out", folder]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    # The first sheet of samples is drawn right before the first step.
    while process.poll() is None and not (folder / "samples").exists():
        time.sleep(0.01)
    if moment is None:
        checkpoints = folder / "checkpoints"
        while process.poll() is None and not list(checkpoints.glob(".*.tmp")):
            time.sleep(0.0002)
    else:
        time.sleep(moment)
    process.kill()
    process.communicate()
    return words


@pytest.mark.slow
@pytest.mark.parametrize("variant", SMALL)
def test_kill_it_at_any_moment_and_it_goes_on_bit_by_bit(tmp_path, variant):
    """SIGKILL, also in the middle of a checkpoint, and the same command again."""
    images = 16 * 600
    chance = random.Random(variant)
    reference = None
    for kill in range(KILLS // len(SMALL) + (list(SMALL).index(variant) < KILLS % len(SMALL))):
        folder = tmp_path / f"kill-{kill}"
        moment = None if kill % 2 else chance.uniform(0, 2.0)
        words = killed_run(folder, variant, 0, images, ["--images", str(images)], moment)
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        if reference is None:
            reference = tmp_path / "whole"
            subprocess.run([*words[:-1], reference], capture_output=True, check=True)
        assert_same(reference, folder)
        shutil.rmtree(folder)


def test_a_killed_run_replays_what_time_had_decided(tmp_path):
    """What was decided after the last checkpoint is in the journal, and comes again."""
    words = killed_run(tmp_path / "run", "mlp", 0, None, ["--budget", "4s"], 1.5)
    before = (tmp_path / "run" / "clock.jsonl").read_text().splitlines()
    assert len(before) > 5
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    after = (tmp_path / "run" / "clock.jsonl").read_text().splitlines()
    assert after[: len(before) - 1] == before[:-1]
    seconds = [json.loads(line)["seconds"] for line in after]
    assert seconds == sorted(seconds)
    assert 4 <= seconds[-1] < 5


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0 or not shutil.which("mount"), reason="needs root to mount")
@pytest.mark.parametrize(
    ("ballast", "hint"), [(2_700_000, "make room, or name another folder"), (2_300_000, "the same command")]
)
def test_a_full_disk_is_said_and_the_run_goes_on_when_there_is_room(tmp_path, ballast, hint):
    """It is full before the first step, or when the first checkpoints are there."""
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", small], check=False, capture_output=True)
    if mounted.returncode:
        pytest.skip("cannot mount a tmpfs here")
    try:
        words = [sys.executable, "-m", "ganzoo", "train", "dcgan", "--device", "cpu", "--precision", "fp32", "--images", "640"]
        options = {**SMALL["dcgan"], **FALLING, "batch_size": 16, "checkpoint_seconds": 0.1}
        words += [word for key, value in options.items() for word in ("-o", f"{key}={json.dumps(value)}")]
        (small / "ballast").write_bytes(b"x" * ballast)
        full = subprocess.run([*words, "--out", small / "run"], capture_output=True, text=True, check=False)
        assert full.returncode == 1, full.stderr
        assert "No space left" in full.stderr
        assert hint in full.stderr
        assert "Traceback" not in full.stderr
        (small / "ballast").unlink()
        done = subprocess.run([*words, "--out", small / "run"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        train(tmp_path / "whole")
        assert_same(tmp_path / "whole", small / "run")
    finally:
        subprocess.run(["umount", small], check=True)
