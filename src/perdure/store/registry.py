"""The registry in its order, a page at a time: what the tables hold under what is durable and not yet applied.

Must stay true: an object that exists during a whole listing is found exactly once, whatever is applied, written and
removed meanwhile. So the groups are taken on the loop before the tables are read: what left the layers until then is in
the tables, and what is applied later only repeats what the groups say. See tests/store/test_registry.py.
"""

from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from heapq import merge, nsmallest
from itertools import islice
from typing import Any

from perdure.core.entry import Alarm, ObjectRecord
from perdure.core.key_range import KeyRange
from perdure.core.layers import Group
from perdure.core.page_change import changed_page, database_bytes
from perdure.store.interface import StoredObject
from perdure.store.reader import Reader, RegistryRow

After = str | bytes | None
"""What a page goes on from: a name, the id of an object, or nothing."""

_ROWS_AT_ONCE = 256


def read_page(tables: Reader, groups: Sequence[Group], *, prefix: str, after: After, limit: int) -> list[StoredObject]:
    """Up to `limit` objects, names by UTF-8 bytes, then those without by id. Off the loop: it may have to look at much.

    groups: all that is durable and has not left the layers, oldest first.
    """
    changes = _Changes(groups)
    rows = _read_rows(tables, changes, prefix, after, limit)
    sizes = _sizes(tables, groups, rows)
    return [
        StoredObject(
            row.object,
            row.name,
            row.created_ms,
            max(row.written_ms, changes.written_ms.get(row.object, 0)),
            changes.alarm_ms_of(row.object, tables),
            sizes[row.generation],
        )
        for row in rows
    ]


def every_object(tables: Reader, groups: Sequence[Group]) -> Generator[tuple[bytes, str | None], None, None]:
    """All objects, with their names, in the same order; nothing of what they store is read."""
    changes = _Changes(groups)
    after: After = None
    while True:
        rows = _read_rows(tables, changes, "", after, _ROWS_AT_ONCE)
        yield from ((row.object, row.name) for row in rows)
        if len(rows) < _ROWS_AT_ONCE:
            return
        after = rows[-1].object if rows[-1].name is None else rows[-1].name


def _read_rows(tables: Reader, changes: "_Changes", prefix: str, after: After, limit: int) -> list[RegistryRow]:
    if isinstance(after, bytes):
        name = changes.name_of(after, tables)
        after = after if name is None else name
    rows: list[RegistryRow] = []
    if not isinstance(after, bytes):
        names = KeyRange.of(start_after=after, prefix=prefix)
        rows = changes.over(tables.named(names), changes.named(names, limit), limit)
    if not prefix and len(rows) < limit:
        place = after if isinstance(after, bytes) else b""
        left = limit - len(rows)
        rows += changes.over(tables.unnamed(place), changes.unnamed(place, left), left)
    return rows


class _Changes:
    """What groups change in the registry."""

    def __init__(self, groups: Iterable[Group]) -> None:
        self._records: dict[bytes, ObjectRecord | None] = {}
        self.written_ms: dict[bytes, int] = {}
        self._alarms: dict[bytes, Alarm | None] = {}
        for group in groups:
            for entry in group.entries:
                self.written_ms[entry.object] = entry.time_ms
                if entry.alarm is not None:
                    self._alarms[entry.object] = entry.alarm.alarm
                if entry.record is not None or entry.removed:
                    self._records[entry.object] = entry.record

    def name_of(self, object: bytes, tables: Reader) -> str | None:
        record = self._records[object] if object in self._records else tables.record(object)
        return None if record is None else record.name

    def alarm_ms_of(self, object: bytes, tables: Reader) -> int | None:
        alarm = self._alarms[object] if object in self._alarms else tables.alarm(object)
        return None if alarm is None else alarm.at_ms

    def named(self, names: KeyRange, limit: int) -> list[RegistryRow]:
        """The first in that range. Not by sorting them all, which would keep the interpreter from the loop meanwhile."""
        lower, upper = names.lower, names.upper
        places = (
            (record.name, object)
            for object, record in self._records.items()
            if record is not None
            and record.name is not None
            and record.name >= lower
            and (upper is None or record.name < upper)
        )
        return [self._row(object) for _, object in nsmallest(limit, places)]

    def unnamed(self, after: bytes, limit: int) -> list[RegistryRow]:
        """The first with a greater id, likewise."""
        objects = (
            object
            for object, record in self._records.items()
            if record is not None and record.name is None and object > after
        )
        return [self._row(object) for object in nsmallest(limit, objects)]

    def _row(self, object: bytes) -> RegistryRow:
        record = self._records[object]
        assert record is not None, "it is there"
        return RegistryRow(object, record.generation, record.name, record.created_ms, self.written_ms[object])

    def over(
        self, stored: Generator[RegistryRow, None, None], changed: Iterable[RegistryRow], limit: int
    ) -> list[RegistryRow]:
        """The first rows of both together, where the changed ones, in order, hide the stored."""
        with closing(stored):  # which ends the statement that it reads
            unchanged = (row for row in stored if row.object not in self._records)
            return list(islice(merge(unchanged, changed, key=_by_place), limit))


def _by_place(row: RegistryRow) -> tuple[str, bytes]:
    return row.name or "", row.object


def _sizes(tables: Reader, groups: Iterable[Group], rows: Iterable[RegistryRow]) -> dict[int, int]:
    """The bytes of keys, values and SQL database of each generation that these rows name."""
    sizes = {row.generation: 0 for row in rows}
    changed: dict[int, dict[str, Any]] = {}
    first_pages: dict[int, list[bytes]] = {}
    for group in groups:
        for entry in group.entries:
            if entry.generation not in sizes:
                continue
            if entry.rows:
                changed.setdefault(entry.generation, {}).update(entry.rows)
            if entry.pages is not None and 0 in entry.pages:
                first_pages.setdefault(entry.generation, []).append(entry.pages[0])
    for generation in sizes:
        size = tables.size_bytes(generation)
        for key, value in changed.get(generation, {}).items():
            size -= tables.row_bytes(generation, key)
            size += 0 if value is None else len(key.encode()) + len(value)
        first_page = changed_page(tables.page(generation, 0), first_pages.get(generation, ()))
        sizes[generation] = size + database_bytes(first_page)
    return sizes
