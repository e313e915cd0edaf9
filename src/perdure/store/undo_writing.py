"""What undoes a batch, written by apply in the transactions that overwrite: the old value of each row and page, once.

Per object and batch there is a *span* (table undo_mark): what changed after the place `since` up to the place `until`, and
what the registry and the alarm were at `since`. Rows and pages as they were then stand in undo_row and undo_page, of pages
only the blocks that changed. A pin ends its object's span, so that nothing is ever lost between it and what follows.

Must stay true when a crash cuts a batch into a part that is in the tables and a part that is not: the batch is made again
from the same place on and at least as far, and what was noted the first time counts, for by the second time it is
overwritten. See tests/store/test_undo.py and test_undo_crash.py.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import apsw
import msgspec

from perdure.core.entry import Alarm, Entry, ObjectRecord
from perdure.core.layers import IN_TABLE, InTable
from perdure.core.page_change import PAGE_BYTES, changed_page, page_change
from perdure.core.undo_place import end_of, pin_of
from perdure.store.bounds import SORT_ROWS_MAX, STEP_ROWS

_META = "SELECT value FROM meta WHERE key = ?"
_SET_META = "INSERT OR REPLACE INTO meta VALUES(?, ?)"
# Eight small questions: as a join of two tables in an INSERT they take ten times as long.
_OBJECT_THEN = ", ".join(
    [f"(SELECT {column} FROM object WHERE id = ?1)" for column in ("generation", "name", "created_ms")]
    + [
        f"(SELECT {column} FROM alarm WHERE object = ?1)"
        for column in ("at_ms", "due_ms", "retries", "streak", "error")
    ]
)
_AGAIN = (
    " ON CONFLICT(object, since) DO UPDATE SET until = excluded.until, time_ms = excluded.time_ms,"
    " generations = excluded.generations"
)
# Since the object's rows are not changed before all marks are there, they still say what was at the batch's start.
_MARK_START = f"INSERT INTO undo_mark VALUES(?1, ?2, ?3, ?4, ?5, {_OBJECT_THEN}){_AGAIN}"
_MARK = f"INSERT INTO undo_mark VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?){_AGAIN}"
_PIN = "INSERT OR IGNORE INTO undo_pin VALUES(?, ?, ?)"
_ROW_START = (
    "INSERT OR IGNORE INTO undo_row VALUES(?1, ?2, ?3, (SELECT value FROM kv WHERE generation = ?2 AND key = ?3))"
)
_ROW = "INSERT OR IGNORE INTO undo_row VALUES(?, ?, ?, ?)"
_PAGE = "INSERT OR REPLACE INTO undo_page VALUES(?, ?, ?)"
_READ_PAGE = "SELECT body FROM undo_page WHERE since = ? AND id = ?"

_NO_ALARM = (None,) * 5


class _Span:
    """One object's, in this batch."""

    __slots__ = ("alarm", "generations", "record", "since", "time_ms", "until")

    def __init__(self, since: int, record: ObjectRecord | InTable | None, alarm: Alarm | InTable | None) -> None:
        self.since = since
        self.record, self.alarm = record, alarm
        """As they were at `since`."""
        self.until = self.time_ms = 0
        self.generations: set[int] = set()


class UndoWriting:
    """The undo of one batch. Everything runs inside the caller's transactions."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self.start = 0
        """The place up to which the tables were right before the batch."""
        self.generation_max = 0
        """The highest generation that was there then: of newer ones there is nothing to keep."""
        self.again = False
        """A part of this batch may be in the tables already."""
        self._spans: dict[bytes, _Span] = {}
        """Those that go on."""
        self._ended: list[tuple[bytes, _Span]] = []
        self._pinned: dict[bytes, tuple[int, ObjectRecord | InTable | None, Alarm | InTable | None]] = {}
        """Objects with a pin in this batch: the place of the last one, and what they were then."""
        self._pins: list[tuple[bytes, int, int]] = []
        self._pins_of_group: dict[bytes, int] = {}
        self._position = 0
        self._rows: dict[tuple[int, str], dict[int, bytes | InTable | None]] = {}
        """Values at pins: by row, then by place."""
        self._cuts: dict[tuple[int, int], dict[int, int]] = {}
        """How many of a page's changes come before a pin: by page, then by place."""

    def begin(self) -> None:
        """Looks where the tables stand."""
        position = self._connection.execute(_META, ("position",)).get or 0
        self.start = end_of(position)
        self.generation_max = self._connection.execute(_META, ("generation",)).get or 0
        self.again = (self._connection.execute(_META, ("applying",)).get or 0) > position

    # What the entries say, in their order

    def changes(self, position: int, entry: Entry) -> _Span:
        """The span of this entry, which changes something. To be asked before its changes are merged."""
        object = entry.object
        span = self._spans.get(object)
        if span is None:
            since, record, alarm = self._pinned.get(object, (self.start, IN_TABLE, IN_TABLE))
            span = self._spans[object] = _Span(since, record, alarm)
        span.until, span.time_ms = end_of(position), entry.time_ms
        span.generations.add(entry.generation)
        return span

    def pin(
        self, position: int, entry: Entry, record: ObjectRecord | InTable | None, alarm: Alarm | InTable | None
    ) -> None:
        """A pinned entry was merged, and the object's record and alarm are these now."""
        if position != self._position:
            self._position, self._pins_of_group = position, {}
        number = self._pins_of_group[entry.object] = self._pins_of_group.get(entry.object, 0) + 1
        place = pin_of(position, number)
        span = self._spans.pop(entry.object, None)
        if span is not None:
            span.until = place
            self._ended.append((entry.object, span))
        self._pinned[entry.object] = place, record, alarm
        self._pins.append((entry.object, place, entry.time_ms))

    def is_pinned(self, object: bytes) -> bool:
        return object in self._pinned

    def row_before(self, since: int, row: tuple[int, str], value: bytes | InTable | None) -> None:
        """A row of a pinned object changes, and was `value` so far."""
        self._rows.setdefault(row, {}).setdefault(since, value)

    def page_before(self, since: int, page: tuple[int, int], changes: int) -> None:
        """A page of a pinned object changes, after so many changes before."""
        self._cuts.setdefault(page, {}).setdefault(since, changes)

    # What is written

    def write_marks(self, position: int) -> Iterator[None]:
        """First of all, while the tables say what was. position: of the batch's last group."""
        self._connection.execute(_SET_META, ("applying", position))
        spans = iter([*self._ended, *self._spans.items()])
        while run := sorted(islice(spans, SORT_ROWS_MAX), key=_by_object):
            for first in range(0, len(run), STEP_ROWS):
                self._write_marks(run[first : first + STEP_ROWS])
                yield
        for first in range(0, len(self._pins), STEP_ROWS):
            self._connection.executemany(_PIN, self._pins[first : first + STEP_ROWS])
            yield

    def _write_marks(self, spans: list[tuple[bytes, _Span]]) -> None:
        at_start, at_pin = [], []
        for object, span in spans:
            generations = " ".join(map(str, sorted(span.generations)))
            start = object, span.since, span.until, span.time_ms, generations
            if span.record is IN_TABLE and span.alarm is IN_TABLE:
                at_start.append(start)
            else:
                at_pin.append((*start, *self._object_then(object, span)))
        if at_start:
            self._connection.executemany(_MARK_START, at_start)
        if at_pin:
            self._connection.executemany(_MARK, at_pin)

    def _object_then(self, object: bytes, span: _Span) -> Iterable[Any]:
        stored = next(self._connection.execute(f"SELECT {_OBJECT_THEN}", (object,)))
        record: Sequence[Any] = stored[:3]
        alarm: Sequence[Any] = stored[3:]
        if span.record is not IN_TABLE:
            record = (None,) * 3 if span.record is None else msgspec.structs.astuple(span.record)
        if span.alarm is not IN_TABLE:
            alarm = _NO_ALARM if span.alarm is None else msgspec.structs.astuple(span.alarm)
        return *record, *alarm

    def write_rows(self, rows: Iterable[tuple[int, str]]) -> None:
        """Before they are overwritten, in the same transaction."""
        start, known_max = self.start, self.generation_max
        old = [(start, *row) for row in rows if row[0] <= known_max]
        if old:
            self._connection.executemany(_ROW_START, old)
        if self._rows:
            self._write_rows_at_pins(rows)

    def _write_rows_at_pins(self, rows: Iterable[tuple[int, str]]) -> None:
        from_table, known = [], []
        for row in rows:
            for since, value in self._rows.get(row, {}).items():
                if value is IN_TABLE:
                    from_table.append((since, *row))
                else:
                    known.append((since, *row, value))
        if from_table:
            self._connection.executemany(_ROW_START, from_table)
        if known:
            self._connection.executemany(_ROW, known)

    def page_at_start(self, page: tuple[int, int], id: int, stored: bytes | None) -> bytes | None:
        """What this page was before the batch. stored: what it is in the table."""
        if not self.again:
            return stored
        noted = []
        for since in (*sorted(self._cuts.get(page, ()), reverse=True), self.start):
            body = self._connection.execute(_READ_PAGE, (since, id)).get
            if body is not None:
                noted.append(body)
        return changed_page(stored, noted)

    def page_undo(
        self, page: tuple[int, int], id: int, before: bytes | None, changes: Sequence[bytes], after: bytes | None
    ) -> list[tuple[int, int, bytes]]:
        """Rows for `write_pages`: what makes the page of each place of what it was at the next."""
        states = [(self.start, before)] if page[0] <= self.generation_max else []
        cuts: Mapping[int, int] = self._cuts.get(page, {})
        states += [(since, changed_page(before, changes[:count])) for since, count in sorted(cuts.items())]
        rows = []
        for n, (since, state) in enumerate(states):
            following = states[n + 1][1] if n + 1 < len(states) else after
            if following is None or following is state:
                continue
            # Where a database ends is said by its first page: what stands beyond is never read, nor put back.
            was_none = bytes(PAGE_BYTES) if page[1] == 0 else None
            undo = was_none if state is None else page_change(following, state)
            if undo is not None:
                rows.append((since, id, undo))
        return rows

    def write_pages(self, rows: list[tuple[int, int, bytes]]) -> None:
        """Before the pages are overwritten, in the same transaction."""
        if rows:
            self._connection.executemany(_PAGE, rows)


def _by_object(item: tuple[bytes, _Span]) -> bytes:
    return item[0]
