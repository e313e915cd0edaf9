"""SQL over what an object has stored, without its code.

Must stay true: nothing is written unless that was asked for; a statement sees whole units alone, and is told once they are
durable; an object that is in memory is written through its gate. See tests/host/test_inspection.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from typing import Any

from perdure.core.clock import Clock
from perdure.core.entry import Entry
from perdure.core.page_change import database_bytes
from perdure.host.inspection_event import in_turn
from perdure.host.inspection_place import Found, Place, until_durable
from perdure.model.errors import SqlError, WrongValue
from perdure.objects.instance import Instance
from perdure.objects.sql.connection import Bindings, Result
from perdure.objects.sql.database import Database
from perdure.objects.sql.pool import SqlPool
from perdure.objects.storage.storage import Storage
from perdure.store.interface import StoredObject

RESULT_BYTES_MAX = 16 * 1024 * 1024
"""Of the rows of one statement: they are copied twice on their way to a terminal."""

QUERY_BYTES_MAX = 1024 * 1024
"""Of the rows of a query that are told at once; the rest follows in further parts."""

SECONDS_MAX_BESIDE_OBJECTS = 1.0
"""What a statement may take of the loop that serves, as of `Limits.sql`; of a folder that nobody serves it may take all."""

_TABLES = (
    "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'virtual')"
    " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\'"
    " AND name NOT LIKE '\\_perdure\\_%' ESCAPE '\\' ORDER BY name"
)


class StoredSql:
    """The databases of objects as the store has them."""

    def __init__(self, clock: Clock, *, serving: bool) -> None:
        """serving: objects run on this loop, which no statement may hold for long."""
        self._clock = clock
        self._pool = SqlPool(now_ms=clock.now_ms)
        self._seconds_max = SECONDS_MAX_BESIDE_OBJECTS if serving else inf

    async def run(self, found: Found, statement: str, *, write: bool) -> dict[str, Any]:
        if write:
            result = await self._write(found, statement)
        else:
            result = await self.read(found, statement, ())
        return {"columns": result.names, "rows": result.rows, "written": result.written}

    async def read(self, found: Found, statement: str, bindings: Bindings) -> Result:
        """bindings: of the last of the statements."""
        with self._database(found.place, found.record.generation, found.label) as database:
            result = self._read(database, statement, bindings)
        await until_durable(found.place.store, found.id.raw, found.place.store.read_position)
        return result

    async def tables(self, found: Found) -> list[dict[str, Any]]:
        """The tables of an object, and how many rows they have; None where that takes too long, of one or of all before."""
        with self._database(found.place, found.record.generation, found.label) as database:
            names: list[str] = [name for (name,) in database.own(_TABLES)]
        tables: list[dict[str, Any]] = []
        left_s = self._seconds_max
        for name in names:
            began = self._pool.monotonic()
            rows = self._count(found, name, self._seconds_max / 20) if left_s > 0 else None
            tables.append({"name": name, "rows": rows})
            left_s -= self._pool.monotonic() - began
            await asyncio.sleep(0)  # others on the loop go on
        return tables

    def _count(self, found: Found, table: str, seconds_max: float) -> int | None:
        quoted = table.replace('"', '""')
        # Opened anew: meanwhile the object may have been written.
        with self._database(found.place, found.record.generation, found.label) as database:
            try:
                rows = database.exec(f'SELECT count(*) FROM "{quoted}"', (), seconds_max=seconds_max).rows
            except SqlError:
                return None
        count: int = rows[0][0]
        return count

    async def query(self, place: Place, statement: str, objects: Any, rows_max: int) -> dict[str, Any]:
        """The first rows of many objects, and the last object that was asked, None if that were all."""
        columns: tuple[str, ...] | None = None
        rows: list[tuple[Any, ...]] = []
        left_out: list[dict[str, Any]] = []
        last: StoredObject | None = None
        size = 0
        async for stored in objects:
            record = place.store.record(stored.object)
            if record is None or not database_bytes(place.store.page(record.generation, 0)):
                continue
            label = place.label(stored.object, record.name)
            try:
                with self._database(place, record.generation, label) as database:
                    result = self._read(database, statement)
            except SqlError as error:
                left_out.append({"name": record.name, "id": stored.object.hex(), "error": f"{error.what}: {error.why}"})
            else:
                columns = columns or ("name", "id", *result.names)
                rows += [(record.name, stored.object.hex(), *row) for row in result.rows]
                size += sum(len(value) if isinstance(value, str | bytes) else 8 for row in result.rows for value in row)
            last = stored
            if len(rows) >= rows_max or size > QUERY_BYTES_MAX or len(left_out) >= 100:
                break
            await asyncio.sleep(0)  # others on the loop go on
        else:
            last = None
        await until_durable(place.store, b"", place.store.read_position)
        return {"columns": columns, "rows": rows[:rows_max], "left_out": left_out, "last": last}

    def _read(self, database: Database, statement: str, bindings: Bindings = ()) -> Result:
        database.own("PRAGMA query_only = 1")
        try:
            return database.exec(statement, bindings, seconds_max=self._seconds_max, bytes_max=RESULT_BYTES_MAX)
        except SqlError as error:
            if error.sqlite_code.startswith("SQLITE_READONLY"):
                error.why = "the statement would write, and was only to read"
                error.next_step = "give --write if it is to change the object; in Python, call a method of it"
            raise

    async def _write(self, found: Found, statement: str) -> Result:
        place, object = found.place, found.id.raw

        def work(instance: Instance | None) -> Result:
            if instance is not None:
                return _run_inside(instance, statement)
            record = place.store.record(object)
            if record is None:
                raise WrongValue(what=f"{found.label} was deleted a moment ago")
            with self._database(place, record.generation, found.label) as database:
                result = database.exec(statement, (), seconds_max=self._seconds_max, bytes_max=RESULT_BYTES_MAX)
                pages = database.take_changes()
            if pages is not None:
                place.append(Entry(object, self._clock.now_ms(), record.generation, {}, pages=pages))
            return result

        result: Result = await in_turn(place, found.id, "perdure objects sql", work)
        await until_durable(place.store, object, place.store.read_position)
        return result

    @contextmanager
    def _database(self, place: Place, generation: int, label: str) -> Iterator[Database]:
        database = Database(label, lambda number: place.store.page(generation, number), self._pool)
        try:
            yield database
        finally:
            database.close()

    def close(self) -> None:
        self._pool.close()


def _run_inside(instance: Instance, statement: str) -> Result:
    cursor = Storage(instance).sql.exec(statement)
    return Result(cursor.column_names, list(cursor.raw()), cursor.rows_written)
