"""A plugin in three versions: what it adds and renames stops no run from going on and no model from loading."""

import json
import re
import shlex

import numpy as np
import pytest

import ganzoo
from ganzoo.errors import RenamedWarning
from ganzoo.registry import Origin, Registrar, Registry
from ganzoo.training.config import resolve
from ganzoo.training.folder import differences

FIRST = """
import torch

import ganzoo


class Figures(ganzoo.Generator):
    def __init__(self, *, sample_shape: tuple[int, ...], channels: int = 4):
        super().__init__(latent_shape=(2,), sample_shape=sample_shape)
        self.layers = torch.nn.Sequential(torch.nn.Linear(2, channels), torch.nn.Linear(channels, *sample_shape))

    def forward(self, z, labels=None):
        return self.layers(z)


class Judge(ganzoo.Discriminator):
    def __init__(self, *, sample_shape: tuple[int, ...], generator_options):
        super().__init__()
        self.layer = torch.nn.Linear(*sample_shape, 1)
        self.told = dict(generator_options)

    def forward(self, x, labels=None):
        return self.layer(x)[:, 0]


class Odd(ganzoo.Loss):
    def discriminator(self, real, fake):
        return (fake - real).mean().tanh()

    def generator(self, real, fake):
        return -fake.mean().tanh()


class Pull(ganzoo.Penalty):
    def __init__(self, weight: float = 0.1, interval: int = 1):
        super().__init__(weight, interval)

    def __call__(self, critique):
        return critique.real_logits.square().mean()


class Steady(ganzoo.AlternatingTrainer):
    def __init__(self, **options):
        super().__init__(**options)


def dots(*, resolution=None, progress=None, count: int = 64):
    return ganzoo.Store(name="dots", samples=torch.randn(count, 2, generator=torch.Generator().manual_seed(0)))


@ganzoo.hookimpl
def register(registry):
    registry.add("generator", "figures", Figures)
    registry.add("discriminator", "figures", Judge)
    registry.add("loss", "odd", Odd)
    registry.add("penalty", "pull", Pull)
    registry.add("trainer", "steady", Steady)
    registry.add("dataset", "dots", dots)
    registry.add_variant(ganzoo.Variant(
        name="points", summary="points", paper="none", generator="figures", discriminator="figures", loss="odd",
        penalties={"pull": {}}, trainer="steady", keeps=("discriminator",), data="dots",
        presets={name: ganzoo.Preset(summary="as it is", source="none", options={"batch_size": 16, "images": 32})
                 for name in ("default", "paper")},
    ))
"""

ADDED = {
    "class Odd(ganzoo.Loss):\n": "class Odd(ganzoo.Loss):\n    def __init__(self, *, factor: float = 1.0):\n        pass\n\n",
    "channels: int = 4)": "channels: int = 4, slope: float = 0.5)",
    "def __init__(self, **options):\n        super": "def __init__(self, *, warm: float = 1.0, **options):\n        super",
    "interval: int = 1)": "interval: int = 1, reach: float = 1.0)",
    "self.told = dict(generator_options)": "self.told = generator_options['slope']",
}
"""The second version gives the network, the trainer, the penalty, and the loss, which had none, an option more."""

CHOSEN = {'"images": 32}': '"images": 32, "generator.slope": 0.25, "warm": 0.5, "penalties.pull.reach": 2.0}'}
"""And a third one's preset sets them to something else than what was done before."""

RENAMED = {
    "channels: int = 4)": "width: int = 4)",
    "(2, channels), torch.nn.Linear(channels,": "(2, width), torch.nn.Linear(width,",
    "class Figures(ganzoo.Generator):": 'class Figures(ganzoo.Generator):\n    renamed = {"channels": "width"}\n',
    "class Steady(ganzoo.AlternatingTrainer):": 'class Steady(ganzoo.AlternatingTrainer):\n    renamed = {"rate": "lr"}\n',
    "weight: float = 0.1, interval": "strength: float = 0.1, interval",
    "super().__init__(weight,": "super().__init__(strength,",
    "class Pull(ganzoo.Penalty):": 'class Pull(ganzoo.Penalty):\n    renamed = {"weight": "strength"}\n',
    "count: int = 64": "number: int = 64",
    "torch.randn(count,": "torch.randn(number,",
    "@ganzoo.hookimpl": 'dots.renamed = {"count": "number"}\n\n\n@ganzoo.hookimpl',
    '("generator", "figures"': '("generator", "shapes"',
    'generator="figures"': 'generator="shapes"',
    '("loss", "odd"': '("loss", "strange"',
    'loss="odd"': 'loss="strange"',
    '("penalty", "pull"': '("penalty", "tug"',
    '("dataset", "dots"': '("dataset", "spots"',
    'data="dots"': 'data="spots"',
    'name="points"': 'name="stars"',
}
ALIASES = """
    registry.add_alias("variant", "points", "stars")
    registry.add_alias("generator", "figures", "shapes")
    registry.add_alias("loss", "odd", "strange")
    registry.add_alias("penalty", "pull", "tug")
    registry.add_alias("dataset", "dots", "spots")
"""

TRAIN = ("train", "points", "--data", "dots?count=48", "-o", "generator.channels=3", "--penalty", "pull=0.2", "--loss", "odd")
WORDS = {
    "the variant 'points' is called 'stars' now",
    "the dataset 'dots' is called 'spots' now",
    "the loss 'odd' is called 'strange' now",
    "the penalty 'pull' is called 'tug' now",
    "the option 'generator.channels' is called 'generator.width' now",
}


@pytest.fixture
def version(plugin_distribution):
    def install(number, *changes, more=""):
        code = FIRST
        for old, new in (item for change in changes for item in change.items()):
            assert code.count(old) == 1, old
            code = code.replace(old, new)
        return plugin_distribution(
            "points-gan", version=number, entry_points={"points": "points_gan"}, modules={"points_gan.py": code + more}
        )

    return install


@pytest.fixture
def begun(version, run_ganzoo):
    """The first version, with which a run was begun in ``run``."""
    first = version("1.0")
    assert run_ganzoo(*TRAIN, "--images", "32", "--out", "run", plugins=[first]).returncode == 0
    return first


def train(run_ganzoo, plugin, *words):
    return run_ganzoo(*words, "--images", "64", "--device", "cpu", plugins=[plugin])


def samples_of(run_ganzoo, plugin, tmp_path):
    result = run_ganzoo("sample", "run", "--seeds", "0-7", "-o", f"{plugin.name}.npz", plugins=[plugin])
    assert result.returncode == 0, result.stderr
    assert "is called" not in result.stderr, "nobody typed an old name"
    return np.load(tmp_path / f"{plugin.name}.npz")["arr_0"]


def test_options_that_came_later_stop_no_run_and_no_model(begun, version, run_ganzoo, tmp_path):
    second = version("2.0", ADDED)
    assert (samples_of(run_ganzoo, begun, tmp_path) == samples_of(run_ganzoo, second, tmp_path)).all()
    result = train(run_ganzoo, second, *TRAIN, "--out", "run")
    assert result.returncode == 0, result.stderr
    assert "going on after 32 images" in result.stderr
    run = json.loads((tmp_path / "run" / "config.json").read_text())
    assert run["generator"]["arguments"] == {"channels": 3, "slope": 0.5}


def test_a_network_that_asks_for_anothers_options_gets_those_that_came_later(begun, version, load_plugins, tmp_path):
    load_plugins(version("2.0", ADDED))
    assert ganzoo.load_discriminator(tmp_path / "run").told == 0.5


def test_a_preset_that_sets_a_later_option_is_told_as_a_difference_with_the_command_that_goes_on(begun, version, run_ganzoo):
    third = version("3.0", ADDED, CHOSEN)
    refused = train(run_ganzoo, third, *TRAIN[:3], *TRAIN[3:6], "--loss", "odd", "--out", "run")
    assert refused.returncode == 2
    for words in ("generator.slope (0.5 there, 0.25 here)", "warm (1.0 there, 0.5 here)"):
        assert words in refused.stderr
    told = refused.stderr.partition("go on with that run: ")[2].partition("; or name another folder")[0]
    assert "--images 32" not in told
    result = train(run_ganzoo, third, *shlex.split(told)[1:])
    assert result.returncode == 0, result.stderr
    assert "going on after 32 images" in result.stderr


def test_the_same_command_goes_on_after_everything_was_renamed_and_says_the_new_names(begun, version, run_ganzoo, tmp_path):
    second = version("2.0", RENAMED, more=ALIASES)
    assert (samples_of(run_ganzoo, begun, tmp_path) == samples_of(run_ganzoo, second, tmp_path)).all()
    told = json.loads(run_ganzoo("info", "run", "--json", plugins=[second]).stdout)
    words = shlex.split(told["next"]["resume"])
    assert words[2] == "stars"
    assert {"generator.width=3"} <= set(words)
    result = train(run_ganzoo, second, *TRAIN, "--out", "run")
    assert result.returncode == 0, result.stderr
    assert "going on after 32 images" in result.stderr
    said = [line.removeprefix("ganzoo: ") for line in result.stderr.splitlines() if "is called" in line]
    assert sorted(said) == sorted(WORDS)
    run = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (run["variant"], run["generator"]["name"], run["loss"]["name"]) == ("stars", "shapes", "strange")
    assert run["penalties"]["tug"]["arguments"]["strength"] == 0.2
    assert run_ganzoo("card", "run", plugins=[second]).returncode == 0


def test_a_run_in_the_folder_of_its_old_name_is_found_by_both_names(version, run_ganzoo):
    first, second = version("1.0"), version("2.0", RENAMED, more=ALIASES)
    assert run_ganzoo("train", "points", plugins=[first]).returncode == 0
    for name in ("points", "stars"):
        result = run_ganzoo("train", name, plugins=[second])
        assert re.search(r"^model\t(.*)$", result.stdout, re.MULTILINE)[1] == "runs/points-dots/model"
        assert "was done after 32 images" in result.stderr


def test_only_new_names_are_listed_and_completed(version, run_ganzoo):
    second = version("2.0", RENAMED, more=ALIASES)
    for kind, old, new in (("variants", "points", "stars"), ("losses", "odd", "strange"), ("penalties", "pull", "tug")):
        listed = run_ganzoo("list", "--kind", kind, plugins=[second]).stdout
        assert f"\n{new}\t" in listed
        assert f"\n{old}\t" not in listed
    typed = {"_GANZOO_COMPLETE": "bash_complete", "COMP_WORDS": "ganzoo train ", "COMP_CWORD": "2"}
    offered = run_ganzoo(env=typed, plugins=[second]).stdout.split()
    assert "plain,stars" in offered
    assert "plain,points" not in offered
    shown = run_ganzoo("info", "points", plugins=[second])
    assert shown.stdout.startswith("stars\n")
    assert shown.stderr == "ganzoo: the variant 'points' is called 'stars' now\n"


OTHERS = """
import ganzoo


@ganzoo.hookimpl
def register(registry):
    options = {"batch_size": 16, "images": 32, "generator.channels": 5, "rate": 0.5, "loss": "odd"}
    options["penalties.pull.weight"] = 0.3
    presets = {name: ganzoo.Preset(summary="as it is", source="none", options=options) for name in ("default", "paper")}
    registry.add_variant(ganzoo.Variant(
        name="others", summary="of another plugin", paper="none", generator="figures", discriminator="mlp", loss="odd",
        penalties={"pull": {}}, trainer="steady", data="dots", presets=presets,
    ))
"""


@pytest.fixture
def registry(version, plugin_distribution, load_plugins):
    """Of the version with new names, beside another plugin whose variant and preset have the old ones."""
    others = plugin_distribution("other-gans", entry_points={"others": "other_gans"}, modules={"other_gans.py": OTHERS})
    return load_plugins(version("2.0", RENAMED, more=ALIASES), others).registry


@pytest.mark.filterwarnings("error")
def test_presets_of_other_plugins_keep_their_old_names_without_a_word_to_the_user(registry):
    config = resolve(registry, "others")
    assert config.parts["generator"].name == "shapes"
    assert config.parts["generator"].arguments == {"width": 5}
    assert config.parts["loss"].name == "strange"
    assert config.parts["trainer"].arguments["lr"] == 0.5
    assert config.penalties["tug"].arguments["strength"] == 0.3


@pytest.mark.parametrize(
    "options", [{"generator.width": 6}, {"generator.channels": 6}, {"generator.channels": 5, "generator.width": 6}], ids=str
)
@pytest.mark.filterwarnings("ignore::ganzoo.errors.RenamedWarning")
def test_what_the_user_says_comes_before_a_preset_whichever_name_either_has(registry, options):
    assert resolve(registry, "others", options=options).parts["generator"].arguments == {"width": 6}


@pytest.mark.parametrize("key", ["lr", "rate", "trainer.lr", "trainer.rate"])
@pytest.mark.filterwarnings("ignore::ganzoo.errors.RenamedWarning")
def test_options_of_the_trainer_too(registry, key):
    assert resolve(registry, "others", options={key: 0.125}).parts["trainer"].arguments["lr"] == 0.125


def test_python_is_told_by_a_warning(registry):
    with pytest.warns(RenamedWarning, match=r"the option 'penalties\.tug\.weight' is called 'penalties\.tug\.strength' now"):
        resolve(registry, "stars", options={"penalties.tug.weight": 0.7})


def offered(*aliases, names=("new",)):
    """A registry to which one plugin has offered losses of these names, with aliases; and its problems."""
    registrar, registry = Registrar(Origin("gans", "1.0", "gans")), Registry()
    for name in names:
        registrar.add("loss", name, "gans:Loss")
    for alias in aliases:
        registrar.add_alias("loss", *alias)
    return registry, registry.include(registrar.offered()) + registry.include_aliases("gans", registrar.aliases())


def test_an_old_name_reaches_the_new_one_bare_and_with_its_distribution():
    registry, problems = offered(("old", "new"))
    assert problems == []
    assert {registry.find("loss", name).name for name in ("new", "old", "gans:old")} == {"new"}
    assert registry.names("loss") == ["new"]
    assert registry.find("penalty", "old") is None


def test_a_name_that_somebody_has_today_is_never_taken_by_an_old_one():
    registry, _ = offered(("old", "new"))
    other = Registrar(Origin("others", "1.0", "others"))
    other.add("loss", "old", "others:Loss")
    registry.include(other.offered())
    assert registry.find("loss", "old").origin.distribution == "others"
    assert registry.find("loss", "gans:old").name == "new"
    assert registry.find("loss", "old", within="gans").name == "new"


def test_an_alias_that_reaches_nothing_or_that_is_a_name_itself_is_a_problem():
    assert offered(("old", "gone"))[1] == ["says that the loss 'old' is called 'gone' now, which it does not register"]
    (problem,) = offered(("old", "new"), names=("new", "old"))[1]
    assert problem == "says that the loss 'old' is called 'new' now, and registers 'old' as well"


def config(**options):
    told = {"generator": {"name": "x", "arguments": options}, "budget": {"seconds": None, "images": None}}
    return json.loads(json.dumps(told))


def test_an_option_that_is_a_mapping_is_there_or_not_as_a_whole():
    defaults = {"generator.arguments.sizes": {"low": 1}}
    assert differences(config(), config(sizes={"low": 1}), defaults) == []
    assert differences(config(), config(sizes={"low": 2}), defaults) == [("generator.sizes.low", 1, 2)]
    assert differences(config(sizes={"high": 2}), config(sizes={"high": 2}), defaults) == []
    assert differences(config(sizes={}), config(sizes={"low": 1}), defaults)


def test_augmentations_that_a_run_has_not_may_be_said_or_not():
    with_none = {**config(), "augmentations": {}}
    assert differences(config(), with_none) == differences(with_none, config()) == []
    assert "augmentations" not in resolve(ganzoo.plugins.load().registry, "mlp").to_json()
