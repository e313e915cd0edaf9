"""A moment as milliseconds since the Unix epoch, which is what is stored, and as an aware datetime in UTC, which people read.

See tests/core/test_instant.py.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


def milliseconds_of(moment: datetime) -> int:
    """moment: aware. Exact, and rounded up: what is to happen at it does not happen earlier."""
    return -((_EPOCH - moment) // _MILLISECOND)


def instant(milliseconds: int) -> datetime:
    """An aware datetime in UTC. Raises OverflowError beyond the year 9999."""
    return _EPOCH + timedelta(milliseconds=milliseconds)
