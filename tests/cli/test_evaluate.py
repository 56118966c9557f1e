import json

import numpy as np
import pytest
from PIL import Image

import ganzoo

pytest.importorskip("torch_fidelity", reason="needs the package torch-fidelity")

TINY = {"generator.width": 4, "discriminator.width": 4, "batch_size": 16}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return ganzoo.train("dcgan", options=TINY, images=64, device="cpu", out=tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture
def evaluate(ganzoo_here, run, tmp_path_factory):
    cache = {"GANZOO_CACHE": str(tmp_path_factory.getbasetemp() / "cache")}
    return lambda *words: ganzoo_here("evaluate", run.folder, *words, env=cache)


def test_scores_come_with_their_protocol(evaluate):
    table = evaluate("--samples", "300")
    assert table.returncode == 0, table.stderr
    assert "coverage" in table.stdout
    assert "extractor_sha256" in table.stdout
    report = json.loads(evaluate("--samples", "300", "--json").stdout)
    assert report["protocol"]["n_fake"] == 300
    assert report["scores"]["fd"] > 1


def test_whoever_scores_by_the_training_data_is_told_which_data_to_score_by(evaluate):
    (warning,) = [line for line in evaluate("--samples", "20").stderr.splitlines() if "was trained on samples of" in line]
    assert warning.endswith("score it by samples that it has not seen: --data fashion-mnist")


def test_too_few_samples_for_a_distance_are_enough_for_other_measures(evaluate):
    result = evaluate("--samples", "20", "--json")
    assert result.returncode == 0, result.stderr
    assert {"kid", "coverage"} <= json.loads(result.stdout)["scores"].keys()
    assert "fd left out: a Fréchet distance of 96 features takes 192 samples" in result.stderr


def test_neighbours_are_drawn(evaluate, tmp_path):
    near = ("--samples", "300", "--measures", "kid", "--neighbours", "near.png")
    result = evaluate(*near)
    assert "near.png" in result.stderr
    assert "replaced" not in result.stderr
    assert (tmp_path / "near.png").exists()
    assert "near.png was there before, and has been replaced" in evaluate(*near).stderr.splitlines()


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


def test_a_newcomer_who_trained_on_own_photos_just_gets_scores(run_ganzoo, ganzoo_here, tmp_path):
    (tmp_path / "photos").mkdir()
    for number, pixels in enumerate(np.random.default_rng(0).integers(0, 256, (40, 30, 36, 3), np.uint8)):
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{number}.png")
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    env = {**nowhere, "TORCH_HOME": str(tmp_path / "torch"), "GANZOO_CACHE": str(tmp_path / "cache")}
    words = [word for key, value in TINY.items() for word in ("-o", f"{key}={value}")]
    trained = ganzoo_here(
        *("train", "dcgan", "--data", "./photos", "--resolution", "32", "--images", "64", "--device", "cpu"), *words
    )
    assert trained.returncode in (0, 3), trained.stderr
    result = run_ganzoo("evaluate", "runs/dcgan-photos", "--samples", "30", "--json", env=env)
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert {"kid", "precision", "coverage"} <= report["scores"].keys()
    assert report["protocol"]["pictures"] == "32x32, colour"
    assert report["held_out"] is False
    assert "inception cannot be downloaded" in result.stderr
    assert "These scores are by cifar10-cnn" in result.stderr
    assert "it was trained on samples of photos, and a model that copies these would score best" in result.stderr
    assert "nothing says what this model was trained on" not in result.stderr
    (tmp_path / "photos").rename(tmp_path / "moved")
    gone = ganzoo_here("evaluate", "runs/dcgan-photos", "--samples", "30", env=env)
    assert gone.returncode == 2
    assert "--data ./photos" in gone.stderr
