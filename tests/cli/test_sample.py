import numpy as np
import pytest
from PIL import Image

import ganzoo
from ganzoo.cli.sample import parse_seeds
from ganzoo.errors import UsageError
from ganzoo.modalities.pictures import to_uint8


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    options = {"generator.hidden": [8], "discriminator.hidden": [8], "batch_size": 8}
    return ganzoo.train("mlp", out=tmp_path_factory.mktemp("runs") / "run", options=options, images=32, device="cpu").folder


def test_a_sheet_a_folder_and_an_array(run_ganzoo, tmp_path, run):
    expected = to_uint8(ganzoo.load(run).sample(range(3, 7)))
    for output in ("grid.png", "samples.npz", "pictures"):
        result = run_ganzoo("sample", run, "--seeds", "3-6", "-o", output)
        assert result.returncode == 0, result.stderr
        assert result.stdout == f"{output}\n"
    assert np.array_equal(np.load(tmp_path / "samples.npz")["arr_0"], expected)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "grid.png"))[:28, :28], expected[0, :, :, 0])
    assert np.array_equal(np.asarray(Image.open(tmp_path / "pictures" / "seed00000006.png")), expected[3, :, :, 0])


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["nowhere"], 2, "ganzoo list --kind models"),
        (["RUN", "--seeds", "5-3"], 2, "backwards"),
        (["RUN", "--seeds", "x"], 2, "seeds"),
        (["RUN", "--seeds", "0-99999999999"], 2, "more than"),
        (["RUN", "--class", "3"], 2, "unconditional"),
        (["RUN", "--truncation", "-1"], 2, "truncation"),
        (["RUN", "-o", "/proc/x.png"], 1, "/proc"),
    ],
)
def test_bad_input_is_one_clear_line(ganzoo_here, tmp_path, run, words, code, says):
    result = ganzoo_here("sample", *[str(run) if w == "RUN" else w for w in words])
    assert result.returncode == code, result.stderr
    assert says in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_seeds_as_typed():
    assert parse_seeds("0-63") == range(64)
    assert parse_seeds("7") == range(7, 8)
    assert list(parse_seeds("5, 1,3-4")) == [5, 1, 3, 4]
    with pytest.raises(UsageError):
        parse_seeds("-1")


def test_seeds_that_run_backwards_are_turned_around():
    with pytest.raises(UsageError, match=r"run backwards .say --seeds 3-9"):
        parse_seeds("9-3")


def test_a_file_that_is_overwritten_is_mentioned(ganzoo_here, tmp_path, run):
    first, second = (ganzoo_here("sample", run, "--seeds", "0-3", "-o", "grid.jpg") for _ in range(2))
    assert first.stderr == ""
    assert second.stderr == "grid.jpg was there before, and has been replaced\n"
    assert second.returncode == 0


def test_a_home_folder_is_one_in_paths_that_are_written_and_read(ganzoo_here, tmp_path):
    home = {"HOME": str(tmp_path / "home")}
    (tmp_path / "home").mkdir()
    words = ("mlp", "--images", "16", "-o", "batch_size=8", "-o", "generator.hidden=8", "-o", "discriminator.hidden=8")
    for command in (
        ("train", *words, "--out=~/run"),
        ("sample", "~/run", "--seeds", "0-3", "--output=~/grid.png"),
        ("card", "~/run"),
    ):
        result = ganzoo_here(*command, env=home)
        assert result.returncode == 0, result.stderr
    assert {path.name for path in (tmp_path / "home").iterdir() if path.name[0] != "."} == {"run", "grid.png"}
    assert not (tmp_path / "~").exists()
