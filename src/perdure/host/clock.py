"""Which time it is: the machine's, and whatever clock the running code's runtime has.

Everything below `host/` sees time through a Clock and nothing else, so a test that injects another one owns all of it, what
`perdure.now()` tells user code included. A timer is never early by `monotonic()`. See tests/host/test_clock.py.
"""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from perdure.core.clock import Cancellable, Clock
from perdure.objects.member import CURRENT
from perdure.objects.origin import ORIGIN
from perdure.workers.execution_context import ExecutionContext, clock_of

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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


class OpenClocks:
    """The clocks of the runtimes that are open in this process, one for each."""

    def __init__(self) -> None:
        self._clocks: dict[object, tuple[asyncio.AbstractEventLoop, Clock]] = {}

    def join(self, clock: Clock) -> object:
        """A runtime with this clock is open on the running loop; gives what `leave` takes."""
        token = object()
        self._clocks = {key: held for key, held in self._clocks.items() if not held[0].is_closed()}
        self._clocks[token] = asyncio.get_running_loop(), clock
        return token

    def leave(self, token: object) -> None:
        self._clocks.pop(token, None)

    def only(self) -> Clock | None:
        """The clock of the only open runtime; None if there is none, or more than one.

        One that nobody closed is over when its loop is.
        """
        held = [clock for loop, clock in self._clocks.values() if not loop.is_closed()]
        return held[0] if len(held) == 1 else None


# The one state of a module here: `perdure.now()` takes no argument, and code outside of objects has nothing else from which
# to know the runtime that it stands beside. It decides nothing but which clock is read.
OPEN_CLOCKS = OpenClocks()


def now() -> datetime:
    """The time, aware and in UTC, by the clock of the runtime whose code runs (API-60).

    Elsewhere: of the only open runtime, else the machine's. It may jump when the machine's clock is set; use `monotonic()`
    for durations.
    """
    clock = _clock_here()
    if clock is None or type(clock) is RealClock:
        return datetime.now(UTC)
    return EPOCH + timedelta(milliseconds=clock.now_ms())


def monotonic() -> float:
    """Seconds from an arbitrary start, which never go back, by the same clock as `now()`."""
    clock = _clock_here()
    # A loop may read its clock once a turn and by the millisecond, as uvloop does: durations within a turn would be 0.
    return time.monotonic() if clock is None or type(clock) is RealClock else clock.monotonic()


def _clock_here() -> Clock | None:
    member = CURRENT.get()
    if member is not None:
        return member.instance.home.clock
    origin = ORIGIN.get()
    return clock_of(origin) if isinstance(origin, ExecutionContext) else OPEN_CLOCKS.only()
