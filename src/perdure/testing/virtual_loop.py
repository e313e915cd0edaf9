"""An event loop whose time is virtual: it jumps to the next timer when nothing else can go on.

Nothing sleeps; a schedule of timers replays exactly. What runs on other threads is outside of it: time must not jump while
such a thread is at work, so tests that use threads take an ordinary loop. See tests/testing/test_virtual_loop.py.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from perdure.core.clock import Cancellable

T = TypeVar("T")

# How long a loop without timers waits for a file descriptor before it says that it would wait for ever, in real seconds.
PATIENCE_S = 10.0


class NothingToWaitFor(RuntimeError):
    """Every task waits, and neither a timer nor a descriptor will wake one."""


class _Selector(selectors.SelectSelector):
    def __init__(self) -> None:
        super().__init__()
        self.jump: Callable[[float], None] = lambda seconds: None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if timeout is None:
            ready = super().select(PATIENCE_S)
            if not ready:
                raise NothingToWaitFor("all tasks wait, and no timer is set")
            return ready
        self.jump(timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """A selector loop in virtual time, which starts at 0."""

    def __init__(self) -> None:
        selector = _Selector()
        super().__init__(selector)
        self._seconds = 0.0
        selector.jump = self._jump

    def time(self) -> float:
        return self._seconds

    def _jump(self, seconds: float) -> None:
        self._seconds += seconds


class LoopClock:
    """The Clock of a loop: monotonic time is the loop's, wall time counts from `epoch_ms`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, epoch_ms: int = 1_700_000_000_000) -> None:
        self._loop = loop
        self._epoch_ms = epoch_ms

    def now_ms(self) -> int:
        return self._epoch_ms + round(self._loop.time() * 1000)

    def monotonic(self) -> float:
        return self._loop.time()

    def call_soon(self, fn: Callable[[], None]) -> None:
        self._loop.call_soon(fn)

    def call_later(self, delay_s: float, fn: Callable[[], None]) -> Cancellable:
        return self._loop.call_later(delay_s, fn)


def run_virtual(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run `main()` to its end in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main())
