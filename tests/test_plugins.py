import os
import re
import subprocess
import sys

import pytest
from broken_plugins import BROKEN, BROKEN_COMMANDS, VARIANT, WORKING, install_broken

from ganzoo import plugins
from ganzoo.errors import PluginError

SHIPPED = {"mlp", "dcgan", "wgan-gp"}


def offering(*names):
    adds = "\n".join(f"    registry.add_variant(variant({name!r}))" for name in names)
    return f"{VARIANT}\n@ganzoo.hookimpl\ndef register(registry):\n{adds}"


@pytest.fixture
def two_plugins(plugin_distribution):
    """The distributions ``dist-a`` and ``Dist.B``, with a variant each."""
    return [
        plugin_distribution("dist-a", entry_points={"a": "plugin_a"}, modules={"plugin_a.py": offering("gan-a")}),
        plugin_distribution("Dist.B", entry_points={"b": "plugin_b"}, modules={"plugin_b.py": offering("gan-b")}),
    ]


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_plugin_costs_one_line(kind, plugin_distribution, load_plugins, capsys):
    found = load_plugins(install_broken(plugin_distribution, kind))
    output = capsys.readouterr()
    assert output.out == ""
    (line,) = output.err.splitlines()
    assert f"plugin {kind!r} (bad-{kind} 1.0)" in line
    assert BROKEN[kind].says in line
    assert f"Disable it: GANZOO_LOAD_PLUGINS=ganzoo; remove it: pip uninstall bad-{kind}" in line
    assert set(found.registry.names("variant")) == SHIPPED | BROKEN[kind].offers


@pytest.mark.parametrize("kind", BROKEN_COMMANDS)
def test_a_broken_command_costs_one_line(kind, plugin_distribution, load_plugins, capsys):
    found = load_plugins(install_broken(plugin_distribution, kind))
    assert capsys.readouterr().err == ""
    assert found.commands(taken=["train"]).keys() == BROKEN_COMMANDS[kind].offers
    output = capsys.readouterr()
    assert output.out == ""
    (line,) = output.err.splitlines()
    assert f"plugin {kind!r} (bad-{kind} 1.0)" in line
    assert BROKEN_COMMANDS[kind].says in line
    assert "Disable it: GANZOO_LOAD_PLUGINS=ganzoo;" in line


def test_each_problem_is_told_once(plugin_distribution, load_plugins, capsys):
    """Finding out late that a second plugin is broken changes the advice, but not what is wrong with the first."""
    kinds = ["raises-in-register", "raises-in-commands"]
    found = load_plugins(*(install_broken(plugin_distribution, kind) for kind in kinds))
    found.commands(taken=[])
    assert plugins.load() is found
    found.report()
    lines = capsys.readouterr().err.splitlines()
    assert [BROKEN["raises-in-register"].says in lines[0], BROKEN_COMMANDS["raises-in-commands"].says in lines[1]] == [
        True,
        True,
    ]
    assert len(lines) == 2


def test_the_advice_disables_what_is_broken_and_nothing_else(
    plugin_distribution, two_plugins, load_plugins, monkeypatch, capsys
):
    half = plugin_distribution(
        "half-broken",
        entry_points={"good-half": "good_half", "bad-half": "bad_half"},
        modules={"good_half.py": offering("gan-half"), "bad_half.py": "1/0"},
    )
    before = load_plugins(*two_plugins, half).registry.names("variant")
    (advice,) = re.findall(r"GANZOO_LOAD_PLUGINS=(\S+);", capsys.readouterr().err)
    monkeypatch.setenv("GANZOO_LOAD_PLUGINS", advice)
    after = load_plugins()
    assert capsys.readouterr().err == ""
    assert after.registry.names("variant") == before
    assert {"gan-a", "gan-b", "gan-half"} <= set(before)


def test_a_shipped_name_stays_ganzoos_own(plugin_distribution, load_plugins):
    registry = load_plugins(install_broken(plugin_distribution, "takes-a-shipped-name")).registry
    assert registry.get("variant", "mlp").origin.distribution == "ganzoo"
    assert registry.get("variant", "bad-takes-a-shipped-name:mlp").origin.plugin == "takes-a-shipped-name"


def test_two_distributions_that_claim_one_name(plugin_distribution, load_plugins, capsys):
    late = plugin_distribution("z-dist", entry_points={"z": "plugin_z"}, modules={"plugin_z.py": offering("twin")})
    early = plugin_distribution("b-dist", entry_points={"b": "plugin_b"}, modules={"plugin_b.py": offering("twin")})
    registry = load_plugins(early, late).registry
    assert set(registry.names("variant")) == SHIPPED | {"twin", "z-dist:twin"}
    assert registry.get("variant", "twin").origin.distribution == "b-dist"
    (line,) = capsys.readouterr().err.splitlines()
    assert "plugin 'z' (z-dist 1.0) claims the variant 'twin', which b-dist has; use 'z-dist:twin'" in line


def test_what_a_plugin_prints_stays_out_of_the_result(plugin_distribution, load_plugins, capsys):
    source = f"print('importing')\n{WORKING}    print('registering')\n"
    folder = plugin_distribution("loud-dist", entry_points={"loud": "loud"}, modules={"loud.py": source})
    assert "fine" in load_plugins(folder).registry.names("variant")
    output = capsys.readouterr()
    assert (output.out, output.err) == ("", "importing\nregistering\n")


@pytest.mark.parametrize(
    ("networks", "says"),
    [({}, "No module named 'missing_networks'"), ({"missing_networks.py": "1/0"}, "ZeroDivisionError")],
    ids=["missing", "raising"],
)
def test_a_variant_without_its_networks_is_found_but_not_built(networks, says, plugin_distribution, load_plugins, capsys):
    modules = {"lazy.py": WORKING, **networks}
    registry = load_plugins(plugin_distribution("lazy-dist", entry_points={"lazy": "lazy"}, modules=modules)).registry
    assert capsys.readouterr().err == ""
    entry = registry.get("variant", "fine")
    with pytest.raises(PluginError, match=says) as caught:
        registry.resolve("generator", entry.target.generator, within=entry.origin)
    assert "plugin 'lazy' (lazy-dist 1.0)" in caught.value.message
    assert "missing_networks:Generator" in caught.value.message


def test_a_distribution_without_metadata_breaks_nothing(plugin_distribution, load_plugins, capsys):
    """An interrupted ``pip uninstall`` leaves one behind."""
    folder = plugin_distribution("half-gone", entry_points={"gone": "half_gone"}, modules={"half_gone.py": WORKING})
    next(folder.glob("*.dist-info/METADATA")).unlink()
    assert set(load_plugins(folder).registry.names("variant")) == SHIPPED | {"fine"}
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "requirement", ["ganzoo>=0.1", "ganzoo-extras>=99", "ganzoo.extras>=99", "ganzoo>=99; python_version<'3'", "numpy"]
)
def test_a_requirement_that_this_ganzoo_meets(requirement, plugin_distribution, load_plugins, capsys):
    folder = plugin_distribution(
        "fine-dist", entry_points={"fine": "fine"}, modules={"fine.py": WORKING}, requires=[requirement]
    )
    assert "fine" in load_plugins(folder).registry.names("variant")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("wanted", "variants"),
    [
        ("", set()),
        (",", set()),
        ("ganzoo", SHIPPED),
        ("dcgan", {"dcgan"}),
        ("ganzoo,dist-a", SHIPPED | {"gan-a"}),
        (" dist_a , b ", {"gan-a", "gan-b"}),
        ("dist-b", {"gan-b"}),
        ("Dist.B", {"gan-b"}),
    ],
)
def test_only_the_wanted_plugins_are_loaded(wanted, variants, two_plugins, load_plugins, monkeypatch, capsys):
    monkeypatch.setenv("GANZOO_LOAD_PLUGINS", wanted)
    found = load_plugins(*two_plugins)
    assert set(found.registry.names("variant")) == variants
    assert len(found.skipped) == len(SHIPPED | {"gan-a", "gan-b"}) - len(variants)
    assert "hinge" in found.registry.names("loss"), "what every ganzoo has stays"
    assert capsys.readouterr().err == ""


def test_an_unwanted_plugin_is_not_imported(plugin_distribution, load_plugins, monkeypatch, capsys):
    monkeypatch.setenv("GANZOO_LOAD_PLUGINS", "ganzoo")
    load_plugins(install_broken(plugin_distribution, "exits-at-import"))
    assert capsys.readouterr().err == ""


def test_an_unknown_wanted_plugin_is_named(two_plugins, load_plugins, monkeypatch, capsys):
    monkeypatch.setenv("GANZOO_LOAD_PLUGINS", "ganzoo,dist-c")
    assert set(load_plugins(*two_plugins).registry.names("variant")) == SHIPPED
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "ganzoo: unknown plugin 'dist-c' (did you mean dist-a? GANZOO_LOAD_PLUGINS names it)"


@pytest.mark.parametrize("kind", BROKEN)
def test_strictness_turns_a_problem_into_an_error(kind, plugin_distribution, load_plugins, monkeypatch):
    monkeypatch.setenv("GANZOO_STRICT_PLUGINS", "1")
    with pytest.raises(PluginError, match=re.escape(BROKEN[kind].says)):
        load_plugins(install_broken(plugin_distribution, kind))


def test_strictness_covers_names_that_nothing_has(load_plugins, monkeypatch):
    monkeypatch.setenv("GANZOO_STRICT_PLUGINS", "1")
    monkeypatch.setenv("GANZOO_LOAD_PLUGINS", "ganzoo,dist-c")
    with pytest.raises(PluginError, match="dist-c"):
        load_plugins()


def test_a_slow_import_is_noticed(plugin_distribution):
    """In a process of its own: here, everything may have been imported already."""
    source = f"import huggingface_hub\n{WORKING}"
    folder = plugin_distribution("slow-dist", entry_points={"slow": "slow_plugin"}, modules={"slow_plugin.py": source})
    program = "from ganzoo import plugins; print({p.origin.plugin: p.slow_imports for p in plugins.load().found}['slow'])"
    path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=True
    )
    assert done.stdout == "['huggingface_hub']\n"


HOSTILE = {
    "panics": "class Panic(BaseException): ...\nraise Panic('boom')",
    "speechless": "class Mute(Exception):\n    def __str__(self):\n        raise ValueError\nraise Mute",
    "junk": "import ganzoo\n@ganzoo.hookimpl\ndef register(registry):\n    registry._entries.append('junk')",
    "no-summary": "import ganzoo\n@ganzoo.hookimpl\ndef register(registry):\n    registry.add('loss', 'x', 'a:b', summary=1)",
    "closes-stdout": "import sys\nsys.stdout.close()\nraise ValueError('x')",
    "warns": "import warnings\nwarnings.warn('careful')\nraise ValueError('x')",
    "escapes": "raise ValueError('\\x1b[2J')",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_plugin_costs_one_line(kind, load_plugins, plugin_distribution, capsys):
    module = f"hostile_{kind.replace('-', '_')}"
    folder = plugin_distribution("hostile", entry_points={"hostile": module}, modules={f"{module}.py": HOSTILE[kind]})
    assert {"mlp", "dcgan", "wgan-gp"} <= set(load_plugins(folder).registry.names("variant"))
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert "hostile" in err
    assert "\x1b" not in err


@pytest.mark.parametrize("content", [b"[ganzoo]\nnonsense\n", b"[ganzoo]\nx = \xff\xfe:y\n"], ids=["malformed", "not text"])
def test_entry_points_that_cannot_be_read_hide_nothing(content, load_plugins, plugin_distribution, capsys):
    folder = plugin_distribution("garbled", entry_points={"x": "y"}, modules={})
    next(folder.glob("*.dist-info/entry_points.txt")).write_bytes(content)
    assert "mlp" in load_plugins(folder).registry.names("variant")
    (line,) = capsys.readouterr().err.splitlines()
    assert "garbled" in line


@pytest.mark.parametrize("command", ["'text'", "None"])
def test_a_command_that_is_none_is_left_out(command, load_plugins, plugin_distribution, capsys):
    module = f"import ganzoo\n@ganzoo.hookimpl\ndef register_commands(cli):\n    cli.commands['x'] = {command}"
    found = load_plugins(plugin_distribution("odd", entry_points={"odd": "odd"}, modules={"odd.py": module}))
    assert found.commands(taken=[]) == {}
    assert "not a command" in capsys.readouterr().err


def test_a_plugin_that_cannot_be_imported_names_its_own_file_and_line(plugin_distribution, load_plugins, capsys):
    """Not the library's in which it fails, nor the importer's."""
    modules = {
        "deep_gans/__init__.py": "\nfrom deep_gans import networks",
        "deep_gans/networks.py": "import json\n\nVALUES = json.loads('nothing')",
    }
    folder = plugin_distribution("deep", entry_points={"deep": "deep_gans"}, modules=modules)
    load_plugins(folder)
    (line,) = capsys.readouterr().err.splitlines()
    assert (
        f"failed to import: JSONDecodeError: Expecting value: line 1 column 1 (char 0) ({folder}/deep_gans/networks.py:3)"
        in line
    )


def test_a_component_that_cannot_be_imported_names_its_own_file_and_line(plugin_distribution, load_plugins):
    for number, source in enumerate(("import a_missing_dependency", "x = 1\n\n1/0", "def f(:")):
        modules = {f"lazy{number}.py": WORKING.replace("missing_networks", f"nets{number}"), f"nets{number}.py": source}
        folder = plugin_distribution(f"lazy-{number}", entry_points={f"lazy{number}": f"lazy{number}"}, modules=modules)
        registry = load_plugins(folder).registry
        within = registry.get("variant", f"lazy-{number}:fine" if number else "fine").origin
        with pytest.raises(PluginError) as caught:
            registry.resolve("generator", f"nets{number}:Generator", within=within)
        assert f"({folder}/nets{number}.py:{1 + 2 * (number == 1)})" in caught.value.message


def test_the_whole_way_there_is_shown_to_those_who_ask(plugin_distribution, load_plugins, monkeypatch, capsys):
    monkeypatch.setenv("GANZOO_DEBUG", "1")
    modules = {
        "deeper.py": "def fails():\n    1/0\n\ntry:\n    fails()\nexcept ZeroDivisionError as e:\n    raise KeyError from e"
    }
    load_plugins(plugin_distribution("deep", entry_points={"deep": "deeper"}, modules=modules))
    said = capsys.readouterr().err
    assert "ZeroDivisionError" in said
    assert "The above exception was the direct cause" in said
    assert "deeper.py:7)" in said.splitlines()[-1]


SIBLINGS = f"""{VARIANT}
nameless = variant("Not A Name")
odd = ganzoo.Preset(summary="s", options={{"x": object()}})

@ganzoo.hookimpl
def register(registry):
    registry.add_variant(variant("first"))
    registry.add_variant(nameless)
    registry.add_variant(variant("half", presets=["default"]))
    registry.add_variant({{"name": "mine"}})
    registry.add("loss", "Not A Name", "a:b")
    registry.add("loss", "good", "a:b")
    registry.add_variant(ganzoo.Variant(name="odd", summary="s", paper="p", generator="g", discriminator="d",
                                        presets={{"default": odd, "paper": odd}}))
    registry.add_variant(variant("last"))
"""


def test_what_is_malformed_costs_itself_and_not_its_siblings(plugin_distribution, load_plugins, capsys):
    found = load_plugins(plugin_distribution("sibs", entry_points={"sibs": "sibs"}, modules={"sibs.py": SIBLINGS}))
    assert set(found.registry.names("variant")) == SHIPPED | {"first", "last"}
    assert "good" in found.registry.names("loss")
    lines = capsys.readouterr().err.splitlines()
    says = (
        "Variant.name 'Not A Name' must be",
        "variant 'half' lacks the preset 'paper'",
        "got dict",
        "loss name 'Not A Name' must",
        "options.x holds a object, which is not plain data",
    )
    assert len(lines) == len(says)
    for line, words in zip(lines, says, strict=True):
        assert words in line
        assert re.search(r"sibs\.py:\d+\)", line)
