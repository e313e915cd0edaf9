"""Lines to paste, before it is known how the file writes them: what is said is data, and the file's format writes it.

Must stay true: what a message shows can be pasted into the file that it speaks of. See tests/config/test_snippets.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Line:
    """`key = value`, in the table that the message speaks of."""

    key: str
    value: object


@dataclass(frozen=True, slots=True)
class Value:
    """A value alone, as an element of a list."""

    value: object


@dataclass(frozen=True, slots=True)
class Section:
    """One key of the whole file with all that is below it."""

    key: str
    value: Mapping[str, Any] | list[Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """One more table at the end of a list of the whole file."""

    key: str
    value: Mapping[str, Any]
    is_first: bool = False
    """The list is not there yet."""


Snippet = Line | Value | Section | Entry
