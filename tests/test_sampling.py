import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganzoo.errors import UsageError
from ganzoo.interfaces import Generator
from ganzoo.modalities.array import Array
from ganzoo.modalities.base import Batch, Samples
from ganzoo.modalities.inferred import of_shape
from ganzoo.modalities.pictures import Pictures, grid, to_uint8
from ganzoo.sampling import sample_to, write_array, write_preview
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
