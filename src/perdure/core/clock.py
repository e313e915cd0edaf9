"""Time as everything in Perdure sees it: injected, so that a test moves it by hand and a schedule replays.

Nothing below `host/` reads the real clock or calls the loop's timers by itself. See tests/store/test_model.py.
"""

from collections.abc import Callable
from typing import Protocol


class Cancellable(Protocol):
    """What `call_later` gives back."""

    def cancel(self) -> None:
        """The call will not happen; nothing if it already did."""
        ...


class Clock(Protocol):
    """The time, and calls at a later time, all on the loop's thread."""

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch; may jump when the machine's clock is set."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; never goes back. For durations."""
        ...

    def call_soon(self, fn: Callable[[], None]) -> None:
        """Calls `fn` once all that is ready in this turn of the loop has run."""
        ...

    def call_later(self, delay_s: float, fn: Callable[[], None]) -> Cancellable:
        """Calls `fn` on the loop after `delay_s`, never early."""
        ...
