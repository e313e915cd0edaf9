"""`vars`: plain values that every request and object sees as `env.NAME`.

Must stay true: what is in it could stand in JSON (a date could not), so it means the same to every reader. See
tests/config/test_variables.py.
"""

import math
from collections.abc import Mapping
from typing import Any

from perdure.config.key_path import KeyPath
from perdure.config.problem import Findings
from perdure.config.shape import echo, kind_of, table_at
from perdure.config.snippet import Line, Section, Snippet, Value

_EXAMPLE = Section("vars", {"GREETING": "hello"})


def read_vars(data: Mapping[str, Any], findings: Findings) -> dict[str, Any]:
    """The variables; what cannot be one is reported."""
    if "vars" not in data:
        return {}
    table = table_at(("vars",), data["vars"], _EXAMPLE, findings) or {}
    for name, value in table.items():
        _check_value(("vars", name), value, findings)
    return dict(table)


def _check_value(path: KeyPath, value: object, findings: Findings) -> None:
    if isinstance(value, Mapping):
        for key, each in value.items():
            _check_value((*path, key), each, findings)
    elif isinstance(value, list):
        for position, each in enumerate(value):
            _check_value((*path, position), each, findings)
    elif isinstance(value, float) and not math.isfinite(value):
        shown = echo(value, findings)
        findings.error(path, f"is {shown}, which is no number in JSON", "write it as text", _as_text(path, shown))
    elif not (value is None or isinstance(value, str | bool | int | float)):
        shown = echo(value, findings)
        what = f"is {shown}, which is {kind_of(value)}, and a variable cannot be one"
        findings.error(path, what, "write it as text", _as_text(path, shown))


def _as_text(path: KeyPath, text: str) -> Snippet:
    return Line(path[-1], text) if isinstance(path[-1], str) else Value(text)
