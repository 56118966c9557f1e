import time

import pytest
import torch

from ganzoo.threads import counts_up_to, fastest, on_fastest_threads, on_threads, time_threads


@pytest.mark.parametrize(("most", "counts"), [(1, [1]), (2, [1, 2]), (3, [1, 2, 3]), (12, [1, 2, 4, 8, 12])])
def test_numbers_of_threads_worth_a_trial(most, counts):
    assert counts_up_to(most) == counts


def test_work_is_timed_on_each_number_of_threads_and_torch_keeps_its_own():
    before = torch.get_num_threads()
    seen = []

    def work():
        seen.append(torch.get_num_threads())
        time.sleep(0.001 * 30 ** (torch.get_num_threads() - 1))

    seconds = time_threads(work, [1, 2, 3])
    assert sorted(set(seen)) == [1, 2, 3]
    # What is hopeless is not tried again and again.
    assert seen.count(3) == 1
    assert seconds[1] < seconds[2] < seconds[3]
    assert torch.get_num_threads() == before


def test_another_number_is_taken_only_if_it_is_clearly_faster():
    assert fastest({1: 1.1, 2: 1.0}, used=1) == 1
    assert fastest({1: 1.0, 2: 1.1}, used=2) == 2
    assert fastest({1: 1.0, 2: 5.0}, used=2) == 1
    assert fastest({1: 2.0, 2: 1.0}, used=1) == 2
    assert fastest({1: 2.0, 2: 1.0}, used=16) == 2


def test_a_block_that_fails_leaves_torch_with_its_threads():
    before = torch.get_num_threads()

    def fail():
        assert torch.get_num_threads() == before + 1
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), on_threads(before + 1):
        fail()
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(("quick", "used"), [(1, 1), (2, 2)])
def test_a_long_piece_of_work_is_done_on_fewer_threads_where_they_are_several_times_as_fast(quick, used):
    def work():
        time.sleep(0.001 if torch.get_num_threads() == quick else 0.1)

    with on_threads(2):
        with on_fastest_threads(work, torch.device("cpu")):
            assert torch.get_num_threads() == used
        assert torch.get_num_threads() == 2
        with on_fastest_threads(work, torch.device("cuda")):
            assert torch.get_num_threads() == 2
