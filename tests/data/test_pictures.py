import io
import re
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from ganzoo.data import memory
from ganzoo.data import pictures as module
from ganzoo.data.pictures import open_folder, open_zip
from ganzoo.errors import DataError


def zipped(folder, path, inside=""):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, inside + file.relative_to(folder).as_posix())
    return path


def test_any_size_and_mode_becomes_one_square_of_rgb(paint, tmp_path):
    for index, mode in enumerate(["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"]):
        suffix = "tiff" if mode == "CMYK" else "png"
        paint(f"{index}.{suffix}", size=(30 + 7 * index, 50 - 5 * index), mode=mode)
    store = open_folder(tmp_path)
    assert store.samples.shape == (7, 3, 64, 64)
    assert store.samples.dtype == torch.uint8
    assert not store.reading.skipped
    assert store.labels is None


def test_small_squares_of_one_size_keep_it_exactly(paint, tmp_path):
    written = [paint(f"{i}.png", size=(20, 20)) for i in range(3)]
    store = open_folder(tmp_path)
    assert np.array_equal(store.samples.permute(0, 2, 3, 1), np.stack(written))


@pytest.mark.parametrize("size", [(257, 257), (20, 21)])
def test_others_are_64_wide(paint, tmp_path, size):
    paint("a.png", size=size)
    paint("b.png", size=size)
    assert open_folder(tmp_path).sample_shape == (3, 64, 64)
    assert open_folder(tmp_path, resolution=17).sample_shape == (3, 17, 17)


def test_grey_only_if_all_are(paint, tmp_path):
    paint("a.png", mode="L")
    paint("b.png", mode="LA")
    paint("c.png", mode="1")
    assert open_folder(tmp_path).sample_shape == (1, 64, 64)
    paint("d.png")
    colours = open_folder(tmp_path)
    assert colours.sample_shape == (3, 64, 64)
    assert torch.equal(colours.samples[0, 0], colours.samples[0, 2])


def test_what_is_no_picture_is_counted_by_kind(paint, tmp_path):
    for i in range(5):
        paint(f"{i}.jpg", size=(40 + i, 30))
    for i in range(95):
        (tmp_path / f"IMG_{i:04}.HEIC").write_bytes(b"")
    said = open_folder(tmp_path).understood()
    assert "5 pictures of 5 sizes from 40x30 to 44x30, their central square scaled to 64x64 (all enlarged) in colour" in said
    assert "left out: 95 .heic files (IMG_0000.HEIC, IMG_0001.HEIC, IMG_0002.HEIC, …)" in said
    assert "pictures in .heic are not read: convert them to .jpg" in said


def test_thousands_of_bad_files_make_one_short_line(paint, tmp_path):
    paint("a.png")
    paint("b.png")
    for i in range(3000):
        (tmp_path / f"bad{i:04}.png").write_bytes(b"?")
    said = open_folder(tmp_path).understood()
    assert "3,000 pictures that cannot be read: no picture, or a damaged one (bad0000.png, bad0001.png, b" in said
    assert "\n" not in said
    assert len(said) < 400


def test_sub_folders_are_classes(paint, tmp_path):
    for name in ("cat/1.png", "dog/2.png", "cat/deep/3.png", "bird/.hidden.png"):
        paint(name)
    store = open_folder(tmp_path)
    assert store.class_names == ("cat", "dog")
    assert store.labels.tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    "names", [("cat/1.png", "dog/2.png", "3.png", "4.png"), ("cat/1.png", "cat/2.png"), ("cat/1.png", "2.png")]
)
def test_else_there_are_none(paint, tmp_path, names):
    for name in names:
        paint(name)
    store = open_folder(tmp_path)
    assert store.labels is None
    assert store.class_names == ()


def test_a_folder_around_everything_does_not_count(paint, tmp_path):
    for name in ("all/cat/1.png", "all/dog/2.png"):
        paint(name)
    assert open_folder(tmp_path).class_names == ("cat", "dog")


def test_what_cannot_be_read_is_skipped_with_a_reason(paint, tmp_path):
    paint("a.png")
    paint("b.png")
    paint("c.png", size=(200, 200))
    whole = (tmp_path / "c.png").read_bytes()
    (tmp_path / "c.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "d.jpg").write_bytes(b"not a picture")
    (tmp_path / "e.png").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("not even meant to be one")
    (tmp_path / "link.png").symlink_to(tmp_path / "absent.png")
    store = open_folder(tmp_path)
    assert len(store) == 2
    found = {name: one.what for one in store.reading.left_out for name in one.names}
    assert found.keys() == {"c.png", "d.jpg", "e.png", "link.png", "notes.txt"}
    assert "truncated" in found["c.png"]
    assert found["d.jpg"] == "picture that cannot be read: no picture, or a damaged one"
    assert found["notes.txt"] == ".txt file"
    assert found["e.png"] == "picture that cannot be read: an empty file"
    assert "1 picture that cannot be read: an empty file (e.png)" in store.understood()


def test_a_gap_in_the_middle_leaves_the_others_in_order(paint, tmp_path):
    written = [paint(f"{i}.png", size=(30, 30)) for i in range(6)]
    for i in (0, 3):
        whole = (tmp_path / f"{i}.png").read_bytes()
        (tmp_path / f"{i}.png").write_bytes(whole[: len(whole) // 2])
    store = open_folder(tmp_path)
    assert np.array_equal(store.samples.permute(0, 2, 3, 1), np.stack([written[i] for i in (1, 2, 4, 5)]))
    assert store.reading.skipped == 2


def test_a_decompression_bomb_is_skipped(paint, tmp_path, monkeypatch, recwarn):
    paint("a.png", size=(10, 10))
    paint("b.png", size=(10, 10))
    paint("large.png", size=(20, 10))
    paint("bomb.png", size=(21, 10))
    paint("large.jpg", size=(40, 10))
    paint("bomb.jpg", size=(41, 10))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    store = open_folder(tmp_path)
    assert len(store) == 4
    assert store.reading.skipped == 2
    assert "limit" in store.understood()
    assert not [w for w in recwarn if issubclass(w.category, Image.DecompressionBombWarning)]


def test_too_few_pictures(paint, tmp_path):
    paint("a.png")
    (tmp_path / "b.png").write_bytes(b"?")
    with pytest.raises(DataError, match=r"1 readable picture, .*no picture.*b\.png"):
        open_folder(tmp_path)


def test_more_than_the_memory_holds(paint, tmp_path, monkeypatch):
    for i in range(4):
        paint(f"{i}.png")
    monkeypatch.setattr(memory, "_free", lambda: 40_000)
    with pytest.raises(DataError, match="try --resolution 51 or less"):
        open_folder(tmp_path)
    assert open_folder(tmp_path, resolution=51).sample_shape == (3, 51, 51)
    monkeypatch.setattr(memory, "_free", lambda: float("inf"))
    monkeypatch.setattr(memory, "_allowed", lambda: float("inf"))
    assert open_folder(tmp_path).sample_shape == (3, 64, 64)


def test_the_same_every_time_and_from_a_zip(paint, tmp_path):
    folder = tmp_path / "photos"
    for i in range(40):
        paint(f"photos/{'ab'[i % 2]}/{i}.jpg", size=(30 + i, 30))
    paint("photos/__MACOSX/._1.jpg")
    told = []
    first = open_folder(folder, progress=lambda done, total: told.append((done, total)))
    again = open_folder(folder)
    from_zip = open_zip(zipped(folder, tmp_path / "photos.zip"))
    wrapped = open_zip(zipped(folder, tmp_path / "wrapped.zip", inside="photos/"))
    assert told == [(i + 1, 40) for i in range(40)]
    assert first.name == from_zip.name == "photos"
    assert first.class_names == wrapped.class_names == ("a", "b")
    for other in (again, from_zip, wrapped):
        assert torch.equal(other.samples, first.samples)
        assert torch.equal(other.labels, first.labels)


def test_a_zip_entry_that_unpacks_to_too_much_is_skipped(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_ENTRY_BYTES", 10_000)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, colour in (("a.png", "red"), ("b.png", "blue")):
            content = io.BytesIO()
            Image.new("RGB", (8, 8), colour).save(content, "PNG")
            archive.writestr(name, content.getvalue())
        archive.writestr("bomb.png", b"\0" * 1_000_000)
    store = open_zip(tmp_path / "a.zip")
    assert [str(one) for one in store.reading.left_out] == ["1 picture that cannot be read: more than 10,000 bytes (bomb.png)"]


def test_two_entries_of_one_name_in_a_zip_are_one_picture(tmp_path, paint):
    for name in ("a.png", "b.png"):
        paint(name)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, source in (("a.png", "a.png"), ("d/b.png", "b.png")):
            archive.write(tmp_path / source, name)
        twin = zipfile.ZipInfo()
        twin.filename = "d\\b.png"
        archive.writestr(twin, (tmp_path / "b.png").read_bytes())
    assert "2 pictures of" in open_zip(tmp_path / "a.zip").understood()
    assert "left out: 1 that have the name of another" in open_zip(tmp_path / "a.zip").understood()


def test_a_zip_with_a_password_says_so(tmp_path, paint):
    paint("a.png")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in ("a.png", "b.png"):
            archive.write(tmp_path / "a.png", name)
    content = bytearray((tmp_path / "a.zip").read_bytes())
    for signature, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        for part in range(content.count(signature)):
            content[[m.start() for m in re.finditer(re.escape(signature), content)][part] + flags] |= 1
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(DataError, match=r"0 readable pictures.*2 pictures that cannot be read: encrypted with a password"):
        open_zip(tmp_path / "a.zip")


def test_sizes_are_of_the_pictures_that_are_there(paint, tmp_path):
    paint("a.png", size=(10, 12))
    paint("b.png", size=(10, 12))
    paint("c.png", size=(300, 200))
    (tmp_path / "c.png").write_bytes((tmp_path / "c.png").read_bytes()[:2000])
    assert "2 pictures of 10x12, their central square scaled to 64x64 (all enlarged)" in open_folder(tmp_path).understood()


def test_a_damaged_zip_entry_is_skipped(paint, tmp_path):
    for i in range(3):
        paint(f"photos/{i}.bmp")
    path = tmp_path / "photos.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted((tmp_path / "photos").iterdir()):
            archive.write(file, file.name)
        offset = archive.infolist()[1].header_offset + 500
    content = bytearray(path.read_bytes())
    content[offset] ^= 255
    path.write_bytes(content)
    store = open_zip(path)
    assert len(store) == 2
    (left_out,) = store.reading.left_out
    assert left_out.names == ("1.bmp",)
    assert "Bad CRC" in left_out.what


def test_what_is_no_zip(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"PK\3\4 not really")
    with pytest.raises(DataError, match=r"a\.zip"):
        open_zip(tmp_path / "a.zip")


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["png", "jpg", "gif", "bmp", "tiff", "webp", "jp2", "ppm"]), st.data())
def test_any_damage_is_a_picture_or_a_reason(paint, tmp_path, suffix, data):
    # An example that was given up in the middle of its draws leaves its file.
    for left in tmp_path.iterdir():
        left.unlink()
    paint("a.png")
    paint("b.png")
    paint(f"damaged.{suffix}", mode="P" if suffix == "gif" else "RGB")
    damaged = bytearray((tmp_path / f"damaged.{suffix}").read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        damaged[data.draw(st.integers(0, min(300, len(damaged)) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / f"damaged.{suffix}").write_bytes(damaged)
    store = open_folder(tmp_path, resolution=16)
    (tmp_path / f"damaged.{suffix}").unlink()
    assert len(store) + store.reading.skipped == 3
