"""``push``, ``search``, ``pull`` and ``card`` as they are typed."""

import json
import shutil

import pytest

import ganzoo


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    options = {"generator.hidden": [16], "discriminator.hidden": [16], "batch_size": 32}
    return ganzoo.train("mlp", images=64, out=tmp_path_factory.mktemp("run") / "run", options=options).folder


def test_from_a_run_to_the_hub_and_back(hub, trained, run_ganzoo, ganzoo_here, tmp_path):
    run = shutil.copytree(trained, tmp_path / "run")
    plan = ganzoo_here("push", str(run), "alice/clothes", "--dry-run")
    assert plan.returncode == 0, plan.stderr
    assert [line.split()[:2] for line in plan.stdout.splitlines()] == [
        ["WHAT", "FILE"],
        ["send", "config.json"],
        ["send", "model.safetensors"],
        ["send", "samples.png"],
        ["send", "README.md"],
    ]
    assert not hub.repos

    pushed = run_ganzoo("push", str(run), "alice/clothes", "--license", "mit")
    assert pushed.returncode == 0, pushed.stderr
    assert pushed.stdout.strip() == f"{hub.endpoint}/alice/clothes/commit/{hub.repos['alice/clothes'].branches['main']}"
    assert "ganzoo.load('alice/clothes')" in pushed.stderr

    found = run_ganzoo("search", "--variant", "mlp", "--json")
    assert [hit["repo"] for hit in json.loads(found.stdout)] == ["alice/clothes"]
    nothing = ganzoo_here("search", "trousers")
    assert (nothing.returncode, nothing.stdout) == (1, "")

    pulled = run_ganzoo("pull", "alice/clothes", str(tmp_path / "copy"))
    assert pulled.stdout.strip() == str(tmp_path / "copy"), pulled.stderr
    sampled = run_ganzoo("sample", "alice/clothes", "-o", str(tmp_path / "sheet.png"))
    assert sampled.returncode == 0, sampled.stderr
    assert (tmp_path / "sheet.png").is_file()


def test_a_card_is_written_anew(trained, ganzoo_here, tmp_path):
    model = shutil.copytree(trained / "model", tmp_path / "model")
    (model / "README.md").unlink()
    done = ganzoo_here("card", str(model), "--name", "alice/clothes", "--license", "mit")
    assert done.stdout.strip() == str(model / "README.md"), done.stderr
    assert "license: mit" in (model / "README.md").read_text(encoding="utf-8")
    assert done.stderr == ""


def test_a_card_with_words_of_ones_own_is_not_overwritten_without_a_word(trained, ganzoo_here, tmp_path):
    model = shutil.copytree(trained / "model", tmp_path / "model")
    card = ("card", "model", "--name", "alice/clothes", "--json")
    first = ganzoo_here(*card)
    assert (json.loads(first.stdout)["replaced"], first.stderr) == (
        True,
        "model/README.md was there before, and has been replaced\n",
    )
    again = ganzoo_here(*card)
    assert (json.loads(again.stdout)["replaced"], again.stderr) == (False, ""), "nothing was lost"
    (model / "README.md").write_text("my own words")
    assert json.loads(ganzoo_here(*card).stdout)["replaced"]


def test_a_model_that_is_replaced_by_one_from_the_hub_is_mentioned(hub, trained, ganzoo_here, tmp_path):
    assert ganzoo_here("push", trained, "alice/clothes").returncode == 0
    (tmp_path / "copy").mkdir()
    first, second = (ganzoo_here("pull", "alice/clothes", "copy") for _ in range(2))
    assert (first.returncode, second.returncode) == (0, 0)
    assert "replaced" not in first.stderr
    assert second.stderr.splitlines()[-1] == f"{tmp_path / 'copy'} was there before, and has been replaced"


def test_what_cannot_be_pushed_is_one_line(hub, ganzoo_here, tmp_path):
    (tmp_path / "photos").mkdir()
    for words, code in ((("photos", "alice/x"), 1), (("photos", "x"), 2), (("nowhere", "alice/x"), 1)):
        done = ganzoo_here("push", *words)
        assert done.returncode == code
        assert len(done.stderr.splitlines()) == 1
        assert done.stderr.startswith("ganzoo: ")
