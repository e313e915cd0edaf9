"""TOML: from text to a Document's data, and from values to lines that can be pasted.

Must stay true: a text that is not TOML is one problem with its line, the text of that line and, for the usual slips, what to
type instead. See tests/config/test_syntax.py.
"""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from typing import Any

from perdure.config.key_path import KeyPath
from perdure.config.snippet import Entry, Line, Section, Snippet, Value
from perdure.config.syntax_problem import SyntaxProblem, number_too_long
from perdure.config.toml_positions import key_lines

_PLACE = re.compile(r" \((?:at line (\d+), column (\d+)|at end of document)\)$")
_UNQUOTED = re.compile(r"^\s*([\w.\"-]+)\s*=\s*([^\s\"'\[{#][^#]*?)\s*(?:#.*)?$")
_COLON = re.compile(r"^\s*\"?([\w-]+)\"?\s*:\s*(.*?),?\s*$")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def parse_toml(text: str) -> tuple[dict[str, Any], Mapping[KeyPath, int]]:
    """The data of a TOML text and the line of each key. Raises SyntaxProblem."""
    try:
        return tomllib.loads(text), key_lines(text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax_problem(str(error), text) from error
    except ValueError as error:
        raise number_too_long() from error
    except RecursionError:
        raise SyntaxProblem("this is nested too deep to be read") from None


def toml_value(value: object) -> str:
    """A value as TOML writes it, in one line."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{toml_key(key)} = {toml_value(each)}" for key, each in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    if isinstance(value, Sequence):
        return f"[{', '.join(toml_value(each) for each in value)}]"
    return value.isoformat() if isinstance(value, date | time) else str(value)


def toml_key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else toml_value(key)


@dataclass(frozen=True, slots=True)
class TomlFormat:
    """TOML, or the part of a file that is TOML."""

    within: tuple[str, ...] = ()
    """The table that is the configuration; empty: the whole file."""
    line_prefix: str = ""
    """What each line begins with where TOML stands in comments."""
    table: str = "a table"

    @property
    def root_place(self) -> str:
        return f"right below the line {self._header()}" if self.within else "above the first [table] of the file"

    def value(self, value: object) -> str:
        return toml_value(value)

    def lines(self, snippet: Snippet) -> Sequence[str]:
        return [self.line_prefix + line for line in self._lines(snippet)]

    def stray(self, section: str) -> str:
        return f"belongs to the table {self._header(section)}, because it stands below that line"

    def entry_place(self, key: str, *, is_first: bool) -> str:
        return "at the end of the file"

    def _lines(self, snippet: Snippet) -> Sequence[str]:
        match snippet:
            case Line(key, value):
                return [_assignment(key, value)]
            case Value(value):
                return [toml_value(value)]
            case Entry(key, value):
                return [f"[{self._header(key)}]", *_body(value)]
            case Section(key, value):
                return self._section(key, value)

    def _section(self, key: str, value: Mapping[str, Any] | list[Any]) -> list[str]:
        if isinstance(value, list):
            return [line for each in value for line in (f"[{self._header(key)}]", *_body(each))]
        names = [key]
        while len(value) == 1 and isinstance(inner := next(iter(value.values())), Mapping):
            names, value = [*names, *value], inner
        return [self._header(*names), *_body(value)]

    def _header(self, *names: str) -> str:
        return f"[{'.'.join(map(toml_key, (*self.within, *names)))}]"


def _body(table: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    for key, value in table.items():
        if isinstance(value, list) and value and isinstance(value[0], Mapping):
            lines += [f"{toml_key(key)} = [", *(f"  {toml_value(each)}," for each in value), "]"]
        else:
            lines.append(_assignment(key, value))
    return lines


def _assignment(key: str, value: object) -> str:
    return f"{toml_key(key)} = {toml_value(value)}"


def _syntax_problem(message: str, text: str) -> SyntaxProblem:
    place = _PLACE.search(message)
    said = message[: place.start()] if place else message
    lines = text.removesuffix("\n").split("\n")
    if place is None or place.group(1) is None:
        line, mark = len(lines), ""
    else:
        line, mark = int(place.group(1)), " " * (int(place.group(2)) - 1) + "^"
    line_text = lines[line - 1] if line <= len(lines) else ""
    fix, snippet = _advice(said, line_text, at_end=not mark)
    shown = "\n".join(filter(None, [line_text.replace("\t", " "), mark])) if mark else ""
    column = f" at column {place.group(2)}" if place and mark else ""
    return SyntaxProblem(
        f"this is not valid TOML: {_as_part(said)}{column}", line=line, text=shown, fix=fix, snippet=snippet
    )


def _as_part(said: str) -> str:
    return said[:1].lower() + said[1:]


def _advice(said: str, line: str, *, at_end: bool) -> tuple[str, str]:
    if "Invalid initial character for a key part" in said and "{" in line:
        return "an inline table { ... } has to stand on one line; write it like this", (
            'bindings = [\n  { name = "ROOM", class_name = "Room" },\n  { name = "USER", class_name = "User" },\n]'
        )
    if said == "Invalid value" and (unquoted := _UNQUOTED.match(line)):
        key, value = unquoted.groups()
        if value in ("True", "False"):
            return "TOML writes it in lower case", f"{key} = {value.lower()}"
        return "text has to stand in quotes", f"{key} = {toml_value(value)}"
    if said.startswith("Expected '='") and (colon := _COLON.match(line)):
        key, value = colon.groups()
        return "TOML writes `=` between a key and its value", f"{key} = {value}"
    if said.startswith("Illegal character '\\n'"):
        return "a text has to end on its line: look for the missing quote", ""
    if said.startswith("Unescaped '\\'"):
        return "write / in paths, or put the text in single quotes: 'C:\\folder'", ""
    if said.startswith("Cannot overwrite") or said.startswith("Cannot declare"):
        fix = "a key or [table] may be there once"
        return f"{fix}; a list of tables is written [[name]] every time, as in [[migrations]]", ""
    if at_end:
        return "something that was opened is not closed: look for a missing quote, ] or }", ""
    return "", ""
