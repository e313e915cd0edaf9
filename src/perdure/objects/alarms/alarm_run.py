"""One run of an object's alarm: an event like any other, whose end decides what becomes of the alarm.

Must stay true: what the handler wrote last and the end of its alarm are one unit, so that a run is not forgotten and its
work kept, or the other way round; an alarm that anybody set or deleted during the run is left as they made it; a run that is
cut off is tried again. See tests/objects/test_alarms.py.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol

from perdure.core.alarm_policy import after_failed_run, after_lost_run
from perdure.core.entry import Alarm, AlarmChange
from perdure.core.instant import instant
from perdure.model.errors import StorageBroken, TimeLimitExceeded
from perdure.objects.alarms.alarm_info import AlarmInfo
from perdure.objects.event import Event
from perdure.objects.member import CURRENT

if TYPE_CHECKING:
    from perdure.objects.instance import Instance

Handler = Callable[[object, AlarmInfo], Any]
"""Calls the class's `alarm` on an instance of it."""


class Runs(Protocol):
    """Who started the run, and hears of its end."""

    handler: Handler

    def jitter(self) -> float: ...
    def ended(self, object: bytes) -> None: ...
    def cut_off(self, run: AlarmRun, error: BaseException) -> None: ...


class AlarmRun(Event):
    """The event that wakes an object because its alarm is due."""

    __slots__ = ("_runs", "alarm", "dropped", "object")

    size_bytes = 100

    def __init__(self, object: bytes, runs: Runs) -> None:
        super().__init__()
        self.object = object
        self.alarm: Alarm | None = None
        """The one that runs; None until the handler has been called."""
        self.dropped = False
        """Its code said that it is not to be tried again, whatever happens."""
        self._runs = runs

    @property
    def what(self) -> str:
        return "alarm()"

    def run(self, target: object) -> Awaitable[None] | None:
        member = CURRENT.get()
        assert member is not None, "an alarm ran outside of a step"
        instance = member.instance
        alarm = instance.rows.alarm()
        if alarm is None or alarm.due_ms > instance.home.clock.now_ms():
            return None  # deleted or put off while it waited for its turn
        self.alarm = alarm
        return self._run(target, instance, alarm)

    async def _run(self, target: object, instance: Instance, alarm: Alarm) -> None:
        rows = instance.rows
        limit_s = instance.home.limits.alarm.total_seconds()
        deadline = instance.home.clock.call_later(
            limit_s, lambda: instance.break_with(_took_too_long(instance, limit_s))
        )
        rows.alarm_run = self
        change: AlarmChange | None = AlarmChange(None)
        try:
            result = self._runs.handler(target, AlarmInfo(instant(alarm.at_ms), alarm.retries, alarm.retries > 0))
            if inspect.isawaitable(result):
                await result
        except Exception as error:
            change = self._after(error, instance, alarm)
        finally:
            deadline.cancel()
            rows.alarm_run = None
        if change is not None and rows.alarm() is alarm:
            rows.change_alarm(change)

    def _after(self, error: Exception, instance: Instance, alarm: Alarm) -> AlarmChange | None:
        home = instance.home
        if instance.rows.alarm() is not alarm:
            home.report("alarm() failed; another alarm was set or it was deleted meanwhile", instance.id, error)
            return None
        now_ms, text, jitter = home.clock.now_ms(), f"{type(error).__name__}: {error}", self._runs.jitter()
        if isinstance(error, StorageBroken):
            lost = after_lost_run(alarm, text, now_ms=now_ms, jitter=jitter)  # its code could not help it
            home.report(
                f"alarm() failed; it is tried again in {(lost.due_ms - now_ms) / 1000:.1f} s", instance.id, error
            )
            return AlarmChange(lost)
        after = after_failed_run(alarm, text, now_ms=now_ms, retries_max=home.limits.alarm_retries, jitter=jitter)
        if isinstance(after, Alarm):
            in_s = (after.due_ms - now_ms) / 1000
            home.report(f"alarm() failed; retry {after.retries} follows in {in_s:.1f} s", instance.id, error)
            return AlarmChange(after)
        home.report(f"alarm() failed for the last time, after {after.retries} retries; given up", instance.id, error)
        return AlarmChange(None, after)

    def pack(self, result: Any) -> None:
        """Nothing leaves but the fact that it has ended."""

    def resolve(self, packed: None) -> None:
        self._runs.ended(self.object)

    def reject(self, error: BaseException) -> None:
        self._runs.cut_off(self, error)


def _took_too_long(instance: Instance, limit_s: float) -> TimeLimitExceeded:
    return TimeLimitExceeded(
        what=f"alarm() took longer than {limit_s:g} s, so the object was reset",
        where=instance.label,
        why="a handler that never ends would hold its object in memory for ever; the run counts as failed",
        next_step="do the work in parts, each with an alarm of its own, or raise `limits = Limits(alarm=...)`",
    )
