import itertools
import json
import os
import subprocess

import pytest
import torch

from ganzoo.training.clock import Clock, Decision, Journal
from ganzoo.training.processes import Processes
from ganzoo.training.settings import Budget


class Time:
    """A clock that moves when it is told to."""

    def __init__(self, monkeypatch):
        self.now = 100.0
        monkeypatch.setattr("ganzoo.training.clock.time.perf_counter", lambda: self.now)


def progress(clock, time, steps, each):
    """What a run of ``steps`` steps, ``each`` seconds long, is told of its progress before every step."""
    told = []
    for step in range(steps):
        clock.look(step)
        told.append(clock.progress(0))
        time.now += each
    return told


def test_a_clock_looks_up_about_once_a_second(monkeypatch):
    time = Time(monkeypatch)
    clock = Clock(Budget(images=10**9))
    looks = []
    for step in range(5000):
        if clock.look(step):
            looks.append(time.now)
        time.now += 0.01
    gaps = [b - a for a, b in itertools.pairwise(looks)]
    assert max(gaps) < 1.5
    assert len(looks) < 80


def test_a_time_budget_ends_on_time(monkeypatch):
    time = Time(monkeypatch)
    clock = Clock(Budget(seconds=10))
    told = progress(clock, time, 1100, 0.01)
    assert 9.9 < told.index(1.0) * 0.01 < 10.1
    assert told == sorted(told)


def test_what_time_decided_once_it_decides_again(monkeypatch, tmp_path):
    time = Time(monkeypatch)
    journal = Journal(tmp_path / "clock.jsonl")
    first = progress(Clock(Budget(seconds=10), journal=journal), time, 300, 0.013)
    decisions = journal.read()
    again = progress(Clock(Budget(seconds=10), decisions=decisions), time, 300, 0.5)
    assert len(decisions) > 40
    assert again[: decisions[-1].step + 1] == first[: decisions[-1].step + 1]


def test_a_run_goes_on_from_any_step_with_what_was_decided_from_there_on(monkeypatch, tmp_path):
    time = Time(monkeypatch)
    journal = Journal(tmp_path / "clock.jsonl")
    clock = Clock(Budget(seconds=10), journal=journal)
    first, kept = [], {}
    for step in range(300):
        clock.look(step)
        kept[step] = clock.decided
        first.append(clock.progress(0))
        time.now += 0.013
    for start in (0, 1, 37, 150, 299):
        again = Clock(Budget(seconds=10), seconds=kept[start], decisions=[d for d in journal.read() if d.step >= start])
        rest = []
        for step in range(start, 300):
            again.look(step)
            rest.append(again.progress(0))
            time.now += 0.0001
        assert rest == first[start:], start


def test_new_decisions_follow_the_old_ones(monkeypatch, tmp_path):
    time = Time(monkeypatch)
    journal = Journal(tmp_path / "clock.jsonl")
    clock = Clock(Budget(seconds=10), decisions=[Decision(0, 0.0), Decision(5, 4.0)], journal=journal)
    told = progress(clock, time, 100, 0.1)
    assert told[4] == 0
    assert told[5] == 0.4
    assert told == sorted(told)
    assert 0.9 < told[60] < 1
    assert all(d.step > 5 and d.seconds > 4 for d in journal.read())


def test_a_line_that_was_cut_short_is_dropped(tmp_path):
    journal = Journal(tmp_path / "clock.jsonl")
    journal.add(Decision(1, 0.5))
    with journal.path.open("a") as file:
        file.write('{"step": 2, "seco')
    assert journal.read() == [Decision(1, 0.5)]
    journal.add(Decision(3, 0.7))
    assert [json.loads(line)["step"] for line in journal.path.read_text().splitlines()] == [1, 3]
    assert journal.read()[1:] == [Decision(3, 0.7)]


def test_images_alone_need_no_journal(monkeypatch, tmp_path):
    clock = Clock(Budget(images=100), processes=Processes(1, 0, torch.device("cpu")))
    clock.look(0)
    assert clock.progress(25) == 0.25
    assert Budget(seconds=10, images=100).progress(5, 20) == 0.5


@pytest.mark.parametrize(
    "line", ["xx", '{"step": 1e999, "seconds": 3}', '{"step": 7, "seconds": NaN}', "[" * 10**5, '{"step": 3}']
)
def test_a_damaged_journal_is_used_as_far_as_it_goes(tmp_path, line):
    path = tmp_path / "clock.jsonl"
    rows = [json.dumps({"step": step, "seconds": float(step)}) for step in range(5)]
    path.write_text("\n".join([*rows[:3], line, *rows[3:], ""]))
    told = []
    journal = Journal(path, told.append)
    assert [d.step for d in journal.read()] == [0, 1, 2]
    assert "damaged" in told[0]
    journal.add(Decision(3, 3.5))
    assert [d.seconds for d in Journal(path).read()] == [0, 1, 2, 3.5]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="mounts a small disk")
def test_a_full_disk_costs_no_decision(tmp_path):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", tmp_path], check=True)
    try:
        told = []
        journal = Journal(tmp_path / "clock.jsonl", told.append)
        journal.add(Decision(0, 0.5))
        (tmp_path / "fill").write_bytes(bytes(12288))
        for step in range(1, 300):
            journal.add(Decision(step, float(step)))
        assert len(told) == 1
        assert "No space left" in told[0]
        assert len(Journal(tmp_path / "clock.jsonl").read()) < 300
        (tmp_path / "fill").unlink()
        journal.add(Decision(300, 300.0))
        assert [d.step for d in Journal(tmp_path / "clock.jsonl").read()] == list(range(301))
    finally:
        subprocess.run(["umount", tmp_path], check=True)
