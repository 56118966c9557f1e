"""A thread that writes files while training goes on."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any


class Writer:
    """Does what it is handed in the order in which it was handed it. A context: at its end, everything is done.

    What fails is kept for :meth:`failures`; the jobs after it are done all the same.

    Hand it arrays, pictures and files, not arithmetic on tensors: a second thread that computes with torch gets OpenMP
    threads of its own, and with more of those than cores, every parallel loop of the training thread takes twice as long.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ganzoo-writer")
        self._waiting: list[Future[Any]] = []
        self._failures: list[BaseException] = []

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True)

    def submit(self, job: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Do ``job(*arguments)`` soon. What it is handed must not change any more."""
        self._collect()
        self._waiting.append(self._pool.submit(job, *arguments))
        return self._waiting[-1]

    def failures(self) -> list[BaseException]:
        """What has failed since it was last asked."""
        self._collect()
        failures, self._failures = self._failures, []
        return failures

    def _collect(self) -> None:
        for job in [job for job in self._waiting if job.done()]:
            self._waiting.remove(job)
            if error := job.exception():
                self._failures.append(error)
