"""What an object is to hold, of a file as `perdure objects export` writes it, or any `sqlite3` does.

Must stay true: the file is only read, and whatever it holds, nothing but an error comes of it before all of it was looked at. See
tests/host/test_import.py.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import apsw

from perdure.core.page_change import PAGE_BYTES
from perdure.host.contents import KEYS, Contents, has_keys, scratch_database
from perdure.model.errors import PerdureError, ValueMismatch, WrongValue
from perdure.model.limits import KEY_VALUE_BYTES_MAX
from perdure.model.value import decode
from perdure.objects.sql.bounds import DATABASE_PAGES_MAX, LIMITS
from perdure.objects.storage.keys import check_key

# Pages between two looks at the progress of a copy.
_STEP_PAGES = 4_096

_ROW_BYTES_MAX = LIMITS[apsw.SQLITE_LIMIT_LENGTH]

SCHEMA = "_perdure_schema"
"""The table of the steps of its `schema` that an object has taken."""

_SCHEMA_COLUMNS = [("number", "INTEGER", 1), ("step", "TEXT", 0)]

_OURS = (
    "SELECT name FROM sqlite_schema WHERE name LIKE '\\_perdure\\_%' ESCAPE '\\'"
    " AND NOT (type = 'table' AND name IN (?, ?)) LIMIT 1"
)
_STORED_TABLES = (
    "SELECT name FROM pragma_table_list"
    " WHERE schema = 'main' AND type IN ('table', 'shadow') AND name <> 'sqlite_schema'"
)
_STORED_COLUMNS = "SELECT name FROM pragma_table_xinfo(?) WHERE hidden IN (0, 3)"


def contents_of_file(file: Path, scratch: Path) -> Contents:
    """Blocks. scratch: an empty folder, on the disk that has to hold the object anyway.

    Raises WrongValue for what is no object.
    """
    try:
        contents = _separated(file, scratch)
        with closing(scratch_database(contents.keys)) as connection:
            if has_keys(connection):
                _check_rows(connection, file)
        if contents.tables is not None:
            _check_tables(contents.tables, file)
        return contents
    except (apsw.Error, OSError, UnicodeDecodeError) as error:
        raise WrongValue(
            what=f"{file.name} cannot be imported",
            where=str(file),
            why=f"{type(error).__name__}: {error}",
            next_step="give a file that sqlite3 opens, as perdure objects export writes them",
        ) from error


def _separated(file: Path, scratch: Path) -> Contents:
    """A copy of the whole file, and of its tables without the keys, in pages as an object has them."""
    keys, tables = scratch / "keys.db", scratch / "tables.db"
    if not file.is_file():
        # Also a pipe, which would not be opened until somebody writes to it.
        raise WrongValue(
            what=f"{file.name} cannot be imported",
            where=str(file),
            why="it is not a file" if file.exists() else "there is no such file for the process that is to read it",
            next_step="give a file that sqlite3 opens, as perdure objects export writes them",
        )
    with _opened(file) as source:
        source.execute("BEGIN")
        if not source.execute("SELECT count(*) FROM sqlite_schema").get and not file.stat().st_size:
            raise WrongValue(
                what=f"{file.name} is empty", where=str(file), next_step="give a file that sqlite3 has tables in"
            )
        with closing(scratch_database(keys)) as copy, copy.backup("main", source, "main") as backup:
            while not backup.done:
                backup.step(_STEP_PAGES)
    with closing(scratch_database(keys)) as copy:
        if copy.execute("SELECT count(*) FROM sqlite_schema WHERE name = ? AND type <> 'table'", (KEYS,)).get:
            raise WrongValue(
                what=f"{KEYS} of {file.name} is no table",
                where=str(file),
                next_step="drop it, or export the object anew",
            )
        _check_names(copy, file)
        with_keys = has_keys(copy)
        others = copy.execute("SELECT count(*) FROM sqlite_schema").get - with_keys
        # The index that its primary key has is no schema of the user's.
        others -= copy.execute("SELECT count(*) FROM sqlite_schema WHERE tbl_name = ? AND type = 'index'", (KEYS,)).get
        if not others:
            return Contents(keys, None)
        copy.reserve_bytes(reserve=0)
        copy.pragma("journal_mode", "delete")
        copy.pragma("page_size", PAGE_BYTES)
        if not with_keys:
            copy.execute("VACUUM INTO ?", (str(tables),))
            return Contents(keys, tables)
    _copy_without_keys(keys, tables)
    return Contents(keys, tables)


@contextmanager
def _opened(file: Path) -> Iterator[apsw.Connection]:
    """In a way that leaves nothing beside it. Whoever has a file in WAL mode open has its log beside it: without one,
    nobody has, and SQLite is told so, as it would make one to read it.
    """
    real = file.resolve()  # what SQLite calls its log by
    with real.open("rb") as header:
        is_wal = header.read(20)[18:] == b"\x02\x02"
    before, flags = real.stat(), apsw.SQLITE_OPEN_READONLY
    if not is_wal or real.with_name(real.name + "-wal").exists():
        with closing(apsw.Connection(str(file), flags=flags)) as connection:
            yield connection
        return
    uri = f"file:{quote(os.fsencode(real))}?immutable=1"
    with closing(apsw.Connection(uri, flags=flags | apsw.SQLITE_OPEN_URI)) as connection:
        yield connection
    after = real.stat()
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise WrongValue(
            what=f"{file.name} was written while it was read",
            where=str(file),
            next_step="try again when nobody writes it; nothing was changed",
        )


def _check_names(copy: apsw.Connection, file: Path) -> None:
    """Of tables, views and the like that begin as ours do: those that an object has, and no others."""
    wrong = copy.execute(_OURS, (KEYS, SCHEMA)).get
    if wrong is None and copy.execute("SELECT count(*) FROM sqlite_schema WHERE name = ?", (SCHEMA,)).get:
        columns = copy.execute("SELECT name, type, pk FROM pragma_table_xinfo(?)", (SCHEMA,)).fetchall()
        if (
            columns != _SCHEMA_COLUMNS
            or copy.execute(f"SELECT 1 FROM {SCHEMA} WHERE typeof(step) <> 'text'").fetchall()
        ):
            wrong = SCHEMA
    if wrong is not None:
        raise WrongValue(
            what=f"{wrong:.100} of {file.name} is not what an object has under such a name",
            where=str(file),
            why=f"names that begin with _perdure_ are Perdure's: the tables {KEYS} and {SCHEMA}, as an export writes them",
            next_step="rename or drop it; nothing was changed",
        )


def _check_tables(tables: Path, file: Path) -> None:
    """That the object can have as much, and read each row."""
    if tables.stat().st_size > DATABASE_PAGES_MAX * PAGE_BYTES:
        raise WrongValue(
            what=f"the tables of {file.name} are too large for an object",
            where=str(file),
            why=f"they have {tables.stat().st_size:,} bytes, and may have {DATABASE_PAGES_MAX * PAGE_BYTES:,}",
            next_step="divide them among several objects",
        )
    with closing(scratch_database(tables)) as connection:
        names: list[Any] = [name for (name,) in connection.execute(_STORED_TABLES)]
        for table in names:
            columns: list[Any] = [name for (name,) in connection.execute(_STORED_COLUMNS, (table,))]
            size = " + ".join(f"ifnull(octet_length({_quoted(name)}), 0)" for name in columns)
            longest = connection.execute(f"SELECT max({size}) FROM {_quoted(table)}").get if columns else None
            if longest is not None and longest > _ROW_BYTES_MAX:
                raise WrongValue(
                    what=f"a row of the table {table!r:.100} is too long for an object",
                    where=str(file),
                    why=f"it has {longest:,} bytes, and may have {_ROW_BYTES_MAX:,}",
                    next_step="divide what it holds among several rows; nothing was changed",
                )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _copy_without_keys(keys: Path, tables: Path) -> None:
    """The tables alone. Dropped from a copy and written anew: what the keys filled would stay as free pages."""
    dropped = keys.with_name("dropped.db")
    shutil.copyfile(keys, dropped)
    with closing(scratch_database(dropped)) as connection:
        connection.execute(f"DROP TABLE {KEYS}")
        connection.reserve_bytes(reserve=0)
        connection.pragma("page_size", PAGE_BYTES)
        connection.execute("VACUUM INTO ?", (str(tables),))
    dropped.unlink()


def _check_rows(connection: apsw.Connection, file: Path) -> None:
    for key, value in connection.execute(f"SELECT key, value FROM {KEYS}"):
        _check_row(key, value, file)
    twice = connection.execute(f"SELECT key FROM {KEYS} GROUP BY key HAVING count(*) > 1 LIMIT 1").get
    if twice is not None:
        raise WrongValue(
            what=f"{KEYS} has the key {twice!r:.100} twice",
            where=str(file),
            next_step="delete one of the rows: an object has one value for each key",
        )


def _check_row(key: Any, value: Any, file: Path) -> None:
    why = None
    if not isinstance(key, str) or not isinstance(value, bytes):
        why = "its key is no text, or its value no blob"
    elif len(key) + len(value) > KEY_VALUE_BYTES_MAX:
        why = f"it has more than {KEY_VALUE_BYTES_MAX:,} bytes"
    else:
        try:
            check_key(key, KEYS)
            decode(value)
        except PerdureError as error:
            why = error.what if not isinstance(error, ValueMismatch) else str(error)
    if why is not None:
        raise WrongValue(
            what=f"the row {key!r:.100} of {KEYS} is not a key with a value",
            where=str(file),
            why=why,
            next_step="values are those that an export wrote; nothing was changed",
        )
