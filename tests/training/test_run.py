import json
import math

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import ganzoo
from ganzoo.errors import ModelError, PluginError, TrainingError, UsageError
from ganzoo.training.run import SHOWN

TINY = {"generator.width": 4, "discriminator.width": 4, "batch_size": 16}


def train(folder, variant="dcgan", **arguments):
    arguments = {"options": TINY, "images": 64, "device": "cpu"} | arguments
    return ganzoo.train(variant, out=folder, **arguments)


def weights(run):
    return load_file(run.folder / "model" / "model.safetensors")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return train(tmp_path_factory.mktemp("runs") / "run", images=320)


def test_the_folder_of_a_run(run):
    files = {"config.json", "metrics.jsonl", "model", "reals.png", "samples", "checkpoints"}
    assert {p.name for p in run.folder.iterdir() if p.name != ".lock"} == files
    model = {"config.json", "model.safetensors", "samples.png", "README.md"}
    assert {p.name for p in (run.folder / "model").iterdir()} == model
    assert run.images == 320
    assert not run.interrupted


def test_metrics_are_json_lines(run):
    rows = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    assert rows[-1]["images"] == 320
    assert all(math.isfinite(rows[-1][name]) for name in ("loss_d", "loss_g", "slope", "seconds"))


def test_sheets_are_drawn_as_training_goes(run):
    sheets = sorted((run.folder / "samples").iterdir())
    assert sheets[0].name == "0000000000.png"
    assert sheets[-1].name == "0000000320.png"
    assert Image.open(sheets[0]).size == (8 * 28, 8 * 28)
    assert np.asarray(Image.open(sheets[0])).tobytes() != np.asarray(Image.open(sheets[-1])).tobytes()


def test_the_real_samples_are_real(run):
    from ganzoo.data.fashion_mnist import fashion_mnist_10k

    sheet = np.asarray(Image.open(run.folder / "reals.png")).reshape(8, 28, 8, 28).swapaxes(1, 2).reshape(64, 28, 28)
    known = {picture.tobytes() for picture in fashion_mnist_10k().samples.numpy()}
    assert all(picture.tobytes() in known for picture in sheet)


def test_the_model_draws_the_sheet_that_is_beside_it(run):
    from ganzoo.modalities.pictures import grid

    generator = ganzoo.load(run.folder)
    assert np.array_equal(np.asarray(grid(generator.sample(range(SHOWN)))), np.asarray(Image.open(run.samples)))


def test_a_model_says_how_it_was_made(run):
    config = ganzoo.load(run.folder).config
    assert config.variant == "dcgan"
    assert config.training["images"] == 320
    assert config.training["dataset"]["name"] == "fashion-mnist-10k"
    assert config.training["penalties"]["slope"]["arguments"]["share"] == 0.125
    assert config.networks["generator"].arguments["width"] == 4


def test_a_seed_is_a_result(tmp_path):
    first, again, other = (train(tmp_path / str(i), seed=seed) for i, seed in enumerate((1, 1, 2)))
    assert all(torch.equal(a, b) for a, b in zip(weights(first).values(), weights(again).values(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(weights(first).values(), weights(other).values(), strict=True))


def test_dropout_is_as_repeatable_as_the_rest(tmp_path):
    options = {"discriminator.units": 4, "generator.hidden": [8], "batch_size": 8}
    runs = [train(tmp_path / str(i), "mlp", preset="paper", options=options) for i in range(2)]
    assert all(torch.equal(a, b) for a, b in zip(*(weights(r).values() for r in runs), strict=True))


def test_a_sheet_more_changes_nothing(tmp_path, monkeypatch):
    many = train(tmp_path / "many")
    monkeypatch.setattr("ganzoo.training.monitor.PREVIEWS", 1)
    few = train(tmp_path / "few")
    assert len(list((many.folder / "samples").iterdir())) > len(list((few.folder / "samples").iterdir()))
    assert all(torch.equal(a, b) for a, b in zip(weights(many).values(), weights(few).values(), strict=True))


def test_divergence_is_said(tmp_path):
    with pytest.raises(TrainingError, match="diverged"):
        train(tmp_path / "run", options={**TINY, "optimizer": "sgd", "lr": 1e30, "betas": None})
    assert not (tmp_path / "run" / "model").exists()


def test_a_folder_in_use_is_refused_before_anything_is_read(tmp_path):
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(UsageError, match="not empty"):
        train(tmp_path, data="/no/such/data")


def test_runs_without_a_name_get_one_each_and_the_same_run_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runs = [train(None), train(None, seed=1), train(None), train(None, fresh=True), train(None, seed=1)]
    names = [run.folder.name.removeprefix("dcgan-fashion-mnist-10k") for run in runs]
    assert names == ["", "-2", "", "-3", "-2"]
    assert [run.resumed for run in runs] == [0, 0, 64, 0, 64]
    assert train(None, preset="paper").folder.name == "dcgan-paper-fashion-mnist-10k"


def test_a_watcher_is_told(tmp_path):
    told = []

    class Told(ganzoo.Watcher):
        def started(self, folder, facts):
            told.append("started")

        def noticed(self, text):
            told.append(text)

        def status(self, status):
            told.append(status.images)

    train(tmp_path / "run", watcher=Told())
    assert "started" in told
    assert told[-1] == 64


def test_unbounded_samples_are_not_squeezed_into_a_range(tmp_path):
    np.save(tmp_path / "rows.npy", np.random.default_rng(0).normal(50, 10, (100, 3)).astype("f4"))
    options = {"generator.hidden": [8], "discriminator.hidden": [8], "batch_size": 8}
    run = train(tmp_path / "run", "mlp", data=str(tmp_path / "rows.npy"), options=options)
    generator = ganzoo.load(run.folder)
    assert generator.config.value_range is None
    assert generator.output == "linear"


def test_what_could_not_be_saved_is_not_trained(tmp_path, load_plugins, plugin_distribution):
    module = """
import ganzoo
import torch

class Salted(ganzoo.Generator):
    def __init__(self, *, sample_shape: tuple[int, ...], salt: int = 0):
        super().__init__(latent_shape=(2,), sample_shape=sample_shape)
        self.bias = torch.nn.Parameter(torch.zeros(sample_shape))

    def forward(self, z, labels=None):
        return self.bias.expand(len(z), *self.sample_shape)

@ganzoo.hookimpl
def register(registry):
    registry.add("generator", "salted", Salted)
"""
    load_plugins(plugin_distribution("salted", entry_points={"salted": "salted"}, modules={"salted.py": module}))
    with pytest.raises(UsageError, match=r"could not be saved.*beyond"):
        train(tmp_path / "run", "mlp", options={"generator": "salted", "generator.salt": 30_000_000})
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("shape", [(1, 28, 28), (12,)])
def test_what_is_not_bounded_is_written_as_it_is(tmp_path, shape):
    samples = np.random.default_rng(0).normal(50, 10, (100, *shape)).astype("f4")
    np.save(tmp_path / "x.npy", samples)
    options = {"generator.hidden": [8], "discriminator.hidden": [8], "batch_size": 8}
    run = train(tmp_path / "run", "mlp", data=str(tmp_path / "x.npy"), options=options)
    assert np.load(run.folder / "reals.npz")["arr_0"].max() > 60
    assert run.samples.suffix == ".npz"


@pytest.mark.parametrize("variant", ["dcgan", "wgan-gp"])
def test_networks_that_make_pictures_refuse_what_has_no_bounds(tmp_path, variant):
    np.save(tmp_path / "x.npy", np.linspace(-5, 5, 7840, dtype="f4").reshape(10, 1, 28, 28))
    with pytest.raises(UsageError, match="without bounds"):
        train(tmp_path / "run", variant, data=str(tmp_path / "x.npy"))


def test_a_run_that_never_took_a_step_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TrainingError):
        train(None, options={**TINY, "optimizer": "adahessian", "betas": None})
    assert list(tmp_path.iterdir()) == []


PICKY = """
import ganzoo
import torch

class Odd(ganzoo.Generator):
    def __init__(self, *, sample_shape: tuple[int, ...], kind: str = "tied"):
        super().__init__(latent_shape=(2,), sample_shape=sample_shape)
        self.a = torch.nn.Linear(2, 2)
        self.b = torch.nn.Linear(2, 2)
        self.c = torch.nn.Linear(2, 784)
        self.kind = kind
        if kind == "tied":
            self.b.weight = self.a.weight
        if kind == "normed":
            self.a = torch.nn.utils.weight_norm(self.a)
            self.a(torch.zeros(1, 2))

    def get_extra_state(self):
        if self.kind != "extra":
            return torch.zeros(1)
        return {"a": 1}

    def set_extra_state(self, state): ...

    def forward(self, z, labels=None):
        return self.c(self.b(self.a(z))).tanh().reshape(len(z), *self.sample_shape)

@ganzoo.hookimpl
def register(registry):
    registry.add("generator", "odd", Odd)
"""


def test_only_what_can_be_saved_is_trained(tmp_path, load_plugins, plugin_distribution, monkeypatch):
    load_plugins(plugin_distribution("picky", entry_points={"picky": "picky"}, modules={"picky.py": PICKY}))
    odd = {"generator": "odd", "batch_size": 8, "discriminator.hidden": [8]}
    run = train(tmp_path / "tied", "mlp", options=odd)
    loaded = ganzoo.load(run.folder)
    assert torch.equal(loaded.a.weight, loaded.b.weight)
    assert loaded.config.networks["generator"].plugin.distribution == "picky"
    with pytest.raises(PluginError, match="only tensors"):
        train(tmp_path / "extra", "mlp", options={**odd, "generator.kind": "extra"})
    assert not (tmp_path / "extra").exists()
    monkeypatch.setenv("GANZOO_LOAD_PLUGINS", "ganzoo")
    load_plugins()
    with pytest.raises(ModelError, match=r"picky.*GANZOO_LOAD_PLUGINS"):
        ganzoo.load(run.folder)


def test_a_run_leaves_the_callers_random_numbers_alone(tmp_path):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train(tmp_path / "run")
    assert torch.equal(torch.rand(3), expected)


def test_pictures_that_look_the_same_mirrored_are_shown_so_too(tmp_path):
    """What was decided is written down, and said again by whoever goes on with the run."""
    pictures = np.random.default_rng(0).integers(0, 256, (2000, 3, 16, 16), np.uint8)
    np.save(tmp_path / "noise.npy", pictures)
    runs = {
        name: train(tmp_path / name, data=str(tmp_path / "noise.npy"), options={**TINY, **options})
        for name, options in {"left open": {}, "asked for": {"mirror": True}, "refused": {"mirror": False}}.items()
    }
    said = {name: json.loads((run.folder / "config.json").read_text())["mirrored"] for name, run in runs.items()}
    assert said == {"left open": True, "asked for": True, "refused": False}
    made = {name: weights(run)["project.weight"] for name, run in runs.items()}
    assert torch.equal(made["left open"], made["asked for"])
    assert not torch.equal(made["left open"], made["refused"])
    longer = train(tmp_path / "left open", data=str(tmp_path / "noise.npy"), images=96)
    assert (longer.resumed, longer.images) == (64, 96)


def test_clothes_are_not_mirrored_unasked(run):
    assert json.loads((run.folder / "config.json").read_text())["mirrored"] is False


def test_what_is_no_picture_cannot_be_mirrored(tmp_path):
    np.save(tmp_path / "rows.npy", np.random.default_rng(0).standard_normal((40, 7)).astype(np.float32))
    with pytest.raises(UsageError, match="mirror=true is for pictures"):
        train(tmp_path / "run", "mlp", data=str(tmp_path / "rows.npy"), options={"mirror": True, "batch_size": 8})
