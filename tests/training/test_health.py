"""A run notices that what it makes is no good, says so everywhere, and says nothing where nothing is wrong."""

import json
import math
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import ganzoo
from ganzoo.data.fashion_mnist import fashion_mnist_10k
from ganzoo.training.health import LIMITS, Alarm, Health, Look, Verdict, faults, judge, read_looks
from ganzoo.training.likeness import Likeness, count_kinds, sort_into_kinds
from ganzoo.training.monitor import Silent

CONSTANT = """
import ganzoo
import torch

class Constant(ganzoo.Generator):
    '''Learns one sample, whatever its latent.'''

    def __init__(self, *, sample_shape: tuple[int, ...]):
        super().__init__(latent_shape=(8,), sample_shape=sample_shape)
        self.sample_ = torch.nn.Parameter(torch.zeros(sample_shape))

    def forward(self, z, labels=None):
        return self.sample_.expand(len(z), *self.sample_shape).tanh()

class Sleeper(Constant):
    '''Makes rows of 8 normal numbers, after a while.'''

    def __init__(self, *, sample_shape: tuple[int, ...], steps: int = 500):
        super().__init__(sample_shape=sample_shape)
        self.steps = steps
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))

    def forward(self, z, labels=None):
        self.step.add_(self.training)
        return 0.1 * self.sample_ + z * (self.step > self.steps)

@ganzoo.hookimpl
def register(registry):
    registry.add("generator", "constant", Constant)
    registry.add("generator", "sleeper", Sleeper)
"""


@pytest.fixture(scope="module")
def clothes():
    """512 real pictures, 64 others, and the labels of those."""
    store = fashion_mnist_10k()
    reals, _ = store.batch(torch.arange(512))
    others, labels = store.batch(torch.arange(5000, 5640))
    return reals, others, labels


def looks(*spreads, start=5_000, step=1_000, **rest):
    return [Look(start + step * i, spread, **rest) for i, spread in enumerate(spreads)]


def test_real_pictures_are_like_real_pictures(clothes):
    reals, others, _ = clothes
    likeness = Likeness(reals, pictures=True)
    for start in range(0, 640, 64):
        found = likeness(others[start : start + 64])
        assert 0.85 < found["spread"] < 1.15
        assert found["kinds"] > 0.7
        assert found["off"] < 0.3
        assert 0.85 < found["rough"] < 1.15
        assert not list(faults(Look(10**6, **found)))


def test_each_way_to_be_no_good_shows(clothes):
    reals, others, labels = clothes
    likeness, rng = Likeness(reals, pictures=True), torch.Generator().manual_seed(0)

    def found(samples):
        return list(faults(Look(10**6, **likeness(samples), told=1.0)))

    noise = torch.rand(64, 1, 28, 28, generator=rng) * 2 - 1
    assert found(others[:1].expand(64, -1, -1, -1)) == ["alike"]
    assert found((others[:1] + 0.05 * noise).clamp(-1, 1)) == ["alike"]
    for label in (1, 5, 7):
        assert found(others[labels == label][:64]) == ["few kinds"]
    assert found(-others[:64]) == ["won"]
    assert found(noise) == ["won"]
    assert found(torch.full((64, 1, 28, 28), math.nan)) == ["far off"]


@pytest.mark.parametrize("shape", [(3,), (2, 400), (5, 4, 3, 2)])
def test_samples_of_any_shape(shape):
    rng = np.random.default_rng(0)
    kinds = rng.normal(0, 3, (6, *shape))
    units = 10.0 ** rng.integers(-3, 4, shape)
    rows = torch.from_numpy(((kinds[np.arange(400) % 6] + rng.normal(0, 1, (400, *shape))) * units).astype("f4"))
    likeness = Likeness(rows[:300], pictures=False)
    sound = likeness(rows[300:])
    assert 0.85 < sound["spread"] < 1.15
    assert sound["kinds"] > 0.8
    assert sound["off"] < 0.3
    assert sound["rough"] is None
    assert likeness(rows[:1].expand(64, *shape))["spread"] < 0.01
    assert likeness(rows[300::6])["kinds"] < 0.35
    assert likeness(rows[300:] + 5 * rows.std(0))["off"] > 2


def test_data_that_says_nothing_is_not_looked_at():
    class Never(ganzoo.Generator):
        def forward(self, z, labels=None):
            raise AssertionError

    generator = Never(latent_shape=(2,), sample_shape=(4,))
    for reals in (torch.randn(15, 4), torch.ones(100, 4)):
        health = Health(reals, pictures=False, generator=generator, shown=False)
        assert health.look(5_000, None, {}) == {}
    # What fails once is not tried again, and is no failure of the run.
    assert Health(torch.randn(100, 4), pictures=False, generator=generator, shown=False).look(5_000, None, {}) == {}


class Rows(ganzoo.Generator):
    def forward(self, z, labels=None):
        return z


def test_a_generator_whose_samples_are_not_what_is_shown_is_looked_at_all_the_same():
    rows = torch.randn(300, 4, generator=torch.Generator().manual_seed(0))
    shown = torch.zeros(64, 4)
    health = Health(rows, pictures=False, generator=Rows(latent_shape=(2, 2), sample_shape=(4,)), shown=False)
    assert health.look(5_000, shown, {}) == {}  # not of the data's shape
    wide = Rows(latent_shape=(4,), sample_shape=(4,))
    assert Health(rows, pictures=False, generator=wide, shown=False).look(5_000, shown, {}) == {}  # it may translate
    wide.latent_shape, wide.draw_latents = (1,), lambda count, rng: torch.randn(count, 4, generator=rng)
    assert Health(rows, pictures=False, generator=wide, shown=False).look(5_000, shown, {})["spread"] > 0.8


def test_of_weights_that_are_kept_from_before_what_is_true_of_them_is_said(clothes):
    reals, others, _ = clothes
    health = Health(reals, pictures=True, generator=None, shown=True, looks=looks(0.5, 0.01, 0.01, 0.01))
    says = health.of_kept(others[:64], 4_000).describe()["recovered"]["says"]
    assert says == "collapsed after 8,000 images: all samples are alike; the weights of 4,000 images are kept"
    assert health.of_kept(others[:1].expand(64, -1, -1, -1), 4_000) == health.verdict
    sound = Health(reals, pictures=True, generator=None, shown=True)
    assert sound.of_kept(others[:1].expand(64, -1, -1, -1), 4_000) == Verdict()


def test_kinds_are_found_and_counted():
    middles = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])
    samples = middles.repeat(50, 1) + torch.randn(200, 2, generator=torch.Generator().manual_seed(0))
    kinds = sort_into_kinds(samples, 4)
    assert torch.cdist(kinds, middles).amin(1).max() < 0.5
    assert count_kinds(samples, kinds) == pytest.approx(4, abs=0.1)
    assert count_kinds(samples[::4], kinds) == 1
    assert count_kinds(torch.cat([samples[::4], samples[1::4]]), kinds) == pytest.approx(2)


def test_once_is_not_enough():
    assert judge(looks(0.5, 0.01, 0.5, 0.01)) == Verdict()
    assert judge(looks(0.5, 0.01, 0.01)) == Verdict()  # a thousand images are not long
    assert judge(looks(0.5, 0.01, 0.01, 0.01)).alarm == Alarm(("alike",), 8_000)


def test_nothing_is_said_of_a_beginning():
    slow = looks(*[0.05] * 20, start=1_000)
    assert judge(slow, per_step=64) == Verdict()
    assert judge(slow, per_step=10).alarm == Alarm(("alike",), 8_000)
    assert judge(looks(*[0.0] * 20, start=1_000), per_step=32).alarm == Alarm(("alike",), 6_000)


def test_what_was_better_is_said_at_once_and_what_grows_is_waited_for():
    assert judge(looks(0.3, 0.25, 0.08, 0.07, 0.06), per_step=25).alarm
    assert not judge(looks(0.1, 0.09, 0.08, 0.07, 0.06), per_step=25).alarm
    assert not judge(looks(*[0.001 * 1.25**i for i in range(30)])).alarm


def test_a_run_recovers_when_nothing_is_wrong_any_more():
    fallen = looks(0.5, 0.01, 0.01, 0.01)
    assert judge([*fallen, Look(9_000, 0.05)]).alarm
    back = judge([*fallen, Look(9_000, 0.05), Look(10_000, 0.5)])
    assert back == Verdict(recovered=Alarm(("alike",), 8_000))
    assert back.describe()["recovered"]["says"] == "collapsed after 8,000 images: all samples are alike, and recovered"


def test_logits_that_run_away():
    gone = looks(*[1.0] * 4, gap=-1e5)
    assert judge(gone).alarm == Alarm(("ran away",), 7_000)
    assert not judge(looks(*[1.0] * 4, gap=-50.0)).alarm


def test_what_is_far_and_told_apart_has_lost():
    for told, what in ((1.0, "won"), (0.7, "far off"), (None, "far off")):
        assert judge(looks(*[1.0] * 4, off=2.0, told=told)).alarm == Alarm((what,), 7_000)
    assert not judge(looks(*[1.0] * 4, off=0.5, rough=1.5, told=1.0)).alarm


@given(st.lists(st.tuples(st.integers(1, 3_000), st.floats(0, 2), st.floats(0, 1), st.floats(0, 4)), max_size=30))
@settings(max_examples=100, deadline=None)
def test_a_run_that_goes_on_notices_what_one_that_never_stopped_would(tmp_path_factory, steps):
    rows, images = [], 0
    for further, spread, kinds, off in steps:
        images += further
        rows.append({"images": images, "spread": spread, "kinds": kinds, "off": off, "loss_d": 1.0})
    folder = tmp_path_factory.mktemp("looks")
    between = {"images": 1, "spread": 0.0, "unscheduled": True}
    (folder / "metrics.jsonl").write_text("".join(json.dumps(r) + "\n" for r in [between, {"images": 5}, *rows]) + '{"ima')
    whole = read_looks(folder, images)
    assert [look.images for look in whole] == [row["images"] for row in rows]
    alarms = [judge(whole[: n + 1]) for n in range(len(whole))]
    for n, row in enumerate(rows):
        assert judge(read_looks(folder, row["images"])) == alarms[n]


def train(folder, images=12_000, **arguments):
    options = {"batch_size": 16, "generator.hidden": [32], "discriminator.hidden": [16], "lr": 2e-3}
    options |= arguments.pop("options", {})
    return ganzoo.train("mlp", out=folder, images=images, device="cpu", precision="fp32", options=options, **arguments)


@pytest.fixture
def constant(load_plugins, plugin_distribution):
    folder = plugin_distribution("constant", entry_points={"constant": "constant"}, modules={"constant.py": CONSTANT})
    load_plugins(folder)
    return folder


WORDS = ["train", "mlp", "-o", "generator=constant", "-o", "discriminator.hidden=[16]", "-o", "batch_size=16"]


def test_a_generator_that_ignores_its_latents_is_called_so_everywhere(run_ganzoo, constant, tmp_path):
    words = [*WORDS, "--images", "12k", "--out", "run"]
    result = run_ganzoo(*words, plugins=[constant])
    says = r"collapsed after 7,\d\d\d images: all samples are alike"
    assert result.returncode == 3, result.stderr
    noticed, last = [line for line in result.stderr.splitlines() if "all samples are alike" in line]
    assert all(re.search(says, line) for line in (noticed, last))
    assert "0% as far from each other" in noticed
    assert "--loss wasserstein" in noticed
    assert last.startswith("done after 12,000 images")
    assert "what it made is no good: it collapsed after" in last
    assert "run/model" in result.stdout
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert rows[-1]["spread"] == 0
    assert rows[-1]["alarm"] == "alike"
    assert "alarm" not in rows[0]
    told = json.loads((tmp_path / "run" / "model" / "config.json").read_text())["training"]["alarm"]
    assert told["what"] == ["alike"]
    assert f"| noticed | {told['says']} |" in (tmp_path / "run" / "model" / "README.md").read_text()
    again = run_ganzoo(*words, plugins=[constant])
    assert again.returncode == 3
    assert "was done after 12,000 images" in again.stderr
    assert f"but what it made is no good: it {told['says']}; " in again.stderr


def test_one_that_recovers_is_done(constant, tmp_path):
    told = []

    class Listens(Silent):
        def noticed(self, text):
            told.append(text)

    np.save(tmp_path / "rows.npy", np.random.default_rng(0).normal(0, 1, (500, 8)).astype("f4"))
    options = {"generator": "sleeper", "discriminator.hidden": [16], "batch_size": 16}
    words = {"data": str(tmp_path / "rows.npy"), "images": 12_000, "device": "cpu", "watcher": Listens()}
    run = ganzoo.train("mlp", out=tmp_path / "run", options=options, **words)
    assert run.alarm is None
    assert run.recovered.endswith("all samples are alike, and recovered")
    assert [text.split()[0] for text in told if "alike" in text] == ["collapsed", "recovered"]


def test_a_run_that_goes_well_is_not_bothered(tmp_path):
    run = train(tmp_path / "run")
    assert (run.alarm, run.recovered) == (None, None)
    rows = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    assert sum("spread" in row for row in rows) >= 9
    assert not any("alarm" in row for row in rows)
    assert rows[-1]["spread"] > LIMITS.spread


def measured(folder):
    return [(look.images, look) for look in read_looks(folder, 10**9)]


def test_a_run_that_was_stopped_sees_the_same(constant, tmp_path, monkeypatch):
    from test_resume import Stops

    options = {"generator": "constant", "discriminator.hidden": [16], "batch_size": 16}
    words = {"images": 8_000, "device": "cpu", "precision": "fp32", "options": options}
    whole = ganzoo.train("mlp", out=tmp_path / "whole", **words)
    for stop in (130, 315, 420):
        with monkeypatch.context() as patch:
            ganzoo.train("mlp", out=tmp_path / "cut", watcher=Stops(patch, stop), **words)
    cut = ganzoo.train("mlp", out=tmp_path / "cut", **words)
    assert cut.resumed > 0
    assert cut.alarm == whole.alarm is not None
    assert measured(tmp_path / "cut") == measured(tmp_path / "whole")
