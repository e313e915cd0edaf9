"""An object's SQL database, driven through one connection: what its code runs, and what the runtime runs around it.

Must stay true, and each is left out by a planted fault that a test catches (tests/objects/sql/test_planted_faults.py):

1. The runtime's own statements are cached under no text that code can write: SQLite would hand it the prepared COMMIT.
2. Nothing enters while a statement runs: a finaliser inside a read of SQLite's would crash the process.
3. After every failed statement it is asked whether SQLite ended the transaction by itself; then the unit is lost.
4. What is written is private to the unit until a sealed entry carries it.
5. The connection is closed whenever the object is reset or its group failed: its cache holds what never was.
6. The loop alone opens and closes connections, and closes none that a thread has.
"""

from collections.abc import Iterable
from math import inf
from typing import Any, Protocol

import apsw

from perdure.core.page_change import PAGE_BYTES
from perdure.model.errors import PerdureError, ResultTooLarge, StorageBroken, StorageBusy
from perdure.model.limits import UNIT_BYTES_MAX
from perdure.objects.sql.authorizer import Authorizer
from perdure.objects.sql.bounds import PROGRESS_STEPS
from perdure.objects.sql.connection import BEGIN, COMMIT, Bindings, Connection, Result
from perdure.objects.sql.page_file import PageFile, StoredPage
from perdure.objects.sql.refused import Failed, explained
from perdure.objects.sql.statements import may_be_in_transaction, only_reads, statements_of


class Pool(Protocol):
    """Who opens connections, and closes those that were not used for long."""

    def connect(self, database: "Database", file: PageFile) -> apsw.Connection: ...
    def used(self, database: "Database") -> None: ...
    def closed(self, database: "Database") -> None: ...
    def monotonic(self) -> float:
        """Seconds of real time: what a statement takes of it is taken from everybody on the loop."""
        ...


class Database:
    """The database of one instance."""

    __slots__ = (
        "_authorizer",
        "_busy",
        "_closed",
        "_connection",
        "_deadline",
        "_file",
        "_lent",
        "_pool",
        "_savepoints",
        "_starts_inside",
        "_unit",
        "has_schema",
        "label",
        "lost",
    )

    def __init__(self, label: str, stored: StoredPage, pool: Pool) -> None:
        self.label = label
        """What errors call the object."""
        self._file = PageFile(stored, bytes_max=UNIT_BYTES_MAX)
        self._pool = pool
        self._authorizer = Authorizer()
        self._connection: Connection | None = None
        self._unit = False
        """A transaction of SQLite's is open."""
        self._savepoints = 0
        self._starts_inside = False
        """All that the unit wrote is in its outermost savepoint."""
        self._busy = False
        self._lent = False
        """To a thread: the loop neither uses nor closes the connection."""
        self._closed = False
        self._deadline = inf
        self.lost = False
        """What the unit wrote is gone: the instance knows of writes that never were."""
        self.has_schema = False
        """The steps of the class have been made, or found made, since the connection was opened."""

    # What code runs

    def exec(
        self,
        text: str,
        bindings: Bindings,
        *,
        depth: int = 0,
        seconds_max: float = inf,
        bytes_max: float = inf,
    ) -> Result:
        """Runs the statements of `text`, the last one with `bindings`; gives what that one gave.

        depth: how many savepoints are open around it. Raises SqlError and its kin; with `object_reset` the unit is lost.
        """
        self._enter()
        try:
            connection = self._connection or self._open()
            if ";" in text:
                *first, text = statements_of(text) or [""]
                for statement in first:
                    self._run(connection, statement, (), depth, seconds_max, bytes_max)
            return self._run(connection, text, bindings, depth, seconds_max, bytes_max)
        finally:
            self._leave()

    def _run(
        self, connection: Connection, text: str, bindings: Bindings, depth: int, seconds_max: float, bytes_max: float
    ) -> Result:
        if (depth or not self._unit) and not only_reads(text) and (depth or may_be_in_transaction(text)):
            self._begin(connection, depth)
        self._deadline = self._pool.monotonic() + seconds_max
        try:
            return connection.run(text, bindings, bytes_max)
        except Exception as error:
            failed = self._failed(connection, error, text, bindings)
            if failed is error:
                raise
            try:
                raise failed from None  # it says all that SQLite said
            finally:
                del failed  # its traceback holds this frame: no cycle is left behind
        finally:
            self._deadline = inf

    def exec_many(self, text: str, rows: Iterable[Bindings], *, depth: int = 0, seconds_max: float = inf) -> int:
        """Runs one statement for each of `rows`, all or none; gives how many rows of tables were written."""
        rows = list(rows)  # before anything is entered: an iterator may use the database itself
        self._enter()
        try:
            connection = self._connection or self._open()
            self._begin(connection, depth)
            connection.own("SAVEPOINT many")
            before = connection.raw.total_changes()
            self._deadline = self._pool.monotonic() + seconds_max
            try:
                connection.run_many(text, rows)
            except Exception as error:
                failed = self._failed(connection, error, text, rows)
                if not self.lost:
                    connection.own("ROLLBACK TO many")
                    connection.own("RELEASE many")
                if failed is error:
                    raise
                try:
                    raise failed from None
                finally:
                    del failed  # its traceback holds this frame: no cycle is left behind
            finally:
                self._deadline = inf
            connection.own("RELEASE many")
            return connection.raw.total_changes() - before
        finally:
            self._leave()

    def lend(self) -> None:
        """To a thread, for one `exec_elsewhere`, until `take_back`. The loop alone opens and closes connections."""
        self._enter()
        try:
            if self._connection is None:
                self._open()
            self._lent = True
        finally:
            self._leave()

    def exec_elsewhere(self, text: str, bindings: Bindings, *, depth: int, stored: StoredPage) -> Result:
        """As `exec`, without its bounds, on a thread that is not the loop's. stored: the pages for that thread."""
        if self._closed:
            raise self._was_closed()
        before, self._file.stored = self._file.stored, stored
        try:
            return self.exec(text, bindings, depth=depth)
        finally:
            self._file.stored = before

    def take_back(self) -> None:
        """The thread is done with it, or never began."""
        self._lent = False
        if self._closed:
            self._disconnect()

    def own(self, statement: str, bindings: Bindings = (), *, depth: int | None = None) -> list[tuple[Any, ...]]:
        """Runs a statement of the runtime's, which may use its tables. depth: as of `exec`; None if it only reads."""
        self._enter()
        try:
            connection = self._connection or self._open()
            if depth is not None:
                self._begin(connection, depth)
            return connection.own(statement, bindings)
        finally:
            self._leave()

    # The unit

    def take_changes(self, *, exists: bool = True) -> dict[int, bytes] | None:
        """Commits the unit and gives the pages that it changed, for its entry. What it raises resets the object.

        exists: as of `PageFile.take_changes`.
        """
        connection = self._connection
        if connection is None:
            return None
        self._enter()
        try:
            if self._unit:
                try:
                    connection.own(COMMIT)
                except Exception as error:
                    failed = self._failed(connection, error, "COMMIT", ())
                    failed.object_reset = True
                    if failed is error:
                        raise
                    raise failed from None
                self._unit = False
                self._savepoints = 0
            changes = self._file.take_changes(exists=exists)
            if not exists and changes is not None and _is_of_nothing(changes):
                self._disconnect()
                return None
            return changes
        finally:
            self._leave()

    def keep_back(self) -> None:
        """What the unit wrote is no reason for an entry; it goes along with the first page that is written after it."""
        self._enter()
        try:
            self._own(COMMIT)
            self._unit, self._savepoints = False, 0
            self._file.keep_back()
        finally:
            self._leave()

    def release(self, depth: int) -> None:
        """The savepoints above `depth` are over, and what was written since belongs to what is around them."""
        if self._savepoints > depth:
            self._end_savepoints(depth, ("RELEASE",))
            self._starts_inside = self._starts_inside and depth > 0

    def roll_back(self, depth: int) -> None:
        """What was written since the savepoint above `depth` was begun is undone."""
        if self._savepoints <= depth:
            return
        if depth or not self._starts_inside:
            self._end_savepoints(depth, ("ROLLBACK TO", "RELEASE"))
            return
        self._enter()  # the commit of nothing would be a change of the database's header
        try:
            self._own("ROLLBACK")
            self._unit, self._savepoints = False, 0
        finally:
            self._leave()

    def _end_savepoints(self, depth: int, verbs: tuple[str, ...]) -> None:
        self._enter()
        try:
            for verb in verbs:
                self._own(f"{verb} s{depth}")
            self._savepoints = depth
        finally:
            self._leave()

    def _begin(self, connection: Connection, depth: int) -> None:
        if not self._unit:
            connection.own(BEGIN)
            self._unit = self._starts_inside = True
        self._starts_inside = self._starts_inside and depth > 0
        while self._savepoints < depth:
            connection.own(f"SAVEPOINT s{self._savepoints}")
            self._savepoints += 1

    def _own(self, statement: str) -> None:
        assert self._connection is not None
        self._connection.own(statement)

    # The connection

    @property
    def idle(self) -> bool:
        """Nothing is lost if the connection is closed: the next statement opens another."""
        return not (self._unit or self._busy or self._lent or self._file.written)

    @property
    def size_bytes(self) -> int:
        """Of the database, without its free pages."""
        free = self.exec("PRAGMA freelist_count", ()).rows[0][0]
        pages = self.exec("PRAGMA page_count", ()).rows[0][0]
        return int(pages - free) * PAGE_BYTES

    def rest(self) -> None:
        """Closes the connection of an idle database."""
        assert self.idle, "a database with a unit was closed"
        switched = self._authorizer.switched
        if self._connection is not None and "foreign_keys" in switched:
            switched["foreign_keys"] = str(self._connection.raw.pragma("foreign_keys"))  # amid a unit it has no effect
        self._disconnect()

    def close(self) -> None:
        """The instance is over: what its unit wrote is dropped. A statement that runs this very moment is stopped first."""
        self._closed = True
        if not (self._busy or self._lent):
            self._disconnect()
        elif self._connection is not None:
            self._connection.raw.interrupt()

    def _was_closed(self) -> StorageBusy:
        return StorageBusy(
            what="the object's database was closed while it was used",
            where=self.label,
            next_step="use no storage after `ctx.abort()`",
        )

    def _open(self) -> Connection:
        if self._closed:
            raise self._was_closed()
        raw = self._pool.connect(self, self._file)
        raw.set_progress_handler(self._too_late, PROGRESS_STEPS)
        self._connection = connection = Connection(raw, self._authorizer, self.label)
        for name, value in self._authorizer.switched.items():
            connection.own(f"PRAGMA {name} = {value}")
        return connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        self._unit, self._savepoints, self.has_schema = False, 0, False
        if connection is not None:
            self._busy = True  # closing runs Python, and so may run a finaliser
            connection.close()
            self._busy = False
            self._file.drop()
            self._pool.closed(self)

    def _too_late(self) -> bool:
        # Closed: an interrupt that comes before a statement begins is lost.
        return self._closed or self._pool.monotonic() > self._deadline

    def _enter(self) -> None:
        if self._busy:
            raise StorageBusy(
                what="SQL was used while a statement of the same object runs",
                where=self.label,
                why="something that ran inside it did: a finaliser, or a callback of a weak reference",
                next_step="touch no storage there; let a method of the object do it",
            )
        self._busy = True
        self._pool.used(self)

    def _leave(self) -> None:
        self._busy = False
        if self._closed and not self._lent:
            self._disconnect()

    def _failed(self, connection: Connection, error: Exception, text: str, bindings: Any) -> PerdureError:
        """What a statement raised, as it is told; looks whether SQLite has ended the transaction, too."""
        connection.abandon()
        told_too_much = isinstance(error, ResultTooLarge) and error.object_reset
        lost = self._unit and (not connection.raw.in_transaction or told_too_much or isinstance(error, _FATAL))
        if lost:
            self._unit, self.lost = False, True
        return explained(error, Failed(text, bindings, self.label, self._authorizer, self._file.full, lost))


def _is_of_nothing(changes: dict[int, bytes]) -> bool:
    """A new database without a table: what SQLite has left when all that was made in it was rolled back."""
    return changes.keys() == {0} and changes[0][103:105] == b"\0\0"


# SQLite may not have finished what it was at: of a unit nothing more can be said.
_FATAL = (apsw.IOError, apsw.CorruptError, apsw.FullError, StorageBroken)
