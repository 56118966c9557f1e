import math

import pytest
import torch

from ganzoo.errors import UsageError
from ganzoo.evaluation.by_features import measure_features
from ganzoo.evaluation.distances import class_distance, copying, density_coverage, frechet, kid, nearest, precision_recall

pytest.importorskip("torch_fidelity", reason="needs the package torch-fidelity")


def normal(count, features, seed, scale=1.0, shift=0.0):
    return torch.randn(count, features, generator=torch.Generator().manual_seed(seed)) * scale + shift


def test_the_frechet_distance_of_gaussians_is_known():
    """Of N(0, 1) and N(m, s²) in F dimensions: F·m² + F·(1 - s)²."""
    a, b = normal(100_000, 4, 0), normal(100_000, 4, 1, scale=2.0, shift=0.5)
    assert frechet(a, b) == pytest.approx(4 * 0.25 + 4 * 1.0, rel=0.02)
    assert frechet(a, a) == pytest.approx(0, abs=1e-6)
    assert frechet(a, b) == pytest.approx(frechet(b, a), rel=1e-9)


def test_too_few_samples_for_a_covariance_are_refused_with_advice():
    with pytest.raises(UsageError, match=r"9 samples are too few.*10.*--measures kid"):
        frechet(normal(9, 5, 0), normal(100, 5, 1))


def test_the_kernel_distance_is_unbiased():
    near = [kid(normal(500, 8, i), normal(500, 8, i + 50))[0] for i in range(10)]
    assert abs(sum(near) / 10) < 0.02
    assert kid(normal(500, 8, 0), normal(500, 8, 1, shift=1.0))[0] > 0.5


def test_precision_misses_what_is_odd_and_recall_what_is_missing():
    real = normal(1000, 4, 0)
    odd = torch.cat([normal(500, 4, 1), normal(500, 4, 2, shift=20)])
    narrow = normal(1000, 4, 1, scale=0.2)
    assert precision_recall(odd, real)[0] == pytest.approx(0.5, abs=0.06)
    assert precision_recall(narrow, real)[1] < 0.2
    assert precision_recall(narrow, real)[0] > 0.9


def test_density_and_coverage_by_hand():
    """On a line, with one neighbour: balls of radius 1 around 0, 1 and 2, of radius 3 around 5."""
    real = torch.tensor([[0.0], [1.0], [2.0], [5.0]])
    fake = torch.tensor([[0.5], [4.0]])
    # 0.5 is in the balls of 0 and of 1; 4 is in that of 5.
    assert density_coverage(fake, real, neighbours=1) == (3 / 2, 3 / 4)


def test_coverage_of_real_by_real_is_high_and_of_copies_low():
    real = normal(1000, 4, 0)
    assert density_coverage(normal(1000, 4, 1), real)[1] > 0.9
    assert density_coverage(real[:20].repeat(50, 1), real)[1] < 0.5


def test_histograms_of_classes():
    assert class_distance(torch.tensor([0, 1]), torch.tensor([0, 1, 1, 0])) == 0
    assert class_distance(torch.tensor([0, 0]), torch.tensor([1, 1])) == 1
    assert math.isclose(class_distance(torch.tensor([0, 0, 0, 1]), torch.tensor([0, 1])), 0.25)


def test_the_nearest_are_found_across_the_chunks():
    among = torch.arange(2500.0).unsqueeze(1)
    distances, rows = nearest(torch.tensor([[0.2], [2400.4]]).repeat(600, 1), among, 2)
    assert rows[:2].tolist() == [[0, 1], [2400, 2401]]
    assert distances[0].tolist() == pytest.approx([0.2, 0.8])
    assert torch.equal(rows[::2], rows[:1].expand(600, 2))


def test_copies_are_nearer_to_the_training_data_than_new_data_is():
    train, held_out = normal(2000, 8, 0), normal(500, 8, 1)
    assert copying(train[:300], held_out, train) == 1
    assert copying(normal(500, 8, 2), held_out, train) == pytest.approx(0.5, abs=0.06)
    assert copying(normal(500, 8, 2, shift=5), held_out, train) < 0.01
    assert copying(held_out, held_out, train) == 0.5, "ties count half"


def test_only_what_is_asked_for_is_measured():
    a, b = normal(20, 30, 0), normal(20, 30, 1)
    assert measure_features(a, b, ["kid"]).keys() == {"kid", "kid_std"}
    with pytest.raises(UsageError, match="--measures kid"):
        measure_features(a, b)
    with pytest.raises(UsageError, match="3 neighbours"):
        measure_features(a[:3], b, ["precision"])
