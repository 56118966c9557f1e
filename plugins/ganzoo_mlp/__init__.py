"""The fully connected GAN, from the first one (2014) to one that holds its own."""

from __future__ import annotations

from ganzoo import Preset, Registrar, Variant, hookimpl

VARIANT = Variant(
    name="mlp",
    summary="fully connected; trains anything in minutes, samples of any shape",
    paper="Goodfellow et al., Generative Adversarial Networks, 2014, https://arxiv.org/abs/1406.2661",
    generator="mlp",
    discriminator="mlp",
    loss="wasserstein",
    penalties={"gradient-penalty": {"weight": 10.0}},
    presets={
        "default": Preset(
            summary="the best found here for a few minutes on a processor",
            options={
                "discriminator.hidden": [512, 512],
                "discriminator.activation": "silu",
                "lr": 7e-4,
                "betas": [0.0, 0.99],
                "batch_size": 128,
                "images": 1_500_000,
                "ema_images": 300_000,
            },
        ),
        "paper": Preset(
            summary="the original's MNIST networks and optimizer",
            source=(
                "Goodfellow et al., 2014, and the code published with it, goodfeli/adversarial: mnist.yaml (networks, "
                "dropout, SGD with its decays), __init__.py (normal noise, D's loss halved: hence half the rate)"
            ),
            options={
                "generator.latent_dim": 100,
                "generator.hidden": [1200, 1200],
                "generator.norm": "none",
                "generator.output": "sigmoid",
                "generator.init_range": 0.05,
                "discriminator": "maxout",
                "loss": "non-saturating",
                "penalties": {},
                "trainer": "goodfellow",
                "mirror": False,
                "lr": 0.1,
                "discriminator_lr": 0.05,
                "batch_size": 100,
                "images": 12_500_000,
                "ema_images": 0,
            },
        ),
        "keras": Preset(
            summary="the tutorial classic: 100-256-800-784 against 784-512-1, minimax",
            source="the Keras samples that most people met GANs by; 50 epochs of 60,000",
            options={
                "generator.latent_dim": 100,
                "generator.hidden": [256, 800],
                "generator.norm": "none",
                "generator.output": "sigmoid",
                "discriminator.hidden": [512],
                "discriminator.activation": "relu",
                "discriminator.unit_range": True,
                "loss": "minimax",
                "penalties": {},
                "mirror": False,
                "lr": 2e-4,
                "betas": [0.5, 0.999],
                "batch_size": 32,
                "images": 3_000_000,
                "ema_images": 0,
            },
        ),
    },
)


@hookimpl
def register(registry: Registrar) -> None:
    """Offer ``mlp`` and its parts."""
    registry.add("generator", "mlp", "ganzoo_mlp.networks:MLPGenerator", summary="fully connected, any sample shape")
    registry.add("discriminator", "mlp", "ganzoo_mlp.networks:MLPDiscriminator", summary="fully connected, any sample shape")
    registry.add("discriminator", "maxout", "ganzoo_mlp.networks:MaxoutDiscriminator", summary="maxout units with dropout")
    registry.add("trainer", "goodfellow", "ganzoo_mlp.trainer:GoodfellowTrainer", summary="SGD with the schedules of 2014")
    registry.add_variant(VARIANT)
