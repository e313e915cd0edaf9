"""How a connection to a database of ours is opened, and the one way to write in a transaction.

Every transaction names the crash points before and after its commit, so that none escapes the crash tests. NORMAL
locking: it costs 5 to 12 % against EXCLUSIVE, which would shut out every reader. See tests/store/test_crash_points.py.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from perdure.store.crash_point import At, CrashPoint
from perdure.store.file_system import RESERVED_BYTES

PAGE_BYTES = 4096

# What `PRAGMA synchronous` is set to: a commit waits for the disk.
SYNCHRONOUS = "full"

# A connection's share of SQLite's statement cache; the stores use about a dozen statements each.
_STATEMENTS_CACHED = 32


def open_connection(path: Path, file_system: str, *, cache_kib: int, busy_ms: int = 0) -> apsw.Connection:
    """Opens (or makes) a database with page checksums; every commit is on disk when it returns (synchronous=FULL)."""
    connection = apsw.Connection(str(path), vfs=file_system, statementcachesize=_STATEMENTS_CACHED)
    try:
        connection.set_busy_timeout(busy_ms)
        connection.reserve_bytes(reserve=RESERVED_BYTES)  # These two count for a new file only.
        connection.pragma("page_size", PAGE_BYTES)
        connection.pragma("cache_size", -cache_kib)
        connection.pragma("synchronous", SYNCHRONOUS)
        connection.pragma("wal_autocheckpoint", 0)
        connection.pragma("trusted_schema", False)
    except BaseException:
        connection.close(True)
        raise
    return connection


@contextmanager
def transaction(connection: apsw.Connection, at: At, before: CrashPoint, after: CrashPoint) -> Iterator[None]:
    """The block is written whole or not at all; `before` and `after` are passed around its commit."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        at(before)
        connection.execute("COMMIT")
    except BaseException:
        # SQLite ends the transaction by itself after some errors, a full disk among them.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    at(after)


@contextmanager
def unsynced(connection: apsw.Connection) -> Iterator[None]:
    """Commits in the block wait for no disk: for changes that the log repeats if a cut of power takes them back.

    They are still ordered: whatever is committed later is on disk only with them (the WAL is one chain), and a
    checkpoint syncs the WAL first.
    """
    connection.pragma("synchronous", "normal")
    try:
        yield
    finally:
        connection.pragma("synchronous", SYNCHRONOUS)


def close_untouched(connection: apsw.Connection) -> None:
    """Closes it without the checkpoint that SQLite would add: after trouble nothing is known to be a good base for one."""
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    connection.close()


def begin_reading(connection: apsw.Connection) -> None:
    """What is read from the first read on is of one moment, until the connection is closed."""
    connection.execute("BEGIN")


def keep_writers_out(connection: apsw.Connection) -> None:
    """Nobody, in any process, commits to this database until the connection is closed; nothing is written here."""
    connection.execute("BEGIN IMMEDIATE")
