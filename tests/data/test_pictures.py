import io
import re
import struct
import zipfile
import zlib

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from ganzoo.data import memory
from ganzoo.data import pictures as module
from ganzoo.data.pictures import open_folder, open_zip
from ganzoo.errors import DataError, UsageError


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


def test_sixteen_bits_are_scaled(tmp_path):
    values = np.arange(0, 65536, 256, dtype=np.uint16).reshape(16, 16)
    for name in ("a.png", "b.png", "c.tiff"):
        Image.fromarray(values).save(tmp_path / name)
    Image.fromarray(values.astype(np.int32)).save(tmp_path / "d.tiff")
    store = open_folder(tmp_path)
    assert store.sample_shape == (1, 16, 16)
    for picture in store.samples:
        assert np.array_equal(picture[0], np.rint(values / 257))


def test_numbers_without_a_white_are_skipped(paint, tmp_path):
    paint("a.png")
    paint("b.png")
    Image.fromarray(np.full((9, 9), 1e6, dtype=np.float32)).save(tmp_path / "float.tiff")
    Image.fromarray(np.full((9, 9), 10**6, dtype=np.int32)).save(tmp_path / "int.tiff")
    store = open_folder(tmp_path)
    assert len(store) == 2
    (left_out,) = store.reading.left_out
    assert (left_out.count, left_out.names) == (2, ("float.tiff", "int.tiff"))
    assert "whose black and white are not known" in left_out.what


@pytest.mark.parametrize(("peak", "white"), [(255, 255), (1000, 1023), (4000, 4095), (12000, 16383), (60000, 65535), (1, 1)])
@pytest.mark.parametrize(("suffix", "dtype"), [("png", np.uint16), ("tiff", np.uint16), ("tiff", np.int32)])
def test_fewer_bits_in_a_file_of_more_are_no_black_pictures(tmp_path, peak, white, suffix, dtype):
    values = np.linspace(0, peak, 64).astype(dtype).reshape(8, 8)
    for name in ("a", "b"):
        Image.fromarray(values).save(tmp_path / f"{name}.{suffix}")
    store = open_folder(tmp_path)
    assert np.allclose(store.samples[0, 0], values * (255 / white), atol=0.51)
    assert f"2 pictures have more than 8 bits: 0 is black and {white:,} is white" in store.understood()


def test_colour_of_sixteen_bits_is_said_to_be_cut(paint, tmp_path):
    paint("a.png")
    (tmp_path / "b.png").write_bytes(sixteen_bits(2, 3, 65535))
    store = open_folder(tmp_path)
    assert len(store) == 2
    assert "of 1 picture with colour or transparency of 16 bits, the upper 8 are read" in store.understood()


def sixteen_bits(colour, channels, peak):
    """A PNG of 16 bits in each of several channels, which Pillow reads and does not write."""
    values = np.random.default_rng(0).integers(0, peak + 1, (4, 4 * channels)).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", 4, 4, 16, colour, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    content = b"".join(struct.pack(">I", len(c)) + k + c + struct.pack(">I", zlib.crc32(k + c)) for k, c in chunks)
    return b"\x89PNG\r\n\x1a\n" + content


@pytest.mark.parametrize(("peak", "dark"), [(4095, True), (16383, True), (65535, False)])
def test_fewer_bits_in_colour_of_sixteen_are_said_to_be_black(tmp_path, peak, dark):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(sixteen_bits(2, 3, peak))
    said = open_folder(tmp_path).understood()
    assert "of 2 pictures with colour or transparency of 16 bits, the upper 8 are read" in said
    assert ("and come out almost black: convert them to 8 bits" in said) == dark


def test_grey_of_sixteen_bits_with_transparency_stays_grey(tmp_path):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(sixteen_bits(4, 2, 65535))
    assert open_folder(tmp_path).sample_shape == (1, 4, 4)


def test_one_bright_picture_among_many_dark_ones_is_not_cut(tmp_path):
    for i in range(40):
        Image.fromarray(np.full((4, 4), 30_000 if i == 37 else 4_000, dtype=np.uint16)).save(tmp_path / f"{i:02}.png")
    store = open_folder(tmp_path)
    assert sorted(store.samples[:, 0, 0, 0].unique().tolist()) == [round(4_000 / 257), round(30_000 / 257)]


def test_the_range_says_what_is_white(tmp_path):
    for name, value in (("a", 0.5), ("b", 3.0)):
        Image.fromarray(np.full((4, 4), value, dtype=np.float32)).save(tmp_path / f"{name}.tiff")
    store = open_folder(tmp_path, options={"range": "0,1"})
    assert store.samples[:, 0, 0, 0].tolist() == [128, 255]


@pytest.mark.parametrize(("mode", "ink"), [("RGBA", (255, 0, 0, 255)), ("LA", (0, 255))])
def test_transparent_is_white(tmp_path, mode, ink):
    image = Image.new(mode, (40, 40), 0)
    ImageDraw.Draw(image).rectangle((0, 0, 19, 39), fill=ink)
    for name in ("a.png", "b.png"):
        image.save(tmp_path / name)
    store = open_folder(tmp_path, resolution=20)
    assert "2 pictures have transparency, behind which is put white" in store.understood()
    picture = store.samples[0]
    assert (picture[:, :, 15:] == 255).all()
    # No halo: black under full transparency does not bleed into the edge.
    assert (picture[0, :, :] >= (255 if mode == "RGBA" else 0)).all()
    assert (picture[-1, :, :5] == 0).all()


def test_a_transparent_palette_colour_is_white(tmp_path):
    image = Image.new("P", (8, 8), 0)
    image.putpalette([0, 0, 0, 9, 9, 9])
    for name in ("a.png", "b.gif"):
        image.save(tmp_path / name, transparency=0)
    assert (open_folder(tmp_path).samples == 255).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path, orientation):
    values = np.zeros((16, 16, 3), dtype=np.uint8)
    values[:8, :8], values[:8, 8:], values[8:, :8] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    back = {5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE}
    back |= {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM}
    back |= {8: Image.Transpose.ROTATE_270}
    stored = Image.fromarray(values)
    stored = stored.transpose(back[orientation]) if orientation > 1 else stored
    exif = Image.Exif()
    exif[0x0112] = orientation
    for name in ("a.png", "b.png", "c.tiff"):
        stored.save(tmp_path / name, exif=exif)
    for picture in open_folder(tmp_path).samples:
        assert np.array_equal(picture.permute(1, 2, 0), values)


def test_damaged_exif_does_not_cost_the_picture(paint, tmp_path):
    paint("a.jpg", exif=b"Exif\0\0nonsense")
    paint("b.jpg", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    assert len(open_folder(tmp_path)) == 2


def test_a_large_jpeg_is_antialiased(tmp_path):
    stripes = np.zeros((1024, 1024), dtype=np.uint8)
    stripes[:, ::2] = 255
    for name in ("a.jpg", "b.jpg"):
        Image.fromarray(stripes).save(tmp_path / name, quality=95)
    picture = open_folder(tmp_path, resolution=32).samples[0].float()
    assert (picture - 127.5).abs().max() < 6


def test_the_middle_is_kept(tmp_path):
    values = np.zeros((10, 30, 3), dtype=np.uint8)
    values[:, 10:20] = 200
    for name in ("a.png", "b.png"):
        Image.fromarray(values).save(tmp_path / name)
    assert (open_folder(tmp_path, resolution=10).samples == 200).all()


def test_an_animation_gives_its_first_frame(tmp_path):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    for name in ("a.gif", "b.webp", "c.png"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], lossless=True)
    samples = open_folder(tmp_path).samples
    assert (samples[:, 0] > 250).all()
    assert (samples[:, 2] < 5).all()


def test_the_first_frame_is_said_to_be_all(paint, tmp_path):
    paint("a.png")
    paint("b.gif", mode="P")
    assert "several pages" not in open_folder(tmp_path).understood()
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    for name in ("c.gif", "d.tiff"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
    assert "2 animations or files of several pages give their first frame" in open_folder(tmp_path).understood()


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


def test_a_png_over_pillows_warning_level_is_read(paint, tmp_path, recwarn):
    paint("small.png")
    Image.new("1", (9500, 9500), 1).save(tmp_path / "large.png", compress_level=1)
    assert Image.MAX_IMAGE_PIXELS < 9500**2
    store = open_folder(tmp_path)
    assert store.samples[0].unique().tolist() == [255]
    assert store.reading.skipped == 0
    assert not [w for w in recwarn if issubclass(w.category, Image.DecompressionBombWarning)]


def test_a_phones_largest_photo_is_read(tmp_path):
    for name in ("a.jpg", "b.jpg"):
        Image.new("L", (12000, 9000), 128).save(tmp_path / name)
    assert open_folder(tmp_path).samples.unique().tolist() == [128]


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


def test_heic_under_another_ending_is_called_heic(paint, tmp_path):
    paint("a.jpg")
    paint("b.jpg")
    (tmp_path / "c.jpg").write_bytes(b"\0\0\0\x18ftypheic" + bytes(99))
    assert "1 picture that cannot be read: HEIC under another ending, which is not read" in open_folder(tmp_path).understood()


def test_a_range_that_nothing_needs_is_refused(paint, tmp_path):
    paint("a.png")
    paint("b.png")
    with pytest.raises(UsageError, match=r"range=0,1: it is for pictures of more than 8 bits"):
        open_folder(tmp_path, options={"range": "0,1"})


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
