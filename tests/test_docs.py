"""What the documentation says is so."""

import re
from pathlib import Path

import numpy as np
import pluggy
import pytest

import ganzoo
from ganzoo import errors, hookspecs
from ganzoo.factory import make_part
from ganzoo.model_folder import FORMAT
from ganzoo.registry import Origin, Registrar, Registry

ROOT = Path(__file__).parents[1]
TUTORIAL = (ROOT / "docs" / "plugins.md").read_text()
COMPATIBILITY = (ROOT / "docs" / "compatibility.md").read_text()


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


@pytest.mark.parametrize("text", [TUTORIAL, COMPATIBILITY], ids=["plugins", "compatibility"])
def test_every_public_name_that_a_page_has_is_there(text):
    named = set(re.findall(r"ganzoo\.([A-Za-z_]\w*)", text)) - {"__all__"}
    assert named
    assert [name for name in named if name not in ganzoo.__all__] == []


def test_the_page_on_compatibility_names_what_there_is():
    files = re.findall(r"`((?:ganzoo|tests|docs)/[\w/.-]+)`", COMPATIBILITY)
    assert len(files) >= 5
    assert [file for file in files if not (ROOT / file).is_file()] == []
    links = re.findall(r"\]\(([^)]+)\)", COMPATIBILITY)
    assert [link for link in links if not (ROOT / "docs" / link).is_file()] == []
    assert f"has a `format`, which is {FORMAT}." in COMPATIBILITY
    methods = {name for name, value in vars(Registrar).items() if callable(value) and name.startswith("add")}
    (told,) = re.findall(r"methods\s+of the registry that hooks are handed \(([^)]*)\)", COMPATIBILITY)
    assert set(re.findall(r"`(\w+)`", told)) == methods


def test_a_plugin_says_which_ganzoo_it_needs_in_the_words_of_the_tutorial():
    (wanted,) = re.findall(r"```toml\n(.*?)```", COMPATIBILITY, re.DOTALL)
    assert wanted in code("pyproject.toml") + "\n"


def test_things_are_renamed_as_the_page_says():
    alias, option = re.findall(r"```python\n(.*?)```", COMPATIBILITY, re.DOTALL)
    (line,) = re.findall(r"```\nganzoo: (.*)\n```", COMPATIBILITY)
    namespace = {"ganzoo": ganzoo}
    exec(alias + option, namespace)
    registrar, registry = Registrar(Origin("my-gan", "1.0", "my-gan")), Registry()
    namespace["register"](registrar)
    registrar.add("generator", "wide", namespace["Wide"])
    assert registry.include(registrar.offered()) + registry.include_aliases("my-gan", registrar.aliases()) == []
    errors.say_renamed.cache_clear()
    with pytest.warns(FutureWarning, match=f"^{re.escape(line)}$"):
        registry.get("loss", "odd")
    part = make_part(registry, "generator", "wide", {"channels": 8}, label="generator")
    assert part.arguments == {"width": 8}
