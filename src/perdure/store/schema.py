"""The tables of `store.db`, their version, and the refusal of versions this program does not know.

Anyone can open the file with any SQLite tool. A file of a newer format is refused before anything in it is changed,
naming the Perdure that wrote it. See tests/store/test_format.py.
"""

from pathlib import Path

import apsw

from perdure.model.errors import StoreBroken, StoreTooNew
from perdure.store.connection import transaction
from perdure.store.crash_point import At, CrashPoint

FORMAT = 2
"""Goes up with every change that an older Perdure would misread."""

TO_COME = (1 << 63) - 1
"""Later than every place."""

# log: groups not yet applied, id = position * 65536 + part.  kv: keys are text, which SQLite orders by UTF-8 bytes.
# page: pages of objects' SQL databases, id = generation * 16777216 + number.
# alarm: the one that an object has; dead_alarm: those that were given up.  object.alarm_ms: of format 1, always NULL.
# retired: generations whose rows nobody reads, being swept.  kept: those that their object left, at which place, and those
# that are to be an object's, at TO_COME.
# A place is position * 65536 + the number of the object's pin in that group, 65535 for the group's end.
# undo_mark: what changed of an object after the place `since` up to `until`, in rows and pages of which generations, and its
# record and alarm at `since`.  undo_row, undo_page: what rows and pages were at `since`; of pages the blocks that changed.
# undo_pin: places of bookmarks.  undo_size: how much there is, as the last pass found it.
# restoring: objects that go back to a place when they start.
# meta: written_by, position (applied), applying (where the batch ends that is, or was, being applied), generation (highest
# given), undo_from and undo_from_ms (nobody can go back to before that place, that time), undo_measured, undo_minutes and
# undo_hours (how far passes over the past have come).
STORE_TABLES = (
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID",
    "CREATE TABLE log(id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT",
    "CREATE TABLE kv(generation INTEGER NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL,"
    " PRIMARY KEY(generation, key)) STRICT, WITHOUT ROWID",
    "CREATE TABLE page(id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT",
    "CREATE TABLE object(id BLOB PRIMARY KEY, generation INTEGER NOT NULL, name TEXT, created_ms INTEGER NOT NULL,"
    " written_ms INTEGER NOT NULL, alarm_ms INTEGER) STRICT, WITHOUT ROWID",
    "CREATE INDEX object_name ON object(name, id)",
    "CREATE TABLE alarm(object BLOB PRIMARY KEY, at_ms INTEGER NOT NULL, due_ms INTEGER NOT NULL, retries INTEGER NOT NULL,"
    " streak INTEGER NOT NULL, error TEXT) STRICT, WITHOUT ROWID",
    "CREATE INDEX alarm_due ON alarm(due_ms, object)",
    "CREATE TABLE dead_alarm(object BLOB NOT NULL, at_ms INTEGER NOT NULL, died_ms INTEGER NOT NULL, retries INTEGER NOT NULL,"
    " error TEXT, PRIMARY KEY(object, at_ms)) STRICT, WITHOUT ROWID",
    "CREATE TABLE retired(generation INTEGER PRIMARY KEY) STRICT",
    "CREATE TABLE kept(generation INTEGER PRIMARY KEY, place INTEGER NOT NULL, bytes INTEGER) STRICT",
    "CREATE TABLE undo_mark(object BLOB NOT NULL, since INTEGER NOT NULL, until INTEGER NOT NULL, time_ms INTEGER NOT NULL,"
    " generations TEXT NOT NULL, generation INTEGER, name TEXT, created_ms INTEGER, at_ms INTEGER, due_ms INTEGER,"
    " retries INTEGER, streak INTEGER, error TEXT, PRIMARY KEY(object, since)) STRICT, WITHOUT ROWID",
    "CREATE INDEX undo_mark_since ON undo_mark(since)",
    "CREATE TABLE undo_row(since INTEGER NOT NULL, generation INTEGER NOT NULL, key TEXT NOT NULL, value BLOB,"
    " PRIMARY KEY(since, generation, key)) STRICT, WITHOUT ROWID",
    "CREATE TABLE undo_page(since INTEGER NOT NULL, id INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY(since, id)) STRICT,"
    " WITHOUT ROWID",
    "CREATE TABLE undo_pin(object BLOB NOT NULL, place INTEGER NOT NULL, time_ms INTEGER NOT NULL,"
    " PRIMARY KEY(object, place)) STRICT, WITHOUT ROWID",
    "CREATE TABLE undo_size(since INTEGER PRIMARY KEY, bytes INTEGER NOT NULL) STRICT",
    "CREATE TABLE restoring(object BLOB PRIMARY KEY, place INTEGER NOT NULL) STRICT, WITHOUT ROWID",
)

CATALOG_TABLES = (
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID",
    "CREATE TABLE namespace(id TEXT PRIMARY KEY, worker TEXT NOT NULL, class TEXT NOT NULL, unique_key TEXT NOT NULL,"
    " created_ms INTEGER NOT NULL, UNIQUE(worker, class)) STRICT, WITHOUT ROWID",
    "CREATE TABLE migration(worker TEXT PRIMARY KEY, tag TEXT) STRICT, WITHOUT ROWID",
)


def ensure_schema(connection: apsw.Connection, path: Path, tables: tuple[str, ...], *, written_by: str, at: At) -> None:
    """Makes the tables in an empty database; refuses a database that is newer, or something else altogether."""
    version = connection.pragma("user_version")
    if version > FORMAT:
        raise _too_new(connection, path, version)
    if not version:
        _refuse_foreign(connection, path)
        connection.pragma("journal_mode", "wal")
    missing = _missing(connection, tables)
    if version == FORMAT and not missing:
        return
    with transaction(connection, at, CrashPoint.BEFORE_SCHEMA_COMMIT, CrashPoint.AFTER_SCHEMA_COMMIT):
        for statement in missing:
            connection.execute(statement)
        if version != FORMAT:
            connection.execute("INSERT OR REPLACE INTO meta VALUES('written_by', ?)", (written_by,))
            connection.pragma("user_version", FORMAT)


def _missing(connection: apsw.Connection, tables: tuple[str, ...]) -> list[str]:
    """What an earlier Perdure did not have: every format so far is the one before it and more tables."""
    there = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    return [statement for statement in tables if statement.split()[2].partition("(")[0] not in there]


def _refuse_foreign(connection: apsw.Connection, path: Path) -> None:
    if connection.execute("SELECT count(*) FROM sqlite_schema").get:
        raise StoreBroken(
            what=f"{path.name} is not a Perdure database",
            where=str(path),
            why="it has tables, and nothing that says which version wrote it",
            next_step="move the file away, or open another folder",
        )


def _too_new(connection: apsw.Connection, path: Path, version: int) -> StoreTooNew:
    try:
        written_by = str(connection.execute("SELECT value FROM meta WHERE key = 'written_by'").get)
    except apsw.Error:
        written_by = "an unknown version"
    return StoreTooNew(
        what=f"{path.name} was written by a newer Perdure ({written_by})",
        where=str(path),
        why=f"its format is {version}, this program knows up to {FORMAT}",
        next_step="run that version or a later one, or open another folder; nothing was changed",
        written_by=written_by,
    )
