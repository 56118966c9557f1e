"""Data that Python code has in memory is understood as the same data in a file."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import ganzoo
from ganzoo import plugins
from ganzoo.data import open_data
from ganzoo.data.arrays import open_npy, open_npz
from ganzoo.data.given import given as data_given
from ganzoo.errors import DataError, GanzooError, UsageError


def opened(data, resolution=None):
    return open_data(data_given(data), registry=plugins.load().registry, resolution=resolution)


SHAPES = st.one_of(
    st.tuples(st.integers(1, 4), st.integers(1, 6)),
    st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(1, 6)),
    st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 5), st.sampled_from([1, 2, 3, 4])),
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), dtype=st.sampled_from(["u1", "?", "u2", "i4", "i8", "f2", "f4", "f8"]))
def test_an_array_is_what_it_would_be_in_a_file(tmp_path, data, dtype):
    elements = {"elements": st.floats(-2, 2, width=16)} if dtype[0] == "f" else {}
    array = data.draw(arrays.arrays(dtype, SHAPES, **elements))
    resolution = data.draw(st.sampled_from([None, 3]))
    np.save(tmp_path / "array.npy", array)
    try:
        expected = open_npy(tmp_path / "array.npy", resolution=resolution)
    except GanzooError as error:
        with pytest.raises(type(error)):
            opened(array, resolution)
        return
    found = opened(array, resolution)
    assert found.samples.dtype == expected.samples.dtype
    assert torch.equal(found.samples, expected.samples)
    assert found.describe()["sha256"] == expected.describe()["sha256"]


@settings(max_examples=40, deadline=None)
@given(data=st.data())
@example(data=None)
def test_whatever_is_given_is_understood_or_refused_in_words(data):
    anything = st.one_of(
        arrays.arrays(arrays.array_dtypes() | arrays.scalar_dtypes(), arrays.array_shapes(max_dims=5, max_side=4, min_side=0)),
        st.none() | st.integers() | st.binary() | st.lists(st.integers()) | st.tuples(st.integers(), st.integers()),
    )
    value = data.draw(anything) if data else torch.zeros(2, 3).to_sparse()
    assume(not isinstance(value, str))
    try:
        store = opened(value)
    except GanzooError as error:
        assert "\n" not in str(error)  # noqa: PT017 - most of what is drawn is refused, and some of it is not
    else:
        assert len(store) == len(value)


PICTURES = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (PICTURES, "array: 6 pictures of 8x8, as they are, in colour; no classes; channels last"),
        (PICTURES.transpose(0, 3, 1, 2), "array: 6 pictures of 8x8, as they are, in colour; no classes; channels first"),
        (PICTURES[..., 0], "array: 6 pictures of 8x8, as they are, in grey; no classes"),
        (
            PICTURES.astype("f4") / 255,
            "array: 6 pictures of 8x8, as they are, in colour; no classes; channels last; "
            "float32 values: 0 is black and 1 is white",
        ),
        (np.zeros((6, 3)), "array: 6 rows of numbers, of 3 columns, taken as they stand, with values from 0 to 0; no classes"),
    ],
)
def test_the_first_line_says_what_an_array_was_understood_to_be(array, says):
    assert opened(array).understood() == says


def test_numbers_that_may_be_pictures_come_with_the_way_to_say_so_in_python():
    said = opened(PICTURES[..., 0] / 255).understood()
    assert "give them as uint8, or in four dimensions" in said
    assert "?" not in said
    with pytest.raises(UsageError, match="give them as uint8"):
        opened(PICTURES[..., 0] / 255, resolution=4)
    assert opened(PICTURES[..., :1] / 255).modality.name == "pictures"


@pytest.mark.parametrize(
    "tensor",
    [
        torch.tensor(PICTURES),
        torch.tensor(PICTURES).permute(0, 3, 1, 2),
        (torch.tensor(PICTURES) / 255).requires_grad_(),
        (torch.tensor(PICTURES) / 255).half(),
        torch.tensor(PICTURES).long(),
    ],
    ids=["last", "first", "grad", "half", "long"],
)
def test_a_tensor_is_what_the_array_is(tensor):
    assert opened(tensor).describe()["sha256"] == opened(PICTURES).describe()["sha256"]
    assert opened(tensor).name == "tensor"


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float8_e4m3fn])
def test_tensors_that_numpy_has_no_type_for(dtype):
    tensor = torch.tensor([[0.5, -2.0], [1.0, 0.25]]).to(dtype)
    assert torch.equal(opened(tensor).samples, torch.tensor([[0.5, -2.0], [1.0, 0.25]]))


def test_what_is_in_memory_is_not_there_twice():
    rows = np.zeros((4, 3), np.float32)
    for array in (rows, np.ascontiguousarray(PICTURES.transpose(0, 3, 1, 2)), np.ascontiguousarray(PICTURES[..., 0])):
        assert np.shares_memory(opened(array).samples.numpy(), array)


@pytest.mark.parametrize(
    ("labels", "classes", "names"),
    [
        (np.arange(6) % 3, [0, 1, 2, 0, 1, 2], ()),
        (torch.arange(6) % 2, [0, 1, 0, 1, 0, 1], ()),
        ([2.0, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 1], ()),
        (np.eye(6), [0, 1, 2, 3, 4, 5], ()),
        (["cat", "ant"] * 3, [1, 0] * 3, ("ant", "cat")),
        (np.array(["cat", "ant"] * 3, object), [1, 0] * 3, ("ant", "cat")),
    ],
)
def test_labels_come_beside_an_array(tmp_path, labels, classes, names):
    store = opened((PICTURES, labels))
    assert store.labels.tolist() == classes
    assert store.class_names == names
    assert "classes" in store.understood()
    assert "(by the labels given)" in store.understood()


def test_labels_may_be_none():
    assert opened((PICTURES, None)).labels is None


@pytest.mark.parametrize(
    "labels", [[0, 1], [-1] * 6, [0.5] * 6, np.ones((6, 2)), np.array([None] * 6), np.ma.masked_equal([0, 1] * 3, 1)], ids=str
)
def test_labels_that_were_given_and_are_none_are_refused(labels):
    with pytest.raises(UsageError):
        opened((PICTURES, labels))


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ([[0, 1], [1]], "the labels cannot be made an array"),
        ([torch.zeros(2), torch.zeros(3)], "the labels cannot be made an array"),
        (torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)]), "the labels are a nested tensor"),
        (np.ma.masked_equal([0, 1] * 3, 1), "the labels are a masked array"),
        (torch.zeros(6, device="meta"), "the labels are a sparse, quantized or meta tensor"),
        ([None] * 6, "the labels are an array of object"),
        ([1j] * 6, "the labels are an array of complex128"),
    ],
)
def test_labels_that_cannot_be_read_are_refused_as_labels(labels, says):
    with pytest.raises(UsageError, match=says):
        opened((PICTURES, labels))


def test_tensors_of_types_that_nothing_can_read_are_refused():
    whole = torch.zeros(4, 4, dtype=torch.uint8)
    for name in ("float4_e2m1fn_x2", "uint4", "int2", "bits8"):
        if hasattr(torch, name):
            with pytest.raises(UsageError, match=f"data is a tensor of {name} that cannot be read"):
                opened(whole.view(getattr(torch, name)))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (np.ma.masked_equal(PICTURES, 0), "filled"),
        (torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)]), "nested tensor"),
        (np.array([[{}], [{}]], object), "expected numbers"),
        (np.zeros((2, 2), complex), "expected numbers"),
        (torch.zeros(2, 2).to_sparse(), "to_dense"),
        (torch.zeros(2, 2, device="meta"), "dense"),
        (((PICTURES, PICTURES), (PICTURES, PICTURES)), r"x_train, y_train"),
        ((PICTURES,), r"x_train, y_train"),
        ([[1, 2], [3, 4]], "numpy.asarray"),
        (None, "NoneType"),
        (7, "int"),
    ],
)
def test_what_is_no_data_is_refused_with_what_would_be(data, says):
    with pytest.raises(UsageError, match=says):
        opened(data)


@pytest.mark.parametrize(
    "array", [np.zeros((0, 8, 8, 3)), np.zeros((1, 4)), np.zeros(5), np.array(1.0), np.full((2, 2), np.nan)]
)
def test_arrays_without_samples_are_refused(array):
    with pytest.raises(DataError):
        opened(array)


def test_a_path_is_a_file_and_never_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    np.save(tmp_path / "rows.npy", np.zeros((5, 2), np.float32))
    (tmp_path / "fashion-mnist-10k").mkdir()
    np.savez(tmp_path / "a?b.npz", x=PICTURES)
    for path in (Path("rows.npy"), tmp_path / "rows.npy", Path("~/rows.npy"), Path("./rows.npy")):
        assert len(opened(path)) == 5
    assert opened(Path("a?b.npz")).describe() == open_npz(tmp_path / "a?b.npz").describe()
    with pytest.raises(DataError, match="pictures"):
        opened(Path("fashion-mnist-10k"))
    with pytest.raises(DataError, match="no such file"):
        opened(Path("fashion-mnist"))


def test_a_store_is_taken_as_it_is():
    store = ganzoo.Store("mine", torch.zeros(3, 1, 8, 8, dtype=torch.uint8), torch.tensor([0, 1, 0]), ("a", "b"))
    assert opened(store) is store
    assert opened(store, resolution=8) is store
    with pytest.raises(UsageError, match=r"store\.samples"):
        opened(store, resolution=4)
    assert opened((store.samples, store.labels), resolution=4).sample_shape == (1, 4, 4)
