"""Alarms as an operator sees them: those that are to come, those that were given up, and what can be done about them.

Must stay true: an alarm is never run early, and none is lost because another one was tried again. See
tests/host/test_inspection.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from perdure.core.clock import Clock
from perdure.core.entry import Alarm, AlarmChange, DeadAlarm, Entry
from perdure.core.instant import instant
from perdure.host.inspection_event import in_turn
from perdure.host.inspection_place import Found, Place, until_durable
from perdure.model.errors import WrongValue
from perdure.objects.instance import Instance
from perdure.store.interface import by_due_time

Json = dict[str, Any]


def moment(ms: int) -> str:
    """As programs read it: ISO 8601, UTC, with milliseconds."""
    return instant(ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def list_alarms(places: Sequence[Place], *, dead: bool, limit: int) -> Json:
    found: list[Json] = []
    for place in places:
        wanted = limit + 1 - len(found)
        if wanted <= 0:
            break
        found += await (_given_up(place, wanted) if dead else _pending(place, wanted))
    return {"alarms": found[:limit], "more": len(found) > limit}


async def _pending(place: Place, limit: int) -> list[Json]:
    rows = sorted(place.store.alarms((0, b""), limit), key=by_due_time)
    shown = [
        {**_whose(place, object), "alarm": moment(alarm.at_ms), "due": moment(alarm.due_ms)}
        | {"retries": alarm.retries, "error": alarm.error}
        for object, alarm in rows
    ]
    await until_durable(place.store, b"", place.store.read_position)
    return shown


async def _given_up(place: Place, limit: int) -> list[Json]:
    return [
        {**_whose(place, object), "alarm": moment(dead.at_ms), "given_up": moment(dead.died_ms)}
        | {"retries": dead.retries, "error": dead.error}
        for object, dead in await place.store.dead_alarms((b"", 0), limit)
    ]


def _whose(place: Place, object: bytes) -> Json:
    record = place.store.record(object)
    return {"class": place.class_name, "name": None if record is None else record.name, "id": object.hex()}


async def _dead_of(found: Found) -> list[DeadAlarm]:
    """Those of one object; there are few."""
    rows = await found.place.store.dead_alarms((found.id.raw, -1), DEAD_OF_ONE_MAX)
    return [dead for object, dead in rows if object == found.id.raw]


DEAD_OF_ONE_MAX = 1_000
"""Alarms of one object that were given up and that are counted: each has been retried for about ten minutes before."""


async def retry_alarm(found: Found, *, dead: bool, clock: Clock) -> Json:
    """Makes it due now, with all its retries before it."""
    if dead:
        buried = await _dead_of(found)
        if not buried:
            raise _nothing(found, "no alarm that was given up", "perdure alarms list --dead")
        at_ms = buried[-1].at_ms

        def revived(alarm: Alarm | None) -> AlarmChange:
            if alarm is not None:
                raise WrongValue(
                    what=f"{found.label} has another alarm, at {moment(alarm.at_ms)}",
                    why="an object has one alarm, and to retry the one that was given up would replace it",
                    next_step="wait until it has run, or forget the one that was given up: perdure alarms drop --dead",
                )
            return AlarmChange(Alarm(at_ms, clock.now_ms()), buries=True)

        await _change(found, revived, clock)
    else:
        at_ms = await _hurry(found, clock)
    return found.as_object() | {"alarm": moment(at_ms)}


async def _hurry(found: Found, clock: Clock) -> int:
    hurried: list[int] = []

    def due_now(alarm: Alarm | None) -> AlarmChange:
        if alarm is None:
            raise _nothing(found, "no alarm", "perdure alarms list; --dead is for those that were given up")
        if not alarm.streak:
            raise WrongValue(
                what=f"the alarm of {found.label} has not failed",
                why=f"it is due at {moment(alarm.due_ms)}, and an alarm is never run early",
                next_step="wait for it, or drop it: perdure alarms drop",
            )
        hurried.append(alarm.at_ms)
        return AlarmChange(Alarm(alarm.at_ms, clock.now_ms(), alarm.retries, alarm.streak, alarm.error))

    await _change(found, due_now, clock)
    return hurried[0]


async def drop_alarm(found: Found, *, dead: bool, clock: Clock) -> Json:
    if dead:
        dropped = len(await _dead_of(found))
        if not dropped:
            raise _nothing(found, "no alarm that was given up", "perdure alarms list --dead")
        await _change(found, lambda alarm: AlarmChange(alarm, buries=True), clock)
        return found.as_object() | {"dropped": dropped}

    def deleted(alarm: Alarm | None) -> AlarmChange:
        if alarm is None:
            raise _nothing(found, "no alarm", "perdure alarms list; --dead is for those that were given up")
        return AlarmChange(None)

    await _change(found, deleted, clock)
    return found.as_object() | {"dropped": 1}


async def _change(found: Found, change: Callable[[Alarm | None], AlarmChange], clock: Clock) -> None:
    """change: from the alarm that there is to what becomes of it."""
    place, object = found.place, found.id.raw

    def work(instance: Instance | None) -> None:
        if instance is not None:
            if instance.rows.record is None:
                raise _deleted(found)
            instance.rows.change_alarm(change(instance.rows.alarm()))
            return
        record = place.store.record(object)
        if record is None:
            raise _deleted(found)
        place.append(Entry(object, clock.now_ms(), record.generation, {}, alarm=change(place.store.alarm(object))))

    await in_turn(place, found.id, "perdure alarms", work)
    await until_durable(place.store, object, place.store.read_position)


def _nothing(found: Found, what: str, next_step: str) -> WrongValue:
    return WrongValue(what=f"{found.label} has {what}", next_step=f"see which there are: {next_step}")


def _deleted(found: Found) -> WrongValue:
    return WrongValue(what=f"{found.label} was deleted a moment ago")
