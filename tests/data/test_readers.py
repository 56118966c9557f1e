import gzip
import sys

import numpy as np
import pytest
import torch

from ganzoo.data import fashion_mnist
from ganzoo.data.readers import open_reader
from ganzoo.errors import DataError, UsageError


def test_a_torchvision_dataset(tmp_path):
    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    shipped = fashion_mnist._SHIPPED
    for kind in ("images-idx3", "labels-idx1"):
        content = gzip.decompress((shipped / f"t10k-{kind}-ubyte.gz").read_bytes())
        for part in ("t10k", "train"):  # torchvision asks for both
            (raw / f"{part}-{kind}-ubyte").write_bytes(content)
    told = []
    store = open_reader(f"torch/fashion_mnist?split=test&root={tmp_path}", progress=lambda *x: told.append(x))
    ours = fashion_mnist.fashion_mnist_10k()
    assert store.name == "fashion-mnist-test"
    assert torch.equal(store.samples, ours.samples)
    assert torch.equal(store.labels, ours.labels)
    assert store.class_names == ours.class_names
    assert told[-1] == (10_000, 10_000)
    words = (
        "fashion-mnist-test: 10,000 pictures of 28x28, as they are, in grey; 10 classes: T-shirt/top, Trouser, Pullover, Dress"
    )
    assert store.understood().startswith(words)


def test_a_folder_as_torchvision_reads_it(paint, tmp_path):
    written = [paint(f"faces/train/{c}/{i}.png", size=(12, 12)) for c in "ab" for i in range(3)]
    paint("faces/val/c/1.png")
    store = open_reader(f"torch/image_folder?root={tmp_path}/faces")
    assert store.name == "faces"
    assert np.array_equal(store.samples.permute(0, 2, 3, 1), np.stack(written))
    assert store.class_names == ("a", "b")
    assert store.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert open_reader(f"torch/image_folder?root={tmp_path}/faces", resolution=7).sample_shape == (3, 7, 7)


@pytest.mark.parametrize("damaged", ["1", "2", "3"])
def test_an_unreadable_sample_is_skipped(paint, tmp_path, damaged):
    for name in ("a/1.png", "a/2.png", "a/3.png"):
        paint(name)
    (tmp_path / "a" / f"{damaged}.png").write_bytes(b"?")
    store = open_reader(f"torch/image_folder?root={tmp_path}")
    assert len(store) == 2
    assert store.reading.skipped == 1


def test_a_hugging_face_dataset(paint, tmp_path, monkeypatch):
    pytest.importorskip("datasets", reason="needs the package datasets")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    for prefix, name in (("hfds", "labelled/a"), ("hfds", "labelled/b"), ("hfds", "plain")):
        paint(f"{name}/{prefix}1.png", size=(12, 12), mode="L")
        paint(f"{name}/{prefix}2.png", size=(12, 12), mode="L")
    labelled = open_reader(f"hfds/{tmp_path}/labelled?root={tmp_path}/cache")
    assert (labelled.sample_shape, labelled.class_names) == ((1, 12, 12), ("a", "b"))
    assert open_reader(f"hfds/{tmp_path}/plain?root={tmp_path}/cache").labels is None


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("torch/image_folder", "needs the folder"),
        ("torch/cifar10?spilt=test", "did you mean split"),
        ("torch/cifar10?download=1", "options are split, root"),
    ],
)
def test_wrong_requests(spec, said):
    with pytest.raises(UsageError, match=said):
        open_reader(spec)


def test_an_unknown_name():
    with pytest.raises(DataError, match=r"torch/nonsense.*Unknown torchvision dataset"):
        open_reader("torch/nonsense")


@pytest.mark.parametrize("prefix", ["tfds", "wds", "hfds"])
def test_what_is_missing_is_named(tmp_path, prefix):
    with pytest.raises(DataError, match=rf"(pip install|cannot read {prefix}/)"):
        open_reader(f"{prefix}/./no/such/dataset?root={tmp_path}")


@pytest.mark.parametrize(
    ("spec", "module", "command"),
    [
        ("hfds/some/pictures", "datasets", "pip install 'datasets>=3'"),
        ("wds/pictures?root=.", "webdataset", "pip install 'webdataset>=0.2.86'"),
        ("tfds/mnist", "tensorflow_datasets", "pip install tensorflow-datasets"),
    ],
)
def test_a_package_that_is_missing_is_named_with_its_bounds(monkeypatch, spec, module, command):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(DataError) as found:
        open_reader(spec)
    assert found.value.hint == f"try: {command}"


def test_without_network(tmp_path, monkeypatch):
    for scheme in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(scheme, "http://127.0.0.1:9")
    with pytest.raises(DataError, match=r"cannot read torch/kmnist.*network"):
        open_reader(f"torch/kmnist?root={tmp_path}")
