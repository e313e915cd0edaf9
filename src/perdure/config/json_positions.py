"""On which line of a JSON text each key stands, and which keys stand there twice.

Must stay true: for any text that `json5` accepts, the paths found are exactly those of the parsed data; the text is known to
be valid, so nothing is checked here. See tests/config/test_json_positions.py.
"""

import re
from dataclasses import dataclass, field

import json5

from perdure.config.key_path import KeyPath

_BLANK = re.compile(r"(?:[\s\ufeff]|//[^\n\r\u2028\u2029]*|/\*.*?\*/)*", re.DOTALL)
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"|' + r"'(?:[^'\\]|\\.)*'", re.DOTALL)
_PLAIN = re.compile(r"[^\s,:\[\]{}\"'/]+")


@dataclass(slots=True)
class JsonPositions:
    """Where things stand in a text."""

    lines: dict[KeyPath, int] = field(default_factory=dict)
    """The line, from 1, of each key and list element."""
    twins: list[tuple[KeyPath, int, int]] = field(default_factory=list)
    """Keys that their object has already, with line and column."""


def scan(text: str) -> JsonPositions:
    """The places in a valid text."""
    scanner = _Scan(text)
    scanner.value(())
    return scanner.positions


class _Scan:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line = 1
        self._counted_to = 0
        self.positions = JsonPositions()

    def value(self, path: KeyPath) -> None:
        self._match(_BLANK)
        match self._text[self._at : self._at + 1]:
            case "{":
                self._object(path)
            case "[":
                self._list(path)
            case '"' | "'":
                self._match(_STRING)
            case _:
                self._match(_PLAIN)
        self._match(_BLANK)

    def _object(self, path: KeyPath) -> None:
        self._at += 1
        names: set[str] = set()
        while not self._takes("}"):
            line, column = self._here(), self._column()
            name = self._key()
            if name in names:
                self.positions.twins.append(((*path, name), line, column))
            names.add(name)
            self.positions.lines.setdefault((*path, name), line)
            self._takes(":")
            self.value((*path, name))
            self._takes(",")

    def _list(self, path: KeyPath) -> None:
        self._at += 1
        position = 0
        while not self._takes("]"):
            self.positions.lines[(*path, position)] = self._here()
            self.value((*path, position))
            position += 1
            self._takes(",")

    def _key(self) -> str:
        is_quoted = self._text[self._at] in "\"'"
        written = self._match(_STRING if is_quoted else _PLAIN)
        if "\\" not in written:
            return written[1:-1] if is_quoted else written
        (name,) = json5.loads(f"{{{written}: 0}}")
        return str(name)

    # The text

    def _here(self) -> int:
        self._line += self._text.count("\n", self._counted_to, self._at)
        self._counted_to = self._at
        return self._line

    def _column(self) -> int:
        return self._at - self._text.rfind("\n", 0, self._at)

    def _match(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        if found is None:
            return ""
        self._at = found.end()
        return found.group()

    def _takes(self, what: str) -> bool:
        """Go past it and what is blank around it, if it is next."""
        self._match(_BLANK)
        if not self._text.startswith(what, self._at):
            return False
        self._at += len(what)
        self._match(_BLANK)
        return True
