"""The real clock: the machine's time, and timers of the loop that runs when the clock is made.

Everything below `host/` sees time through this and nothing else, so a test that injects another clock owns all of it. A
timer is never early by `monotonic()`. See tests/host/test_clock.py."""

import asyncio
import time
from collections.abc import Callable

from perdure.core.clock import Cancellable


class RealClock:
    """Time of the machine and of one running loop. For that loop's thread only."""

    __slots__ = ("_loop",)

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        # The loop's own clock, so that durations measured here agree with the timers set here.
        return self._loop.time()

    def call_soon(self, fn: Callable[[], None]) -> None:
        self._loop.call_soon(fn)

    def call_later(self, delay_s: float, fn: Callable[[], None]) -> Cancellable:
        return self._loop.call_later(delay_s, fn)
