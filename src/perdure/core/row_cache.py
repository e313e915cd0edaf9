"""Rows that were read from the tables lately, so that reading one again asks no table.

Must stay true: a row is here only while the layers hold nothing of its key. What the tables say of a key changes only by way
of an entry, and every entry that is appended takes its keys out of here; so it cannot matter when, or whether, the entry
is applied. See tests/core/test_row_cache.py and the store's model test.
"""

from enum import Enum
from typing import Final, Literal

from perdure.core.entry import Entry


class Unread(Enum):
    """The cache does not know the row."""

    UNREAD = 0


UNREAD: Final = Unread.UNREAD

ROW_BYTES: Final = 280
"""What a row takes beside its key and value: two objects, a tuple and its place in a dict."""


class RowCache:
    """Rows of one store by generation and key; None for a key that has no row. The oldest give way to new ones."""

    def __init__(self, *, bytes_max: int, row_bytes_max: int) -> None:
        """bytes_max: of all rows. row_bytes_max: a larger one is not worth the place of many."""
        self.size_bytes = 0
        self._bytes_max = bytes_max
        self._row_bytes_max = row_bytes_max
        self._rows: dict[tuple[int, str], bytes | None] = {}

    def value(self, generation: int, key: str) -> bytes | Literal[Unread.UNREAD] | None:
        """The row's value, None if the key has none, or UNREAD."""
        return self._rows.get((generation, key), UNREAD)

    def remember(self, generation: int, key: str, value: bytes | None) -> None:
        """The tables were just read, and the layers hold nothing of this key."""
        size = _size_bytes(key, value)
        if size > self._row_bytes_max or (generation, key) in self._rows:
            return
        self._rows[generation, key] = value
        self.size_bytes += size
        while self.size_bytes > self._bytes_max:
            self._drop(next(iter(self._rows)))

    def forget_written(self, entry: Entry) -> None:
        """The entry was appended: the tables will say something else of its keys."""
        rows = self._rows
        if rows:
            for key in entry.rows:
                if (entry.generation, key) in rows:
                    self._drop((entry.generation, key))

    def _drop(self, place: tuple[int, str]) -> None:
        self.size_bytes -= _size_bytes(place[1], self._rows.pop(place))


def _size_bytes(key: str, value: bytes | None) -> int:
    return ROW_BYTES + len(key) + (len(value) if value is not None else 0)
