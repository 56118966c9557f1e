"""A model card is whole: everything that the folder says, in metadata and in words, and nothing besides."""

import json

import pytest
import yaml
from markdown_it import MarkdownIt

from ganzoo.card import card, write_card
from ganzoo.errors import ModelError, UsageError
from ganzoo.files import write_json
from ganzoo.model_folder import read_config, read_json, set_license

PROTOCOL = {
    "extractor": "fashion-mnist-cnn",
    "extractor_sha256": "ab" * 32,
    "resize": "none",
    "data": "fashion-mnist-10k",
    "data_sha256": "cd" * 32,
    "n_real": 10_000,
    "n_fake": 5_000,
    "seed": 0,
    "versions": {"ganzoo": "0.1.0"},
}


def metadata(text):
    return yaml.safe_load(text.split("---\n")[1])


def test_what_a_card_says(model):
    write_json(model / "metrics.json", [{"scores": {"fd": 0.51234, "kid": 0.004}, "protocol": PROTOCOL}])
    text = card(model, "alice/clothes")
    told = metadata(text)
    assert told["library_name"] == "ganzoo"
    assert told["pipeline_tag"] == "unconditional-image-generation"
    assert told["datasets"] == ["fashion-mnist-10k"]
    assert {"ganzoo", "variant:mlp"} <= set(told["tags"])
    (result,) = told["model-index"][0]["results"]
    assert [(m["type"], m["value"]) for m in result["metrics"]] == [("fd", 0.51234), ("kid", 0.004)]
    assert all("5,000 samples against 10,000 of fashion-mnist-10k" in m["name"] for m in result["metrics"])
    config = read_config(model)
    for words in (
        'ganzoo.load("alice/clothes")',
        config.training["command"],
        config.training["hardware"],
        f"| images seen | {config.training['images']} |",
        "![Samples, none picked](samples.png)",
        "Samples of the seeds 0 to 63",
        "| Fréchet distance | 0.5123 |",
        "Goodfellow et al.",
        "Nobody has said under which licence",
        "A Fréchet distance by these features is no FID.",
        "Xiao et al., 2017",
    ):
        assert words in text, words
    assert "TODO" not in text
    assert "None" not in text


def test_what_was_not_measured_is_not_said(model):
    text = card(model, "alice/clothes")
    assert "model-index" not in metadata(text)
    assert "How good it is" not in text
    assert "It has not been scored" in text


def test_scores_by_training_data_say_so(model):
    trained_on = read_config(model).training["dataset"]["sha256"]
    for told, words in (({}, False), ({"data_sha256": trained_on}, True)):
        write_json(model / "metrics.json", [{"scores": {"fd": 0.5}, "protocol": {**PROTOCOL, **told}}])
        assert ("the very samples that it was trained on" in card(model, "alice/clothes")) is words


def test_a_score_from_training_is_no_score_but_is_said(model):
    written = read_json(model / "config.json")
    written["training"]["scored"] = {"by": "fd", "score": 16.4567, "images": 64}
    write_json(model / "config.json", written)
    text = card(model, "alice/clothes")
    assert "not been scored against held-out data; while it trained, its fd to training samples was 16.46." in text


def test_what_is_left_out_is_told_by_the_largest_sample_of_held_out_data(model):
    trained_on = read_config(model).training["dataset"]["sha256"]
    rows = [
        {"scores": {"recall": recall}, "protocol": {**PROTOCOL, "n_real": n_real, "data_sha256": sha256}}
        for recall, n_real, sha256 in ((0.9, 60_000, trained_on), (0.8, 300, "cd" * 32), (0.6, 10_000, "cd" * 32))
    ]
    for order in (rows, rows[::-1]):
        write_json(model / "metrics.json", order)
        assert "part of the data: 40% of real samples" in card(model, "x")
        assert "against 10,000 of fashion-mnist-10k, features of fashion-mnist-cnn)" in card(model, "x")
    write_json(model / "metrics.json", rows[:1])
    assert "part of the data, and" in card(model, "x")


def test_weights_that_were_not_averaged_are_not_said_to_be(model):
    assert "average over training (EMA" in card(model, "alice/clothes")
    written = read_json(model / "config.json")
    written["training"]["loop"]["ema_images"] = 0
    write_json(model / "config.json", written)
    text = card(model, "alice/clothes")
    assert "in the end, not an average" in text
    assert "EMA" not in text
    written["training"]["scored"] = {"by": "fd", "score": 16.4567, "images": 64}
    write_json(model / "config.json", written)
    assert "had after 64 images, not an average" in card(model, "alice/clothes")


def test_a_revision_is_in_the_snippet_and_not_in_the_title(model):
    text = card(model, "alice/clothes@try-2")
    assert 'ganzoo.load("alice/clothes@try-2")' in text
    for name in ("alice/clothes@try-2", "alice/clothes@feature/x", "runs/clothes/", "clothes"):
        assert "\n# clothes\n" in card(model, name)
    assert "\n# seed-0\n" in card(model, "runs/compare/mlp@keras/seed-0")


@pytest.mark.parametrize("name", ["squad", "fashion-mnist-10k"])
def test_a_folder_is_no_dataset_whatever_it_is_called(model, name):
    written = read_json(model / "config.json")
    written["training"]["dataset"]["name"] = name
    written["training"]["data"] = f"./{name}"
    write_json(model / "config.json", written)
    text = card(model, "alice/clothes")
    assert "datasets" not in metadata(text)
    assert f"data:{name}" in metadata(text)["tags"]
    assert "Xiao" not in text


def test_a_licence_is_kept(model):
    set_license(model, "cc-by-4.0")
    assert metadata(card(model, "alice/clothes"))["license"] == "cc-by-4.0"
    assert metadata(write_card(model, "x").read_text())["license"] == "cc-by-4.0"
    with pytest.raises(UsageError, match="licence"):
        set_license(model, "Do What You Want")


EVIL = [
    "<script src=//evil>",
    "[a](javascript:b)",
    "\\\\[click](https://evil)",
    "x\n---\nlicense: mit\n# Evil\n| a | b |",
    "![](//evil)",
    "see https://evil.example/login, www.evil.example and evil@example.org",
]


@pytest.mark.parametrize("words", EVIL)
def test_a_strangers_words_stay_words(model, words):
    rendered = MarkdownIt("gfm-like").render
    before = rendered(card(model, "alice/clothes").split("---\n", 2)[2])
    config = json.loads((model / "config.json").read_text())
    config["training"]["dataset"]["name"] = words
    config["training"]["hardware"] = config["training"]["torch"] = words
    config["training"]["command"] = f"```\n{words}"
    config["class_names"] = [words, words]
    (model / "config.json").write_text(json.dumps(config))
    protocol = {"versions": 3, "seed": words, "data": words, "extractor": words, "resize": words}
    write_json(model / "metrics.json", [{"scores": {"fd": 10**400, "kid": True, "recall": 0.5}, "protocol": protocol}])
    text = card(model, "alice/clothes")
    assert metadata(text)["license"] == "unknown"
    after = rendered(text.split("---\n", 2)[2])
    for tag in ("<a ", "<img ", "<script"):
        assert after.count(tag) <= before.count(tag), tag
    assert "<h1>Evil" not in after


def test_a_version_is_a_version(model):
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps({**config, "ganzoo": "9\n\n# Evil"}))
    with pytest.raises(ModelError, match="ganzoo"):
        card(model, "alice/clothes")


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("alice/clothes\n# evil", "clothes\ufffd# evil"),
        ("runs/caf\udce9", "caf\ufffd"),
        ("runs/abc\u202e", "abc\ufffd"),
        ("runs/my\xa0run \N{WOMAN}\N{ZERO WIDTH JOINER}\N{PERSONAL COMPUTER}", None),
        (" ", "model"),
    ],
)
def test_no_name_costs_a_model_its_card(model, name, title):
    text = write_card(model, name).read_text(encoding="utf-8")
    title = title or name.removeprefix("runs/")
    assert f"\n# {title}\n" in text
    assert "\n# evil" not in text
    assert title in text.split("ganzoo.load(")[1].splitlines()[0]


def test_a_thousand_classes_are_not_all_named(model):
    written = read_json(model / "config.json")
    write_json(model / "config.json", {**written, "num_classes": 1000, "class_names": [f"n{i:04}" for i in range(1000)]})
    text = card(model, "alice/clothes")
    assert "n0018, n0019 and 980 more." in text
    assert "n0020" not in text


@pytest.mark.parametrize("value", ["1e999", '"\\ud800"'])
def test_what_could_not_be_written_again_is_refused(model, value):
    path = model / "config.json"
    path.write_text(path.read_text().replace('"training": {', f'"training": {{"note": {value}, ', 1))
    for call in (lambda: card(model, "alice/clothes"), lambda: set_license(model, "mit")):
        with pytest.raises(ModelError, match="is not JSON"):
            call()


def test_a_damaged_folder_has_no_card(model):
    (model / "config.json").write_text("{}")
    with pytest.raises(ModelError):
        card(model, "alice/clothes")
