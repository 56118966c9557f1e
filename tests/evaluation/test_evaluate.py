import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

import ganzoo
from ganzoo import plugins
from ganzoo.data.fashion_mnist import fashion_mnist_10k
from ganzoo.errors import UsageError
from ganzoo.evaluation.evaluate import evaluate
from ganzoo.evaluation.scores import read_scores
from ganzoo.evaluation.stamp import require_same
from ganzoo.modalities.pictures import Pictures

pytest.importorskip("torch_fidelity", reason="needs the package torch-fidelity")

TINY = {"generator.width": 4, "discriminator.width": 4, "batch_size": 16}


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "run"
    return ganzoo.train("dcgan", options=TINY, images=64, device="cpu", out=out)


def test_a_score_says_what_it_was_measured_by(run):
    scores = evaluate(run.folder, samples=400)
    assert scores.values["fd"] > 1
    assert scores.values["coverage"] < 0.1
    assert scores.values["class_distance"] > 0.1
    protocol = scores.protocol
    assert (protocol.extractor, protocol.data) == ("fashion-mnist-cnn", "fashion-mnist-10k")
    assert (protocol.n_real, protocol.n_fake, protocol.seed) == (400, 400, 0)
    assert len(protocol.extractor_sha256) == len(protocol.data_sha256) == 64
    assert {"ganzoo", "torch", "torch-fidelity"} <= protocol.versions.keys()
    assert evaluate(run.folder, samples=400).values == scores.values, "the same again, from the cache"


def test_scores_of_each_protocol_stay_in_the_model_folder(run):
    for samples in (300, 350, 300):
        evaluate(run.folder, samples=samples)
    rows = read_scores(run.folder / "model")
    counts = [row["protocol"]["n_fake"] for row in rows]
    assert sorted(counts) == sorted(set(counts))
    assert {300, 350} <= set(counts)


def test_samples_in_a_file_are_scored_as_they_are(tmp_path):
    real = fashion_mnist_10k().samples[:2000].permute(0, 2, 3, 1).numpy()
    np.savez(tmp_path / "real.npz", arr_0=real)
    np.savez(tmp_path / "noise.npz", arr_0=np.random.default_rng(0).integers(0, 256, real.shape, np.uint8))
    near, far = (evaluate(tmp_path / f"{n}.npz", data="fashion-mnist-10k", samples=2000) for n in ("real", "noise"))
    assert near.values["fd"] * 20 < far.values["fd"]
    assert near.values["precision"] > 0.9
    with pytest.raises(UsageError, match="--data"):
        evaluate(tmp_path / "real.npz")


def test_a_generator_in_memory_is_scored_like_its_folder(run):
    generator = ganzoo.load(run.folder)
    told = evaluate(run.folder, samples=300, measures="kid")
    assert set(told.values) == {"kid", "kid_std"}
    assert evaluate(generator, samples=300, measures="kid") == told


def test_whether_real_samples_were_held_out_is_known(run, tmp_path):
    folder = shutil.copytree(run.folder / "model", tmp_path / "model")
    assert evaluate(folder, samples=300, measures="kid").held_out is False
    some, bare = tmp_path / "some.npz", tmp_path / "bare.npz"
    np.savez(some, arr_0=fashion_mnist_10k().samples[:300].permute(0, 2, 3, 1).numpy())
    np.savez(bare, arr_0=fashion_mnist_10k().samples.squeeze(1).numpy())
    assert evaluate(some, data="fashion-mnist-10k", measures="kid").held_out is None
    for measures in ("kid", ("kid", "copying")):

        def held_out(source, data, train=None, measures=measures):
            return evaluate(source, data=str(data), train=train, samples=300, measures=measures).held_out

        assert held_out(some, "fashion-mnist-10k", "fashion-mnist-10k") is False
        assert held_out(folder, "fashion-mnist-10k", str(some)) is False, "its own hash is believed first"
        assert held_out(folder, bare) is not True, "the same pictures, without their labels"
    with pytest.raises(UsageError, match=r"rfd need real samples.*--data HELD-OUT --train DATA"):
        evaluate(folder, samples=300, measures="rfd")


def test_scores_of_different_protocols_are_not_compared(run):
    a, b = (evaluate(run.folder, samples=n).protocol.to_json() for n in (300, 350))
    with pytest.raises(UsageError, match=r"n_fake \(300 and 350\)"):
        require_same(a, b)
    require_same(a, {**a, "versions": {"torch": "9"}})


def test_of_too_few_pictures_for_a_distance_the_other_measures_are_had(run):
    scores = evaluate(run.folder, samples=50)
    assert {"kid", "precision", "recall", "density", "coverage"} <= scores.values.keys()
    assert "fd" not in scores.values
    assert "fd left out: a Fréchet distance of 96 features takes 192 samples" in scores.notes[0]
    with pytest.raises(UsageError, match="none of fd can be had here: fd left out"):
        evaluate(run.folder, samples=50, measures="fd")


def test_what_a_model_folder_names_is_not_imported(run, tmp_path):
    import shutil
    import sys

    shutil.copytree(run.folder / "model", tmp_path / "model")
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    (tmp_path / "evil.py").write_text("raise SystemExit('imported')")
    config["training"]["data"] = "evil:data"
    (tmp_path / "model" / "config.json").write_text(json.dumps(config))
    sys.path.insert(0, str(tmp_path))
    try:
        with pytest.raises(UsageError, match="--data"):
            evaluate(tmp_path / "model")
    finally:
        sys.path.remove(str(tmp_path))


def test_wrong_shapes_and_names(run, tmp_path):
    np.savez(tmp_path / "colour.npz", arr_0=np.zeros((300, 32, 32, 3), np.uint8))
    with pytest.raises(UsageError, match=r"fashion-mnist-cnn judges .*not 1x32x32"):
        evaluate(tmp_path / "colour.npz", data="fashion-mnist-10k", extractor="fashion-mnist-cnn")
    np.savez(tmp_path / "rows.npz", arr_0=np.zeros((300, 7), np.float32))
    with pytest.raises(UsageError, match=r"rows.npz cannot be scored: nothing says by which protocol .* are judged"):
        evaluate(tmp_path / "rows.npz", data="fashion-mnist-10k")
    with pytest.raises(UsageError, match="did you mean fashion-mnist-cnn"):
        evaluate(run.folder, extractor="fashion-mnst-cnn")


HALVES = """
import ganzoo

def half(first):
    def dataset(resolution=None, progress=None):
        from dataclasses import replace
        from ganzoo.data.fashion_mnist import fashion_mnist_10k
        whole = fashion_mnist_10k()
        return replace(whole, name=f"half-{first}", samples=whole.samples[first::2], labels=whole.labels[first::2])
    return dataset

@ganzoo.hookimpl
def register(registry):
    registry.add("dataset", "even", half(0))
    registry.add("dataset", "odd", half(1))
"""


@pytest.fixture
def halves(load_plugins, plugin_distribution):
    load_plugins(plugin_distribution("halves", entry_points={"halves": "halves"}, modules={"halves.py": HALVES}))


def test_held_out_data_says_how_near_is_near_enough_and_whether_a_model_copies(halves, tmp_path):
    run = ganzoo.train("dcgan", data="even", options=TINY, images=64, device="cpu", out=tmp_path / "run")
    scores = evaluate(run.folder, data="odd", samples=1000, neighbours=tmp_path / "near.png")
    assert scores.held_out is True
    assert scores.values["fd_train"] < 1
    assert scores.values["rfd"] == pytest.approx(scores.values["fd"] / scores.values["fd_train"])
    assert scores.values["rfd"] > 10
    assert scores.values["copying"] < 0.2, "what it makes is near to nothing"
    assert (scores.protocol.train, scores.protocol.data) == ("half-0", "half-1")
    sheet = np.asarray(Image.open(tmp_path / "near.png"))
    assert sheet.shape == (12 * 28, 9 * 28)
    real = {p.tobytes() for p in fashion_mnist_10k().samples[0::2].numpy()}
    assert all(sheet[r * 28 : r * 28 + 28, c * 28 : c * 28 + 28].tobytes() in real for r in range(12) for c in range(2, 9))


def test_what_is_compared_with_its_own_training_data_has_neighbours_there(run, tmp_path):
    scores = evaluate(run.folder, samples=300, neighbours=tmp_path / "near.png")
    assert (tmp_path / "near.png").exists()
    assert "copying" not in scores.values
    assert scores.protocol.train == ""


def test_a_folder_that_has_a_datasets_name_is_not_taken_for_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fashion-mnist-10k").mkdir()
    for number, picture in enumerate(fashion_mnist_10k().samples[:320, 0].numpy()):
        Image.fromarray(picture).save(tmp_path / "fashion-mnist-10k" / f"{number}.png")
    run = ganzoo.train("dcgan", data="./fashion-mnist-10k", options=TINY, images=64, device="cpu", out=tmp_path / "run")
    config = json.loads((run.folder / "model" / "config.json").read_text())
    assert config["training"]["data"] == "./fashion-mnist-10k"
    again = evaluate(run.folder, data="./fashion-mnist-10k", samples=300, measures="kid")
    assert again.held_out is False
    assert evaluate(run.folder, data="fashion-mnist-10k", samples=300, measures="kid").held_out is None, "who knows"
    # Whatever the folder says of its name, its hash says that it is not what is called so.
    config["training"]["data"] = "fashion-mnist-10k"
    alone = shutil.copytree(run.folder / "model", tmp_path / "alone")
    (alone / "config.json").write_text(json.dumps(config))
    scores = evaluate(alone, data="./fashion-mnist-10k", samples=300, measures=("kid", "copying"))
    assert "copying" not in scores.values
    assert "is not what it was trained on" in scores.notes[0]


def test_training_data_that_is_not_needed_is_not_opened(run, tmp_path, load_plugins, plugin_distribution):
    module = """
import ganzoo

def absent(resolution=None, progress=None):
    raise SystemExit("opened")

@ganzoo.hookimpl
def register(registry):
    registry.add("dataset", "absent", absent)
"""
    load_plugins(plugin_distribution("absent", entry_points={"absent": "absent"}, modules={"absent.py": module}))
    folder = shutil.copytree(run.folder / "model", tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    config["training"]["data"] = "absent"
    (folder / "config.json").write_text(json.dumps(config))
    assert "kid" in evaluate(folder, data="fashion-mnist-10k", samples=300, measures="kid").values
    with pytest.raises(SystemExit, match="opened"):
        evaluate(folder, data="fashion-mnist-10k", samples=300, measures=("kid", "copying"))


def test_what_cannot_be_measured_is_told_and_what_cannot_be_written_costs_nothing(run, tmp_path):
    folder = shutil.copytree(run.folder / "model", tmp_path / "model")
    (folder / "metrics.json").unlink(missing_ok=True)
    (folder / "metrics.json").mkdir()
    scores = evaluate(folder, data="fashion-mnist-10k", samples=300)
    assert "kid" in scores.values
    (note,) = scores.notes
    assert "nothing is written" in note
    np.savez(tmp_path / "some.npz", arr_0=fashion_mnist_10k().samples[:300].permute(0, 2, 3, 1).numpy())
    (note,) = evaluate(tmp_path / "some.npz", data="fashion-mnist-10k").notes
    assert note == "copying and rfd left out: nothing says what this model was trained on; --train DATA names it"


def test_scores_of_part_of_the_measures_are_put_beside_the_others(halves, tmp_path):
    run = ganzoo.train("dcgan", data="even", options=TINY, images=64, device="cpu", out=tmp_path / "run")
    evaluate(run.folder, data="odd", samples=300)
    evaluate(run.folder, data="odd", samples=300, measures="kid")
    (row,) = json.loads((run.folder / "model" / "metrics.json").read_text())
    assert {"kid", "fd", "rfd"} <= set(row["scores"])
    assert row["protocol"]["train"] == "half-0"


def test_neighbours_need_a_place_to_go_to(run, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot write to"):
        evaluate(run.folder, samples=300, neighbours=tmp_path / "file" / "near.png")


def test_neighbours_need_training_data(tmp_path):
    np.savez(tmp_path / "samples.npz", arr_0=np.zeros((300, 28, 28, 1), np.uint8))
    with pytest.raises(UsageError, match=r"trained on.*--train DATA"):
        evaluate(tmp_path / "samples.npz", data="fashion-mnist-10k", neighbours=tmp_path / "near.png")


def test_a_model_and_a_file_of_its_samples_have_the_same_scores(run, tmp_path):
    from ganzoo.sampling import sample_to

    generator = ganzoo.load(run.folder)
    sample_to(tmp_path / "samples.npz", generator, range(400), Pictures(sample_shape=generator.sample_shape))
    values = evaluate(run.folder, samples=400).values
    assert evaluate(tmp_path / "samples.npz", data="fashion-mnist-10k", samples=400).values == pytest.approx(values, rel=1e-6)


def test_a_plugin_brings_an_extractor_of_its_own(load_plugins, plugin_distribution, run):
    module = """
import ganzoo
import torch

class Means(ganzoo.Extractor):
    name, sha256, resize = "means", "0" * 64, "none"

    def features(self, pictures):
        return pictures.unflatten(3, (4, 7)).mean((2, 4)).flatten(1)

@ganzoo.hookimpl
def register(registry):
    registry.add("extractor", "means", Means)
"""
    load_plugins(plugin_distribution("judges", entry_points={"judges": "judges"}, modules={"judges.py": module}))
    scores = evaluate(run.folder, samples=100, extractor="means")
    assert scores.protocol.extractor == "means"
    assert torch.isfinite(torch.tensor(list(scores.values.values()))).all()


def test_measuring_again_keeps_what_was_measured_before(run):
    evaluate(run.folder, samples=300, measures=("kid", "density"))
    evaluate(run.folder, samples=300, measures=("precision",))
    rows = [row for row in read_scores(run.folder / "model") if row["protocol"]["n_fake"] == 300]
    assert len(rows) == 1
    assert {"kid", "density", "precision"} <= rows[0]["scores"].keys()


def test_training_data_by_another_name_is_still_training_data(run, tmp_path):
    from ganzoo.data import open_data

    store = open_data("fashion-mnist-10k", registry=plugins.load().registry)
    np.savez(tmp_path / "copy.npz", arr_0=store.samples.squeeze(1).numpy())
    values = evaluate(run.folder, data=str(tmp_path / "copy.npz"), samples=300).values
    assert not {"rfd", "fd_train", "copying"} & values.keys()


def test_classes_are_told_by_the_judge_whatever_the_labels_are(run, tmp_path):
    pictures = np.random.default_rng(0).integers(0, 256, (300, 28, 28), np.uint8)
    np.savez(tmp_path / "one.npz", arr_0=pictures, labels=np.zeros(300, np.int64))
    values = evaluate(run.folder, data=str(tmp_path / "one.npz"), samples=300, measures=("class_distance",)).values
    assert 0 <= values["class_distance"] <= 1
    same = evaluate(tmp_path / "one.npz", data=str(tmp_path / "one.npz"), samples=300, measures=("class_distance",)).values
    assert same["class_distance"] == 0


def test_a_damaged_cache_is_computed_anew(run, monkeypatch, tmp_path):
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))
    first = evaluate(run.folder, samples=300, measures=("kid",)).values
    (kept,) = (tmp_path / "cache" / "features").iterdir()
    raw = bytearray(kept.read_bytes())
    # Features come first in the file, after its header; the exponent of one.
    raw[8 + int.from_bytes(raw[:8], "little") + 3] ^= 0x20
    kept.write_bytes(raw)
    assert evaluate(run.folder, samples=300, measures=("kid",)).values == first
