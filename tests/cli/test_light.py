"""Commands that only look things up start fast, because of what they do not import."""

import json
import os
import subprocess
import sys

import pytest

from ganzoo.cli import COMMANDS

HEAVY = {"torch", "timm", "torchvision", "accelerate", "huggingface_hub", "numpy", "pydantic", "rich", "PIL", "safetensors"}

BUDGET = 200
"""How many modules may be imported beyond those of a bare Python; a fifth above what is."""

PROBE = """
import atexit, pathlib, sys
path = pathlib.Path(sys.argv.pop(1))
atexit.register(lambda: path.write_text("\\n".join(sys.modules)))
sys.argv[0] = "ganzoo"
"""

GANZOO = PROBE + "from ganzoo.cli import main; main()"


@pytest.fixture
def imported(tmp_path):
    """What a fresh process imports to run ``ganzoo`` with these arguments, or other code."""

    def run(*args, code=GANZOO, **env):
        path = tmp_path / "modules.txt"
        command = [sys.executable, "-c", code, path, *args]
        done = subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        return set(path.read_text().split())

    return run


LOOKUPS = [
    ["list"],
    ["list", "--json"],
    ["list", "--kind", "datasets"],
    ["plugins"],
    ["plugins", "--json"],
    [],
    ["--version"],
    ["--help"],
    *([name, "--help"] for name in COMMANDS),
]


@pytest.mark.parametrize("args", LOOKUPS, ids=" ".join)
def test_looking_up_imports_nothing_heavy(imported, args):
    assert not imported(*args) & HEAVY


def test_listing_models_imports_no_more_than_what_validates_their_files(imported):
    assert not imported("list", "--kind", "models") & (HEAVY - {"pydantic"})


def test_what_a_run_or_a_model_says_is_read_without_torch(imported, tmp_path):
    assert not imported("info", "dcgan-fashion-mnist") & (HEAVY - {"pydantic"})
    config = {"variant": "mlp", "loop": {}, "trainer": {}, "budget": {"images": 8}, "precision": "fp32"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert not imported("info", tmp_path) & (HEAVY - {"pydantic"})


TYPED = [
    *("ganzoo ", "ganzoo li", "ganzoo list --kind ", "ganzoo train --", "ganzoo train ", "ganzoo train dcgan@"),
    *(
        "ganzoo train dcgan --preset ",
        "ganzoo train dcgan --loss ",
        "ganzoo train dcgan --penalty ",
        "ganzoo train dcgan --data ",
        "ganzoo train dcgan --from ",
        "ganzoo train dcgan --log ",
    ),
    *("ganzoo sample ", "ganzoo evaluate x --extractor ", "ganzoo push ", "ganzoo compare "),
]


@pytest.mark.parametrize("words", TYPED)
def test_completion_imports_nothing_heavy(imported, words):
    words_before = len(words.split(" ")) - 1
    assert not imported(_GANZOO_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=str(words_before)) & HEAVY


@pytest.mark.parametrize("args", [["list"], ["plugins"], ["--help"]], ids=" ".join)
def test_looking_up_stays_within_its_import_budget(imported, args):
    modules = imported(*args) - imported(code=PROBE)
    assert len(modules) <= BUDGET, sorted(modules)


def test_help_imports_no_command(imported):
    assert not {m for m in imported("--help") if m.startswith("ganzoo.cli.")} - {"ganzoo.cli.output", "ganzoo.cli.errors"}


def test_importing_ganzoo_imports_nothing(imported):
    modules = imported(code=PROBE + "import ganzoo")
    assert {m for m in modules if m.startswith("ganzoo")} <= {"ganzoo"}
    assert not modules & HEAVY
