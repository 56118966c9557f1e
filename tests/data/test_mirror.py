import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFont

from ganzoo.data.fashion_mnist import fashion_mnist_10k
from ganzoo.data.mirror import FEWEST, looks_the_same_mirrored, mirrored
from ganzoo.data.store import Store


def shapes(count, *, one_sided, seed=0):
    """Colour pictures of a bright patch anywhere; if ``one_sided``, on the left in three of four."""
    rng = torch.Generator().manual_seed(seed)
    pictures = torch.randint(0, 60, (count, 3, 24, 24), generator=rng, dtype=torch.uint8)
    for index in range(count):
        row, column = torch.randint(0, 17, (2,), generator=rng).tolist()
        if one_sided and index % 4:
            column //= 2
        pictures[index, :, row : row + 8, column : column + 8] += 150
    return Store("shapes", pictures)


def test_those_that_are_turned_are_turned():
    pictures = torch.arange(24.0).view(2, 1, 3, 4)
    out = mirrored(pictures, torch.tensor([False, True]))
    assert torch.equal(out[0], pictures[0])
    assert torch.equal(out[1], pictures[1].flip(2))


def letters(text, count=2000):
    """Letters in any colour on any ground, anywhere: none of them bright on the left, say."""
    rng, font, pictures = np.random.default_rng(0), ImageFont.load_default(24), []
    for index in range(count):
        ground, ink = (tuple(rng.integers(0, 256, 3).tolist()) for _ in range(2))
        picture = Image.new("RGB", (32, 32), ground)
        draw = ImageDraw.Draw(picture)
        draw.text((16 + rng.integers(-4, 5), 16 + rng.integers(-4, 5)), text[index % len(text)], ink, font, anchor="mm")
        pictures.append(np.asarray(picture).transpose(2, 0, 1))
    return Store("letters", torch.from_numpy(np.stack(pictures)))


def test_pictures_without_a_side_may_be_mirrored():
    assert looks_the_same_mirrored(shapes(2000, one_sided=False))


def test_pictures_with_a_side_may_not():
    assert not looks_the_same_mirrored(shapes(2000, one_sided=True))


def test_clothes_may_not():
    """Shoes point to one side, and little else does."""
    assert not looks_the_same_mirrored(fashion_mnist_10k())


def test_clothes_of_which_half_are_negatives_may_not():
    clothes = fashion_mnist_10k().samples.clone()
    clothes[::2] = 255 - clothes[::2]
    assert not looks_the_same_mirrored(Store("negatives", clothes))


@pytest.mark.parametrize("text", ["7", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"])
def test_letters_may_not(text):
    assert not looks_the_same_mirrored(letters(text))


def test_letters_that_are_the_same_mirrored_may():
    assert looks_the_same_mirrored(letters("AHIMOTUVWXY"))


def test_classes_that_are_each_others_mirror_image_may_not():
    clothes = fashion_mnist_10k()
    assert clothes.labels is not None
    left = clothes.samples[clothes.labels == 7]
    both, classes = torch.cat([left, left.flip(3)]), torch.arange(2 * len(left)) // len(left)
    assert looks_the_same_mirrored(Store("shoes", both))
    assert not looks_the_same_mirrored(Store("left and right shoes", both, classes, ("left", "right")))


def test_one_class_of_ten_that_has_a_side_is_enough():
    plain, written = shapes(3600, one_sided=False), shapes(400, one_sided=True)
    pictures, classes = torch.cat([plain.samples, written.samples]), torch.arange(4000) // 400
    assert not looks_the_same_mirrored(Store("signs among others", pictures, classes))


def test_pictures_that_are_blank_say_nothing():
    clothes = fashion_mnist_10k()
    shoes = clothes.samples[clothes.labels == 7]
    blank = torch.zeros_like(shoes)
    assert not looks_the_same_mirrored(Store("shoes and nothing", torch.cat([shoes, blank])))


def test_the_answer_is_always_the_same():
    store = shapes(1000, one_sided=False, seed=3)
    assert len({looks_the_same_mirrored(store) for _ in range(3)}) == 1


@pytest.mark.parametrize(
    "store", [shapes(FEWEST - 1, one_sided=False), Store("rows", torch.randn(1000, 3, 8, 8))], ids=["too few", "no pictures"]
)
def test_where_nothing_can_be_told_they_stay_as_they_are(store):
    assert not looks_the_same_mirrored(store)


def test_large_pictures_are_asked_about_as_small_ones_are():
    small = shapes(2000, one_sided=False).samples[:600]
    for pictures, same in ((small, False), (torch.cat([small, small.flip(3)]), True)):
        large = pictures.repeat_interleave(8, 2).repeat_interleave(8, 3)
        assert looks_the_same_mirrored(Store("large", large)) is looks_the_same_mirrored(Store("small", pictures)) is same
