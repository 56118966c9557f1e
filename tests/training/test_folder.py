import json
import subprocess
import sys

import pytest

from ganzoo import plugins
from ganzoo.errors import UsageError
from ganzoo.modalities.base import PREVIEW_FORMS
from ganzoo.training.config import resolve
from ganzoo.training.folder import check_folder, differences, read_run, run_folder


def config(**arguments):
    described = resolve(plugins.load().registry, "dcgan", **arguments).to_json()
    return json.loads(json.dumps({**described, "dataset": {"sha256": "abc", "name": "x"}}))


def begin(folder, described):
    (folder / "metrics.jsonl").touch()
    (folder / "config.json").write_text(json.dumps({**described, "precision": "bf16"}))


def test_a_run_differs_by_its_mathematics_and_by_nothing_else():
    old = config()
    assert differences(old, config()) == []
    assert differences(old, config(budget_images=10**9)) == []
    assert differences(old, config(options={"checkpoint_seconds": 1, "checkpoints": 9})) == []
    assert differences(old, {**config(), "data": "elsewhere", "ganzoo": "9"}) == []
    keys = {"lr": 0.1, "batch_size": 16, "generator.width": 8, "loss": "minimax", "penalties.slope.share": 0.5}
    for key, value in keys.items():
        assert [row[0] for row in differences(old, config(options={key: value}))] == [key]
    assert differences(old, config(seed=1)) == [("seed", 0, 1)]
    assert [row[0] for row in differences(old, {**old, "dataset": {"sha256": "def", "name": "x"}})] == ["dataset.sha256"]


def test_a_run_from_before_an_option_existed_goes_on_as_it_began():
    as_it_was = {"lr_decay_images": 0, "ema_ramp": 0.2}
    old = config(options=as_it_was)
    for name in as_it_was:
        del old["loop"][name]
    assert differences(old, config(options=as_it_was)) == []
    assert sorted(row[:2] for row in differences(old, config())) == [("ema_ramp", 0.2), ("lr_decay_images", 0)]


def test_a_budget_may_be_raised_and_not_lowered():
    minute, hour = config(budget_seconds=60), config(budget_seconds=3600)
    assert differences(minute, hour) == []
    assert differences(hour, minute) == [("budget", 3600, 60)]
    assert [row[0] for row in differences(minute, config(budget_images=10**6))] == ["images"]
    assert [row[0] for row in differences(config(budget_images=10**6), minute)] == ["budget"]


def test_precision_is_compared_only_where_the_user_names_one():
    old = {**config(), "precision": "bf16"}
    assert differences(old, config()) == []
    assert differences(old, config(precision="bf16")) == []
    assert differences(old, config(precision="fp32")) == [("precision", "bf16", "fp32")]


def test_a_folder_that_holds_another_run_is_refused_with_what_differs(tmp_path):
    begin(tmp_path, config())
    (tmp_path / "notes.txt").touch()
    other = config(seed=7, options={"lr": 0.5})
    differing = r"seed \(0 there, 7 here\).*lr \([\d.]+ there, 0.5 here\).*--fresh"
    with pytest.raises(UsageError, match=differing), run_folder(tmp_path, "x", other):
        pass
    assert read_run(tmp_path)
    with run_folder(tmp_path, "x", other, fresh=True) as folder:
        assert folder.previous is None
        assert read_run(tmp_path) is None
        assert {p.name for p in tmp_path.iterdir()} == {".lock", "notes.txt"}


def test_what_is_no_run_is_never_removed(tmp_path):
    (tmp_path / "thesis.txt").touch()
    for fresh in (False, True):
        with pytest.raises(UsageError, match="not empty"), run_folder(tmp_path, "x", config(), fresh=fresh):
            pass
    assert (tmp_path / "thesis.txt").exists()


def test_without_a_name_the_same_run_is_found_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    taken = []
    for described in (config(), config(seed=1), config(), config(seed=1)):
        with run_folder(None, "x", described) as folder:
            taken.append((folder.path.name, folder.previous is not None))
            begin(folder.path, described)
    assert taken == [("x", False), ("x-2", False), ("x", True), ("x-2", True)]
    (tmp_path / "runs" / "x-3").mkdir()
    with run_folder(None, "x", config(), fresh=True) as folder:
        assert folder.path.name == "x-4"


def test_a_folder_is_for_one_process_at_a_time(tmp_path):
    with run_folder(tmp_path / "run", "x", config()) as folder:
        begin(folder.path, config())
        with pytest.raises(UsageError, match="another process"), run_folder(tmp_path / "run", "x", config()):
            pass
        script = (
            "import json, sys; from pathlib import Path; from ganzoo.training.folder import run_folder\n"
            "with run_folder(Path(sys.argv[1]), 'x', json.loads(sys.argv[2])): pass"
        )
        words = [sys.executable, "-c", script, tmp_path / "run", json.dumps(config())]
        assert "another process" in subprocess.run(words, capture_output=True, text=True, check=False).stderr
    assert subprocess.run(words, capture_output=True, text=True, check=False).returncode == 0


def test_a_folder_that_a_killed_process_had_only_begun_is_as_good_as_new(tmp_path):
    (tmp_path / ".lock").touch()
    (tmp_path / ".config.json.abcd1234.tmp").touch()
    with run_folder(tmp_path, "x", config()) as folder:
        assert folder.previous is None


@pytest.mark.parametrize("form", PREVIEW_FORMS)
def test_what_a_run_shows_is_its_own_whatever_form_it_has(tmp_path, form):
    begin(tmp_path, config())
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / f".0000000064.{form}.abcd1234.tmp").touch()
    (tmp_path / f".reals.{form}.abcd1234.tmp").touch()
    (tmp_path / f"reals.{form}").touch()
    with run_folder(tmp_path, "x", read_run(tmp_path)):
        assert list((tmp_path / "samples").iterdir()) == []
        assert not (tmp_path / f".reals.{form}.abcd1234.tmp").exists()
        assert (tmp_path / f"reals.{form}").exists()
    with run_folder(tmp_path, "x", read_run(tmp_path), fresh=True):
        assert {p.name for p in tmp_path.iterdir()} == {".lock"}


@pytest.mark.parametrize("content", ["", "[]", "{", '{"variant": 1, "loop": {}, "trainer": {}, "budget": 3}', "[" * 10**5])
def test_what_is_not_a_runs_configuration_is_none(tmp_path, content):
    (tmp_path / "config.json").write_text(content)
    assert read_run(tmp_path) is None


def test_a_run_without_its_configuration_says_so(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(UsageError, match=r"lost its config\.json"):
        check_folder(tmp_path)


def test_a_folder_that_is_no_runs_loses_nothing(tmp_path):
    (tmp_path / ".notes.tmp").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        check_folder(tmp_path)


def test_of_the_runs_that_are_there_the_nearest_is_named_in_the_words_that_people_type(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def photos(side, **arguments):
        shape = {"sha256": str(side), "name": "photos", "sample_shape": [3, side, side]}
        return {**config(**arguments), "dataset": shape}

    for described in (photos(64, seed=1), photos(32, budget_seconds=60)):
        with run_folder(None, "x", described) as folder:
            begin(folder.path, described)
    with run_folder(None, "x", photos(32, budget_seconds=25)) as folder:
        assert folder.path.name == "x-3"
        words = "holds a run that differs in budget (60s there, 25s here), a smaller budget than it was given"
        assert f"x-2 {words}: the same command with the budget that it had, or more, resumes it" in folder.passed_over
    with run_folder(None, "x", photos(16, budget_seconds=60)) as folder:
        assert (
            "x-2 holds a run that differs in the pictures' size (32x32 there, 16x16 here: --resolution)" in folder.passed_over
        )
    with pytest.raises(UsageError, match="go on with the budget that it had, name another"):
        run_folder(tmp_path / "runs" / "x-2", "x", photos(32, budget_seconds=25)).__enter__()
