"""How long the past is kept, and how much of it: a pass over what undoes, a little at a time between groups.

What is older than it is kept, or more than fits, is forgotten from the oldest on; between, neighbours are merged the longer ago
the more (`core.undo_thinning`). Must stay true: what is forgotten is before `undo_from`, and that is said in the transaction
that begins to forget; nobody's bookmark is lost to a merge; an object that is to go back can. See
tests/store/test_undo_keeping.py.
"""

from collections.abc import Iterator
from typing import Any

import apsw

from perdure.core.page_change import PAGE_BYTES, merged_change
from perdure.core.retention import Retention
from perdure.core.undo_place import end_of
from perdure.core.undo_thinning import MINUTES_MS, WHOLE_MS, Span, may_merge, merged
from perdure.store.bounds import STEP_PAGES, STEP_ROWS, UNDO_AGE_MS, UNDO_BYTES_MIN, UNDO_MERGE_ROWS_MAX
from perdure.store.page_id import page_ids

_META = "SELECT value FROM meta WHERE key = ?"
_SET_META = "INSERT OR REPLACE INTO meta VALUES(?, ?)"
_PROTECTED = "SELECT min(place) FROM restoring"
# Its spans are being read one after the other, or will be: from a place that need not be a pin.
_GOES_BACK = "SELECT 1 FROM restoring WHERE object = ?"
_OLDEST = (
    "SELECT object, since, until, time_ms, generations FROM undo_mark INDEXED BY undo_mark_since WHERE since < ?"
    " ORDER BY since LIMIT 1"
)
_NEXT = (
    "SELECT object, since, until, time_ms, generations FROM undo_mark INDEXED BY undo_mark_since"
    " WHERE (since, object) > (?, ?) AND since < ? ORDER BY since, object LIMIT 1"
)
_BEFORE = (
    "SELECT since, until, time_ms, generations FROM undo_mark WHERE object = ? AND since < ?"
    " ORDER BY since DESC LIMIT 1"
)
_PINS = "SELECT place FROM undo_pin WHERE object = ? AND place BETWEEN ? AND ? LIMIT 1"
_DELETE_MARK = "DELETE FROM undo_mark WHERE object = ? AND since = ?"
_CHANGE_MARK = "UPDATE undo_mark SET until = ?, time_ms = ?, generations = ? WHERE object = ? AND since = ?"
_DELETE_PINS = "DELETE FROM undo_pin WHERE object = ? AND place < ?"
_DELETE_ROWS = (
    "DELETE FROM undo_row WHERE since = ?1 AND generation = ?2 AND key IN"
    f" (SELECT key FROM undo_row WHERE since = ?1 AND generation = ?2 ORDER BY key LIMIT {STEP_ROWS})"
)
_DELETE_PAGES = (
    "DELETE FROM undo_page WHERE since = ?1 AND id IN"
    f" (SELECT id FROM undo_page WHERE since = ?1 AND id BETWEEN ?2 AND ?3 ORDER BY id LIMIT {STEP_PAGES})"
)
_DELETE_SIZES = "DELETE FROM undo_size WHERE since >= ?"
_DELETE_SIZE = "DELETE FROM undo_size WHERE since = ? AND NOT EXISTS (SELECT 1 FROM undo_mark WHERE since = ?1)"
_MOVE_ROWS = "INSERT OR IGNORE INTO undo_row SELECT ?1, generation, key, value FROM undo_row WHERE since = ?2 AND generation = ?3"
_DROP_ROWS = "DELETE FROM undo_row WHERE since = ? AND generation = ?"
_PAGES = "SELECT id, body FROM undo_page WHERE since = ? AND id BETWEEN ? AND ?"
_PAGE = "SELECT body FROM undo_page WHERE since = ? AND id = ?"
_SET_PAGE = "INSERT OR REPLACE INTO undo_page VALUES(?, ?, ?)"
_DROP_PAGES = "DELETE FROM undo_page WHERE since = ? AND id BETWEEN ? AND ?"
_COUNT = (
    "SELECT (SELECT count(*) FROM (SELECT 1 FROM undo_row WHERE since = ?1 AND generation = ?2 LIMIT ?5))"
    " + (SELECT count(*) FROM (SELECT 1 FROM undo_page WHERE since = ?1 AND id BETWEEN ?3 AND ?4 LIMIT ?5))"
)
_ROW_SIZES = (
    "SELECT since, generation, key, octet_length(key) + coalesce(octet_length(value), 0) + 24 FROM undo_row"
    f" WHERE (since, generation, key) > (?, ?, ?) AND since < ? ORDER BY since, generation, key LIMIT {STEP_ROWS}"
)
_PAGE_SIZES = (
    "SELECT since, id, octet_length(body) + 24 FROM undo_page WHERE (since, id) > (?, ?) AND since < ?"
    f" ORDER BY since, id LIMIT {STEP_ROWS}"
)
_ADD_SIZE = "INSERT INTO undo_size VALUES(?, ?) ON CONFLICT(since) DO UPDATE SET bytes = bytes + excluded.bytes"
_UNMEASURED = "SELECT generation FROM kept WHERE bytes IS NULL LIMIT 1"
_KEPT_ROW_SIZES = (
    "SELECT key, octet_length(key) + octet_length(value) FROM kv WHERE generation = ? AND key > ?"
    f" ORDER BY key LIMIT {STEP_ROWS}"
)
_KEPT_PAGES = f"SELECT id FROM page WHERE id BETWEEN ? AND ? ORDER BY id LIMIT {STEP_ROWS}"
_KEPT_SIZE = "UPDATE kept SET bytes = ? WHERE generation = ?"
_TOTAL = "SELECT (SELECT coalesce(sum(bytes), 0) FROM undo_size) + (SELECT coalesce(sum(bytes), 0) FROM kept)"
_RELEASE = "INSERT OR IGNORE INTO retired SELECT generation FROM kept WHERE place <= ?"
_RELEASED = "DELETE FROM kept WHERE place <= ?"

_FORGET_META = "DELETE FROM meta WHERE key = ?"

_Mark = tuple[bytes, Span, list[int]]


class UndoKeeping:
    """One pass. `steps` runs inside the caller's transactions, however many it takes."""

    def __init__(self, connection: apsw.Connection, now_ms: int, told: Retention | None = None) -> None:
        """told: what is to be kept from now on; None: what the store was last told."""
        self._connection = connection
        self._now_ms = now_ms
        self._told = told

    def steps(self) -> Iterator[None]:
        """Does the work; every yield is a place to commit and go on later."""
        if self._told is not None:
            self._remember(self._told)
        yield from self._measure()
        yield from self._forget()
        yield from self._release()
        yield from self._thin("undo_minutes", WHOLE_MS)
        yield from self._thin("undo_hours", MINUTES_MS)

    def _remember(self, told: Retention) -> None:
        """For passes to come, whoever makes them: a command that opens the store knows no project."""
        for key, value in (("undo_age_ms", told.age_ms), ("undo_bytes_max", told.bytes_max)):
            if value is None:
                self._connection.execute(_FORGET_META, (key,))
            else:
                self._connection.execute(_SET_META, (key, value))

    @property
    def _age_ms(self) -> int:
        told: int | None = self._connection.execute(_META, ("undo_age_ms",)).get
        return UNDO_AGE_MS if told is None else told

    def _all(self, statement: str, *bindings: Any) -> list[Any]:
        return self._connection.execute(statement, bindings).fetchall()

    def _meta(self, key: str) -> int:
        return self._connection.execute(_META, (key,)).get or 0

    @property
    def _applied(self) -> int:
        """What is from here on belongs to a batch that may be half in the tables: nothing of it is touched."""
        return end_of(self._meta("position"))

    # How much there is

    def _measure(self) -> Iterator[None]:
        """Looks at what is new since the last pass."""
        end, start = self._applied, self._meta("undo_measured")
        self._connection.execute(_DELETE_SIZES, (start,))  # of a pass that did not come to its end
        row: tuple[int, int, str] = (start, -1, "")
        while found := self._all(_ROW_SIZES, *row, end):
            row = found[-1][:3]
            self._add_sizes([(since, size) for since, _, _, size in found])
            yield
        page = (start, -1)
        while found := self._all(_PAGE_SIZES, *page, end):
            page = found[-1][:2]
            self._add_sizes([(since, size) for since, _, size in found])
            yield
        self._connection.execute(_SET_META, ("undo_measured", end))
        while found := self._all(_UNMEASURED):
            yield from self._measure_kept(found[0][0])

    def _add_sizes(self, sizes: list[tuple[int, int]]) -> None:
        self._connection.executemany(_ADD_SIZE, sizes)

    def _measure_kept(self, generation: int) -> Iterator[None]:
        size, key = 0, ""
        while found := self._all(_KEPT_ROW_SIZES, generation, key):
            key = found[-1][0]
            size += sum(row_size for _, row_size in found)
            yield
        first, last = page_ids(generation)
        while found := self._all(_KEPT_PAGES, first, last):
            first = found[-1][0] + 1
            size += len(found) * PAGE_BYTES
            yield
        self._connection.execute(_KEPT_SIZE, (size, generation))

    def _bytes_max(self, undo_bytes: int) -> int:
        told: int | None = self._connection.execute(_META, ("undo_bytes_max",)).get
        if told is not None:
            return told
        pages: int = self._connection.pragma("page_count") - self._connection.pragma("freelist_count")
        page_bytes: int = self._connection.pragma("page_size")
        return max(UNDO_BYTES_MIN, pages * page_bytes - undo_bytes)

    # What is forgotten

    def _forget(self) -> Iterator[None]:
        age_ms = self._age_ms
        while found := self._all(_OLDEST, self._applied):
            object, span, generations = _mark(found[0])
            # An object that never starts again must not hold on to the past of all others for ever.
            waited = span.time_ms < self._now_ms - 2 * age_ms
            protected = self._connection.execute(_PROTECTED).get
            if protected is not None and span.until > protected and not waited:
                return
            if span.time_ms >= self._now_ms - age_ms:
                total = self._all(_TOTAL)[0][0]
                if total <= self._bytes_max(total):
                    return
            self._raise_meta("undo_from", span.until)
            self._raise_meta("undo_from_ms", span.time_ms)
            for generation in generations:
                yield from self._delete(_DELETE_ROWS, span.since, generation)
                yield from self._delete(_DELETE_PAGES, span.since, *page_ids(generation))
            self._connection.execute(_DELETE_MARK, (object, span.since))
            self._connection.execute(_DELETE_PINS, (object, self._meta("undo_from")))
            self._connection.execute(_DELETE_SIZE, (span.since,))
            yield from self._release()
            yield

    def _raise_meta(self, key: str, value: int) -> None:
        self._connection.execute(_SET_META, (key, max(self._meta(key), value)))

    def _delete(self, statement: str, *bindings: int) -> Iterator[None]:
        while True:
            self._connection.execute(statement, bindings)
            if not self._connection.changes():
                return
            yield

    def _release(self) -> Iterator[None]:
        """Generations that nobody can go back to are swept from now on."""
        undo_from = self._meta("undo_from")
        self._connection.execute(_RELEASE, (undo_from,))
        self._connection.execute(_RELEASED, (undo_from,))
        yield

    # What is merged

    def _thin(self, reached: str, age_ms: int) -> Iterator[None]:
        """Looks at what has come to this age since the last pass, each with its older neighbour."""
        place, object = self._meta(reached), b""
        while found := self._all(_NEXT, place, object, self._applied):
            object, newer, generations = _mark(found[0])
            if newer.time_ms > self._now_ms - age_ms:
                return
            if place != newer.since:
                self._connection.execute(_SET_META, (reached, newer.since - 1))
            place = newer.since
            before = self._all(_BEFORE, object, newer.since)
            if before:
                _, older, older_generations = _mark((object, *before[0]))
                pins = [pin for (pin,) in self._all(_PINS, object, older.until, newer.since)]
                few = all(self._count(newer.since, generation) <= UNDO_MERGE_ROWS_MAX for generation in generations)
                if few and not self._all(_GOES_BACK, object) and may_merge(older, newer, pins, now_ms=self._now_ms):
                    self._merge(object, older, newer, older_generations, generations)
            yield

    def _count(self, since: int, generation: int) -> int:
        count: int = self._all(_COUNT, since, generation, *page_ids(generation), UNDO_MERGE_ROWS_MAX + 1)[0][0]
        return count

    def _merge(
        self, object: bytes, older: Span, newer: Span, older_generations: list[int], generations: list[int]
    ) -> None:
        """Whole in one step: what is half merged would undo nothing right."""
        connection = self._connection
        for generation in generations:
            connection.execute(_MOVE_ROWS, (older.since, newer.since, generation))
            connection.execute(_DROP_ROWS, (newer.since, generation))
            first, last = page_ids(generation)
            for id, body in self._all(_PAGES, newer.since, first, last):
                before = connection.execute(_PAGE, (older.since, id)).get
                change = body if before is None else merged_change((body, before))
                connection.execute(_SET_PAGE, (older.since, id, change))
            connection.execute(_DROP_PAGES, (newer.since, first, last))
        both = merged(older, newer)
        all_generations = " ".join(map(str, sorted({*older_generations, *generations})))
        connection.execute(_CHANGE_MARK, (both.until, both.time_ms, all_generations, object, both.since))
        connection.execute(_DELETE_MARK, (object, newer.since))
        connection.execute(_DELETE_SIZE, (newer.since,))


def _mark(row: tuple[bytes, int, int, int, str]) -> _Mark:
    object, since, until, time_ms, generations = row
    return object, Span(since, until, time_ms), [int(generation) for generation in generations.split()]
