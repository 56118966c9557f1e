"""What a plugin may implement: Generator, Discriminator, Loss, Penalty, Augmentation, Trainer.

Shapes below leave the batch axis out; ``N`` is the batch. Pictures are float tensors ``(C, H, W)`` in [-1, 1]; other
samples have any shape and whatever range their data has.

A network's constructor takes its options as keyword arguments with defaults and type annotations (they become
``-o generator.width=64`` and are checked against the annotation), and asks for what it needs to know of the rest by
parameter name:

- ``sample_shape: tuple[int, ...]``, the shape of one sample;
- ``num_classes: int``, how many classes the data's labels have, 0 if it has none;
- ``value_range: tuple[float, float] | None``, the lowest and highest value of a sample, None if it is unbounded;
- ``modality: ganzoo.Modality``, all that is known of what samples are;
- ``latent_shape: tuple[int, ...]`` and ``latents: tuple[Latent, ...]``, the generator's (for any network but the generator);
- ``generator_options: Mapping[str, Any]``, and likewise for any role, the options of that other network.

For a shape or an option that it does not support, it raises :class:`ganzoo.UsageError`.
"""

from ganzoo.interfaces.networks import Discriminator, Generator
from ganzoo.interfaces.terms import Augmentation, Critique, Loss, Penalty
from ganzoo.interfaces.training import StepContext, Trainer

__all__ = ["Augmentation", "Critique", "Discriminator", "Generator", "Loss", "Penalty", "StepContext", "Trainer"]
