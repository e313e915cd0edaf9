"""A configuration file, parsed: plain data, and the line on which each key stands.

This is where formats end: whatever a file is written in, what checks it sees a `Document` (one check for all formats), and
what has to be written instead is put into the file's own words by its `Format`. See tests/config/test_formats.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from perdure.config.key_path import KeyPath
from perdure.config.snippet import Snippet


class Format(Protocol):
    """How a file is written, for messages that show what to write in it."""

    @property
    def table(self) -> str:
        """What a table is called, with its article."""
        ...

    @property
    def root_place(self) -> str:
        """Where a key of the whole file goes: "above the first ..."."""
        ...

    def value(self, value: object) -> str:
        """A value in one line."""
        ...

    def lines(self, snippet: Snippet) -> Sequence[str]:
        """Lines to paste."""
        ...

    def stray(self, section: str) -> str:
        """Why a key of the whole file that stands in a section is not where it was meant to be: "belongs to ..."."""
        ...

    def entry_place(self, key: str, *, is_first: bool) -> str:
        """Where one more table of a list goes: "at the end of ..."."""
        ...


@dataclass(frozen=True, slots=True)
class Document:
    """One configuration, whatever its format."""

    file: Path
    shown: str
    """The file as messages name it."""
    data: Mapping[str, Any]
    lines: Mapping[KeyPath, int]
    """The line of each key, from 1; paths are those of the file."""
    format: Format
    within: KeyPath = ()
    """The table of the file that is the configuration; `data` is what is in it, and so are paths without it."""
    default_main: str | None = None
    """The main module if the file does not say: the file itself, where it is Python."""

    def line_of(self, path: KeyPath) -> int | None:
        """The line of that key, or of the nearest thing around it that is there."""
        while path:
            if (*self.within, *path) in self.lines:
                return self.lines[(*self.within, *path)]
            path = path[:-1]
        return self.lines.get(self.within)
