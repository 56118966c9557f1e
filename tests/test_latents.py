"""Latents that have names and kinds: drawn, truncated, told to other networks."""

import pytest
import torch

import ganzoo
from ganzoo.errors import UsageError
from ganzoo.factory import Part, build_networks
from ganzoo.modalities.inferred import of_shape

LATENTS = (
    ganzoo.Latent("noise", "normal", 6),
    ganzoo.Latent("angle", "uniform", 2),
    ganzoo.Latent("digit", "categorical", 4),
)


class Codes(ganzoo.Generator):
    """Its latents are its samples."""

    def __init__(self, *, sample_shape, codes=LATENTS):
        super().__init__(sample_shape=sample_shape, latents=codes)

    def forward(self, z, labels=None):
        return z


class Head(ganzoo.Discriminator):
    """Says what it was told of the generator."""

    def __init__(self, *, latents, latent_shape, generator_options, modality):
        super().__init__()
        self.told = (latents, latent_shape, dict(generator_options), modality)

    def forward(self, x, labels=None):
        return x.sum(1)


def test_each_part_is_of_its_kind():
    z = Codes(sample_shape=(12,)).sample(seeds=range(2000))
    noise, angle, digit = z.split([6, 2, 4], dim=1)
    assert abs(float(noise.mean())) < 0.05
    assert float(noise.std()) == pytest.approx(1, abs=0.05)
    assert float(angle.min()) >= -1
    assert float(angle.max()) <= 1
    assert float(angle.std()) == pytest.approx(1 / 3**0.5, abs=0.03)
    assert set(digit.unique().tolist()) == {0.0, 1.0}
    assert (digit.sum(1) == 1).all()
    assert digit.mean(0).tolist() == pytest.approx([0.25] * 4, abs=0.05)


def test_a_seeds_latents_are_the_same_in_any_company():
    generator = Codes(sample_shape=(12,))
    assert torch.equal(generator.sample(seeds=[3, 7, 5])[1], generator.sample(seeds=7)[0])


def test_only_what_is_normal_is_truncated():
    generator = Codes(sample_shape=(12,))
    whole, cut = generator.sample(seeds=range(200)), generator.sample(seeds=range(200), truncation=0.5)
    assert float(cut[:, :6].abs().max()) <= 0.5
    assert torch.equal(cut[:, 6:], whole[:, 6:])


def test_where_nothing_is_normal_nothing_can_be_truncated():
    generator = Codes(sample_shape=(4,), codes=LATENTS[2:])
    with pytest.raises(UsageError, match="cannot be truncated"):
        generator.sample(seeds=1, truncation=0.5)


def test_other_networks_are_told_of_latents_options_and_samples():
    parts = {
        "generator": Part("generator", "codes", None, Codes, {"codes": LATENTS}),
        "discriminator": Part("discriminator", "head", None, Head, {}),
    }
    modality = of_shape((12,), None)
    networks = build_networks(parts, modality)
    assert networks["discriminator"].told == (LATENTS, (12,), {"codes": LATENTS}, modality)


@pytest.mark.parametrize(
    ("latent", "said"),
    [(("a", "gamma", 3), "none of normal"), (("a b", "normal", 3), "identifier"), (("a", "normal", 0), "at least 1")],
)
def test_a_latent_that_cannot_be_is_refused(latent, said):
    with pytest.raises(ValueError, match=said):
        ganzoo.Latent(*latent)


def test_two_latents_of_one_name_are_refused():
    with pytest.raises(TypeError, match="one name"):
        Codes(sample_shape=(4,), codes=(LATENTS[0], LATENTS[0]))
