import numpy as np
import pytest
from PIL import Image

from ganzoo import plugins


@pytest.fixture
def registry():
    return plugins.load().registry


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def paint(tmp_path, rng):
    """Write a picture of noise below tmp_path and return what was written."""

    def write(name, *, size=(40, 30), mode="RGB", values=None, **options):
        if values is None:
            values = rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        image = Image.fromarray(values)
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        (image if image.mode == mode else image.convert(mode)).save(path, **options)
        return values

    return write
