"""A group as rows of the log, and back: what was appended comes back exactly, or the damage is named.

A row is a CRC over its number and its body, then the body. A group is rows of consecutive parts; only the last one says
that it closes the group, so a group that is not there to its end is never taken for a whole one. See
tests/store/test_log.py.
"""

import zlib
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TypeVar

import msgspec

from perdure.core.entry import Entry
from perdure.core.layers import Group
from perdure.store.bounds import LOG_ROW_BYTES_MAX, LOG_ROW_ROWS_MAX

PARTS_MAX = 1 << 16
"""Rows of one group: the number of a row is `position * PARTS_MAX + part`."""

UNAPPLIED = (
    "SELECT id, body FROM log"
    f" WHERE id >= (coalesce((SELECT value FROM meta WHERE key = 'position'), 0) + 1) * {PARTS_MAX} ORDER BY id"
)
"""The rows that are not in the tables. Older ones are deleted one after the other, so a group that is may be half gone."""

_CRC_BYTES = 4

# A group of this size is one row of the log whatever it holds; the usual case, which skips the counting.
_SURELY_SMALL_BYTES = 9 * LOG_ROW_ROWS_MAX


_Key = TypeVar("_Key", str, int)
_Change = TypeVar("_Change", bytes, bytes | None)


class Body(msgspec.Struct, frozen=True, array_like=True):
    """What one row of the log holds."""

    closes: bool
    """The group ends with this row."""
    entries: tuple[Entry, ...]


class DamagedLog(Exception):
    """A row of the log is not what was written."""


def first_id(position: int) -> int:
    """The smallest row number of that position's group; every older group's are smaller."""
    return position * PARTS_MAX


def position_of(row_id: int) -> int:
    return row_id // PARTS_MAX


class LogCodec:
    """Encoder and decoder of log rows; one per thread, as it keeps a buffer."""

    def __init__(self) -> None:
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(Body)

    def encode(self, group: Group) -> list[tuple[int, bytes]]:
        """The group's rows, in order: (row number, content)."""
        first = first_id(group.position)
        if group.size_bytes <= _SURELY_SMALL_BYTES:
            parts: list[tuple[Entry, ...]] = [group.entries]
        else:
            parts = list(_parts(group.entries))
        last = len(parts) - 1
        return [(first + n, self._sealed(first + n, Body(n == last, entries))) for n, entries in enumerate(parts)]

    def _sealed(self, row_id: int, body: Body) -> bytes:
        encoded = self._encoder.encode(body)
        return _crc(row_id, encoded) + encoded

    def decode(self, row_id: int, content: bytes) -> Body:
        """Raises DamagedLog if the row is not what `encode` gave for this number."""
        encoded = content[_CRC_BYTES:]
        if content[:_CRC_BYTES] != _crc(row_id, encoded):
            raise DamagedLog(f"row {row_id} of the log fails its checksum")
        try:
            return self._decoder.decode(encoded)
        except msgspec.MsgspecError as error:
            raise DamagedLog(f"row {row_id} of the log cannot be read: {error}") from error

    def groups(self, rows: Iterable[tuple[int, bytes]]) -> Iterator[Group]:
        """The groups of these rows, which are in order. Raises DamagedLog where one is not whole."""
        entries: list[Entry] = []
        expected: int | None = None
        for row_id, content in rows:
            if row_id != (expected if expected is not None else first_id(position_of(row_id))):
                raise DamagedLog(f"row {row_id} of the log stands where row {expected} was expected")
            body = self.decode(row_id, content)
            entries.extend(body.entries)
            expected = None if body.closes else row_id + 1
            if body.closes:
                yield Group(position_of(row_id), tuple(entries), sum(entry.size_bytes() for entry in entries))
                entries = []
        if expected is not None:
            raise DamagedLog(f"the log ends inside a group, before row {expected}")


def _crc(row_id: int, encoded: bytes) -> bytes:
    return zlib.crc32(encoded, row_id & 0xFFFFFFFF).to_bytes(_CRC_BYTES, "big")


def _parts(entries: tuple[Entry, ...]) -> Iterator[tuple[Entry, ...]]:
    """Cuts a group into runs of entries that fit a row of the log each; an entry too big for one is cut by its rows."""
    part: list[Entry] = []
    size, rows = 0, 0
    for piece in chain.from_iterable(map(_pieces, entries)):
        piece_size, piece_rows = piece.size_bytes(), _rows_of(piece) + 1
        if part and (size + piece_size > LOG_ROW_BYTES_MAX or rows + piece_rows > LOG_ROW_ROWS_MAX):
            yield tuple(part)
            part, size, rows = [], 0, 0
        part.append(piece)
        size, rows = size + piece_size, rows + piece_rows
    yield tuple(part)


def _pieces(entry: Entry) -> Iterator[Entry]:
    if entry.size_bytes() <= LOG_ROW_BYTES_MAX and _rows_of(entry) <= LOG_ROW_ROWS_MAX:
        yield entry
        return
    # Everything but rows and pages goes with the first piece; the pieces apply one after the other. A pin stands after all
    # of them.
    yield msgspec.structs.replace(entry, rows={}, pages=None, pin=False)
    for rows in _runs(entry.rows):
        yield Entry(entry.object, entry.time_ms, entry.generation, rows)
    for pages in _runs(entry.pages or {}):
        yield Entry(entry.object, entry.time_ms, entry.generation, {}, pages=pages)
    if entry.pin:
        yield Entry(entry.object, entry.time_ms, entry.generation, {}, pin=True)


def _runs(changes: dict[_Key, _Change]) -> Iterator[dict[_Key, _Change]]:
    run: dict[_Key, _Change] = {}
    size = 0
    for key, value in changes.items():
        row_size = 8 + (len(key) if isinstance(key, str) else 0) + (len(value) if value is not None else 0)
        if run and (size + row_size > LOG_ROW_BYTES_MAX // 2 or len(run) >= LOG_ROW_ROWS_MAX):
            yield run
            run, size = {}, 0
        run[key] = value
        size += row_size
    if run:
        yield run


def _rows_of(entry: Entry) -> int:
    return len(entry.rows) + len(entry.pages or ())
