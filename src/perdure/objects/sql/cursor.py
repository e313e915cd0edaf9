"""What a statement gave: rows that stay as they were when it ran, to be gone through once.

Must stay true: nothing here refers to the database, so a cursor locks nothing and is valid whatever happens later. See
tests/objects/sql/test_cursor.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar, cast

from perdure.model.errors import NotOneRow

T = TypeVar("T")

Make = Callable[[tuple[str, ...], tuple[Any, ...]], T]


class Row(dict[str, Any]):
    """One row, by column names: `row["n"]`, or `row.n` where `dict` has no such name. Of equal names the last one wins."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"the row has no column {name!r}; it has {', '.join(self) or 'none'}") from None


class Fetched:
    """The rows of one result and how far they have been read, which a cursor and its `raw()` share."""

    __slots__ = ("at", "names", "rows", "rows_written", "where")

    def __init__(self, names: tuple[str, ...], rows: list[Any], written: int, where: str) -> None:
        self.names = names
        self.rows = rows
        self.rows_written = written
        self.where = where
        self.at = 0


class Cursor(Generic[T]):
    """The rows of a statement: an iterator, once through. It holds them all, and stays valid (API-41)."""

    __slots__ = ("_make", "_rows")

    def __init__(self, rows: Fetched, make: Make[T]) -> None:
        self._rows = rows
        self._make = make

    @property
    def column_names(self) -> tuple[str, ...]:
        """Of all columns, equal names too; empty for a statement that gives none."""
        return self._rows.names

    @property
    def rows_read(self) -> int:
        """How many rows the statement gave."""
        return len(self._rows.rows)

    @property
    def rows_written(self) -> int:
        """How many rows it inserted, changed or deleted, by triggers and foreign keys too."""
        return self._rows.rows_written

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        rows = self._rows
        if rows.at >= len(rows.rows):
            raise StopIteration
        row = rows.rows[rows.at]
        rows.at += 1
        return self._make(rows.names, row)

    def one(self) -> T:
        """The only row that is left; NotOneRow if there is none or more than one."""
        left = len(self._rows.rows) - self._rows.at
        if left != 1:
            raise NotOneRow(
                what=f"one() found {left:,} rows" if left else "one() found no row",
                where=self._rows.where,
                next_step="use first() for one or None, to_list() for all, or add LIMIT 1",
                rows=min(left, 2),
            )
        return next(self)

    def first(self) -> T | None:
        """The next row, or None; the others are dropped."""
        row = next(self, None)
        self._rows.at = len(self._rows.rows)
        return row

    def to_list(self) -> list[T]:
        """The rows that are left."""
        rows, make = self._rows, self._make
        names = rows.names
        left = rows.rows[rows.at :] if rows.at else rows.rows
        rows.at = len(rows.rows)
        return [make(names, row) for row in left]

    def raw(self) -> Cursor[tuple[Any, ...]]:
        """The same rows as tuples, with equal names kept; it goes on where this one is, and this one where it is."""
        return Cursor(self._rows, as_tuple)

    def __repr__(self) -> str:
        return f"<Cursor of {len(self._rows.rows)} rows, {len(self._rows.rows) - self._rows.at} left>"

    # Cloudflare's names
    toArray = to_list

    @property
    def columnNames(self) -> tuple[str, ...]:
        return self.column_names

    @property
    def rowsRead(self) -> int:
        return self.rows_read

    @property
    def rowsWritten(self) -> int:
        return self.rows_written

    def next(self) -> CursorStep[T]:
        """As JavaScript's iterators: `.done` and `.value`."""
        try:
            return CursorStep(False, next(self))
        except StopIteration:
            return CursorStep(True, None)


class CursorStep(Generic[T]):
    """What `Cursor.next()` gives."""

    __slots__ = ("done", "value")

    def __init__(self, done: bool, value: T | None) -> None:
        self.done = done
        self.value = value


def as_row(names: tuple[str, ...], values: tuple[Any, ...]) -> Row:
    return Row(zip(names, values, strict=True))


def as_tuple(_names: tuple[str, ...], values: tuple[Any, ...]) -> tuple[Any, ...]:
    return values


def as_typed(type_: type[T], convert: Callable[[Any], T]) -> Make[T]:
    return cast("Make[T]", lambda names, values: convert(dict(zip(names, values, strict=True))))
