"""Small models as a stranger would write them, each of which needs something of ganzoo that no other one does."""

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
TEXT = Variant(
    name="strained-text",
    summary="short texts, letter by letter",
    paper=PAPER,
    generator="strained_gans.text:TextGenerator",
    discriminator="strained_gans.text:TextDiscriminator",
    data="strained-words",
    presets=presets(),
)
TABLE = Variant(
    name="strained-table",
    summary="a table with categories",
    paper=PAPER,
    generator="strained_gans.rows:RowGenerator",
    discriminator="strained_gans.rows:RowDiscriminator",
    data="strained-pets",
    presets=presets(),
)
VAE = Variant(
    name="strained-vae",
    summary="an encoder and a decoder, and nobody who judges",
    paper=PAPER,
    generator="mlp",
    discriminator=None,
    networks={"encoder": "strained_gans.vae_gan:Encoder"},
    keeps=("encoder",),
    loss=None,
    trainer="strained_gans.vae:VAETrainer",
    family="variational autoencoder",
    presets=presets(**{"generator.hidden": [32]}),
)
PATCHES = Variant(
    name="strained-patches",
    summary="a discriminator of five patches by three scales",
    paper=PAPER,
    generator="mlp",
    discriminator="strained_gans.patches:PatchScales",
    loss="relativistic",
    penalties={"slope": {"weight": 1e-3}, "finite-difference": {"weight": 1e-3}, "gradient-penalty": {"weight": 0.1}},
    presets=presets(**{"generator.hidden": [32]}),
)
CODES = Variant(
    name="strained-codes",
    summary="latents with a code in them, and a head that knows of it",
    paper=PAPER,
    generator="strained_gans.codes:CodeGenerator",
    discriminator="strained_gans.rows:RowDiscriminator",
    networks={"head": "strained_gans.codes:CodeHead"},
    keeps=("head",),
    presets=presets(),
)


@hookimpl
def register(registry: Registrar) -> None:
    """Offer all of them, some of their parts by name."""
    registry.add("generator", "strained-labels", "strained_gans.labels:LabelledGenerator")
    registry.add("discriminator", "strained-labels", "strained_gans.labels:ProjectionDiscriminator")
    registry.add("generator", "strained-translator", "strained_gans.cycle:Translator")
    registry.add("trainer", "strained-cycle", "strained_gans.cycle:CycleTrainer")
    registry.add("modality", "strained-text", "strained_gans.text:Text", summary="short texts")
    registry.add("modality", "strained-table", "strained_gans.table:Table", summary="rows of a table")
    registry.add("dataset", "strained-words", "strained_gans.text:words", summary="words of the letters a, b and c")
    registry.add("dataset", "strained-pets", "strained_gans.table:pets", summary="what pets weigh")
    registry.add("augmentation", "strained-grain", "strained_gans.grain:Grain", summary="noise on everything")
    registry.add("measure", "strained-brightness", "strained_gans.brightness:BRIGHTNESS")
    registry.add("measure", "strained-overlap", "strained_gans.letters:OVERLAP")
    registry.add("protocol", "strained-letters", "strained_gans.letters:Letters", summary="texts, by their letters")
    for variant in (LABELS, VAE_GAN, CYCLE, WAVES, ROWS, BACKBONE, TEXT, TABLE, VAE, PATCHES, CODES):
        registry.add_variant(variant)
