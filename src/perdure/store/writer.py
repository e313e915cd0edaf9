"""The writer: everything that changes `store.db`, one job at a time, on a committer thread.

A group is durable when `commit` returns; if it raises, nobody knows. Apply and sweep work between groups, at most a
slice at a time, and need no sync of their own: what power takes from them, the log brings back. See
tests/store/test_power_cut.py.
"""

from collections.abc import Callable, Iterator, Sequence

import apsw

from perdure.core.layers import Group
from perdure.core.retention import Retention
from perdure.store.applying import Applying
from perdure.store.bounds import SLICE_S, STEP_PAGES, STEP_ROWS
from perdure.store.connection import transaction, unsynced
from perdure.store.crash_point import At, CrashPoint
from perdure.store.log import LogCodec
from perdure.store.page_id import page_ids
from perdure.store.undo_keeping import UndoKeeping
from perdure.store.wal_room import WalRoom

_APPEND = "INSERT INTO log(id, body) VALUES(?, ?)"
_RETIRED = "SELECT generation FROM retired ORDER BY generation LIMIT 1"
_SWEEP = (
    "DELETE FROM kv WHERE generation = ?1 AND key IN"
    f" (SELECT key FROM kv WHERE generation = ?1 ORDER BY key LIMIT {STEP_ROWS})"
)
_SWEEP_PAGES = (
    f"DELETE FROM page WHERE id IN (SELECT id FROM page WHERE id BETWEEN ? AND ? ORDER BY id LIMIT {STEP_PAGES})"
)
_UNDO_FROM = "SELECT value FROM meta WHERE key = 'undo_from'"
_SWEPT = "DELETE FROM retired WHERE generation = ?"


class Writer:
    """The one writing connection of a store; used by one job at a time, on whichever thread runs it."""

    def __init__(
        self, connection: apsw.Connection, at: At, monotonic: Callable[[], float], retention: Retention | None = None
    ) -> None:
        """retention: what passes over the past keep; None: what the store was last told."""
        self.connection = connection
        self.wal_pages = 0
        """Pages in the write-ahead log after the last commit."""
        self._at = at
        self._monotonic = monotonic
        self._retention = retention
        self._room = WalRoom(connection)
        self._codec = LogCodec()
        self._cursor = connection.cursor()
        self.rows_written = 0
        """By apply, so far."""
        self.applying: Applying | None = None
        """The batch that is not wholly in the tables yet."""
        self._steps: Iterator[None] = iter(())
        self._forgetting: Iterator[None] | None = None
        connection.set_wal_hook(self._after_commit)

    def _after_commit(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        self.wal_pages = pages
        return apsw.SQLITE_OK

    def commit(self, group: Group) -> int:
        """Makes the group durable with one sync; gives the bytes it took in the log."""
        if self.wal_pages > self._room.pages:
            with transaction(self.connection, self._at, CrashPoint.BEFORE_WAL_GROWTH, CrashPoint.AFTER_WAL_GROWTH):
                self._room.extend(self.wal_pages)
        rows = self._codec.encode(group)
        switches = any(entry.retires is not None for entry in group.entries)
        self._pass(CrashPoint.BEFORE_GENERATION_SWITCH, switches)
        self._pass(CrashPoint.BEFORE_FENCE, group.fence)
        if len(rows) == 1:
            # A transaction of its own. By far the usual case, and each call to SQLite can lose the interpreter to
            # another thread for milliseconds.
            self._at(CrashPoint.BEFORE_LOG_COMMIT)
            self._cursor.execute(_APPEND, rows[0])
            self._at(CrashPoint.AFTER_LOG_COMMIT)
        else:
            points = CrashPoint.BEFORE_LOG_COMMIT, CrashPoint.AFTER_LOG_COMMIT
            with transaction(self.connection, self._at, *points):
                self._cursor.executemany(_APPEND, rows)
        self._pass(CrashPoint.AFTER_FENCE, group.fence)
        self._pass(CrashPoint.AFTER_GENERATION_SWITCH, switches)
        return sum(len(content) for _, content in rows)

    def _pass(self, point: CrashPoint, condition: bool) -> None:
        if condition:
            self._at(point)

    def begin_apply(self, groups: Sequence[Group]) -> None:
        """The groups, oldest first, that `apply_slice` writes from now on. Nothing is done yet."""
        self.applying = Applying(groups, self.connection)
        self._steps = self.applying.steps()

    def apply_slice(self, seconds_max: float = SLICE_S) -> int | None:
        """Goes on applying for about that long and commits; gives the position once all of it is in the tables.

        After an error the groups are still in the log: begin again.
        """
        applying = self.applying
        assert applying is not None, "apply_slice without begin_apply"
        self._at(CrashPoint.BEFORE_APPLY_BEGIN)
        before = applying.rows_written
        try:
            points = CrashPoint.BEFORE_APPLY_COMMIT, CrashPoint.AFTER_APPLY_COMMIT
            with unsynced(self.connection), transaction(self.connection, self._at, *points):
                finished = self._run_for(self._steps, seconds_max)
        except BaseException:
            self.applying = None
            raise
        self.rows_written += applying.rows_written - before
        if not finished:
            return None
        self.applying = None
        return applying.position

    def retired(self) -> int | None:
        """A generation that is waiting to be swept."""
        generation: int | None = self._cursor.execute(_RETIRED).get
        return generation

    def sweep_slice(self, generation: int, seconds_max: float = SLICE_S) -> tuple[bool, int]:
        """Deletes rows of a retired generation for about that long: (it is all gone, rows deleted)."""
        swept = Sweep(self.connection, generation)
        points = CrashPoint.BEFORE_SWEEP, CrashPoint.AFTER_SWEEP
        with unsynced(self.connection), transaction(self.connection, self._at, *points):
            finished = self._run_for(swept.steps(), seconds_max)
        return finished, swept.rows

    def forget_slice(self, now_ms: int, seconds_max: float = SLICE_S) -> tuple[bool, int]:
        """Goes on with a pass over the past for about that long: (it is at its end, nobody can go back to before there)."""
        if self._forgetting is None:
            self._forgetting = UndoKeeping(self.connection, now_ms, self._retention).steps()
        try:
            points = CrashPoint.BEFORE_FORGETTING, CrashPoint.AFTER_FORGETTING
            with unsynced(self.connection), transaction(self.connection, self._at, *points):
                finished = self._run_for(self._forgetting, seconds_max)
        except BaseException:
            self._forgetting = None
            raise
        if finished:
            self._forgetting = None
        return finished, self._cursor.execute(_UNDO_FROM).get or 0

    def _run_for(self, steps: Iterator[None], seconds_max: float) -> bool:
        """Takes steps until that much time has passed, at least one; True when there are no more."""
        ends = self._monotonic() + seconds_max
        return all(self._monotonic() < ends for _ in steps)

    def close(self) -> None:
        self.connection.close()


class Sweep:
    """Deletes the rows and pages of one generation in short steps, and last the note that it was to be swept."""

    def __init__(self, connection: apsw.Connection, generation: int) -> None:
        self.rows = 0
        self._connection = connection
        self._generation = generation

    def steps(self) -> Iterator[None]:
        yield from self._delete(_SWEEP, (self._generation,))
        yield from self._delete(_SWEEP_PAGES, page_ids(self._generation))
        self._connection.execute(_SWEPT, (self._generation,))

    def _delete(self, statement: str, bindings: tuple[int, ...]) -> Iterator[None]:
        while True:
            self._connection.execute(statement, bindings)
            if not (deleted := self._connection.changes()):
                return
            self.rows += deleted
            yield
