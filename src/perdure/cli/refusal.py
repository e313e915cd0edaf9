"""How a command says that it could not do it: to people on stderr, to programs as one JSON object on stdout.

Must stay true: with `--json` stdout is exactly one object, whatever happens. See tests/cli/test_refusal.py.
"""

import json
from typing import Any

from perdure.cli.console import Console
from perdure.cli.exit_code import ExitCode
from perdure.model.errors import ConfigError, PerdureError


def refuse(error: PerdureError, console: Console, *, as_json: bool, code: ExitCode) -> ExitCode:
    """Say it; gives `code`."""
    if as_json:
        console.line(json.dumps({"error": as_object(error)}))
    else:
        console.refusal(error)
    return code


def refuse_here(error: PerdureError, *, as_json: bool, code: ExitCode) -> ExitCode:
    """The same on this process's streams, for what has no console yet."""
    return refuse(error, Console(), as_json=as_json, code=code)


def as_object(error: PerdureError) -> dict[str, Any]:
    """An error of ours for programs; the keys are those of PerdureError."""
    shown: dict[str, Any] = {
        "code": error.code,
        "what": error.what,
        "where": error.where,
        "why": error.why,
        "next_step": error.next_step,
    }
    if isinstance(error, ConfigError):
        shown["problems"] = list(error.problems)
    return shown
