import gzip
import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ganzoo.data.arrays import open_idx, open_npy, open_npz
from ganzoo.errors import DataError, GanzooError, UsageError

CODES = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}


def idx(array):
    kind = array.dtype.newbyteorder("=").str[1:]
    return struct.pack(f">HBB{array.ndim}I", 0, CODES[kind], array.ndim, *array.shape) + array.astype(f">{kind}").tobytes()


def npy(array):
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


@pytest.fixture
def save(tmp_path):
    def write(name, content):
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    return write


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("labels_suffix", ["", ".gz"])
@pytest.mark.parametrize("dot", ["-", "."])
def test_idx_with_labels_beside_it(save, rng, suffix, labels_suffix, dot):
    pack = {"": bytes, ".gz": gzip.compress}
    pictures, labels = rng.integers(0, 256, (6, 9, 9), dtype=np.uint8), np.arange(6, dtype=np.uint8) % 3
    path = save(f"my-images{dot}idx3-ubyte{suffix}", pack[suffix](idx(pictures)))
    save(f"my-labels{dot}idx1-ubyte{labels_suffix}", pack[labels_suffix](idx(labels)))
    store = open_idx(path)
    assert np.array_equal(store.samples[:, 0], pictures)
    assert store.labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert store.num_classes == 3


@pytest.mark.parametrize("kind", ["i1", "i2", "i4", "f4", "f8"])
def test_idx_of_other_numbers(save, kind):
    values = np.arange(-3, 3).reshape(2, 3).astype(kind)
    store = open_idx(save("values.idx", idx(values)))
    assert store.samples.dtype == torch.float32
    assert np.array_equal(store.samples, values)
    assert store.labels is None


@pytest.mark.parametrize(
    ("shape", "channels"),
    [((4, 8, 8), 1), ((4, 8, 8, 1), 1), ((4, 8, 8, 3), 3), ((4, 8, 8, 4), 3), ((4, 3, 8, 8), 3), ((4, 1, 8, 8), 1),
     ((5, 4, 8, 8), 3)],
)  # fmt: skip
def test_uint8_arrays_of_pictures(save, rng, shape, channels):
    values = rng.integers(0, 256, shape, dtype=np.uint8)
    path = save("a.npy", npy(values))
    store = open_npy(path)
    assert store.samples.shape == (shape[0], channels, 8, 8)
    assert open_npy(path, resolution=5).samples.shape == (shape[0], channels, 5, 5)
    if 4 not in shape[1:]:
        nchw = values.reshape(4, 1, 8, 8) if channels == 1 else values if shape[1] == 3 else values.transpose(0, 3, 1, 2)
        assert np.array_equal(store.samples, nchw)


def test_transparent_pixels_are_white(save):
    values = np.zeros((2, 4, 4, 4), dtype=np.uint8)
    values[1, ..., 3] = 255
    samples = open_npy(save("a.npy", npy(values))).samples
    assert (samples[0] == 255).all()
    assert (samples[1] == 0).all()


def test_the_middle_of_pictures_that_are_not_square(save, rng):
    values = rng.integers(0, 256, (3, 10, 6, 3), dtype=np.uint8)
    store = open_npy(save("a.npy", npy(values)))
    assert np.array_equal(store.samples.permute(0, 2, 3, 1), values[:, 2:8])


@pytest.mark.parametrize("shape", [(5, 7), (5, 2, 100), (5, 3, 4, 8, 8)])
def test_float_arrays_are_samples_as_they_stand(save, rng, shape):
    values = rng.normal(size=shape).astype(np.float32)
    for array in (values, np.asfortranarray(values), values.astype(">f4")):
        store = open_npy(save("a.npy", npy(array)))
        assert np.array_equal(store.samples, values)
        assert store.samples.is_contiguous()


def test_bytes_that_are_no_pictures_are_numbers(save):
    values = np.arange(10, dtype=np.uint8).reshape(2, 5)
    assert open_npy(save("a.npy", npy(values))).samples.tolist() == values.tolist()
    assert open_npy(save("a.npy", npy(values > 3))).samples.tolist() == (values > 3).tolist()


def test_numbers_have_no_resolution(save):
    with pytest.raises(UsageError, match="no resolution"):
        open_npy(save("a.npy", npy(np.zeros((4, 5), dtype=np.float32))), resolution=32)


@pytest.mark.parametrize("key", ["arr_0", "images", "samples", "x", "X", "data", "train_images", "x_train", "anything"])
def test_npz_samples(tmp_path, rng, key):
    values = rng.integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)
    np.savez_compressed(tmp_path / "my samples.npz", **{key: values})
    store = open_npz(tmp_path / "my samples.npz")
    assert store.name == "my-samples"
    assert np.array_equal(store.samples.permute(0, 2, 3, 1), values)


@pytest.mark.parametrize("key", ["labels", "y", "arr_1"])
@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_npz_labels(tmp_path, key, shape):
    labels = np.array([3, 0, 1, 1], dtype=np.uint16).reshape(shape)
    np.savez(tmp_path / "a.npz", arr_0=np.zeros((4, 8, 8), dtype=np.uint8), **{key: labels})
    store = open_npz(tmp_path / "a.npz")
    assert store.labels.tolist() == [3, 0, 1, 1]
    assert store.num_classes == 4


def test_labels_that_skip_numbers_say_how_many_classes_have_samples(tmp_path):
    np.savez(tmp_path / "a.npz", images=np.zeros((4, 8, 8), dtype=np.uint8), labels=[1, 2, 2, 9])
    assert "10 classes (by labels, 3 of them with samples)" in open_npz(tmp_path / "a.npz").understood()


def test_a_file_that_is_none_of_numpys_says_so(save):
    with pytest.raises(DataError, match=r"cannot read .*a\.npy: it is not in the format that its name says"):
        open_npy(save("a.npy", b"hello, world, hello"))


@pytest.mark.parametrize(
    "labels",
    [np.zeros(3, dtype=int), np.full(4, 0.5), np.zeros((4, 10), dtype=int), np.full(4, -1), np.full(4, np.nan),
     np.array([None, 1, 2, 3], dtype=object)],
)  # fmt: skip
def test_labels_that_are_none_are_dropped_with_a_word_unless_they_were_asked_for(tmp_path, labels):
    np.savez(tmp_path / "a.npz", x=np.zeros((4, 2)), y=labels)
    store = open_npz(tmp_path / "a.npz")
    assert store.labels is None
    assert "no classes (y cannot be used: " in store.understood()
    with pytest.raises(UsageError, match="y cannot be used"):
        open_npz(tmp_path / "a.npz", options={"labels": "y"})


@pytest.mark.parametrize(
    ("images", "labels"), [("train_images", "train_labels"), ("x_train", "y_train"), ("X", "y"), ("data", "target")]
)
def test_npz_as_others_name_their_arrays(tmp_path, images, labels):
    pictures, classes = np.zeros((4, 8, 8), dtype=np.uint8), np.array([[0], [1], [1], [0]], dtype=np.uint8)
    np.savez(tmp_path / "a.npz", **{images: pictures, labels: classes, "test_images": pictures[:2], "y_test": classes[:2]})
    store = open_npz(tmp_path / "a.npz")
    assert store.labels.tolist() == [0, 1, 1, 0]
    assert f"2 classes (by {labels}); left out: 2 other arrays (test_images, y_test)" in store.understood()


def test_options_say_which_arrays_are_meant(tmp_path):
    pictures = np.zeros((4, 8, 8), dtype=np.uint8)
    arrays = {"left": pictures, "right": pictures + 255, "kind": np.arange(4), "labels": np.zeros(4, dtype=int)}
    np.savez(tmp_path / "a.npz", **arrays)
    store = open_npz(tmp_path / "a.npz", options={"images": "right", "labels": "kind"})
    assert store.samples.min() == 255
    assert store.num_classes == 4
    assert open_npz(tmp_path / "a.npz", options={"images": "left", "labels": "none"}).labels is None
    for options in ({"images": "middle"}, {"images": "left", "labels": "kinds"}):
        with pytest.raises(UsageError, match="has kind, labels, left, right"):
            open_npz(tmp_path / "a.npz", options=options)
    with pytest.raises(UsageError, match="options are images, labels, range"):
        open_npz(tmp_path / "a.npz", options={"split": "train"})


def test_npz_without_a_known_name(tmp_path):
    np.savez(tmp_path / "a.npz", train=np.zeros((4, 2)), test=np.zeros((3, 2)))
    with pytest.raises(
        DataError, match=r"has test, train, and no name says which has the samples .*a\.npz\?images=train&labels=none"
    ):
        open_npz(tmp_path / "a.npz")


@pytest.mark.parametrize(
    "array",
    [np.zeros(5), np.zeros((1, 5)), np.array(["a", "b"]), np.zeros((2, 2), dtype=complex), np.zeros(2, dtype="i4,f4"),
     np.array([[1.0], [np.inf]]), np.array([[1.0], [1e300]]), np.zeros((2, 0))],
)  # fmt: skip
def test_arrays_that_hold_no_samples(save, array):
    with pytest.raises(DataError):
        open_npy(save("a.npy", npy(array)))


def test_nothing_is_unpickled(save):
    with pytest.raises(DataError, match="Python objects, which are pickled and never read"):
        open_npy(save("a.npy", npy(np.array([print, print], dtype=object))))


@pytest.mark.parametrize("dims", [(2**32 - 1,) * 3, (60_000, 28, 28), (0, 5, 5), (4, 5)])
def test_a_header_that_claims_what_the_file_does_not_hold(save, dims):
    content = struct.pack(f">HBB{len(dims)}I", 0, 8, len(dims), *dims) + b"\0" * 100
    for name, packed in (("a.idx", content), ("a.idx.gz", gzip.compress(content))):
        with pytest.raises(DataError, match=r"cannot read .*a\.idx"):
            open_idx(save(name, packed))


def test_a_truncated_file(save, rng):
    content = idx(rng.integers(0, 256, (50, 9, 9), dtype=np.uint8))
    for name, packed in (("a.idx", content), ("a.idx.gz", gzip.compress(content))):
        with pytest.raises(DataError, match="cannot read"):
            open_idx(save(name, packed[:-20]))


def test_an_npz_member_that_lies_about_its_size(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", npy(np.zeros((4, 2))))
    content = (tmp_path / "a.npz").read_bytes()
    central = content.rindex(b"PK\1\2")
    lie = content[: central + 24] + struct.pack("<I", 2**31) + content[central + 28 :]
    (tmp_path / "a.npz").write_bytes(lie)
    with pytest.raises(DataError, match="claims"):
        open_npz(tmp_path / "a.npz")


def test_a_missing_file(tmp_path):
    for opener in (open_idx, open_npy, open_npz):
        with pytest.raises(DataError, match="cannot read"):
            opener(tmp_path / "absent")


def survives(opener, path, content):
    """Any bytes are samples or an error of ours, and take no more memory than a few times their size."""
    path.write_bytes(content)
    tracemalloc.start()
    try:
        store = opener(path)
    except GanzooError:
        pass
    else:
        assert len(store) >= 2
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 20 * 2**20


any_bytes = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NUMBERS = st.sampled_from(["u1", "i1", "i2", "i4", "f4", "f8"])
DIMS = st.lists(st.one_of(st.integers(0, 5), st.integers(0, 2**32 - 1)), max_size=6)


@any_bytes
@given(code=st.one_of(st.sampled_from(list(CODES.values())), st.integers(0, 255)), dims=DIMS, rest=st.binary(max_size=300))
def test_any_idx(tmp_path, code, dims, rest):
    content = struct.pack(f">HBB{len(dims)}I", 0, code, len(dims), *dims) + rest
    survives(open_idx, tmp_path / "a.idx", content)
    survives(open_idx, tmp_path / "a.idx.gz", gzip.compress(content))


@any_bytes
@given(st.binary(max_size=200))
def test_any_bytes(tmp_path, content):
    survives(open_idx, tmp_path / "a.idx", content)
    survives(open_idx, tmp_path / "a.idx.gz", content)
    survives(open_npy, tmp_path / "a.npy", content)
    survives(open_npz, tmp_path / "a.npz", content)


SHAPES = st.lists(st.one_of(st.integers(-3, 6), st.integers(-(2**70), 2**70)), max_size=5).map(tuple)


@any_bytes
@given(kind=st.one_of(NUMBERS, st.sampled_from(["O", "V9", "U4", "M8[s]", "c8", "f2", "?"])), shape=SHAPES,
       order=st.booleans(), rest=st.binary(max_size=300))  # fmt: skip
def test_any_npy_header(tmp_path, kind, shape, order, rest):
    header = repr({"descr": kind, "fortran_order": order, "shape": shape}).encode() + b"\n"
    content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + rest
    survives(open_npy, tmp_path / "a.npy", content)
    with zipfile.ZipFile(tmp_path / "b.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", content)
    survives(open_npz, tmp_path / "b.npz", (tmp_path / "b.npz").read_bytes())


@any_bytes
@given(st.data())
def test_any_damage(tmp_path, data):
    content = io.BytesIO()
    np.savez_compressed(content, x=np.arange(40, dtype=np.uint8).reshape(2, 4, 5), y=np.arange(2))
    damaged = bytearray(content.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    survives(open_npz, tmp_path / "a.npz", bytes(damaged[: data.draw(st.integers(0, len(damaged)))]))
