"""JSON as people write configurations: with comments, commas after the last element, and whatever else JSON5 allows.

Must stay true: `.json` and `.jsonc` are read alike (CFG-4); a text that cannot be read is one problem with its line, the text
of that line and what to type instead. See tests/config/test_json_syntax.py.
"""

import re
from collections.abc import Mapping
from typing import Any

import json5

from perdure.config.json_positions import JsonPositions, scan
from perdure.config.key_path import KeyPath, key_text
from perdure.config.syntax_problem import SyntaxProblem, marked, number_too_long

_PLACE = re.compile(r"^<string>:(\d+) (.*) at column (\d+)$", re.DOTALL)
_WORD = re.compile(r"\b(True|False|None)\b")
_JSON_WORDS = {"True": "true", "False": "false", "None": "null"}
_EXAMPLE = '{\n  "name": "my-worker",\n  "main": "main.py"\n}'
_ALMOST_AT_END = "the file ends too early: look for a missing quote, ], } or */"


def parse_json(text: str) -> tuple[dict[str, Any], Mapping[KeyPath, int]]:
    """The data of a JSON text and the line of each key. Raises SyntaxProblem."""
    try:
        data = json5.loads(text)
        positions = scan(text)
    except RecursionError:
        raise SyntaxProblem("this is nested too deep to be read") from None
    except ValueError as error:
        raise _syntax_problem(str(error), text) from error
    if not isinstance(data, dict):
        raise SyntaxProblem("a configuration is an object", line=1, fix="begin and end the file with", snippet="{\n}")
    _refuse_twins(positions, text)
    return _whole_characters(data, (), positions), positions.lines


def _refuse_twins(positions: JsonPositions, text: str) -> None:
    """The parser would take the last one without a word."""
    for path, line, column in positions.twins:
        raise SyntaxProblem(
            f"`{key_text(path)}` is there a second time (the first: line {positions.lines[path]})",
            line=line,
            text=marked(text, line, column),
            fix="keep the one that is right",
        )


def _whole_characters(value: Any, path: KeyPath, positions: JsonPositions) -> Any:
    r"""The value with \ud83d\ude00, which the parser leaves as two halves, as the one character that it is."""
    if isinstance(value, dict):
        return {
            _whole_characters(key, (*path, key), positions): _whole_characters(each, (*path, key), positions)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [_whole_characters(each, (*path, position), positions) for position, each in enumerate(value)]
    if not isinstance(value, str):
        return value
    try:
        return value.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise SyntaxProblem(
            "there is half a character in this text: a \\ud800 to \\udfff that stands alone",
            line=positions.lines.get(path),
            fix="write the character itself",
        ) from None


def _syntax_problem(message: str, text: str) -> SyntaxProblem:
    place = _PLACE.match(message)
    if place is None and text.strip():
        return number_too_long()
    if place is None:
        return SyntaxProblem("this is empty", fix="begin with", snippet=_EXAMPLE)
    line, said, column = int(place.group(1)), place.group(2), int(place.group(3))
    if "end of input" in said:
        return SyntaxProblem(f"this is not valid JSON: {_ALMOST_AT_END}", line=text.removesuffix("\n").count("\n") + 1)
    line_text = text.split("\n")[line - 1]
    # Where a comma may or may not come, the parser is one character further when it gives up.
    column -= line_text[max(column - 2, 0) : column - 1] in ("#", ",") and line_text[column - 1 : column] in " \t}]"
    found = line_text[column - 1 : column]
    fix, snippet = _advice(found, _before(text, line, column), line_text)
    what = f"unexpected {found or 'end of the line'} at column {column}"
    return SyntaxProblem(
        f"this is not valid JSON: {what}", line=line, text=marked(text, line, column), fix=fix, snippet=snippet
    )


def _before(text: str, line: int, column: int) -> str:
    """The last character before that place which is not blank."""
    lines = text.split("\n")
    return ("\n".join(lines[: line - 1]) + lines[line - 1][: column - 1]).rstrip()[-1:]


def _advice(found: str, before: str, line: str) -> tuple[str, str]:
    if _WORD.search(line):
        return "JSON writes it in lower case", _WORD.sub(lambda each: _JSON_WORDS[each.group()], line).strip()
    if not found:
        return "a text has to end on its line: look for the missing quote", ""
    if found == "=":
        return "JSON writes `:` between a key and its value", line.replace("=", ":", 1).strip()
    if found == "#":
        return "a comment begins with //", ""
    if found in "\"'{[" and before not in "{[,:":
        return "a comma is missing before it", ""
    if found == "," and before in "{[,":
        return "there is a comma too many", ""
    if before == ":":
        return "text has to stand in quotes", ""
    return "", ""
