"""On which line of a TOML text each key stands: `tomllib` does not tell, and a message without a line is half a message.

Must stay true: for any text that `tomllib` accepts, the paths found are exactly those of the parsed data; the text is known
to be valid, so nothing is checked here but how deep it goes. See tests/config/test_toml_positions.py.
"""

import re
import tomllib
from collections.abc import Mapping

from perdure.config.key_path import DEPTH_MAX, KeyPath
from perdure.config.syntax_problem import SyntaxProblem

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_INLINE_BLANK = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}\n#]*")
_STRINGS = (
    # Up to two quotes may stand right before the three that end a text of many lines.
    re.compile(r'"""(?:[^\\]|\\.)*?"{3,5}', re.DOTALL),
    re.compile(r"'''.*?'{3,5}", re.DOTALL),
    re.compile(r'"(?:[^"\\\n]|\\.)*"'),
    re.compile(r"'[^'\n]*'"),
)


def key_lines(text: str) -> Mapping[KeyPath, int]:
    """The line, from 1, of each key and array element of a valid TOML text; a table's is where it is first named."""
    scan = _Scan(text)
    scan.document()
    return scan.lines


class _Scan:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line = 1
        self._counted_to = 0
        self._lengths: dict[KeyPath, int] = {}
        """How many tables each array of tables has so far."""
        self.lines: dict[KeyPath, int] = {}

    def document(self) -> None:
        table: KeyPath = ()
        while self._skip(_BLANK) and self._at < len(self._text):
            if self._take("[["):
                table = self._array_table()
            elif self._take("["):
                table = self._header()
                self._skip(_INLINE_BLANK)
                self._take("]")
            else:
                self._assignment(table)

    # Headers

    def _array_table(self) -> KeyPath:
        line = self._here()
        path = self._header(within_last=False)
        self._skip(_INLINE_BLANK)
        self._take("]]")
        position = self._lengths.get(path, 0)
        self._lengths[path] = position + 1
        self.lines[(*path, position)] = line
        return (*path, position)

    def _header(self, *, within_last: bool = True) -> KeyPath:
        """A table's path; a name of an array of tables stands for its last one, except at the end of `[[...]]`."""
        line = self._here()
        path: KeyPath = ()
        *parents, last = self._key()
        for name in parents:
            path = self._last_table((*path, name), line)
        path = (*path, last)
        if within_last:
            return self._last_table(path, line)
        self.lines.setdefault(path, line)
        return path

    def _last_table(self, path: KeyPath, line: int) -> KeyPath:
        self.lines.setdefault(path, line)
        return (*path, self._lengths[path] - 1) if path in self._lengths else path

    # Keys and values

    def _assignment(self, table: KeyPath) -> None:
        line = self._here()
        path = table
        for name in self._key():
            path = (*path, name)
            self.lines.setdefault(path, line)
        self._skip(_INLINE_BLANK)
        self._take("=")
        self._skip(_INLINE_BLANK)
        self._value(path)

    def _key(self) -> list[str]:
        names: list[str] = []
        while True:
            self._skip(_INLINE_BLANK)
            if self._text[self._at] in "\"'":
                names.append(tomllib.loads(f"key = {self._string()}")["key"])
            else:
                names.append(self._match(_BARE_KEY))
            self._skip(_INLINE_BLANK)
            if not self._take("."):
                return names
            if len(names) > DEPTH_MAX:
                raise SyntaxProblem("this is nested too deep to be read", line=self._here())

    def _value(self, path: KeyPath) -> None:
        first = self._text[self._at]
        if first in "\"'":
            self._string()
        elif first == "[":
            self._array(path)
        elif first == "{":
            self._inline_table(path)
        else:
            self._match(_SCALAR)

    def _string(self) -> str:
        return next(text for pattern in _STRINGS if (text := self._match(pattern)))

    def _array(self, path: KeyPath) -> None:
        self._take("[")
        position = 0
        while self._skip(_BLANK) and not self._take("]"):
            self.lines[(*path, position)] = self._here()
            self._value((*path, position))
            position += 1
            self._skip(_BLANK)
            self._take(",")

    def _inline_table(self, path: KeyPath) -> None:
        self._take("{")
        while self._skip(_BLANK) and not self._take("}"):
            self._assignment(path)
            self._skip(_BLANK)
            self._take(",")

    # The text

    def _here(self) -> int:
        self._line += self._text.count("\n", self._counted_to, self._at)
        self._counted_to = self._at
        return self._line

    def _match(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        if found is None:
            return ""
        self._at = found.end()
        return found.group()

    def _skip(self, pattern: re.Pattern[str]) -> bool:
        self._match(pattern)
        return True

    def _take(self, what: str) -> bool:
        if not self._text.startswith(what, self._at):
            return False
        self._at += len(what)
        return True
