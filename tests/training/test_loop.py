import signal

import pytest
import torch
from torch import nn

from ganzoo.data.order import Order
from ganzoo.data.store import Store
from ganzoo.errors import TrainingError
from ganzoo.interfaces import Trainer
from ganzoo.modalities.array import Array
from ganzoo.training.clock import Clock
from ganzoo.training.ema import EMA
from ganzoo.training.loop import Step, lr_factor, run_loop, stop_signals, stream
from ganzoo.training.monitor import Monitor
from ganzoo.training.processes import Processes
from ganzoo.training.settings import Budget, LoopSettings
from ganzoo.training.watcher import Watcher
from ganzoo.training.writer import Writer

ALONE = Processes(1, 0, torch.device("cpu"))


def test_random_numbers_belong_to_seed_step_and_purpose():
    def draw(seed, step, purpose):
        context = Step(seed, torch.device("cpu"), torch.float32)
        context.step = step
        return context.noise(purpose).uniform(4).tolist()

    assert draw(1, 2, "a") == draw(1, 2, "a")
    assert (
        len({tuple(draw(*key)) for key in [(1, 2, "a"), (2, 2, "a"), (1, 3, "a"), (1, 2, "b"), (12, 2, "a"), (1, 22, "a")]})
        == 6
    )


def test_streams_are_seeds_that_torch_takes():
    assert all(0 <= stream(seed, step, "x") < 2**63 for seed in range(10) for step in range(10))


def test_the_first_limit_ends_the_run():
    budget = Budget(seconds=10, images=100)
    assert budget.progress(5, 20) == 0.5
    assert budget.progress(1, 80) == 0.8
    assert budget.progress(50, 0) == 1
    assert Budget(images=7).progress(1e9, 0) == 0


def test_the_rate_falls_linearly_at_the_end():
    settings = LoopSettings(lr_decay_from=0.5, lr_final=0.1)
    assert [lr_factor(settings, p, 10**9) for p in (0, 0.5)] == [1, 1]
    assert lr_factor(settings, 0.75, 0) == pytest.approx(0.55)
    assert lr_factor(settings, 1, 0) == pytest.approx(0.1)
    assert lr_factor(LoopSettings(), 1, 10**9) == 1


def test_the_rate_falls_with_the_root_of_the_images_whatever_the_budget():
    settings = LoopSettings(lr_decay_images=10_000)
    assert [lr_factor(settings, progress, 10_000) for progress in (0, 1)] == [1, 1]
    assert [lr_factor(settings, progress, 40_000) for progress in (0, 1)] == [0.5, 0.5]
    assert lr_factor(settings, 0, 10_001) == pytest.approx(1, abs=1e-4)
    both = LoopSettings(lr_decay_images=10_000, lr_decay_from=0, lr_final=0)
    assert lr_factor(both, 0.5, 40_000) == 0.25


def test_a_second_interrupt_is_not_held_back():
    before = signal.getsignal(signal.SIGINT)
    with stop_signals() as caught:
        signal.raise_signal(signal.SIGINT)
        assert caught == [signal.SIGINT]
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


class Recorder(Trainer):
    """Writes down what the loop hands to each step."""

    def __init__(self, fails_at=None):
        super().__init__({"generator": nn.Linear(1, 1)})
        self.optimizers = {"g": torch.optim.SGD(self.networks["generator"].parameters(), lr=2.0)}
        self.rates, self.samples, self.layers, self.dtypes, self.fails_at = [], [], [], [], fails_at

    def step(self, reals, labels, context):
        if context.step == self.fails_at:
            raise ZeroDivisionError("first line\nsecond")
        self.rates.append(self.optimizers["g"].param_groups[0]["lr"])
        self.samples += reals[:, 0].tolist()
        self.layers.append(torch.initial_seed())
        with context.autocast():
            self.dtypes.append(self.networks["generator"](reals).dtype)
        return {}


NUMBERS = Store("numbers", torch.arange(10.0).reshape(10, 1))


def looped(
    tmp_path,
    trainer,
    seed=0,
    precision=torch.float32,
    stop=(),
    checkpoint=lambda: True,
    share=(0, 1),
    store=NUMBERS,
    **settings,
):
    budget = Budget(images=40)
    with Writer() as writer:
        monitor = Monitor(
            tmp_path,
            lambda: torch.zeros(1, 1),
            modality=Array(sample_shape=(1,)),
            watcher=Watcher(),
            writer=writer,
            processes=ALONE,
        )
        return run_loop(
            trainer,
            trainer.step,
            store.feed(seed, *share),
            EMA({"generator": trainer.networks["generator"]}, 0),
            monitor,
            Clock(budget, stop),
            Step(seed, torch.device("cpu"), precision, share),
            settings=LoopSettings(batch_size=5, **settings),
            checkpoint=checkpoint,
            score=lambda: False,
        )


def test_every_step_gets_the_rate_of_its_time(tmp_path):
    trainer = Recorder()
    outcome = looped(tmp_path, trainer, lr_decay_from=0.5, lr_final=0.0)
    assert outcome.images == 40
    assert trainer.rates == pytest.approx([2, 2, 2, 2, 2, 1.5, 1, 0.5])


def test_rates_fall_with_the_images_that_were_shown(tmp_path):
    trainer = Recorder()
    looped(tmp_path, trainer, lr_decay_images=10)
    assert trainer.rates == pytest.approx([2, 2, 2, *(2 * (10 / images) ** 0.5 for images in (15, 20, 25, 30, 35))])


def test_a_rate_that_a_step_changes_is_set_anew(tmp_path):
    class Halves(Recorder):
        def step(self, reals, labels, context):
            metrics = super().step(reals, labels, context)
            self.optimizers["g"].param_groups[0]["lr"] /= 2
            return metrics

    trainer = Halves()
    looped(tmp_path, trainer)
    assert trainer.rates == [2.0] * 8


def test_every_epoch_shows_every_sample_in_the_order_of_the_seed(tmp_path):
    first, second = Recorder(), Recorder()
    looped(tmp_path / "a", first, seed=1)
    looped(tmp_path / "b", second, seed=2)
    assert first.samples == Order(10, 1).indices(0, 40).tolist()
    assert first.samples != second.samples
    assert all(sorted(first.samples[i : i + 10]) == list(range(10)) for i in range(0, 40, 10))


def test_processes_mirror_the_same_pictures_as_one_does(tmp_path):
    class Sees(Trainer):
        def __init__(self):
            super().__init__({"generator": nn.Linear(1, 1)})
            self.seen = []

        def step(self, reals, labels, context):
            self.seen.append(reals)
            return {}

    pictures = Store("pictures", torch.arange(10 * 12, dtype=torch.uint8).view(10, 1, 3, 4))

    def seen(share, **settings):
        trainer = Sees()
        looped(tmp_path, trainer, share=share, store=pictures, **settings)
        return torch.stack(trainer.seen)

    plain, whole = seen((0, 1)), seen((0, 1), mirror=True)
    turned = (whole != plain).flatten(2).any(2)
    assert 10 < int(turned.sum()) < 30
    assert torch.equal(whole, torch.where(turned.view(8, 5, 1, 1, 1), plain.flip(4), plain))
    assert torch.equal(whole, seen((0, 1), mirror=True))
    parts = [seen((rank, 5), mirror=True) for rank in range(5)]
    assert torch.equal(whole, torch.cat(parts, 1))


def test_layers_that_draw_for_themselves_are_seeded_at_every_step(tmp_path):
    trainer = Recorder()
    looped(tmp_path, trainer, seed=3)
    assert trainer.layers == [stream(3, step, "layers 0") for step in range(8)]


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_networks_run_in_the_chosen_precision(tmp_path, precision):
    trainer = Recorder()
    looped(tmp_path, trainer, precision=precision)
    assert set(trainer.dtypes) == {precision}


def test_a_trainer_that_fails_is_named(tmp_path):
    with pytest.raises(TrainingError, match=r"step 3 of Recorder failed: ZeroDivisionError: first line \("):
        looped(tmp_path, Recorder(fails_at=3))


def test_somebody_who_asks_to_stop_is_heard_before_the_next_step(tmp_path):
    stop = []

    class Asks(Recorder):
        def step(self, reals, labels, context):
            if context.step == 4:
                stop.append(15)
            return super().step(reals, labels, context)

    outcome = looped(tmp_path, Asks(), stop=stop)
    assert (outcome.images, outcome.interrupted) == (25, True)


def test_checkpoints_come_by_the_clock_and_are_asked_for_again_where_the_last_one_is_not_done(tmp_path):
    asked = []

    def checkpoint():
        asked.append(len(asked))
        return len(asked) != 1

    looped(tmp_path, Recorder(), checkpoint=checkpoint, checkpoint_seconds=1e-9)
    assert len(asked) > 2
    looped(tmp_path, Recorder(), checkpoint=lambda: pytest.fail("long before it is due"), checkpoint_seconds=1e9)


def test_processes_share_out_a_batch(tmp_path):
    alone, first, second = Recorder(), Recorder(), Recorder()
    looped(tmp_path / "a", alone)
    looped(tmp_path / "b", first, share=(0, 2))
    looped(tmp_path / "c", second, share=(1, 2))
    batches = [alone.samples[i : i + 5] for i in range(0, 40, 5)]
    assert first.samples == [x for batch in batches for x in batch[0::2]]
    assert second.samples == [x for batch in batches for x in batch[1::2]]
