"""Other GAN libraries training ganzoo's networks, each with its own loop, losses and data handling, for ``train_speed.py``.

    pip install --no-deps torchgan
    pip install --no-deps vegans && pip install matplotlib

Checkpoints, sheets of samples and printed reports are switched off; what a library does at every step stays as it ships.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

from ganzoo import plugins
from ganzoo.data.fashion_mnist import fashion_mnist_10k
from ganzoo.devices import choose_device
from ganzoo.training.config import resolve
from ganzoo.training.prepare import prepare

BATCH = 64
ADAM: dict[str, Any] = {"lr": 2e-4, "betas": (0.5, 0.999)}


def peers(variant: str) -> dict[str, Callable[[], Callable[[int], None]]]:
    """Contenders by name: of each library that is installed, one that takes so many steps of this variant."""
    makers = {"torchgan": torchgan, "vegans": vegans}
    found = {name: make for name, make in makers.items() if find_spec(name)}
    return {f"{name} {version(name)}, same networks": partial(make, variant) for name, make in found.items()}


def torchgan(variant: str) -> Callable[[int], None]:
    """torchgan's Trainer with its losses, on a DataLoader of transformed pictures as in its tutorials."""
    from torch.utils.data import DataLoader, RandomSampler
    from torchgan import losses, models
    from torchgan.trainer import Trainer

    class Generator(models.Generator):  # type: ignore[misc]
        def __init__(self, network: nn.Module) -> None:
            super().__init__(network.latent_shape[0])
            self.network = network

        def forward(self, z: Tensor) -> Tensor:
            return self.network(z)  # type: ignore[no-any-return]

    class Discriminator(models.Discriminator):  # type: ignore[misc]
        def __init__(self, network: nn.Module) -> None:
            super().__init__(input_dims=1)
            self.network = network

        def forward(self, x: Tensor) -> Tensor:
            return self.network(x)  # type: ignore[no-any-return]

    class Unsaved(Trainer):  # type: ignore[misc]
        def save_model(self, epoch: int, save_items: Any = None) -> None:
            pass

    generator, discriminator = networks(variant)
    adam = {"name": torch.optim.Adam, "args": ADAM}
    folder = tempfile.mkdtemp()
    trainer = Unsaved(
        {
            "generator": {"name": Generator, "args": {"network": generator}, "optimizer": adam},
            "discriminator": {"name": Discriminator, "args": {"network": discriminator}, "optimizer": adam},
        },
        [losses.WassersteinGeneratorLoss(), losses.WassersteinDiscriminatorLoss(), losses.WassersteinGradientPenalty()]
        if variant == "wgan-gp"
        else [losses.MinimaxGeneratorLoss(), losses.MinimaxDiscriminatorLoss()],
        device=choose_device(),
        epochs=1,
        checkpoints=f"{folder}/gan",
        recon=folder,
    )
    # The sheet after an epoch ends the run: it asks make_grid for a "range", which torchvision no longer has.
    trainer.logger.logger_end_epoch.clear()
    pictures = transformed_pictures()

    def block(steps: int) -> None:
        # An epoch of so many batches, since the trainer counts in epochs.
        sampler = RandomSampler(pictures, num_samples=steps * BATCH)
        with contextlib.redirect_stdout(io.StringIO()):
            trainer(DataLoader(pictures, BATCH, sampler=sampler))

    return block


def vegans(variant: str) -> Callable[[int], None]:
    """vegans' fit() on an array of pictures, as in its README."""
    from torch.utils.data.dataloader import _BaseDataLoaderIter
    from vegans.GAN import VanillaGAN, WassersteinGANGP

    # vegans takes its first batch by the iterator's next(), a name from Python 2 that torch has dropped.
    _BaseDataLoaderIter.next = _BaseDataLoaderIter.__next__  # type: ignore[attr-defined]
    generator, discriminator = networks(variant)
    wasserstein = variant == "wgan-gp"
    gan = (WassersteinGANGP if wasserstein else VanillaGAN)(
        generator,
        # The loss of its VanillaGAN is of probabilities.
        discriminator if wasserstein else nn.Sequential(discriminator, nn.Sigmoid()),
        x_dim=(1, 28, 28),
        z_dim=generator.latent_shape,
        optim=torch.optim.Adam,
        optim_kwargs={"Generator": ADAM, "Adversary": ADAM},
        device=choose_device().type,
        folder=None,
        # What this would check is the class of the outermost modules' first and last layer, which here are within others.
        secure=False,
    )
    pictures = (fashion_mnist_10k().samples.float() / 127.5 - 1).numpy()
    longest = len(pictures) // BATCH

    def block(steps: int) -> None:
        whole, rest = divmod(steps, longest)
        for epochs, batches in ((whole, longest), (1, rest)):
            if not epochs or not batches:
                continue
            with contextlib.redirect_stdout(io.StringIO()):
                gan.fit(pictures[: batches * BATCH], epochs=epochs, batch_size=BATCH, print_every=None, save_losses_every=None)

    return block


def networks(variant: str) -> tuple[Any, Any]:
    """ganzoo's generator and discriminator for 28x28 grey pictures, laid out in memory as other libraries have theirs."""
    made = prepare(resolve(plugins.load().registry, variant, options={"batch_size": BATCH})).networks
    generator, discriminator = (
        made[role].to(memory_format=torch.contiguous_format) for role in ("generator", "discriminator")
    )
    return generator, discriminator


def transformed_pictures() -> torch.utils.data.Dataset[tuple[Tensor, int]]:
    """Fashion-MNIST as torchvision's data sets give it: a picture that is transformed when it is asked for, and its class."""
    from PIL import Image
    from torchvision import transforms

    store = fashion_mnist_10k()
    pictures = [Image.fromarray(picture[0].numpy()) for picture in store.samples]
    classes = [0] * len(pictures) if store.labels is None else store.labels.tolist()
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize([0.5], [0.5])])

    class Pictures(torch.utils.data.Dataset[tuple[Tensor, int]]):
        def __len__(self) -> int:
            return len(pictures)

        def __getitem__(self, index: int) -> tuple[Tensor, int]:
            return transform(pictures[index]), classes[index]

    return Pictures()
