"""A run, or a model, whose plugin is gone says which one it was."""

import json
import sys
from pathlib import Path

import pytest

import ganzoo
from ganzoo.comparison import compare
from ganzoo.errors import GanzooError, UnknownNameError
from ganzoo.hub.push import push
from ganzoo.training.folder import read_run
from ganzoo.training.settings import Budget

SPIRAL = """
import ganzoo

@ganzoo.hookimpl
def register(registry):
    small = ganzoo.Preset(summary="small", options={"generator.hidden": [8], "discriminator.hidden": [8], "batch_size": 16})
    registry.add_variant(ganzoo.Variant(
        name="spiral", summary="of a stranger's", paper="none", generator="mlp", discriminator="mlp",
        presets={"default": small, "paper": small},
    ))
"""

PARTS = """
import ganzoo, numpy, torch

class Soft(ganzoo.Loss):
    def discriminator(self, real, fake):
        return (fake - real).mean()
    def generator(self, real, fake):
        return -fake.mean()

class Drift(ganzoo.Penalty):
    def __call__(self, critique):
        return critique.real_logits.square().mean()

def dots(*, resolution=None, progress=None):
    return ganzoo.Store("dots", torch.randint(0, 256, (200, 1, 8, 8), dtype=torch.uint8))

@ganzoo.hookimpl
def register(registry):
    registry.add("loss", "soft", Soft)
    registry.add("penalty", "drift", Drift)
    registry.add("dataset", "dots", dots)
"""

SMALL = {"generator.hidden": [8], "discriminator.hidden": [8], "batch_size": 16}


@pytest.fixture
def spiral(plugin_distribution):
    return plugin_distribution(
        "spiral-gan", version="0.1", entry_points={"spiral": "spiral_gan"}, modules={"spiral_gan.py": SPIRAL}
    )


@pytest.fixture
def instead(load_plugins, monkeypatch, tmp_path):
    """Have some distributions installed, and none of those that were before."""
    monkeypatch.chdir(tmp_path)
    before = list(sys.path)

    def install(*folders):
        for name in ("spiral_gan", "gan_parts"):
            sys.modules.pop(name, None)
        monkeypatch.setattr(sys, "path", list(before))
        return load_plugins(*folders)

    yield install
    monkeypatch.setattr(sys, "path", before)


def refuses(call, *words):
    """The error has all of these words."""
    with pytest.raises(GanzooError) as found:
        call()
    assert found.value.exit_code == 1
    assert not [word for word in words if word not in str(found.value)], found.value
    assert "pip" not in str(found.value), "a name in a file is nothing to install by"


def test_going_on_with_a_run_whose_plugin_is_gone_is_one_line_that_names_it(instead, spiral, run_ganzoo):
    instead(spiral)
    ganzoo.train("spiral", images=64)
    # The command finds nothing that only this process has on its path.
    result = run_ganzoo("train", "spiral", "--images", "128")
    assert (result.returncode, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("ganzoo: unknown variant 'spiral', of the run in 'runs/spiral-fashion-mnist-10k': ")
    assert "it was made with the plugin 'spiral-gan' 0.1, which is not installed" in line
    again = run_ganzoo("train", "spiral", "--images", "128", plugins=[spiral])
    assert again.returncode == 0, again.stderr
    assert "going on after 64 images" in again.stderr


def test_every_way_back_to_a_run_and_its_model_names_the_plugin_that_is_gone(instead, spiral):
    instead(spiral)
    ganzoo.train("spiral", images=64, out="mine")
    instead()
    gone = "the plugin 'spiral-gan' 0.1, which is not installed"
    for call in (
        lambda: ganzoo.train("spiral", out="mine"),
        lambda: ganzoo.train("spiral-gan:spiral@paper", out="mine"),
        lambda: ganzoo.train("spiral", start="mine"),
        lambda: ganzoo.train("spiral", start=next(Path("mine/checkpoints").iterdir())),
    ):
        refuses(call, "unknown variant 'spiral", "of the run in 'mine'", gone)
    for call in (
        lambda: ganzoo.load("mine"),
        lambda: ganzoo.evaluate("mine"),
        lambda: push("mine", "alice/spiral", dry_run=True),
    ):
        refuses(call, "this model needs the variant 'spiral', which is not there", gone)
    compared = Path("compared/spiral/seed-0")
    compared.parent.mkdir(parents=True)
    Path("mine").rename(compared)
    budget = Budget(images=64)
    refuses(lambda: compare(["spiral", "mlp"], out=Path("compared"), budget=budget), repr(str(compared)), gone)


@pytest.mark.parametrize(
    ("kind", "name", "label", "asked"),
    [
        ("loss", "soft", "loss", {"options": {**SMALL, "loss": "soft"}}),
        ("penalty", "drift", "penalties.drift", {"options": {**SMALL, "penalties": {"drift": {"weight": 0.1}}}}),
        ("dataset", "dots", "data", {"options": SMALL, "data": "dots"}),
    ],
)
def test_a_part_whose_plugin_is_gone_is_named_with_its_plugin(instead, plugin_distribution, kind, name, label, asked):
    parts = plugin_distribution(
        "gan-parts", version="2.5", entry_points={"parts": "gan_parts"}, modules={"gan_parts.py": PARTS}
    )
    instead(parts)
    run = ganzoo.train("mlp", images=64, **asked)
    assert read_run(run.folder)["plugins"] == {label: {"distribution": "gan-parts", "version": "2.5"}}
    instead()
    told = (f"unknown {kind} {name!r}, of the run in {str(run.folder)!r}", "'gan-parts' 2.5, which is not installed")
    refuses(lambda: ganzoo.train("mlp", images=128, **asked), *told)
    instead(parts)
    assert ganzoo.train("mlp", images=128, **asked).resumed == 64


def test_what_is_of_the_variants_own_plugin_or_of_ganzoos_is_not_told_twice(instead, spiral):
    instead(spiral)
    assert "plugins" not in read_run(ganzoo.train("spiral", images=16).folder)


def test_a_plugin_that_is_left_out_or_broken_or_another_version_is_told_as_that(
    instead, spiral, plugin_distribution, monkeypatch
):
    def version(number, module):
        modules = {"spiral_gan.py": module}
        return plugin_distribution("spiral-gan", version=number, entry_points={"spiral": "spiral_gan"}, modules=modules)

    instead(spiral)
    ganzoo.train("spiral", images=16)
    instead(version("0.2", SPIRAL.replace('name="spiral"', 'name="helix"')))
    refuses(lambda: ganzoo.train("spiral"), "'spiral-gan' 0.1; here is 0.2, which does not offer that")
    instead(version("0.3", "import nowhere"))
    refuses(lambda: ganzoo.train("spiral"), "'spiral-gan' 0.1, which is broken", "ganzoo plugins")
    monkeypatch.setenv("GANZOO_LOAD_PLUGINS", "ganzoo")
    instead(spiral)
    refuses(lambda: ganzoo.train("spiral"), "'spiral-gan' 0.1, which GANZOO_LOAD_PLUGINS leaves out")


def test_a_name_that_no_run_had_is_as_unknown_as_ever(instead, spiral):
    instead(spiral)
    ganzoo.train("spiral", images=16)
    instead()
    for name in ("spirl", "dcgn"):
        with pytest.raises(UnknownNameError, match=f"unknown variant {name!r}"):
            ganzoo.train(name)
    with pytest.raises(UnknownNameError, match="unknown loss 'spiral'"):
        ganzoo.train("mlp", options={"loss": "spiral"})


@pytest.mark.parametrize("plugin", ["spiral-gan", None, 3, [], {}, {"distribution": 1, "version": {}}])
def test_a_run_that_was_meddled_with_is_passed_over(instead, plugin):
    instead()
    folder = Path("runs/spiral-fashion-mnist-10k")
    folder.mkdir(parents=True)
    run = {
        "variant": "spiral",
        "plugin": plugin,
        "plugins": plugin,
        "loop": {},
        "trainer": {},
        "budget": {},
        "precision": "fp32",
    }
    (folder / "config.json").write_text(json.dumps({**run, "loss": {"name": "soft"}, "penalties": [], "data": 3}))
    for call, name in (
        (lambda: ganzoo.train("spiral"), "spiral"),
        (lambda: ganzoo.train("mlp", options={"loss": "soft"}), "soft"),
        (lambda: ganzoo.train("mlp", data="soft"), "soft"),
    ):
        with pytest.raises(UnknownNameError, match=name):
            call()
