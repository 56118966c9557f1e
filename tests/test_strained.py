"""The contracts carry what the shipped variants do not need: six variants of a stranger's, by the public hooks alone."""

import itertools
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import ganzoo
from ganzoo import plugins
from ganzoo.data.order import Order
from ganzoo.errors import UsageError
from ganzoo.modalities.pictures import grid
from ganzoo.training.config import resolve
from ganzoo.training.prepare import prepare
from ganzoo.training.run import execute

STRAINED = Path(__file__).parent / "strained"
VARIANTS = {f"strained-{name}" for name in ("labels", "vae-gan", "cycle", "waves", "rows", "backbone")}
COUNT = 80


@pytest.fixture(autouse=True)
def _installed(load_plugins):
    load_plugins(STRAINED)


@pytest.fixture
def train(tmp_path):
    """Train a variant on some samples, load what it left, and see that a seed's sample depends on the seed alone."""

    def train(variant, samples, labels=None, **options):
        out = tmp_path / f"run-{len(list(tmp_path.iterdir()))}"
        data = write(tmp_path, samples, labels)
        run = ganzoo.train(variant, data=data, options=options, device="cpu", out=out)
        assert run.images == 64
        generator = ganzoo.load(run.folder)
        assert generator.sample_shape == samples.shape[1:]
        several = generator.sample(seeds=[5, 3, 9])
        assert several.shape == (3, *samples.shape[1:])
        assert torch.equal(generator.sample(seeds=3)[0], several[1])
        assert not torch.equal(several[0], several[1])
        return run, generator

    return train


def write(folder, samples, labels=None):
    """The samples as a file, and its name."""
    if labels is None:
        np.save(folder / "samples.npy", samples)
        return str(folder / "samples.npy")
    np.savez(folder / "samples.npz", samples=samples, labels=labels)
    return str(folder / "samples.npz")


def pictures(shape, labels=0):
    """Noise, the brighter the higher its label."""
    dark = np.random.default_rng(0).integers(0, 100, (COUNT, *shape))
    return (dark + 50 * np.broadcast_to(labels, COUNT).reshape(-1, 1, 1, 1)).astype(np.uint8)


def sines(length):
    rng = np.random.default_rng(0)
    periods, phases = rng.uniform(4, 16, (COUNT, 1, 1)), rng.uniform(0, 2 * np.pi, (COUNT, 1, 1))
    return np.sin(2 * np.pi * periods * np.arange(length) / length + phases).astype(np.float32)


def gaussians(columns):
    """Correlated columns, far from [-1, 1]."""
    rng = np.random.default_rng(0)
    return (10 + rng.normal(size=(COUNT, columns)) @ rng.normal(size=(columns, columns))).astype(np.float32)


def at_start(variant, data, **options):
    """A run of the variant before its first step."""
    return prepare(resolve(plugins.load().registry, variant, data=data, options=options), device="cpu")


def metrics(run):
    """The last value of each of the run's metrics."""
    rows = map(json.loads, (run.folder / "metrics.jsonl").read_text().splitlines())
    return {name: value for row in rows for name, value in row.items()}


def moved(before, after):
    """The names of the tensors in which two networks differ."""
    others = after.state_dict()
    return {name for name, tensor in before.state_dict().items() if not torch.equal(tensor, others[name])}


@pytest.mark.parametrize(("shape", "penalties"), [((1, 16, 16), {}), ((3, 24, 24), {"r1": {"weight": 0.1}})], ids=str)
def test_labels_reach_both_networks(shape, penalties, train, tmp_path):
    classes = np.arange(COUNT) % 3
    run, generator = train("strained-labels", pictures(shape, classes), classes, penalties=penalties)
    assert generator.num_classes == 3

    by_class = [generator.sample(seeds=7, labels=label) for label in range(3)]
    assert not any(torch.equal(a, b) for a, b in itertools.combinations(by_class, 2))
    assert torch.equal(generator.sample(seeds=[6, 7, 8])[1:2], by_class[7 % 3])

    before = at_start("strained-labels", write(tmp_path, pictures(shape, classes), classes)).networks["discriminator"]
    after = ganzoo.load(run.folder, role="discriminator")
    learned = (before.embedding.weight != after.embedding.weight).any(dim=1)
    assert learned.all(), "the discriminator was told every class"


def test_a_network_may_refuse_data_without_labels(tmp_path):
    with pytest.raises(UsageError, match="no labels"):
        ganzoo.train("strained-labels", data=write(tmp_path, pictures((1, 16, 16))), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("samples", [pictures((1, 12, 12)), gaussians(6)], ids=["pictures", "rows"])
def test_a_third_network_learns_and_is_kept(samples, train, tmp_path):
    options = {"generator.latent_dim": 10, "encoder.hidden": 24}
    run, generator = train("strained-vae-gan", samples, **options)
    assert metrics(run)["reconstruction"] > 0

    encoder = ganzoo.load(run.folder, role="encoder")
    mean, log_variance = encoder(torch.zeros(2, *samples.shape[1:]))
    assert mean.shape == log_variance.shape == (2, *generator.latent_shape) == (2, 10)
    assert generator.sample(latents=mean).shape == (2, *samples.shape[1:])

    before = at_start("strained-vae-gan", write(tmp_path, samples), **options).networks["encoder"]
    assert moved(before, encoder) == set(before.state_dict())


@pytest.mark.parametrize("shape", [(1, 12, 12), (3, 16, 16)], ids=str)
def test_two_generators_translate_between_two_domains(shape, train):
    domains = (np.arange(COUNT) % 4 == 0).astype(np.int64)
    samples = pictures(shape, domains)
    run, there = train("strained-cycle", samples, domains)
    back = ganzoo.load(run.folder, role="generator_back")
    assert moved(there, back)
    assert metrics(run)["cycle"] > 0

    shown = Order(COUNT, 0).indices(0, 64)
    reals = torch.from_numpy(samples)[shown].float() / 127.5 - 1
    translated = there.sample(latents=reals)
    assert torch.equal(there.sample(latents=reals[5:6])[0], translated[5])
    wanted = torch.where(torch.from_numpy(domains == 0)[shown].view(-1, 1, 1, 1), translated, back.sample(latents=reals))
    drawn = np.asarray(Image.open(run.samples)).astype(int)
    assert np.abs(drawn - np.asarray(grid(wanted)).astype(int)).max() <= 1, "each picture went the way its label says"


def test_two_domains_are_asked_for(tmp_path):
    data = write(tmp_path, pictures((1, 12, 12)), np.arange(COUNT) % 3)
    with pytest.raises(UsageError, match="two classes, this data has 3"):
        ganzoo.train("strained-cycle", data=data, out=tmp_path / "run")


@pytest.mark.parametrize("length", [256, 1024])
def test_waveforms_under_a_gradient_penalty(length, train):
    run, generator = train("strained-waves", sines(length))
    assert metrics(run)["gradient-penalty"] > 0
    assert ganzoo.load(run.folder).config.value_range is None
    with np.load(run.samples) as preview:
        assert preview["arr_0"].shape == (64, 1, length)
        assert preview["arr_0"].dtype == np.float32

    for option, value in (("penalties.gradient-penalty.weight", 0.0), ("n_critic", 1)):
        _, other = train("strained-waves", sines(length), **{option: value})
        assert not torch.equal(generator.sample(seeds=0), other.sample(seeds=0)), f"{option} changes nothing"


@pytest.mark.parametrize("columns", [5, 12])
def test_rows_of_a_table_under_a_lazy_penalty(columns, train):
    run, generator = train("strained-rows", gaussians(columns))
    assert metrics(run)["r1"] > 0
    with np.load(run.samples) as preview:
        torch.testing.assert_close(torch.from_numpy(preview["arr_0"]), generator.sample(seeds=range(64)))

    # As strong as twice the weight at every second step, were it not for the steps between.
    _, other = train("strained-rows", gaussians(columns), penalties={"r1": {"weight": 2.0}})
    assert not torch.equal(generator.sample(seeds=0), other.sample(seeds=0)), "the penalty comes at every step"


@pytest.mark.parametrize("shape", [(1, 32, 32), (3, 48, 48)], ids=str)
def test_a_frozen_backbone_stays_as_it_is_under_a_head_that_learns(shape, train, tmp_path):
    run, _ = train("strained-backbone", pictures(shape))
    before = at_start("strained-backbone", write(tmp_path, pictures(shape))).networks["discriminator"]
    changed = moved(before, ganzoo.load(run.folder, role="discriminator"))
    assert {name.split(".")[0] for name in changed} == {"head"}, "a weight or a statistic of the backbone moved"


def test_a_frozen_backbone_comes_out_of_training_as_it_went_in(tmp_path):
    prepared = at_start("strained-backbone", write(tmp_path, pictures((1, 32, 32))), images=16)
    execute(prepared)
    discriminator = prepared.networks["discriminator"]
    assert all(p.requires_grad for p in discriminator.head.parameters())
    assert not any(p.requires_grad for p in discriminator.backbone.parameters())
    assert discriminator.training
    assert not any(module.training for module in discriminator.backbone.modules())


def test_the_command_takes_a_strangers_variant_as_any_other(run_ganzoo, tmp_path):
    data = write(tmp_path, gaussians(12))
    done = run_ganzoo("train", "strained-rows", "--data", data, "--device", "cpu", "--out", "run", plugins=[STRAINED])
    assert done.returncode == 0, done.stderr
    generator = ganzoo.load(tmp_path / "run")
    assert generator.sample(seeds=range(2)).shape == (2, 12)
    config = generator.config
    assert (config.variant, config.plugin.distribution, config.plugin.version) == ("strained-rows", "strained-gans", "1.0")


def test_ganzoo_knows_none_of_them():
    assert set(plugins.load().registry.names("variant")) >= VARIANTS
    sources = list(Path(ganzoo.__file__).parent.rglob("*.py"))
    assert sources
    assert not [path for path in sources if re.search(r"\bstrained", path.read_text(encoding="utf-8"))]
