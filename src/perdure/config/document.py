"""A configuration file, parsed: plain data, and the line on which each key stands.

This is where formats end: whatever a file is written in, what checks it sees a `Document` (one check for all formats). A
file that cannot be parsed is one problem, which shows the line. See tests/config/test_syntax.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perdure.config.positions import KeyPath

__all__ = ["Document", "KeyPath", "SyntaxProblem"]


@dataclass(frozen=True, slots=True)
class Document:
    """One configuration, whatever its format."""

    file: Path
    shown: str
    """The file as messages name it."""
    data: Mapping[str, Any]
    lines: Mapping[KeyPath, int]
    """The line of each key, from 1."""
    line_prefix: str = ""
    """What each line to paste begins with in this file."""
    default_main: str | None = None
    """The main module if the file does not say: the file itself, where it is Python."""

    def line_of(self, path: KeyPath) -> int | None:
        """The line of that key, or of the nearest thing around it that is there."""
        while path:
            if path in self.lines:
                return self.lines[path]
            path = path[:-1]
        return None


class SyntaxProblem(Exception):
    """The file is not in its format; a problem to report, raised from the parser to whoever reports."""

    def __init__(self, what: str, *, line: int | None = None, text: str = "", fix: str = "", snippet: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.line = line
        self.text = text
        """The line's text and, below it, a mark at the column."""
        self.fix = fix
        self.snippet = snippet
