import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ganzoo.data.order import Order, permutation

COUNTS = st.integers(1, 50)
SEEDS = st.integers(0, 2**64)


@given(COUNTS, SEEDS, st.integers(0, 20))
def test_every_epoch_shows_every_sample_once(count, seed, epoch):
    assert sorted(Order(count, seed).indices(epoch * count, count).tolist()) == list(range(count))


@given(COUNTS, SEEDS, st.integers(0, 300), st.lists(st.integers(0, 70), max_size=6))
def test_batches_are_cut_from_one_stream(count, seed, start, sizes):
    stream = Order(count, seed).indices(start, sum(sizes))
    order = Order(count, seed)
    parts = []
    for size in sizes:
        parts.append(order.indices(start, size))
        start += size
    assert torch.equal(torch.cat([*parts, stream[:0]]), stream)


@given(COUNTS, SEEDS, st.lists(st.tuples(st.integers(0, 500), st.integers(0, 30)), max_size=8))
def test_what_was_asked_before_does_not_matter(count, seed, asked):
    used = Order(count, seed)
    for start, size in asked:
        assert torch.equal(used.indices(start, size), Order(count, seed).indices(start, size))


def test_seeds_and_epochs_differ():
    orders = {tuple(permutation(20, seed, epoch).tolist()) for seed in range(10) for epoch in range(10)}
    assert len(orders) == 100


def test_it_is_the_same_forever():
    """A run resumed on another machine or with another release goes on with the same samples."""
    assert Order(10, 0).indices(0, 20).tolist() == [
        1,
        9,
        6,
        8,
        2,
        4,
        7,
        5,
        3,
        0,
        8,
        1,
        7,
        9,
        6,
        5,
        3,
        4,
        2,
        0,
    ]


def test_wrong_arguments():
    with pytest.raises(ValueError, match="0 samples"):
        Order(0, 0)
    with pytest.raises(ValueError, match="positions"):
        Order(3, 0).indices(-1, 2)
