"""After how long a class whose constructor keeps failing may try again: at once after the first failure, then ever later.

A constructor that fails once is retried by the next call, because most such failures are passing ones; from the second in a
row calls fail fast, so that a broken class costs its callers nothing but an error. See tests/core/test_back_off.py.
"""

DELAY_MS_MIN = 1_000
# A minute is short enough for a person who mends the cause and waits, and long enough to spare a dependency that is down.
DELAY_MS_MAX = 60_000


def delay_ms_after(failures: int) -> int:
    """How long calls fail at once after `failures` failures in a row."""
    if failures < 2:
        return 0
    return int(min(DELAY_MS_MIN << min(failures - 2, 16), DELAY_MS_MAX))
