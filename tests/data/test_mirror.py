import pytest
import torch

from ganzoo.data.fashion_mnist import fashion_mnist_10k
from ganzoo.data.mirror import FEWEST, looks_the_same_mirrored, mirrored
from ganzoo.data.store import Store


def shapes(count, *, one_sided, seed=0):
    """Colour pictures of a bright patch anywhere; if ``one_sided``, on the left in three of four."""
    rng = torch.Generator().manual_seed(seed)
    pictures = torch.randint(0, 60, (count, 3, 24, 24), generator=rng, dtype=torch.uint8)
    for index in range(count):
        row, column = torch.randint(0, 16, (2,), generator=rng).tolist()
        if one_sided and index % 4:
            column //= 2
        pictures[index, :, row : row + 8, column : column + 8] += 150
    return Store("shapes", pictures)


def test_those_that_are_turned_are_turned():
    pictures = torch.arange(24.0).view(2, 1, 3, 4)
    out = mirrored(pictures, torch.tensor([False, True]))
    assert torch.equal(out[0], pictures[0])
    assert torch.equal(out[1], pictures[1].flip(2))


def test_pictures_without_a_side_may_be_mirrored():
    assert looks_the_same_mirrored(shapes(600, one_sided=False))


def test_pictures_with_a_side_may_not():
    assert not looks_the_same_mirrored(shapes(600, one_sided=True))


def test_clothes_may_not():
    """Shoes point to one side, and little else does."""
    assert not looks_the_same_mirrored(fashion_mnist_10k())


def test_the_answer_is_always_the_same():
    store = shapes(500, one_sided=False, seed=3)
    assert len({looks_the_same_mirrored(store) for _ in range(3)}) == 1


@pytest.mark.parametrize(
    "store", [shapes(FEWEST - 1, one_sided=False), Store("rows", torch.randn(500, 3, 8, 8))], ids=["too few", "no pictures"]
)
def test_where_nothing_can_be_told_they_stay_as_they_are(store):
    assert not looks_the_same_mirrored(store)
