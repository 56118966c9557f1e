"""``ganzoo sample --class``: classes by name and by number, one or many, and where their labels are then."""

import os
import subprocess
import sysconfig
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import ganzoo
from ganzoo.class_names import folder_name, parse_classes
from ganzoo.errors import UsageError
from ganzoo.modalities.pictures import SHEETS, save_image, to_uint8
from ganzoo.sampling import fits_an_array

STRAINED = Path(__file__).parents[1] / "strained"
NAMES = ("10", "2", "T-shirt, white", "cat", "dog")
"""In the order in which folders are read."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A conditional model, and the folder that it lies in."""
    place = tmp_path_factory.mktemp("classes")
    pixels = np.random.default_rng(0).integers(0, 256, (len(NAMES), 4, 8, 8), dtype=np.uint8)
    for name, pictures in zip(NAMES, pixels, strict=True):
        (place / "photos" / name).mkdir(parents=True)
        for number, picture in enumerate(pictures):
            Image.fromarray(picture).save(place / "photos" / name / f"{number}.png")
    command = [Path(sysconfig.get_path("scripts")) / "ganzoo", "train", "strained-labels", "--data", "photos"]
    path = os.pathsep.join([str(STRAINED), *filter(None, [os.environ.get("PYTHONPATH")])])
    options = ["--images", "32", "-o", "batch_size=8", "--device", "cpu", "--out", "run"]
    done = subprocess.run(
        [*command, *options], cwd=place, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 3), done.stderr
    return place / "run"


@pytest.fixture
def generator(trained, load_plugins):
    load_plugins(STRAINED)
    return ganzoo.load(trained)


@pytest.fixture
def sample(ganzoo_here, trained, load_plugins):
    load_plugins(STRAINED)

    def run(*words):
        return ganzoo_here("sample", trained, *words, "--device", "cpu")

    return run


def test_several_classes_have_a_row_each_and_their_labels_are_in_the_array(sample, generator, tmp_path):
    for output in ("grid.png", "samples.npz", "pictures"):
        result = sample("--class", "dog,cat", "--class", "T-shirt, white", "--seeds", "5-8", "-o", output)
        assert (result.returncode, result.stderr) == (0, "")
    labels = np.repeat([4, 3, 2], 4)
    expected = to_uint8(generator.sample([5, 6, 7, 8] * 3, labels=labels))
    with np.load(tmp_path / "samples.npz") as written:
        assert np.array_equal(written["arr_0"], expected)
        assert written["labels"].dtype == np.int64
        assert np.array_equal(written["labels"], labels)
        assert tuple(written["class_names"]) == NAMES
    sheet = np.asarray(Image.open(tmp_path / "grid.png"))
    assert sheet.shape == (3 * 8, 4 * 8)
    rows = expected[..., 0].reshape(3, 4, 8, 8).swapaxes(1, 2).reshape(3 * 8, 4 * 8)
    assert np.array_equal(sheet, rows)
    folders = {p.name for p in (tmp_path / "pictures").iterdir()}
    assert folders == {"002-T-shirt_white", "003-cat", "004-dog"}
    assert len(list((tmp_path / "pictures" / "003-cat").iterdir())) == 4


def test_one_class_is_a_sheet_as_ever_and_no_class_is_each_seeds_own(sample, tmp_path):
    assert sample("--class", "cat", "--seeds", "0-3").returncode == 0
    assert Image.open(tmp_path / "samples.png").size == (16, 16)
    assert sample("--seeds", "3-9", "-o", "own.npz").returncode == 0
    assert np.load(tmp_path / "own.npz")["labels"].tolist() == [3, 4, 0, 1, 2, 3, 4]
    assert sample("--class", "0-4").returncode == 0
    assert Image.open(tmp_path / "samples.png").size == (8 * 8, 5 * 8), "eight seeds of each, unless others are named"


def test_a_class_that_is_called_by_a_number_is_meant_before_the_number(sample, tmp_path):
    result = sample("--class", "2", "--seeds", "0", "-o", "two.npz")
    assert np.load(tmp_path / "two.npz")["labels"].tolist() == [1]
    assert result.stderr == "the class that is called '2' is meant, whose number is 1, and not number 2\n"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ["--class", "cta"],
            "no class 'cta'; did you mean 'cat'? the 5 classes are '10', '2', 'T-shirt, white', 'cat', 'dog'",
        ),
        (["--class", "0-4", "--seeds", "0-99999998"], "are more than"),
    ],
)
def test_a_class_that_there_is_not_is_one_clear_line(sample, tmp_path, words, says):
    result = sample(*words)
    assert result.returncode == 2, result.stderr
    assert says in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("cat,zebra", "there is no class 'zebra'"),
        ("5", "their numbers go from 0 to 4"),
        ("3-1", "there is no class '3-1'"),
        ("", "there is no class ''"),
        ("cat,", "there is no class ''"),
    ],
)
def test_what_is_no_class_is_named(text, says):
    with pytest.raises(UsageError, match=says):
        parse_classes([text], NAMES, len(NAMES))
    with pytest.raises(UsageError, match="by its number"):
        parse_classes(["cat"], (), 5)


def test_a_model_without_classes_says_so(ganzoo_here):
    result = ganzoo_here("sample", "mlp-fashion-mnist", "--class", "Bag")
    assert result.returncode == 2
    assert result.stderr == (
        "ganzoo: --class: mlp-fashion-mnist has no classes to choose from, for its generator is unconditional; "
        "its data had 10 classes, which mlp does not tell apart; leave --class out; docs/plugins.md shows how to write a "
        "conditional generator (num_classes)\n"
    )


def test_labels_by_name_in_python(generator):
    same = generator.sample([1, 2], labels=[3, 4])
    assert generator.sample([1, 2], labels=["cat", "dog"]).equal(same)
    assert generator.sample([1, 2], labels=["cat", 4]).equal(same)
    assert generator.sample([1], labels="cat").equal(same[:1])
    with pytest.raises(UsageError, match="did you mean 'cat'"):
        generator.sample([1], labels="cta")


def test_a_sheet_that_is_too_wide_for_its_form_is_refused(tmp_path):
    for suffix, width in ((".jpg", 65_501), (".webp", 16_384)):
        with pytest.raises(UsageError, match=f"{width}x1 pixels is larger than {SHEETS[suffix]} can be"):
            save_image(tmp_path / f"sheet{suffix}", Image.new("L", (width, 1)), SHEETS[suffix])
    assert list(tmp_path.iterdir()) == []
    save_image(tmp_path / "sheet.png", Image.new("L", (65_501, 1)))


def test_names_take_no_more_room_than_they_should():
    assert fits_an_array(["a"] * 1000)
    assert not fits_an_array(["a"] * 100_000 + ["a" * 100_000])


NAME = st.text(max_size=8) | st.sampled_from(["", "..", "/", "a,b", "0", "1-2", " cat "])


@given(st.lists(NAME, min_size=1, max_size=6, unique=True))
def test_every_name_reaches_its_class_and_no_folder_but_its_own(names):
    for number, name in enumerate(names):
        assert parse_classes([name], names, len(names)) == [number]
        folder = folder_name(number, names)
        assert Path(folder).name == folder
        assert folder not in ("", ".", "..")
        assert len(folder.encode()) < 250
    assert len({folder_name(number, names) for number in range(len(names))}) == len(names)


@given(st.text(max_size=12), st.integers(1, 30))
def test_whatever_is_typed_names_classes_or_is_refused(text, count):
    try:
        found = parse_classes([text], (), count)
    except UsageError:
        return
    assert all(0 <= number < count for number in found)
    assert found
