import json
import stat

import pytest

from ganzoo.files import replace_file, replace_folder, replace_named_file, write_json


def test_a_file_takes_its_name_only_when_it_is_whole(tmp_path):
    path = tmp_path / "new" / "file"
    with replace_file(path) as beside:
        beside.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert [p.name for p in path.parent.iterdir()] == ["file"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(RuntimeError), replace_file(path) as beside:  # noqa: PT012
        beside.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_file_has_the_permissions_of_any_new_file(tmp_path):
    (tmp_path / "plain").touch()
    with replace_file(tmp_path / "ours") as beside:
        beside.write_text("x")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "ours")]
    assert modes[0] == modes[1]


def test_what_goes_by_a_files_name_finds_the_name_and_no_file(tmp_path):
    (tmp_path / "plain").touch()
    path = tmp_path / "samples.WAV"
    path.write_text("old")
    with replace_named_file(path) as beside:
        assert beside.name == "samples.wav"
        assert list(beside.parent.iterdir()) == []
        beside.write_text("whole")
        (beside.parent / "index").write_text("of a library's own")
        assert path.read_text() == "old"
    assert path.read_text() == "whole"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["plain", "samples.WAV"]
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_what_goes_by_a_files_name_and_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "samples.wav"
    path.write_text("old")
    with pytest.raises(RuntimeError), replace_named_file(path) as beside:  # noqa: PT012
        beside.write_text("half")
        raise RuntimeError
    with pytest.raises(FileNotFoundError), replace_named_file(path):
        pass
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["samples.wav"]


def test_a_folder_replaces_the_one_before(tmp_path):
    path = tmp_path / "model"
    for text in ("first", "second"):
        with replace_folder(path) as beside:
            (beside / text).write_text(text)
    assert [p.name for p in path.iterdir()] == ["second"]
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_a_failed_folder_leaves_the_one_before(tmp_path):
    path = tmp_path / "model"
    with replace_folder(path) as beside:
        (beside / "old").touch()
    with pytest.raises(KeyboardInterrupt), replace_folder(path) as beside:  # noqa: PT012
        (beside / "half").touch()
        raise KeyboardInterrupt
    assert [p.name for p in path.iterdir()] == ["old"]
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_json_is_strict(tmp_path):
    write_json(tmp_path / "x.json", {"ü": [1, None]})
    assert json.loads((tmp_path / "x.json").read_text(encoding="utf-8")) == {"ü": [1, None]}
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "x.json", float("nan"))
    assert (tmp_path / "x.json").read_text(encoding="utf-8").startswith("{")
