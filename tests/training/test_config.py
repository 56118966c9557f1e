import math

import pytest

import ganzoo
from ganzoo import plugins
from ganzoo.errors import UnknownNameError, UsageError
from ganzoo.parsing import parse_count, parse_duration, parse_option, parse_penalty
from ganzoo.training.config import fitted, resolve


def config(variant="dcgan", **arguments):
    return resolve(plugins.load().registry, variant, **arguments)


@pytest.mark.parametrize("variant", ["mlp", "dcgan", "wgan-gp"])
def test_every_preset_of_the_shipped_variants_resolves(variant):
    for preset in plugins.load().registry.variant(variant).presets:
        assert config(variant, preset=preset).preset == preset


def test_options_reach_the_part_they_name():
    found = config(options={"generator.width": 8, "lr": 1e-4, "batch_size": 4, "loss": "hinge", "n_critic": 3})
    assert found.parts["generator"].arguments["width"] == 8
    assert found.parts["trainer"].arguments["lr"] == 1e-4
    assert found.parts["trainer"].arguments["n_critic"] == 3
    assert found.loop.batch_size == 4
    assert found.parts["loss"].name == "hinge"


def test_penalties_are_replaced_then_changed():
    found = config(options={"penalties.r1.interval": 16, "penalties": {"r1": {"weight": 0.5}}})
    assert {n: p.arguments for n, p in found.penalties.items()} == {"r1": {"weight": 0.5, "interval": 16}}
    assert config(options={"penalties": {}}).penalties == {}


def recipe(side, **options):
    """The loss and the penalties for pictures of so many pixels a side."""
    found = fitted(config(options=options), plugins.load().registry, side)
    return found.parts["loss"].name, {name: part.arguments["weight"] for name, part in found.penalties.items()}


def test_large_pictures_have_the_preset_that_is_for_them():
    assert recipe(64) == ("relativistic", {"slope": 2e-4})
    assert recipe(128) == recipe(96) == ("wasserstein", {"gradient-penalty": 10.0})
    assert fitted(config(), plugins.load().registry, None).parts["loss"].name == "relativistic"


def test_whoever_chooses_a_part_chooses_against_all_that_is_for_large_pictures():
    assert recipe(128, loss="hinge") == ("hinge", {"slope": 2e-4})
    assert recipe(128, penalties={"r1": {"weight": 1.0}}) == ("relativistic", {"r1": 1.0})
    assert recipe(128, **{"penalties.gradient-penalty.weight": 3.0}) == ("wasserstein", {"gradient-penalty": 3.0})
    with pytest.raises(UnknownNameError, match="gradient-penalty"):
        recipe(128, **{"penalties.slope.weight": 3.0})


def test_another_component_forgets_the_arguments_of_the_one_before():
    found = config("dcgan", options={"generator": "mlp", "generator.hidden": [8]})
    assert found.parts["generator"].arguments["hidden"] == (8,)
    assert "width" not in found.parts["generator"].arguments


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"batchsize": 4}, "batch_size"),
        ({"generator.widht": 4}, "generator.width"),
        ({"width": 4}, r"generator\.width"),
        ({"penalties.r1.weight": 4}, "penalty"),
        ({"loss": "hinje"}, "hinge"),
        ({"trainer.n_critik": 2}, "n_critic"),
        ({"encoder.width": 2}, "encoder.width"),
    ],
)
def test_an_unknown_key_comes_with_the_nearest(options, says):
    with pytest.raises(UnknownNameError, match=says):
        config(options=options)


@pytest.mark.parametrize(
    "options",
    [
        {"batch_size": "many"},
        {"batch_size": 1},
        {"batch_size": 2.5},
        {"lr": -1},
        {"lr": math.inf},
        {"lr": "nan"},
        {"n_critic": 0},
        {"betas": [0.5]},
        {"generator.width": [1]},
        {"loss": 3},
        {"penalties": ["r1"]},
        {"penalties": {"r1": {"weight": "heavy"}}},
        {"lr_decay_from": 2},
        {"ema_images": None},
        {"ema_images": "a million"},
    ],
)
def test_a_wrong_value_stops_and_names_its_key(options):
    with pytest.raises(UsageError) as caught:
        config(options=options)
    assert next(iter(options)) in str(caught.value)


def test_a_preset_that_is_not_there():
    for chosen in ({"preset": "papier"}, {"variant": "mlp@papier"}):
        with pytest.raises(UnknownNameError, match="paper"):
            config(**chosen)


def test_a_preset_may_follow_the_name():
    assert config(variant="mlp@paper") == config(variant="mlp", preset="paper")
    assert config(variant="mlp@paper", preset="paper").preset == "paper"
    for name, preset in (("mlp@default", "paper"), ("mlp@paper", "default")):
        with pytest.raises(UsageError, match="two presets"):
            config(variant=name, preset=preset)


def test_counts_as_users_write_them():
    found = config(options={"images": "20k", "ema_images": "1.5M"})
    assert (found.budget.images, found.loop.ema_images) == (20_000, 1_500_000)


def test_a_kept_network_must_be_one_that_loading_would_find():
    with pytest.raises(UsageError, match="registered"):
        config(options={"generator": "ganzoo_mlp.networks:MLPGenerator"})
    assert config(options={"loss": "ganzoo.losses:Hinge"}).parts["loss"].name == "ganzoo.losses:Hinge"


def test_the_same_words_give_the_same_configuration():
    assert config(options={"lr": 1e-3}).to_json() == config(options={"lr": 1e-3}).to_json()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("lr=1e-3", ("lr", 0.001)),
        ("betas=0,0.99", ("betas", [0, 0.99])),
        ("betas=[0, 0.99]", ("betas", [0, 0.99])),
        ("loss=hinge", ("loss", "hinge")),
        ("flag=true", ("flag", True)),
        ("x=", ("x", "")),
        ('penalties={"r1": {"weight": 1}}', ("penalties", {"r1": {"weight": 1}})),
    ],
)
def test_options_as_typed(text, value):
    assert parse_option(text) == value


@pytest.mark.parametrize("text", ["lr", "=3", ""])
def test_an_option_needs_a_key_and_a_value(text):
    with pytest.raises(UsageError, match="key=value"):
        parse_option(text)


def test_penalties_as_typed():
    assert parse_penalty("r1=0.1") == {"r1": {"weight": 0.1}}
    assert parse_penalty("r1") == {"r1": {}}
    assert parse_penalty("none") == {}


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("45s", 45), ("4m", 240), ("1.5h", 5400), ("1h30m", 5400), ("2d", 172800)]
)
def test_times_as_typed(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0s", "4", "90", "0m", "-4m", "4 minutes", "m", "nan", "1e9", "999999d"])
def test_times_that_train_nothing_or_make_no_sense(text):
    with pytest.raises(UsageError):
        parse_duration(text)


@pytest.mark.parametrize(("text", "count"), [("20000", 20_000), ("20k", 20_000), ("1.5M", 1_500_000)])
def test_counts_as_typed(text, count):
    assert parse_count(text) == count


@pytest.mark.parametrize("text", ["", "0", "-5", "many", "1e3", "10T"])
def test_counts_that_train_nothing_or_make_no_sense(text):
    with pytest.raises(UsageError):
        parse_count(text)


def test_what_a_trainer_does_not_take_is_not_dropped_silently(load_plugins, plugin_distribution):
    module = """
import ganzoo

class Plain(ganzoo.Trainer):
    def __init__(self, networks):
        super().__init__(networks)

    def step(self, reals, labels, context):
        return {}

@ganzoo.hookimpl
def register(registry):
    registry.add("trainer", "plain", Plain)
"""
    registry = load_plugins(
        plugin_distribution("plain", entry_points={"plain": "plain"}, modules={"plain.py": module})
    ).registry
    plain = {"trainer": "plain", "penalties": {}}
    with pytest.raises(UsageError, match="takes no loss"):
        resolve(registry, "mlp", preset="keras", options={**plain, "loss": "hinge"})
    with pytest.raises(UsageError, match="takes no penalties"):
        resolve(registry, "mlp", preset="keras", options={"trainer": "plain", "penalties": {"r1": {}}})


def test_images_as_an_option_are_a_budget_like_any_other():
    assert config(options={"images": 64}, budget_seconds=60).budget.images == 64
    assert config(options={"images": 64}, budget_images=32).budget.images == 32
    assert config(budget_seconds=60).budget.images is None


SHADOW = """
import ganzoo
from ganzoo.losses import Hinge

class Mine(Hinge): ...

@ganzoo.hookimpl
def register(registry):
    registry.add("loss", "hinge", Mine)
    presets = {name: ganzoo.Preset(summary=name) for name in ("default", "paper")}
    registry.add_variant(ganzoo.Variant(
        name="shadowed", summary="s", paper="p", generator="mlp", discriminator="mlp", loss="hinge", presets=presets
    ))
"""


def test_a_plugin_gets_its_own_parts_and_the_user_those_that_are_listed(load_plugins, plugin_distribution, capsys):
    folder = plugin_distribution("shadow", entry_points={"shadow": "shadow"}, modules={"shadow.py": SHADOW})
    registry = load_plugins(folder).registry
    assert resolve(registry, "shadowed").parts["loss"].component.__name__ == "Mine"
    assert resolve(registry, "shadowed", options={"loss": "hinge"}).parts["loss"].component.__name__ == "Hinge"
    assert resolve(registry, "shadowed", options={"loss": "shadow:hinge"}).parts["loss"].component.__name__ == "Mine"


def test_values_nested_beyond_reason_are_no_values():
    with pytest.raises(UsageError, match="lr"):
        config(options=dict([parse_option("lr=" + "[" * 900 + "]" * 900)]))


@pytest.mark.parametrize("key", ["discriminator_lr", "weight_decay", "betas"])
def test_true_is_no_number(key):
    with pytest.raises(UsageError, match=key):
        config(options={key: [True, True] if key == "betas" else True})


def test_the_trainers_options_may_be_dotted_too():
    assert config(options={"trainer.lr": 0.1}).parts["trainer"].arguments["lr"] == 0.1
    assert config(options={"trainer.lr": 0.1, "lr": 0.2}).parts["trainer"].arguments["lr"] == 0.2


@pytest.mark.parametrize(
    "budget", [{"budget_images": -3}, {"budget_images": "5k"}, {"budget_seconds": "5s"}, {"budget_seconds": 0}]
)
def test_a_budget_is_a_number(budget):
    with pytest.raises(UsageError, match="above 0"):
        resolve(plugins.load().registry, "mlp", **budget)


def test_a_precision_and_a_seed_are_checked_from_python_too():
    with pytest.raises(UsageError, match="bf16"):
        resolve(plugins.load().registry, "mlp", precision="fp16")
    with pytest.raises(UsageError, match="-1"):
        resolve(plugins.load().registry, "mlp", seed=-1)


def test_another_optimizer_goes_without_what_the_preset_says_of_adam():
    def optimizer(**options):
        return resolve(plugins.load().registry, "dcgan", options=options).parts["trainer"].arguments

    assert optimizer()["betas"] == (0.0, 0.9)
    assert optimizer(optimizer="adamw")["betas"] == (0.0, 0.9)
    assert optimizer(optimizer="sgd")["betas"] is None
    # Whoever types it means it, and is told by the optimizer if it has none.
    assert tuple(optimizer(optimizer="sgd", betas=[0.5, 0.9])["betas"]) == (0.5, 0.9)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"learning_rate": 3}, "unknown option 'learning_rate' (did you mean lr? ganzoo info dcgan lists all options)"),
        ({"zzz": 3}, "unknown option 'zzz' (ganzoo info dcgan lists all options)"),
        (
            {"augmentations": {"shift": {}}, "augmentations.shift": 0.5},
            "augmentations.shift is a whole augmentation: name the option of it that is meant (for example: -o "
            "augmentations.shift.p=0.5, which is --augment shift=0.5)",
        ),
        (
            {"penalties.r1": 3},
            "penalties.r1 is a whole penalty: name the option of it that is meant (for example: -o penalties.r1.weight=0.5, "
            "which is --penalty r1=0.5)",
        ),
    ],
)
def test_an_option_by_a_name_that_it_has_elsewhere_comes_with_the_one_to_type(options, says):
    with pytest.raises(UsageError) as caught:
        resolve(plugins.load().registry, "dcgan", options=options)
    assert str(caught.value) == says


def test_a_preset_that_is_mistyped_comes_with_where_presets_are_listed():
    with pytest.raises(UsageError, match=r"did you mean paper\? ganzoo info dcgan lists its presets"):
        resolve(plugins.load().registry, "dcgan@papr")


@pytest.mark.parametrize("option", ["images", "score_every"])
def test_a_count_that_cannot_be_read_says_after_which_option_it_stands(option):
    flag = f"--{option.replace('_', '-')}"
    with pytest.raises(UsageError, match=f"{flag}: cannot read 'abc' as a number of images .for example: {flag} 500k"):
        ganzoo.train("mlp", **{option: "abc"}, watcher=None)
