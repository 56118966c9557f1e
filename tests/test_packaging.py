"""The wheel that people install does what the checkout does."""

import json
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from ganzoo.hub.shipped import shipped_models

ROOT = Path(__file__).parents[1]
NO_NETWORK = """
import socket

def refuse(*args, **kwargs):
    raise AssertionError("it asked the network")

socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with the built wheel unpacked in it, as an installer would; nothing else of ganzoo is on its path."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    site = folder / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    return site


def run(code, *, site=None, cwd, **env):
    # -S leaves out site-packages, and with it the checkout that an editable install put there; what ganzoo depends on is
    # then put back behind the wheel.
    packages = [p for p in sys.path if p.endswith("-packages")]
    path = [str(site), *packages] if site else [str(ROOT), str(ROOT / "plugins"), *packages]
    flags = ["-S"] if site else []
    return subprocess.run(
        [sys.executable, *flags, "-c", code],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path), **env},
        capture_output=True,
        text=True,
        check=False,
    )


def ganzoo(*words, site=None, cwd):
    return run(f"import sys; sys.argv = {['ganzoo', *words]!r}; from ganzoo.cli import main; main()", site=site, cwd=cwd)


def test_the_wheel_carries_everything(installed):
    for path in (
        "ganzoo/py.typed",
        "ganzoo/data/shipped/t10k-images-idx3-ubyte.gz",
        "ganzoo/data/shipped/LICENSE-fashion-mnist",
        "ganzoo/model_cards/README.md",
        "ganzoo_mlp/networks.py",
        "ganzoo_dcgan/networks.py",
        "ganzoo_wgan_gp/__init__.py",
    ):
        assert (installed / path).is_file(), path
    shipped = {path.parent.name for path in (ROOT / "plugins").glob("*/__init__.py")}
    assert {p.name.split("-")[0] for p in installed.iterdir()} == {"ganzoo", *shipped}


def test_the_wheel_is_what_runs(installed, tmp_path):
    result = run("import ganzoo, ganzoo_mlp; print(ganzoo.__file__, ganzoo_mlp.__file__)", site=installed, cwd=tmp_path)
    assert all(path.startswith(str(installed)) for path in result.stdout.split()), result


@pytest.mark.parametrize("words", [["list", "--json"], ["list", "--kind", "datasets"], ["plugins"], ["info", "dcgan"]])
def test_a_wheel_and_an_editable_install_say_the_same(installed, tmp_path, words):
    wheel, editable = (ganzoo(*words, site=site, cwd=tmp_path) for site in (installed, None))
    assert wheel.returncode == editable.returncode == 0, wheel.stderr + editable.stderr
    assert wheel.stdout == editable.stdout
    assert wheel.stderr == editable.stderr == ""


def test_a_wheel_trains_on_the_pictures_in_it(installed, tmp_path):
    words = ["train", "dcgan", "--images", "64", "--out", "run", "-o", "batch_size=16", "-o", "generator.width=4"]
    result = ganzoo(*words, site=installed, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "run" / "model" / "samples.png").is_file()


@pytest.mark.parametrize("name", shipped_models())
def test_what_ships_needs_no_network(installed, tmp_path, name):
    code = f"{NO_NETWORK}\nimport ganzoo\nprint(ganzoo.load({name!r}).sample(seeds=range(4)).flatten().tolist())"
    wheel, editable = (run(code, site=site, cwd=tmp_path, HF_HUB_CACHE=str(tmp_path)) for site in (installed, None))
    assert len(json.loads(wheel.stdout)) == 4 * 28 * 28, wheel.stderr
    assert wheel.stdout == editable.stdout, editable.stderr


def test_every_package_in_plugins_is_an_entry_point_and_is_named_nowhere_else():
    text = (ROOT / "pyproject.toml").read_text()
    declared = tomllib.loads(text)["project"]["entry-points"]["ganzoo"]
    packages = {path.parent.name for path in (ROOT / "plugins").glob("*/__init__.py")}
    assert set(declared.values()) == packages
    assert [text.count(package) for package in packages] == [1] * len(packages)
