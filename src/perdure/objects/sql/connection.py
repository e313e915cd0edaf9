"""One open connection to an object's database: prepares statements, runs them, and fetches what they give.

The object's code runs few texts often. SQLite keeps what it prepared for them, and what their columns are called is kept
here: a connection tells it only while a statement begins, through a callback that costs as much as a small write. See
tests/objects/sql/test_exec.py and test_database.py.
"""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, Final, NamedTuple

import apsw

from perdure.model.errors import ResultTooLarge, WrongValue
from perdure.objects.sql.authorizer import Authorizer
from perdure.objects.sql.bounds import BOUND_BYTES_KEPT, STATEMENTS_CACHED, VALUES_AT_ONCE, VALUES_AT_ONCE_BYTES
from perdure.objects.sql.statements import is_nothing, statements_of

Bindings = Sequence[Any] | Mapping[str, Any]

_MARK: Final = f" -- {secrets.token_hex(16)}"
"""SQLite keeps prepared statements by their texts and asks whether they are allowed only when it prepares them: code that
wrote the same text would be handed the runtime's own."""
BEGIN: Final = f"BEGIN{_MARK}"
COMMIT: Final = f"COMMIT{_MARK}"


class Result(NamedTuple):
    """What a statement gave, all of it."""

    names: tuple[str, ...]
    """Of the columns; none for a statement that gives no rows."""
    rows: list[tuple[Any, ...]]
    written: int
    """Rows that it inserted, changed or deleted."""


class _Known(NamedTuple):
    """Of a statement that ran before."""

    names: tuple[str, ...]
    parameters: frozenset[str]
    """Those that have names, if it was given values by name."""


class Connection:
    """What SQLite raises is raised as it is; then it is to be told, by `abandon`, that no statement goes on."""

    __slots__ = ("_authorizer", "_known", "_label", "_looking", "_names", "_own", "_plain", "raw")

    def __init__(self, raw: apsw.Connection, authorizer: Authorizer, label: str) -> None:
        """label: what errors call the object."""
        self.raw = raw
        raw.authorizer = authorizer
        self._authorizer = authorizer
        self._label = label
        self._known: dict[str, _Known] = {}
        self._names: tuple[str, ...] = ()
        """Of the columns of the statement that has begun."""
        self._own = raw.cursor()
        self._make_cursors()

    def _make_cursors(self) -> None:
        self._plain = self.raw.cursor()
        self._looking = self.raw.cursor()
        self._looking.exec_trace = self._begun

    def run(self, text: str, bindings: Bindings, bytes_max: float) -> Result:
        """Runs one statement of code's. bytes_max: of its rows."""
        raw, authorizer = self.raw, self._authorizer
        before = raw.total_changes()
        authorizer.text = text
        is_kept = _bytes_of(bindings) < BOUND_BYTES_KEPT
        known = self._known.get(text) if is_kept else None
        if known is None or (type(bindings) is dict and not bindings.keys() <= known.parameters):
            cursor = self._looking
            cursor.execute(text, bindings, can_cache=is_kept)
            names = self._names
            if not names and is_nothing(text):
                raise apsw.SQLError("no statement found in the text")
            if is_kept:
                self._know(text, names, frozenset(bindings) if type(bindings) is dict else frozenset())
        else:
            cursor = self._plain
            authorizer.asked = False
            cursor.execute(text, bindings)
            names = known.names
        if not names:
            return Result(names, [], raw.total_changes() - before)
        if authorizer.asked:  # SQLite prepared it again while it began: a table has changed
            self._known.pop(text, None)
            names = self._names_anew(text, bindings)
        at_once = VALUES_AT_ONCE // len(names) or 1
        rows = list(islice(cursor, at_once))
        if len(rows) == at_once or bytes_max < VALUES_AT_ONCE_BYTES:
            rows = list(self._counted(cursor, rows, at_once, bytes_max, wrote=raw.total_changes() != before))
        return Result(names, rows, raw.total_changes() - before)

    def run_many(self, text: str, rows: Sequence[Bindings]) -> None:
        """Runs one statement of code's for each of `rows`."""
        self._authorizer.text = text
        if len(statements_of(text)) != 1 or is_nothing(text):
            raise apsw.SQLError("exec_many() runs one statement")
        for _row in self._looking.executemany(text, rows, can_cache=False):
            pass  # of RETURNING, which nobody gets: kept together they may be any size

    def own(self, statement: str, bindings: Bindings = ()) -> list[tuple[Any, ...]]:
        """Runs a statement of the runtime's, which code may not. Kept by SQLite are only those with the mark."""
        self._authorizer.off = True
        try:
            return self._own.execute(
                statement, bindings, can_cache=statement is BEGIN or statement is COMMIT
            ).fetchall()
        finally:
            self._authorizer.off = False

    def abandon(self) -> None:
        """Ends what failed: who handles the error holds it with the frames, and what it reads would be locked."""
        self._plain.close(True)
        self._looking.close(True)
        self._make_cursors()

    def close(self) -> None:
        self.raw.close(True)

    def _know(self, text: str, names: tuple[str, ...], parameters: frozenset[str]) -> None:
        if len(self._known) >= STATEMENTS_CACHED:
            self._known.clear()
        self._known[text] = _Known(names, parameters)

    def _begun(self, cursor: apsw.Cursor, _statement: str, bindings: Any) -> bool:
        """SQLite has prepared a statement and bound its values, and nothing has run yet."""
        self._names = _names_of(cursor)
        self._authorizer.asked = False
        if type(bindings) is dict and (unknown := bindings.keys() - set(cursor.bindings_names)):
            known = [name for name in cursor.bindings_names if name is not None]
            raise WrongValue(
                what=f"the statement has no parameter :{min(unknown)}",
                where=self._label,
                why=f"its parameters are {', '.join(known) or 'none'}",
                next_step="leave the value out, or use it in the statement",
            )
        return True

    def _names_anew(self, text: str, bindings: Bindings) -> tuple[str, ...]:
        def look(cursor: apsw.Cursor, _statement: str, _bindings: Any) -> bool:
            self._names = _names_of(cursor)
            return False

        cursor = self.raw.cursor()
        cursor.exec_trace = look
        with suppress(apsw.ExecTraceAbort):
            cursor.execute(text, bindings, can_cache=False)
        return self._names

    def _counted(
        self, cursor: apsw.Cursor, rows: list[Any], at_once: int, bytes_max: float, *, wrote: bool
    ) -> Iterator[tuple[Any, ...]]:
        size = 0
        while rows:
            size += rows_bytes(rows)
            if size > bytes_max:
                too_large = ResultTooLarge(
                    what=f"the rows of one statement take more than {bytes_max:,} bytes",
                    where=self._label,
                    why="a cursor holds all its rows in memory, so that it stays valid whatever is written later",
                    next_step="ask for fewer with LIMIT and page through them, or raise `limits = Limits(result_bytes=...)`",
                    size=size,
                    limit=int(bytes_max),
                )
                too_large.object_reset = wrote  # code that catches it would take what RETURNING told of for not written
                raise too_large
            yield from rows
            rows = list(islice(cursor, at_once))


def _names_of(cursor: apsw.Cursor) -> tuple[str, ...]:
    return tuple([name for name, _ in cursor.get_description()])


def _bytes_of(bindings: Bindings) -> int:
    size = 0
    for value in bindings.values() if type(bindings) is dict else bindings:
        if isinstance(value, str | bytes | bytearray):
            size += len(value)
        elif isinstance(value, memoryview):
            size += value.nbytes
    return size


def rows_bytes(rows: list[tuple[Any, ...]]) -> int:
    """About what these rows take in memory."""
    size = 0
    for row in rows:
        size += 56
        for value in row:
            size += 57 + len(value) if isinstance(value, str | bytes) else 40
    return size
