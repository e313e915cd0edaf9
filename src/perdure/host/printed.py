"""What object and Worker code prints becomes records of the logger `perdure.print`, one for each line (API-62).

Must stay true: nothing printed there is lost or said twice, a line without its end is said a moment later; what other code
writes to the standard output, logging's own handlers and debuggers included, passes untouched. See tests/host/test_printed.py.
"""

import asyncio
import logging
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import Context, copy_context
from typing import Any, Final, TextIO, cast

from perdure.objects.member import CURRENT
from perdure.objects.origin import ORIGIN

# Somebody who prints without ending the line wants to see it soon, and most go on with it in the same step.
PARTIAL_LINE_S = 0.2
# A line that never ends must not fill the memory.
LINE_CHARS_MAX = 64 * 1024
# These write for a person at this terminal, on behalf of whoever runs.
_TERMINAL_MODULES: Final = frozenset({"logging", "pdb", "bdb", "cmd"})

_log = logging.getLogger("perdure.print")


class _PartialLine:
    """What was printed of a line whose end has not come, and where."""

    __slots__ = ("context", "text")

    def __init__(self, context: Context) -> None:
        self.context = context
        self.text = ""


class PrintedLines:
    """Stands for the standard output: a stream that passes to `stream` what objects and Workers did not write."""

    def __init__(
        self, stream: TextIO, loop: asyncio.AbstractEventLoop | None = None, *, everybodys: bool = False
    ) -> None:
        """loop: where lines without an end are looked after; without it they wait for `flush` or `close_lines`.

        everybodys: other code's prints become records too, of no object.
        """
        self._stream = stream
        self._loop = loop
        self._everybodys = everybodys
        self._lock = threading.RLock()
        self._partial: dict[tuple[object, int], _PartialLine] = {}
        self._timer_set = False
        self._telling = threading.local()

    def write(self, text: str) -> int:
        caller = sys._getframe(1).f_globals.get("__name__")
        writer = CURRENT.get() or ORIGIN.get()
        if (
            (writer is None and not self._everybodys)
            or caller in _TERMINAL_MODULES
            or getattr(self._telling, "now", False)
        ):
            return self._stream.write(text)
        key = (writer, threading.get_ident())
        *whole, rest = text.split("\n")
        with self._lock:
            begun = self._partial.pop(key, None)
            if whole and begun is not None:
                whole[0] = begun.text + whole[0]
                begun = None
            if rest:
                begun = begun or _PartialLine(copy_context())
                begun.text += rest
            if begun is not None:
                if len(begun.text) > LINE_CHARS_MAX:
                    whole.append(begun.text)
                else:
                    self._partial[key] = begun
                    self._look_later()
        for line in whole:
            self._tell(line, level_up=3)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """As streams do; and a line that the running code has begun is said as it is."""
        with self._lock:
            begun = self._partial.pop((CURRENT.get() or ORIGIN.get(), threading.get_ident()), None)
        if begun is not None:
            self._tell(begun.text, level_up=3)
        self._stream.flush()

    def close_lines(self) -> None:
        """Say what was begun, whoever began it."""
        with self._lock:
            left = list(self._partial.values())
            self._partial.clear()
            self._timer_set = False
        for begun in left:
            begun.context.run(self._tell, begun.text, level_up=1)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _look_later(self) -> None:
        if self._loop is not None and not self._timer_set and not self._loop.is_closed():
            self._timer_set = True
            # In a bare context: a timer must not keep the object that happened to print.
            self._loop.call_soon_threadsafe(self._set_timer, context=Context())

    def _set_timer(self) -> None:
        assert self._loop is not None
        self._loop.call_later(PARTIAL_LINE_S, self.close_lines)

    def _tell(self, line: str, *, level_up: int) -> None:
        _log.disabled = False  # a project that configures logging turns off what it does not name, and means no prints
        self._telling.now = True
        try:
            _log.info(line.removesuffix("\r"), stacklevel=level_up)
        finally:
            self._telling.now = False


@contextmanager
def prints_as_records(*, everybodys: bool = False) -> Iterator[None]:
    """Within the block `sys.stdout` is a PrintedLines, and `perdure.print` says what it is told.

    everybodys: also what neither objects nor Workers print.

    Only for processes that Perdure starts itself: embedded, print stays print.
    """
    before, level = sys.stdout, _log.level
    lines = PrintedLines(before, _running_loop(), everybodys=everybodys)
    sys.stdout = cast(TextIO, lines)
    _log.setLevel(logging.INFO)
    try:
        yield
    finally:
        lines.close_lines()
        _log.setLevel(level)
        if sys.stdout is cast(TextIO, lines):
            sys.stdout = before


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
