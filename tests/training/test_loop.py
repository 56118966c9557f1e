import signal

import pytest
import torch

from ganzoo.training.config import LoopSettings
from ganzoo.training.loop import Budget, Step, _stop_signals, lr_factor, stream


def test_random_numbers_belong_to_seed_step_and_purpose():
    def draw(seed, step, purpose):
        context = Step(seed, torch.device("cpu"), torch.float32)
        context.step = step
        return torch.rand(4, generator=context.rng(purpose)).tolist()

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
    assert [lr_factor(settings, p) for p in (0, 0.5)] == [1, 1]
    assert lr_factor(settings, 0.75) == pytest.approx(0.55)
    assert lr_factor(settings, 1) == pytest.approx(0.1)
    assert lr_factor(LoopSettings(), 1) == 1


def test_a_second_interrupt_is_not_held_back():
    before = signal.getsignal(signal.SIGINT)
    with _stop_signals() as caught:
        signal.raise_signal(signal.SIGINT)
        assert caught == [signal.SIGINT]
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
