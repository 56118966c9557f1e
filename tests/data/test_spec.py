import pytest

from ganzoo.data.spec import parse, parse_range, require_known
from ganzoo.errors import UnknownNameError, UsageError


@pytest.mark.parametrize(
    ("spec", "name", "options"),
    [
        ("photos", "photos", {}),
        ("a.npz?images=x&labels=none&range=0,1", "a.npz", {"images": "x", "labels": "none", "range": "0,1"}),
        ("torch/x?root=/data/a+b%20c", "torch/x", {"root": "/data/a+b c"}),
        ("a.npz?", "a.npz", {}),
        ("a.npz?labels", "a.npz", {"labels": ""}),
    ],
)
def test_options_follow_as_in_a_link(spec, name, options):
    assert parse(spec) == (name, options)


def test_a_file_with_a_question_mark_in_its_name_is_that_file(tmp_path):
    (tmp_path / "what?.npz").touch()
    path = str(tmp_path / "what?.npz")
    assert parse(path) == (path, {})
    assert parse(f"{path}?range=0,1") == (path, {"range": "0,1"})


def test_any_text_is_a_name():
    assert parse("\0?a=b") == ("\0", {"a": "b"})
    assert parse("x" * 5000)[0] == "x" * 5000


def test_unknown_options_get_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean labels"):
        require_known({"lables": "none"}, ("images", "labels"), "an NPZ file")
    with pytest.raises(UnknownNameError, match="takes none"):
        require_known({"labels": "none"}, (), "the dataset x")


def test_a_range_is_two_numbers_in_order():
    assert parse_range({}) is None
    assert parse_range({"range": "-1,1"}) == (-1, 1)
    for said in ("1,0", "1,1", "0", "0,1,2", "nan,1", "0,inf", "", "a,b"):
        with pytest.raises(UsageError, match="for example: range=0,1"):
            parse_range({"range": said})
