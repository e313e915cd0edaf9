"""What an object is to hold, of another one: as that is now, or was at a place of its past.

Must stay true: the other object is only read, at one moment, and serves on; what is taken is whole units. Memory does not
grow with the object. See tests/host/test_fork.py.
"""

from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

import apsw

from perdure.core.page_change import PAGE_BYTES, changed_page, database_bytes
from perdure.host.contents import KEYS, Contents, scratch_database
from perdure.store.page_id import page_ids, place_of
from perdure.store.reader import Reader
from perdure.store.snapshot import ObjectSnapshot
from perdure.store.undo_reading import Past, WayBack, read_past

_CREATE_KEYS = f"CREATE TABLE {KEYS}(key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID"
_SET = f"INSERT OR REPLACE INTO {KEYS} VALUES(?, ?)"
_DELETE = f"DELETE FROM {KEYS} WHERE key = ?"
_ROWS = "SELECT key, value FROM kv WHERE generation = ?"
_PAGES = "SELECT id, body FROM page WHERE id BETWEEN ? AND ?"


def contents_of_object(connection: apsw.Connection, object: bytes, scratch: Path) -> Contents | None:
    """As it is in this read transaction; None if it stores nothing, or is on its way back to an earlier state.

    Blocks. scratch: an empty folder.
    """
    stored = ObjectSnapshot(connection, object)
    if stored.record is None or stored.restores:
        return None
    pages = ((number, stored.page(number)) for number in range(stored.database_pages))
    contents = Contents(scratch / "keys.db", scratch / "tables.db")
    with closing(_new_keys(contents.keys)) as keys, _new_file(scratch / "tables.db") as tables:
        _fill(keys, tables, stored.rows(), pages)
        return _ended(contents, keys, tables)


def contents_at(connection: apsw.Connection, object: bytes, place: int, scratch: Path) -> Contents | None:
    """As it was at that place, which is kept; None if it stored nothing then. What it wrote since is applied.

    What there is now is copied, and the copy goes back as the object itself would.
    """
    reader = Reader(connection)
    past = read_past(reader, object, place) or Past(changed=False)
    record = past.record if past.changed else reader.record(object)
    if record is None:
        return None
    rows = connection.cursor().execute(_ROWS, (record.generation,))
    stored = connection.cursor().execute(_PAGES, page_ids(record.generation))
    contents = Contents(scratch / "keys.db", scratch / "tables.db")
    with closing(_new_keys(contents.keys)) as keys, _new_file(scratch / "tables.db") as tables:
        _fill(keys, tables, rows, ((place_of(id)[1], body) for id, body in stored))
        way = WayBack(past)
        while (slice := way.next_slice(reader)) is not None:
            keys.execute("BEGIN")
            keys.executemany(_SET, ((key, value) for key, value in slice.rows.items() if value is not None))
            keys.executemany(_DELETE, ((key,) for key, value in slice.rows.items() if value is None))
            keys.execute("COMMIT")
            for number, change in slice.pages.items():
                _write_pages(tables, [(number, changed_page(_read(tables, number), [change]))])
        return _ended(contents, keys, tables)


def _new_keys(path: Path) -> apsw.Connection:
    keys = scratch_database(path)
    keys.execute(_CREATE_KEYS)
    return keys


def _new_file(path: Path) -> BinaryIO:
    return path.open("x+b")


def _fill(
    keys: apsw.Connection,
    tables: BinaryIO,
    rows: Iterable[tuple[str, bytes]],
    pages: Iterable[tuple[int, bytes | None]],
) -> None:
    keys.execute("BEGIN")
    keys.executemany(_SET, rows)
    keys.execute("COMMIT")
    _write_pages(tables, pages)


def _write_pages(tables: BinaryIO, pages: Iterable[tuple[int, bytes | None]]) -> None:
    for number, page in pages:
        if page is not None:  # one that is not there is a hole, and reads as zeros
            tables.seek(number * PAGE_BYTES)
            tables.write(page)


def _read(tables: BinaryIO, number: int) -> bytes | None:
    tables.seek(number * PAGE_BYTES)
    return tables.read(PAGE_BYTES) or None


def _ended(contents: Contents, keys: apsw.Connection, tables: BinaryIO) -> Contents:
    """Beyond the end of a database, which its first page tells, anything may stand."""
    tables.truncate(database_bytes(_read(tables, 0)))
    tables.flush()
    return contents
