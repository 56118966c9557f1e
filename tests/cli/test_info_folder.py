"""``ganzoo info`` of runs and models: what they are, and commands that can be typed as they stand."""

import json
import re
import shlex
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ganzoo
from ganzoo import plugins
from ganzoo.cli.info_folder import tell
from ganzoo.hub.shipped import shipped_models
from ganzoo.training.folder import run_folder
from ganzoo.training.records import read_progress
from ganzoo.training.report import NOTHING, report


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    options = {"generator.hidden": [8], "discriminator.hidden": [8], "batch_size": 8, "lr": 1e-4}
    return ganzoo.train("mlp", out=tmp_path_factory.mktemp("runs") / "a run", options=options, images=32, device="cpu").folder


@pytest.fixture
def run(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "a run")


def following(stdout):
    """The commands under ``next``, by name."""
    lines = stdout.partition("\nnext\n")[2].splitlines()
    return {line.split()[0]: line.split(maxsplit=1)[1] for line in lines if line.startswith("  ")}


def test_a_run_tells_where_it_stands_and_its_commands_work_as_they_are_printed(run_ganzoo, run):
    result = run_ganzoo("info", run.name)
    assert (result.returncode, result.stderr) == (0, "")
    for words in (
        "a run of mlp, preset default",
        "done; a larger budget goes on",
        "fashion-mnist-10k: 10,000 samples of 1x28x28",
        "10 in the data: T-shirt/top, Trouser, ",
        "32 images in ",
        "of a budget of 32 images",
        "a run/model/samples.png",
        "a run/checkpoints/000000000032",
    ):
        assert words in result.stdout
    commands = following(result.stdout)
    assert list(commands) == ["sample", "evaluate", "resume"]
    for name in ("sample", "resume"):
        done = run_ganzoo(*shlex.split(commands[name])[1:])
        assert done.returncode == 0, (commands[name], done.stderr)
    assert (run.parent / "grid.png").is_file()
    assert read_progress(run)[0] == 64
    assert "64 images in " in run_ganzoo("info", run.name).stdout


def test_a_run_without_a_model_and_one_that_another_process_trains(run_ganzoo, run):
    shutil.rmtree(run / "model")
    result = run_ganzoo("info", run.name)
    assert result.returncode == 0, result.stderr
    assert "it has not come to its end, and has no model yet" in result.stdout
    assert list(following(result.stdout)) == ["resume"]
    config = json.loads((run / "config.json").read_text())
    with run_folder(run, "unused", config):
        assert report(run)["state"] == "going on"
        told = run_ganzoo("info", run.name).stdout
    assert "a process is training it now" in told
    assert following(told) == {}
    assert report(run)["state"] == "stopped"


def test_a_run_that_went_on_after_its_model_was_written_tells_of_now(run):
    (run / "metrics.jsonl").open("a").write(json.dumps({"images": 80, "seconds": 3.5, "loss_d": 0.1}) + "\n")
    told = report(run)
    assert (told["state"], told["images"], told["seconds"]) == ("stopped", 80, 3.5)
    (run / "metrics.jsonl").open("a").write(json.dumps({"images": 96, "seconds": 4, "loss_d": None}) + "\n")
    assert report(run)["alarm"] == "diverged: loss_d is not finite after 96 images"


def test_what_was_noticed_of_a_run_is_told_before_there_is_a_model(run):
    shutil.rmtree(run / "model")
    looks = [{"images": n * 5_000, "seconds": n, "spread": 0.01, "kinds": 0.1, "off": 2.0} for n in range(1, 8)]
    (run / "metrics.jsonl").write_text("".join(json.dumps(look) + "\n" for look in looks))
    assert "all samples are alike" in report(run)["alarm"]


def test_a_models_own_folder_knows_the_run_that_it_lies_in(run_ganzoo, run):
    told = json.loads(run_ganzoo("info", f"{run.name}/model", "--json").stdout)
    assert (told["kind"], told["run"], told["state"], told["images"]) == ("model", "a run", "done", 32)
    assert told["next"]["resume"].endswith("--out 'a run'")
    assert told["next"]["sample"] == "ganzoo sample 'a run/model' --seeds 0-63 -o grid.png"
    shutil.copytree(run / "model", run.parent / "alone")
    told = json.loads(run_ganzoo("info", "./alone", "--json").stdout)
    assert (told["run"], told["state"], list(told["next"])) == (None, None, ["sample", "evaluate"])
    assert told["command"].startswith("ganzoo train mlp --data fashion-mnist-10k --images 32 ")


def test_a_folder_called_like_a_heading_and_scores_of_much_the_same_protocol_are_all_told(run, capsys):
    protocol = {"n_fake": 10, "n_real": 10, "data": "photos", "extractor": "inception"}
    rows = [{"scores": {"fd": fd}, "protocol": {**protocol, "seed": seed}} for seed, fd in enumerate((1.25, 2.5, 3.75))]
    (run / "model" / "metrics.json").write_text(json.dumps(rows))
    tell("next", report(run), plugins.load().registry, as_json=False)
    told = capsys.readouterr().out
    assert told.startswith("./next\n")
    assert re.findall(r"^  fd +(\S+)$", told, re.MULTILINE) == ["1.25", "2.5", "3.75"]
    assert following(told)["sample"].startswith("ganzoo sample next ")


@pytest.mark.parametrize("name", ["dcgan-fashion-mnist", "shipped:dcgan-fashion-mnist"])
def test_a_model_that_ships_tells_its_scores_with_their_protocol(run_ganzoo, name):
    result = run_ganzoo("info", name)
    assert result.returncode == 0, result.stderr
    assert "10,000 samples against 10,000 of fashion-mnist-10k" in result.stdout
    assert re.search(r"^  fd +0\.48", result.stdout, re.MULTILINE)
    assert following(result.stdout)["evaluate"] == f"ganzoo evaluate {name}"


@pytest.mark.parametrize(
    ("name", "code", "says"),
    [
        ("./nowhere", 1, "no model folder"),
        (".", 1, "is not a model folder"),
        ("mlp-fashion", 2, "did you mean mlp-fashion-mnist"),
        ("alice/never-pulled", 1, "no folder 'alice/never-pulled' here; "),
    ],
)
def test_what_is_neither_is_one_clear_line(run_ganzoo, name, code, says, hub):
    result = run_ganzoo("info", name)
    assert result.returncode == code, result.stderr
    assert says in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""


def test_a_model_that_was_pulled_is_told_of_without_the_hub(run_ganzoo, run, hub):
    assert run_ganzoo("push", run.name, "alice/clothes", "--license", "mit").returncode == 0
    assert run_ganzoo("pull", "alice/clothes").returncode == 0
    result = run_ganzoo("info", "alice/clothes", env={"HF_ENDPOINT": "http://127.0.0.1:9"})
    assert (result.returncode, result.stderr) == (0, "")
    assert "a model of mlp, preset default" in result.stdout
    assert re.search(r"^  license +mit$", result.stdout, re.MULTILINE)
    assert following(result.stdout)["sample"] == "ganzoo sample alice/clothes --seeds 0-63 -o grid.png"


def test_a_variant_comes_before_a_folder_of_its_name_and_says_so(run_ganzoo, run):
    run.rename(run.parent / "mlp")
    result = run_ganzoo("info", "mlp")
    assert "options, as the preset default has them" in result.stdout
    assert result.stderr == "'mlp' is a folder here, too: ganzoo info ./mlp\n"
    assert "a run of mlp" in run_ganzoo("info", "./mlp").stdout


def test_a_dataset_comes_before_a_folder_of_its_name_and_says_so_whatever_options_follow_it(run_ganzoo, tmp_path):
    (tmp_path / "fashion-mnist").mkdir()
    result = run_ganzoo("info", "fashion-mnist")
    assert "scored by" in result.stdout
    assert result.stderr == "'fashion-mnist' is a folder here, too: ganzoo info ./fashion-mnist\n"
    assert run_ganzoo("info", "fashion-mnist?count=9").stdout == result.stdout


def test_a_run_without_a_model_says_which_command_goes_on_with_it(run_ganzoo, run):
    shutil.rmtree(run / "model")
    resume = following(run_ganzoo("info", run.name).stdout)["resume"]
    result = run_ganzoo("sample", run.name)
    assert result.returncode == 1
    words = shlex.split(result.stderr.partition("; go on with it: ")[2])
    assert words[:3] == ["ganzoo", "train", "mlp"], result.stderr
    assert words[-2:] == ["--out", run.name]
    assert resume.startswith("ganzoo train mlp")
    assert run_ganzoo(*words[1:]).returncode == 0
    assert run_ganzoo("sample", run.name).returncode == 0


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KEYS = (
    "plugin",
    "preset",
    "data",
    "dataset",
    "images",
    "seconds",
    "budget",
    "command",
    "hardware",
    "start",
    "alarm",
    "scored",
)
INNER = (
    "seconds",
    "images",
    "says",
    "from",
    "by",
    "score",
    "judge",
    "count",
    "name",
    "sha256",
    "sample_shape",
    "class_names",
    "num_classes",
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), JSON | st.dictionaries(st.sampled_from(INNER), JSON)), st.booleans())
def test_whatever_a_stranger_wrote_is_told_or_left_out(tmp_path_factory, training, as_run):
    folder = tmp_path_factory.mktemp("hostile") / "model"
    shutil.copytree(shipped_models()["mlp-fashion-mnist"], folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "training": training}))
    if as_run:
        whole = {"variant": "mlp", "loop": None, "trainer": None, "precision": "fp32", "budget": {}}
        budget = training.get("budget") if isinstance(training.get("budget"), dict) else {}
        (folder.parent / "config.json").write_text(json.dumps({**whole, **training, "budget": budget}))
        folder = folder.parent
    told = report(folder)
    assert told.keys() == NOTHING.keys()
    for as_json in (False, True):
        tell("x", told, plugins.load().registry, as_json=as_json)
