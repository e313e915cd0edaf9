"""What an operator does with an object's past: names a moment of it, takes the object there, deletes it with a way back.

Must stay true: the bookmark that undoes it is of everything that was acknowledged until then; a live object is reset and starts
only when it is there. See tests/host/test_restore.py.
"""

from datetime import datetime
from typing import Any

from perdure.core.clock import Clock
from perdure.core.entry import AlarmChange, Entry, ObjectRecord
from perdure.core.instant import milliseconds_of
from perdure.host.inspection_alarms import moment
from perdure.host.inspection_event import in_turn
from perdure.host.inspection_place import Found, Place, Places, no_object, until_durable
from perdure.host.inspection_request import RestoreObject
from perdure.model.errors import PerdureError, WrongValue
from perdure.model.object_id import ObjectId
from perdure.objects.instance import Instance
from perdure.objects.storage.bookmarks import (
    HOW_LONG_KEPT,
    NOT_KEPT,
    NotThisObjects,
    bookmark_place,
    bookmark_text,
    is_bookmark,
    no_bookmark,
)

Json = dict[str, Any]

_EXAMPLES = "give a bookmark, or a time like 2026-12-01T09:30Z or 2026-12-01T10:30+01:00"


async def restore_object(places: Places, request: RestoreObject, clock: Clock) -> Json:
    """Takes it back; there when this returns. Raises WrongValue for a moment that is not kept, and what the store raises."""
    place = await places.of_class(request.class_name)
    id = place.id_of(request.object)
    store, object = place.store, id.raw
    at = await place_of_moment(place, id, request.at, clock)
    if await store.record_at(object, at) is None:
        now = store.record(object)
        if now is None:
            raise await no_object(place, request.object, then=True)
        if not is_bookmark(request.at):
            raise _not_made_yet(place.label(object, id.name), request.at, now)

    def go_back(instance: Instance | None) -> str:
        if not store.place_kept(at):
            raise no_bookmark(request.at, *NOT_KEPT, where=place.label(object, id.name))
        if instance is not None:
            return bookmark_text(object, instance.rows.pin(restore=at))
        record = store.record(object)
        generation = 0 if record is None else record.generation
        place.append(Entry(object, clock.now_ms(), generation, {}, pin=True, restore=at))
        return bookmark_text(object, store.pinned_place(object))

    bookmark = await in_turn(place, id, "perdure objects restore", go_back, ends_instance=True)
    await until_durable(store, object, store.read_position)
    try:
        await store.restore(object)
    except PerdureError as error:
        error.next_step = f"it goes on when the object starts next; the bookmark that undoes it: {bookmark}"
        raise
    record = store.record(object)
    name = id.name if record is None else record.name
    return {"class": place.class_name, "name": name, "id": id.hex, "bookmark": bookmark, "exists": record is not None}


async def delete_object(found: Found, clock: Clock) -> Json:
    """All that it stored, its alarms too."""
    place, object = found.place, found.id.raw

    def delete(instance: Instance | None) -> str:
        if instance is not None:
            rows = instance.rows
            bookmark = bookmark_text(object, rows.pin())
            rows.delete_all()
            rows.open_unit().alarm = AlarmChange(None, buries=True)
            rows.seal()
            return bookmark
        record = place.store.record(object)
        if record is None:
            raise WrongValue(what=f"{found.label} was deleted a moment ago")
        now_ms, generation = clock.now_ms(), record.generation
        place.store.append(Entry(object, now_ms, generation, {}, pin=True))
        bookmark = bookmark_text(object, place.store.pinned_place(object))
        change = AlarmChange(None, buries=True)
        place.append(Entry(object, now_ms, 0, {}, removed=True, retires=generation, alarm=change))
        return bookmark

    bookmark = await in_turn(place, found.id, "perdure objects delete", delete, ends_instance=True)
    await until_durable(place.store, object, place.store.read_position)
    return found.as_object() | {"bookmark": bookmark}


async def place_of_moment(place: Place, id: ObjectId, at: str, clock: Clock) -> int:
    """Where that is in the object's past. Raises WrongValue unless it is a moment of it that is kept."""
    where = place.label(id.raw, id.name)
    if is_bookmark(at):
        try:
            named = bookmark_place(id.raw, at)
        except NotThisObjects as error:
            raise no_bookmark(at, error.why, "give one that this very object gave", where=where) from None
        if not place.store.place_kept(named):
            raise no_bookmark(at, *NOT_KEPT, where=where)
        return named
    at_ms = _time_of(at, where)
    if at_ms > clock.now_ms():
        raise WrongValue(
            what=f"{at!r:.60} is to come",
            where=where,
            next_step=f"its now is {moment(clock.now_ms())}; give a time before",
        )
    found = await place.store.place_at(id.raw, at_ms)
    if found is None:
        raise WrongValue(
            what=f"of {at!r:.60} nothing is kept any more",
            where=where,
            why=HOW_LONG_KEPT,
            next_step="give a later time",
        )
    return found


def _not_made_yet(label: str, at: str, now: ObjectRecord) -> WrongValue:
    # To go there would be to delete it. A bookmark of then was taken for that very purpose; a time is easily mistyped.
    return WrongValue(
        what=f"{label} stored nothing at {at!r:.60}, as closely as is kept",
        why=f"it was made at {moment(now.created_ms)}",
        next_step="give a later time; if it is to store nothing again: perdure objects delete",
    )


def _time_of(text: str, where: str) -> int:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise WrongValue(
            what=f"{text!r:.60} is neither a bookmark nor a time",
            where=where,
            why="a bookmark is 8-8-8-32 hexadecimal digits",
            next_step=_EXAMPLES,
        ) from None
    if time.utcoffset() is None:
        raise WrongValue(
            what=f"{text!r:.60} has no time zone",
            where=where,
            why="it is another moment on every machine",
            next_step=_EXAMPLES,
        )
    try:
        return milliseconds_of(time)
    except (ValueError, OverflowError):
        raise WrongValue(
            what=f"{text!r:.60} is no time that there is a past of", where=where, next_step=_EXAMPLES
        ) from None
