"""The installed command among broken plugins: each costs one line on stderr, and nothing else."""

import pytest
from broken_plugins import BROKEN, BROKEN_COMMANDS, install_broken

SHIPPED = {"mlp", "dcgan", "wgan-gp"}


def listed(stdout):
    """The first word of every line but a table's head, which is a name unless something else got into the result."""
    return {line.split()[0] for line in stdout.splitlines() if line.strip() and not line.startswith("NAME\t")}


def assert_one_line(stderr, kind, broken):
    (line,) = [line for line in stderr.splitlines() if f"plugin {kind!r} (bad-{kind} 1.0)" in line]
    assert broken.says in line
    assert "Disable it: GANZOO_LOAD_PLUGINS=ganzoo" in line
    assert f"pip uninstall bad-{kind}" in line


@pytest.mark.parametrize("kind", BROKEN)
def test_listing_works(kind, plugin_distribution, run_ganzoo):
    done = run_ganzoo("list", plugins=[install_broken(plugin_distribution, kind)])
    assert done.returncode == 0
    assert listed(done.stdout) == SHIPPED | BROKEN[kind].offers
    assert len(done.stderr.splitlines()) == 1
    assert_one_line(done.stderr, kind, BROKEN[kind])


@pytest.mark.parametrize("kind", BROKEN_COMMANDS)
def test_help_and_builtin_commands_work(kind, plugin_distribution, run_ganzoo):
    folder = install_broken(plugin_distribution, kind)
    done = run_ganzoo("--help", plugins=[folder])
    assert done.returncode == 0
    assert {"train", "list", *BROKEN_COMMANDS[kind].offers} <= listed(done.stdout)
    assert "half-done" not in listed(done.stdout)
    assert len(done.stderr.splitlines()) == 1
    assert_one_line(done.stderr, kind, BROKEN_COMMANDS[kind])
    assert "hijacked" not in run_ganzoo("train", "--help", plugins=[folder]).stdout
    assert listed(run_ganzoo("list", plugins=[folder]).stdout) == SHIPPED


def test_strictness_fails_with_the_same_line(plugin_distribution, run_ganzoo):
    kind = "raises-in-register"
    done = run_ganzoo("list", plugins=[install_broken(plugin_distribution, kind)], env={"GANZOO_STRICT_PLUGINS": "1"})
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert_one_line(done.stderr, kind, BROKEN[kind])


def test_without_plugins_there_is_nothing_to_list_but_no_failure(plugin_distribution, run_ganzoo):
    folder = install_broken(plugin_distribution, "exits-at-import")
    done = run_ganzoo("list", "--kind", "losses", plugins=[folder], env={"GANZOO_LOAD_PLUGINS": ""})
    assert (done.returncode, done.stderr) == (0, "")
    assert {"hinge", "wasserstein"} <= listed(done.stdout)


@pytest.mark.slow
def test_training_works_among_all_of_them(plugin_distribution, run_ganzoo, tmp_path):
    everything = BROKEN | BROKEN_COMMANDS
    folders = [install_broken(plugin_distribution, kind) for kind in everything]
    done = run_ganzoo("train", "mlp", "--images", "2000", "--out", tmp_path / "run", plugins=folders)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "model" / "model.safetensors").is_file()
    for kind in BROKEN:
        assert_one_line(done.stderr, kind, BROKEN[kind])
