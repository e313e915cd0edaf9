"""The past of one object, read from what apply noted: what it was at a place, and what brings it back there.

Read in slices, newest first, each a change to be made before the next one: whoever stops in the middle and begins again gets
there too, as what was done of it until then is in the past by then. Cost follows what has changed since, not what there is.
See tests/store/test_undo.py.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from perdure.core.entry import Alarm, ObjectRecord
from perdure.core.page_change import merged_change
from perdure.core.undo_place import end_of
from perdure.store.bounds import RESTORE_READ_ROWS, RESTORE_SLICE_BYTES
from perdure.store.page_id import page_ids, place_of
from perdure.store.reader import Reader

_META = "SELECT value FROM meta WHERE key = ?"
_MARKS = (
    "SELECT since, generations, generation, name, created_ms, at_ms, due_ms, retries, streak, error FROM undo_mark"
    " WHERE object = ? AND until > ? ORDER BY since"
)
_AT_TIME = "SELECT since FROM undo_mark WHERE object = ? AND time_ms > ? ORDER BY since LIMIT 1"
_FIRST_ROWS = "SELECT key, value FROM undo_row WHERE since = ? AND generation = ? ORDER BY key LIMIT ?"
_ROWS = "SELECT key, value FROM undo_row WHERE since = ? AND generation = ? AND key > ? ORDER BY key LIMIT ?"
_PAGES = "SELECT id, body FROM undo_page WHERE since = ? AND id BETWEEN ? AND ? ORDER BY id LIMIT ?"


@dataclass(frozen=True, slots=True)
class Past:
    """One object at a place."""

    changed: bool
    """Something of it has changed since; if not, it is as it was, and nothing below says how."""
    record: ObjectRecord | None = None
    alarm: Alarm | None = None
    spans: tuple[int, ...] = ()
    """Where what undoes rows and pages of its generation stands, newest first."""


@dataclass(slots=True)
class Slice:
    """A part of the way back."""

    rows: dict[str, bytes | None] = field(default_factory=dict)
    pages: dict[int, bytes] = field(default_factory=dict)


def read_from(tables: Reader) -> tuple[int, int]:
    """The place and the time, in milliseconds, before which nobody can go back."""
    connection = tables.connection
    return (
        connection.execute(_META, ("undo_from",)).get or 0,
        connection.execute(_META, ("undo_from_ms",)).get or 0,
    )


def read_past(tables: Reader, object: bytes, place: int) -> Past | None:
    """What it was there, as far as the tables know; None: what undoes the way there is not kept any more."""
    if place < read_from(tables)[0]:
        return None
    rows: list[Any] = tables.connection.execute(_MARKS, (object, place)).fetchall()
    if not rows:
        return Past(changed=False)
    then: tuple[Any, ...] = rows[0][2:]
    record = None if then[0] is None else ObjectRecord(*then[:3])
    alarm = None if then[3] is None else Alarm(*then[3:])
    if record is None:
        return Past(True, None, alarm)
    generation = str(record.generation)
    spans = tuple(since for since, generations, *_ in reversed(rows) if generation in generations.split())
    return Past(True, record, alarm, spans)


def read_place(tables: Reader, object: bytes, time_ms: int) -> int | None:
    """The last place of this object that is not after that time; None: it is not kept any more."""
    undo_from, undo_from_ms = read_from(tables)
    if time_ms < undo_from_ms:
        return None
    since: int | None = tables.connection.execute(_AT_TIME, (object, time_ms)).get
    if since is None:
        since = end_of(tables.connection.execute(_META, ("position",)).get or 0)
    return max(since, undo_from)


class WayBack:
    """Reads what leads to a past, a slice at a time, each on whichever thread reads."""

    def __init__(self, past: Past) -> None:
        self._spans = past.spans
        self._generation = 0 if past.record is None else past.record.generation
        self._tables: Reader | None = None
        self._parts = self._read()

    def next_slice(self, tables: Reader) -> Slice | None:
        """About RESTORE_SLICE_BYTES of it; None: there is no more."""
        self._tables = tables
        slice = Slice()
        pages: dict[int, list[bytes]] = {}
        size = 0
        for part in self._parts:
            for key, value in part:
                size += 8 + len(value or b"")
                if isinstance(key, str):
                    slice.rows[key] = value
                elif value is not None:
                    pages.setdefault(key, []).append(value)
            if size >= RESTORE_SLICE_BYTES:
                break
        if not size:
            return None
        slice.pages = {number: merged_change(changes) for number, changes in pages.items()}
        return slice

    def _read(self) -> Iterator[list[tuple[str | int, bytes | None]]]:
        """Each part is read to its end, so that no read goes on from one slice to the next."""
        first, last = page_ids(self._generation)
        for since in self._spans:
            part = self._all(_FIRST_ROWS, (since, self._generation))
            while part:
                yield part
                part = self._all(_ROWS, (since, self._generation, part[-1][0]))
            part = self._all(_PAGES, (since, first, last))
            while part:
                yield [(place_of(id)[1], body) for id, body in part]
                part = self._all(_PAGES, (since, part[-1][0] + 1, last))

    def _all(self, statement: str, bindings: tuple[Any, ...]) -> list[Any]:
        assert self._tables is not None, "read before a slice was asked for"
        return self._tables.connection.execute(statement, (*bindings, RESTORE_READ_ROWS)).fetchall()
