import gzip
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch

from ganzoo.data import FORMS, fashion_mnist, open_data
from ganzoo.data.store import Store
from ganzoo.errors import DataError, PluginError, UnknownNameError, UsageError
from ganzoo.registry import Origin, Registrar, Registry


def with_datasets(**targets):
    registrar, registry = Registrar(Origin("someone", "1", "plugin")), Registry()
    for name, target in targets.items():
        registrar.add("dataset", name, target)
    registry.include(registrar.offered())
    return registry


def rows(*, resolution=None, progress=None):
    return Store("rows", torch.zeros(2, resolution or 3))


def test_a_registered_name(registry):
    assert len(open_data("fashion-mnist-10k", registry=registry)) == 10_000
    assert open_data("ganzoo:fashion-mnist-10k", registry=registry, resolution=8).sample_shape == (1, 8, 8)


def test_every_form_of_path(registry, paint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paint("photos/a.png")
    paint("photos/b.png")
    shutil.make_archive("photos", "zip", "photos")
    np.save("rows.npy", np.zeros((4, 3)))
    np.savez("rows.npz", np.zeros((4, 3)))
    packed = fashion_mnist._SHIPPED / "t10k-images-idx3-ubyte.gz"
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(gzip.decompress(packed.read_bytes()))
    for spec in ("photos", "./photos/", str(tmp_path / "photos"), "photos.zip", "./photos.zip"):
        assert open_data(spec, registry=registry, resolution=8).sample_shape == (3, 8, 8)
    for spec in ("rows.npy", "./rows.npz"):
        assert open_data(spec, registry=registry).sample_shape == (3,)
    assert open_data(str(packed), registry=registry).num_classes == 10
    assert open_data("t10k-images-idx3-ubyte", registry=registry).sample_shape == (1, 28, 28)


def test_options_follow_any_form(registry, paint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez("a.npz", train_images=np.zeros((4, 8, 8)), kind=np.arange(4))
    store = open_data("a.npz?images=train_images&labels=kind&range=0,1", registry=registry)
    assert (store.sample_shape, store.num_classes) == ((1, 8, 8), 4)
    for name in ("photos/cat/1.png", "photos/dog/2.png"):
        paint(name)
    assert open_data("photos?labels=none", registry=registry).labels is None
    with pytest.raises(UnknownNameError, match="takes none"):
        open_data("fashion-mnist-10k?labels=none", registry=registry)
    with pytest.raises(DataError, match=r"no such file or folder: b\.npz"):
        open_data("b.npz?labels=none", registry=registry)


def test_a_tilde_is_the_users_folder_wherever_a_path_may_be(registry, paint, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("photos/a/1.png", "photos/b/2.png"):
        paint(name)
    np.save(tmp_path / "a.npy", np.zeros((4, 8, 8)))
    assert len(open_data("~/photos", registry=registry)) == 2
    assert len(open_data("~/photos?labels=none", registry=registry)) == 2
    assert open_data("~/a.npy?range=0,1", registry=registry).modality.name == "pictures"
    assert len(open_data("torch/image_folder?root=~/photos", registry=registry)) == 2
    with pytest.raises(DataError, match="no such file or folder: ~nobody-at-all/photos"):
        open_data("~nobody-at-all/photos", registry=registry)


def test_a_timm_name(registry, paint, tmp_path):
    paint("a/1.png")
    paint("b/2.png")
    assert open_data(f"torch/image_folder?root={tmp_path}", registry=registry).class_names == ("a", "b")


def test_a_name_is_the_dataset_and_a_path_the_file(paint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    registry = with_datasets(rows=rows)
    paint("rows/1.png")
    paint("rows/2.png")
    paint("torch/cifar10/1.png")
    paint("torch/cifar10/2.png")
    assert open_data("rows", registry=registry).modality.name == "array"
    assert open_data("./rows", registry=registry).modality.name == "pictures"
    assert open_data("torch/cifar10", registry=registry).name == "cifar10"


def test_a_component_by_reference():
    assert open_data("ganzoo.data.fashion_mnist:fashion_mnist_10k", registry=Registry()).name == "fashion-mnist-10k"


def test_a_dataset_that_gives_no_store():
    with pytest.raises(PluginError, match="returned list"):
        open_data("bad", registry=with_datasets(bad=lambda **_: []))


def test_an_unknown_name_gets_the_nearest_and_the_forms(registry):
    with pytest.raises(UnknownNameError, match=r"did you mean fashion-mnist.*a folder, a \.zip"):
        open_data("fashion_mnist", registry=registry)


@pytest.mark.parametrize("spec", ["./absent", "absent/deep", "absent.zip", "absent.tar"])
def test_a_path_that_is_not_there(registry, spec):
    with pytest.raises(DataError, match="no such file or folder"):
        open_data(spec, registry=registry)


def test_a_file_of_no_kind(registry, tmp_path):
    (tmp_path / "notes.md").write_text("-")
    with pytest.raises(DataError, match=r"no kind of data.*takes a dataset's name, a folder"):
        open_data(str(tmp_path / "notes.md"), registry=registry)


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.zip", "a-idx3-ubyte", "a.csv"])
def test_an_empty_file_is_called_one(registry, tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(DataError, match=rf"{name} is an empty file"):
        open_data(str(tmp_path / name), registry=registry)


@pytest.mark.parametrize("resolution", [0, -1, 4097, 2.0, True, "64"])
def test_a_resolution_that_none_can_have(resolution):
    with pytest.raises(UsageError, match="from 1 to 2048"):
        open_data("rows", registry=with_datasets(rows=rows), resolution=resolution)


def test_an_empty_name(registry):
    with pytest.raises(UsageError, match="empty"):
        open_data(" ", registry=registry)


def test_the_forms_are_shown_without_torch():
    code = "import sys, ganzoo.data; print(len(ganzoo.data.FORMS)); sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) == len(FORMS)
