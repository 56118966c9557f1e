"""Two installed distributions that each have a variant of one name: neither is ever taken for the other."""

import itertools
import json
import re

import pytest

from ganzoo.comparison import compare
from ganzoo.errors import UsageError
from ganzoo.training.command import command_of
from ganzoo.training.config import resolve
from ganzoo.training.folder import OtherRunError, differences
from ganzoo.training.settings import Budget

CODE = """
import ganzoo
import torch

class Twin(ganzoo.Generator):
    def __init__(self, *, sample_shape: tuple[int, ...]):
        super().__init__(latent_shape=(8,), sample_shape=sample_shape)
        self.layer = torch.nn.Linear(8, torch.Size(sample_shape).numel())

    def forward(self, z, labels=None):
        return (self.layer(z).view(len(z), *self.sample_shape) * {scale}).tanh()

@ganzoo.hookimpl
def register(registry):
    registry.add("generator", "twin", Twin)
    registry.add_variant(ganzoo.Variant(
        name="twin", summary="of {name}", paper="none", generator="twin", discriminator="mlp", loss="hinge",
        presets={{
            name: ganzoo.Preset(summary="as it is", source="none", options={{
                "discriminator.hidden": [8], "batch_size": 16, "images": {images}}})
            for name in ("default", "paper"{more})
        }},
    ))
"""


@pytest.fixture
def twins(plugin_distribution):
    """The folders of first-gans, whose variant has the bare name, and of second-gans."""
    return [
        plugin_distribution(
            f"{name}-gans",
            entry_points={name: f"{name}_gans"},
            modules={f"{name}_gans.py": CODE.format(name=name, scale=scale, images=images, more=more)},
        )
        for name, scale, images, more in (("first", 1, 64, ""), ("second", 3, 96, ", 'extra'"))
    ]


@pytest.fixture
def installed(twins, load_plugins):
    return load_plugins(*twins).registry


def config(registry, variant, **options):
    return resolve(registry, variant, options=options).to_json()


def test_a_run_of_one_is_not_gone_on_with_by_the_other(run_ganzoo, twins, tmp_path):
    def train(name, *more):
        return run_ganzoo("train", name, "--images", "64", "--device", "cpu", *more, plugins=twins)

    def folder(result):
        assert result.returncode == 0, result.stderr
        return re.search(r"^model\t(.*)/model$", result.stdout, re.MULTILINE)[1]

    first, second = folder(train("twin")), folder(train("second-gans:twin"))
    assert (first, second) == ("runs/twin-fashion-mnist-10k", "runs/twin-fashion-mnist-10k-2")
    again = train("second-gans:twin")
    assert folder(again) == second
    refused = train("second-gans:twin", "--out", first)
    assert refused.returncode == 2
    assert "the distribution that the variant is from (first-gans there, second-gans here)" in refused.stderr
    told = json.loads((tmp_path / second / "model" / "config.json").read_text())
    assert told["plugin"]["distribution"] == "second-gans"
    assert told["training"]["command"].startswith("ganzoo train second-gans:twin ")


def test_a_run_with_a_part_of_one_is_another_run_than_with_that_of_the_other(installed):
    mine, other = (config(installed, "mlp", generator=f"{name}-gans:twin") for name in ("first", "second"))
    assert [row[0] for row in differences(mine, other)] == ["generator.distribution"]
    assert not differences(mine, mine)


def test_a_run_of_before_which_did_not_say_whose_its_parts_are_goes_on(installed):
    now = config(installed, "twin")
    before = {
        key: {k: v for k, v in value.items() if k != "distribution"} if "arguments" in (value or {}) else value
        for key, value in now.items()
        if isinstance(value, dict)
    }
    assert not differences({**now, **before}, now)
    assert differences({**now, **before}, config(installed, "second-gans:twin"))


@pytest.mark.parametrize("variant", ["twin", "second-gans:twin", "mlp"])
@pytest.mark.parametrize("generator", [None, "twin", "second-gans:twin"])
def test_the_command_of_a_run_computes_that_run(installed, variant, generator):
    made = resolve(installed, variant, options={"generator": generator} if generator else {})
    words = command_of(made).split()
    options = dict(word.split("=", 1) for flag, word in itertools.pairwise(words) if flag == "-o")
    again = resolve(installed, words[2], options={k: v for k, v in options.items() if k == "generator"})
    assert (again.entry, again.parts["generator"].origin) == (made.entry, made.parts["generator"].origin)


def test_a_comparison_tells_them_apart(installed, tmp_path, monkeypatch):
    pytest.importorskip("torch_fidelity", reason="needs the package torch-fidelity")
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))
    contenders = ["twin", "second-gans:twin"]
    options = {"out": tmp_path / "out", "samples": 300, "seeds": 1, "device": "cpu"}
    results = compare(contenders, budget=Budget(), **options)
    assert [(result.contender, result.images) for result in results] == [("twin", 64), ("second-gans:twin", 96)]
    assert results[0].scores != results[1].scores
    assert compare(contenders, budget=Budget(), **options) == results
    with pytest.raises(UsageError, match="twin and first-gans:twin are the same"):
        compare(["twin", "first-gans:twin"], budget=Budget(), **options)


def test_a_comparison_does_not_go_on_with_what_had_the_name_before(twins, load_plugins, tmp_path, monkeypatch):
    pytest.importorskip("torch_fidelity", reason="needs the package torch-fidelity")
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))
    options = {"out": tmp_path / "out", "samples": 300, "seeds": 1, "device": "cpu", "budget": Budget(images=64)}
    load_plugins(twins[1])
    compare(["twin"], **options)
    load_plugins(twins[0])
    with pytest.raises(OtherRunError, match="second-gans there, first-gans here"):
        compare(["twin"], **options)
