"""Shapes: is a value what its key takes? If not, the problem echoes it and shows what would be right.

Must stay true: a value of a wrong shape is reported once, by who reads it, and read as if it were not there. See
tests/config/test_shape.py.
"""

import keyword
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import Any

from perdure.config.key_check import nearest
from perdure.config.key_path import KeyPath
from perdure.config.problem import Findings
from perdure.config.snippet import Line, Snippet, Value

# Enough to recognise a value that is echoed, in a line that people still read.
SHOWN_CHARS_MAX = 60


def kind_of(value: object, table: str = "a table") -> str:
    """What a value is, in the words of people who write configurations. table: what the format calls one."""
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, str):
        return "text"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, date | datetime | time):
        return "a date or time"
    if value is None:
        return "nothing"
    return table if isinstance(value, Mapping) else "a list"


def echo(value: object, findings: Findings) -> str:
    """A value that is wrong, as it stands in the file, shortened."""
    text = findings.document.format.value(value)
    return text if len(text) <= SHOWN_CHARS_MAX else f"{text[: SHOWN_CHARS_MAX - 1]}…"


def wrong_shape(path: KeyPath, value: object, wanted: str, snippet: Snippet | None, findings: Findings) -> None:
    """Report that a value is of another kind than its key takes."""
    kind = kind_of(value, findings.document.format.table)
    what = f"is {echo(value, findings)}, which is {kind}, but has to be {wanted}"
    findings.error(path, what, "write" if snippet else "", snippet)


def text_at(path: KeyPath, value: object, example: str, findings: Findings) -> str | None:
    """A text that is not empty, or None after a report. example: what a good value looks like."""
    if isinstance(value, str) and value:
        return value
    if value == "":
        findings.error(path, "is empty", "write", _shown_at(path, example))
    else:
        is_plain = isinstance(value, date | int | float)
        better = findings.document.format.value(value) if is_plain else example
        wrong_shape(path, value, "text", _shown_at(path, better), findings)
    return None


def table_at(path: KeyPath, value: object, snippet: Snippet, findings: Findings) -> Mapping[str, Any] | None:
    """A table, or None after a report."""
    if isinstance(value, Mapping):
        return value
    wrong_shape(path, value, findings.document.format.table, snippet, findings)
    return None


def tables_at(
    path: KeyPath, value: object, snippet: Snippet, findings: Findings
) -> Sequence[tuple[KeyPath, Mapping[str, Any]]]:
    """The tables of a list, each with its path; whatever is not one is reported and left out."""
    if not isinstance(value, list):
        wrong_shape(path, value, "a list of tables", snippet, findings)
        return []
    found: list[tuple[KeyPath, Mapping[str, Any]]] = []
    for position, each in enumerate(value):
        table = table_at((*path, position), each, snippet, findings)
        if table is not None:
            found.append(((*path, position), table))
    return found


def required_text(
    path: KeyPath, table: Mapping[str, Any], key: str, example: str, findings: Findings, *, near: Sequence[str] = ()
) -> str | None:
    """The text under `key` of a table, or None after a report; a key that looks like it is pointed out."""
    if key in table:
        return text_at((*path, key), table[key], example, findings)
    slips = [each for each in table if nearest(each, (key, *near)) == key]
    value = table[slips[0]] if slips and isinstance(table[slips[0]], str) else example
    what = f"is missing: it is written {', '.join(f'`{slip}`' for slip in slips)} here" if slips else "is missing"
    findings.error((*path, key), what, "write", Line(key, str(value)))
    for slip in slips:
        findings.explain((*path, slip))
    return None


def class_name_at(path: KeyPath, value: object, findings: Findings) -> str | None:
    """The name of a class, or None after a report."""
    if isinstance(value, str) and is_identifier(value):
        return value
    if isinstance(value, str):
        what = f"is {echo(value, findings)}, which cannot be the name of a Python class"
        findings.error(path, what, "write the class's name")
    else:
        wrong_shape(path, value, "the name of a class in quotes", None, findings)
    return None


def is_identifier(name: str) -> bool:
    """Can it be written after a dot?"""
    return name.isidentifier() and not keyword.iskeyword(name)


def _shown_at(path: KeyPath, value: object) -> Snippet:
    return Line(path[-1], value) if isinstance(path[-1], str) else Value(value)
