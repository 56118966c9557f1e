"""Samples that are no pictures, models that are no GANs, and parts of a stranger's, by the public hooks alone."""

import csv
import inspect
import json
import os
import re
import shlex
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

import ganzoo
from ganzoo import plugins
from ganzoo.card import write_card
from ganzoo.data.fashion_mnist import fashion_mnist_10k
from ganzoo.data.order import Order
from ganzoo.errors import ModelError, PluginError, UsageError
from ganzoo.files import write_json
from ganzoo.interfaces import Critique
from ganzoo.modalities.array import Array
from ganzoo.modality_of import modality_of
from ganzoo.model_folder import read_config
from ganzoo.noise import Noise
from ganzoo.penalties import R1, GradientPenalty, input_gradients
from ganzoo.pretrained import config_of
from ganzoo.sampling import sample_to

STRAINED = Path(__file__).parent / "strained"


@pytest.fixture(autouse=True)
def _installed(load_plugins):
    load_plugins(STRAINED)


@pytest.fixture
def ganzoo_with_strained(ganzoo_here, load_plugins):
    """The command, with the strained plugin installed."""
    load_plugins(STRAINED)
    return ganzoo_here


def test_texts_are_stored_as_bytes_and_come_back_as_lines(ganzoo_with_strained, tmp_path):
    done = ganzoo_with_strained("train", "strained-text", "--out", "run", "--threads", "1")
    assert done.returncode == 0, done.stderr
    assert "words: 200 texts, of up to 6 of 4 letters" in done.stderr
    assert not list((tmp_path / "run").rglob("*.png"))
    shown = (tmp_path / "run" / "reals.txt").read_text().splitlines()
    assert len(shown) == 64
    assert all(re.fullmatch("[abc]{1,5}", word) for word in shown)

    written = ganzoo_with_strained("sample", "run", "--seeds", "0-299", "-o", "words.txt")
    assert written.returncode == 0, written.stderr
    lines = (tmp_path / "words.txt").read_text().split("\n")[:-1]
    generator = ganzoo.load(tmp_path / "run")
    assert lines == ganzoo.decode(generator, generator.sample(seeds=range(300)))
    assert "makes texts of up to 6 of 4 letters" in (tmp_path / "run" / "model" / "README.md").read_text()
    assert "pipeline_tag" not in (tmp_path / "run" / "model" / "README.md").read_text()
    assert "- `samples.txt`: samples, none picked\n" in (tmp_path / "run" / "model" / "README.md").read_text()


def test_texts_go_to_npz_too_and_to_no_picture(ganzoo_with_strained, tmp_path):
    assert ganzoo_with_strained("train", "strained-text", "--out", "run", "--threads", "1").returncode == 0
    assert ganzoo_with_strained("sample", "run", "--seeds", "0-9", "-o", "words.npz").returncode == 0
    assert np.load(tmp_path / "words.npz")["arr_0"].shape == (10, 6, 4)
    refused = ganzoo_with_strained("sample", "run", "-o", "words.png")
    assert refused.returncode == 2
    assert "cannot write texts to 'words.png'" in refused.stderr
    assert ".txt or .npz" in refused.stderr


def test_a_dataset_takes_options_as_networks_do(ganzoo_with_strained):
    done = ganzoo_with_strained("train", "strained-text", "--data", "strained-words?length=9&count=50", "--out", "run")
    assert done.returncode == 0, done.stderr
    assert "words: 50 texts, of up to 9 of 4 letters" in done.stderr
    for spec, said in (
        ("strained-words?lenght=9", "did you mean length? options are length: Of the longest, its end included."),
        ("strained-words?length=2", "strained-words?length=2: it must be at least 3"),
        ("strained-words?length=nine", "it must be a whole number"),
    ):
        refused = ganzoo_with_strained("train", "strained-text", "--data", spec, "--dry-run")
        assert refused.returncode == 2, spec
        assert said in refused.stderr, refused.stderr
    refused = ganzoo_with_strained("train", "strained-text", "--resolution", "8", "--dry-run")
    assert "has no resolution to choose" in refused.stderr


def test_a_table_with_categories_comes_back_as_csv(ganzoo_with_strained, tmp_path):
    done = ganzoo_with_strained("train", "strained-table", "--images", "4000", "--out", "run", "--threads", "1")
    assert done.returncode in (0, 3), done.stderr
    assert "rows of a table, with the columns kind, weight" in done.stderr
    written = ganzoo_with_strained("sample", "run", "--seeds", "0-599", "-o", "rows.csv")
    assert written.returncode == 0, written.stderr
    with (tmp_path / "rows.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 600
    assert {row["kind"] for row in rows} <= {"cat", "dog"}
    weights = np.array([float(row["weight"]) for row in rows])
    assert np.isfinite(weights).all()
    assert weights.std() > 0.1


def test_what_samples_are_is_checked_when_a_model_is_loaded(tmp_path):
    run = ganzoo.train("strained-table", out=tmp_path / "run", threads=1, watcher=None)
    folder = run.folder / "model"
    config = json.loads((folder / "config.json").read_text())
    assert config["modality"]["name"] == "strained-table"
    assert [column["name"] for column in config["modality"]["fields"]["columns"]] == ["kind", "weight"]
    ganzoo.load(folder)
    for change, said in (
        ({"fields": {"columns": [], "sample_shape": [3]}}, "modality.columns"),
        ({"fields": {**config["modality"]["fields"], "sample_shape": [4]}}, "samples of shape"),
        ({"name": "no-such-thing"}, "needs the modality 'no-such-thing'"),
    ):
        write_json(folder / "config.json", {**config, "modality": {**config["modality"], **change}})
        with pytest.raises(ModelError, match=re.escape(said)):
            ganzoo.load(folder)


def test_what_is_shown_as_npz_is_decoded_once_a_sheet_and_never_by_the_thread_that_writes(tmp_path, monkeypatch):
    np.save(tmp_path / "rows.npy", np.random.default_rng(0).normal(size=(80, 4)).astype(np.float32))
    calls, decode = [], Array.decode

    def counted(self, samples):
        calls.append(threading.current_thread().name)
        return decode(self, samples)

    def sheets(images):
        calls.clear()
        data = str(tmp_path / "rows.npy")
        run = ganzoo.train("strained-rows", data=data, images=images, out=tmp_path / str(images), threads=1, watcher=None)
        return len(list((run.folder / "samples").glob("*.npz"))), list(calls)

    monkeypatch.setattr(Array, "decode", counted)
    (few, before), (many, after) = sheets(80), sheets(640)
    assert few < many
    # Both runs decode as much besides: in the rehearsal, of real samples, and for the model.
    assert len(after) - len(before) == many - few
    assert {*before, *after} == {"MainThread"}


def failing(monkeypatch, modality, asked):
    """Have a modality fail in one of its methods or properties."""

    def fails(*_):
        raise RuntimeError("no such letter")

    is_property = isinstance(inspect.getattr_static(modality, asked), property)
    monkeypatch.setattr(modality, asked, property(fails) if is_property else fails)


@pytest.mark.parametrize(
    "asked",
    [
        *("check", "encode", "value_range", "noun", "form", "describe", "output"),
        *("decode", "rows", "preview", "sheet", "summary"),
    ],
)
def test_what_a_modality_fails_in_is_said_before_the_first_step(tmp_path, monkeypatch, asked):
    failing(monkeypatch, plugins.load().registry.resolve("modality", "strained-text"), asked)
    said = rf"the modality 'strained-text' fails in {asked}: RuntimeError: no such letter \(.*:\d+\)$"
    with pytest.raises(PluginError, match=said) as error:
        ganzoo.train("strained-text", out=tmp_path / "run", images=64, threads=1, watcher=None)
    assert "\n" not in error.value.message
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("asked", "found", "said"),
    [
        ("summary", torch.zeros(3), r"summary of .* returned a tensor of shape \(3,\); it is a tensor of shape \(64, F\)"),
        ("sheet", np.zeros((4, 4)), r"sheet of .* returned an array \(4, 4\) of float64; it is a NumPy array \(H, W, C\)"),
        ("preview", {"txt": "abc"}, r"shows samples as \.txt in a str, not in bytes"),
    ],
)
def test_what_a_modality_returns_of_another_kind_is_said_before_the_first_step(tmp_path, monkeypatch, asked, found, said):
    text = plugins.load().registry.resolve("modality", "strained-text")
    monkeypatch.setattr(text, asked, lambda *_: found)
    with pytest.raises(PluginError, match=said):
        ganzoo.train("strained-text", out=tmp_path / "run", images=64, threads=1, watcher=None)
    assert not (tmp_path / "run").exists()


def test_what_a_modality_fails_in_when_samples_are_drawn_is_one_line(tmp_path, monkeypatch):
    run = ganzoo.train("strained-text", out=tmp_path / "run", images=64, threads=1, watcher=None)
    generator = ganzoo.load(run.folder)
    text = plugins.load().registry.resolve("modality", "strained-text")
    with monkeypatch.context() as patch:
        failing(patch, text, "decode")
        with pytest.raises(PluginError, match="'strained-text' fails in decode: RuntimeError"):
            ganzoo.decode(generator, generator.sample(seeds=range(2)))
        modality = modality_of(config_of(generator))
        with pytest.raises(PluginError, match=r"'strained-text' fails in writing \.txt: RuntimeError"):
            sample_to(tmp_path / "x.txt", generator, range(2), modality)
        with pytest.raises(PluginError, match="'strained-text' fails in rows: RuntimeError"):
            sample_to(tmp_path / "x.npz", generator, range(2), modality)
    failing(monkeypatch, text, "describe")
    with pytest.raises(PluginError, match="'strained-text' fails in describe: RuntimeError"):
        write_card(run.folder / "model", "words")
    assert not [path for path in tmp_path.iterdir() if path.name != "run"]


def test_a_vae_needs_neither_discriminator_nor_loss(ganzoo_with_strained, tmp_path):
    done = ganzoo_with_strained("train", "strained-vae", "--images", "2000", "--out", "run", "--threads", "1")
    assert done.returncode in (0, 3), done.stderr
    assert "discriminator" not in done.stderr
    told = json.loads((tmp_path / "run" / "config.json").read_text())
    assert "loss" not in told
    assert "discriminator" not in told
    card = (tmp_path / "run" / "model" / "README.md").read_text()
    assert "A variational autoencoder that makes grey pictures of 28x28 pixels" in card
    assert "- gan\n" not in card
    assert read_config(tmp_path / "run" / "model").networks.keys() == {"generator", "encoder"}
    refused = ganzoo_with_strained("train", "strained-vae", "--loss", "hinge", "--dry-run")
    assert refused.returncode == 2
    assert "takes no loss" in refused.stderr
    refused = ganzoo_with_strained("train", "strained-vae", "--penalty", "r1", "--dry-run")
    assert "takes no penalties" in refused.stderr


def test_a_vae_goes_on_to_the_same_bits(tmp_path):
    whole = ganzoo.train("strained-vae", images=512, out=tmp_path / "whole", threads=1, watcher=None)
    ganzoo.train("strained-vae", images=256, out=tmp_path / "parts", threads=1, watcher=None)
    parts = ganzoo.train("strained-vae", images=512, out=tmp_path / "parts", threads=1, watcher=None)
    a, b = (ganzoo.load(run.folder).state_dict() for run in (whole, parts))
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_fifteen_judgements_of_a_sample_are_averaged_and_penalised_by_sample(tmp_path):
    run = ganzoo.train("strained-patches", out=tmp_path / "run", threads=1, watcher=None)
    rows = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    assert {"slope", "finite-difference", "gradient-penalty"} <= rows[-1].keys()

    part = plugins.load().registry.resolve("discriminator", "strained_gans.patches:PatchScales")
    judge = part(sample_shape=(1, 16, 16))
    x = torch.randn(4, 1, 16, 16)
    logits = judge(x)
    assert logits.shape == (4, 15)
    # What a penalty sees of a sample does not depend on into how many numbers its judgement is cut.
    mean = torch.autograd.functional.jacobian(lambda x: judge(x).mean(1), x).diagonal(dim1=0, dim2=1).flatten(0, -2).T
    torch.testing.assert_close(input_gradients(judge, x, None), mean.reshape(4, -1))
    real, fake = judge(x), judge(x)
    critique = Critique(judge, x, torch.randn_like(x), real, fake, None, Noise(0))
    assert R1()(critique).ndim == GradientPenalty()(critique).ndim == 0


def test_an_augmentation_of_a_strangers_is_applied_to_what_the_discriminator_sees(ganzoo_with_strained, tmp_path):
    np.save(tmp_path / "rows.npy", np.random.default_rng(0).normal(size=(80, 4)).astype(np.float32))
    words = ("train", "strained-rows", "--data", "rows.npy", "--threads", "1")
    runs = {}
    for name, more in {
        "plain": (),
        "weak": ("--augment", "strained-grain=0"),
        "strong": ("--augment", "strained-grain"),
    }.items():
        done = ganzoo_with_strained(*words, *more, "--out", name)
        assert done.returncode == 0, done.stderr
        runs[name] = ganzoo.load(tmp_path / name).state_dict()
    assert all(torch.equal(runs["plain"][key], runs["weak"][key]) for key in runs["plain"]), "of strength 0 it does nothing"
    assert not all(torch.equal(runs["plain"][key], runs["strong"][key]) for key in runs["plain"])
    told = json.loads((tmp_path / "strong" / "config.json").read_text())
    assert told["augmentations"]["strained-grain"]["arguments"] == {"p": 1.0, "size": 0.1}
    again = ganzoo_with_strained(*shlex.split(told["command"])[1:], "--dry-run")
    assert json.loads(again.stdout)["augmentations"] == told["augmentations"]


def test_an_augmentation_for_pictures_refuses_what_is_none(tmp_path):
    with pytest.raises(UsageError, match="Mirror is for pictures, and these are rows of a table"):
        ganzoo.train("strained-table", augment="mirror", out=tmp_path / "run", watcher=None)
    assert not (tmp_path / "run").exists()


TINY = ("-o", "generator.hidden=[8]", "-o", "discriminator.hidden=[8]", "-o", "batch_size=16")


@pytest.fixture
def mlp(ganzoo_with_strained, tmp_path):
    """A run on pictures, which its plugin knows nothing of."""
    done = ganzoo_with_strained("train", "mlp", *TINY, "--images", "64", "--threads", "1", "--out", "run")
    assert done.returncode in (0, 3), done.stderr
    return tmp_path / "run"


def test_a_measure_of_a_strangers_is_one_row_and_one_function(ganzoo_with_strained, mlp):
    listed = ganzoo_with_strained("list", "strained-*", "--kind", "measures")
    title, meaning = "difference in brightness", "as part of the whole range; 0 is alike"
    (line,) = [line for line in listed.stdout.splitlines() if line.startswith("strained-brightness\tlower\t")]
    assert f"{title}: between the means" in line
    assert meaning in line
    done = ganzoo_with_strained("evaluate", "run", "--samples", "300", "--measures", "strained-brightness", "--json")
    assert done.returncode == 0, done.stderr
    (score,) = json.loads(done.stdout)["scores"].values()
    generator = ganzoo.load(mlp)
    mine = ganzoo.decode(generator, generator.sample(seeds=range(300))).mean() / 255
    # As evaluate compares, with so many real pictures in the order of its seed.
    real = fashion_mnist_10k().samples[Order(10_000, 0).indices(0, 300)].numpy().mean() / 255
    assert score == pytest.approx(abs(mine - real), abs=1e-6)
    card = (mlp / "model" / "README.md").read_text()
    assert f"| {title} | {score:.4g} | between the means of samples and of real pictures, {meaning} |" in card
    assert f"strained-brightness  {score:.4g}" in ganzoo_with_strained("info", "run").stdout


def test_a_run_is_scored_by_a_measure_of_a_strangers_as_it_goes(ganzoo_with_strained, tmp_path):
    words = ("train", "mlp", *TINY, "--images", "128", "--threads", "1", "--out", "run")
    done = ganzoo_with_strained(*words, "--until", "strained-brightness=0.9", "--score-every", "64")
    assert done.returncode in (0, 3), done.stderr
    assert "strained-brightness" in done.stderr
    assert "as good as was asked for" in done.stderr
    assert json.loads((tmp_path / "run" / "model" / "config.json").read_text())["training"]["images"] == 64


def test_texts_are_judged_by_the_protocol_that_their_modality_names(ganzoo_with_strained, tmp_path):
    assert ganzoo_with_strained("train", "strained-text", "--out", "run", "--threads", "1").returncode == 0
    done = ganzoo_with_strained("evaluate", "run", "--samples", "150", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["scores"].keys() == {"strained-overlap"}
    assert 0 < told["scores"]["strained-overlap"] <= 1
    assert told["protocol"]["method"] == "strained-letters"
    assert "extractor" not in told["protocol"]
    card = (tmp_path / "run" / "model" / "README.md").read_text()
    assert "| overlap of letters |" in card
    assert "by the protocol strained-letters" in card
    assert "None" not in card
    assert "by the protocol strained-letters" in ganzoo_with_strained("info", "run").stdout
    refused = ganzoo_with_strained("evaluate", "run", "--measures", "kid")
    assert refused.returncode == 2
    assert "kid left out: it needs features, and texts are judged without" in refused.stderr
    refused = ganzoo_with_strained("evaluate", "run", "--extractor", "inception")
    assert "texts are judged without an extractor" in refused.stderr


def test_what_no_protocol_judges_is_refused_in_one_line(ganzoo_with_strained):
    assert ganzoo_with_strained("train", "strained-table", "--out", "run", "--threads", "1").returncode in (0, 3)
    refused = ganzoo_with_strained("evaluate", "run")
    assert refused.returncode == 2
    said = "ganzoo: run cannot be scored: nothing says by which protocol rows of a table"
    assert refused.stderr.startswith(said)
    assert refused.stderr.count("\n") == 1


def test_a_head_knows_of_the_generators_codes_and_options_also_when_it_is_loaded(tmp_path):
    np.save(tmp_path / "rows.npy", np.random.default_rng(0).normal(size=(80, 4)).astype(np.float32))
    options = {"generator.digits": 4, "discriminator.hidden": 24}
    words = {"data": str(tmp_path / "rows.npy"), "options": options, "threads": 1, "watcher": None}
    run = ganzoo.train("strained-codes", out=tmp_path / "run", **words)
    generator, head = (ganzoo.load(run.folder, role=role) for role in ("generator", "head"))
    assert [(latent.name, latent.kind, latent.size) for latent in generator.latents] == [
        ("noise", "normal", 5),
        ("angle", "uniform", 1),
        ("digit", "categorical", 4),
    ]
    assert head(generator.sample(seeds=range(3))).shape == (3, 5)
    assert head.told == ({"digits": 4, "hidden": 16}, {"hidden": 24})
    told = json.loads((run.folder / "model" / "config.json").read_text())
    for change, said in (
        ({"training": {}}, "does not say how its discriminator was built"),
        ({"training": {**told["training"], "discriminator": {"name": "os:system", "arguments": {}}}}, "declares"),
        ({"latents": [{"name": "noise", "kind": "gamma", "size": 5}]}, "latents"),
    ):
        write_json(run.folder / "model" / "config.json", {**told, **change})
        with pytest.raises(ModelError, match=said):
            ganzoo.load(run.folder, role="head")


def test_loading_a_model_leaves_what_a_plugin_made_when_it_was_imported_as_it_is(ganzoo_with_strained, tmp_path):
    run = ganzoo.train("strained-table", out=tmp_path / "run", threads=1, watcher=None)
    code = f"import ganzoo; g = ganzoo.load({str(run.folder)!r}); from strained_gans.table import KEPT; print(KEPT.tolist())"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(STRAINED), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[0, 1, 2]", done.stderr


def test_data_sets_that_differ_in_what_their_samples_are_are_two(load_plugins):
    table = plugins.load().registry.resolve("dataset", "strained-pets")()
    columns = table.modality.columns
    other = type(table.modality).of(columns[0].model_copy(update={"categories": ("dog", "cat")}), *columns[1:])
    turned = ganzoo.Store(table.name, table.samples, modality=other)
    assert table.describe() != turned.describe()
    assert "modality" not in ganzoo.Store("x", torch.zeros(4, 3)).describe(), "what all can see is not said: older runs go on"


def test_info_of_a_run_imports_neither_torch_nor_the_plugins_modality(ganzoo_with_strained, tmp_path):
    ganzoo.train("strained-table", out=tmp_path / "run", threads=1, watcher=None)
    done = ganzoo_with_strained("info", "run")
    assert "-o samples.csv" in done.stdout, done.stderr
    code = (
        "import sys; sys.argv = ['ganzoo', 'info', 'run', '--json']\n"
        "from ganzoo.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print([m for m in ('torch', 'strained_gans.table') if m in sys.modules], file=sys.stderr)"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(STRAINED), os.environ.get("PYTHONPATH", "")])}
    told = subprocess.run([sys.executable, "-c", code], env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert told.stderr.strip().endswith("[]"), told.stderr
