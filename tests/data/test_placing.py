"""Data that is too large for a GPU trains from main memory. Where there is no GPU, ``meta``, which has no values, is one."""

from dataclasses import replace

import pytest
import torch

import ganzoo
from ganzoo.data.memory import fits_on_device, free_on
from ganzoo.data.placing import place
from ganzoo.data.store import Store
from ganzoo.training import prepare
from ganzoo.training.watcher import Watcher

GIB = 2**30
OTHER = torch.device("meta")


@pytest.fixture
def store():
    return Store("faces", torch.arange(4 * 3 * 2 * 2).reshape(4, 3, 2, 2).to(torch.uint8), torch.arange(4))


@pytest.mark.parametrize(
    ("size", "free", "fits"),
    [
        (47_040_000, 8 * GIB, True),  # Fashion-MNIST on a small GPU
        (70_000 * 3 * 256 * 256, 80 * GIB, True),  # FFHQ at 256 on a large one
        (70_000 * 3 * 256 * 256, 24 * GIB, False),
        (70_000 * 3 * 1024 * 1024, 80 * GIB, False),
        (3 * GIB, 6 * GIB, True),
        (3 * GIB + 1, 6 * GIB, False),
        (1, 0, False),
        (10**15, float("inf"), True),
    ],
)
def test_data_may_take_half_of_what_is_free(size, free, fits):
    assert fits_on_device(size, free) is fits


def test_main_memory_is_asked_elsewhere():
    assert free_on(torch.device("cpu")) == float("inf")


def test_data_for_which_there_is_room_goes_to_the_device(store):
    placed, told = place(replace(store, labels=None), OTHER, free=2 * store.samples.nbytes)
    assert (placed.samples.device, placed.device, told) == (OTHER, OTHER, "")


def test_data_for_which_there_is_none_stays_and_its_batches_go_there(store):
    placed, told = place(store, OTHER, free=2 * store.samples.nbytes)  # and not for the labels
    assert (placed.samples.device.type, placed.labels.device.type) == ("cpu", "cpu")
    samples, labels = placed.batch(torch.tensor([3, 1]))
    assert (samples.device, labels.device) == (OTHER, OTHER)
    assert (samples.shape, samples.dtype, labels.dtype) == ((2, 3, 2, 2), torch.float32, torch.int64)
    assert placed.describe() == store.describe()
    assert told.startswith("faces stays in main memory, from which each batch goes to meta: there is no room for its 0.0 GiB")
    reals, _ = placed.feed(seed=0).batch(0, 3)
    assert reals.device == OTHER


def test_data_that_is_there_already_needs_no_room(store):
    placed, told = place(store, torch.device("cpu"), free=0)
    assert told == ""
    assert torch.equal(placed.batch(torch.arange(4))[0], store.batch(torch.arange(4))[0])


class Listening(Watcher):
    def __init__(self):
        self.heard = []

    def noticed(self, text):
        self.heard.append(text)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_run_whose_data_stays_in_main_memory_is_the_same_run(tmp_path, monkeypatch):
    options = {"generator.hidden": [8], "discriminator.hidden": [8], "batch_size": 16}
    made = []
    for free in (float("inf"), 1.0):
        monkeypatch.setattr(prepare, "free_on", lambda device, free=free: free)
        watcher = Listening()
        run = ganzoo.train(
            "mlp", options=options, images=160, device="cuda", precision="fp32", out=tmp_path / str(free), watcher=watcher
        )
        assert any("stays in main memory" in text for text in watcher.heard) == (free == 1.0)
        made.append(ganzoo.load(run.folder).sample(range(3)))
    assert torch.equal(*made)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_device_says_what_is_free():
    assert 0 < free_on(torch.device("cuda")) < 2**50
