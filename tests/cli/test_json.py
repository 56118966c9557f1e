"""``--json`` of the commands that make something: one object on stdout, everything else on stderr."""

import json
import shutil
import signal
import subprocess
import sysconfig
import time
from pathlib import Path

import numpy as np
import pytest

import ganzoo
from ganzoo.cli.output import out

TINY = ("-o", "generator.hidden=8", "-o", "discriminator.hidden=8", "-o", "batch_size=16")
RUN = ("train", "mlp", *TINY, "--out", "run", "--json")


@pytest.fixture
def run_folder(tmp_path):
    options = {"generator.hidden": [8], "discriminator.hidden": [8], "batch_size": 16}
    return ganzoo.train("mlp", images=64, out=tmp_path / "run", options=options).folder


def told(result, code=0):
    """What stdout holds, which is one object and no more."""
    assert result.returncode == code, result.stderr
    found = json.loads(result.stdout)
    assert isinstance(found, dict)
    return found


def test_train_tells_what_it_made(run_ganzoo, tmp_path):
    result = run_ganzoo(*RUN, "--images", "64")
    found = told(result)
    assert "images/s" not in result.stdout
    assert "done after 64 images" in result.stderr
    assert ganzoo.load(tmp_path / found["model"]).sample_shape == (1, 28, 28)
    assert (tmp_path / found["samples"]).is_file()
    assert (found["folder"], found["variant"], found["preset"]) == ("run", "mlp", "default")
    assert (found["images"], found["resumed"], found["exit_code"]) == (64, 0, 0)
    assert (found["interrupted"], found["alarm"], found["recovered"], found["scores"]) == (False, None, None, [])
    assert 0 < found["seconds"] < 600
    again = told(run_ganzoo(*RUN, "--images", "64"))
    assert (again["images"], again["resumed"], again["exit_code"]) == (64, 64, 0)


def test_train_tells_its_scores_with_their_protocol(ganzoo_here, tmp_path):
    pytest.importorskip("torch_fidelity", reason="needs the package torch-fidelity")
    np.save(tmp_path / "noise.npy", np.random.default_rng(0).integers(0, 256, (250, 28, 28), np.uint8))
    words = ("--data", "noise.npy", "--images", "64", "--score-every", "32", "--no-mirror")
    (row,) = told(ganzoo_here(*RUN, *words))["scores"]
    assert {"fd", "kid"} <= row["scores"].keys() <= {"fd", "kid", "kid_std"}
    assert row["images"] in (32, 64)
    assert row["protocol"]["extractor"] == "fashion-mnist-cnn"
    assert len(row["protocol"]["extractor_sha256"]) == 64
    assert (row["protocol"]["data"], row["protocol"]["n_real"]) == ("noise", 250)


ALIKE = """
import ganzoo, torch

class Alike(ganzoo.Generator):
    def __init__(self, *, sample_shape: tuple[int, ...]):
        super().__init__(latent_shape=(2,), sample_shape=sample_shape)
        self.value = torch.nn.Parameter(torch.zeros(sample_shape))

    def forward(self, z, labels=None):
        return self.value.expand(len(z), *self.sample_shape).tanh()

@ganzoo.hookimpl
def register(registry):
    registry.add("generator", "alike", Alike)
"""


def test_train_tells_why_what_it_made_is_no_good(run_ganzoo, plugin_distribution):
    plugin = plugin_distribution("alike", entry_points={"alike": "alike"}, modules={"alike.py": ALIKE})
    words = ("-o", "generator=alike", "-o", "discriminator.hidden=8", "-o", "batch_size=16", "--images", "12k", "--json")
    found = told(run_ganzoo("train", "mlp", *words, plugins=[plugin]), code=3)
    assert found["exit_code"] == 3
    assert "images: all samples are alike" in found["alarm"]
    assert found["advice"].startswith("try ")


def test_train_that_is_interrupted_tells_how_far_it_was(tmp_path):
    command = Path(sysconfig.get_path("scripts")) / "ganzoo"
    words = [command, *RUN, "--budget", "10m"]
    process = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not (tmp_path / "run" / "metrics.jsonl").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 130, stderr
    found = json.loads(stdout)
    assert (found["interrupted"], found["exit_code"]) == (True, 130)
    assert found["images"] == ganzoo.load(tmp_path / found["model"]).config.training["images"]


def test_sample_tells_what_it_wrote(ganzoo_here, run_folder, tmp_path):
    words = ("sample", run_folder, "--seeds", "3,5-9", "-o", "samples.npz", "--json")
    found = told(ganzoo_here(*words))
    assert np.load(tmp_path / found["output"])["arr_0"].shape == (6, 28, 28, 1)
    assert (found["model"], found["seeds"], found["count"]) == (str(run_folder), "3,5-9", 6)
    assert (found["sample_shape"], found["modality"], found["replaced"]) == ([1, 28, 28], "pictures", False)
    assert told(ganzoo_here(*words))["replaced"]


def test_push_and_pull_tell_what_went_where(hub, ganzoo_here, run_folder, tmp_path):
    plan = told(ganzoo_here("push", run_folder, "alice/clothes", "--dry-run", "--json"))
    assert (plan["repo"], plan["url"]) == ("alice/clothes", None)
    assert not hub.repos
    shutil.copy(run_folder / "config.json", run_folder / "model" / "notes.txt")
    pushed = told(ganzoo_here("push", run_folder, "alice/clothes", "--license", "mit", "--json"))
    assert pushed["url"] == f"{hub.endpoint}/alice/clothes/commit/{hub.repos['alice/clothes'].branches['main']}"
    assert (pushed["removed"], pushed["kept_here"]) == ([], ["notes.txt"])
    names = [file["name"] for file in pushed["files"]]
    assert set(names) == {"config.json", "model.safetensors", "samples.png", "README.md"}
    assert [file["name"] for file in plan["files"]] == names
    sizes = {name: (run_folder / "model" / name).stat().st_size for name in names}
    assert {file["name"]: file["bytes"] for file in pushed["files"]} == sizes
    pulled = told(ganzoo_here("pull", "alice/clothes@main", "copy", "--json"))
    assert (pulled["repo"], pulled["revision"], pulled["variant"]) == ("alice/clothes", "main", "mlp")
    assert (pulled["folder"], pulled["license"]) == (str(tmp_path / "copy"), "mit")
    assert {file["name"]: file["bytes"] for file in pulled["files"]} == sizes


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("train", "dcgn"), 2),
        (("train", "mlp", "--data", "nowhere/at-all"), 1),
        (("sample", "nowhere/at/all"), 1),
        (("push", "nowhere", "alice/x"), 1),
        (("pull", "nothing"), 2),
    ],
)
def test_what_fails_is_a_line_on_stderr_and_an_exit_code(ganzoo_here, words, code):
    result = ganzoo_here(*words, "--json")
    assert (result.returncode, result.stdout) == (code, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("ganzoo: ")


def test_numbers_that_json_has_not_are_null(capsys):
    out.json({"scores": [{"fd": float("nan"), "kid": 0.5}, (float("inf"), -float("inf"))]})
    assert json.loads(capsys.readouterr().out, parse_constant=pytest.fail) == {
        "scores": [{"fd": None, "kid": 0.5}, [None, None]]
    }
