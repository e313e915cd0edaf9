"""The disk of a schedule: it works in virtual time, as fast as the seed says, and fails where the seed says."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING, Any

import apsw

from perdure.store.crash_point import CrashPoint

if TYPE_CHECKING:
    from tests.simulation.process import Process


class Ended(BaseException):
    """This process is no more; raised in whatever code of it still runs."""


Failure = Callable[[], apsw.Error]

FAILURES: dict[CrashPoint, tuple[float, tuple[Failure, ...]]] = {
    # Nothing of the group is on the disk.
    CrashPoint.BEFORE_LOG_COMMIT: (
        1.0,
        (
            lambda: apsw.FullError("simulated: disk full"),
            lambda: apsw.FullError("simulated: disk full"),
            lambda: apsw.IOError("simulated: nothing written"),
        ),
    ),
    # It is, and only the answer is a failure: a ghost.
    CrashPoint.AFTER_LOG_COMMIT: (0.4, (lambda: apsw.IOError("simulated: written, and yet an error"),)),
    # Less often: in a store that is being opened anew, it is one failure too many, and turns it off.
    CrashPoint.BEFORE_APPLY_COMMIT: (
        0.3,
        (lambda: apsw.FullError("simulated: disk full"), lambda: apsw.IOError("simulated: tables not written")),
    ),
    CrashPoint.AFTER_APPLY_COMMIT: (0.3, (lambda: apsw.IOError("simulated: tables written, and yet an error"),)),
}
"""At which point, how often against the rest, and in which ways the disk fails."""


class Disk:
    """A committer that works on the loop, in virtual time: each job begins, and is reported, when the seed says."""

    def __init__(self, process: Process, stalls: tuple[float, ...]) -> None:
        self._process, self._stalls = process, stalls
        self._rng = Random(f"{process.seed} disk")

    def submit(self, job: Callable[[], Any], done: Callable[[Any], None]) -> None:
        self._later(self._work, job, done)

    def _later(self, fn: Callable[..., None], *args: Any) -> None:
        stall = self._rng.choice(self._stalls)
        if stall:
            self._process.loop.call_later(stall, fn, *args)
        else:
            self._process.loop.call_soon(fn, *args)

    def _work(self, job: Callable[[], Any], done: Callable[[Any], None]) -> None:
        if self._process.over:
            return
        try:
            result = job()
        except Ended:
            return
        except BaseException as error:
            result = error
        if self._rng.random() < 0.3:
            self._later(self._report, done, result)
        else:
            self._report(done, result)

    def _report(self, done: Callable[[Any], None], result: Any) -> None:
        if not self._process.over:
            with suppress(Ended):
                done(result)
