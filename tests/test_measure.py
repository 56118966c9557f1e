"""The table of measures: what a row may say, and what a plugin's row comes to."""

import subprocess
import sys

import pytest

import ganzoo
from ganzoo import plugins
from ganzoo.errors import PluginError, UnknownNameError, UsageError
from ganzoo.measures.base import Evidence, Goal, Measure, SampleSet
from ganzoo.measures.built_in import BUILT_IN
from ganzoo.measures.table import find_measure, measures, scores_of
from ganzoo.request import choose_scoring

WORDS = {"title": "a title", "meaning": "a meaning"}

MODULE = """
import ganzoo

def row(name, compute, **more):
    return ganzoo.Measure(name=name, title=name, meaning="made up", compute=compute, **more)

GOOD = row("good", lambda evidence: (evidence.seed, {"good_std": 0.5}))
TORN = row("torn", lambda evidence: [][1])
WORD = row("word", lambda evidence: "high")
ALIAS = row("other", "gone:function")
FD = row("fd", lambda evidence: 7)

@ganzoo.hookimpl
def register(registry):
    for name in ("good", "torn", "word", "fd"):
        registry.add("measure", name, f"rows:{name.upper()}")
    registry.add("measure", "alias", "rows:ALIAS")
    registry.add("measure", "absent", "rows:ABSENT")
    registry.add("measure", "function", lambda evidence: 1)
"""


@pytest.fixture
def registry(load_plugins, plugin_distribution):
    found = load_plugins(plugin_distribution("rows-dist", entry_points={"rows": "rows"}, modules={"rows.py": MODULE}))
    return found.registry


def evidence(seed=3):
    return Evidence(SampleSet(2), SampleSet(2), seed=seed)


@pytest.mark.parametrize(
    ("goal", "from_best_to_worst"),
    [(Goal("lower"), (-1.0, 0.0, 5.0)), (Goal("higher", 1.0), (1.4, 1.0, 0.2)), (Goal(None, 0.5), (0.5, 0.6, 0.3, 0.9, 0.0))],
    ids=["lower", "higher", "nearest to its ideal"],
)
def test_what_is_best_goes_by_the_direction_of_the_measure(goal, from_best_to_worst):
    assert tuple(sorted(sorted(from_best_to_worst), key=goal.distance)) == from_best_to_worst


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"name": "Bad Name"}, "lower-case"),
        ({"better": "up"}, "better is 'lower', 'higher' or None"),
        ({"needs": ("feature",)}, "needs are a tuple of features, classes"),
        ({"needs": "features"}, "got 'features'"),
        ({"compute": None}, "found beside another"),
        ({"title": ""}, "has a title"),
    ],
)
def test_a_row_that_is_malformed_says_what_is_wrong(told, said):
    with pytest.raises(ValueError, match=said):
        Measure(**{"name": "mine", "compute": "module:function", **WORDS, **told})


def test_a_plugins_rows_come_after_ganzoos_own_and_a_name_that_is_taken_stays(registry):
    names = list(measures(registry))
    assert names == [*(m.name for m in BUILT_IN), "good", "torn", "word", "rows-dist:fd"]
    assert scores_of(measures(registry)["good"], evidence()) == {"good": 3, "good_std": 0.5}
    assert scores_of(measures(registry)["rows-dist:fd"], evidence()) == {"rows-dist:fd": 7}


@pytest.mark.parametrize(("name", "said"), [("torn", "IndexError.*rows.py"), ("word", "is str, and a score is a number")])
def test_a_measure_that_fails_is_named_as_its_plugins(registry, name, said):
    with pytest.raises(PluginError, match=said):
        scores_of(find_measure(registry, name), evidence())


@pytest.mark.parametrize(("name", "said"), [("absent", "rows-dist"), ("alias", "calls itself 'other'")])
def test_a_row_that_cannot_be_had_is_told_to_whoever_asks_for_it(registry, name, said):
    with pytest.raises(PluginError, match=said):
        find_measure(registry, name)


def test_a_function_alone_is_no_measure(registry):
    assert registry.find("measure", "function") is None


def test_what_stands_beside_a_measure_is_not_asked_for_by_itself():
    registry = plugins.load().registry
    with pytest.raises(UsageError, match=r"fd_train is found beside rfd.*--measures rfd"):
        find_measure(registry, "fd_train")
    with pytest.raises(UnknownNameError, match="did you mean fd"):
        find_measure(registry, "fid")


def test_a_measure_gets_only_what_it_says_that_it_needs():
    with pytest.raises(PluginError, match="asks for 'decoded'"):
        evidence().fake.decoded()


def test_two_measures_of_one_computation_share_it():
    asked = []
    given = evidence()
    assert [given.once(lambda e: 1), given.once(asked.append), given.once(asked.append)] == [1, None, None]
    assert len(asked) == 1


def test_the_table_is_read_without_torch():
    code = "import sys; from ganzoo import plugins; from ganzoo.measures import table"
    code += "; print(len(table.measures(plugins.load().registry)))"
    code += "; print([m for m in ('torch', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[1] == "[]"
    assert int(done.stdout.split("\n")[0]) >= len(BUILT_IN)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_score_that_is_no_finite_number_is_none(value):
    row = Measure(name="odd", compute=lambda evidence: value, **WORDS)
    with pytest.raises(PluginError, match="no finite number"):
        scores_of(row, evidence())


def test_an_ideal_without_end_is_refused():
    with pytest.raises(ValueError, match="finite"):
        Measure(name="odd", compute=lambda evidence: 1, better="higher", ideal=float("inf"), **WORDS)


RENAMED = """
import ganzoo

SHARP = ganzoo.Measure(name="sharp", title="sharpness", meaning="made up", compute=lambda evidence: 1, better="higher")

@ganzoo.hookimpl
def register(registry):
    registry.add("measure", "sharp", "sharp:SHARP")
    registry.add_alias("measure", "crisp", "sharp")
"""


def test_a_measure_that_was_renamed_is_asked_for_by_either_name(load_plugins, plugin_distribution):
    folder = plugin_distribution("sharp-dist", entry_points={"sharp": "sharp"}, modules={"sharp.py": RENAMED})
    registry = load_plugins(folder).registry
    with pytest.warns(FutureWarning, match="'crisp' is called 'sharp' now"):
        assert find_measure(registry, "crisp").name == "sharp"
    scoring = choose_scoring(None, "sharp-dist:sharp=0.5")
    assert (scoring.by, scoring.judge.names, scoring.goal.better) == ("sharp", ("sharp",), "higher")
    assert ganzoo.Scoring(ganzoo.Judge(names=("crisp",)), 100, by="crisp").by == "sharp"
