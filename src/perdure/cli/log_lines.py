"""What is logged and printed while Perdure serves, as lines for the one who writes the project; errors with its frames only.

Shown here: warnings and errors of Perdure, what objects and Workers print, and what the project logs, unless the project
configured where that goes. Must stay true: what the project configures stays as it wants it; after the block logging is as
it was before. See tests/cli/test_log_lines.py.
"""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from perdure.cli.console import Console
from perdure.cli.user_frames import user_traceback
from perdure.host.log_context import marked_records
from perdure.host.printed import prints_as_records


class LogLines(logging.Handler):
    """Shows on the console, from entering its block until the block ends.

    level: from which on the project's own records are shown, and Perdure's below a warning with DEBUG only.
    """

    def __init__(self, console: Console, root: Path, *, level: int = logging.INFO) -> None:
        super().__init__()
        self._console = console
        self._root = root
        self._level = level
        self._undo = ExitStack()
        self._silent = False

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            undo.enter_context(marked_records())
            undo.enter_context(prints_as_records(everybodys=self._console.for_programs))
            self._take_ours(undo)
            self._take_what_nobody_else_shows(undo)
            self._undo = undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._undo.close()

    def turn_on_again(self) -> None:
        """After the project's code was loaded: logging configured from a dict turns off all loggers that it does not name."""
        for name, logger in list(logging.root.manager.loggerDict.items()):
            if isinstance(logger, logging.Logger) and (name == "perdure" or name.startswith("perdure.")):
                logger.disabled = False

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Inside the block nothing is shown: for what is done once more later."""
        self._silent = True
        try:
            yield
        finally:
            self._silent = False

    def emit(self, record: logging.LogRecord) -> None:
        if self._silent:
            return
        try:
            error = record.exc_info[1] if record.exc_info else None
            shown = "" if error is None else user_traceback(error, self._root)
            self._console.record(record, record.getMessage(), shown)
        except Exception:  # a message that does not fit its arguments; logging tells of it and the program goes on
            self.handleError(record)

    def _take_ours(self, undo: ExitStack) -> None:
        ours = logging.getLogger("perdure")
        undo.callback(setattr, ours, "propagate", ours.propagate)
        ours.propagate = False  # else a project that configures logging would show everything twice
        undo.callback(ours.setLevel, ours.level)
        ours.setLevel(self._level if self._level <= logging.DEBUG else max(self._level, logging.WARNING))
        ours.addHandler(self)
        undo.callback(ours.removeHandler, self)

    def _take_what_nobody_else_shows(self, undo: ExitStack) -> None:
        # Not a handler of the root logger: with one there, a project's basicConfig() would do nothing.
        undo.callback(setattr, logging, "lastResort", logging.lastResort)
        logging.lastResort = self  # what Python shows records with that no handler wants
        root = logging.getLogger()
        if root.level == logging.WARNING:  # Python's own choice, so far nobody's
            undo.callback(root.setLevel, root.level)
            root.setLevel(self._level)
