import json
import os
import sys

import pytest

from ganzoo.cli.list import KINDS as LISTED
from ganzoo.errors import PluginError, UnknownNameError, UsageError
from ganzoo.registry import KINDS, Origin, Registrar, Registry
from ganzoo.variant import Preset, Variant

FIRST = Origin("first-dist", "1.0", "first")
SECOND = Origin("second-dist", "2.0", "second")


def loss_a():
    """A component."""


def loss_b():
    """Another one."""


def offer(registry, origin, **losses):
    registrar = Registrar(origin)
    for name, target in losses.items():
        registrar.add("loss", name, target)
    return registry.include(registrar.offered())


@pytest.fixture
def registry():
    """Two distributions that both offer the loss ``same``."""
    registry = Registry()
    offer(registry, FIRST, same=loss_a, hinge=loss_a)
    offer(registry, SECOND, same=loss_b, other=loss_b)
    return registry


@pytest.mark.parametrize(
    ("name", "within", "expected"),
    [
        ("same", None, loss_a),
        ("first-dist:same", None, loss_a),
        ("second-dist:same", None, loss_b),
        ("other", None, loss_b),
        ("same", SECOND, loss_b),
        ("same", FIRST, loss_a),
        ("hinge", SECOND, loss_a),
        ("first-dist:same", SECOND, loss_a),
        ("json:dumps", None, json.dumps),
        ("os:path.join", None, os.path.join),
    ],
)
def test_which_component_a_name_reaches(registry, name, within, expected):
    assert registry.resolve("loss", name, within=within) is expected


def test_a_taken_name_is_reported_and_listed_qualified():
    registry = Registry()
    assert offer(registry, FIRST, same=loss_a) == []
    (line,) = offer(registry, SECOND, same=loss_b)
    assert line == "claims the loss 'same', which first-dist has; use 'second-dist:same'"
    assert registry.names("loss") == ["same", "second-dist:same"]
    assert [e.target for e in registry.entries("loss")] == [loss_a, loss_b]


def test_a_name_offered_twice_by_one_distribution_stays_the_first():
    registry = Registry()
    offer(registry, FIRST, same=loss_a)
    (line,) = offer(registry, FIRST, same=loss_b)
    assert "second time" in line
    assert registry.resolve("loss", "same") is loss_a
    assert registry.names("loss") == ["same"]


def test_kinds_have_names_of_their_own(registry):
    with pytest.raises(UnknownNameError):
        registry.get("penalty", "same")
    assert registry.names("penalty") == []


def test_a_pattern_selects_entries(registry):
    assert [e.name for e in registry.entries("loss", "h*")] == ["hinge"]
    assert [e.qualified for e in registry.entries("loss", "*same")] == ["first-dist:same", "second-dist:same"]


@pytest.mark.parametrize(
    ("name", "near"), [("hing", "hinge"), ("othr", "other"), ("sme", "same"), ("second-dist:sam", "second-dist:same")]
)
def test_an_unknown_name_names_the_nearest(registry, name, near):
    with pytest.raises(UnknownNameError, match=f"unknown loss '{name}'.*did you mean .*{near}"):
        registry.resolve("loss", name)


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_name_says_how_to_list_the_known_ones(kind):
    with pytest.raises(UnknownNameError) as caught:
        Registry().get(kind, "name")
    command, _, listed = caught.value.hint.rpartition(" ")
    assert command == "list them: ganzoo list --kind"
    assert LISTED[listed] == kind


def test_another_distributions_name_is_no_reference(registry):
    """``no-such-dist:same`` reads like a qualified name, so it is not tried as a module."""
    with pytest.raises(UnknownNameError, match="no-such-dist:same"):
        registry.resolve("loss", "no-such-dist:same")


def test_a_module_that_the_user_mistyped_is_a_usage_error(registry):
    with pytest.raises(UsageError, match="no_such_module:Loss"):
        registry.resolve("loss", "no_such_module:Loss")


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (None, "No module named"),
        ("", "has no attribute 'Thing'"),
        ("import no_such_dependency", "no_such_dependency"),
        ("raise RuntimeError('no GPU')", "RuntimeError: no GPU"),
        ("Thing = (", r"\(broken_parts.py, line 1\)"),
        ("raise SystemExit('bye')", "SystemExit: bye"),
    ],
    ids=["missing", "attribute", "dependency", "raises", "syntax", "exits"],
)
def test_a_broken_component_names_its_plugin(source, says, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    if source is not None:
        (tmp_path / "broken_parts.py").write_text(source)
    monkeypatch.delitem(sys.modules, "broken_parts", raising=False)
    registry = Registry()
    offer(registry, SECOND, broken="broken_parts:Thing")
    with pytest.raises(PluginError, match=says) as caught:
        registry.resolve("loss", "broken")
    assert "plugin 'second' (second-dist 2.0)" in caught.value.message
    assert "broken_parts:Thing" in caught.value.message
    assert "second-dist" in caught.value.hint


def test_a_variants_own_reference_names_its_plugin(registry):
    with pytest.raises(PluginError, match=r"plugin 'first' \(first-dist 1.0\).*no_such_module:Net"):
        registry.resolve("loss", "no_such_module:Net", within=FIRST)


def test_registering_imports_nothing():
    registry = Registry()
    assert offer(registry, FIRST, broken="no_such_module:Thing") == []
    assert registry.names("loss") == ["broken"]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("sampler", "name", loss_a), "kind 'sampler'"),
        (("variant", "name", loss_a), "kind 'variant'"),
        (("loss", "My Loss", loss_a), "'My Loss'"),
        (("loss", "dist:name", loss_a), "'dist:name'"),
        (("loss", None, loss_a), "None"),
        (("loss", "name", "not a reference"), "'name' must be 'module:attr'"),
        (("loss", "name", "module.attr"), "'name' must be 'module:attr'"),
        (("loss", "name", None), "'name' must be 'module:attr'"),
    ],
)
def test_what_cannot_be_registered(arguments, error):
    registrar = Registrar(FIRST)
    with pytest.raises((TypeError, ValueError), match=error):
        registrar.add(*arguments)
    assert registrar.offered() == []


def test_only_variants_are_variants():
    with pytest.raises(TypeError, match="got dict"):
        Registrar(FIRST).add_variant({"name": "my-gan"})


def test_a_variant_is_found_by_its_name():
    preset = Preset(summary="a preset")
    variant = Variant(
        name="my-gan",
        summary="a GAN",
        paper="a paper",
        generator="g",
        discriminator="d",
        presets=dict.fromkeys(["default", "paper"], preset),
    )
    registrar = Registrar(FIRST)
    registrar.add_variant(variant)
    registry = Registry()
    registry.include(registrar.offered())
    assert registry.variant("my-gan") is registry.variant("first-dist:my-gan") is variant
    assert registry.get("variant", "my-gan").summary == "a GAN"
    with pytest.raises(UnknownNameError, match="did you mean my-gan"):
        registry.variant("my-gn")
