"""The judge that the project lives by: is it any good?"""

import pytest

from evaluation import degradations
from ganzoo.data.fashion_mnist import fashion_mnist_10k
from ganzoo.evaluation.fashion_mnist_cnn import FashionMNISTExtractor

pytest.importorskip("torch_fidelity", reason="needs the package torch-fidelity")


@pytest.fixture(scope="module")
def judge():
    return FashionMNISTExtractor().eval()


@pytest.fixture(scope="module")
def scores(judge):
    return degradations.scores_of_damaged(judge, fashion_mnist_10k())


@pytest.mark.slow
def test_it_knows_clothes(judge):
    assert degradations.knows(judge, fashion_mnist_10k()) >= 0.92


@pytest.mark.slow
def test_real_pictures_are_the_floor(scores):
    degradations.assert_real_is_the_floor(scores)


@pytest.mark.slow
def test_worse_is_ranked_worse(scores):
    degradations.assert_worse_is_ranked_worse(scores)


@pytest.mark.slow
def test_what_is_missing_shows_in_recall_and_coverage(scores):
    degradations.assert_what_is_missing_shows(scores)
