"""TAB: what a shell is offered, by the mechanism that the shells use."""

import os
import re
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

import ganzoo

BROKEN = "raise RuntimeError('of no interest to whoever presses TAB')"


@pytest.fixture
def offered(run_ganzoo):
    """What bash is offered at the end of these words: names, and what is no name by its kind."""

    def offer(words, **options):
        env = {"_GANZOO_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}
        result = run_ganzoo(env=env, **options)
        assert (result.returncode, result.stderr) == (0, "")
        return [line.removeprefix("plain,") for line in result.stdout.splitlines()]

    return offer


@pytest.mark.parametrize(
    ("words", "some", "none"),
    [
        ("ganzoo train ", {"dcgan", "mlp", "wgan-gp"}, {"hinge"}),
        ("ganzoo train wg", {"wgan-gp"}, {"dcgan"}),
        ("ganzoo train dcgan@", {"dcgan@default", "dcgan@paper"}, {"dcgan"}),
        ("ganzoo train mlp@k", {"mlp@keras"}, {"mlp@paper"}),
        ("ganzoo train mlp --preset ", {"default", "paper", "keras"}, {"mlp"}),
        ("ganzoo train dcgan --preset ", {"default", "paper"}, {"keras"}),
        ("ganzoo train --preset k", {"keras"}, {"paper"}),
        ("ganzoo train dcgan --loss ", {"hinge", "wasserstein"}, {"r1", "none"}),
        ("ganzoo train dcgan --loss=h", {"hinge"}, {"wasserstein"}),
        ("ganzoo train dcgan --penalty ", {"r1", "gradient-penalty", "none"}, {"hinge"}),
        ("ganzoo train dcgan --data fash", {"fashion-mnist", "fashion-mnist-10k", "file,fash"}, {"dcgan"}),
        ("ganzoo sample ", {"dcgan-fashion-mnist", "mlp-fashion-mnist"}, {"dcgan"}),
        ("ganzoo evaluate wg", {"wgan-gp-fashion-mnist"}, {"dcgan-fashion-mnist"}),
        ("ganzoo evaluate x --extractor ", {"inception", "cifar10-cnn"}, {"dcgan"}),
        ("ganzoo compare mlp dcgan@p", {"dcgan@paper"}, {"mlp"}),
        ("ganzoo info ", {"dcgan"}, {"hinge"}),
        ("ganzoo search --variant ", {"dcgan"}, {"hinge"}),
        ("ganzoo list --kind l", {"losses"}, {"models"}),
        ("ganzoo list --kind m", {"models"}, {"losses"}),
        ("ganzoo pus", {"push"}, {"pull"}),
        ("ganzoo train nothing-like-this --preset k", {"keras"}, {"default"}),
        ("ganzoo train nothing-like-this@k", set(), {"nothing-like-this@keras"}),
    ],
)
def test_names_are_completed(offered, words, some, none):
    found = set(offered(words))
    assert some <= found
    assert not none & found


def test_names_of_a_plugin_are_completed_and_broken_ones_say_nothing(offered, plugin_distribution):
    module = """
import ganzoo
@ganzoo.hookimpl
def register(registry):
    preset = ganzoo.Preset(summary="small")
    registry.add_variant(ganzoo.Variant(name="spiral", summary="a", paper="b", generator="mlp", discriminator="mlp",
                                        presets={"default": preset, "paper": preset, "tiny": preset}))
    registry.add_variant(ganzoo.Variant(name="dcgan", summary="a", paper="b", generator="mlp", discriminator="mlp",
                                        presets={"default": preset, "paper": preset, "theirs": preset}))
"""
    well = plugin_distribution("spiral-gan", entry_points={"spiral": "spiral_gan"}, modules={"spiral_gan.py": module})
    broken = plugin_distribution("bad-gan", entry_points={"bad": "bad_gan"}, modules={"bad_gan.py": BROKEN})
    assert "spiral" in offered("ganzoo train s", plugins=[well, broken])
    assert "spiral@tiny" in offered("ganzoo train spiral@t", plugins=[well, broken])
    assert offered("ganzoo train spiral-gan:dcgan@t", plugins=[well, broken]) == ["spiral-gan:dcgan@theirs"]


def test_strict_plugins_do_not_break_the_line_that_is_typed(run_ganzoo, plugin_distribution):
    broken = plugin_distribution("bad-gan", entry_points={"bad": "bad_gan"}, modules={"bad_gan.py": BROKEN})
    env = {"_GANZOO_COMPLETE": "bash_complete", "COMP_WORDS": "ganzoo train ", "COMP_CWORD": "2", "GANZOO_STRICT_PLUGINS": "1"}
    result = run_ganzoo(env=env, plugins=[broken])
    assert (result.stdout, result.stderr) == ("", "")


def test_runs_are_completed_where_they_have_what_is_wanted(offered, tmp_path):
    for name, has in (("a", "model"), ("b", "checkpoints"), ("c", "samples")):
        (tmp_path / "runs" / name / has).mkdir(parents=True)
    assert [name for name in offered("ganzoo sample run") if "," not in name] == ["runs/a"]
    assert "file," in offered("ganzoo push ")
    assert "dcgan-fashion-mnist" not in offered("ganzoo push "), "who ships is nobody's to push"
    assert [name for name in offered("ganzoo push runs/") if "," not in name] == ["runs/a"]
    assert [name for name in offered("ganzoo train dcgan --from runs") if "," not in name] == ["runs/b"]
    assert "dcgan-fashion-mnist" in offered("ganzoo train dcgan --from ")
    # Of other paths the shell knows more.
    assert offered("ganzoo sample ./x") == ["file,./x"]


def test_the_lines_in_the_readme_are_what_each_shell_wants(run_ganzoo):
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    told = dict(re.findall(r"_GANZOO_COMPLETE=((\w+)_source) ganzoo", readme))
    assert set(told.values()) == {"bash", "zsh", "fish"}
    for instruction, shell in told.items():
        script = run_ganzoo(env={"_GANZOO_COMPLETE": instruction})
        assert (script.returncode, script.stderr) == (0, "")
        assert f"_GANZOO_COMPLETE={shell}_complete" in script.stdout


def test_every_name_that_is_listed_is_completed(offered):
    assert set(ganzoo.list_variants()) == set(offered("ganzoo train "))


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("words", "reply"),
    [
        # As bash cuts them, and what it then puts in the place of the last word.
        (["ganzoo", "train", "dcg"], ["dcgan"]),
        (["ganzoo", "train", "dcgan", "@", "pa"], ["paper"]),
        (["ganzoo", "train", "mlp", "@"], ["default", "paper", "keras"]),
        (["ganzoo", "train", "ganzoo", ":", "mlp", "@", "k"], ["keras"]),
        (["ganzoo", "train", "dcgan", "--loss", "=", "hi"], ["hinge"]),
        (["ganzoo", "train", "dcgan", "--loss", "="], ["hinge", "least-squares"]),
        (["ganzoo", "train", "dcgan", "--penalty", "r1", "=", "0.1", "--preset", "p"], ["paper"]),
        (["ganzoo", "train", "mlp", "@", "paper", "--loss", "hi"], ["hinge"]),
    ],
    ids=" ".join,
)
def test_bash_itself_completes(run_ganzoo, tmp_path, words, reply):
    script = tmp_path / "complete.bash"
    script.write_text(run_ganzoo(env={"_GANZOO_COMPLETE": "bash_source"}).stdout)
    assert "complete" in script.read_text()
    quoted = " ".join(f"'{word}'" for word in words)
    code = (
        'ganzoo() { "$GANZOO" "$@"; }; compopt() { :; }; . complete.bash; '
        f'COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _ganzoo_completion "$GANZOO"; printf "%s\\n" "${{COMPREPLY[@]}}"'
    )
    env = {**os.environ, "GANZOO": str(Path(sysconfig.get_path("scripts")) / "ganzoo")}
    result = subprocess.run(["bash", "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert result.stderr == ""
    assert set(reply) <= set(result.stdout.split())
    assert not {name for name in result.stdout.split() if "@" in name or "=" in name}
