"""The generators that ship: whole, small, and what their cards say."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

import ganzoo
from ganzoo.card import card as written
from ganzoo.hub.shipped import shipped_models
from ganzoo.modalities.pictures import grid
from ganzoo.model_folder import read_config, read_scores

MODELS = shipped_models()
MOST = 3 << 20


def test_every_variant_ships_one():
    assert {read_config(folder).variant for folder in MODELS.values()} == {"mlp", "dcgan", "wgan-gp"}


@pytest.mark.parametrize("name", MODELS)
def test_it_is_small_and_says_all(name):
    folder = MODELS[name]
    files = {path.name for path in folder.iterdir()}
    assert files == {"README.md", "config.json", "metrics.json", "model.safetensors", "samples.png"}
    assert sum(path.stat().st_size for path in folder.iterdir()) < MOST
    config = read_config(folder)
    assert config.license
    assert config.training["command"].startswith(f"ganzoo train {config.variant} --data fashion-mnist ")


@pytest.mark.parametrize("name", MODELS)
def test_its_sheet_is_of_its_seeds(name):
    generator = ganzoo.load(name)
    drawn = np.asarray(grid(generator.sample(seeds=generator.config.samples.seeds)), np.int16)
    stored = np.asarray(Image.open(MODELS[name] / "samples.png"), np.int16)
    assert stored.shape == drawn.shape
    # Another processor rounds otherwise.
    assert np.abs(stored - drawn).max() <= 1


@pytest.mark.parametrize("name", MODELS)
def test_its_card_has_its_scores(name):
    text = (MODELS[name] / "README.md").read_text(encoding="utf-8")
    card = yaml.safe_load(text.split("---\n")[1])
    (row,) = read_scores(MODELS[name])
    told = {m["type"]: m["value"] for result in card["model-index"][0]["results"] for m in result["metrics"]}
    assert told["fd"] == pytest.approx(row["scores"]["fd"], abs=1e-6)
    assert text == written(MODELS[name], name), "write it anew: ganzoo.card.write_card"
    assert "TODO" not in text
    assert f'ganzoo.load("{name}")' in text


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_its_scores_can_be_had_again(name):
    (row,) = read_scores(MODELS[name])
    scores = ganzoo.evaluate(name, data="fashion-mnist-10k", measures=("fd", "coverage"))
    assert scores.values["fd"] == pytest.approx(row["scores"]["fd"], rel=0.01)
    assert scores.values["coverage"] == pytest.approx(row["scores"]["coverage"], abs=0.01)


def test_list_shows_them_with_their_scores(run_ganzoo):
    told = json.loads(run_ganzoo("list", "--kind", "models", "--json").stdout)
    assert [model["name"] for model in told] == list(MODELS)
    table = run_ganzoo("list", "--kind", "models").stdout
    for model in told:
        assert f"{model['scored'][0]['scores']['fd']:.3g}" in table


def test_scoring_a_shipped_model_writes_nothing_into_it(tmp_path):
    name = next(iter(MODELS))
    before = {path: path.read_bytes() for path in Path(MODELS[name]).iterdir()}
    ganzoo.evaluate(name, data="fashion-mnist-10k", samples=300, measures=("kid",))
    assert {path: path.read_bytes() for path in Path(MODELS[name]).iterdir()} == before
