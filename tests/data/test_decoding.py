import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageDraw

from ganzoo.data.decoding import open_picture, square
from ganzoo.data.pictures import open_folder
from ganzoo.errors import UsageError


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
    assert "2 pictures have an alpha channel: white is put behind what is transparent" in store.understood()
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


def test_of_a_large_jpeg_no_more_is_decoded_than_its_square_needs(tmp_path):
    for mode, channels in (("L", 1), ("RGB", 3)):
        Image.new(mode, (4096, 2048), 60 if mode == "L" else (60, 60, 60)).save(tmp_path / "large.jpg")
        with (tmp_path / "large.jpg").open("rb") as stream, open_picture(stream) as image:
            found = square(image, 64, channels)
            assert image.size == (512, 256), "an eighth, which a decoder makes several times faster than the whole"
        assert found.shape == (channels, 64, 64)
        assert np.abs(found.astype(int) - 60).max() <= 1
    # Never so little that pixels have to be made up.
    Image.new("L", (200, 200)).save(tmp_path / "small.jpg")
    with (tmp_path / "small.jpg").open("rb") as stream, open_picture(stream) as image:
        square(image, 64, 1)
        assert image.size == (200, 200)


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


def test_masks_of_few_values_are_said_to_be_black(tmp_path):
    for name, value in (("a.png", 0), ("b.png", 2)):
        Image.new("L", (8, 8), value).save(tmp_path / name)
    assert "all pictures are almost black, as the highest value is 2 of 255" in open_folder(tmp_path).understood()
    Image.new("L", (8, 8), 200).save(tmp_path / "c.png")
    assert "almost black" not in open_folder(tmp_path).understood()
