"""Fashion-MNIST (Xiao et al., 2017, arXiv:1708.07747): grey pictures of clothes, 28 x 28, in ten classes.

The 10,000 test pictures ship with ganzoo; the 60,000 training pictures are installed or downloaded.
"""

from __future__ import annotations

import contextlib
import sys
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from ganzoo.data import Progress
from ganzoo.data.arrays import open_idx
from ganzoo.data.cache import cache_folder
from ganzoo.data.store import Store
from ganzoo.errors import DataError
from ganzoo.network import unreachable

CLASSES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
DEBIAN = Path("/usr/share/datasets/fashion-mnist")

_SHIPPED = Path(__file__).parent / "shipped"


def fashion_mnist_10k(*, resolution: int | None = None, progress: Progress | None = None) -> Store:
    """The 10,000 test pictures, uint8 ``(10000, 1, 28, 28)``, with labels; they are part of this package."""
    return _open(_SHIPPED, "t10k", "fashion-mnist-10k", resolution, progress)


def fashion_mnist(*, resolution: int | None = None, progress: Progress | None = None) -> Store:
    """The 60,000 training pictures, uint8 ``(60000, 1, 28, 28)``, with labels.

    From Debian's ``dataset-fashion-mnist`` if that is installed, else from the cache, where a first use downloads them.

    Raises:
        DataError: They are not here and cannot be downloaded.
    """
    folder = DEBIAN if (DEBIAN / "train-images-idx3-ubyte.gz").is_file() else _download(cache_folder() / "fashion-mnist")
    return _open(folder, "train", "fashion-mnist", resolution, progress)


def _open(folder: Path, part: str, name: str, resolution: int | None, progress: Progress | None) -> Store:
    store = open_idx(folder / f"{part}-images-idx3-ubyte.gz", resolution=resolution, progress=progress)
    return replace(store, name=name, class_names=CLASSES)


def _download(folder: Path) -> Path:
    """The folder with the training files in it, checked; only what is missing or damaged is fetched."""
    from torchvision.datasets import FashionMNIST
    from torchvision.datasets.utils import check_integrity, download_url

    url = FashionMNIST.mirrors[0]
    try:
        with contextlib.redirect_stdout(sys.stderr):
            for file, md5 in FashionMNIST.resources:
                if file.startswith("train") and not check_integrity(str(folder / file), md5):
                    if why := unreachable(url):
                        raise ConnectionError(f"{urlsplit(url).hostname} cannot be reached: {why}")
                    download_url(url + file, folder, md5=md5)
    except (OSError, RuntimeError) as error:
        raise DataError(
            f"Fashion-MNIST is not on this machine and cannot be downloaded: {error}",
            hint="try: --data fashion-mnist-10k, which needs no network, or on Debian: apt install dataset-fashion-mnist",
        ) from error
    return folder
