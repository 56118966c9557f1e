import json

import pytest

import ganzoo

pytest.importorskip("torch_fidelity", reason="needs the package torch-fidelity")

TINY = {"generator.width": 4, "discriminator.width": 4, "batch_size": 16}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return ganzoo.train("dcgan", options=TINY, images=64, device="cpu", out=tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture
def evaluate(run_ganzoo, run, tmp_path_factory):
    cache = {"GANZOO_CACHE": str(tmp_path_factory.getbasetemp() / "cache")}
    return lambda *words: run_ganzoo("evaluate", run.folder, *words, env=cache)


def test_scores_come_with_their_protocol(evaluate):
    table = evaluate("--samples", "300")
    assert table.returncode == 0, table.stderr
    assert "coverage" in table.stdout
    assert "extractor_sha256" in table.stdout
    report = json.loads(evaluate("--samples", "300", "--json").stdout)
    assert report["protocol"]["n_fake"] == 300
    assert report["scores"]["fd"] > 1


def test_too_few_samples_for_a_distance_are_refused_and_enough_for_another(evaluate):
    refused = evaluate("--samples", "20")
    assert refused.returncode == 2
    (line,) = refused.stderr.splitlines()
    assert "--measures kid" in line
    report = json.loads(evaluate("--samples", "20", "--measures", "kid", "--json").stdout)
    assert report["scores"].keys() == {"kid", "kid_std"}


def test_neighbours_are_drawn(evaluate, tmp_path):
    result = evaluate("--samples", "300", "--measures", "kid", "--neighbours", "near.png")
    assert "near.png" in result.stderr
    assert (tmp_path / "near.png").exists()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--extractor", "inceptoin"), "did you mean inception"),
        (("--measures", "fid"), "did you mean fd"),
        (("--data", "fashion-mnst"), "fashion-mnist"),
    ],
)
def test_wrong_names_have_a_nearest(evaluate, words, expected):
    result = evaluate(*words)
    assert result.returncode == 2
    assert expected in result.stderr
    assert "Traceback" not in result.stderr
