"""From a file to a Document, by the format that its name says.

Must stay true: whatever is in the file, the answer is a Document or a ConfigError that shows the place. See
tests/config/test_formats.py.
"""

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from perdure.config.document import Document
from perdure.config.identity import slug
from perdure.config.inline_block import LINE_PREFIX, parse_inline_block
from perdure.config.json_format import JsonFormat
from perdure.config.key_path import DEPTH_MAX, KeyPath
from perdure.config.problem import INDENT, Problem, Severity
from perdure.config.pyproject import PYPROJECT_NAME, TABLE, parse_pyproject
from perdure.config.syntax_problem import SyntaxProblem
from perdure.config.text_file import read_text
from perdure.config.toml_text import TomlFormat, parse_toml
from perdure.model.errors import ConfigError

_Parse = Callable[[str], tuple[dict[str, Any], Mapping[KeyPath, int]]]


def read_document(file: Path, *, shown: str) -> Document:
    """The configuration in a file. shown: what messages call it. Raises ConfigError."""
    try:
        document = _parsed(file, shown, read_text(file))
        _refuse_depth(document.lines)
        return document
    except SyntaxProblem as problem:
        raise ConfigError(
            what=f"{file.name} cannot be read", where=str(file), problems=[str(syntax_error(shown, problem))]
        ) from problem.__cause__


def syntax_error(shown: str, problem: SyntaxProblem) -> Problem:
    """What is said of a file that cannot be read."""
    snippet = tuple(problem.snippet.splitlines())
    what = "\n".join([problem.what, *(f"{INDENT}{line}" for line in problem.text.splitlines())])
    return Problem(Severity.ERROR, shown, problem.line, "", what, problem.fix, snippet)


def _parsed(file: Path, shown: str, text: str) -> Document:
    if file.suffix == ".py":
        data, lines = parse_inline_block(text, name=slug(file.stem))
        return Document(file, shown, data, lines, TomlFormat(line_prefix=LINE_PREFIX), default_main=file.name)
    if file.suffix in (".json", ".jsonc"):
        data, lines = _parse_json(text)
        return Document(file, shown, data, lines, JsonFormat())
    if file.name == PYPROJECT_NAME:
        data, lines = parse_pyproject(text)
        return Document(file, shown, data, lines, TomlFormat(TABLE), within=TABLE)
    data, lines = parse_toml(text)
    return Document(file, shown, data, lines, TomlFormat())


def _refuse_depth(lines: Mapping[KeyPath, int]) -> None:
    for path, line in lines.items():
        if len(path) > DEPTH_MAX:
            raise SyntaxProblem("this is nested too deep to be read", line=line)


def _parse_json(text: str) -> tuple[dict[str, Any], Mapping[KeyPath, int]]:
    # Imported when there is JSON: its parser takes longer to import than most configurations to read.
    parse: _Parse = importlib.import_module("perdure.config.json_text").parse_json
    return parse(text)
