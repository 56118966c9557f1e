"""Models that were trained on a registered data set with options are scored without being told what it was."""

import json
import shutil

import pytest

import ganzoo
from ganzoo.errors import UsageError
from ganzoo.evaluation.evaluate import evaluate

pytest.importorskip("torch_fidelity", reason="needs the package torch-fidelity")

TINY = {"generator.width": 4, "discriminator.width": 4, "batch_size": 16}

# Without a resolution to choose, and with an option that only the first of them has.
MODULE = """
import ganzoo
from dataclasses import replace

def part(name, first, count, shade):
    from ganzoo.data.fashion_mnist import fashion_mnist_10k
    whole = fashion_mnist_10k()
    return replace(whole, name=f"{name}-{shade}", samples=whole.samples[first : first + count] // shade, labels=None)

def shades(*, shade: int = 1, count: int = 400, progress=None):
    return part("shades", 0, count, shade)

def held_out(*, shade: int = 1):
    return part("others", 5000, 300, shade)

@ganzoo.hookimpl
def register(registry):
    registry.add("dataset", "shades", shades, held_out="other-shades")
    registry.add("dataset", "other-shades", held_out)
"""


@pytest.fixture
def run(load_plugins, plugin_distribution, tmp_path, monkeypatch):
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))
    load_plugins(plugin_distribution("shades", entry_points={"shades": "shades_gan"}, modules={"shades_gan.py": MODULE}))
    return ganzoo.train(
        "dcgan", data="shades?shade=2&count=350", options=TINY, images=64, device="cpu", out=tmp_path / "run", watcher=None
    )


def test_the_held_out_part_has_the_options_that_it_knows(run, tmp_path):
    alone = shutil.copytree(run.folder / "model", tmp_path / "model")
    for folder in (run.folder, alone):
        scores = evaluate(folder, samples=250, measures=("kid", "copying"))
        assert (scores.protocol.data, scores.protocol.train) == ("others-2", "shades-2")
        assert scores.held_out is True
        assert scores.values.keys() == {"kid", "kid_std", "copying"}


def test_a_name_with_options_is_samples_too(run):
    assert (
        evaluate("shades?shade=3", data="other-shades?shade=3", samples=200, measures="coverage").protocol.data == "others-3"
    )
    with pytest.raises(UsageError, match="did you mean shade"):
        evaluate("shades?shde=3", data="other-shades")


def test_a_name_in_a_model_folder_is_still_never_imported(run, tmp_path):
    folder = shutil.copytree(run.folder / "model", tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    config["training"]["data"] = "evil:data?shade=2"
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(UsageError, match="--data"):
        evaluate(folder)
