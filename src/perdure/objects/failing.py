"""Objects whose constructor failed: from the second failure in a row on, calls fail at once for a while (API-6).

What is kept of a failure holds neither the instance nor its frames. How long is decided in `core/back_off.py`; see
tests/objects/test_lifecycle.py.
"""

from dataclasses import dataclass
from datetime import timedelta

from perdure.core.back_off import delay_ms_after
from perdure.core.clock import Clock
from perdure.model.errors import ConstructorFailed, rebuilt

# A failure this long ago says nothing about the next attempt.
FORGOTTEN_AFTER_S = 60.0


@dataclass(slots=True)
class _Failure:
    in_a_row: int
    until: float
    error: ConstructorFailed


class Failing:
    """The objects of one class that fail to start."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures: dict[bytes, _Failure] = {}

    def __bool__(self) -> bool:
        return bool(self._failures)

    def note(self, object: bytes, error: ConstructorFailed) -> None:
        """Its constructor failed; `error.retry_after` says from now on when it runs again, None for at once."""
        before = self._failures.get(object)
        in_a_row = 1 if before is None else before.in_a_row + 1
        delay_ms = delay_ms_after(in_a_row)
        error.retry_after = timedelta(milliseconds=delay_ms) if delay_ms else None
        until = self._clock.monotonic() + delay_ms / 1000
        self._failures[object] = _Failure(in_a_row, until, _without_frames(error))

    def refusal(self, object: bytes) -> ConstructorFailed | None:
        """What a call gets while the object may not be tried again."""
        failure = self._failures.get(object)
        if failure is None:
            return None
        left_s = failure.until - self._clock.monotonic()
        if left_s <= 0:
            return None
        again = ConstructorFailed(
            what=failure.error.what,
            where=failure.error.where,
            why=f"it failed {failure.in_a_row} times in a row, so calls fail at once for a while",
            next_step=f"mend the cause; the constructor runs again in {left_s:.1f} s",
            retry_after=timedelta(seconds=left_s),
        )
        again.__cause__ = failure.error.__cause__
        return again

    def started(self, object: bytes) -> None:
        """Its constructor went through."""
        self._failures.pop(object, None)

    def forget_old(self, now: float) -> None:
        for object in [key for key, failure in self._failures.items() if now - failure.until > FORGOTTEN_AFTER_S]:
            del self._failures[object]


def _without_frames(error: ConstructorFailed) -> ConstructorFailed:
    """A copy to keep: the traceback of the cause holds the instance that failed, and all that it had read."""
    kept = ConstructorFailed(what=error.what, where=error.where, why=error.why, next_step=error.next_step)
    cause = error.__cause__
    if cause is not None:
        kept.__cause__ = rebuilt(type(cause), cause.args, dict(vars(cause)))
    return kept
