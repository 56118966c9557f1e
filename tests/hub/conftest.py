"""A model to put on the Hub: tiny, and really trained."""

import shutil

import pytest

import ganzoo


@pytest.fixture(scope="session")
def _trained(tmp_path_factory):
    run = ganzoo.train(
        "mlp",
        images=256,
        out=tmp_path_factory.mktemp("trained") / "run",
        options={"generator.hidden": [16], "discriminator.hidden": [16], "batch_size": 32},
    )
    return run.folder / "model"


@pytest.fixture
def model(_trained, tmp_path):
    """A model folder of one's own."""
    return shutil.copytree(_trained, tmp_path / "model")
