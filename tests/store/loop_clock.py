"""The real time of a running loop, for tests that use real threads."""

import asyncio
import time
from collections.abc import Callable


class LoopClock:
    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()

    def call_soon(self, fn: Callable[[], None]) -> None:
        self._loop.call_soon(fn)

    def call_later(self, delay_s: float, fn: Callable[[], None]) -> asyncio.TimerHandle:
        return self._loop.call_later(delay_s, fn)
