"""`set_alarm`, `get_alarm`, `delete_alarm`: the one time at which an object wants to be woken.

Part of the unit, like everything that is stored; while its handler runs, the alarm that runs does not count as set (API-38).
See tests/objects/test_alarms.py.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from perdure.core.entry import Alarm, AlarmChange
from perdure.core.instant import instant, milliseconds_of
from perdure.model.errors import NaiveDatetime, NoHandler, WrongType, WrongValue
from perdure.objects.op import Op

if TYPE_CHECKING:
    from perdure.objects.instance import Instance

When = datetime | timedelta
"""An aware datetime, or a time from now."""

_FURTHEST_MS = milliseconds_of(datetime(9999, 12, 31, tzinfo=UTC))


class AlarmStorage:
    """The alarm of one object; a part of `Storage` and of `Transaction`."""

    __slots__ = ()

    _instance: Instance

    if TYPE_CHECKING:

        def _touch(self, what: str) -> None: ...  # Keyed's, which stands before this class in both

    def get_alarm(self) -> Op[datetime | None]:
        """When the object will be woken, aware, in UTC; None if it will not be, and while its own handler runs."""
        alarm = self._alarm("get_alarm()")
        return Op(None if alarm is None else instant(alarm.at_ms))

    def set_alarm(self, when: When, *, allow_unconfirmed: bool = False) -> Op[None]:
        """Wake this object then, by its `alarm` handler; replaces the alarm before. A time that has passed is now.

        when: an aware datetime, or a timedelta from now, to the millisecond. Raises WrongType for anything else,
        NaiveDatetime, and NoHandler if the class has no `alarm`.
        """
        self._touch("set_alarm()")
        self._set(self._milliseconds(when), confirmed=not allow_unconfirmed)
        return Op(None)

    def delete_alarm(self, *, allow_unconfirmed: bool = False) -> Op[None]:
        """Wake it no more. A handler that runs goes on, and is not tried again if it fails."""
        self._touch("delete_alarm()")
        rows = self._instance.rows
        if rows.alarm() is not None:
            rows.change_alarm(AlarmChange(None), confirmed=not allow_unconfirmed)
        return Op(None)

    def _alarm(self, what: str) -> Alarm | None:
        self._touch(what)
        rows = self._instance.rows
        alarm = rows.alarm()
        return None if rows.alarm_run is not None and alarm is rows.alarm_run.alarm else alarm

    def _set(self, at_ms: int, *, confirmed: bool) -> None:
        instance = self._instance
        if not (instance.home.has_alarm or instance.starting):
            raise NoHandler(
                what=f"{instance.home.class_name} has no alarm handler",
                where=instance.label,
                why="there would be nothing to wake it with",
                next_step="define `async def alarm(self, info)` in the class",
            )
        at_ms = max(at_ms, instance.home.clock.now_ms())
        if self._alarm("set_alarm()") != Alarm(at_ms, at_ms):
            instance.rows.change_alarm(AlarmChange(Alarm(at_ms, at_ms)), confirmed=confirmed)

    def _milliseconds(self, when: object) -> int:
        if isinstance(when, timedelta):
            at_ms = self._instance.home.clock.now_ms() - (-when // timedelta(milliseconds=1))
        elif not isinstance(when, datetime):
            raise WrongType(
                what=f"set_alarm() takes a datetime or a timedelta, not {type(when).__name__}",
                where=self._instance.label,
                why="a number could be seconds or milliseconds, from now or since 1970",
                next_step="for a minute from now write set_alarm(timedelta(seconds=60))",
            )
        elif when.utcoffset() is None:
            raise NaiveDatetime(
                what=f"set_alarm() was given a datetime without a time zone: {when.isoformat()}",
                where=self._instance.label,
                why="it is another moment on every machine",
                next_step="use `perdure.now() + timedelta(...)`, or datetime(..., tzinfo=UTC)",
            )
        else:
            at_ms = milliseconds_of(when)
        if at_ms > _FURTHEST_MS:
            raise WrongValue(
                what="set_alarm() was given a time beyond the year 9999",
                where=self._instance.label,
                why="no datetime could say it",
                next_step="set an earlier one, and in it the next",
            )
        return at_ms

    # Cloudflare's names, in milliseconds since the Unix epoch

    def getAlarm(self) -> Op[int | None]:
        """As `get_alarm`, in milliseconds since the Unix epoch."""
        alarm = self._alarm("getAlarm()")
        return Op(None if alarm is None else alarm.at_ms)

    def setAlarm(self, at: float | datetime, *, allow_unconfirmed: bool = False) -> Op[None]:
        """As `set_alarm`. at: milliseconds since the Unix epoch, or an aware datetime."""
        self._touch("setAlarm()")
        if isinstance(at, int | float) and not isinstance(at, bool):
            if not 0 < at <= _FURTHEST_MS:
                raise WrongType(
                    what=f"setAlarm() was given {at}, which is no time in milliseconds since 1970",
                    where=self._instance.label,
                    next_step="write setAlarm(Date.now() + 60_000), or set_alarm(timedelta(seconds=60))",
                )
            at_ms = -int(-at // 1)
        else:
            at_ms = self._milliseconds(at)
        self._set(at_ms, confirmed=not allow_unconfirmed)
        return Op(None)

    deleteAlarm: Any = delete_alarm
