"""Threads that wait for the disk, so that the loop does not.

A store hands over one job at a time and hears of its end on the loop; jobs of one store therefore never overlap and
never reorder. At most `COMMITTERS_MAX` threads serve all stores of a process. See tests/store/test_committer.py.
"""

import asyncio
import queue
import threading
from collections import deque
from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")

COMMITTERS_MAX = 4
"""Groups per second stay flat from four busy stores on: they share one disk."""


class Committer(Protocol):
    """Runs jobs off the loop."""

    def submit(self, job: Callable[[], T], done: Callable[[T | BaseException], None]) -> None:
        """Runs `job` on another thread, then `done` with its result, or what it raised, on the loop."""
        ...


class CommitterPool:
    """The process's committer threads, started on demand, all for one loop."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, *, threads: int = COMMITTERS_MAX, name: str = "committer"
    ) -> None:
        self._loop = loop
        self._threads_max = threads
        self._name = name
        self._threads: list[threading.Thread] = []
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._unfinished = 0

    def submit(self, job: Callable[[], T], done: Callable[[T | BaseException], None]) -> None:
        self._unfinished += 1
        if self._unfinished > len(self._threads) < self._threads_max:
            self._start_thread()
        self._jobs.put(lambda: self._run(job, done))

    def _run(self, job: Callable[[], T], done: Callable[[T | BaseException], None]) -> None:
        result: T | BaseException
        try:
            result = job()
        except BaseException as error:  # the thread must live on; whoever submitted decides what the error means
            result = error
        try:
            self._loop.call_soon_threadsafe(self._finish, done, result)
        except RuntimeError:
            # The program ended its loop without closing its runtime: there is nobody left to tell.
            if not self._loop.is_closed():
                raise

    def _finish(self, done: Callable[[T | BaseException], None], result: T | BaseException) -> None:
        self._unfinished -= 1
        done(result)

    def _start_thread(self) -> None:
        # Daemons: a program that dies without closing its runtime must not hang; what was acknowledged is on disk.
        thread = threading.Thread(target=self._serve, name=f"perdure-{self._name}-{len(self._threads)}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()

    def close(self) -> None:
        """Ends the threads after the jobs already submitted; blocks until they have, so close the stores first."""
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()
        self._threads.clear()


class Lane:
    """Jobs that share a connection: one after another, in order, on whichever threads the committer has."""

    def __init__(self, committer: Committer) -> None:
        self._committer = committer
        self._waiting: deque[Callable[[], None]] = deque()
        self._busy = False
        self._when_idle: list[Callable[[], None]] = []

    @property
    def busy(self) -> bool:
        return self._busy

    def submit(self, job: Callable[[], T], done: Callable[[T | BaseException], None]) -> None:
        """As `Committer.submit`, after the jobs submitted to this lane before."""
        self._waiting.append(lambda: self._committer.submit(job, lambda result: self._finish(done, result)))
        if not self._busy:
            self._start_next()

    def when_idle(self, fn: Callable[[], None]) -> None:
        """Calls `fn` once nothing runs or waits here; at once if that is so."""
        if self._busy:
            self._when_idle.append(fn)
        else:
            fn()

    def _start_next(self) -> None:
        if self._waiting:
            self._busy = True
            self._waiting.popleft()()
            return
        self._busy = False
        idle, self._when_idle = self._when_idle, []
        for fn in idle:
            fn()

    def _finish(self, done: Callable[[T | BaseException], None], result: T | BaseException) -> None:
        # Still busy while `done` runs: what it submits queues behind what waits.
        try:
            done(result)
        finally:
            self._start_next()


async def run_job(committer: Committer | Lane, job: Callable[[], T]) -> T:
    """Runs `job` there and waits for its result; raises what it raised.

    Not cancellable: the job runs to its end, and a cancellation is raised after it. What the canceller does next, to close
    what the job works on first of all, must not meet it on its thread.
    """
    ended: _Unhurried[T] = _Unhurried(loop=asyncio.get_running_loop())

    def done(result: T | BaseException) -> None:
        if isinstance(result, BaseException):
            ended.set_exception(result)
        else:
            ended.set_result(result)

    committer.submit(job, done)
    try:
        return await ended
    except asyncio.CancelledError:
        if ended.done():
            ended.exception()  # told to nobody: who asked has gone
        raise


class _Unhurried(asyncio.Future[T]):
    """A future that cannot be cancelled: a task that is cancelled while it waits for it learns that once it is done."""

    def cancel(self, msg: object = None) -> bool:
        return False
