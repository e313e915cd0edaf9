"""Every bound on sizes and waiting that a user can meet, once, with its unit and why it is that much.

`Limits` are a class's own to change; the constants are fixed, because what is stored and sent must fit wherever it goes
later. See tests/model/test_limits.py.
"""

import dataclasses
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from perdure.model.errors import WrongType, WrongValue

# A key stands in an index row, in messages and in the memory of every layer it is in; the original's number.
KEY_BYTES_MAX = 2_048

# One key and its encoded value together. The original's number: what fits there fits here, and a group of 64 stays
# writable.
KEY_VALUE_BYTES_MAX = 2 * 1024 * 1024

# Encoded arguments or result of one call. Both sides hold it in memory at once; the original's number.
RPC_BYTES_MAX = 32 * 1024 * 1024

# What one step may write: it becomes durable as one row with one sync, for which everyone in the group waits.
UNIT_BYTES_MAX = 64 * 1024 * 1024

# Containers inside containers in one value. Python's own stack allows about 1,000 frames, of which user code needs its
# share.
VALUE_DEPTH_MAX = 128

# UTF-8 bytes of a name that an object is still told as `ctx.id.name`; longer names address it all the same. The
# original's number.
NAME_BYTES_MAX = 1_024

# Critical sections and transactions inside one another; deeper is a recursion gone wrong. The original's number.
SECTION_DEPTH_MAX = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What an object of a class may use and how long it may take: `limits = Limits(idle=timedelta(minutes=5))`.

    Raises WrongType for a value of another type and WrongValue for one that is not positive; an unknown name is
    Python's own TypeError.
    """

    idle: timedelta = timedelta(seconds=10)
    """Without work for this long, the instance is evicted, at most 1 s later."""
    pending: timedelta = timedelta(minutes=15)
    """How long one timer, outgoing call or `wait_until` may hold off eviction."""
    critical_section: timedelta = timedelta(seconds=30)
    """Of a critical section and of `transaction()`; longer resets the object."""
    alarm: timedelta = timedelta(minutes=15)
    """Of one run of the alarm handler; longer resets the object and counts as a failure."""
    alarm_retries: int = 6
    """After the first failure, 2 to 64 s apart; then the alarm is kept as a dead one."""
    queue: int = 10_000
    """Events waiting at the object. At 0.1 ms an event the last waits 1 s; past that, refusing is kinder."""
    queue_bytes: int = 128 * 1024 * 1024
    """What the waiting events hold in memory: four of the largest calls."""
    queue_age: timedelta = timedelta(seconds=30)
    """How long the oldest may wait: by then most callers have given up."""
    sql: timedelta = timedelta(seconds=1)
    """Of one statement of `sql.exec`: nothing else runs on the loop meanwhile."""
    result_bytes: int = 64 * 1024 * 1024
    """Of the rows of one statement, which a cursor holds in memory: 300,000 rows of some columns."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(field.default, timedelta):
                _check(field.name, value, timedelta, timedelta(0), "timedelta(seconds=30)")
            else:
                _check(field.name, value, int, 0, "10_000")


def _check(name: str, value: Any, wanted: type, zero: Any, example: str) -> None:
    if not isinstance(value, wanted) or isinstance(value, bool):
        raise WrongType(
            what=f"Limits.{name} must be of type {wanted.__name__}, not {type(value).__name__}",
            next_step=f"write {name}={example}",
        )
    if not zero < value:
        raise WrongValue(what=f"Limits.{name} must be positive, not {value}", next_step="leave it out for the default")
