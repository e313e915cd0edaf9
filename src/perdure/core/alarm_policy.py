"""When an alarm that failed is tried again, and when it is given up.

Must stay true: what its own code does wrong is tried a bounded number of times, what the store or the process does wrong
without end; no try comes early; an alarm that is given up is kept as a dead one. See tests/core/test_alarm_policy.py.
"""

from typing import Final

from perdure.core.entry import Alarm, DeadAlarm

DELAY_S: Final = 2.0
"""Before the first retry; then twice as long each time."""

DELAY_MAX_S: Final = 1_024.0

JITTER: Final = 0.25
"""A delay is longer by up to this part, so that what failed together is not tried together."""

ERROR_CHARACTERS_MAX: Final = 1_000
"""What is kept of a failure's text."""


def after_failed_run(alarm: Alarm, error: str, *, now_ms: int, retries_max: int, jitter: float) -> Alarm | DeadAlarm:
    """Its own code failed, or took too long. jitter: from 0 to 1, the caller's dice."""
    error = error[:ERROR_CHARACTERS_MAX]
    if alarm.retries >= retries_max:
        return DeadAlarm(alarm.at_ms, now_ms, alarm.retries, error)
    streak = max(alarm.streak, 0) + 1
    return Alarm(alarm.at_ms, now_ms + _delay_ms(streak, jitter), alarm.retries + 1, streak, error)


def after_lost_run(alarm: Alarm, error: str, *, now_ms: int, jitter: float) -> Alarm:
    """The store failed, the object was overloaded, or the process went: nothing that its code could help."""
    streak = min(alarm.streak, 0) - 1
    return Alarm(alarm.at_ms, now_ms + _delay_ms(-streak, jitter), alarm.retries, streak, error[:ERROR_CHARACTERS_MAX])


def _delay_ms(streak: int, jitter: float) -> int:
    delay_s = min(DELAY_S * 2.0 ** (min(streak, 32) - 1), DELAY_MAX_S)
    return int(delay_s * (1 + JITTER * jitter) * 1000)
