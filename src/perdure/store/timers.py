"""Calls at a later time, at most one per function, all of them cancelled together when their owner ends.

See tests/store/test_upkeep.py.
"""

from collections.abc import Callable

from perdure.core.clock import Cancellable, Clock


class Timers:
    """The pending calls of one owner."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pending: dict[Callable[[], None], Cancellable] = {}

    def __contains__(self, fn: Callable[[], None]) -> bool:
        return fn in self._pending

    def call_later(self, delay_s: float, fn: Callable[[], None]) -> None:
        """Calls `fn` after `delay_s`, instead of when it was to be called so far."""

        def due() -> None:
            del self._pending[fn]
            fn()

        if fn in self._pending:
            self._pending[fn].cancel()
        self._pending[fn] = self._clock.call_later(delay_s, due)

    def cancel_all(self) -> None:
        for timer in self._pending.values():
            timer.cancel()
        self._pending.clear()
