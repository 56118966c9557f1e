"""``ganzoo train`` as it is installed: what it makes, what it refuses, and what it leaves behind."""

import json
import os
import re
import shlex
import signal
import subprocess
import sysconfig
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ganzoo

TINY = ["-o", "generator.width=4", "-o", "discriminator.width=4", "-o", "batch_size=16"]


@pytest.fixture
def photos(tmp_path):
    """A folder of colour pictures of different sizes, one of them cut short."""
    folder = tmp_path / "photos"
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(20):
        height, width = random.integers(30, 60, 2)
        Image.fromarray(random.integers(0, 256, (height, width, 3), np.uint8)).save(folder / f"{number:02}.png")
    (folder / "cut.png").write_bytes((folder / "00.png").read_bytes()[:100])
    return folder


def test_a_run_ends_with_a_model_and_says_where(run_ganzoo, tmp_path):
    result = run_ganzoo("train", "mlp", "--images", "64", "-o", "batch_size=16", "--out", "run")
    assert result.returncode == 0, result.stderr
    rows = dict(line.split("\t") for line in result.stdout.splitlines()[1:])
    assert rows == {"model": "run/model", "samples": "run/model/samples.png"}
    assert Image.open(tmp_path / rows["samples"]).size == (224, 224)
    assert ganzoo.load(tmp_path / "run").sample([0]).shape == (1, 1, 28, 28)
    assert "images/s" not in result.stdout
    assert "ganzoo sample run" in result.stderr


def test_few_pictures_that_are_shown_often_may_be_copied_and_the_run_says_how_to_look(ganzoo_here, tmp_path, photos):
    words = ("train", "mlp", "-o", "generator.hidden=8", "-o", "discriminator.hidden=8", "-o", "batch_size=20")
    options = ("--data", photos, "--resolution", "16", "--out", "run", "--no-mirror")
    seldom = ganzoo_here(*words, *options, "--images", "1980")
    assert "may make copies" not in seldom.stderr
    often = ganzoo_here(*words, *options, "--images", "2000")
    assert "each of the 20 samples was shown 100 times" in often.stderr
    pytest.importorskip("torch_fidelity", reason="needs the package torch-fidelity")
    (command,) = re.findall(r"real ones: ganzoo (.*)", often.stderr)
    look = ganzoo_here(*shlex.split(command), "--samples", "64")
    assert look.returncode == 0, look.stderr
    assert Image.open(tmp_path / "nearest.png").mode == "RGB"


def test_own_pictures_in_colour(ganzoo_here, tmp_path, photos):
    result = ganzoo_here("train", "dcgan", *TINY, "--data", photos, "--resolution", "32", "--images", "64", "--out", "run")
    assert result.returncode == 0, result.stderr
    assert "cut.png" in result.stderr
    assert Image.open(tmp_path / "run" / "reals.png").mode == "RGB"
    assert ganzoo.load(tmp_path / "run").sample_shape == (3, 32, 32)


def test_the_first_line_says_what_the_data_was_understood_to_be(run_ganzoo, tmp_path, photos):
    for number in range(30):
        (photos / f"IMG_{number}.heic").write_bytes(b"")
    words = ("-o", "batch_size=16", "-o", "generator.hidden=8", "-o", "discriminator.hidden=8", "--images", "16")
    result = run_ganzoo("train", "mlp", *words, "--data", photos, "--out", "run")
    assert result.returncode == 0, result.stderr
    first, second = result.stderr.splitlines()[:2]
    assert re.match(r"photos: 20 pictures of \d+ sizes from .*, their central square scaled to 64x64", first)
    assert "no classes; left out: 30 .heic files (IMG_0.heic, IMG_1.heic, IMG_10.heic, …)" in first
    assert "1 picture that cannot be read: " in first
    assert "(cut.png)" in first
    assert second.startswith(
        "20 samples are so few that a model may do no more than learn them by heart: 'ganzoo evaluate --meas"
    )
    assert ".heic" not in (tmp_path / "run" / "model" / "config.json").read_text(), (
        "what is left out is nobody else's business"
    )


def test_labels_that_are_none_cost_only_a_variant_that_needs_them(run_ganzoo, tmp_path, plugin_distribution):
    needs = """
import ganzoo

class Needy(ganzoo.Discriminator):
    def __init__(self, *, sample_shape: tuple[int, ...], num_classes: int):
        if not num_classes:
            raise ganzoo.UsageError("this discriminator needs labels")

    def forward(self, x, labels=None):
        return x.flatten(1).mean(1)

@ganzoo.hookimpl
def register(registry):
    registry.add("discriminator", "needy", Needy)
"""
    folder = plugin_distribution("needy", entry_points={"needy": "needy"}, modules={"needy.py": needs})
    np.savez(tmp_path / "a.npz", images=np.zeros((120, 8, 8), np.uint8), labels=np.full(120, -1))
    words = ("train", "mlp", "-o", "batch_size=16", "--images", "16", "--data", "a.npz?images=images")
    result = run_ganzoo(*words)
    assert result.returncode == 0, result.stderr
    word = "no classes (labels cannot be used: 120 of 120 labels are negative, as where a sample has none)"
    assert word in result.stderr
    refused = run_ganzoo(*words, "-o", "discriminator=needy", plugins=[folder])
    assert refused.returncode == 2
    assert word in refused.stderr
    assert "needs labels" in refused.stderr


def test_a_dry_run_prints_everything_and_writes_nothing(run_ganzoo, tmp_path):
    result = run_ganzoo("train", "dcgan", "--dry-run", "--loss", "hinge", "--penalty", "r1=0.1", "-o", "batch_size=128")
    assert result.returncode == 0, result.stderr
    plan = json.loads(result.stdout)
    assert plan["loss"]["name"] == "hinge"
    assert plan["penalties"]["r1"]["arguments"]["weight"] == 0.1
    assert plan["loop"]["batch_size"] == 128
    assert plan["parameters"]["generator"] > 1000
    assert list(tmp_path.iterdir()) == []


def test_the_same_command_goes_on(run_ganzoo, tmp_path):
    words = ("train", "mlp", "-o", "batch_size=16", "--device", "cpu")
    first = run_ganzoo(*words, "--images", "64")
    assert first.returncode == 0, first.stderr
    again = run_ganzoo(*words, "--images", "64")
    assert again.returncode == 0, again.stderr
    assert "was done after 64 images" in again.stderr
    assert "--fresh" in again.stderr
    assert again.stdout == first.stdout
    more = run_ganzoo(*words, "--images", "96")
    assert "going on after 64 images" in more.stderr
    assert "done after 96 images" in more.stderr
    assert (
        "the preset trains on 1,500,000 images, and the same command with a larger --budget or --images goes on" in more.stderr
    )
    fresh = run_ganzoo(*words, "--images", "64", "--fresh")
    assert "mlp-fashion-mnist-10k-2/model" in fresh.stdout
    assert "mlp-fashion-mnist-10k holds a run that differs in images (96 there, 64 here)" in fresh.stderr
    other = run_ganzoo(*words, "--images", "64", "-o", "lr=0.5")
    assert "mlp-fashion-mnist-10k-3/model" in other.stdout
    assert re.search(r"mlp-fashion-mnist-10k-2 holds a run that differs in lr \(\S+ there, 0.5 here\)", other.stderr)
    refused = run_ganzoo(*words, "--images", "96", "-o", "lr=0.5", "--out", tmp_path / "runs" / "mlp-fashion-mnist-10k")
    assert refused.returncode == 2
    *_, line = refused.stderr.splitlines()
    assert re.search(r"lr \(\S+ there, 0.5 here\)", line)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_keeps_its_model(tmp_path, number):
    command = Path(sysconfig.get_path("scripts")) / "ganzoo"
    words = [command, "train", "mlp", "--budget", "1h", "-o", "batch_size=16", "--out", "run"]
    process = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if "images" in line and "%" in line:
            break
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert "interrupted after" in stderr
    assert "the same command goes on" in stderr
    assert "run/model" in stdout
    model = ganzoo.load(tmp_path / "run")
    assert model.config.training["interrupted"]


def test_an_interrupt_after_the_last_step_does_not_cost_the_model(tmp_path):
    command = Path(sysconfig.get_path("scripts")) / "ganzoo"
    words = [command, "train", "mlp", "--images", "640", "-o", "batch_size=16", "--out", "run"]
    process = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    last = tmp_path / "run" / "samples" / "0000000640.png"
    while process.poll() is None and not last.exists():
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode in (0, 130), stderr
    assert ganzoo.load(tmp_path / "run").sample([0]).shape == (1, 1, 28, 28)


REFUSED = {
    "variant": (["dcgn"], 2, "did you mean dcgan"),
    "variant in two words": (["wgan", "gp"], 2, "did you mean wgan-gp"),
    "a word too many": (["dcgan", "zzz"], 2, "unexpected extra argument (zzz)"),
    "key": (["dcgan", "-o", "batchsize=3"], 2, "batch_size"),
    "key before data": (["dcgan", "-o", "batchsize=3", "--data", "./nowhere"], 2, "batch_size"),
    "dotted key": (["dcgan", "-o", "generator.widht=3"], 2, "generator.width"),
    "type": (["dcgan", "-o", "batch_size=many"], 2, "batch_size"),
    "no equals": (["dcgan", "-o", "batch_size"], 2, "key=value"),
    "loss": (["dcgan", "--loss", "hinje"], 2, "hinge"),
    "penalty": (["dcgan", "--penalty", "r3"], 2, "r1"),
    "preset": (["dcgan", "--preset", "best"], 2, "paper"),
    "resolution": (["dcgan", "--resolution", "5"], 2, "--resolution 6"),
    "resolution of none": (["dcgan", "--resolution", "0"], 2, "resolution"),
    "device": (["dcgan", "--device", "abacus"], 2, "abacus"),
    "zero budget": (["dcgan", "--budget", "0m"], 2, "trains nothing"),
    "zero images": (["dcgan", "--images", "0"], 2, "train nothing"),
    "budget": (["dcgan", "--budget", "soon"], 2, "soon"),
    "missing folder": (["dcgan", "--data", "./nowhere"], 1, "nowhere"),
    "unknown data": (["dcgan", "--data", "fashion-mnst"], 2, "fashion-mnist"),
    "no pictures": (["dcgan", "--data", "empty"], 1, "empty"),
    "one picture": (["dcgan", "--data", "one"], 1, "one"),
    "corrupt pictures": (["dcgan", "--data", "corrupt"], 1, "corrupt"),
    "not a zip": (["dcgan", "--data", "broken.zip"], 1, "broken.zip"),
    "folder in use": (["dcgan", "--out", "one"], 2, "not empty"),
    "folder under a file": (["dcgan", "--out", "broken.zip/run"], 2, "broken.zip"),
    "absurd count": (["dcgan", "--images", "9" * 400], 2, "count"),
    "nobody's home": (["dcgan", "--data", "~nosuchuser/x"], 1, "nosuchuser"),
    "no device": (["dcgan", "--device", "meta"], 2, "meta"),
    "not a loss": (["dcgan", "--loss", "torch.nn:Identity"], 2, "not a Loss"),
    "not a trainer": (["dcgan", "-o", "trainer=builtins:dict"], 1, "does not say"),
    "given twice": (["dcgan", "--loss", "hinge", "-o", "loss=minimax"], 2, "twice"),
    "none and more": (["dcgan", "--penalty", "none", "--penalty", "r1"], 2, "none"),
    "tracker": (["dcgan", "--log", "tensorbord"], 2, "tensorboard"),
    "precision": (["dcgan", "--precision", "fp16"], 2, "bf16"),
    "accumulate": (["dcgan", "-o", "accumulate=7"], 2, "accumulate=7"),
    "until": (["dcgan", "--until", "kid"], 2, "kid=0.02"),
    "until nothing": (["dcgan", "--until", "kid=nan"], 2, "kid=0.02"),
    "until what": (["dcgan", "--until", "fed=1"], 2, "did you mean fd"),
    "until and never": (["dcgan", "--until", "fd=1", "--score-every", "never"], 2, "--score-every never"),
    "negative seed": (["dcgan", "--seed", "-1"], 2, "--seed"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_one_clear_line(ganzoo_here, tmp_path, case):
    words, code, says = REFUSED[case]
    for folder in ("empty", "one", "corrupt"):
        (tmp_path / folder).mkdir()
    Image.new("L", (32, 32)).save(tmp_path / "one" / "a.png")
    for name in ("a.png", "b.jpg"):
        (tmp_path / "corrupt" / name).write_bytes(b"\x89PNG nothing")
    (tmp_path / "broken.zip").write_bytes(b"PK nothing")
    before = sorted(tmp_path.rglob("*"))
    result = ganzoo_here("train", *words)
    assert result.returncode == code, result.stderr
    # What the data was understood to be may come first.
    *understood, line = result.stderr.splitlines()
    assert [text.partition(":")[0] for text in understood] in ([], ["fashion-mnist-10k"])
    assert line.startswith("ganzoo: ")
    assert says in line
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.skipif(os.name != "posix" or not Path("/proc").is_dir(), reason="needs a folder that root cannot write to either")
def test_a_folder_that_cannot_be_written_to(ganzoo_here):
    result = ganzoo_here("train", "mlp", "--images", "32", "--out", "/proc/run")
    assert result.returncode in (1, 2)
    assert "/proc" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_traceback_is_there_for_those_who_ask(run_ganzoo):
    result = run_ganzoo("train", "dcgn", env={"GANZOO_DEBUG": "1"})
    assert result.returncode == 2
    assert "Traceback" in result.stderr


def test_help_explains_the_forms_of_data(run_ganzoo):
    text = run_ganzoo("train", "--help").stdout
    for form in ("fashion-mnist-10k", ".zip", "npz", "torch/cifar10", "ubyte", "--dry-run", "Examples:"):
        assert form in text


def test_only_long_runs_are_scored_unasked():
    from ganzoo.request import choose_scoring, is_long
    from ganzoo.training.settings import Budget

    assert [is_long(b) for b in (Budget(seconds=240), Budget(seconds=900), Budget(images=10**6))] == [False, True, False]
    assert is_long(Budget(images=5_000_000))
    assert not is_long(Budget(seconds=240, images=10**9))
    assert choose_scoring(None, None) is choose_scoring("never", None) is None
    assert choose_scoring("50k", None).every == 50_000
    scoring = choose_scoring(None, "kid=0.02")
    assert (scoring.by, scoring.until) == ("kid", 0.02)


@pytest.mark.parametrize(("count", "scored"), [(499, False), (500, True)])
def test_a_long_run_is_scored_unasked_where_there_are_pictures_enough(ganzoo_here, tmp_path, count, scored):
    pytest.importorskip("torch_fidelity", reason="needs the package torch-fidelity")
    np.save(tmp_path / "own.npy", np.random.default_rng(0).integers(0, 255, (count, 8, 8, 3), np.uint8))
    words = ("train", "mlp", "--data", "own.npy", "--images", "5M", "--dry-run")
    result = ganzoo_here(*words, env={"GANZOO_CACHE": str(tmp_path / "cache")})
    assert result.returncode == 0, result.stderr
    scoring = json.loads(result.stdout).get("scoring")
    assert (scoring and (scoring["by"], scoring["every"], scoring["n_real"])) == (("fd", 500_000, 500) if scored else None)


def test_few_pictures_can_be_scored_by_the_kernel_distance(ganzoo_here, tmp_path):
    pytest.importorskip("torch_fidelity", reason="needs the package torch-fidelity")
    np.save(tmp_path / "few.npy", np.random.default_rng(0).integers(0, 255, (150, 28, 28), np.uint8))
    words = ("train", "mlp", "--data", "few.npy", "--images", "640", "--score-every", "320", "--out", "run")
    env = {"GANZOO_CACHE": str(tmp_path / "cache")}
    refused = ganzoo_here(*words, env=env)
    assert refused.returncode == 2
    assert "150 samples are too few" in refused.stderr
    assert "train --until kid=0" in refused.stderr
    scored = ganzoo_here(*words, "--until", "kid=0", env=env)
    assert scored.returncode == 0, scored.stderr
    assert "\nkid " in scored.stderr


def test_a_run_that_is_scored_says_so_and_stops(ganzoo_here, tmp_path):
    pytest.importorskip("torch_fidelity", reason="needs the package torch-fidelity")
    small = ["-o", "generator.width=4", "-o", "discriminator.width=4"]
    words = ("train", "dcgan", *small, "--images", "20k", "--score-every", "640", "--until", "fd=1000", "--out", "run")
    result = ganzoo_here(*words, env={"GANZOO_CACHE": str(tmp_path / "cache")})
    assert result.returncode == 0, result.stderr
    assert "after 640 images: as good as was asked for" in result.stderr
    assert (tmp_path / "run" / "scores.jsonl").exists()
