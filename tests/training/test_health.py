"""A run notices that what it makes is no good, says so everywhere, and says nothing where nothing is wrong."""

import itertools
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
from ganzoo.modalities.array import Array
from ganzoo.modalities.pictures import Pictures
from ganzoo.training.health import Health
from ganzoo.training.likeness import Likeness, count_kinds, sort_into_kinds
from ganzoo.training.records import read_looks
from ganzoo.training.verdict import FEW, LIMITS, Alarm, Look, Verdict, faults, judge
from ganzoo.training.watcher import Watcher

PICTURES = Pictures(sample_shape=(1, 28, 28))
ROWS = Array(sample_shape=(4,))

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


def wrong(look):
    return [fault for fault, state in faults(look).items() if state]


def test_real_pictures_are_like_real_pictures(clothes):
    reals, others, _ = clothes
    likeness = Likeness(reals, PICTURES)
    for start in range(0, 640, 64):
        found = likeness(others[start : start + 64])
        assert 0.85 < found["spread"] < 1.15
        assert found["kinds"] > 0.7
        assert found["off"] < 0.3
        assert 0.85 < found["rough"] < 1.15
        assert not wrong(Look(10**6, **found))


def test_each_way_to_be_no_good_shows(clothes):
    reals, others, labels = clothes
    likeness, rng = Likeness(reals, PICTURES), torch.Generator().manual_seed(0)

    def found(samples):
        return wrong(Look(10**6, **likeness(samples), told=1.0))

    noise = torch.rand(64, 1, 28, 28, generator=rng) * 2 - 1
    assert found(others[:1].expand(64, -1, -1, -1)) == ["alike"]
    assert found((others[:1] + 0.05 * noise).clamp(-1, 1)) == ["alike"]
    for label in (1, 5, 7):
        assert found(others[labels == label][:64]) == ["few kinds"]
    assert found(-others[:64]) == ["won", "far off"]
    assert found(noise) == ["won", "far off"]
    assert found(torch.full((64, 1, 28, 28), math.nan)) == ["far off"]


@pytest.mark.parametrize("shape", [(3,), (2, 400), (5, 4, 3, 2)])
def test_samples_of_any_shape(shape):
    rng = np.random.default_rng(0)
    kinds = rng.normal(0, 3, (6, *shape))
    units = rng.uniform(0.5, 2, shape) * 1000
    rows = torch.from_numpy(((kinds[np.arange(400) % 6] + rng.normal(0, 1, (400, *shape))) * units).astype("f4"))
    likeness = Likeness(rows[:300], ROWS)
    sound = likeness(rows[300:])
    assert 0.85 < sound["spread"] < 1.15
    assert sound["kinds"] > 0.8
    assert sound["off"] < 0.3
    assert sound["rough"] is None
    assert likeness(rows[:1].expand(64, *shape))["spread"] < 0.01
    assert likeness(rows[300::6])["kinds"] < 0.35
    assert likeness(rows[300:] + 5 * rows.std(0))["off"] > 2


def sines(rng):
    """Waves that fade in and out: the numbers at either end are all but constant."""
    phase = rng.uniform(2, 20, (1_000, 1)) * np.linspace(0, 1, 512) + rng.uniform(0, 1, (1_000, 1))
    return np.hanning(512) * np.sin(2 * np.pi * phase)


def clothes_as_rows(rng):
    return fashion_mnist_10k().samples[:1_000, 0].flatten(1).numpy() / 255


TABLES = {
    "sines": sines,
    "clothes": clothes_as_rows,
    "lognormal": lambda rng: rng.lognormal(0, 2, (1_000, 6)),
    "cauchy": lambda rng: rng.standard_cauchy((1_000, 8)),
    "one column": lambda rng: rng.standard_cauchy((1_000, 1)),
    "rare ones": lambda rng: np.eye(40)[rng.integers(0, 40, 1_000)],
    "one that never changes": lambda rng: np.concatenate([rng.normal(0, 1, (1_000, 3)), np.ones((1_000, 1))], 1),
}


@pytest.mark.parametrize("name", TABLES)
def test_real_rows_are_like_real_rows_and_one_repeated_is_not(name):
    rng = np.random.default_rng(0)
    rows = torch.from_numpy(TABLES[name](rng).astype("f4"))
    likeness = Likeness(rows[:500][:256], ROWS)
    for start in range(500, 948, 64):
        assert not wrong(Look(10**6, **likeness(rows[start : start + 64]))), start
    middle = rows[500:].median(0).values
    noise = torch.randn(64, rows.shape[1], generator=torch.Generator().manual_seed(0))
    typical = rows[500:][(rows[500:] - middle).abs().sum(1).argsort()[250]]
    width = (rows.quantile(0.95, 0) - rows.quantile(0.05, 0)).square().mean().sqrt().item() or 1.0
    assert "alike" in wrong(Look(10**6, **likeness(typical + 0.005 * width * noise)))
    assert wrong(Look(10**6, **likeness(torch.full((64, rows.shape[1]), math.inf)))) == ["far off"]


def looked_at(generator, reals, **arguments):
    """What a look finds, and what is said of it."""
    said = []
    health = Health(reals, modality=ROWS, generator=generator, tell=said.append, **{"shown": False, **arguments})
    return [health.look(images, None, {}) for images in (5_000, 10_000)], said


class Fails(ganzoo.Generator):
    def forward(self, z, labels=None):
        raise self.error


def test_what_is_not_looked_at_is_said_to_be_so():
    generator = Fails(latent_shape=(2,), sample_shape=(4,))
    generator.error = AssertionError("no seeds, please")
    for reals, why in (
        (torch.randn(15, 4), "there are 15 real ones, and it takes 16"),
        (torch.ones(100, 4), "real ones are all alike"),
        # What fails once is not tried again, and is no failure of the run.
        (torch.randn(100, 4), "AssertionError: no seeds, please"),
        (torch.randn(100, 2), "what starts from samples makes nothing of noise"),
    ):
        assert looked_at(generator, reals) == ([{}, {}], [f"samples are not looked at: {why}"])


def test_samples_that_are_not_even_numbers_are_a_look_too(tmp_path):
    generator = Rows(latent_shape=(2, 2), sample_shape=(4,))
    generator.latent_shape, generator.draw_latents = (1,), lambda count, rng: torch.full((count, 4), math.nan)
    found, _ = looked_at(generator, torch.randn(100, 4))
    assert found[0]["spread"] is None
    assert found[1]["alarm"] == "far off"
    rows = [{"images": images, **row} for images, row in zip((5_000, 10_000), found, strict=True)]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert read_looks(tmp_path, 10_000) == [Look(5_000, None), Look(10_000, None)]


def test_without_memory_one_look_is_left_out():
    generator = Fails(latent_shape=(2,), sample_shape=(4,))
    generator.error = torch.OutOfMemoryError("no room")
    found, said = looked_at(generator, torch.randn(100, 4))
    assert found == [{}, {}]
    assert said == ["samples were not looked at this time: there was no memory for it"] * 2


class Rows(ganzoo.Generator):
    def forward(self, z, labels=None):
        return z


def test_a_generator_whose_samples_are_not_what_is_shown_is_looked_at_all_the_same():
    rows = torch.randn(300, 4, generator=torch.Generator().manual_seed(0))
    shown = torch.zeros(64, 4)
    said = ["samples are not looked at: they have the shape (2, 2), real ones (4,)"]
    assert looked_at(Rows(latent_shape=(2, 2), sample_shape=(2, 2)), rows) == ([{}, {}], said)
    wide = Rows(latent_shape=(4,), sample_shape=(4,))
    assert Health(rows, modality=ROWS, generator=wide, shown=False).look(5_000, shown, {}) == {}  # it may translate
    wide.latent_shape, wide.draw_latents = (1,), lambda count, rng: torch.randn(count, 4, generator=rng)
    assert Health(rows, modality=ROWS, generator=wide, shown=False).look(5_000, shown, {})["spread"] > 0.8


def test_of_weights_that_are_kept_from_before_what_is_true_of_them_is_said(clothes):
    reals, others, _ = clothes
    health = Health(reals, modality=PICTURES, generator=None, shown=True, looks=looks(0.5, 0.01, 0.01, 0.01))
    says = health.of_kept(others[:64], 4_000).describe()["recovered"]["says"]
    assert says == "collapsed after 8,000 images: all samples are alike; the weights of 4,000 images are kept"
    assert health.of_kept(others[:1].expand(64, -1, -1, -1), 4_000) == health.verdict
    sound = Health(reals, modality=PICTURES, generator=None, shown=True)
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


def test_chance_from_look_to_look_is_no_way_up():
    # Of a run that is shown one class of ten, for 3,750 steps.
    kinds = {
        48_000: 0.1646,
        53_024: 0.1646,
        58_336: 0.1588,
        60_000: 0.1658,
        66_016: 0.1526,
        72_000: 0.1594,
        78_016: 0.1658,
        84_000: 0.1864,
        90_016: 0.1757,
        96_000: 0.2049,
        102_016: 0.206,
        108_000: 0.1989,
        114_016: 0.2154,
        120_000: 0.1989,
    }
    seen = [Look(images, 0.4, kinds=kind, off=0.66) for images, kind in kinds.items()]
    alarm = judge(seen, per_step=32).alarm
    assert alarm is not None
    assert alarm.what == (FEW,)


def test_a_run_recovers_when_what_was_wrong_is_so_no_more():
    fallen = looks(0.5, 0.01, 0.01, 0.01)
    assert judge([*fallen, Look(9_000, 0.05)]).alarm
    back = judge([*fallen, Look(9_000, 0.05), Look(10_000, 0.5)])
    assert back == Verdict(recovered=Alarm(("alike",), 8_000))
    assert back.describe()["recovered"]["says"] == "collapsed after 8,000 images: all samples are alike, and recovered"
    # Something else that is wrong by now is no reason to say that samples are alike.
    assert judge([*fallen, Look(9_000, 0.5, off=2.0)]).alarm is None
    off = [Look(images, 0.5, off=2.0) for images in (9_000, 10_000, 11_000)]
    assert judge([*fallen, *off]) == Verdict(Alarm(("far off",), 11_000), Alarm(("alike",), 8_000))


def test_what_goes_wrong_besides_is_said_too_and_what_passes_is_not():
    fallen = looks(0.5, *[0.01] * 3, gap=1.0)
    both = [*fallen, *looks(*[0.01] * 3, start=9_000, gap=-1e5)]
    assert judge(both).alarm == Alarm(("alike", "ran away"), 8_000)
    assert judge([*both, Look(12_000, 0.5, gap=-1e5)]).alarm == Alarm(("ran away",), 8_000)
    assert judge([*both, Look(12_000, 0.01, gap=1.0)]).alarm == Alarm(("alike",), 8_000)
    assert judge([*both, Look(12_000, 0.5, gap=1.0)]).alarm is None


def test_what_a_look_does_not_tell_is_as_it_was():
    gone = looks(*[1.0] * 4, gap=-1e5)
    assert judge([*gone, Look(9_000, 1.0)]).alarm == Alarm(("ran away",), 7_000)
    assert not judge([*gone[:1], *looks(*[1.0] * 5, start=6_000)]).alarm
    won = looks(*[1.0] * 4, off=2.0, told=1.0)
    assert judge([*won, Look(9_000, 1.0, off=2.0)]).alarm == Alarm(("won", "far off"), 7_000)
    few = looks(*[1.0] * 4, kinds=0.2, off=0.9)
    assert judge(few).alarm == Alarm(("few kinds",), 7_000)
    assert judge([*few, Look(9_000, 0.01, kinds=0.1)]).alarm == Alarm(("few kinds",), 7_000)  # collapsed all the more
    assert judge([*few, Look(9_000, None)]).alarm == Alarm(("few kinds",), 7_000)
    assert judge([*few, *[Look(images, None) for images in (9_000, 10_000, 11_000)]]).alarm.what == ("few kinds", "far off")


CURVES = {
    "falls at once": (lambda images: 3 * 0.8 ** (images / 1_000), False),
    "falls slowly": (lambda images: 30 * (images / 1_000) ** -0.8, False),
    "falls too slowly": (lambda images: 4 * (images / 1_000) ** -0.2, True),
    "stays": (lambda images: 2.0, True),
    "rises": (lambda images: images / 10_000, True),
}


@pytest.mark.parametrize("name", CURVES)
def test_how_often_a_run_is_looked_at_is_no_matter(name):
    curve, bad = CURVES[name]
    for spacing in (1_000, 1_700, 2_500, 5_000, 9_000):
        found = judge([Look(i, 1.0, off=curve(i)) for i in range(spacing, 60_000, spacing)])
        assert (found.alarm is not None, found.recovered) == (bad, None), spacing
    # What grows is on its way, by the same measure.
    for spacing in (1_000, 2_500, 5_000):
        grows = [Look(i, 0.001 * (i / 1_000) ** 1.5) for i in range(spacing, 25_000, spacing)]
        assert not judge(grows).alarm
        assert judge([Look(look.images, 0.05) for look in grows]).alarm


def test_a_long_run_is_looked_at_between_its_previews_too():
    health = Health(None, modality=ROWS, generator=None, shown=True)
    seen = []
    for images in range(0, 10**7, 640):
        if health.due(images, shown=False, last=False):
            health.look(images, None, {})
            seen.append(images)
    assert seen[0] < 6_000
    assert all(b - a <= max(5_000, 0.1 * a) + 640 for a, b in itertools.pairwise(seen))
    assert len(seen) < 80


def test_logits_that_run_away():
    gone = looks(*[1.0] * 4, gap=-1e5)
    assert judge(gone).alarm == Alarm(("ran away",), 7_000)
    assert not judge(looks(*[1.0] * 4, gap=-50.0)).alarm


def test_what_is_far_and_told_apart_has_lost():
    for told, what in ((1.0, ("won", "far off")), (0.7, ("far off",)), (None, ("far off",))):
        assert judge(looks(*[1.0] * 4, off=2.0, told=told)).alarm == Alarm(what, 7_000)
    assert not judge(looks(*[1.0] * 4, off=0.5, rough=1.5, told=1.0)).alarm


@given(st.lists(st.tuples(st.integers(1, 3_000), st.none() | st.floats(0, 2), st.floats(0, 1), st.floats(0, 4)), max_size=30))
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
    assert "; try --loss relativistic --penalty slope" in noticed
    assert last.startswith("done after 12,000 images")
    assert "what it made is no good: it collapsed after" in last
    assert "; try --loss relativistic --penalty slope; next: " in last
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

    class Listens(Watcher):
        def noticed(self, text):
            told.append(text)

    np.save(tmp_path / "rows.npy", np.random.default_rng(0).normal(0, 1, (500, 8)).astype("f4"))
    options = {"generator": "sleeper", "discriminator.hidden": [16], "batch_size": 16}
    words = {"data": str(tmp_path / "rows.npy"), "images": 12_000, "device": "cpu", "watcher": Listens()}
    run = ganzoo.train("mlp", out=tmp_path / "run", options=options, **words)
    assert run.alarm is None
    assert run.recovered.endswith("all samples are alike, and recovered")
    collapsed, recovered = (text for text in told if "alike" in text)
    assert re.fullmatch(r"recovered after [\d,]+ images from: " + re.escape(collapsed.partition(" (")[0]), recovered)


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
