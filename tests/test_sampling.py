import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganzoo.errors import PluginError, UsageError
from ganzoo.interfaces import Generator
from ganzoo.modalities.array import Array
from ganzoo.modalities.base import Batch, Samples
from ganzoo.modalities.inferred import of_shape
from ganzoo.modalities.pictures import Pictures, grid, to_uint8
from ganzoo.sampling import sample_to, to_show, write_array, write_preview, write_shown
from ganzoo.threads import on_threads

PICTURES = Pictures(sample_shape=(1, 4, 4))
ROWS = Array(sample_shape=(12,))


class Seeds(Generator):
    """Samples whose every value is the latent's, so that a seed can be told from its sample."""

    def forward(self, z, labels=None):
        return z.tanh().reshape(len(z), 1, 1, 1).expand(len(z), *self.sample_shape)


class Rows(Generator):
    def forward(self, z, labels=None):
        return z.expand(len(z), *self.sample_shape) * 100


def pictures(channels=1):
    return Seeds(latent_shape=(1,), sample_shape=(channels, 4, 4))


def test_the_ends_and_the_middle_of_the_range():
    x = torch.tensor([-1.0, 0.0, 1.0, -7.0, 7.0]).reshape(5, 1, 1, 1)
    assert to_uint8(x).ravel().tolist() == [0, 128, 255, 0, 255]


def test_a_grid_reads_like_text():
    x = torch.linspace(-1, 1, 6).reshape(6, 1, 1, 1).expand(6, 1, 2, 3)
    sheet = np.asarray(grid(x, columns=4))
    assert sheet.shape == (4, 12)
    assert sheet[0, ::3].tolist() == to_uint8(x)[:4, 0, 0, 0].tolist()
    assert sheet[2, ::3].tolist() == [*to_uint8(x)[4:, 0, 0, 0].tolist(), 0, 0]


def test_colour_keeps_its_channels():
    x = torch.stack([torch.full((4, 4), v) for v in (-1.0, 0.0, 1.0)])[None]
    assert np.asarray(grid(x))[0, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize("channels", [1, 3])
def test_three_forms_hold_the_same_pictures(tmp_path, channels):
    generator, seeds = pictures(channels), range(5, 305)
    for name in ("sheet.png", "folder", "array.npz"):
        sample_to(tmp_path / name, generator, seeds, PICTURES)
    array = np.load(tmp_path / "array.npz")["arr_0"]
    assert array.shape == (300, 4, 4, channels)
    assert array.dtype == np.uint8
    assert np.array_equal(array, to_uint8(generator.sample(seeds)))
    files = sorted((tmp_path / "folder").iterdir())
    assert [f.name for f in files][:2] == ["seed00000005.png", "seed00000006.png"]
    assert all(np.array_equal(np.asarray(Image.open(f)).reshape(4, 4, channels), a) for f, a in zip(files, array, strict=True))
    sheet = np.asarray(Image.open(tmp_path / "sheet.png")).reshape(17 * 4, 18 * 4, channels)
    assert np.array_equal(sheet[:4, :4], array[0])
    assert np.array_equal(sheet[-4:, (299 % 18) * 4 : (299 % 18) * 4 + 4], array[299])


def test_an_array_is_never_whole_in_memory(tmp_path):
    asked = []

    def batches(start, stop):
        asked.append(stop - start)
        return Batch(torch.full((stop - start, 1, 2, 2), start / 1000 - 1), (), None)

    write_array(tmp_path / "x.npz", Samples(1000, batches, at_once=64), PICTURES)
    assert max(asked) == 64
    assert np.load(tmp_path / "x.npz")["arr_0"].shape == (1000, 2, 2, 1)


def test_what_is_no_picture_stays_as_it_is(tmp_path):
    rows = Rows(latent_shape=(1,), sample_shape=(5,))
    sample_to(tmp_path / "x.npz", rows, range(10), ROWS)
    array = np.load(tmp_path / "x.npz")["arr_0"]
    assert array.dtype == np.float32
    assert np.array_equal(array, rows.sample(range(10)).numpy())
    with pytest.raises(UsageError, match="cannot write rows of numbers"):
        sample_to(tmp_path / "x.png", rows, range(10), ROWS)
    assert write_preview(tmp_path / "preview", rows.sample(range(3)), ROWS).name == "preview.npz"


def test_a_folder_in_use_is_left_alone(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    with pytest.raises(UsageError, match="exists"):
        sample_to(tmp_path / "mine", pictures(), range(3), PICTURES)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "precious"


def test_a_failure_leaves_nothing(tmp_path):
    class Breaks(Seeds):
        calls = 0

        def forward(self, z, labels=None):
            self.calls += 1
            if self.calls > 2:
                raise RuntimeError("broken")
            return super().forward(z)

    for name in ("x.npz", "x.png", "folder"):
        with pytest.raises(RuntimeError):
            sample_to(tmp_path / name, Breaks(latent_shape=(1,), sample_shape=(1, 4, 4)), range(1000), PICTURES)
    assert list(tmp_path.iterdir()) == []


def test_progress_ends_at_the_total(tmp_path):
    seen = []
    sample_to(tmp_path / "x.npz", pictures(), range(600), PICTURES, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (600, 600)
    assert [d for d, _ in seen] == sorted(d for d, _ in seen)


def test_pictures_are_bounded_grey_or_rgb():
    assert of_shape((1, 8, 8), (-1.0, 1.0)).name == "pictures"
    assert of_shape((3, 8, 8), (-1.0, 1.0)).name == "pictures"
    assert of_shape((1, 8, 8), None).name == "array"
    assert of_shape((2, 8, 8), (-1.0, 1.0)).name == "array"
    assert of_shape((12,), None).name == "array"


@pytest.mark.parametrize("name", ["grid.gif", "x.npy", "-", ""])
def test_a_name_that_is_no_form_is_refused(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="cannot write"):
        sample_to(Path(name), pictures(), range(3), PICTURES)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "form"), [("grid.jpg", "JPEG"), ("grid.JPEG", "JPEG"), ("grid.webp", "WEBP"), ("grid.png", "PNG")]
)
def test_a_sheet_has_the_form_that_its_name_ends_in(tmp_path, name, form):
    sample_to(tmp_path / name, pictures(), range(4), PICTURES)
    with Image.open(tmp_path / name) as sheet:
        assert sheet.format == form
        assert sheet.size[0] == sheet.size[1]


class Crowded(Seeds):
    """Beside other work: on one thread it is fast, on more it waits."""

    def __init__(self):
        super().__init__(latent_shape=(1,), sample_shape=(1, 4, 4))
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, z, labels=None):
        time.sleep(0.001 if torch.get_num_threads() == 1 else 0.05)
        return super().forward(z, labels)


@pytest.mark.parametrize(("count", "used"), [(600, 1), (200, 2)])
def test_many_samples_are_drawn_on_as_many_threads_as_are_fastest(tmp_path, count, used):
    threads = set()
    with on_threads(2):
        told = {"progress": lambda done, total: threads.add(torch.get_num_threads())}
        sample_to(tmp_path / "x.npz", Crowded(), range(count), PICTURES, **told)
        assert torch.get_num_threads() == 2
    assert threads == {used}
    assert np.array_equal(np.load(tmp_path / "x.npz")["arr_0"], to_uint8(pictures().sample(range(count))))


def made_by(modality, path, count=300):
    sample_to(path, Rows(latent_shape=(1,), sample_shape=(12,)), range(count), modality)
    return np.load(path)["arr_0"]


@pytest.mark.parametrize(
    "found",
    [
        lambda samples: ["a"] * len(samples),
        lambda samples: np.array(["a"] * len(samples)),
        lambda samples: np.array([{}] * len(samples), dtype=object),
        lambda samples: samples.numpy()[1:],
        lambda samples: np.float32(7),
        lambda samples: np.array(7),
    ],
    ids=["texts", "an array of texts", "objects", "too few rows", "a number", "an array without rows"],
)
def test_what_is_decoded_to_no_rows_of_numbers_goes_to_npz_as_float32(tmp_path, found):
    class Odd(Array):
        def decode(self, samples):
            return found(samples)

    array = made_by(Odd(sample_shape=(12,)), tmp_path / "x.npz")
    assert array.dtype == np.float32
    assert np.array_equal(array, Rows(latent_shape=(1,), sample_shape=(12,)).sample(range(300)).numpy())


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (lambda rows: rows.astype("U3"), r"has <U3 \(256, 12\) for the rows of 256 samples"),
        (lambda rows: rows.astype(object), "has object"),
        (lambda rows: rows[1:], r"has float32 \(255, 12\) for the rows of 256 samples"),
        (lambda rows: rows.tolist(), "has list for the rows"),
        (lambda rows: rows if len(rows) == 256 else rows.astype("f8"), r"makes rows of <f8 \(12,\) after rows of <f4 \(12,\)"),
        (lambda rows: rows if len(rows) == 256 else rows[:, :3], r"makes rows of <f4 \(3,\) after rows of <f4 \(12,\)"),
        (lambda rows: rows.no_such_thing, "fails in rows: AttributeError"),
    ],
    ids=["texts", "objects", "too few", "a list", "another type later", "another shape later", "an error"],
)
def test_rows_that_are_no_array_are_refused_and_nothing_is_left(tmp_path, found, said):
    class Odd(Array):
        def rows(self, samples):
            return found(samples.numpy())

    with pytest.raises(PluginError, match=f"the modality 'array' {said}") as error:
        made_by(Odd(sample_shape=(12,)), tmp_path / "x.npz")
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_a_writer_has_a_path_that_is_not_there_and_ends_as_the_users(tmp_path):
    paths = []

    class Named(Array):
        def writers(self):
            return {".wav": self.write, ".csv": lambda path, samples: None}

        def write(self, path, samples):
            paths.append((path.name, path.exists()))
            path.write_bytes(b"".join(batch.samples.numpy().tobytes() for batch in samples))

    generator = Rows(latent_shape=(1,), sample_shape=(12,))
    for _ in range(2):
        sample_to(tmp_path / "x.WAV", generator, range(300), Named(sample_shape=(12,)))
    assert paths == [("x.wav", False)] * 2
    assert (tmp_path / "x.WAV").read_bytes() == generator.sample(range(300)).numpy().tobytes()
    with pytest.raises(PluginError, match=r"wrote no \.csv file"):
        sample_to(tmp_path / "x.csv", generator, range(3), Named(sample_shape=(12,)))
    assert [p.name for p in tmp_path.iterdir()] == ["x.WAV"]


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ({"txt": "words"}, r"shows samples as \.txt in a str, not in bytes \(text\.encode\(\)\)"),
        ({"gif": b"x"}, r"shows samples as \.gif, which is none of png"),
        (None, "fails in preview: TypeError"),
    ],
)
def test_a_preview_that_is_no_file_is_said_so(tmp_path, made, said):
    class Odd(Array):
        def preview(self, decoded):
            return made

    with pytest.raises(PluginError, match=said):
        write_preview(tmp_path / "reals", torch.zeros(2, 12), Odd(sample_shape=(12,)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("files", [{}, {"txt": b"x"}])
def test_a_sheet_is_decoded_once_and_by_the_thread_that_computes(tmp_path, monkeypatch, files):
    asked = []

    class Counted(Array):
        def decode(self, samples):
            asked.append("decode")
            return super().decode(samples)

        def preview(self, decoded):
            asked.append("preview")
            return files

    modality, samples = Counted(sample_shape=(12,)), torch.rand(5, 12)
    shown = to_show(samples, modality)
    # What is left to the other thread is no torch's.
    for name in ("float", "cpu", "numpy"):
        monkeypatch.setattr(torch.Tensor, name, None)
    path = write_shown(tmp_path / "0000000064", shown, modality)
    monkeypatch.undo()
    assert asked == ["decode", "preview"]
    assert path.name == f"0000000064.{'txt' if files else 'npz'}"
    if not files:
        assert np.array_equal(np.load(path)["arr_0"], samples.numpy())
