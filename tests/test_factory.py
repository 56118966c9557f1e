from typing import Literal

import pytest
import torch
from pydantic import PositiveInt
from torch import nn

from ganzoo import plugins
from ganzoo.errors import UnknownNameError, UsageError
from ganzoo.factory import build_networks, count_parameters, make_part
from ganzoo.interfaces import Discriminator, Generator
from ganzoo.modalities.inferred import of_shape
from ganzoo.options import options_of
from ganzoo.registry import Origin, Registrar, Registry


class Tiny(Generator):
    def __init__(
        self,
        *,
        sample_shape: tuple[int, ...],
        num_classes: int = 0,
        width: PositiveInt = 4,
        scale: float = 1.0,
        mode: Literal["a", "b"] = "a",
        sizes: tuple[int, ...] = (1, 2),
        flag: bool = False,
    ):
        super().__init__(latent_shape=(3,), sample_shape=sample_shape, num_classes=num_classes)
        if width == 13:
            raise UsageError("no width of 13")
        if width == 14:
            raise RuntimeError("first line\nsecond line")
        self.linear = nn.Linear(3, width)

    def forward(self, z, labels=None):
        return z


class Judge(Discriminator):
    def __init__(self, *, latent_shape: tuple[int, ...], depth: int):
        super().__init__()
        self.latent_shape = latent_shape

    def forward(self, x, labels=None):
        return x.flatten(1).sum(1)


@pytest.fixture
def registry():
    found = Registry()
    registrar = Registrar(Origin("d", "1", "p"))
    registrar.add("generator", "tiny", Tiny)
    registrar.add("discriminator", "judge", Judge)
    found.include(registrar.offered())
    return found


def part(registry, **arguments):
    return make_part(registry, "generator", "tiny", arguments, label="generator")


def test_options_are_the_signature_less_what_others_give():
    assert list(options_of(Tiny)) == ["width", "scale", "mode", "sizes", "flag"]


def test_every_argument_is_recorded_defaults_too(registry):
    arguments = part(registry, width=8).to_json()["arguments"]
    assert arguments == {"width": 8, "scale": 1.0, "mode": "a", "sizes": [1, 2], "flag": False}


def test_one_number_is_a_list_of_one(registry):
    assert part(registry, sizes=3).arguments["sizes"] == (3,)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"width": "wide"}, "generator.width='wide'"),
        ({"width": 0}, "greater than 0"),
        ({"width": 1.5}, "generator.width=1.5"),
        ({"width": True}, "true and false"),
        ({"scale": float("nan")}, "finite"),
        ({"scale": [1]}, "generator.scale"),
        ({"mode": "c"}, "'a' or 'b'"),
        ({"sizes": [1, "x"]}, "generator.sizes"),
        ({"flag": "perhaps"}, "generator.flag"),
    ],
)
def test_a_wrong_value_names_its_option(registry, arguments, says):
    with pytest.raises(UsageError, match=says):
        part(registry, **arguments)


def test_an_unknown_option_comes_with_the_nearest(registry):
    with pytest.raises(UnknownNameError, match=r"generator\.widht.*generator\.width"):
        part(registry, widht=3)


class Documented:
    """A first line.

    Args:
        width: Of each layer: at most
            so much, ``8`` here.
        low, high: Bounds.

    Raises:
        UsageError: Never.
    """

    def __init__(self, width: int = 3, low: int = 0, high: int = 1) -> None: ...


class Heir(Documented):
    def __init__(self, width: int = 4, depth: int = 1) -> None: ...


def test_an_option_is_explained_by_the_docstring():
    assert {name: option.summary for name, option in options_of(Documented).items()} == {
        "width": "Of each layer: at most so much, 8 here.",
        "low": "Bounds.",
        "high": "Bounds.",
    }
    assert {name: option.summary for name, option in options_of(Heir).items()} == {
        "width": "Of each layer: at most so much, 8 here.",
        "depth": "",
    }


def test_a_required_option_must_be_given(registry):
    with pytest.raises(UsageError, match=r"discriminator\.depth"):
        make_part(registry, "discriminator", "judge", {}, label="discriminator")


def test_a_network_may_refuse(registry):
    with pytest.raises(UsageError, match="no width of 13"):
        part(registry, width=13).build("generator", sample_shape=(1, 4, 4))


def test_a_failing_constructor_is_one_clear_line(registry):
    with pytest.raises(UsageError) as caught:
        part(registry, width=14).build("generator", sample_shape=(1, 4, 4))
    assert "width=14" in str(caught.value)
    assert "first line" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_networks_are_told_of_each_other(registry):
    parts = {
        "discriminator": make_part(registry, "discriminator", "judge", {"depth": 1}, label="discriminator"),
        "generator": part(registry, width=5),
    }
    networks = build_networks(parts, of_shape((1, 4, 4), None), num_classes=10)
    assert list(networks) == ["generator", "discriminator"]
    assert networks["discriminator"].latent_shape == (3,)
    assert networks["generator"].num_classes == 10
    assert count_parameters(networks["generator"]) == 3 * 5 + 5


def test_a_role_needs_its_kind_of_network(registry):
    wrong = make_part(registry, "generator", "torch.nn:Identity", {}, label="generator")
    with pytest.raises(UsageError, match="not a Generator"):
        build_networks({"generator": wrong}, of_shape((1,), None))


def test_shipped_networks_build_without_memory():
    registry = plugins.load().registry
    with torch.device("meta"):
        built = make_part(registry, "generator", "mlp", {"hidden": [100_000, 100_000]}, label="generator").build(
            "generator", sample_shape=(1, 28, 28)
        )
    assert count_parameters(built) > 10**10
