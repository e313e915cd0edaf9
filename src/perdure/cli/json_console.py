"""`--log-format json`: all that a serving command says is one JSON object a line, on the standard output.

Must stay true: each line parses by itself, with `time`, `level`, `event` and `message`; what else it has is in the table of
docs/guides/observability.md. See tests/cli/test_log_format.py.
"""

import asyncio
import json
import logging
import os
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, ClassVar

from typing_extensions import override

from perdure.cli.console import Console
from perdure.host.log_context import running_origin
from perdure.model.errors import ConfigError, PerdureError
from perdure.objects.origin import number_of
from perdure.workers.import_space import plain_name

# What a record's attributes are called in a line.
_FIELDS = (("class", "perdure_class"), ("object", "perdure_object"), ("request", "perdure_request"))


class JsonConsole(Console):
    """A console for programs. Blank lines, which space out what people read, are left out."""

    for_programs: ClassVar[bool] = True

    @override
    def line(self, text: str = "") -> None:
        if text.strip():
            self._say("message", "info", text)

    @override
    def line_amid_anything(self, text: str) -> None:
        with suppress(OSError, ValueError):  # not a file, or nobody reads it
            os.write(self._out.fileno(), _encoded("message", "info", text).encode())

    @override
    def request_line(self, method: str, path: str, status: int, took_ms: float) -> None:
        if not self._lines:
            asyncio.get_running_loop().call_soon(self._flush_lines)
        origin = running_origin()
        self._lines.append(
            _encoded(
                "request",
                "info",
                f"{method or '-'} {path or '-'} {status or '-'}",
                method=method,
                path=path,
                status=status,
                duration_ms=round(took_ms, 3),
                # None for what was answered, or refused, before any code ran.
                request=None if origin is None else number_of(origin),
            )
        )

    @override
    def ready(self, url: str) -> None:
        self._say("ready", "info", f"Ready on {url}", url=url)

    @override
    def failure(self, which: str, traceback: str) -> None:
        origin = running_origin()
        request = None if origin is None else number_of(origin)
        self._say("failure", "error", which, traceback=traceback, request=request)

    @override
    def record(self, record: logging.LogRecord, message: str, traceback: str) -> None:
        fields: dict[str, Any] = {name: getattr(record, attribute, "") or None for name, attribute in _FIELDS}
        fields |= {"logger": plain_name(record.name), "file": record.pathname, "line": record.lineno}
        fields["traceback"] = traceback or None
        self._say("record", record.levelname.lower(), message, at=record.created, **fields)

    @override
    def warning(self, text: str) -> None:
        self._say("message", "warning", text)

    @override
    def error(self, text: str) -> None:
        self._say("message", "error", text)

    @override
    def refusal(self, error: PerdureError) -> None:
        problems = [str(problem) for problem in error.problems] if isinstance(error, ConfigError) else None
        parts: dict[str, Any] = {
            "code": error.code,
            "where": error.where,
            "why": error.why,
            "next_step": error.next_step,
        }
        self._say(
            "refusal", "error", error.what, problems=problems, **{name: part or None for name, part in parts.items()}
        )

    def _say(self, event: str, level: str, message: str, *, at: float | None = None, **fields: Any) -> None:
        self._flush_lines()
        self._write(_encoded(event, level, message, at=at, **fields))


def _encoded(event: str, level: str, message: str, *, at: float | None = None, **fields: Any) -> str:
    moment = datetime.fromtimestamp(time.time() if at is None else at, UTC)
    stamp = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    said = {"time": stamp, "level": level, "event": event, "message": message}
    said |= {name: value for name, value in fields.items() if value is not None}
    # In ASCII: what ends a line elsewhere (U+0085, U+2028) doesn't in here, and no byte of a client steers a terminal.
    return json.dumps(said, separators=(",", ":")) + "\n"
