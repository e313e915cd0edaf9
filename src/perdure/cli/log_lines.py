"""What Perdure logs while it serves, as lines for the one who writes the project; errors of its code with its frames.

Only the loggers below `perdure` are shown here: what the project logs by itself goes where the project sends it.
See tests/cli/test_log_lines.py.
"""

import logging
from pathlib import Path
from types import TracebackType
from typing import Self

from perdure.cli.console import Console
from perdure.cli.user_frames import user_traceback


class LogLines(logging.Handler):
    """Shows warnings and errors on the console, from entering its block until the block ends."""

    def __init__(self, console: Console, root: Path) -> None:
        super().__init__(logging.WARNING)
        self._console = console
        self._root = root
        self._logger = logging.getLogger("perdure")
        self._propagated = self._logger.propagate

    def __enter__(self) -> Self:
        self._propagated = self._logger.propagate
        self._logger.propagate = False  # else a project that configures logging would show everything twice
        self._logger.addHandler(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._logger.removeHandler(self)
        self._logger.propagate = self._propagated

    def emit(self, record: logging.LogRecord) -> None:
        say = self._console.error if record.levelno >= logging.ERROR else self._console.warning
        say(record.getMessage())
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            self._console.traceback(user_traceback(error, self._root))
