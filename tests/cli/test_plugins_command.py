"""``ganzoo plugins`` and the commands that plugins add."""

import json

import pytest

GREETER = """
import click
import ganzoo

@ganzoo.hookimpl
def register_commands(cli):
    @cli.command()
    def greet():
        "Say hello."
        click.echo("hello")
        return 5

    @cli.group(no_args_is_help=True)
    def many():
        "Do many things."

    @many.command()
    def one():
        click.echo("one")
"""

REPLACES_TRAIN = """
import click
import ganzoo

@ganzoo.hookimpl
def register_commands(cli):
    @cli.command()
    def train():
        click.echo("mine")
"""

SECOND_DCGAN = """
import ganzoo

@ganzoo.hookimpl
def register(registry):
    registry.add("generator", "dcgan", "somewhere:Generator")
    registry.add("generator", "other", "somewhere:Generator")
"""

HEAVY = """
import huggingface_hub
import ganzoo

@ganzoo.hookimpl
def register(registry):
    pass
"""


@pytest.fixture
def make(plugin_distribution):
    def one(name, code):
        return plugin_distribution(name, entry_points={name: f"{name}_module"}, modules={f"{name}_module.py": code})

    return one


def by_name(done):
    return {row["plugin"]: row for row in json.loads(done.stdout)}


def test_what_ships_is_fine(run_ganzoo):
    done = run_ganzoo("plugins")
    assert (done.returncode, done.stderr) == (0, "")
    rows = {line.split()[0]: line.split() for line in done.stdout.splitlines()}
    assert rows.keys() >= {"standard", "mlp", "dcgan", "wgan-gp"}
    assert {row[3] for row in rows.values() if row[1] == "ganzoo"} == {"ok"}


def test_json_says_what_each_offers(run_ganzoo):
    done = run_ganzoo("plugins", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    plugins = by_name(done)
    assert plugins["mlp"]["offers"]["variant"] == ["mlp"]
    assert plugins["mlp"]["slow_imports"] == plugins["mlp"]["problems"] == []
    assert "hinge" in plugins["standard"]["offers"]["loss"]


def test_a_broken_one_is_shown_beside_the_others(run_ganzoo, make):
    done = run_ganzoo("plugins", "--json", plugins=[make("broken", "1 / 0")])
    assert done.returncode == 0
    assert done.stderr.count("\n") == 1
    plugins = by_name(done)
    assert plugins["broken"]["status"] == "broken"
    assert "ZeroDivisionError" in plugins["broken"]["problems"][0]
    assert plugins["mlp"]["status"] == "ok"


def test_one_whose_name_is_taken_works_in_part(run_ganzoo, make):
    second = by_name(run_ganzoo("plugins", "--json", plugins=[make("second", SECOND_DCGAN)]))["second"]
    assert second["status"] == "partial"
    assert second["offers"] == {"generator": ["second:dcgan", "other"]}


def test_skipped_ones_are_shown(run_ganzoo, make):
    done = run_ganzoo("plugins", "--json", plugins=[make("greeter", GREETER)], env={"GANZOO_LOAD_PLUGINS": "mlp"})
    plugins = by_name(done)
    assert {name: row["status"] for name, row in plugins.items()}.items() >= {
        "standard": "ok",
        "mlp": "ok",
        "dcgan": "skipped",
        "greeter": "skipped",
    }.items()


def test_slow_imports_are_shown(run_ganzoo, make):
    heavy = make("heavy", HEAVY)
    assert by_name(run_ganzoo("plugins", "--json", plugins=[heavy]))["heavy"]["slow_imports"] == ["huggingface_hub"]
    assert "importing huggingface_hub" in run_ganzoo("plugins", plugins=[heavy]).stdout


def test_a_plugins_commands_are_offered_in_help_and_run(run_ganzoo, make):
    greeter = make("greeter", GREETER)
    assert by_name(run_ganzoo("plugins", "--json", plugins=[greeter]))["greeter"]["offers"] == {"command": ["greet", "many"]}
    assert "Say hello." in run_ganzoo("--help", plugins=[greeter]).stdout
    done = run_ganzoo("greet", plugins=[greeter])
    assert (done.returncode, done.stdout, done.stderr) == (0, "hello\n", "")
    assert run_ganzoo("many", "one", plugins=[greeter]).stdout == "one\n"
    assert "did you mean greet?" in run_ganzoo("greet2", plugins=[greeter]).stderr


def test_a_plugins_group_without_a_command_shows_its_help(run_ganzoo, make):
    done = run_ganzoo("many", plugins=[make("greeter", GREETER)])
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Usage: ganzoo many")


def test_built_in_commands_cannot_be_replaced(run_ganzoo, make):
    done = run_ganzoo("train", "--help", plugins=[make("grabber", REPLACES_TRAIN)])
    assert "mine" not in done.stdout
    assert "claims the command 'train'" in run_ganzoo("plugins", plugins=[make("grabber", REPLACES_TRAIN)]).stderr
