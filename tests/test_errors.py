import pytest

from ganzoo.errors import GanzooError, UnknownNameError, UsageError, nearest


@pytest.mark.parametrize(
    ("name", "known", "expected"),
    [
        ("dcgn", ["mlp", "dcgan", "wgan-gp"], ["dcgan"]),
        ("wgan", ["dcgan", "wgan-gp", "gan"], ["gan", "wgan-gp", "dcgan"]),
        ("width", ["generator.width", "discriminator.width", "lr"], ["generator.width", "discriminator.width"]),
        ("critic.width", ["generator.width", "lr"], ["generator.width"]),
        ("widht", ["generator.latent_size", "generator.width"], ["generator.width"]),
        ("generator.widht", ["generator.width", "generator.init_std", "generator.output"], ["generator.width"]),
        ("genrator.width", ["generator.width", "generator.output", "discriminator.norm"], ["generator.width"]),
        ("generator.zebra", ["generator.width", "generator.init_std"], []),
        ("zebra", ["mlp", "dcgan"], []),
        ("dcgan", ["mlp-fashion-mnist", "dcgan-fashion-mnist"], ["dcgan-fashion-mnist"]),
        ("mlp", [], []),
    ],
)
def test_nearest_names(name, known, expected):
    assert nearest(name, known) == expected


def test_nearest_is_bounded_and_takes_any_iterable():
    assert len(nearest("net", iter(["net1", "net2", "net3", "net4"]), limit=2)) == 2


def test_an_unknown_name_offers_the_nearest_then_the_hint():
    error = UnknownNameError("variant", "dcgn", ["dcgan", "mlp"], hint="list them: ganzoo list")
    assert str(error) == "unknown variant 'dcgn' (did you mean dcgan? list them: ganzoo list)"


def test_an_unknown_name_without_neighbours_lists_all_that_there_are_if_they_are_few():
    assert str(UnknownNameError("variant", "zebra", ["dcgan", "mlp"])) == "unknown variant 'zebra' (there are dcgan, mlp)"
    many = UnknownNameError("variant", "zebra", [f"gan{i}" for i in range(100)])
    assert many.hint is None
    assert str(many) == "unknown variant 'zebra'"


def test_the_message_stands_alone_without_a_hint():
    assert str(GanzooError("it broke")) == "it broke"
    assert str(GanzooError("it broke", hint="mend it")) == "it broke (mend it)"


def test_a_wrong_request_exits_like_a_wrong_option():
    """2 is what click and the shell's own tools use, so scripts can tell it from a failure."""
    assert (GanzooError.exit_code, UsageError.exit_code, UnknownNameError.exit_code) == (1, 2, 2)


def test_a_name_that_is_known_twice_is_offered_once():
    assert nearest("adma", ["adam", "sgd", "adam"]) == ["adam"]
