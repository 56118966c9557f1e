"""The loop that tutorials teach: a DataLoader with torchvision's transforms, eager float32, losses read at every step."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torchvision import transforms

from ganzoo import plugins
from ganzoo.data import open_data
from ganzoo.data.store import Store
from ganzoo.devices import choose_device
from ganzoo.interfaces import Generator
from ganzoo.training.config import resolve
from ganzoo.training.prepare import prepare

BATCH = 64


class Pictures(torch.utils.data.Dataset[Tensor]):
    """Pictures as tensors in [-1, 1]."""

    def __init__(self, pictures: Sequence[Image.Image]) -> None:
        self.pictures = pictures
        channels = len(pictures[0].getbands())
        half = [0.5] * channels
        self.transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize(half, half)])

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> Tensor:
        return self.transform(self.pictures[index])  # type: ignore[no-any-return]


def tutorial_loop(
    networks: Mapping[str, nn.Module],
    pictures: Sequence[Image.Image],
    *,
    batch_size: int,
    device: torch.device,
    wasserstein: bool = False,
) -> Callable[[int], None]:
    """What takes so many steps of training ``generator`` and ``discriminator``: Adam 2e-4 (0.5, 0.999).

    Cross-entropy, or the penalised Wasserstein loss.
    """
    generator = networks["generator"].to(memory_format=torch.contiguous_format)
    discriminator = networks["discriminator"].to(memory_format=torch.contiguous_format)
    loader = torch.utils.data.DataLoader(Pictures(pictures), batch_size, shuffle=True, drop_last=True)
    batches: Iterator[Tensor] = itertools.chain.from_iterable(loader for _ in itertools.count())
    g_optimizer = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    d_optimizer = torch.optim.Adam(discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    one, zero = torch.ones(batch_size, device=device), torch.zeros(batch_size, device=device)
    latent_shape: tuple[int, ...] = generator.latent_shape  # type: ignore[assignment]

    def adversarial_step(reals: Tensor) -> None:
        fakes = generator(torch.randn(batch_size, *latent_shape, device=device))
        g_optimizer.zero_grad()
        g_loss = binary_cross_entropy_with_logits(discriminator(fakes), one)
        g_loss.backward()
        g_optimizer.step()
        d_optimizer.zero_grad()
        d_loss = binary_cross_entropy_with_logits(discriminator(reals), one)
        d_loss = d_loss + binary_cross_entropy_with_logits(discriminator(fakes.detach()), zero)
        d_loss.backward()
        d_optimizer.step()
        _ = d_loss.item(), g_loss.item()

    def wasserstein_step(reals: Tensor) -> None:
        latents = torch.randn(batch_size, *latent_shape, device=device)
        fakes = generator(latents)
        d_optimizer.zero_grad()
        mixed = torch.lerp(reals, fakes.detach(), torch.rand(batch_size, 1, 1, 1, device=device)).requires_grad_(True)
        gradients = torch.autograd.grad(discriminator(mixed), mixed, one, create_graph=True)[0]
        penalty = ((gradients.flatten(1).norm(2, dim=1) - 1) ** 2).mean()
        d_loss = discriminator(fakes.detach()).mean() - discriminator(reals).mean() + 10 * penalty
        d_loss.backward()
        d_optimizer.step()
        g_optimizer.zero_grad()
        g_loss = -discriminator(generator(latents)).mean()
        g_loss.backward()
        g_optimizer.step()
        _ = d_loss.item(), g_loss.item()

    step = wasserstein_step if wasserstein else adversarial_step

    def block(steps: int) -> None:
        for _ in range(steps):
            step(next(batches).to(device))

    return block


class Trained(NamedTuple):
    """What came of it: the generator as it is at the end, for tutorials average no weights."""

    generator: Generator
    images: int
    seconds: float


def train_tutorial(data: str, seconds: float, *, seed: int = 0) -> Trained:
    """Train the networks of DCGAN's paper for some time, as tutorials do, on what ``--data`` takes."""
    registry = plugins.load().registry
    store = open_data(data, registry=registry)
    assert isinstance(store, Store)
    torch.manual_seed(seed)
    networks = prepare(resolve(registry, "dcgan", preset="paper", data=data, seed=seed)).networks
    pictures = [Image.fromarray(p.permute(1, 2, 0).numpy() if len(p) == 3 else p[0].numpy()) for p in store.samples]
    block = tutorial_loop(networks, pictures, batch_size=BATCH, device=choose_device())
    start, steps = time.perf_counter(), 0
    while (taken := time.perf_counter() - start) < seconds:
        block(1)
        steps += 1
        if steps % 20 == 0:
            print(f"\rtutorial: {taken:.0f} of {seconds:.0f} s", end="", file=sys.stderr)
    print(file=sys.stderr)
    generator = networks["generator"].eval()
    assert isinstance(generator, Generator)
    return Trained(generator, steps * BATCH, taken)
