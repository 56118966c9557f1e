"""DCGAN: the all-convolutional GAN that made GANs work on pictures."""

from __future__ import annotations

from ganzoo import Preset, Registrar, Variant, hookimpl

VARIANT = Variant(
    name="dcgan",
    summary="strided convolutions; sharp pictures of any size in minutes",
    paper=(
        "Radford et al., Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks, "
        "2016, https://arxiv.org/abs/1511.06434"
    ),
    generator="dcgan",
    discriminator="dcgan",
    loss="relativistic",
    penalties={"slope": {"weight": 2e-4, "share": 0.125}},
    presets={
        "default": Preset(
            summary="the best found here for a few minutes on a processor",
            options={
                "generator.latent_dim": 64,
                "generator.width": 32,
                "generator.blocks": 1,
                "discriminator.width": 32,
                "lr": 2e-3,
                # A gradient out of the ordinary moves a weight by 1/sqrt(1 - 0.9) = 3 times the rate at most; with 0.99, 10.
                "betas": [0.0, 0.9],
                "lr_decay_images": 100_000,
                "batch_size": 64,
                "images": 400_000,
                "ema_images": 100_000,
                "ema_ramp": 0.1,
            },
            # There, this loss and penalty are thrown back after some thousand pictures, whatever the weight and the rate; the
            # critic of WGAN-GP, which has no end to what it wants, is not (benchmarks/recipes.md).
            from_pixels={
                96: {"loss": "wasserstein", "penalties": {"gradient-penalty": {"weight": 10.0, "share": 0.25}}},
            },
        ),
        "paper": Preset(
            summary="the original's networks, loss and optimizer",
            source=(
                "Radford et al., 2016, sections 3 and 4 (latents of 100 numbers; batch norm but for G's output and D's input; "
                "LeakyReLU 0.2; weights from N(0, 0.02); Adam 2e-4, beta1 0.5; batches of 128 there, of 64 in the authors' "
                "dcgan.torch, which is followed: 25 epochs, widths 64 to 512 at 64x64)"
            ),
            options={
                "generator.latent_dim": 100,
                "generator.width": 64,
                "generator.init_std": 0.02,
                "discriminator.width": 64,
                "discriminator.norm": "batch",
                "discriminator.init_std": 0.02,
                "loss": "non-saturating",
                "penalties": {},
                "mirror": False,
                "lr": 2e-4,
                "betas": [0.5, 0.999],
                "batch_size": 64,
                "images": 1_500_000,
                "ema_images": 0,
            },
        ),
    },
)


@hookimpl
def register(registry: Registrar) -> None:
    """Offer ``dcgan`` and its networks."""
    registry.add("generator", "dcgan", "ganzoo_dcgan.networks:DCGANGenerator", summary="transposed convolutions, batch norm")
    registry.add("discriminator", "dcgan", "ganzoo_dcgan.networks:DCGANDiscriminator", summary="strided convolutions")
    registry.add_variant(VARIANT)
