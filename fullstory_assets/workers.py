"""A few threads that do what they are given, and that never keep a process from ending.

The standard library's pool joins its threads when the interpreter ends, even those that wait hours for an export whose
run has failed meanwhile. These are daemons: they go with the process, and the next run resumes their exports.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Workers(Generic[T, R]):
    """Applies one function to what is handed in, on `count` threads, in the order given.

    Args:
        work: The function.
        count: Number of threads.
        name: Name of the threads.
    """

    def __init__(self, work: Callable[[T], R], *, count: int, name: str) -> None:
        self._work = work
        self._waiting: SimpleQueue[tuple[Future[R], T] | None] = SimpleQueue()
        self._threads = [threading.Thread(target=self._run, name=name, daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def submit(self, item: T) -> Future[R]:
        """Hand in `item`; return the result to come."""
        future: Future[R] = Future()
        self._waiting.put((future, item))
        return future

    def close(self) -> None:
        """Let the threads end after what has been handed in, and wait for them."""
        for _ in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while (job := self._waiting.get()) is not None:
            future, item = job
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(self._work(item))
                except BaseException as error:  # noqa: BLE001 - handed to whoever asks for the result
                    future.set_exception(error)
