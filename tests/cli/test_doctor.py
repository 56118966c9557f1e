"""``ganzoo doctor``, on this installation and on a spoilt one. Few runs, for each imports everything there is."""

import importlib.metadata
import json

import ganzoo


def test_a_sound_installation_has_no_problems(run_ganzoo, tmp_path):
    done = run_ganzoo("doctor", env={"GANZOO_CACHE": str(tmp_path / "cache")})
    assert (done.returncode, done.stderr) == (0, "")
    headings = [line for line in done.stdout.splitlines() if line and not line.startswith(" ")]
    assert headings == ["versions", "computing", "caches", "data", "plugins", "problems"]
    assert done.stdout.split()[-1] == "none"
    assert str(tmp_path / "cache") in done.stdout
    assert not (tmp_path / "cache").exists()


def test_every_problem_is_found_beside_the_facts(run_ganzoo, plugin_distribution, tmp_path):
    (tmp_path / "file").touch()
    broken = plugin_distribution(entry_points={"broken": "broken_module"}, modules={"broken_module.py": "1 / 0"})
    settings = {"GANZOO_CACHE": "file/below", "GANZOO_LOAD_PLUGINS": "mlp,bad-dist,dcgna"}
    done = run_ganzoo("doctor", "--json", plugins=[broken], env=settings)
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert report["versions"]["ganzoo"] == ganzoo.__version__
    assert report["versions"]["torch"] == importlib.metadata.version("torch")
    assert report["computing"]["trains in"] in ("float32", "bfloat16")
    assert report["computing"]["threads"] >= 1
    assert report["data"]["fashion-mnist-10k"] == "ships with ganzoo"
    statuses = {name: value.split()[-1] for name, value in report["plugins"].items()}
    assert statuses.items() >= {"ganzoo:mlp": "ok", "ganzoo:dcgan": "skipped", "bad-dist:broken": "broken"}.items()
    cache, plugin, name = report["problems"]
    assert cache == f"nothing can be kept in 'file/below', because of {str(tmp_path / 'file')!r}"
    assert "ZeroDivisionError" in plugin
    assert "pip uninstall bad-dist" in plugin
    assert "dcgna" in name


def test_strict_plugins_do_not_stop_it(run_ganzoo, plugin_distribution):
    broken = plugin_distribution(entry_points={"broken": "broken_module"}, modules={"broken_module.py": "1 / 0"})
    done = run_ganzoo("doctor", plugins=[broken], env={"GANZOO_STRICT_PLUGINS": "1"})
    assert done.returncode == 1
    assert "torch " in done.stdout
    assert "ZeroDivisionError" in done.stdout
