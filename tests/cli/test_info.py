import json
import re

import pytest

from cli.terminal import on_terminal


@pytest.mark.parametrize("name", ["mlp", "dcgan", "wgan-gp"])
def test_a_variant_and_its_presets(run_ganzoo, name):
    result = run_ganzoo("info", name)
    assert result.returncode == 0, result.stderr
    for words in ("preset default", "preset paper", "batch_size", "discriminator", "arxiv.org", f"ganzoo:{name}"):
        assert words in result.stdout


def test_as_json(run_ganzoo):
    told = json.loads(run_ganzoo("info", "dcgan", "--json").stdout)
    assert told["name"] == "dcgan"
    assert told["options"]["generator.width"] == 32
    assert told["options"]["penalties.slope.share"] == 0.125
    assert told["presets"]["paper"]["options"]["lr"] == 2e-4
    assert told["origin"]["distribution"] == "ganzoo"


def test_each_option_is_explained(run_ganzoo):
    told = run_ganzoo("info", "dcgan").stdout
    assert re.search(r"^  generator\.latent_dim +64 +Length of a latent\.$", told, re.MULTILINE)
    about = json.loads(run_ganzoo("info", "wgan-gp", "--json").stdout)["about"]
    assert all(about.values()), about


def test_another_preset(run_ganzoo):
    assert json.loads(run_ganzoo("info", "dcgan@paper", "--json").stdout)["options"]["lr"] == 2e-4


def test_an_unknown_name(run_ganzoo):
    result = run_ganzoo("info", "dcgn")
    assert result.returncode == 2
    assert "dcgan" in result.stderr


@pytest.mark.parametrize("columns", [40, 80])
def test_a_terminal_gets_no_line_that_is_wider_than_it(columns):
    lines = re.sub(r"\x1b\[[0-9;]*m", "", on_terminal("info", "dcgan", columns=columns)).splitlines()
    assert max(map(len, lines)) <= columns
    start = next(n for n, line in enumerate(lines) if line.lstrip().startswith("summary"))
    value, following = lines[start].index("strided"), lines[start + 1]
    assert following.startswith(" " * value), "the second line of a value stands under the first"
    told = " ".join(" ".join(line[value:].split()) for line in lines if line.startswith(" " * 6))
    assert "strided convolutions; sharp pictures of any size in minutes" in " ".join([lines[start][value:].strip(), told])


def test_what_is_piped_on_is_a_line_for_each_value_whatever_its_length(run_ganzoo):
    told = run_ganzoo("info", "dcgan", env={"COLUMNS": "40"}).stdout
    line = next(line for line in told.splitlines() if line.startswith("  mirror "))
    assert line.endswith("clothes and digits it can.")
    assert "\x1b" not in told


def test_the_doctor_fits_the_terminal_too(tmp_path):
    drawn = re.sub(r"\x1b\[[0-9;]*m", "", on_terminal("doctor", columns=50, cwd=tmp_path))
    assert max(map(len, drawn.splitlines())) <= 50
