"""What commands say to people: lines on stdout, problems on stderr, in colour on a terminal and plain elsewhere.

Must stay true: without a terminal, or with NO_COLOR set, no escape sequence is written; each line is out as soon as the
loop has a moment, so a program that reads them need not wait; a reader that went away stops the talking, not the
server. See tests/cli/test_console.py."""

import asyncio
import io
import logging
import os
import sys
from contextlib import suppress
from typing import ClassVar, TextIO

from perdure.host.log_context import label_of
from perdure.host.mask import Mask
from perdure.model.errors import ConfigError, PerdureError

STATUS_COLOURS = {2: "green", 3: "cyan", 4: "yellow", 5: "red"}
# Select Graphic Rendition of ECMA-48.
_SGR = {"red": 31, "green": 32, "yellow": 33, "cyan": 36}


class Console:
    """The standard streams of this process, as a command uses them."""

    for_programs: ClassVar[bool] = False
    """Whether a program reads it, to which a line in another form is noise."""

    def __init__(self, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._err = err or sys.stderr
        self._colours = wants_colours(self._out)
        self._err_colours = wants_colours(self._err)
        self.mask = Mask()
        """Hides what must not be shown, in all that is said."""
        self._lines: list[str] = []
        # How a status is shown; at most one entry for each status that there is.
        self._statuses: dict[int, str] = {}

    def line(self, text: str = "") -> None:
        """One line, now."""
        self._flush_lines()
        self._write(f"{text}\n")

    def line_amid_anything(self, text: str) -> None:
        """One line from a signal's handler, which may have interrupted the writing of another."""
        with suppress(OSError, ValueError):  # not a file, or nobody reads it
            os.write(self._out.fileno(), f"{text}\n".encode())

    def stopping(self) -> None:
        """A stop was asked for; from a signal's handler."""
        self.line_amid_anything("Stopping: running requests may end; Ctrl-C again does not wait for them")

    def request_line(self, method: str, path: str, status: int, took_ms: float) -> None:
        """One request; `-` stands for a method that could not be read and for a status that nobody was there to get.

        For the loop's thread: lines of one turn of the loop are written at once.
        """
        if not self._lines:
            asyncio.get_running_loop().call_soon(self._flush_lines)
        if not path.isprintable():  # bytes of a client must not steer this terminal
            path = path.encode("unicode_escape").decode("ascii")
        shown = self._statuses.get(status) or self._show_status(status)
        self._lines.append(f"{method or '-'} {path or '-'} {shown} {round(took_ms)}ms\n")

    def _show_status(self, status: int) -> str:
        shown = self._statuses[status] = self.coloured(str(status or "-"), STATUS_COLOURS.get(status // 100))
        return shown

    def coloured(self, text: str, colour: str | None, *, bold: bool = False) -> str:
        return styled(text, colour, bold=bold) if self._colours else text

    def warning(self, text: str) -> None:
        self._complain("warning", "yellow", text)

    def error(self, text: str) -> None:
        self._complain("error", "red", text)

    def refusal(self, error: PerdureError) -> None:
        """An error of ours that ends a command: what, where and why, then the next step on a line of its own."""
        self.error(f"{error.what} ({error.where})" if error.where else error.what)
        if isinstance(error, ConfigError):
            for problem in error.problems:
                self._write_err(f"  - {problem}\n")
        if error.why:
            self._write_err(f"  {error.why}\n")
        if error.next_step:
            self._write_err(f"  {self._err_styled('next:', 'cyan')} {error.next_step}\n")

    def ready(self, url: str) -> None:
        """The address answers from now on; the line that programs wait for."""
        self.line(f"Ready on {self.coloured(url, 'green')}")

    def failure(self, which: str, traceback: str) -> None:
        """Somebody's program raised; `traceback` leads to where."""
        self.error(which)
        self._write_err(traceback if traceback.endswith("\n") else f"{traceback}\n")

    def record(self, record: logging.LogRecord, message: str, traceback: str) -> None:
        """What was logged, and the traceback that belongs to it, if one does."""
        label = label_of(record)
        if label and not message.startswith(label):
            message = f"{label}: {message}"
        if record.levelno >= logging.ERROR:
            self.error(message)
        elif record.levelno >= logging.WARNING:
            self.warning(message)
        else:
            self.line(message)
        if traceback:
            self._write_err(traceback if traceback.endswith("\n") else f"{traceback}\n")

    def _complain(self, kind: str, colour: str, text: str) -> None:
        self._write_err(f"{self._err_styled(f'{kind}:', colour)} {text}\n")

    def _err_styled(self, text: str, colour: str) -> str:
        return styled(text, colour, bold=True) if self._err_colours else text

    def _flush_lines(self) -> None:
        if self._lines:
            text = "".join(self._lines)
            self._lines.clear()
            self._write(text)

    def _write(self, text: str) -> None:
        write_whole(self._out, self.mask(text))

    def _write_err(self, text: str) -> None:
        self._flush_lines()  # else a request could stand after the error that it led to
        write_whole(self._err, self.mask(text))


def styled(text: str, colour: str | None, *, bold: bool = False) -> str:
    """`text` between the escape sequences of a terminal."""
    codes = ([_SGR[colour]] if colour else []) + ([1] if bold else [])
    return f"\x1b[{';'.join(map(str, codes))}m{text}\x1b[0m" if codes else text


def wants_colours(stream: TextIO) -> bool:
    """By no-color.org: NO_COLOR set to anything but nothing means none."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def write_whole(stream: TextIO, text: str) -> None:
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        # `perdure dev | head`: nobody listens any more. Point the stream elsewhere, or Python complains again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def tune_streams() -> None:
    """Lines leave this process when they end, whoever prints them, and no character stops them."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # else somebody's stand-in for it
            stream.reconfigure(line_buffering=True, errors="backslashreplace")
