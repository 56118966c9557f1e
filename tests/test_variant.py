import dataclasses
import json
import subprocess
import sys

import pytest

from ganzoo.variant import Preset, Variant, freeze, thaw

PRESET = Preset(
    summary="a preset",
    options={"lr": 2e-4, "generator.sizes": [256, 512]},
    source="section 4",
    from_pixels={128: {"lr": 1e-4}, 96: {"loss": "hinge"}},
)


def variant(**changes):
    fields = {
        "name": "my-gan",
        "summary": "a GAN",
        "paper": "Somebody, A GAN, 2020",
        "generator": "my_gan.networks:Generator",
        "discriminator": "dcgan",
        "presets": {"default": PRESET, "paper": PRESET},
    }
    return Variant(**fields | changes)


def test_fields_are_keyword_only():
    with pytest.raises(TypeError, match="positional"):
        Variant("my-gan", "a GAN", "a paper", "g", "d")
    with pytest.raises(TypeError, match="positional"):
        Preset("a preset")


def test_nothing_in_a_variant_can_be_changed():
    described = variant(networks={"encoder": "e"}, penalties={"r1": {"weight": 0.1}})
    with pytest.raises(dataclasses.FrozenInstanceError):
        described.name = "other"
    with pytest.raises(dataclasses.FrozenInstanceError):
        described.presets["default"].summary = "other"
    for mapping in (
        described.networks,
        described.penalties,
        described.penalties["r1"],
        described.presets,
        described.presets["default"].options,
    ):
        with pytest.raises(TypeError, match="does not support item assignment"):
            mapping["weight"] = 1
    assert described.presets["default"].options["generator.sizes"] == (256, 512)


def test_a_variant_does_not_follow_the_dicts_it_was_made_from():
    penalties = {"r1": {"weight": 0.1}}
    described = variant(penalties=penalties)
    penalties["r1"]["weight"] = 5
    assert described.penalties["r1"]["weight"] == 0.1


def test_a_variant_survives_json():
    described = variant(networks={"encoder": "e"}, keeps=["encoder"], penalties={"r1": {"weight": 0.1}})
    data = json.loads(json.dumps(described.to_json(), allow_nan=False))
    assert data.keys() == {f.name for f in dataclasses.fields(Variant)}
    presets = {name: Preset(**preset) for name, preset in data.pop("presets").items()}
    assert Variant(**data, presets=presets) == described


def test_a_variant_can_be_derived_from_another():
    derived = dataclasses.replace(variant(), name="hinged", loss="hinge")
    assert derived == variant(name="hinged", loss="hinge")


def test_roles_put_the_generator_first():
    roles = variant(networks={"encoder": "e"}).roles
    assert list(roles.items()) == [
        ("generator", "my_gan.networks:Generator"),
        ("discriminator", "dcgan"),
        ("encoder", "e"),
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": ""}, "Variant.name"),
        ({"name": "My GAN"}, "Variant.name"),
        ({"name": "../gan"}, "Variant.name"),
        ({"name": "dist:gan"}, "Variant.name"),
        ({"name": "gan\n"}, "Variant.name"),
        ({"summary": None}, "Variant.summary"),
        ({"paper": ""}, "Variant.paper"),
        ({"generator": dict}, "Variant.generator"),
        ({"discriminator": ""}, "Variant.discriminator"),
        ({"loss": None}, "Variant.loss"),
        ({"trainer": 3}, "Variant.trainer"),
        ({"networks": ["encoder"]}, "Variant.networks"),
        ({"networks": {"encoder": dict}}, r"Variant.networks\['encoder'\]"),
        ({"networks": {"generator": "g"}}, "'generator' cannot name a further network"),
        ({"networks": {"model": "m"}}, "'model' cannot name a further network"),
        ({"networks": {"q head": "q"}}, "'q head' cannot name a further network"),
        ({"keeps": ("encoder",)}, "keeps unknown roles"),
        ({"keeps": "discriminator"}, "Variant.keeps"),
        ({"penalties": {"r1": 0.1}}, r"Variant.penalties\['r1'\]"),
        ({"penalties": {"r1": {"weight": object()}}}, r"penalties\.r1\.weight holds a object"),
        ({"penalties": {"r1": {1: 2}}}, r"penalties\.r1 has a key that is not a string: 1"),
        ({"presets": None}, "Variant.presets"),
        ({"presets": {"default": PRESET}}, "lacks the preset 'paper'"),
        ({"presets": {"paper": PRESET}}, "lacks the preset 'default'"),
        ({"presets": {"default": PRESET, "paper": {"lr": 1}}}, r"Variant.presets\['paper'\]"),
    ],
)
def test_a_malformed_field_is_refused_by_its_name(changes, message):
    with pytest.raises((TypeError, ValueError), match=message):
        variant(**changes)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([("lr", 1)], "Preset.options must be a mapping"),
        ({"lr": {0.1}}, "options.lr holds a set"),
        ({"generator.sizes": [1, 2, b"3"]}, r"options\.generator\.sizes\[2\] holds a bytes"),
    ],
)
def test_options_of_a_preset_are_plain_data(options, message):
    with pytest.raises(TypeError, match=message):
        Preset(summary="a preset", options=options)


def test_thaw_undoes_freeze_with_fresh_containers():
    value = {"a": [1, {"b": (2.5, None, True)}], "c": "text"}
    thawed = thaw(frozen := freeze(value, "value"))
    assert thawed == {"a": [1, {"b": [2.5, None, True]}], "c": "text"}
    thawed["a"].append(3)
    assert len(frozen["a"]) == 2


def test_describing_a_gan_needs_no_torch():
    program = "import ganzoo, sys; ganzoo.Variant, ganzoo.Preset, ganzoo.hookimpl; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_preset_is_another_from_so_many_pixels_on():
    steps = [PRESET.step(side) for side in (None, 95, 96, 127, 128, 1024)]
    assert steps == [None, None, 96, 96, 128, 128]
    for wrong in ({0: {}}, {"many": {}}, {96: "hinge"}, [96], 96):
        with pytest.raises(TypeError, match="from_pixels must map"):
            Preset(summary="a preset", from_pixels=wrong)


@pytest.mark.parametrize("key", ["images", "batch_size"])
def test_a_preset_cannot_have_for_large_pictures_what_is_settled_before_they_are_read(key):
    with pytest.raises(ValueError, match=rf"from_pixels\[96\] has '{key}', which is settled before"):
        Preset(summary="a preset", from_pixels={96: {key: 8}})
