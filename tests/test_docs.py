"""What the documentation says is so."""

import re
from pathlib import Path

import numpy as np
import pluggy

from ganzoo import hookspecs

ROOT = Path(__file__).parents[1]
TUTORIAL = (ROOT / "docs" / "plugins.md").read_text()


def code(name):
    """The code block whose first line is the comment ``# name``."""
    return re.search(rf"```\w+\n# {re.escape(name)}\n(.*?)```", TUTORIAL, re.DOTALL)[1]


def test_the_tutorials_plugin_works(run_ganzoo, plugin_distribution, tmp_path):
    modules = {name: code(name) for name in ("spiral_gan/__init__.py", "spiral_gan/networks.py")}
    folder = plugin_distribution(
        "spiral-gan",
        version="0.1",
        entry_points={"spiral": "spiral_gan"},
        modules=modules,
        requires=['ganzoo>=0.1; extra == "host"'],
    )
    console = re.search(r"```console\n(.*?)```", TUTORIAL, re.DOTALL)[1]
    commands = [line.removeprefix("$ ").split() for line in console.splitlines()]
    results = [run_ganzoo(*words[1:], plugins=[folder]) for words in commands if words[0] == "ganzoo"]
    assert [r.returncode for r in results] == [0, 0, 0], results
    assert "spiral" in results[0].stdout
    points = np.load(tmp_path / "points.npz")["arr_0"]
    assert points.shape == (1000, 2)
    # The spiral reaches from the middle to about 0.94; a generator that learned nothing stays within a few hundredths.
    assert np.linalg.norm(points, axis=1).max() > 0.4


def test_the_tutorials_loss_and_penalty_work(run_ganzoo, plugin_distribution):
    calls = re.findall(r"`(registry\.add\(\"(?:loss|penalty)\".*?\))`", TUTORIAL)
    assert len(calls) == 2
    modules = {name: code(name) for name in ("spiral_gan/__init__.py", "spiral_gan/networks.py", "spiral_gan/parts.py")}
    modules["spiral_gan/__init__.py"] += "".join(f"    {call}\n" for call in calls)
    folder = plugin_distribution("spiral-gan", version="0.1", entry_points={"spiral": "spiral_gan"}, modules=modules)
    (command,) = re.findall(r"`ganzoo (train spiral .*?)`", TUTORIAL)
    result = run_ganzoo(*command.split(), "--images", "2000", "--out", "run", plugins=[folder])
    assert result.returncode == 0, result.stderr
    assert "drift" in result.stderr


def test_the_project_file_declares_the_entry_point():
    assert '[project.entry-points.ganzoo]\nspiral = "spiral_gan"' in code("pyproject.toml")


def test_every_hook_is_documented():
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    for name, caller in vars(manager.hook).items():
        if isinstance(caller, pluggy.HookCaller):
            arguments = ", ".join(caller.spec.argnames)
            assert f"`{name}({arguments})`" in TUTORIAL


def test_the_hookspecs_fit_on_a_screen():
    assert len((ROOT / "ganzoo" / "hookspecs.py").read_text().splitlines()) <= 50


def test_what_the_readme_links_to_is_there():
    text = (ROOT / "README.md").read_text()
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    assert len(links) >= 4
    # As GitHub names a heading.
    headings = {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}
    assert [link for link in links if not (link[1:] in headings if link[0] == "#" else (ROOT / link).exists())] == []
