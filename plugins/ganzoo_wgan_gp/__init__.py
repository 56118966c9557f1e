"""WGAN-GP: a critic that estimates the Wasserstein distance, kept 1-Lipschitz by a gradient penalty.

The networks are those of the plugin ``dcgan``, by their names in the registry: what is new here is how they are trained.
"""

from __future__ import annotations

from ganzoo import Preset, Registrar, Variant, hookimpl

VARIANT = Variant(
    name="wgan-gp",
    summary="Wasserstein critic with gradient penalty; its loss means something",
    paper="Gulrajani et al., Improved Training of Wasserstein GANs, 2017, https://arxiv.org/abs/1704.00028",
    generator="dcgan",
    discriminator="dcgan",
    loss="wasserstein",
    penalties={"gradient-penalty": {"weight": 10.0}},
    presets={
        "default": Preset(
            summary="the best found here for a few minutes on a processor",
            options={
                "generator.latent_dim": 64,
                "generator.width": 32,
                "generator.norm": "batch",
                "discriminator.width": 32,
                "n_critic": 1,
                "lr": 2e-3,
                "betas": [0.0, 0.9],
                "lr_decay_images": 50_000,
                "batch_size": 32,
                "images": 400_000,
                "ema_images": 100_000,
                "ema_ramp": 0.1,
                "penalties.gradient-penalty.share": 0.25,
            },
        ),
        "paper": Preset(
            summary="the original's MNIST networks and optimizer",
            source=(
                "the authors' gan_mnist.py (igul222/improved_wgan_training): DIM 64, 5x5 convolutions without norm, latents "
                "of 128 numbers, lambda 10, 5 critic steps, batches of 50, Adam 1e-4 (0.5, 0.9), 200,000 generator steps"
            ),
            options={
                "generator.latent_dim": 128,
                "generator.width": 64,
                "generator.kernel_size": 5,
                "generator.norm": "none",
                "generator.output": "sigmoid",
                "discriminator.width": 64,
                "discriminator.kernel_size": 5,
                "discriminator.unit_range": True,
                "n_critic": 5,
                "mirror": False,
                "lr": 1e-4,
                "betas": [0.5, 0.9],
                "batch_size": 50,
                "images": 50_000_000,
                "ema_images": 0,
            },
        ),
    },
)


@hookimpl
def register(registry: Registrar) -> None:
    """Offer ``wgan-gp``."""
    registry.add_variant(VARIANT)
