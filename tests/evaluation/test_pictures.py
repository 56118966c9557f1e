import json
import shutil
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

import ganzoo
from ganzoo import plugins
from ganzoo.data.fashion_mnist import fashion_mnist_10k
from ganzoo.errors import UsageError
from ganzoo.evaluation.evaluate import evaluate
from ganzoo.evaluation.pictures import to_grey
from ganzoo.evaluation.stamp import require_same
from ganzoo.modalities.pictures import Pictures
from ganzoo.sampling import sample_to

pytest.importorskip("torch_fidelity", reason="needs the package torch-fidelity")

TINY = {"generator.width": 4, "discriminator.width": 4, "batch_size": 16}


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="module")
def clothes():
    return fashion_mnist_10k().samples[:300, 0].numpy()


@pytest.fixture(scope="module")
def run(tmp_path_factory, clothes):
    folder = tmp_path_factory.mktemp("grey")
    np.savez(folder / "clothes.npz", arr_0=clothes)
    options = {"options": TINY, "images": 64, "device": "cpu"}
    return ganzoo.train("dcgan", data=str(folder / "clothes.npz"), out=folder / "run", **options)


def test_grey_is_as_pillow_has_it():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), np.uint8)
    theirs = np.stack([np.asarray(Image.fromarray(p).convert("L")) for p in pixels])
    assert np.array_equal(to_grey(torch.from_numpy(pixels).permute(0, 3, 1, 2))[:, 0].numpy(), theirs)
    grey = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    assert torch.equal(to_grey(grey.expand(-1, 3, -1, -1)), grey)


def test_a_grey_model_meets_a_folder_with_one_file_in_colour(run, clothes, tmp_path):
    for number, picture in enumerate(clothes):
        Image.fromarray(picture).convert("RGB" if number == 7 else "L").save(tmp_path / f"{number:03}.png")
    scores = evaluate(run.folder, data=str(tmp_path), samples=300)
    assert scores.protocol.pictures == "28x28, samples in grey, data in colour, both seen in grey"
    assert scores.held_out is False, "they are the same pictures, whatever their mode"
    assert scores.values["kid"] == evaluate(run.folder, samples=300).values["kid"]
    seen = evaluate(run.folder, data=str(tmp_path), samples=200, extractor="cifar10-cnn").protocol
    assert seen.pictures.endswith("both seen in colour")
    sheet = tmp_path / "near.png"
    evaluate(run.folder, data=str(tmp_path), train=str(tmp_path), samples=50, neighbours=sheet)
    assert Image.open(sheet).mode == "RGB"


def test_a_colour_array_meets_grey_data(clothes, tmp_path):
    np.savez(tmp_path / "colour.npz", arr_0=clothes[..., None].repeat(3, 3))
    np.savez(tmp_path / "grey.npz", arr_0=clothes)
    scores = evaluate(tmp_path / "colour.npz", data=str(tmp_path / "grey.npz"), extractor="cifar10-cnn", measures="fd")
    assert scores.values["fd"] == pytest.approx(0, abs=1e-3)
    assert scores.protocol.pictures == "28x28, samples in colour, data in grey, both seen in colour"


def test_a_grey_array_meets_data_in_colour(clothes, tmp_path):
    np.savez(tmp_path / "colour.npz", arr_0=clothes[..., None].repeat(3, 3))
    np.savez(tmp_path / "grey.npz", arr_0=clothes)
    arguments = {"extractor": "cifar10-cnn", "measures": "fd"}
    scores = evaluate(tmp_path / "grey.npz", data=str(tmp_path / "colour.npz"), **arguments)
    assert scores.values["fd"] == pytest.approx(0, abs=1e-3)
    assert scores.protocol.pictures == "28x28, samples in grey, data in colour, both seen in colour"
    np.savez(tmp_path / "red.npz", arr_0=clothes[..., None] * np.array([1, 0, 0], np.uint8))
    red = evaluate(tmp_path / "grey.npz", data=str(tmp_path / "red.npz"), **arguments)
    assert red.values["fd"] > 100 * max(scores.values["fd"], 1e-3), "what is no grey is not taken for it"


@pytest.mark.parametrize("form", ["samples.zip", "samples.npy", "samples.npz?images=mine&labels=none"])
def test_samples_are_scored_alike_in_whatever_form_they_are(clothes, tmp_path, form):
    np.savez(tmp_path / "plain.npz", arr_0=clothes)
    np.savez(tmp_path / "samples.npz", mine=clothes, other=clothes[:, :2], labels=np.arange(len(clothes)) % 7)
    np.save(tmp_path / "samples.npy", clothes)
    with zipfile.ZipFile(tmp_path / "samples.zip", "w") as archive:
        for number, picture in enumerate(clothes):
            with archive.open(f"{number:03}.png", "w") as file:
                Image.fromarray(picture).save(file, format="PNG")
    arguments = {"data": "fashion-mnist-10k", "measures": ("kid", "coverage"), "samples": 300}
    expected = evaluate(tmp_path / "plain.npz", **arguments)
    found = evaluate(f"{tmp_path}/{form}", **arguments)
    assert found.values == expected.values
    require_same(found.protocol.to_json(), expected.protocol.to_json())


def test_a_folder_that_sample_wrote_is_scored_like_the_model(run, tmp_path):
    sample_to(
        tmp_path / "samples", generator := ganzoo.load(run.folder), range(200), Pictures(sample_shape=generator.sample_shape)
    )
    told = evaluate(run.folder, samples=200, measures=("kid", "coverage"))
    source = str(tmp_path / "samples")
    found = evaluate(source, data=str(run.folder.parent / "clothes.npz"), samples=200, measures=("kid", "coverage"))
    assert found.values == pytest.approx(told.values, rel=1e-5, abs=1e-7)
    require_same(told.protocol.to_json(), found.protocol.to_json())


def test_a_part_of_the_training_data_is_not_held_out(run, clothes, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, clothes.shape, np.uint8)
    for name, shared in (("part", 40), ("one", 1), ("none", 0)):
        np.savez(tmp_path / f"{name}.npz", arr_0=np.concatenate([clothes[:shared], noise[:200]]))
        scores = evaluate(run.folder, data=str(tmp_path / f"{name}.npz"), samples=100, measures=("kid", "copying"))
        assert scores.held_out is (shared == 0)
        assert ("copying" in scores.values) is (shared == 0)
        told = f"{shared} of the {200 + shared} pictures of {tmp_path / name}.npz are among those that it was trained on"
        assert (told in scores.notes) is (shared > 0)


def test_what_was_trained_on_a_data_set_with_held_out_pictures_is_scored_by_these():
    found = plugins.load().registry.find("dataset", "fashion-mnist")
    assert found.held_out == "fashion-mnist-10k"
    scores = evaluate("dcgan-fashion-mnist", samples=200, measures="kid")
    assert scores.protocol.data == "fashion-mnist-10k"
    assert scores.held_out is not False


@pytest.mark.parametrize("data", ["evil:data", "wds/x?root=/tmp", "hfds/somebody/else", "./gone"])
def test_what_a_runs_folder_names_is_not_imported_or_downloaded(run, tmp_path, data):
    folder = shutil.copytree(run.folder, tmp_path / "run")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "data": data}))
    with pytest.raises(UsageError, match="--data"):
        evaluate(folder, samples=50)


def test_pictures_that_have_changed_since_are_said_to_have(run, clothes, tmp_path):
    folder = shutil.copytree(run.folder, tmp_path / "run")
    np.savez(tmp_path / "more.npz", arr_0=clothes[:290])
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "data": str(tmp_path / "more.npz")}))
    scores = evaluate(folder, samples=100, measures="kid")
    assert scores.held_out is None
    assert "has changed since" in scores.notes[0]
