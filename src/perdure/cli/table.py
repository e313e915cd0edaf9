"""Rows for people, in columns; for programs, as CSV and in JSON.

Must stay true: what somebody stored steers no terminal; every value of SQL is told from every other in JSON. See
tests/cli/test_table.py.
"""

import csv
import io
import math
from collections.abc import Iterable, Sequence
from typing import Any

SHOWN_CHARACTERS_MAX = 100
"""Of a cell: a longer one would push the others out of the window; --json has it whole."""


def table(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    """The lines: the headings, and under them the rows."""
    shown = [[printable(heading) for heading in headings], *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[column]) for row in shown) for column in range(len(headings))]
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in shown]


def csv_text(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """With a line of headings; NULL is empty, and bytes are written as SQL writes them."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(headings)
    writer.writerows([_sql_blob(value) if isinstance(value, bytes) else value for value in row] for row in rows)
    return text.getvalue().removesuffix("\n")


def in_json(value: Any) -> Any:
    """A value of SQL as JSON has it; bytes are `{"hex": "..."}`, an infinite number is text."""
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def printable(text: str) -> str:
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = printable(_sql_blob(value) if isinstance(value, bytes) else str(value))
    return text if len(text) <= SHOWN_CHARACTERS_MAX else f"{text[: SHOWN_CHARACTERS_MAX - 3]}..."


def _sql_blob(value: bytes) -> str:
    return f"x'{value.hex()}'"
