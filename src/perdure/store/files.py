"""A store's database on disk: opened and recovered, or opened anew after the disk has failed.

When `open_files` returns, the tables hold every group that was ever acknowledged and the log is empty. Recovery is
SQLite's own, then apply of what is in the log. All of this blocks, so it runs as a job. See
tests/store/test_recovery.py.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import apsw

from perdure.core.layers import Group
from perdure.core.retention import Retention
from perdure.model.errors import PerdureError, StoreBroken
from perdure.store.bounds import (
    BACKGROUND_CACHE_KIB,
    BATCH_BYTES_MAX,
    READER_CACHE_KIB,
    WRITER_BUSY_MS,
    WRITER_CACHE_KIB,
)
from perdure.store.connection import close_untouched, open_connection, transaction
from perdure.store.crash_point import At, CrashPoint
from perdure.store.file_system import make_log_durable
from perdure.store.log import UNAPPLIED, DamagedLog, LogCodec, first_id, position_of
from perdure.store.reader import Reader
from perdure.store.schema import STORE_TABLES, TO_COME, ensure_schema
from perdure.store.writer import Writer

DATABASE = "store.db"

_NEWEST = "SELECT max(id) FROM log"
_META = "SELECT value FROM meta WHERE key = ?"
_RESTORING = "SELECT EXISTS (SELECT 1 FROM restoring)"
_UNFINISHED = f"SELECT generation FROM kept WHERE place = {TO_COME}"
_SWEEP = "INSERT OR IGNORE INTO retired VALUES(?)"
_FORGET = "DELETE FROM kept WHERE generation = ?"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a store is and with what it is opened; enough to open it again."""

    folder: Path
    file_system: str
    written_by: str
    at: At
    monotonic: Callable[[], float]
    """Seconds, for the length of slices; called on the thread of the job."""
    retention: Retention | None = None
    """What the store keeps of the past from now on; None: what it was last told."""

    @property
    def database(self) -> Path:
        return self.folder / DATABASE


@dataclass(slots=True)
class Files:
    """The three connections of an open store."""

    writer: Writer
    reader: Reader
    background: Reader
    position: int
    """Every group up to here is in the tables."""
    generation: int
    """The highest that was ever used."""
    retired: int | None
    """A generation to sweep."""
    undo_from: int
    """The place before which nobody can go back."""
    restoring: bool
    """There are objects that go back to an earlier state when they start."""


def open_files(place: Place, *, woken: bool = False) -> Files:
    """Opens the store, recovering what a crash left. Raises StoreTooNew, or StoreBroken naming the folder.

    woken: this process had it open before, so what it has begun goes on.
    """
    try:
        return _opened(place, woken=woken)
    except (apsw.Error, DamagedLog, OSError) as error:
        raise cannot_open(place, error) from error


def reopen_files(place: Place, durable: int) -> Files:
    """Opens the store anew after trouble with the disk: groups after `durable` failed and must not come back.

    They are deleted with a sync, what is durable is applied, and a checkpoint rewrites the pages that the operating
    system may have dropped after it reported the error. What somebody reads meanwhile it leaves to a later one: until
    then those pages are in the log, which was written anew. Raises StoreBroken if the disk does not play along.
    """
    try:
        return _opened(place, woken=True, unconfirmed_after=durable)
    except (apsw.Error, DamagedLog, OSError) as error:
        raise cannot_open(place, error) from error


def _opened(place: Place, *, woken: bool, unconfirmed_after: int | None = None) -> Files:
    path, at = place.database, place.at
    opened: list[Callable[[], None]] = []

    try:
        make_log_durable(path, place.file_system)
        connection = open_connection(path, place.file_system, cache_kib=WRITER_CACHE_KIB, busy_ms=WRITER_BUSY_MS)
        opened.append(partial(close_untouched, connection))
        ensure_schema(connection, path, STORE_TABLES, written_by=place.written_by, at=at)
        writer = Writer(connection, at, place.monotonic, place.retention)
        if unconfirmed_after is not None:
            _forget_unconfirmed(connection, unconfirmed_after, at)
        recover(writer)
        if not woken:
            _sweep_unfinished(connection, at)
        if unconfirmed_after is not None:
            _checkpoint_nowait(connection)
        reader = open_reader(place)
        opened.append(partial(close_untouched, reader.connection))
        return Files(
            writer,
            reader,
            open_background(place),
            position=_meta(connection, "position"),
            generation=_meta(connection, "generation"),
            retired=writer.retired(),
            undo_from=_meta(connection, "undo_from"),
            restoring=bool(connection.execute(_RESTORING).get),
        )
    except BaseException:
        close_all(*reversed(opened))
        raise


def open_reader(place: Place) -> Reader:
    """A connection for the loop's thread, which waits for nobody."""
    return Reader(open_connection(place.database, place.file_system, cache_kib=READER_CACHE_KIB))


def open_background(place: Place) -> Reader:
    """A connection for another thread: reads that may be slow, and checkpoints."""
    return Reader(
        open_connection(place.database, place.file_system, cache_kib=BACKGROUND_CACHE_KIB, busy_ms=WRITER_BUSY_MS)
    )


def recover(writer: Writer) -> None:
    """Applies every group in the log. Raises DamagedLog, having changed nothing, if one is not what was written."""
    groups: list[Group] = []
    size = 0
    # Decoded whole before the first write: half a log applied would hide the damage in the other half.
    for group in LogCodec().groups(writer.connection.execute(UNAPPLIED)):
        groups.append(group)
    batch: list[Group] = []
    # What was half applied is applied again at least as far: its undo is right for that batch and for no shorter one.
    applying = _meta(writer.connection, "applying")
    for group in groups:
        batch.append(group)
        size += group.size_bytes
        if size >= BATCH_BYTES_MAX and group.position >= applying:
            _apply(writer, batch)
            batch, size = [], 0
    if batch:
        _apply(writer, batch)


def _apply(writer: Writer, groups: list[Group]) -> None:
    writer.begin_apply(groups)
    while writer.apply_slice() is None:
        pass


def _forget_unconfirmed(connection: apsw.Connection, durable: int, at: At) -> None:
    newest = connection.execute(_NEWEST).get
    if newest is not None and position_of(newest) > durable:
        with transaction(connection, at, CrashPoint.BEFORE_FENCE, CrashPoint.AFTER_FENCE):
            connection.execute("DELETE FROM log WHERE id >= ?", (first_id(durable + 1),))


def _checkpoint_nowait(connection: apsw.Connection) -> None:
    """Copies what it may and empties the log if nobody reads it; a backup may read for minutes, so it waits for nobody."""
    connection.set_busy_timeout(0)
    try:
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    except apsw.BusyError:
        pass  # SQLite counts pages as copied only after a sync that succeeded: the next checkpoint copies the others again.
    finally:
        connection.set_busy_timeout(WRITER_BUSY_MS)


def _sweep_unfinished(connection: apsw.Connection, at: At) -> None:
    """Generations that were to be an object's, and whose maker has gone."""
    unfinished = connection.execute(_UNFINISHED).fetchall()
    if unfinished:
        with transaction(connection, at, CrashPoint.BEFORE_SWEEP, CrashPoint.AFTER_SWEEP):
            connection.executemany(_SWEEP, unfinished)
            connection.executemany(_FORGET, unfinished)


def _meta(connection: apsw.Connection, key: str) -> int:
    return connection.execute(_META, (key,)).get or 0


def cannot_open(place: Place, error: BaseException) -> PerdureError:
    """What everybody who wants this store is told."""
    return StoreBroken(
        what="the store of one namespace cannot be opened",
        where=str(place.folder),
        why=f"{type(error).__name__}: {error}",
        next_step="check the disk and the file's permissions; other namespaces serve on",
    )


def close_all(*closers: Callable[[], None]) -> None:
    """Calls every one of them, then raises the first error."""
    errors: list[BaseException] = []
    for close in closers:
        try:
            close()
        except BaseException as error:  # the others must be closed all the same; the first error is raised below
            errors.append(error)
    if errors:
        raise errors[0]
