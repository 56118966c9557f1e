"""The README can be followed from its beginning, and explains what it shows."""

import re
from pathlib import Path

import pytest

import ganzoo
from ganzoo.cli.errors import INTERRUPTED, NO_GOOD
from ganzoo.measures.built_in import BUILT_IN

README = (Path(__file__).parents[1] / "README.md").read_text()


def section(title):
    """What is under the heading ``title``."""
    return README.partition(f"## {title}\n")[2].partition("\n## ")[0]


def test_each_command_uses_only_runs_that_one_before_it_makes():
    commands = [
        line for block in re.findall(r"```console\n(.*?)```", section("Use"), re.DOTALL) for line in block.splitlines()
    ]
    made, used = set(), set()
    for command in commands:
        what, _, comment = command.partition("  #")
        runs = {run for run in re.findall(r"runs/[\w-]+", what) if run != "runs/my-pets"}
        assert runs <= made, command
        used |= runs
        made |= set(re.findall(r"makes (runs/[\w-]+)", comment))
    assert len(used) >= 2


def test_the_cpu_only_build_of_torch_is_installed_first():
    start = section("Start")
    assert 0 < start.index("download.pytorch.org/whl/cpu") < start.index("pip install . ")


def test_what_scoring_needs_is_said_before_the_first_command_that_scores():
    scores = re.search(r"^\$ ganzoo (evaluate|compare|train .*--until)", README, re.MULTILINE)
    assert 0 < README.index("Scoring (") < README.index("pip install '.[evaluation]'") < scores.start()


def test_a_first_run_on_a_slow_laptop_is_told_where_its_speed_stands_and_how_to_go_on():
    after = section("Start").partition("ganzoo train dcgan --budget 4m")[2].partition("Trained generators")[0]
    assert "pictures per second (`871/s`)" in after
    assert "`--budget 40m`, trains the run further" in after
    shown = int(re.search(r"`dcgan` saw\s([\d,]+) pictures", README)[1].replace(",", ""))
    assert round(shown / 240, -2) == int(re.search(r"some ([\d,]+)/s", after)[1].replace(",", ""))


def test_each_measure_is_explained_with_its_good_direction():
    rows = dict(re.findall(r"^\| `(\w+)` \| (↓|↑|0\.5) \| .{20,}\|$", section("Honest scores"), re.MULTILINE))
    signs = {"lower": "↓", "higher": "↑"}
    assert rows == {m.name: signs.get(m.better, str(m.ideal)) for m in BUILT_IN if not m.beside}
    (header,) = [line for line in README.splitlines() if line.startswith("| | minutes |")]
    for name, direction in re.findall(r"\| (\w+) (↓|↑)", header):
        assert rows[name.lower()] == direction


def test_the_exit_codes_are_those_of_the_command(run_ganzoo):
    codes = set(re.findall(r"^\| (\d+) \| \w", README, re.MULTILINE))
    helped = set(re.findall(r"^    (\d+) ", run_ganzoo("--help").stdout, re.MULTILINE))
    assert codes == helped >= {str(NO_GOOD), str(INTERRUPTED)}


@pytest.mark.parametrize("name", ["mlp", "dcgan", "wgan-gp"])
def test_no_variant_that_ships_uses_class_labels(name, tmp_path):
    """As the README says where it shows ``--class``."""
    assert f"`{name}`" in section("Use").partition("conditional model makes")[2].partition("uses class labels")[0]
    tiny = {"generator.hidden": [8], "discriminator.hidden": [8]} if name == "mlp" else {"generator.width": 4}
    run = ganzoo.train(name, images=16, out=tmp_path / "run", device="cpu", options={"batch_size": 8, **tiny}, watcher=None)
    assert ganzoo.load(run.folder).num_classes == 0
