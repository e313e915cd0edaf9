"""Which states of an object can be gone back to, the longer ago the fewer, and never one less that has a pin.

What undoes a stretch of an object's history is a *span*: the values that the stretch overwrote, as they were when it began.
Two neighbours are merged by keeping, of each value, the older span's; so what lies before both can still be reached exactly,
and what lies between them no longer. See tests/core/test_undo_thinning.py.
"""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final, NamedTuple

_MINUTE_MS: Final = 60_000
_HOUR_MS: Final = 60 * _MINUTE_MS

WHOLE_MS: Final = _HOUR_MS
"""For so long every batch that was applied can be undone by itself."""

MINUTES_MS: Final = 24 * _HOUR_MS
"""For so long there is one state of each minute, after it one of each hour."""


class Span(NamedTuple):
    """A stretch of one object's history: what changed after the place `since` and up to `until`."""

    since: int
    until: int
    time_ms: int
    """Of the last change in it."""


def may_merge(older: Span, newer: Span, pins: Sequence[int], *, now_ms: int) -> bool:
    """Whether the states between these two neighbours may be given up. pins: the object's, in order."""
    age_ms = now_ms - newer.time_ms
    if age_ms < WHOLE_MS:
        return False
    unit_ms = _MINUTE_MS if age_ms < MINUTES_MS else _HOUR_MS
    if older.time_ms // unit_ms != newer.time_ms // unit_ms:
        return False
    next_pin = bisect_left(pins, older.until)
    return next_pin == len(pins) or pins[next_pin] > newer.since


def merged(older: Span, newer: Span) -> Span:
    """The span of both."""
    return Span(older.since, newer.until, newer.time_ms)
