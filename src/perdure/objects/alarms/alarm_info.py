"""What an `alarm` handler is told about its run. See tests/objects/test_alarms.py."""

from dataclasses import dataclass
from datetime import datetime

from perdure.core.instant import milliseconds_of


@dataclass(frozen=True, slots=True)
class AlarmInfo:
    """The argument of `alarm`."""

    scheduled_time: datetime
    """When it was to run, aware, in UTC; a retry has the time of the first run."""
    retry_count: int
    """How many runs of this alarm have failed: 0 at the first run. Failures of the store or the process do not count."""
    is_retry: bool
    """Whether it has failed before."""

    # Cloudflare's names

    @property
    def retryCount(self) -> int:
        return self.retry_count

    @property
    def isRetry(self) -> bool:
        return self.is_retry

    @property
    def scheduledTime(self) -> int:
        """In milliseconds since the Unix epoch."""
        return milliseconds_of(self.scheduled_time)
