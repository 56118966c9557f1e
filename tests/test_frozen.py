"""Runs and models of earlier versions, frozen in ``frozen/COMMIT`` by ``frozen/freeze.py``: they go on, and load."""

import json
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from frozen.freeze import processor
from safetensors.torch import load_file

import ganzoo
from ganzoo.model_folder import ModalityConfig, ModelConfig, NetworkConfig, PluginConfig, SeedsConfig

FROZEN = Path(__file__).parent / "frozen"
RUNS = sorted(path.with_suffix("") for path in FROZEN.glob("*/*.json") if path.with_suffix("").is_dir())
EXACT = [run for run in RUNS if Path(f"{run}-ema.safetensors").is_file()]
"""Those that no clock decides anything of."""


def name(run):
    return f"{run.parent.name}-{run.name}"


def is_like(folder):
    """Whether this processor computes as the one did on which a folder was frozen."""
    return processor() == json.loads((folder / "processor.json").read_text())


def go_on(run, copy, run_ganzoo):
    words = json.loads(Path(f"{run}.json").read_text())
    result = run_ganzoo("train", *words["words"], "--out", copy, *words["more"])
    assert result.returncode in (0, 3), result.stderr
    return result


@pytest.fixture(params=RUNS, ids=name)
def run(request):
    return request.param


@pytest.fixture
def copy(run, tmp_path):
    return shutil.copytree(run, tmp_path / run.name)


def test_there_is_a_run_of_each_kind_from_before_modalities():
    assert [run.name for run in RUNS if run.parent.name == "66335ca"] == ["budget", "dcgan", "mlp", "wgan-gp"]
    assert len(EXACT) >= 3


@pytest.mark.parametrize("run", EXACT, ids=name, indirect=True)
def test_the_same_command_goes_on_to_what_the_version_that_began_it_made(run, copy, run_ganzoo):
    go_on(run, copy, run_ganzoo)
    newest = max((copy / "checkpoints").iterdir())
    for file in ("networks.safetensors", "ema.safetensors"):
        made, wanted = load_file(newest / file), load_file(f"{run}-{file}")
        assert made.keys() == wanted.keys()
        if is_like(run.parent):
            assert [key for key in wanted if not torch.equal(made[key], wanted[key])] == []
        for key, tensor in wanted.items():
            torch.testing.assert_close(made[key], tensor, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("run", [run for run in RUNS if run not in EXACT], ids=name, indirect=True)
def test_a_run_with_a_time_budget_goes_on_from_where_it_was(run, copy, run_ganzoo):
    before = int(max((run / "checkpoints").iterdir()).name)
    said = go_on(run, copy, run_ganzoo).stderr
    assert f"going on after {before:,} images" in said
    assert int(max((copy / "checkpoints").iterdir()).name) > before


def test_its_model_makes_the_same_samples(run, run_ganzoo, tmp_path):
    result = run_ganzoo("sample", run, "--seeds", "0-15", "-o", "samples.npz")
    assert result.returncode == 0, result.stderr
    made, wanted = (np.load(path)["arr_0"] for path in (tmp_path / "samples.npz", f"{run}.npz"))
    assert made.dtype == wanted.dtype
    assert made.shape == wanted.shape
    assert np.abs(made.astype(int) - wanted).max() <= (0 if is_like(run.parent) else 1)


@pytest.mark.parametrize("run", EXACT[:2], ids=name, indirect=True)
def test_info_tells_of_it_and_has_the_command_that_goes_on(copy, run_ganzoo):
    told = json.loads(run_ganzoo("info", copy, "--json").stdout)
    assert (told["kind"], told["num_classes"], told["sample_shape"]) == ("run", 10, [1, 28, 28])
    before = int(max((copy / "checkpoints").iterdir()).name)
    result = run_ganzoo(*shlex.split(told["next"]["resume"])[1:])
    assert result.returncode in (0, 3), result.stderr
    assert f"going on after {before:,} images" in result.stderr


@pytest.mark.parametrize("run", EXACT[:2], ids=name, indirect=True)
def test_its_card_and_what_would_be_published_can_be_made(copy, run_ganzoo):
    assert run_ganzoo("card", copy).returncode == 0
    assert "fashion-mnist-10k" in (copy / "model" / "README.md").read_text()
    result = run_ganzoo("push", copy, "alice/old", "--license", "mit", "--dry-run")
    assert result.returncode == 0, result.stderr
    assert "model.safetensors" in result.stdout + result.stderr


@pytest.mark.parametrize("run", EXACT[:1], ids=name, indirect=True)
def test_it_can_be_scored(copy, run_ganzoo):
    pytest.importorskip("torch_fidelity", reason="needs the package torch-fidelity")
    result = run_ganzoo("evaluate", copy, "--samples", "200", "--measures", "kid", "--json")
    assert result.returncode == 0, result.stderr
    (row,) = json.loads((copy / "model" / "metrics.json").read_text())
    assert row["scores"]["kid"] > 0


READERS = {
    ModelConfig: "format ganzoo variant plugin networks sample_shape latent_shape num_classes class_names value_range "
    "training samples license",
    NetworkConfig: "component plugin arguments sha256",
    PluginConfig: "distribution version",
    SeedsConfig: "first count",
}
"""What the reader of 66335ca knows of ``config.json``, format 1. Of these, a network takes no further field."""


@pytest.mark.parametrize("part", READERS, ids=lambda part: part.__name__)
def test_what_is_written_today_is_read_by_every_reader_of_format_1(part):
    known = set(READERS[part].split())
    fields = set(part.model_fields)
    assert known <= fields
    # Fields that came later stand at the top, where older readers pass over what they do not know.
    assert fields == known or part is ModelConfig
    assert part.model_config.get("extra") == ("forbid" if part is NetworkConfig else None)


def test_a_model_folder_of_today_has_a_modality_that_older_readers_can_do_without(model):
    told = json.loads((model / "config.json").read_text())
    assert told["format"] == 1
    assert set(told) - set(READERS[ModelConfig].split()) <= {"latents", "modality"}
    assert set(told["modality"]) == set(ModalityConfig.model_fields)
    whole = ganzoo.load(model).sample(seeds=range(4))
    del told["modality"]
    (model / "config.json").write_text(json.dumps(told))
    assert torch.equal(ganzoo.load(model).sample(seeds=range(4)), whole)


def test_fields_at_the_top_that_a_reader_does_not_know_are_passed_over(model, run_ganzoo):
    path = model / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "of_tomorrow": {"x": 1}}))
    assert run_ganzoo("sample", model, "--seeds", "0", "-o", "one.png").returncode == 0


def test_no_frozen_folder_says_where_it_was_made():
    for path in FROZEN.rglob("*"):
        if path.suffix in (".json", ".jsonl", ".md"):
            assert not re.search(r"/(home|tmp|root|work)/", path.read_text()), path
