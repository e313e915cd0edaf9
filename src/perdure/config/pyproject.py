"""`[tool.perdure]` in pyproject.toml: is it there, and what is in it.

Must stay true: a pyproject.toml that says nothing of Perdure is none of its business. See tests/config/test_pyproject.py.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from perdure.config.key_path import KeyPath
from perdure.config.syntax_problem import SyntaxProblem
from perdure.config.text_file import read_text
from perdure.config.toml_text import parse_toml

PYPROJECT_NAME = "pyproject.toml"
TABLE = ("tool", "perdure")
_MENTION = re.compile(r"^\s*\[{1,2}\s*tool\s*\.\s*[\"']?perdure\b", re.MULTILINE)


def is_configuration(file: Path) -> bool:
    """Is there a table for Perdure in it? One that cannot be read counts if it looks like it, so that it is said."""
    try:
        text = read_text(file)
    except SyntaxProblem:
        return _is_mentioned(file)
    if "perdure" not in text:
        return False
    try:
        data, _ = parse_toml(text)
    except SyntaxProblem:
        return _MENTION.search(text) is not None
    return TABLE[1] in _tools(data)


def _is_mentioned(file: Path) -> bool:
    try:
        return _MENTION.search(file.read_bytes().decode(errors="replace")) is not None
    except OSError:
        return False


def parse_pyproject(text: str) -> tuple[dict[str, Any], Mapping[KeyPath, int]]:
    """What is in the table, and the lines of the whole file. Raises SyntaxProblem, also if there is no such table."""
    data, lines = parse_toml(text)
    tools = _tools(data)
    if TABLE[1] not in tools:
        fix = "add, or name another file after -c"
        raise SyntaxProblem("there is no configuration in it", fix=fix, snippet='[tool.perdure]\nname = "my-worker"')
    table = tools[TABLE[1]]
    if not isinstance(table, dict):
        raise SyntaxProblem(
            "`tool.perdure` has to be a table", line=lines.get(TABLE), fix="write", snippet="[tool.perdure]"
        )
    return table, lines


def _tools(data: Mapping[str, Any]) -> Mapping[str, Any]:
    tools = data.get(TABLE[0])
    return tools if isinstance(tools, dict) else {}
