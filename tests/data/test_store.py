import json

import pytest
import torch

from ganzoo.data.reading import LeftOut, Reading
from ganzoo.data.store import Store, slug
from ganzoo.errors import DataError

PICTURES = torch.arange(4 * 3 * 2 * 2).reshape(4, 3, 2, 2).to(torch.uint8)


def test_a_batch_of_pictures_is_in_minus_one_to_one():
    pictures = torch.tensor([0, 255]).to(torch.uint8).reshape(2, 1, 1, 1)
    samples, labels = Store("x", pictures).batch(torch.tensor([1, 0, 1]))
    assert samples.dtype == torch.float32
    assert samples.flatten().tolist() == [1, -1, 1]
    assert labels is None


def test_a_batch_of_anything_else_is_as_it_is():
    rows = torch.randn(5, 7)
    store = Store("x", rows, torch.arange(5))
    samples, labels = store.batch(torch.tensor([4, 0]))
    assert torch.equal(samples, rows[[4, 0]])
    assert labels.tolist() == [4, 0]
    assert (store.sample_shape, store.modality.name, len(store)) == ((7,), "array", 5)


def test_a_batch_leaves_the_store_alone():
    store = Store("x", PICTURES.clone())
    store.batch(torch.arange(4))
    assert torch.equal(store.samples, PICTURES)


def test_num_classes():
    labels = torch.tensor([0, 2, 0, 1])
    assert Store("x", PICTURES).num_classes == 0
    assert Store("x", PICTURES, labels).num_classes == 3
    assert Store("x", PICTURES, labels, ("a", "b", "c", "d")).num_classes == 4


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        (torch.zeros(1, 1, 2, 2, dtype=torch.uint8), "at least two"),
        (torch.tensor(1.0), "at least two"),
        (torch.zeros(5), "is of single numbers"),
        (torch.zeros(5, 0), "is empty"),
        (torch.zeros(5, 2, dtype=torch.float64), "float64"),
        (torch.zeros(5, 2, dtype=torch.uint8), "pictures of shape"),
        (torch.zeros(5, 4, 2, 2, dtype=torch.uint8), "pictures of shape"),
        (torch.tensor([[1.0], [float("nan")]]), "not finite"),
        (torch.tensor([[1.0], [float("-inf")]]), "not finite"),
    ],
)
def test_unusable_samples(samples, said):
    with pytest.raises(DataError, match=said):
        Store("x", samples)


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (torch.zeros(3, dtype=torch.int64), ()),
        (torch.zeros(4), ()),
        (torch.tensor([0, 0, 0, -1]), ()),
        (torch.tensor([0, 0, 0, 10**9]), ()),
        (torch.tensor([0, 1, 2, 0]), ("a", "b")),
    ],
)
def test_unusable_labels(labels, names):
    with pytest.raises(DataError, match="labels"):
        Store("x", PICTURES, labels, names)


def test_describe_is_json_and_tells_samples_apart():
    store = Store("x", PICTURES, torch.zeros(4, dtype=torch.int64), ("a",), Reading(left_out=(LeftOut(1, "damaged"),)))
    described = json.loads(json.dumps(store.describe()))
    digest = described.pop("sha256")
    assert described == {
        "name": "x",
        "count": 4,
        "sample_shape": [3, 2, 2],
        "dtype": "uint8",
        "num_classes": 1,
        "class_names": ["a"],
        "skipped": 1,
    }
    assert digest == Store("y", PICTURES.clone(), store.labels).describe()["sha256"]
    assert digest != Store("y", PICTURES + 1, store.labels).describe()["sha256"]
    assert digest != Store("y", PICTURES, store.labels + 1).describe()["sha256"]


def test_describe_does_not_depend_on_strides():
    turned = PICTURES.contiguous(memory_format=torch.channels_last)
    assert Store("x", turned).describe() == Store("x", PICTURES).describe()


def test_to_moves_everything():
    moved = Store("x", PICTURES, torch.zeros(4, dtype=torch.int64), ("a",)).to("cpu")
    assert moved.describe()["count"] == 4
    assert moved.class_names == ("a",)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_device_a_batch_is_the_same():
    store = Store("x", PICTURES, torch.arange(4))
    moved = store.to("cuda")
    samples, labels = moved.batch(torch.tensor([3, 1]))
    assert samples.device.type == labels.device.type == "cuda"
    assert torch.allclose(samples.cpu(), store.batch(torch.tensor([3, 1]))[0])
    assert moved.describe() == store.describe()


@pytest.mark.parametrize(("text", "name"), [("My Photos (2)", "my-photos-2"), ("fotos_été", "fotos-t"), ("…", "data")])
def test_slug(text, name):
    assert slug(text) == name
    assert len(slug("a-" * 100)) <= 60
