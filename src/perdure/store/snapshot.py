"""One store as it was at one moment: a read transaction over the tables, and over them what its log holds.

Must stay true: what is read is exactly what a recovery at that moment would make, whatever is written, applied and swept
meanwhile, by this process or another. Nothing is written, and no lock of the folder is taken: an entry that is durable is in
the file, so what was acknowledged before is seen. See tests/host/test_export.py.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from heapq import merge
from pathlib import Path
from typing import Any

import apsw

from perdure.core.entry import Entry, ObjectRecord
from perdure.core.layers import Group
from perdure.core.page_change import PAGE_BYTES, changed_page, database_bytes
from perdure.model.errors import StoreBroken, StoreTooNew
from perdure.store.bounds import BACKGROUND_CACHE_KIB, WRITER_BUSY_MS
from perdure.store.connection import begin_reading, close_untouched
from perdure.store.log import UNAPPLIED, LogCodec
from perdure.store.page_id import page_id
from perdure.store.schema import FORMAT

_ROWS = "SELECT key, value FROM kv WHERE generation = ? ORDER BY key"
_PAGE = "SELECT body FROM page WHERE id = ?"
_PAGES = "SELECT id, body FROM page WHERE id BETWEEN ? AND ? ORDER BY id"
_ZEROS = bytes(PAGE_BYTES)
_RECORD = "SELECT generation, name, created_ms FROM object WHERE id = ?"
_RESTORING = "SELECT EXISTS (SELECT 1 FROM restoring WHERE object = ?)"


@contextmanager
def read_only(database: Path, file_system: str) -> Iterator[apsw.Connection]:
    """A connection that changes nothing, in a read transaction of now. The file is there, of this process or of another.

    Raises StoreTooNew and StoreBroken; apsw.Error if it cannot be opened, or is no database.
    """
    connection = open_read_only(database, file_system)
    try:
        yield connection
    finally:
        close_untouched(connection)


def open_read_only(database: Path, file_system: str) -> apsw.Connection:
    """The same, to be closed by `close_untouched`."""
    # Not SQLite's own read-only: the index of the write-ahead log has to be made where a crash left none.
    connection = apsw.Connection(str(database), vfs=file_system, flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        connection.set_busy_timeout(WRITER_BUSY_MS)
        connection.pragma("cache_size", -BACKGROUND_CACHE_KIB)
        connection.pragma("trusted_schema", False)
        connection.pragma("query_only", True)
        begin_reading(connection)
        _check_format(connection, database)
    except BaseException:
        close_untouched(connection)
        raise
    return connection


def holds_nothing(connection: apsw.Connection) -> bool:
    """Whether nobody has opened the database to the end yet: its tables are being made, or their making was cut off."""
    return not connection.pragma("user_version") and not connection.execute("SELECT count(*) FROM sqlite_schema").get


def groups_of(connection: apsw.Connection) -> list[Group]:
    """What is in the log, oldest first. Raises DamagedLog if it is not what was written."""
    return list(_groups(connection))


def _groups(connection: apsw.Connection) -> Iterator[Group]:
    return LogCodec().groups(connection.execute(UNAPPLIED))


class ObjectSnapshot:
    """What one object stored, through a connection in a read transaction."""

    def __init__(self, connection: apsw.Connection, object: bytes, entries: Sequence[Entry] | None = None) -> None:
        """entries: the object's in the log; without them it is read. Raises DamagedLog if it is not what was written."""
        self.object = object
        self._connection = connection
        if entries is None:
            entries = [entry for group in _groups(connection) for entry in group.entries if entry.object == object]
        self.record = self._newest_record(entries)
        """None: it stores nothing."""
        self.restores = self._newest_restores(entries)
        """It goes back to an earlier state before it starts, and may have come a part of the way."""
        self._rows: dict[str, bytes | None] = {}
        self._pages: dict[int, list[bytes]] = {}
        for entry in entries:
            if self.record is not None and entry.generation == self.record.generation:
                self._rows.update(entry.rows)
                for number, change in (entry.pages or {}).items():
                    self._pages.setdefault(number, []).append(change)

    def _newest_record(self, entries: Sequence[Entry]) -> ObjectRecord | None:
        for entry in reversed(entries):
            if entry.record is not None or entry.removed:
                return entry.record
        found: list[Any] = self._connection.execute(_RECORD, (self.object,)).fetchall()
        return ObjectRecord(*found[0]) if found else None

    def _newest_restores(self, entries: Sequence[Entry]) -> bool:
        for entry in reversed(entries):
            if entry.restore is not None:
                return entry.restore != 0
        # A store that was last open in an earlier Perdure has no such table yet.
        has = self._connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'restoring'").get
        return bool(has and self._connection.execute(_RESTORING, (self.object,)).get)

    def rows(self) -> Iterator[tuple[str, bytes]]:
        """Its keys, in order of their UTF-8 bytes, with the values as they are stored."""
        if self.record is None:
            return
        cursor = self._connection.cursor()
        try:
            stored = cursor.execute(_ROWS, (self.record.generation,))
            unchanged = (row for row in stored if row[0] not in self._rows)
            changed = ((key, value) for key, value in sorted(self._rows.items()) if value is not None)
            yield from merge(unchanged, changed, key=_by_key)
        finally:
            cursor.close()

    def page(self, number: int) -> bytes | None:
        """A page of its SQL database, by its number from 0 on."""
        if self.record is None:
            return None
        stored = self._connection.execute(_PAGE, (page_id(self.record.generation, number),)).get
        return changed_page(stored, self._pages.get(number, ()))

    def pages(self) -> Iterator[bytes]:
        """Those of its SQL database in their order, read as they lie in the store."""
        count = self.database_pages
        if self.record is None or not count:
            return
        expected = first = page_id(self.record.generation, 0)
        changes = self._pages
        cursor = self._connection.cursor()
        try:
            for id, body in cursor.execute(_PAGES, (first, first + count - 1)):
                for missing in range(expected, id):
                    yield self._page_of(None, missing - first)
                expected = id + 1
                yield self._page_of(body, id - first) if changes else body
            for missing in range(expected, first + count):
                yield self._page_of(None, missing - first)
        finally:
            cursor.close()

    def _page_of(self, stored: bytes | None, number: int) -> bytes:
        return changed_page(stored, self._pages.get(number, ())) or _ZEROS

    @property
    def database_pages(self) -> int:
        """How many its SQL database has; 0 if it has none."""
        return database_bytes(self.page(0)) // PAGE_BYTES


def _check_format(connection: apsw.Connection, database: Path) -> None:
    version = connection.pragma("user_version")
    if not version:
        raise StoreBroken(
            what=f"{database.name} is not a Perdure database",
            where=str(database),
            why="nothing in it says which version wrote it",
            next_step="give the folder that `perdure dev` or perdure.open() made",
        )
    if version > FORMAT:
        written_by = str(connection.execute("SELECT value FROM meta WHERE key = 'written_by'").get)
        raise StoreTooNew(
            what=f"{database.name} was written by a newer Perdure ({written_by})",
            where=str(database),
            why=f"its format is {version}, this program knows up to {FORMAT}",
            next_step="run that version or a later one",
            written_by=written_by,
        )


def _by_key(row: tuple[str, Any]) -> str:
    return row[0]
