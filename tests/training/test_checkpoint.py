import hashlib
import json
import os
import pickle
import shutil
import subprocess

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ganzoo.errors import TrainingError
from ganzoo.measures.base import Goal
from ganzoo.training.checkpoint import Checkpoints, DamagedError, read_checkpoint
from ganzoo.training.folder import remove_leftovers
from ganzoo.training.state import Snapshot


def snapshot(step, size=10):
    tensors = {"networks": {"a": torch.full((size,), float(step))}, "optimizers": {"b": torch.arange(step)}}
    rest = {"optimizers": {"x": 1.5}, "trainer": {"mapping": []}, "extra": {}}
    return Snapshot(step, 8 * step, step / 2, tensors, rest)


def same(a, b):
    return (a.step, a.images, a.seconds, a.rest) == (b.step, b.images, b.seconds, b.rest) and all(
        torch.equal(t, b.tensors[file][name]) for file, found in a.tensors.items() for name, t in found.items()
    )


def test_what_is_saved_is_loaded(tmp_path):
    Checkpoints(tmp_path).save(snapshot(3))
    assert same(Checkpoints(tmp_path).load(pytest.fail), snapshot(3))
    assert Checkpoints(tmp_path / "none").load(pytest.fail) is None


def test_the_newest_and_the_best_stay(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=2, by="fd")
    assert checkpoints.best() is None
    for step, score in enumerate([5.0, 1.0, 3.0, None, 4.0], 1):
        checkpoints.save(snapshot(step), None if score is None else {"fd": score, "kid": -score})
    assert sorted(int(p.name) for p in tmp_path.iterdir()) == [16, 32, 40]
    best, score = checkpoints.best()
    assert same(best, snapshot(2))
    assert score == 1.0


@pytest.mark.parametrize(
    ("goal", "scores", "kept"),
    [(Goal("higher"), [0.1, 0.9, 0.3, 0.2, 0.4], 2), (Goal(None, 0.5), [0.9, 0.1, 0.55, 0.0, 1.0], 3)],
    ids=["higher is better", "nearest to its ideal"],
)
def test_the_best_is_the_one_in_the_measures_good_direction(tmp_path, goal, scores, kept):
    checkpoints = Checkpoints(tmp_path, keep=1, by="x", judge="me", goal=goal)
    for step, score in enumerate(scores, 1):
        checkpoints.save(snapshot(step), {"x": score})
    assert sorted(int(p.name) for p in tmp_path.iterdir()) == [8 * kept, 40]
    assert same(checkpoints.best()[0], snapshot(kept))
    # Somebody else's checkpoints go by another score, and keep the best of this one all the same.
    Checkpoints(tmp_path, keep=1, by="fd").save(snapshot(6), {"fd": 1.0})
    assert checkpoints.best()[1] == scores[kept - 1]


def test_checkpoints_that_say_no_direction_had_their_best_at_the_lowest(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=5, by="fd")
    for step, score in enumerate([2.0, 1.0, 3.0], 1):
        path = checkpoints.save(snapshot(step), {"fd": score})
        state = json.loads((path / "state.json").read_text())
        assert state.pop("goal") == {"better": "lower", "ideal": None}
        (path / "state.json").write_text(json.dumps(state))
        manifest = json.loads((path / "manifest.json").read_text())
        content = (path / "state.json").read_bytes()
        manifest["files"]["state.json"] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        (path / "manifest.json").write_text(json.dumps(manifest))
    best, score = checkpoints.best()
    assert (score, best.step) == (1.0, 2)
    Checkpoints(tmp_path, keep=1).save(snapshot(4))
    assert sorted(int(p.name) for p in tmp_path.iterdir()) == [16, 32]


def test_a_checkpoint_holds_nothing_but_safetensors_and_json(tmp_path):
    path = Checkpoints(tmp_path).save(snapshot(1))
    names = sorted(p.name for p in path.iterdir())
    assert names == ["manifest.json", "networks.safetensors", "optimizers.safetensors", "state.json"]
    said = json.loads((path / "manifest.json").read_text())["files"]
    assert {n: f["bytes"] for n, f in said.items()} == {n: (path / n).stat().st_size for n in names if n != "manifest.json"}


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damage_is_found_and_the_one_before_is_used(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("checkpoints")
    checkpoints = Checkpoints(folder)
    checkpoints.save(snapshot(1))
    path = checkpoints.save(snapshot(2))
    file = path / data.draw(st.sampled_from(sorted(p.name for p in path.iterdir())))
    content = bytearray(file.read_bytes())
    kind = data.draw(st.sampled_from(["flip", "cut", "grow", "empty", "gone", "pickle"]))
    match kind:
        case "flip":
            content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        case "cut":
            del content[data.draw(st.integers(0, len(content) - 1)) :]
        case "grow":
            content += b"x" * data.draw(st.integers(1, 100))
        case "empty":
            content.clear()
        case "pickle":
            content[:] = pickle.dumps(print)
    file.unlink() if kind == "gone" else file.write_bytes(content)
    told = []
    found = checkpoints.load(told.append)
    if told:
        assert str(path) in told[0]
        assert same(found, snapshot(1))
    else:
        # A flipped bit in the manifest's white space or in the case of a key's escape changes nothing.
        assert file.name == "manifest.json"
        assert same(found, snapshot(2))
    shutil.rmtree(folder)


def test_where_all_are_damaged_nothing_begins_anew_by_itself(tmp_path):
    for path in (Checkpoints(tmp_path).save(snapshot(step)) for step in (1, 2)):
        (path / "networks.safetensors").write_bytes(b"")
    told = []
    with pytest.raises(TrainingError, match="--fresh"):
        Checkpoints(tmp_path).load(told.append)
    assert len(told) == 2


def test_a_manifest_reaches_no_file_outside(tmp_path):
    path = Checkpoints(tmp_path / "c").save(snapshot(1))
    (tmp_path / "secret").write_text("x")
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["files"]["../../secret"] = {"bytes": 1, "sha256": "0"}
    (path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DamagedError, match="no file of its own"):
        read_checkpoint(path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0 or not shutil.which("mount"), reason="needs root to mount")
def test_a_full_disk_costs_no_checkpoint_that_was_there(tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", folder], check=False, capture_output=True)
    if mounted.returncode:
        pytest.skip("cannot mount a tmpfs here")
    try:
        checkpoints = Checkpoints(folder)
        checkpoints.save(snapshot(1, size=20_000))
        for step in range(2, 9):
            with pytest.raises(OSError, match="No space left"):
                checkpoints.save(snapshot(step, size=60_000))
            assert same(checkpoints.load(pytest.fail), snapshot(1, size=20_000))
        assert [p.name for p in folder.iterdir()] == [f"{8:012d}"]
        checkpoints.save(snapshot(9, size=20_000))
        assert same(checkpoints.load(pytest.fail), snapshot(9, size=20_000))
    finally:
        subprocess.run(["umount", folder], check=True)


def test_what_a_killed_process_left_half_done_is_removed(tmp_path):
    Checkpoints(tmp_path / "checkpoints").save(snapshot(1))
    (tmp_path / "checkpoints" / ".000000000016.abcd1234.tmp").mkdir()
    (tmp_path / "checkpoints" / ".000000000016.abcd1234.tmp" / "networks.safetensors").write_bytes(b"half")
    (tmp_path / ".config.json.x_y_z_00.tmp").touch()
    (tmp_path / ".model.abcd1234.old").mkdir()
    (tmp_path / ".mine.tmp").touch()
    remove_leftovers(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"checkpoints", ".mine.tmp"}
    assert {p.name for p in (tmp_path / "checkpoints").iterdir()} == {"000000000008"}


def test_what_was_passed_over_is_not_in_the_way_of_what_comes(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=1)
    for step in (1, 2, 9):
        Checkpoints(tmp_path, keep=5).save(snapshot(step))
    (tmp_path / f"{72:012d}" / "state.json").write_text("{")
    told = []
    assert same(checkpoints.load(told.append), snapshot(2))
    checkpoints.save(snapshot(3))
    assert [p.name for p in tmp_path.iterdir()] == [f"{24:012d}"]
    assert same(checkpoints.load(pytest.fail), snapshot(3))


def test_what_somebody_else_put_there_is_not_touched(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "000000000001").write_text("a file")
    (tmp_path / "c" / "000000000002").symlink_to(tmp_path / "a")
    for step in (1, 2, 3):
        Checkpoints(tmp_path / "c", keep=1).save(snapshot(step))
    assert {p.name for p in (tmp_path / "c").iterdir()} == {"000000000001", "000000000002", f"{24:012d}"}


@pytest.mark.parametrize(("key", "value"), [("step", float("inf")), ("seconds", float("nan")), ("images", None)])
def test_numbers_that_are_none_are_damage(tmp_path, key, value):
    path = Checkpoints(tmp_path).save(snapshot(1))
    state = json.loads((path / "state.json").read_text())
    (path / "state.json").write_text(json.dumps({**state, key: value}))
    manifest = json.loads((path / "manifest.json").read_text())
    content = (path / "state.json").read_bytes()
    manifest["files"]["state.json"] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DamagedError):
        read_checkpoint(path)
