"""The judge that the project lives by: is it any good?"""

import pytest
import torch
from torch.nn.functional import avg_pool2d, pad

from ganzoo.data.fashion_mnist import fashion_mnist_10k
from ganzoo.evaluation.fashion_mnist_cnn import FashionMNISTExtractor
from ganzoo.evaluation.features import features_of
from ganzoo.evaluation.measures import measure

pytest.importorskip("torch_fidelity", reason="needs the package torch-fidelity")

COUNT = 2000


@pytest.fixture(scope="module")
def judge():
    return FashionMNISTExtractor().eval()


@pytest.fixture(scope="module")
def pictures():
    """Test pictures twice, no picture in both, with the classes of the first."""
    chosen = torch.randperm(10_000, generator=torch.Generator().manual_seed(0))[: 2 * COUNT]
    samples, labels = fashion_mnist_10k().batch(chosen)
    return samples[:COUNT], samples[COUNT:], labels[:COUNT]


def features(judge, samples):
    return features_of(judge, lambda start, stop: samples[start:stop], len(samples))


@pytest.mark.slow
def test_it_knows_clothes(judge):
    samples, labels = fashion_mnist_10k().batch(torch.arange(0, 10_000, 4))
    assert (judge.classes(features(judge, samples)) == labels).float().mean() >= 0.92


@pytest.fixture(scope="module")
def scores(judge, pictures):
    """Of what has been done to real pictures, against other real ones."""
    first, second, labels = pictures
    rng = torch.Generator().manual_seed(1)
    noise = torch.randn(first.shape, generator=rng)
    damaged = {
        "real": first,
        "little noise": (first + 0.1 * noise).clamp(-1, 1),
        "much noise": (first + 0.4 * noise).clamp(-1, 1),
        "blurred": avg_pool2d(pad(first, (1, 1, 1, 1), value=-1.0), 3, 1),
        "shifted": torch.roll(first, 4, dims=3),
        "half the classes": first[labels < 5].repeat(3, 1, 1, 1)[:COUNT],
        "one class": first[labels == 1].repeat(20, 1, 1, 1)[:COUNT],
        "100 pictures": first[:100].repeat(20, 1, 1, 1),
        "static": noise.clamp(-1, 1),
    }
    reference = features(judge, second)
    return {name: measure(features(judge, samples), reference) for name, samples in damaged.items()}


@pytest.mark.slow
def test_real_pictures_are_the_floor(scores):
    for measure_ in ("fd", "kid"):
        real = scores["real"][measure_]
        assert all(real < other[measure_] for name, other in scores.items() if name != "real"), measure_
    assert scores["real"]["coverage"] > 0.9
    assert scores["real"]["precision"] > 0.8
    assert abs(scores["real"]["kid"]) < 0.02


@pytest.mark.slow
def test_worse_is_ranked_worse(scores):
    fd = {name: values["fd"] for name, values in scores.items()}
    assert fd["real"] < fd["little noise"] < fd["much noise"] < fd["static"]
    assert fd["half the classes"] < fd["one class"]
    assert fd["real"] < fd["100 pictures"]
    assert fd["real"] * 5 < fd["blurred"] < fd["static"]
    assert fd["real"] * 2 < fd["shifted"] < fd["static"]


@pytest.mark.slow
def test_what_is_missing_shows_in_recall_and_coverage(scores):
    for name in ("half the classes", "one class", "100 pictures"):
        assert scores[name]["coverage"] < 0.7 * scores["real"]["coverage"], name
        assert scores[name]["precision"] > 0.7, name
    assert scores["static"]["coverage"] < 0.05
