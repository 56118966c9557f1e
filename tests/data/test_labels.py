import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ganzoo.data.labels import classes_of


@pytest.mark.parametrize(
    ("labels", "numbers", "names"),
    [
        (np.array([2, 0, 1], dtype=np.uint8), [2, 0, 1], ()),
        (np.array([[2], [0], [1]]), [2, 0, 1], ()),
        (np.array([2.0, 0.0, 1.0], dtype=np.float32), [2, 0, 1], ()),
        (np.array([True, False, True]), [1, 0, 1], ()),
        (np.eye(4)[[2, 0, 1]], [2, 0, 1], ()),
        (np.eye(4, dtype=bool)[[2, 0, 1]], [2, 0, 1], ()),
        (np.array(["dog", "ape", "cat"]), [2, 0, 1], ("ape", "cat", "dog")),
        (np.array([b"dog", b"ape", b"\xff"]), [1, 0, 2], ("ape", "dog", "�")),
    ],
)
def test_labels_as_people_keep_them(labels, numbers, names):
    found, named = classes_of(labels, 3)
    assert found.dtype == np.int64
    assert (found.tolist(), named) == (numbers, names)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (np.array([0, -1, 1]), "1 of 3 labels are negative"),
        (np.array([0.0, 0.5, 1.0]), "no whole numbers, the first is 0.5"),
        (np.array([0.0, np.nan, 1.0]), "no whole numbers, the first is nan"),
        (np.array([0, 1]), r"shape (2,) for 3 samples"),
        (np.array([[0, 1], [1, 1], [1, 0]]), "not one-hot"),
        (np.array([0, 1, 10**12]), "go up to 1,000,000,000,000"),
        (np.array(["cat", "dog", None]), "Python objects, which are pickled and never read: save them as text"),
        (np.array([1j, 1, 2]), "neither numbers nor text"),
        (np.zeros((3, 2, 2)), "shape (3, 2, 2)"),
    ],
)
def test_labels_that_are_none_say_why(labels, said):
    assert said in classes_of(labels, 3)


ANY = st.one_of(arrays.scalar_dtypes(), arrays.byte_string_dtypes())


@given(arrays.arrays(ANY, arrays.array_shapes(max_dims=3, max_side=4)))
def test_any_labels_are_classes_or_a_reason(labels):
    found = classes_of(labels, len(labels))
    if not isinstance(found, str):
        numbers, names = found
        assert numbers.shape == (len(labels),)
        assert numbers.min() >= 0
        assert not names or numbers.max() < len(names)
