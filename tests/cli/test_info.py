import json
import re

import pytest


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


def test_a_trained_model_is_no_variant(run_ganzoo):
    result = run_ganzoo("info", "mlp-fashion-mnist")
    assert result.returncode == 2
    assert "is a trained model, not a variant; its card is " in result.stderr
    assert result.stderr.strip().endswith("mlp-fashion-mnist/README.md")


def test_an_unknown_name(run_ganzoo):
    result = run_ganzoo("info", "dcgn")
    assert result.returncode == 2
    assert "dcgan" in result.stderr
