"""What every ganzoo has: the field's standard losses and penalties, the alternating trainer, the shipped data, and what
pictures are judged by.

It comes in by the same hook as any plugin, and stays when ``GANZOO_LOAD_PLUGINS=''`` leaves all of those out.
"""

from __future__ import annotations

from ganzoo.hookspecs import hookimpl
from ganzoo.measures.built_in import BUILT_IN
from ganzoo.registry import Kind, Registrar

FASHION_MNIST = "of clothes (Xiao et al., 2017, https://arxiv.org/abs/1708.07747; MIT, Zalando SE)"

COMPONENTS: tuple[tuple[Kind, str, str, str], ...] = (
    ("loss", "minimax", "ganzoo.losses:Minimax", "the original value function (Goodfellow et al., 2014)"),
    ("loss", "non-saturating", "ganzoo.losses:NonSaturating", "-log D(G(z)) for the generator (Goodfellow et al., 2014)"),
    ("loss", "least-squares", "ganzoo.losses:LeastSquares", "squared error against 0/1 targets (Mao et al., 2017)"),
    ("loss", "hinge", "ganzoo.losses:Hinge", "hinge (Lim & Ye, 2017; Miyato et al., 2018)"),
    ("loss", "wasserstein", "ganzoo.losses:Wasserstein", "critic difference (Arjovsky et al., 2017)"),
    ("loss", "relativistic", "ganzoo.losses:Relativistic", "relativistic pairing (Jolicoeur-Martineau, 2019)"),
    ("penalty", "gradient-penalty", "ganzoo.penalties:GradientPenalty", "(|grad D| - 1)^2 on interpolates (WGAN-GP)"),
    ("penalty", "r1", "ganzoo.penalties:R1", "|grad D|^2 on real samples (Mescheder et al., 2018)"),
    ("penalty", "r2", "ganzoo.penalties:R2", "|grad D|^2 on generated samples (Mescheder et al., 2018)"),
    ("penalty", "slope", "ganzoo.penalties:Slope", "R1 + R2 in units of the data: one weight for samples of any size"),
    (
        "penalty",
        "finite-difference",
        "ganzoo.penalties:FiniteDifference",
        "slope by one step of noise instead of an exact gradient: faster",
    ),
    ("augmentation", "mirror", "ganzoo.augmentations:Mirror", "all pictures mirrored at random, real and generated ones"),
    ("augmentation", "shift", "ganzoo.augmentations:Shift", "all pictures moved by some pixels, real and generated ones"),
    ("trainer", "alternating", "ganzoo.training.trainer:AlternatingTrainer", "a discriminator step, then a generator step"),
    (
        "modality",
        "pictures",
        "ganzoo.modalities.pictures:Pictures",
        "grey or colour; bytes, which networks see in [-1, 1]",
    ),
    ("modality", "array", "ganzoo.modalities.array:Array", "numbers of any shape, as they are"),
    (
        "dataset",
        "fashion-mnist-10k",
        "ganzoo.data.fashion_mnist:fashion_mnist_10k",
        f"10,000 pictures {FASHION_MNIST}, shipped with ganzoo",
    ),
    (
        "dataset",
        "fashion-mnist",
        "ganzoo.data.fashion_mnist:fashion_mnist",
        f"60,000 pictures {FASHION_MNIST}, installed or downloaded once",
    ),
    (
        "extractor",
        "fashion-mnist-cnn",
        "ganzoo.evaluation.fashion_mnist_cnn:FashionMNISTExtractor",
        "96 features of 28x28 grey pictures; a classifier shipped with ganzoo",
    ),
    (
        "extractor",
        "cifar10-cnn",
        "ganzoo.evaluation.cifar10_cnn:CIFAR10Extractor",
        "96 features of pictures brought to 32x32; a classifier trained on CIFAR-10, shipped with ganzoo",
    ),
    ("extractor", "inception", "ganzoo.evaluation.inception:InceptionExtractor", "the published FID's; downloaded once"),
    (
        "protocol",
        "features",
        "ganzoo.evaluation.by_features:FeaturesProtocol",
        "pictures, by distances between the features that an extractor finds in them",
    ),
)

HELD_OUT = {"fashion-mnist": "fashion-mnist-10k"}
"""Training data -> the pictures by which models that were trained on it are scored."""


@hookimpl
def register(registry: Registrar) -> None:
    """Offer the components above, and the measures."""
    for kind, name, target, summary in COMPONENTS:
        registry.add(kind, name, target, summary=summary, held_out=HELD_OUT.get(name, ""))
    for measure in BUILT_IN:
        registry.add("measure", measure.name, measure, summary=measure.summary)
