import contextlib
import os
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ganzoo.data import open_data
from ganzoo.data.pictures import open_folder, open_zip
from ganzoo.errors import DataError

NOBODY = 65534


@pytest.fixture
def guarded(paint):
    """Pictures under some names in a folder where permissions count, even if it is root who runs the tests."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as after:
        folder = Path(name)
        folder.chmod(0o755)

        def make(*names, **modes):
            for one in names:
                paint(folder / one)
            for one, mode in modes.items():
                (folder / one).chmod(mode)
                after.callback((folder / one).chmod, 0o755)
            if os.geteuid() == 0:
                os.seteuid(NOBODY)
                after.callback(os.seteuid, 0)
            return folder

        yield make


def test_a_folder_that_cannot_be_read_costs_itself(guarded):
    folder = guarded("a.png", "b.png", "closed/c.png", closed=0o000)
    store = open_folder(folder)
    assert len(store) == 2
    assert "left out: 1 folder that cannot be read: Permission denied (closed/)" in store.understood()
    with pytest.raises(DataError, match=r"cannot read .*closed: Permission denied"):
        open_folder(folder / "closed")


def test_a_folder_that_may_be_listed_and_not_entered_costs_its_files(guarded):
    store = open_folder(guarded("a.png", "b.png", "listed/c.png", listed=0o444))
    assert len(store) == 2
    assert "left out: 1 picture that cannot be read: Permission denied (listed/c.png)" in store.understood()


def test_links_in_a_circle_end_and_are_told(paint, tmp_path):
    paint("outside.png")
    paint("data/a/1.png")
    paint("data/b/2.png")
    (tmp_path / "data" / "a" / "up").symlink_to(tmp_path / "data")
    (tmp_path / "data" / "out").symlink_to(tmp_path)
    (tmp_path / "data" / "a" / "alias").symlink_to(tmp_path / "data" / "b")
    (tmp_path / "data" / "self.png").symlink_to("self.png")
    store = open_folder(tmp_path / "data", options={"labels": "none"})
    assert len(store) == 2
    said = store.understood()
    assert "3 folder links, to what is read already or to folders around this one (a/alias/, a/up/, out/)" in said
    assert "1 picture that cannot be read: Too many levels of symbolic links (self.png)" in said


def test_linked_folders_are_read(paint, tmp_path):
    paint("elsewhere/1.png")
    paint("elsewhere/2.png")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "link").symlink_to(tmp_path / "elsewhere")
    assert len(open_folder(tmp_path / "data")) == 2


def test_a_picture_is_of_the_class_whose_folder_it_is_in_and_not_of_one_that_links_there(paint, tmp_path):
    paint("b/deep/1.png")
    paint("c/2.png")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "link").symlink_to(tmp_path / "b" / "deep")
    assert open_folder(tmp_path).class_names == ("b", "c")


def test_pipes_and_devices_are_not_waited_for(paint, tmp_path):
    paint("a.png")
    paint("b.png")
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    assert "left out: 2 that are pipes or devices (pipe.png, zero.png)" in open_folder(tmp_path).understood()


def test_names_that_are_no_text_do_not_break_the_line(paint, tmp_path):
    paint("a.png")
    paint("b.png")
    for name in (b"\xff.png", b"line\nbreak.heic"):
        (tmp_path / os.fsdecode(name)).write_bytes(b"?")
    said = open_folder(tmp_path).understood()
    assert said.isprintable()
    assert "(\ufffd.png)" in said
    assert "1 .heic file (line\ufffdbreak.heic)" in said


def test_no_pictures_at_all(tmp_path):
    with pytest.raises(DataError, match="it is empty"):
        open_folder(tmp_path)
    (tmp_path / "hashes").touch()
    (tmp_path / "a.json").touch()
    with pytest.raises(DataError, match=r"it holds (1 \.json file|1 file without an ending).*pictures end in \.png"):
        open_folder(tmp_path)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a.npy", r"name an array itself: --data .*/a\.npy"),
        ("a.zip", r"name the zip itself, which need not be unpacked: --data .*/a\.zip"),
        ("a.tar", r"--data 'wds/a\?root=.*&split=a\.tar'"),
        ("a.tar.gz", "unpack it"),
        ("a.HEIC", "convert them to .jpg"),
        ("a.mp4", "save the frames"),
        ("a.parquet", "save its arrays by numpy.save"),
    ],
)
def test_a_folder_of_something_else_gets_what_to_do(tmp_path, name, said):
    (tmp_path / name).write_bytes(b"?")
    with pytest.raises(DataError, match=said):
        open_folder(tmp_path)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a.jpg", "one picture is too few: name the folder"),
        ("a.tar", "&split=a.tar"),
        ("a.pt", "pickled can run any code and is not read"),
        ("a.h5", "save its arrays by numpy.save"),
    ],
)
def test_a_file_of_another_kind_gets_what_to_do(registry, tmp_path, name, said):
    (tmp_path / name).write_bytes(b"?")
    with pytest.raises(DataError, match=f"no kind of data .*{said}"):
        open_data(str(tmp_path / name), registry=registry)


def test_a_csv_is_told_the_line_that_makes_an_array_of_it(registry, tmp_path, monkeypatch):
    (tmp_path / "my.csv").write_text("a,b\n1,2\n3,4\n")
    with pytest.raises(DataError) as caught:
        open_data(str(tmp_path / "my.csv"), registry=registry)
    monkeypatch.chdir(tmp_path)
    exec(caught.value.hint.partition('python -c "')[2].removesuffix('"'), {})
    assert np.array_equal(open_data("rows.npy", registry=registry).samples, [[1, 2], [3, 4]])


def test_a_zip_of_zips_is_to_be_unpacked(tmp_path, paint):
    paint("a.png")
    with zipfile.ZipFile(tmp_path / "inner.zip", "w") as inner:
        inner.write(tmp_path / "a.png", "a.png")
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as outer:
        outer.write(tmp_path / "inner.zip", "inner.zip")
    with pytest.raises(DataError, match=r"it holds 1 \.zip file \(inner\.zip\) \(unpack .*outer\.zip"):
        open_zip(tmp_path / "outer.zip")
    with zipfile.ZipFile(tmp_path / "outer.zip", "a") as outer:
        outer.write(tmp_path / "a.png", "a.png")
        outer.write(tmp_path / "a.png", "b.png")
    assert "what is in .zip is not read: unpack it" in open_zip(tmp_path / "outer.zip").understood()
