"""What a run wrote as it went is read again, whatever lines have come to be in its files."""

import json
import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ganzoo
from ganzoo.comparison import RESULTS, read_results
from ganzoo.files import MAX_NESTED, parse_json
from ganzoo.modalities.base import PREVIEW_FORMS
from ganzoo.training.clock import _read_decision
from ganzoo.training.folder import METRICS, SCORES, read_run
from ganzoo.training.monitor import cut_records
from ganzoo.training.records import read_divergence, read_looks, read_progress, read_scores

DEEP = b'{"images": 8, "seconds": 1, "spread": 0.5, "step": 1, "more": ' + b"[" * 20_000 + b"]" * 20_000 + b"}"
ODD = [
    DEEP,
    b"[" * 5_000 + b"]" * 5_000,
    b'{"images": 1e999, "seconds": 1, "spread": 1}',
    b'{"images": 1' + b"0" * 400 + b', "seconds": 1, "spread": 1}',
    b'{"images": 1' + b"0" * 5_000 + b"}",
    b'{"images": [], "spread": {}}',
    b'["images"]',
    b'"images"',
    b"7",
    b"\xff\xfe",
    b'{"images": 16, "sec',
]


@pytest.mark.parametrize("odd", ODD, ids=lambda line: repr(line[:30]))
def test_an_odd_line_among_a_runs_metrics_does_not_cost_the_others(tmp_path, odd):
    good = json.dumps({"images": 8, "seconds": 2.5, "spread": 0.5}).encode()
    (tmp_path / METRICS).write_bytes(good + b"\n" + odd + b"\n")
    (tmp_path / SCORES).write_bytes(good + b"\n" + odd + b"\n")
    assert read_progress(tmp_path) == (8, 2.5)
    assert read_divergence(tmp_path) is None
    assert [look.images for look in read_looks(tmp_path, 100)] == [8]
    assert [row["images"] for row in read_scores(tmp_path, 100)] == [8]
    assert read_results(tmp_path) == []
    assert _read_decision(odd + b"\n") is None
    (tmp_path / RESULTS).write_bytes(odd + b"\n")
    assert read_results(tmp_path) == []
    cut_records(tmp_path, 100)
    assert (tmp_path / METRICS).read_bytes() == (tmp_path / SCORES).read_bytes() == good + b"\n"


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=20) | st.sampled_from(ODD), max_size=4))
def test_whatever_is_in_a_runs_files_reading_them_ends_well(tmp_path, lines):
    for name in (METRICS, SCORES, RESULTS):
        (tmp_path / name).write_bytes(b"\n".join(lines))
    read_progress(tmp_path)
    read_divergence(tmp_path)
    read_looks(tmp_path)
    read_scores(tmp_path)
    read_results(tmp_path)
    cut_records(tmp_path, 100)


@pytest.mark.parametrize("form", PREVIEW_FORMS)
def test_sheets_of_the_time_that_comes_again_go_whatever_form_they_have(tmp_path, form):
    for name in ("0000000064", "0000000128", "notes"):
        (tmp_path / "samples").mkdir(exist_ok=True)
        (tmp_path / "samples" / f"{name}.{form}").touch()
    cut_records(tmp_path, 64)
    assert sorted(p.name for p in (tmp_path / "samples").iterdir()) == [f"0000000064.{form}", f"notes.{form}"]


def test_a_deeply_nested_configuration_is_no_run(tmp_path):
    whole = {"variant": "mlp", "loop": None, "trainer": None, "precision": "fp32", "budget": {}}
    (tmp_path / "config.json").write_text(json.dumps(whole))
    assert read_run(tmp_path) == whole
    (tmp_path / "config.json").write_text(json.dumps(whole)[:-1] + ', "dataset": ' + "[" * 900 + "]" * 900 + "}")
    assert read_run(tmp_path) is None


def test_brackets_in_texts_are_not_nesting():
    names = ["cat [", 'a "quoted {', "back\\slash ["] * 1_000
    assert parse_json(json.dumps({"names": names}).encode()) == {"names": names}
    deepest = b"[" * MAX_NESTED + b'"]]]"' + b"]" * MAX_NESTED
    assert parse_json(deepest)
    with pytest.raises(ValueError, match="nested more than"):
        parse_json(b"[" + deepest + b"]")


def test_a_run_with_an_odd_line_in_its_records_goes_on(run_ganzoo, tmp_path):
    options = {"generator.hidden": [8], "discriminator.hidden": [8], "batch_size": 8}
    run = ganzoo.train("mlp", out=tmp_path / "run", options=options, images=32, device="cpu").folder
    for name in (METRICS, SCORES):
        with (run / name).open("ab") as file:
            file.write(DEEP + b"\n")
    result = run_ganzoo("info", "run")
    assert (result.returncode, result.stderr) == (0, "")
    assert "32 images" in result.stdout
    shutil.copytree(run, tmp_path / "copy")
    assert ganzoo.train("mlp", out=tmp_path / "copy", options=options, images=64, device="cpu").images == 64
