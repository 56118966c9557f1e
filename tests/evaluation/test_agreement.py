"""On the features of the shipped judge, the scores here are those that torch-fidelity computes from pictures on its own."""

import numpy as np
import pytest
import torch

from ganzoo.data.fashion_mnist import fashion_mnist_10k
from ganzoo.evaluation.evaluate import evaluate
from ganzoo.evaluation.fashion_mnist_cnn import FashionMNISTExtractor

fidelity = pytest.importorskip("torch_fidelity", reason="needs the package torch-fidelity")


class Judge(fidelity.FeatureExtractorBase):
    """The shipped judge as torch-fidelity's registry wants it."""

    def __init__(self, name, features_list, **_):
        super().__init__(name, features_list)
        self.judge = FashionMNISTExtractor().eval().requires_grad_(False)

    @staticmethod
    def get_provided_features_list():
        return ("96",)

    @staticmethod
    def get_default_feature_layer_for_metric(metric):
        return "96"

    @staticmethod
    def can_be_compiled():
        return False

    @staticmethod
    def get_dummy_input_for_compile():
        return torch.zeros(1, 3, 28, 28, dtype=torch.uint8)

    def forward(self, pictures):
        return (self.judge.features(pictures[:, :1].float() / 127.5 - 1),)


class Pictures(torch.utils.data.Dataset):
    def __init__(self, levels):
        self.levels = torch.from_numpy(levels).expand(-1, 3, -1, -1)

    def __len__(self):
        return len(self.levels)

    def __getitem__(self, index):
        return self.levels[index]


def test_scores_are_torch_fidelitys(tmp_path, monkeypatch):
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))
    real = fashion_mnist_10k().samples.numpy()
    noise = np.random.default_rng(0).normal(0, 12, (2000, 1, 28, 28))
    damaged = (real[:2000] + noise).clip(0, 255).astype(np.uint8)
    np.savez(tmp_path / "damaged.npz", arr_0=damaged.transpose(0, 2, 3, 1))
    np.savez(tmp_path / "real.npz", arr_0=real[2000:5000].transpose(0, 2, 3, 1))
    mine = evaluate(tmp_path / "damaged.npz", data=str(tmp_path / "real.npz"), samples=3000).values
    fidelity.register_feature_extractor("ganzoo-judge", Judge)
    theirs = fidelity.calculate_metrics(
        input1=Pictures(damaged),
        input2=Pictures(real[2000:5000]),
        feature_extractor="ganzoo-judge",
        fid=True,
        kid=True,
        prc=True,
        kid_subset_size=1000,
        rng_seed=0,
        cuda=False,
        verbose=False,
        cache=False,
        num_workers=0,
    )
    assert mine["fd"] == pytest.approx(theirs["frechet_inception_distance"], rel=1e-4)
    assert mine["precision"] == pytest.approx(theirs["precision"], rel=1e-4)
    assert mine["recall"] == pytest.approx(theirs["recall"], rel=1e-4)
    # The real samples are taken in another order here, and so are the random subsets of them.
    assert mine["kid"] == pytest.approx(theirs["kernel_inception_distance_mean"], rel=0.05)
