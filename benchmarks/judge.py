"""Train the judge that ganzoo ships for Fashion-MNIST, and say how good it is.

    python benchmarks/judge.py --epochs 14 --out ganzoo/evaluation/shipped/fashion-mnist-cnn.safetensors

It is trained on the 60,000 training pictures, shifted by up to two pixels and mirrored, and tried on the 10,000 test pictures
once, at the end. Weights are written in half precision, and it is that file that is tried.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import cross_entropy, pad

from ganzoo.data.fashion_mnist import fashion_mnist, fashion_mnist_10k
from ganzoo.evaluation.fashion_mnist_cnn import FashionMNISTCNN
from ganzoo.training.precision import autocast, choose_device, choose_precision


def augmented(pictures: Tensor, rng: torch.Generator) -> Tensor:
    """Every picture mirrored or not and shifted by up to two pixels, in a batch ``(N, 1, 28, 28)``."""
    count, _, height, width = pictures.shape
    flipped = torch.rand(count, 1, 1, 1, generator=rng) < 0.5
    pictures = torch.where(flipped, pictures.flip(3), pictures)
    padded = pad(pictures, (2, 2, 2, 2), value=-1.0)
    down, right = torch.randint(0, 5, (2, count), generator=rng)
    rows = down[:, None] + torch.arange(height)
    columns = right[:, None] + torch.arange(width)
    return padded[torch.arange(count)[:, None, None], 0, rows[:, :, None], columns[:, None, :]].unsqueeze(1)


def accuracy(network: FashionMNISTCNN) -> float:
    """On the test pictures."""
    store = fashion_mnist_10k()
    right = 0
    with torch.inference_mode():
        for indices in torch.arange(len(store)).split(500):
            pictures, labels = store.batch(indices)
            right += int((network(pictures).argmax(1) == labels).sum())
    return right / len(store)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=14)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    rng = torch.Generator().manual_seed(0)
    store, network, device = fashion_mnist(), FashionMNISTCNN(), choose_device()
    network.to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.05, fused=True)
    batches = len(store) // 128
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, arguments.epochs * batches)
    for epoch in range(arguments.epochs):
        start, losses = time.perf_counter(), torch.zeros(())
        for indices in torch.randperm(len(store), generator=rng)[: batches * 128].view(batches, 128):
            pictures, labels = store.batch(indices)
            assert labels is not None
            with autocast(device, choose_precision(device)):
                logits = network(augmented(pictures, rng).to(device))
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
    tried = FashionMNISTCNN()
    tried.load_state_dict({k: v.float() for k, v in load_file(arguments.out).items()}, strict=False)
    digest = hashlib.sha256(arguments.out.read_bytes()).hexdigest()
    print(f"accuracy on the 10,000 test pictures {accuracy(tried.eval()):.4f}; sha256 {digest}")


if __name__ == "__main__":
    main()
