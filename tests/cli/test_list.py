"""``ganzoo list``, run as installed."""

import json
import os
import re
import subprocess
import sysconfig
from pathlib import Path

import pytest

from cli.terminal import on_terminal
from ganzoo.cli.list import KINDS
from ganzoo.registry import KINDS as REGISTRY_KINDS

SHIPPED = {"mlp", "dcgan", "wgan-gp"}

STRANGER = """
import ganzoo

presets = {name: ganzoo.Preset(summary="a preset") for name in ("default", "paper")}
variant = ganzoo.Variant(
    name="dcgan", summary="[bold]mine\\x1b[31m\\nnow", paper="none", generator="m:G", discriminator="m:D", presets=presets
)

@ganzoo.hookimpl
def register(registry):
    registry.add_variant(variant)
"""


def names(stdout):
    return [line.split("\t")[0] for line in stdout.splitlines()[1:]]


def test_the_shipped_variants_are_listed_with_their_plugin(run_ganzoo):
    done = run_ganzoo("list")
    assert (done.returncode, done.stderr) == (0, "")
    assert set(names(done.stdout)) >= SHIPPED
    head, *lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert head == ["NAME", "SUMMARY", "PLUGIN"]
    assert {len(line) for line in lines} == {3}
    (line,) = [line for line in lines if line[0] == "wgan-gp"]
    assert line[2] == "ganzoo:wgan-gp"


def test_a_pattern_selects(run_ganzoo):
    done = run_ganzoo("list", "*gan*")
    assert (done.returncode, done.stderr) == (0, "")
    assert {"dcgan", "wgan-gp"} <= set(names(done.stdout))
    assert "mlp" not in names(done.stdout)


@pytest.mark.parametrize(("pattern", "hint"), [("gan", "'*gan*'"), ("zzz*", "list all: ganzoo list")])
@pytest.mark.parametrize("as_json", [False, True])
def test_no_match_is_said_and_fails(run_ganzoo, pattern, hint, as_json):
    done = run_ganzoo("list", pattern, *["--json"] * as_json)
    assert done.returncode == 1
    assert done.stdout == ("[]\n" if as_json else "")
    assert done.stderr.startswith(f"ganzoo: none of the variants matches '{pattern}'; ")
    assert hint in done.stderr
    assert done.stderr.count("\n") == 1


def test_every_kind_of_the_registry_can_be_listed():
    assert set(KINDS.values()) == set(REGISTRY_KINDS)


@pytest.mark.parametrize(("kind", "name"), [("losses", "hinge"), ("penalties", "r1"), ("datasets", "fashion-mnist-10k")])
def test_other_kinds_are_listed(run_ganzoo, kind, name):
    done = run_ganzoo("list", "--kind", kind)
    assert (done.returncode, done.stderr) == (0, "")
    assert name in names(done.stdout)


def test_nothing_of_a_kind_is_no_failure(run_ganzoo):
    done = run_ganzoo("list", env={"GANZOO_LOAD_PLUGINS": ""})
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "ganzoo: no plugin offers variants; see: ganzoo plugins\n"


def test_json_of_variants_is_all_there_is_to_know(run_ganzoo):
    done = run_ganzoo("list", "dcgan", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    (variant,) = json.loads(done.stdout)
    assert variant["name"] == "dcgan"
    assert variant["presets"].keys() >= {"default", "paper"}
    assert variant["origin"].keys() == {"distribution", "version", "plugin"}
    assert variant["origin"]["distribution"] == "ganzoo"


def test_json_of_components_names_the_code(run_ganzoo):
    done = run_ganzoo("list", "hinge", "--kind", "losses", "--json")
    (loss,) = json.loads(done.stdout)
    assert (loss["kind"], loss["target"], loss["origin"]["plugin"]) == ("loss", "ganzoo.losses:Hinge", "standard")


def test_a_name_is_listed_as_it_must_be_typed_and_a_summary_cannot_move_the_cursor(run_ganzoo, plugin_distribution):
    stranger = plugin_distribution(
        "stranger", entry_points={"mine": "stranger_plugin"}, modules={"stranger_plugin.py": STRANGER}
    )
    done = run_ganzoo("list", plugins=[stranger])
    (line,) = [line for line in done.stdout.splitlines() if "stranger:mine" in line]
    assert line.split() == ["stranger:dcgan", r"[bold]mine\x1b[31m\nnow", "stranger:mine"]
    (variant,) = json.loads(run_ganzoo("list", "stranger:*", "--json", plugins=[stranger]).stdout)
    assert variant["name"] == "stranger:dcgan"


def test_a_terminal_gets_a_header_and_wrapped_columns():
    drawn = on_terminal("list", "--kind", "losses", COLUMNS="60")
    assert "NAME" in drawn
    assert "SUMMARY" in drawn
    assert all(len(line) <= 60 for line in drawn.splitlines()[1:])
    assert "\x1b[1m" in drawn


def test_a_terminal_is_told_what_the_numbers_of_models_are():
    head, *lines = on_terminal("list", "--kind", "models", NO_COLOR="1", COLUMNS="120").splitlines()
    words = re.sub(r"\x1b\[[0-9;]*m", "", head).split()
    assert words[:4] == ["NAME", "VARIANT", "SHAPE", "FD"]
    assert {len(line.split()) for line in lines} == {len(words)}


def test_what_is_piped_on_says_in_its_first_line_what_the_numbers_of_models_are(run_ganzoo):
    head, *lines = [line.split("\t") for line in run_ganzoo("list", "--kind", "models").stdout.splitlines()]
    assert head[:4] == ["NAME", "VARIANT", "SHAPE", "FD"]
    assert lines
    assert {len(line) for line in lines} == {len(head)}


def test_no_color_and_dumb_terminals_are_respected():
    assert "\x1b[3" not in on_terminal("list", "--kind", "losses", NO_COLOR="1")
    assert "\x1b" not in on_terminal("list", "--kind", "losses", TERM="dumb")


def test_markup_in_a_summary_is_text(plugin_distribution):
    stranger = plugin_distribution(
        "stranger", entry_points={"mine": "stranger_plugin"}, modules={"stranger_plugin.py": STRANGER}
    )
    assert "[bold]mine" in on_terminal("list", "stranger:*", PYTHONPATH=str(stranger), COLUMNS="200")


def test_a_reader_that_leaves_is_no_reason_to_complain():
    ours, theirs = os.pipe()
    os.close(ours)
    command = Path(sysconfig.get_path("scripts")) / "ganzoo"
    done = subprocess.run([command, "list", "--kind", "losses"], stdout=theirs, stderr=subprocess.PIPE, check=False)
    os.close(theirs)
    assert (done.returncode, done.stderr) == (1, b"")
