import math
import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ganzoo.data import memory
from ganzoo.data.arrays import open_npy, open_npz
from ganzoo.data.values import guess_span
from ganzoo.errors import DataError, UsageError


@pytest.fixture
def opened(tmp_path):
    def save_and_open(array, **options):
        np.save(tmp_path / "a.npy", array)
        return open_npy(tmp_path / "a.npy", **options)

    return save_and_open


@pytest.mark.parametrize(
    ("dtype", "black", "white"),
    [
        ("f4", 0, 1),
        ("f8", -1, 1),
        ("f2", 0, 255),
        ("?", 0, 1),
        ("u2", 0, 65535),
        ("u2", 0, 4095),
        ("i8", 0, 255),
        ("i4", 0, 1),
    ],
)
@pytest.mark.parametrize("shape", [(2, 4, 4, 1), (2, 1, 4, 4), (2, 3, 4, 4)])
def test_pictures_of_other_numbers_are_pictures(opened, dtype, black, white, shape):
    values = np.full(shape, black, dtype)
    values[1] = white
    store = opened(values)
    assert store.modality.name == "pictures"
    assert store.samples[0].unique().tolist() == [0]
    assert store.samples[1].unique().tolist() == [255]
    assert f"{black} is black and {white:,} is white" in store.understood()


@pytest.mark.parametrize("dtype", ["?", "u2"])
def test_grey_pictures_without_an_axis_for_it(opened, dtype):
    assert opened(np.ones((3, 5, 5), dtype)).sample_shape == (1, 5, 5)


@pytest.mark.parametrize(
    ("shape", "low_high", "span"),
    [
        ((2, 8, 8, 1), (0, 7.5), "0,255"),
        ((2, 8, 8, 1), (-3, 3), "-3,3"),
        ((2, 6, 8, 3), (-1, 255), "-1,255"),
        ((2, 8, 8), (0, 1), "0,1"),
        ((2, 8, 8), (-0.9, 1), "-1,1"),
        ((2, 8, 8), (0, 200), "0,255"),
        ((2, 8, 8), (0, 1e6), "0,1e+06"),
    ],
)
def test_where_a_guess_would_be_dangerous_they_stay_numbers_and_a_hint_says_what_to_do(opened, shape, low_high, span):
    values = np.linspace(*low_high, np.prod(shape), dtype=np.float32).reshape(shape)
    store = opened(values)
    assert store.modality.name == "array"
    assert (
        f"if they are pictures, say which values are black and white after the name of the file, for example '?range={span}'"
        in (store.understood())
    )
    with pytest.raises(UsageError, match=rf"no resolution.*range={re.escape(span)}'"):
        opened(values, resolution=4)
    assert opened(values, options={"range": span}).modality.name == "pictures"


@pytest.mark.parametrize(
    ("columns", "shape"), [(784, "(N, 28, 28)"), (3072, "(N, 3, 32, 32) or (N, 32, 32, 3)"), (100, "(N, 10, 10)"), (783, None)]
)
def test_rows_that_may_be_flat_pictures_are_told_how_to_become_some(opened, columns, shape):
    said = opened(np.random.default_rng(0).integers(0, 256, (4, columns), dtype=np.uint8)).understood()
    assert (f"if each row is a picture, save the array in the shape {shape}" in said) == (shape is not None)
    assert "each row is a picture" not in opened(np.random.default_rng(0).normal(size=(4, columns))).understood()


def test_a_series_is_taken_for_no_picture(opened):
    store = opened(np.random.default_rng(0).uniform(-1, 1, (4, 1, 400)))
    assert store.sample_shape == (1, 400)
    assert "range=" not in store.understood()


def test_a_range_makes_pictures_of_numbers(opened):
    values = np.array([-2.0, 0.0, 2.0, 6.0], dtype=np.float32).reshape(2, 1, 2).repeat(2, axis=1)
    store = opened(values, options={"range": "-2,2"})
    assert store.samples[:, 0, 0].tolist() == [[0, 128], [255, 255]]
    assert "2 of 8 values beyond them are cut" in store.understood()
    with pytest.raises(UsageError, match="no range"):
        opened(np.zeros((4, 5)), options={"range": "0,1"})


@pytest.mark.parametrize(("shape", "options"), [((9, 4), {}), ((9, 8, 8, 3), {}), ((9, 8, 8), {"range": "0,1"})])
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_values_that_are_none_are_counted_and_the_first_is_named(opened, shape, options, wrong):
    values = np.zeros(shape, np.float32)
    values[5, -1] = wrong
    with pytest.raises(DataError, match=r"a\.npy: 1 of 9 samples has values that are NaN or infinite, the first is sample 5"):
        opened(values, options=options)
    values[7, 0] = wrong
    with pytest.raises(DataError, match=r"2 of 9 samples have .*numpy\.nan_to_num"):
        opened(values, options=options, resolution=4 if options else None)


def test_numbers_that_may_be_pictures_and_a_resolution(opened):
    with pytest.raises(UsageError, match=r"no resolution.*range=0,1"):
        opened(np.zeros((2, 8, 8)), resolution=4)
    assert opened(np.zeros((2, 8, 8)), resolution=4, options={"range": "0,1"}).sample_shape == (1, 4, 4)


def test_one_picture_is_not_many_rows(opened):
    with pytest.raises(DataError, match=r"a\.npy: an array of shape .* is one picture"):
        opened(np.zeros((64, 48, 3), dtype=np.uint8))


def test_more_than_the_memory_is_read_where_the_resolution_makes_it_fit(opened, monkeypatch):
    values = np.zeros((20, 64, 64), dtype=np.float32)
    values[:, 32:] = 1
    monkeypatch.setattr(memory, "_free", lambda: 30_000)
    store = opened(values, resolution=32, options={"range": "0,1"})
    assert store.samples[:, 0, 0].unique().tolist() == [0]
    assert store.samples[:, 0, -1].unique().tolist() == [255]
    with pytest.raises(DataError, match="try --resolution 34 or less"):
        opened(values, options={"range": "0,1"})


@pytest.mark.parametrize("shape", [(2, 8, 8), (2, 8, 8, 3)])
@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_bytes_of_few_values_are_said_to_be_black_and_a_range_makes_them_bright(tmp_path, name, shape):
    values = np.zeros(shape, np.uint8)
    values[1] = 1
    np.save(tmp_path / name, values) if name == "a.npy" else np.savez(tmp_path / name, values)
    opened = open_npy if name == "a.npy" else open_npz
    word = "all pictures are almost black, as the highest value is 1 of 255; '?range=0,1' makes that white"
    assert word in opened(tmp_path / name).understood()
    store = opened(tmp_path / name, options={"range": "0,1"})
    assert (store.samples[0].max(), store.samples[1].min()) == (0, 255)
    assert "almost black" not in store.understood()


def test_numbers_in_the_shape_of_one_picture_are_doubted(opened):
    assert "an array of this shape may be one picture" in opened(np.zeros((64, 48, 3))).understood()


def test_an_array_of_146_gib_is_refused_at_once_with_a_resolution_that_fits(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_free", lambda: 16 * 2**30)
    shape = (200_000, 512, 512, 3)
    with (tmp_path / "a.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        file.truncate(file.tell() + math.prod(shape))
    with pytest.raises(
        DataError, match=r"would take 146\.5 GiB of memory, and data may take 12\.8 GiB here \(try --resolution 151"
    ):
        open_npy(tmp_path / "a.npy")


def test_a_store_does_not_hang_on_its_file(opened, tmp_path):
    for values in (np.ones((2, 1, 4, 4), dtype=np.uint8), np.ones((2, 3), dtype=np.float32)):
        store = opened(values)
        with (tmp_path / "a.npy").open("r+b") as file:
            file.seek(-4, 2)
            file.write(bytes(4))
        assert torch.equal(store.samples, torch.from_numpy(values))


def test_a_table_with_a_wild_column_is_said(opened):
    rows = np.random.default_rng(0).normal(size=(100, 4))
    assert "scaled" not in opened(rows).understood()
    rows[:, 2] *= 1e6
    said = opened(rows).understood()
    assert "100 rows of numbers, of 4 columns, taken as they stand" in said
    assert "column 2 is not scaled and goes from -" in said
    rows[:, 0] += 1e3
    assert "2 columns are not scaled, column 2 goes" in opened(rows).understood()
    assert "values are not scaled (mean" in opened(rows.reshape(50, 2, 4)).understood()


ANY = st.sampled_from(["u1", "i1", "u2", "i4", "i8", "f2", "f4", "f8", "?"])


@given(ANY.flatmap(lambda kind: arrays.arrays(kind, arrays.array_shapes(min_dims=1, max_dims=5, max_side=5))))
def test_whatever_is_guessed_no_value_is_beyond_it(values):
    try:
        span = guess_span(values)
    except DataError:
        # One single picture is none of many.
        assert values.ndim == 3
        return
    assert span is None or span[0] <= values.min() <= values.max() <= span[1]
