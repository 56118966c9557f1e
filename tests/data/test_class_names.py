"""An array of samples that were drawn by class is data with these classes."""

import numpy as np
import pytest
import torch

from ganzoo.data.arrays import open_npz
from ganzoo.modalities.base import Batch, Samples
from ganzoo.modalities.pictures import Pictures
from ganzoo.sampling import write_array

PICTURES = np.random.default_rng(0).integers(0, 256, (4, 8, 8), dtype=np.uint8)


def test_what_sample_writes_has_its_classes_when_it_is_read(tmp_path):
    path, names = tmp_path / "drawn.npz", ("cat", "dog, large", "never drawn")
    made = torch.linspace(-1, 1, 4 * 64).reshape(4, 1, 8, 8)
    labels = [0, 1, 1, 0]
    samples = Samples(4, lambda start, stop: Batch(made[start:stop], (), labels[start:stop]), class_names=names, at_once=3)
    write_array(path, samples, Pictures(sample_shape=(1, 8, 8)))
    store = open_npz(path)
    assert store.labels.tolist() == labels
    assert (store.class_names, store.num_classes) == (names, 3)
    assert "left out" not in store.understood()
    assert open_npz(path, options={"labels": "none"}).class_names == ()


@pytest.mark.parametrize(
    "names", [["cat"], [["cat", "dog"]], [1, 2], np.array([b"cat", b"dog"]), np.array(["cat", "dog"], object)], ids=str
)
def test_names_that_are_not_those_of_the_labels_are_left_out_with_a_word(tmp_path, names):
    np.savez(tmp_path / "a.npz", images=PICTURES, labels=[0, 1, 1, 0], class_names=names)
    store = open_npz(tmp_path / "a.npz")
    assert (store.class_names, store.num_classes) == ((), 2)
    assert "class_names" in store.understood()


def test_names_of_one_hot_labels_are_one_for_each_column(tmp_path):
    names = np.array(["cat", "dog", "never seen"])
    for form in (np.uint8, np.float32):
        one_hot = np.eye(3, dtype=form)[[0, 1, 1, 0]]
        np.savez(tmp_path / "a.npz", images=PICTURES, labels=one_hot, class_names=names)
        store = open_npz(tmp_path / "a.npz")
        assert (store.class_names, store.num_classes) == (tuple(names), 3)
        np.savez(tmp_path / "a.npz", images=PICTURES, labels=one_hot, class_names=names[:2])
        assert open_npz(tmp_path / "a.npz").class_names == ()
