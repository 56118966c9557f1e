"""The networks of the shipped variants, as any plugin's would be checked."""

import pytest
import torch
from ganzoo_dcgan.networks import Residual

from ganzoo import plugins
from ganzoo.errors import UsageError
from ganzoo.factory import build_networks, count_parameters
from ganzoo.modalities.inferred import of_shape
from ganzoo.training.config import resolve

PRESETS = [(v, p) for v in ("mlp", "dcgan", "wgan-gp") for p in plugins.load().registry.variant(v).presets]


def build(variant, sample_shape, preset="default", **options):
    config = resolve(plugins.load().registry, variant, preset=preset, options=options)
    return build_networks(config.networks, of_shape(sample_shape, (-1.0, 1.0)))


@pytest.mark.parametrize(("variant", "preset"), PRESETS)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("resolution", [28, 32, 64])
def test_shapes_ranges_and_gradients(variant, preset, channels, resolution):
    torch.manual_seed(0)
    shape = (channels, resolution, resolution)
    networks = build(variant, shape, preset)
    generator, discriminator = networks["generator"], networks["discriminator"]
    samples = generator(torch.randn(4, *generator.latent_shape))
    assert samples.shape == (4, *shape)
    assert samples.abs().max() <= 1
    logits = discriminator(samples)
    assert logits.shape == (4,)
    logits.sum().backward()
    for network in networks.values():
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name


@pytest.mark.parametrize("norm", ["batch", "none"])
def test_a_residual_block_adds_nothing_at_first(norm):
    x = torch.randn(4, 6, 5, 5)
    assert torch.equal(Residual(6, norm)(x), x)


def test_a_residual_block_adds_nothing_at_first_however_weights_are_drawn():
    generator = build("dcgan", (1, 28, 28), **{"generator.blocks": 1, "generator.init_std": 0.02})["generator"]
    blocks = [m for m in generator.modules() if isinstance(m, Residual)]
    assert blocks
    assert not any(block.layers[-1].weight.any() for block in blocks)


@pytest.mark.parametrize(("resolution", "widths"), [(28, [128, 128, 64, 64]), (64, [256, 256, 128, 128]), (6, [32, 32])])
def test_residual_blocks_stand_where_maps_are_small(resolution, widths):
    generator = build("dcgan", (1, resolution, resolution), **{"generator.blocks": 2})["generator"]
    assert [m.layers[-1].out_channels for m in generator.modules() if isinstance(m, Residual)] == widths


@pytest.mark.parametrize("resolution", range(6, 70, 3))
def test_dcgan_makes_every_resolution(resolution):
    for kernel in (3, 4, 5):
        sizes = {"generator.width": 2, "discriminator.width": 2}
        kernels = {"generator.kernel_size": kernel, "discriminator.kernel_size": kernel}
        networks = build("dcgan", (1, resolution, resolution), **sizes, **kernels)
        generator = networks["generator"]
        samples = generator(torch.randn(2, *generator.latent_shape))
        assert samples.shape == (2, 1, resolution, resolution)
        assert networks["discriminator"](samples).shape == (2,)


@pytest.mark.parametrize(("variant", "resolution"), [("dcgan", 5), ("dcgan", 1), ("wgan-gp", 5)])
def test_a_resolution_that_cannot_be_made_is_refused_with_one_that_can(variant, resolution):
    with pytest.raises(UsageError, match=r"--resolution \d+"):
        build(variant, (1, resolution, resolution))


@pytest.mark.parametrize("variant", ["dcgan", "wgan-gp"])
@pytest.mark.parametrize("shape", [(12,), (1, 1024), (1, 28, 32)])
def test_what_is_no_square_picture_is_refused(variant, shape):
    with pytest.raises(UsageError, match="square pictures"):
        build(variant, shape)


@pytest.mark.parametrize("shape", [(12,), (1, 64), (3, 5, 7), (2, 3, 4, 5)])
def test_mlp_makes_samples_of_any_shape(shape):
    networks = build("mlp", shape)
    samples = networks["generator"](torch.randn(3, 64))
    assert samples.shape == (3, *shape)
    assert networks["discriminator"](samples).shape == (3,)


def test_the_keras_preset_is_the_one_that_people_know():
    networks = build("mlp", (1, 28, 28), "keras")
    layers = [tuple(p.shape) for p in networks["generator"].parameters() if p.ndim == 2]
    assert layers == [(256, 100), (800, 256), (784, 800)]
    assert [tuple(p.shape) for p in networks["discriminator"].parameters() if p.ndim == 2] == [(512, 784), (1, 512)]


def test_sigmoid_output_and_unit_range_input_meet_in_the_middle():
    networks = build("mlp", (4,), "keras")
    generator, discriminator = networks["generator"], networks["discriminator"]
    z = torch.randn(5, 100)
    pixels = generator.layers(z).sigmoid()
    torch.testing.assert_close(generator(z), 2 * pixels - 1)
    torch.testing.assert_close(discriminator(generator(z)), discriminator.head(discriminator.layers(pixels)))


def test_the_2014_networks():
    networks = build("mlp", (1, 28, 28), "paper")
    assert count_parameters(networks["generator"]) == 100 * 1200 + 1200 + 1200 * 1200 + 1200 + 1200 * 784 + 784
    assert count_parameters(networks["discriminator"]) == 784 * 1200 + 1200 + 240 * 1200 + 1200 + 240 + 1
    assert max(p.abs().max() for p in networks["discriminator"].parameters()) <= 0.005
    assert max(p.abs().max() for p in networks["generator"].parameters()) <= 0.05


def test_the_dcgan_paper_network_at_its_own_resolution():
    networks = build("dcgan", (3, 64, 64), "paper")
    convolutions = [tuple(p.shape) for p in networks["generator"].layers.parameters() if p.ndim == 4]
    assert convolutions == [(512, 256, 4, 4), (256, 128, 4, 4), (128, 64, 4, 4), (64, 3, 4, 4)]
    assert networks["generator"].project.weight.std().item() == pytest.approx(0.02, rel=0.01)


def test_the_wgan_gp_paper_network_at_its_own_resolution():
    networks = build("wgan-gp", (1, 28, 28), "paper")
    convolutions = [tuple(p.shape) for p in networks["generator"].layers.parameters() if p.ndim == 4]
    assert convolutions == [(256, 128, 5, 5), (128, 64, 5, 5), (64, 1, 5, 5)]
    assert networks["generator"].project.weight.shape == (4 * 4 * 256, 128)
    judged = [tuple(p.shape) for p in networks["discriminator"].layers.parameters() if p.ndim == 4]
    assert judged == [(64, 1, 5, 5), (128, 64, 5, 5), (256, 128, 5, 5)]


@pytest.mark.parametrize("variant", ["mlp", "dcgan", "wgan-gp"])
def test_the_default_critic_judges_each_sample_by_itself(variant):
    discriminator = build(variant, (1, 28, 28))["discriminator"]
    x = torch.randn(6, 1, 28, 28)
    torch.testing.assert_close(discriminator(x)[:2], discriminator(x[:2]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("variant", "options"),
    [
        ("mlp", {"generator.hidden": [0]}),
        ("mlp", {"generator.output": "softmax"}),
        ("dcgan", {"generator.width": -1}),
        ("dcgan", {"discriminator.norm": "layer"}),
        ("wgan-gp", {"generator.kernel_size": 2}),
        ("dcgan", {"generator.blocks": 1 << 24}),
    ],
)
def test_arguments_are_refused_by_name(variant, options):
    with pytest.raises(UsageError, match=next(iter(options))):
        build(variant, (1, 28, 28), **options)
