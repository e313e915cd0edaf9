"""Apply: durable groups become rows of the tables, in short steps, as of the position of the last of them.

The rows of a batch may be committed in several transactions: until the log rows go, in the last ones, a crash finds the
groups in the log and writes the same values again. So a step may end anywhere, and a batch of 64 MiB delays no commit
by more than a slice. What a step overwrites, it notes as undo in the same transaction. See tests/store/test_recovery.py
and test_undo.py.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import apsw
import msgspec

from perdure.core.entry import Alarm, AlarmChange, DeadAlarm, Entry, ObjectRecord
from perdure.core.layers import IN_TABLE, Group
from perdure.core.page_change import changed_page, is_whole
from perdure.core.undo_place import end_of
from perdure.store.bounds import DELETE_BYTES_MAX, SORT_ROWS_MAX, STEP_PAGES, STEP_ROWS
from perdure.store.log import first_id
from perdure.store.page_id import page_id
from perdure.store.schema import TO_COME
from perdure.store.undo_writing import UndoWriting

_UPSERT_ROW = (
    "INSERT INTO kv(generation, key, value) VALUES(?, ?, ?)"
    " ON CONFLICT(generation, key) DO UPDATE SET value = excluded.value"
)
_READ_PAGE = "SELECT body FROM page WHERE id = ?"
_UPSERT_PAGE = "INSERT INTO page(id, body) VALUES(?, ?) ON CONFLICT(id) DO UPDATE SET body = excluded.body"
_DELETE_ROW = "DELETE FROM kv WHERE generation = ? AND key = ?"
_UPSERT_OBJECT = (
    "INSERT INTO object(id, generation, name, created_ms, written_ms) VALUES(?, ?, ?, ?, ?)"
    " ON CONFLICT(id) DO UPDATE SET generation = excluded.generation, name = excluded.name,"
    " created_ms = excluded.created_ms, written_ms = excluded.written_ms"
)
_WRITTEN_OBJECT = "UPDATE object SET written_ms = ? WHERE id = ?"
_DELETE_OBJECT = "DELETE FROM object WHERE id = ?"
_UPSERT_ALARM = (
    "INSERT INTO alarm(object, at_ms, due_ms, retries, streak, error) VALUES(?, ?, ?, ?, ?, ?)"
    " ON CONFLICT(object) DO UPDATE SET at_ms = excluded.at_ms, due_ms = excluded.due_ms, retries = excluded.retries,"
    " streak = excluded.streak, error = excluded.error"
)
_DELETE_ALARM = "DELETE FROM alarm WHERE object = ?"
_INSERT_DEAD = "INSERT OR REPLACE INTO dead_alarm(object, at_ms, died_ms, retries, error) VALUES(?, ?, ?, ?, ?)"
_DELETE_DEAD = "DELETE FROM dead_alarm WHERE object = ?"
_RETIRE = "INSERT OR IGNORE INTO retired VALUES(?)"
_KEEP = "INSERT OR REPLACE INTO kept(generation, place) VALUES(?, ?)"
_BEGIN = f"INSERT OR REPLACE INTO kept(generation, place, bytes) VALUES(?, {TO_COME}, 0)"
_GIVE_UP = f"DELETE FROM kept WHERE generation = ? AND place = {TO_COME}"
_LIVES_AGAIN = "DELETE FROM kept WHERE generation = ?"
_RESTORE = "INSERT OR REPLACE INTO restoring VALUES(?, ?)"
_RESTORED = "DELETE FROM restoring WHERE object = ?"
_DELETE_LOG = "DELETE FROM log WHERE id < ?"
_DELETE_LOG_PART = "DELETE FROM log WHERE id = (SELECT min(id) FROM log WHERE id < ?)"
_SET_META = "INSERT OR REPLACE INTO meta VALUES(?, ?)"

_Row = tuple[int, str]
_Page = tuple[int, int]


class Applying:
    """One batch on its way into the tables. `steps` runs inside the caller's transactions, however many it takes."""

    def __init__(self, groups: Sequence[Group], connection: apsw.Connection) -> None:
        self.position = groups[-1].position
        self.rows_written = 0
        self._groups = groups
        self._connection = connection
        self._rows: dict[_Row, bytes | None] = {}
        self._pages: dict[_Page, list[bytes]] = {}
        self._written_ms: dict[bytes, int] = {}
        self._records: dict[bytes, ObjectRecord | None] = {}
        self._alarms: dict[bytes, Alarm | None] = {}
        self._dead: dict[bytes, list[DeadAlarm]] = {}
        self._buried: set[bytes] = set()
        self._retired: dict[int, tuple[bytes, int]] = {}
        """Generations that their object left in this batch, with it and the place."""
        self._begun: set[int] = set()
        """Generations to come."""
        self._lived: set[int] = set()
        """Those that were an object's in this batch."""
        self._unwritten: frozenset[int] = frozenset()
        """Those of them whose changes in this batch nobody can ask for any more."""
        self._restores: dict[bytes, int] = {}
        self._undo = UndoWriting(connection)
        self._generation_max = 0

    def steps(self) -> Iterator[None]:
        """Does the work; every yield is a place to commit and go on later."""
        self._undo.begin()
        for group in self._groups:
            for entry in group.entries:
                yield from self._merge(group.position, entry)
        self._unwritten = frozenset(
            generation for generation, (object, _) in self._retired.items() if not self._undo.is_pinned(object)
        )
        yield from self._undo.write_marks(self.position)
        yield from self._write_rows()
        yield from self._write_pages()
        yield from self._write_objects()
        yield from self._write_alarms()
        yield from self._forget_log()

    def _merge(self, position: int, entry: Entry) -> Iterator[None]:
        object, generation = entry.object, entry.generation
        self._generation_max = max(self._generation_max, generation)
        self._written_ms[object] = entry.time_ms
        changes_object = (
            entry.record is not None or entry.removed or entry.alarm is not None or entry.retires is not None
        )
        if entry.rows or entry.pages or changes_object:
            span = self._undo.changes(position, entry)
            pinned_since = span.since if span.since != self._undo.start else None
            if changes_object:
                self._merge_object(position, entry)
            yield from self._merge_rows(generation, entry.rows, pinned_since)
            self._merge_pages(generation, entry.pages or {}, pinned_since)
        if entry.restore is not None:
            self._restores[object] = entry.restore
        if entry.pin:
            self._undo.pin(position, entry, self._records.get(object, IN_TABLE), self._alarms.get(object, IN_TABLE))
        yield

    def _merge_object(self, position: int, entry: Entry) -> None:
        if entry.record is not None or entry.removed:
            self._records[entry.object] = entry.record
        if entry.begins_generation:
            self._begun.add(entry.generation)
        elif entry.retires is not None:
            self._retired[entry.retires] = entry.object, end_of(position)
        if entry.record is not None:
            self._lived.add(entry.record.generation)
            self._generation_max = max(self._generation_max, entry.record.generation)
            self._retired.pop(entry.record.generation, None)
        if entry.alarm is not None:
            self._merge_alarm(entry.object, entry.alarm)

    def _merge_rows(self, generation: int, rows: dict[str, bytes | None], pinned_since: int | None) -> Iterator[None]:
        for n, (key, value) in enumerate(rows.items()):
            if pinned_since is not None:
                self._undo.row_before(pinned_since, (generation, key), self._rows.get((generation, key), IN_TABLE))
            self._rows[generation, key] = value
            if n % STEP_ROWS == STEP_ROWS - 1:
                yield

    def _merge_pages(self, generation: int, pages: dict[int, bytes], pinned_since: int | None) -> None:
        for number, change in pages.items():
            page = generation, number
            if pinned_since is not None:
                changes = self._pages.setdefault(page, [])
                self._undo.page_before(pinned_since, page, len(changes))
                changes.append(change)
            elif is_whole(change):
                self._pages[page] = [change]
            else:
                self._pages.setdefault(page, []).append(change)

    def _merge_alarm(self, object: bytes, change: AlarmChange) -> None:
        self._alarms[object] = change.alarm
        if change.buries:
            self._buried.add(object)
            self._dead.pop(object, None)
        if change.dead is not None:
            self._dead.setdefault(object, []).append(change.dead)

    def _write_rows(self) -> Iterator[None]:
        items = iter(self._rows.items())
        while run := list(islice(items, SORT_ROWS_MAX)):
            run.sort(key=_by_row)
            for start in range(0, len(run), STEP_ROWS):
                self._write(run[start : start + STEP_ROWS])
                yield

    def _write(self, rows: list[tuple[_Row, bytes | None]]) -> None:
        # The state of a generation that this very batch retires, and without a pin on the way, is that of the batch's start.
        unwritten = self._unwritten
        live = [(row, value) for row, value in rows if row[0] not in unwritten] if unwritten else rows
        self._undo.write_rows([row for row, _ in live])
        upserts = [(generation, key, value) for (generation, key), value in live if value is not None]
        deletes = [row for row, value in live if value is None]
        if upserts:
            self._connection.executemany(_UPSERT_ROW, upserts)
        if deletes:
            self._connection.executemany(_DELETE_ROW, deletes)
        self.rows_written += len(live)

    def _write_pages(self) -> Iterator[None]:
        items = iter(self._pages.items())
        while run := sorted(islice(items, SORT_ROWS_MAX)):
            for start in range(0, len(run), STEP_PAGES):
                self._change_pages(run[start : start + STEP_PAGES])
                yield

    def _change_pages(self, pages: list[tuple[_Page, list[bytes]]]) -> None:
        upserts, undo = [], []
        for page, changes in pages:
            generation, number = page
            if generation in self._unwritten:
                continue
            id = page_id(generation, number)
            known = generation <= self._undo.generation_max
            before = None
            if known or self._undo.again or not is_whole(changes[0]):
                stored = self._connection.execute(_READ_PAGE, (id,)).get
                before = self._undo.page_at_start(page, id, stored)
            after = changed_page(before, changes)
            undo += self._undo.page_undo(page, id, before, changes, after)
            upserts.append((id, after))
        self._undo.write_pages(undo)
        if upserts:
            self._connection.executemany(_UPSERT_PAGE, upserts)
        self.rows_written += len(upserts)

    def _write_objects(self) -> Iterator[None]:
        objects = iter(self._written_ms.items())
        while run := sorted(islice(objects, SORT_ROWS_MAX)):
            for start in range(0, len(run), STEP_ROWS):
                self._write_registry(run[start : start + STEP_ROWS])
                yield
        yield from self._write_generations()

    def _write_registry(self, objects: list[tuple[bytes, int]]) -> None:
        upserts, written, removed = [], [], []
        for object, written_ms in objects:
            record = self._records.get(object)
            if record is not None:
                upserts.append((object, record.generation, record.name, record.created_ms, written_ms))
            elif object in self._records:
                removed.append((object,))
            else:
                written.append((written_ms, object))
        for statement, rows in ((_UPSERT_OBJECT, upserts), (_WRITTEN_OBJECT, written), (_DELETE_OBJECT, removed)):
            if rows:
                self._connection.executemany(statement, rows)

    def _write_generations(self) -> Iterator[None]:
        """What was retired is kept until nobody can go back to before; what nobody ever could is swept."""
        for generation in self._begun - self._lived - self._retired.keys():
            self._connection.execute(_BEGIN, (generation,))
            yield
        for generation, (_, place) in self._retired.items():
            new = generation in self._unwritten and generation > self._undo.generation_max
            if new or self._was_to_come(generation):
                self._connection.execute(_RETIRE, (generation,))
            else:
                self._connection.execute(_KEEP, (generation, place))
            yield
        for record in self._records.values():
            if record is not None and record.generation <= self._undo.generation_max:
                self._connection.execute(_LIVES_AGAIN, (record.generation,))
                yield
        for object, place in self._restores.items():
            if place:
                self._connection.execute(_RESTORE, (object, place))
            else:
                self._connection.execute(_RESTORED, (object,))
            yield

    def _was_to_come(self, generation: int) -> bool:
        """It was never anybody's, and has been given up."""
        if generation in self._lived:
            return False
        self._connection.execute(_GIVE_UP, (generation,))
        return generation in self._begun or self._connection.changes() > 0

    def _write_alarms(self) -> Iterator[None]:
        changed = iter(self._alarms.items())
        while run := sorted(islice(changed, SORT_ROWS_MAX), key=_by_object):
            for start in range(0, len(run), STEP_ROWS):
                self._write_alarm_rows(run[start : start + STEP_ROWS])
                yield

    def _write_alarm_rows(self, alarms: list[tuple[bytes, Alarm | None]]) -> None:
        objects = [object for object, _ in alarms]
        statements: tuple[tuple[str, list[tuple[Any, ...]]], ...] = (
            (
                _UPSERT_ALARM,
                [(object, *msgspec.structs.astuple(alarm)) for object, alarm in alarms if alarm is not None],
            ),
            (_DELETE_ALARM, [(object,) for object, alarm in alarms if alarm is None]),
            (_DELETE_DEAD, [(object,) for object in objects if object in self._buried]),
            (_INSERT_DEAD, [(o, *msgspec.structs.astuple(dead)) for o in objects for dead in self._dead.get(o, ())]),
        )
        for statement, rows in statements:
            if rows:
                self._connection.executemany(statement, rows)

    def _forget_log(self) -> Iterator[None]:
        # Everything is in the tables, in this transaction or an earlier one: the log rows may go, old ones first.
        highest = self._connection.execute("SELECT value FROM meta WHERE key = 'generation'").get or 0
        self._connection.execute(_SET_META, ("position", self.position))
        self._connection.execute(_SET_META, ("generation", max(highest, self._generation_max)))
        size = 0
        for group in self._groups:
            size += group.size_bytes
            if size > DELETE_BYTES_MAX:
                yield from self._forget_log_of(group)
                size = 0
        self._connection.execute(_DELETE_LOG, (first_id(self.position + 1),))

    def _forget_log_of(self, group: Group) -> Iterator[None]:
        while True:
            self._connection.execute(_DELETE_LOG_PART, (first_id(group.position + 1),))
            if not self._connection.changes():
                return
            yield


def _by_row(item: tuple[_Row, bytes | None]) -> _Row:
    return item[0]


def _by_object(item: tuple[bytes, Alarm | None]) -> bytes:
    return item[0]
