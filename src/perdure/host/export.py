"""One object as a file that `sqlite3` opens: its SQL tables as they are, and its keys in a table of their own.

Must stay true: the file is what the object stored at one moment, also while another process serves it; it is there whole or
not at all; neither more memory than a few pages and one value is taken, nor anything written to the store. See
tests/host/test_export.py.
"""

import json
import os
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw

from perdure.core.page_change import PAGE_BYTES
from perdure.host.contents import KEYS, Progress
from perdure.host.stored_object import StoredClass
from perdure.model.errors import StoreBroken, ValueMismatch, WrongValue
from perdure.model.object_id import ObjectId
from perdure.model.value import decode
from perdure.store.file_system import checksummed_file_system
from perdure.store.log import DamagedLog
from perdure.store.new_file import new_file
from perdure.store.snapshot import ObjectSnapshot, read_only
from perdure.store.trouble import cannot_write, could_not_be_written

_CREATE_KEYS = f"CREATE TABLE {KEYS}(key TEXT PRIMARY KEY, value BLOB, json TEXT)"

# Pages between two looks at the progress.
_STEP_PAGES = 1_024

# Pages written at once: one by one they take as long again as reading them.
_BUFFER_BYTES = 1024 * 1024


def export_object(
    of: StoredClass, id: ObjectId, file: Path, *, force: bool, progress: Progress = lambda *_: None
) -> None:
    """Writes the object to `file`, which is on disk when this returns.

    force: a file of that name is replaced. Raises WrongValue if there is one otherwise, also one that came meanwhile, if the
    object stores nothing, or if it has to start first; StorageFull if there is no room; StoreBroken if what it stored cannot be
    read.
    """
    if not of.database.exists():  # nobody has opened the class yet
        raise _stores_nothing(of, id)
    try:
        with new_file(file, replace=force) as made, read_only(of.database, checksummed_file_system()) as connection:
            write_object(readable(ObjectSnapshot(connection, id.raw), of, id), made, progress)
    except OSError as error:
        raise cannot_write(file, error) from error
    except (apsw.Error, DamagedLog) as error:
        if isinstance(error, apsw.Error) and could_not_be_written(error):
            raise cannot_write(file, error) from error
        raise StoreBroken(
            what=f"object {id.hex} of {of.row.class_name} cannot be exported",
            where=str(of.database),
            why=f"{type(error).__name__}: {error}",
            next_step="perdure doctor says what is damaged",
        ) from error


def readable(stored: ObjectSnapshot, of: StoredClass, id: ObjectId) -> ObjectSnapshot:
    """What it is given. Raises WrongValue if there is nothing to export, or if the object has to start first."""
    if stored.restores:
        raise WrongValue(
            what=f"{of.row.class_name} {_named(id)} goes back to an earlier state when it starts next",
            where=str(of.database),
            why="until then what is stored is neither the one nor the other",
            next_step="call it once, then export it",
        )
    if stored.record is None:
        raise _stores_nothing(of, id)
    return stored


def _stores_nothing(of: StoredClass, id: ObjectId) -> WrongValue:
    return WrongValue(
        what=f"{of.row.class_name} {_named(id)} stores nothing",
        where=str(of.database),
        next_step="perdure objects list shows those that do",
    )


def _named(id: ObjectId) -> str:
    return id.hex if id.name is None else repr(id.name)


def write_object(stored: ObjectSnapshot, part: Path, progress: Progress = lambda *_: None) -> None:
    """Makes the file, which is not there yet; its contents are on disk when this returns."""
    pages = stored.database_pages
    with part.open("xb", buffering=_BUFFER_BYTES) as out:
        for number, page in enumerate(stored.pages()):
            out.write(page)
            if number % _STEP_PAGES == 0:
                progress(number * PAGE_BYTES, pages * PAGE_BYTES)
    with closing(apsw.Connection(str(part))) as connection:
        _write_keys(stored, connection)
    with part.open("rb") as written:
        os.fsync(written.fileno())
    progress(pages * PAGE_BYTES, pages * PAGE_BYTES)


def _write_keys(stored: ObjectSnapshot, connection: apsw.Connection) -> None:
    # Nobody else has this file yet: if anything fails it is deleted.
    connection.pragma("trusted_schema", False)
    connection.pragma("journal_mode", "off")
    connection.pragma("synchronous", "off")
    if not connection.execute("SELECT count(*) FROM sqlite_schema").get:
        connection.pragma("page_size", PAGE_BYTES)
    connection.execute("BEGIN")
    connection.execute(_CREATE_KEYS)
    rows = ((key, value, _as_json(value)) for key, value in stored.rows())
    connection.executemany(f"INSERT INTO {KEYS} VALUES(?, ?, ?)", rows)
    connection.execute("COMMIT")


def _as_json(value: bytes) -> str | None:
    """To look at; what is no JSON, or is damaged, has its bytes alone."""
    try:
        shown: Any = decode(value)
        return json.dumps(shown, ensure_ascii=False, allow_nan=False)
    except (ValueMismatch, TypeError, ValueError, RecursionError):
        return None
