"""Features of real pictures are kept, and those that something else has computed are not taken for them."""

import importlib
import sys

import pytest
import torch
from safetensors import safe_open

from ganzoo.data.store import Store
from ganzoo.evaluation.features import TRIAL, computed_by, features_of, features_of_real
from ganzoo.threads import on_threads

CODE = """
import torch
from ganzoo.evaluation.extractors import Extractor, digest

class Mine(Extractor):
    name, resize = "mine", "nothing"

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = torch.nn.Linear(3 * 16 * 16, 128)
        self.sha256, self.asked = digest(self), 0
        self.eval().requires_grad_(False)

    def features(self, pictures):
        self.asked += 1
        return self.layer(pictures.flatten(1).to(self.layer.weight)).float() * 1
"""


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Makes a plugin's extractor, of this or of other code."""
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def write(code=CODE):
        (tmp_path / "made_up_extractor.py").write_text(code)
        sys.modules.pop("made_up_extractor", None)
        importlib.invalidate_caches()
        return importlib.import_module("made_up_extractor").Mine()

    yield write
    sys.modules.pop("made_up_extractor", None)


@pytest.fixture(scope="module")
def store():
    torch.manual_seed(1)
    return Store("noise", torch.randint(256, (40, 3, 16, 16), dtype=torch.uint8))


def found(extractor, store):
    """Features, and whether they were computed rather than found."""
    before = extractor.asked
    return features_of_real(extractor, store, torch.arange(30)), extractor.asked > before


def test_features_are_computed_once(written, store):
    features, computed = found(written(), store)
    again, computed_again = found(written(), store)
    assert (computed, computed_again) == (True, False)
    assert torch.equal(features, again)


def test_features_computed_in_another_type_are_not_taken_for_them(written, store):
    single, _ = found(written(), store)
    double, computed = found(written().double(), store)
    assert computed
    assert not torch.equal(single, double)


def test_features_of_an_extractor_whose_code_was_changed_are_computed_anew(written, store):
    before, _ = found(written(), store)
    after, computed = found(written(CODE.replace(".float() * 1", ".float() * 2")), store)
    assert computed
    assert torch.equal(after, 2 * before)


def test_features_computed_by_another_version_of_torch_are_computed_anew(written, store, monkeypatch):
    found(written(), store)
    monkeypatch.setattr(torch, "__version__", "2.7.0")
    assert found(written(), store)[1]


def test_features_computed_on_another_kind_of_device_are_not_the_same(written):
    assert computed_by(written()) == computed_by(written())
    assert computed_by(written()) != computed_by(written().to("meta"))


def test_a_process_that_multiplies_in_fewer_bits_has_the_same_features(written, store):
    pictures, extractor = store.batch(torch.arange(40))[0], written()
    expected = features_of(extractor, lambda start, stop: pictures[start:stop], 40)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(features_of(extractor, lambda start, stop: pictures[start:stop], 40), expected)
    finally:
        torch.set_float32_matmul_precision(before)


def test_what_computed_them_is_written_beside_them(written, store, tmp_path):
    found(written(), store)
    (file,) = (tmp_path / "cache" / "features").iterdir()
    with safe_open(file, "pt") as kept:
        assert '"device": "cpu"' in kept.metadata()["computed_by"]


BESIDE_OTHER_WORK = CODE.replace(
    "        self.asked += 1\n",
    """        self.asked += 1
        threads = torch.get_num_threads()
        self.seen = [*getattr(self, "seen", []), (len(pictures), threads)]
        __import__("time").sleep(0.001 if threads == 1 else 0.1)
""",
)


@pytest.mark.parametrize(("count", "used"), [(300, 1), (200, 2)])
def test_many_pictures_are_looked_at_on_as_many_threads_as_are_fastest(written, count, used):
    extractor = written(BESIDE_OTHER_WORK)
    pictures = torch.zeros(count, 3, 16, 16)
    with on_threads(2):
        features = features_of(extractor, lambda start, stop: pictures[start:stop], count)
        assert torch.get_num_threads() == 2
    looked = [seen for seen in extractor.seen if seen[0] > TRIAL]
    assert sum(pictures for pictures, _ in looked) == len(features) == count
    assert {threads for _, threads in looked} == {used}
