import gzip
import hashlib
import json
import struct
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from torchvision.datasets import FashionMNIST

from ganzoo.data import fashion_mnist as module
from ganzoo.errors import DataError

needs_debian = pytest.mark.skipif(not module.DEBIAN.is_dir(), reason="needs Debian's dataset-fashion-mnist")


def test_the_shipped_pictures():
    store = module.fashion_mnist_10k()
    assert (store.name, len(store), store.sample_shape, store.num_classes) == ("fashion-mnist-10k", 10_000, (1, 28, 28), 10)
    assert store.class_names[store.labels[0]] == "Ankle boot"
    assert store.labels.bincount().tolist() == [1000] * 10
    json.dumps(store.describe())


def test_at_another_resolution():
    told = []
    store = module.fashion_mnist_10k(resolution=14, progress=lambda done, total: told.append((done, total)))
    assert store.sample_shape == (1, 14, 14)
    assert told[-1] == (10_000, 10_000)
    native = module.fashion_mnist_10k().samples.float()
    assert abs(store.samples.float().mean() - native.mean()) < 3


@needs_debian
def test_the_installed_pictures():
    store = module.fashion_mnist()
    assert (store.name, len(store), store.sample_shape, store.num_classes) == ("fashion-mnist", 60_000, (1, 28, 28), 10)
    assert store.labels.bincount().tolist() == [6000] * 10


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A server with five training pictures in place of torchvision's, and nothing installed or cached yet."""
    served = tmp_path / "served"
    served.mkdir()
    contents = {"train-images-idx3-ubyte.gz": idx(np.zeros((5, 28, 28))), "train-labels-idx1-ubyte.gz": idx(np.arange(5))}
    for name, content in contents.items():
        (served / name).write_bytes(content)
    checksums = [(name, hashlib.md5(content).hexdigest()) for name, content in contents.items()]
    monkeypatch.setattr(FashionMNIST, "resources", [*checksums, ("t10k-images-idx3-ubyte.gz", "not asked for")])
    monkeypatch.setattr(module, "DEBIAN", tmp_path / "absent")
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=served)) as server:
        monkeypatch.setattr(FashionMNIST, "mirrors", [f"http://127.0.0.1:{server.server_port}/"])
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield served
        server.shutdown()
        thread.join()


def idx(array):
    return gzip.compress(struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype("u1").tobytes())


def test_a_download_is_checked_and_kept(mirror):
    assert len(module.fashion_mnist()) == 5
    for file in mirror.iterdir():
        file.unlink()
    assert module.fashion_mnist().labels.tolist() == [0, 1, 2, 3, 4]


def test_a_damaged_download_is_refused_and_fetched_again(mirror):
    file = mirror / "train-images-idx3-ubyte.gz"
    whole = file.read_bytes()
    file.write_bytes(whole[:-9])
    with pytest.raises(DataError, match="corrupted"):
        module.fashion_mnist()
    file.write_bytes(whole)
    assert len(module.fashion_mnist()) == 5


def test_without_network_the_error_names_the_next_step(mirror):
    (mirror / "train-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DataError, match=r"--data fashion-mnist-10k.*apt install dataset-fashion-mnist"):
        module.fashion_mnist()
