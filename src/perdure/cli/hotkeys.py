"""Single keys on the terminal of `perdure dev`: browser, clear, objects, reload, quit.

Must stay true: a terminal is as it was before once this ends, however that is, SIGKILL excepted; without a terminal, or in
the background, nothing is read. See tests/cli/test_hotkeys.py.
"""

import asyncio
import importlib
import os
import re
import signal
import sys
import termios
import tty
import webbrowser
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

from perdure.cli.console import Console

HELP = "Keys: b browser, o objects, r reload, c clear, q quit, ? help"
# Cursor home, clear the screen, clear what has scrolled out of it.
CLEAR = "\x1b[H\x1b[2J\x1b[3J"
READ_BYTES = 256
# What an arrow or a function key sends; its letters mean nothing here.
_SEQUENCE = re.compile(rb"\x1b(?:\[[0-9;]*[A-Za-z~]|O[A-Za-z])")


class Hotkeys:
    """Acts on keys inside its block."""

    def __init__(
        self,
        console: Console,
        *,
        reload: Callable[[], None],
        quit: Callable[[], None],
        url: Callable[[], str],
        terminal: int = 0,
    ) -> None:
        """url: where the project is served; "" as long as it is not. terminal: a descriptor; the standard input's."""
        self._console = console
        self._reload = reload
        self._quit = quit
        self._url = url
        self._terminal = terminal
        self._before: list[Any] | None = None
        self._continued: Any = None
        self._running: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Self:
        if _is_ours(self._terminal) and sys.stdout.isatty():
            self._before = termios.tcgetattr(self._terminal)
            tty.setcbreak(self._terminal)
            asyncio.get_running_loop().add_reader(self._terminal, self._read)
            # A shell gives the terminal back as it likes it.
            self._continued = signal.signal(signal.SIGCONT, self._again)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._before is not None:
            asyncio.get_running_loop().remove_reader(self._terminal)
            signal.signal(signal.SIGCONT, self._continued)
            for task in self._running:
                task.cancel()
            self.restore()

    def explain(self) -> None:
        """Say which keys there are, if they are read."""
        if self._before is not None:
            self._console.line(HELP)

    def restore(self) -> None:
        """The terminal as it was; may be called at any moment."""
        if self._before is not None and _is_ours(self._terminal):
            termios.tcsetattr(self._terminal, termios.TCSADRAIN, self._before)

    def _again(self, signum: int, frame: FrameType | None) -> None:
        if _is_ours(self._terminal):
            tty.setcbreak(self._terminal)

    def _read(self) -> None:
        try:
            typed = os.read(self._terminal, READ_BYTES)
        except OSError:
            typed = b""
        if not typed:  # the terminal is gone
            asyncio.get_running_loop().remove_reader(self._terminal)
        for key in _SEQUENCE.sub(b"", typed).decode("ascii", "ignore").lower():
            self._act(key)

    def _act(self, key: str) -> None:
        match key:
            case "b":
                self._in_background(self._browse())
            case "c":
                self._console.line(CLEAR)
            case "o":
                self._in_background(self._show_objects())
            case "r":
                self._reload()
            case "q" | "x":
                self._quit()
            case "h" | "?":
                self._console.line(HELP)

    def _in_background(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _browse(self) -> None:
        if url := self._url():
            opened = await asyncio.to_thread(webbrowser.open, url)
            self._console.line(f"Opened {url}" if opened else f"No browser was found for {url}")

    async def _show_objects(self) -> None:
        if url := self._url():
            for line in await asyncio.to_thread(_object_lines, url):
                self._console.line(line)


def _object_lines(url: str) -> list[str]:
    # An HTTP client is a sixth of what the parent imports, and few press this key before the first reply.
    lines: list[str] = importlib.import_module("perdure.cli.hotkeys_objects").object_lines(url)
    return lines


def _is_ours(terminal: int) -> bool:
    """Whether it is a terminal, and this process in front of it: to touch it from the background stops a process."""
    try:
        return os.isatty(terminal) and os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
