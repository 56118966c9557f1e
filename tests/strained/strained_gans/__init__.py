"""Six small GANs as a stranger would write them, each of which needs something of ganzoo that no other one does."""

from __future__ import annotations

from ganzoo import Preset, Variant, hookimpl
from ganzoo.registry import Registrar

PAPER = "made up"
TINY = {"batch_size": 8, "images": 64, "lr": 2e-3}


def presets(**options: object) -> dict[str, Preset]:
    """Both required presets, which are one."""
    return dict.fromkeys(("default", "paper"), Preset(summary="a few steps", options={**TINY, **options}))


LABELS = Variant(
    name="strained-labels",
    summary="pictures by class",
    paper=PAPER,
    generator="strained-labels",
    discriminator="strained-labels",
    keeps=("discriminator",),
    loss="hinge",
    presets=presets(),
)
VAE_GAN = Variant(
    name="strained-vae-gan",
    summary="a third network, trained in the same step; the others are ganzoo's own",
    paper=PAPER,
    generator="mlp",
    discriminator="mlp",
    networks={"encoder": "strained_gans.vae_gan:Encoder"},
    keeps=("encoder",),
    trainer="strained_gans.vae_gan:VAEGANTrainer",
    presets=presets(**{"generator.hidden": [32], "discriminator.hidden": [32]}),
)
CYCLE = Variant(
    name="strained-cycle",
    summary="two generators, two discriminators, two domains",
    paper=PAPER,
    generator="strained-translator",
    discriminator="strained_gans.cycle:PatchDiscriminator",
    networks={"generator_back": "strained-translator", "discriminator_back": "strained_gans.cycle:PatchDiscriminator"},
    keeps=("generator_back",),
    loss="least-squares",
    trainer="strained-cycle",
    presets=presets(),
)
WAVES = Variant(
    name="strained-waves",
    summary="waveforms",
    paper=PAPER,
    generator="strained_gans.waves:WaveGenerator",
    discriminator="strained_gans.waves:WaveDiscriminator",
    loss="wasserstein",
    penalties={"gradient-penalty": {"weight": 10.0}},
    presets=presets(n_critic=2, betas=[0.0, 0.9]),
)
ROWS = Variant(
    name="strained-rows",
    summary="rows of a table",
    paper=PAPER,
    generator="strained_gans.rows:RowGenerator",
    discriminator="strained_gans.rows:RowDiscriminator",
    penalties={"r1": {"weight": 1.0, "interval": 2}},
    presets=presets(),
)
BACKBONE = Variant(
    name="strained-backbone",
    summary="a discriminator on frozen features",
    paper=PAPER,
    generator="strained_gans.backbone:PictureGenerator",
    discriminator="strained_gans.backbone:FrozenFeatures",
    keeps=("discriminator",),
    loss="hinge",
    presets=presets(),
)


@hookimpl
def register(registry: Registrar) -> None:
    """Offer the six, some of their parts by name."""
    registry.add("generator", "strained-labels", "strained_gans.labels:LabelledGenerator")
    registry.add("discriminator", "strained-labels", "strained_gans.labels:ProjectionDiscriminator")
    registry.add("generator", "strained-translator", "strained_gans.cycle:Translator")
    registry.add("trainer", "strained-cycle", "strained_gans.cycle:CycleTrainer")
    for variant in (LABELS, VAE_GAN, CYCLE, WAVES, ROWS, BACKBONE):
        registry.add_variant(variant)
