"""What operators ask of a data folder, answered from its stores: which objects there are, what is in them, what they wait for.

Must stay true: everything that was acknowledged before a question is in its answer, and nothing that could still vanish; to
look wakes no object and makes none; a write passes the gate of an object that is in memory. See tests/host/test_inspection.py.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Mapping
from typing import Any

import msgspec

from perdure.core.clock import Clock
from perdure.core.key_range import KeyRange
from perdure.core.page_change import database_bytes
from perdure.host.contents import Progress
from perdure.host.inspection_alarms import drop_alarm, list_alarms, moment, retry_alarm
from perdure.host.inspection_contents import MadeObjects
from perdure.host.inspection_past import delete_object, restore_object
from perdure.host.inspection_place import Found, Place, Places, until_durable
from perdure.host.inspection_request import (
    DeleteObject,
    DropAlarm,
    ForkObject,
    ImportFile,
    ListAlarms,
    ListObjects,
    Query,
    Request,
    RestoreObject,
    RetryAlarm,
    RunSql,
    ShowObject,
)
from perdure.host.inspection_sql import StoredSql
from perdure.model.errors import WrongValue
from perdure.objects.residents import Residents
from perdure.objects.sql.connection import Bindings
from perdure.store.data_folder import DataFolder
from perdure.store.interface import StoredObject

Json = dict[str, Any]

KEYS_SHOWN_MAX = 1_000
_KEYS_AT_ONCE = 16
"""Read with their values, of up to 2 MiB each."""


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """Where a listing goes on: after that object."""

    namespace: str
    name: str | None
    object: bytes

    @staticmethod
    def after(place: Place, stored: StoredObject) -> str:
        packed = msgspec.msgpack.encode(Cursor(place.row.id, stored.name, stored.object))
        return base64.urlsafe_b64encode(packed).decode().rstrip("=")

    @staticmethod
    def of_text(text: str) -> Cursor:
        try:
            packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            return msgspec.msgpack.decode(packed, type=Cursor)
        except (binascii.Error, ValueError, msgspec.DecodeError):
            raise WrongValue(
                what=f"{text!r:.100} is no cursor", next_step="pass what the page before gave as `cursor`, whole"
            ) from None

    @property
    def place(self) -> str | bytes:
        return self.object if self.name is None else self.name


class Inspection:
    """Answers requests about one open folder."""

    def __init__(
        self,
        folder: DataFolder,
        clock: Clock,
        *,
        worker: str | None = None,
        residents: Mapping[str, Residents] | None = None,
    ) -> None:
        """residents: the live objects of the Worker `worker`, by class; None if this process runs none."""
        self._places = Places(folder, worker, residents or {})
        self._clock = clock
        self._sql = StoredSql(clock, serving=residents is not None)
        self._made = MadeObjects(folder.path, self._places, clock)

    async def answer(self, request: Request, progress: Progress = lambda *_: None) -> Json:
        """As the request's class says. Raises WrongValue for what is not there, SqlError, and what a store raises.

        progress: told, of what takes long, how many bytes are done, of about how many.
        """
        match request:
            case ListObjects():
                return await self._list(request)
            case ShowObject():
                return await self._show(await self._places.object(request.class_name, request.object))
            case RunSql():
                found = await self._places.object(request.class_name, request.object)
                return await self._sql.run(found, request.statement, write=request.write)
            case DeleteObject():
                return await delete_object(await self._places.object(request.class_name, request.object), self._clock)
            case RestoreObject():
                return await restore_object(self._places, request, self._clock)
            case ForkObject():
                return await self._made.fork(request, progress)
            case ImportFile():
                return await self._made.import_file(request, progress)
            case ListAlarms():
                return await list_alarms(await self._places.all(), dead=request.dead, limit=request.limit)
            case RetryAlarm():
                found = await self._places.object(request.class_name, request.object)
                return await retry_alarm(found, dead=request.dead, clock=self._clock)
            case DropAlarm():
                found = await self._places.object(request.class_name, request.object)
                return await drop_alarm(found, dead=request.dead, clock=self._clock)
            case Query():
                return await self._query(request)

    async def read(
        self, class_name: str, object: str, statement: str, bindings: Bindings
    ) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """Columns and rows of the last of the statements, which has the bindings. Raises as `RunSql`."""
        result = await self._sql.read(await self._places.object(class_name, object), statement, bindings)
        return result.names, result.rows

    async def close(self) -> None:
        """Before the folder is closed: an import or fork that is under way ends, and the object is what it was."""
        await self._made.close()
        self._sql.close()

    # Objects

    async def _list(self, request: ListObjects) -> Json:
        places = (
            await self._places.all()
            if request.class_name is None
            else [await self._places.of_class(request.class_name)]
        )
        after: str | bytes | None = None
        if request.after is not None:
            cursor = Cursor.of_text(request.after)
            numbers = [number for number, place in enumerate(places) if place.row.id == cursor.namespace]
            if not numbers:
                raise WrongValue(
                    what="the cursor is of another class", next_step="use it with the same class as the page before"
                )
            places, after = places[numbers[0] :], cursor.place
        objects: list[Json] = []
        last: str | None = None
        for place in places:
            async for stored in place.objects(request.like, after):
                if len(objects) >= request.limit:
                    return {"objects": objects, "cursor": last}
                objects.append(_described(place, stored))
                last = Cursor.after(place, stored)
            after = None
        return {"objects": objects, "cursor": None}

    async def _show(self, found: Found) -> Json:
        place, object = found.place, found.id.raw
        await until_durable(place.store, object, place.store.read_position)
        shown = [_described(place, stored) for stored in await _row_of(found) if stored.object == object]
        if not shown:
            raise WrongValue(what=f"{found.label} was deleted a moment ago")
        keys, more = await self._keys(found)
        has_database = database_bytes(place.store.page(found.record.generation, 0)) > 0
        tables = await self._sql.tables(found) if has_database else []
        await until_durable(place.store, object, place.store.read_position)
        return shown[0] | {"keys": keys, "keys_left_out": more, "tables": tables}

    async def _keys(self, found: Found) -> tuple[list[Json], bool]:
        keys: list[Json] = []
        after: str | None = None
        while True:
            page = found.place.store.scan(found.record.generation, KeyRange.of(start_after=after, limit=_KEYS_AT_ONCE))
            keys += [{"key": key, "bytes": len(key.encode()) + len(value)} for key, value in page]
            if len(page) < _KEYS_AT_ONCE or len(keys) > KEYS_SHOWN_MAX:
                return keys[:KEYS_SHOWN_MAX], len(keys) > KEYS_SHOWN_MAX
            after = page[-1][0]
            await asyncio.sleep(0)  # others on the loop go on

    # SQL

    async def _query(self, request: Query) -> Json:
        place = await self._places.of_class(request.class_name)
        after = None if request.after is None else Cursor.of_text(request.after).place
        found = await self._sql.query(place, request.statement, place.objects(request.like, after), request.limit)
        last: StoredObject | None = found.pop("last")
        return found | {"cursor": None if last is None else Cursor.after(place, last)}


def _described(place: Place, stored: StoredObject) -> Json:
    return {
        "class": place.class_name,
        "name": stored.name,
        "id": stored.object.hex(),
        "created": moment(stored.created_ms),
        "last_written": moment(stored.written_ms),
        "bytes": stored.size_bytes,
        "alarm": None if stored.alarm_ms is None else moment(stored.alarm_ms),
        "sockets": 0,
        "state": "stored" if place.live(stored.object) is None else "live",
    }


async def _row_of(found: Found) -> list[StoredObject]:
    """The page of the registry that begins with it."""
    store, name = found.place.store, found.record.name
    if name is not None:
        return await store.objects(prefix=name, limit=1)  # nothing that begins with a name comes before it
    before = int.from_bytes(found.id.raw, "big") - 1
    return await store.objects(after=max(before, 0).to_bytes(len(found.id.raw), "big"), limit=1)
