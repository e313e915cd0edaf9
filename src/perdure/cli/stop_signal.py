"""Ctrl-C and SIGTERM: the first asks to stop, the second does not ask.

Must stay true: both work while user code holds the loop, in an import that never ends too. Handlers of the interpreter,
not of the loop: the loop's own would wait for that code. See tests/host/test_dev_process.py."""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

from perdure.cli.exit_code import ExitCode

T = TypeVar("T")

STOPPING = (signal.SIGINT, signal.SIGTERM)


class StopSignal:
    """Set once somebody wants this process to end."""

    def __init__(self, on_first: Callable[[], None], on_second: Callable[[], None] | None) -> None:
        self._loop = asyncio.get_running_loop()
        self._wanted = asyncio.Event()
        self._asked = False
        self._on_first = on_first
        self._on_second = on_second

    async def wait(self) -> None:
        await self._wanted.wait()

    def ask(self) -> None:
        """Want it to end, without a signal. For the loop's thread."""
        self._asked = True
        self._wanted.set()

    async def unless_stopped(self, work: Coroutine[Any, Any, T]) -> T | None:
        """The result of `work`; None if the stop came first, and `work` was cancelled for it."""
        task, stopped = asyncio.ensure_future(work), asyncio.ensure_future(self.wait())
        await asyncio.wait((task, stopped), return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait((task,))
        return None if task.cancelled() else task.result()

    def _receive(self, signum: int, frame: FrameType | None) -> None:
        if self._asked and signum == signal.SIGINT:
            if self._on_second is not None:
                self._on_second()
            os._exit(ExitCode.INTERRUPTED)
        if not self._asked:
            self._asked = True
            self._on_first()
            self._loop.call_soon_threadsafe(self._wanted.set)


@contextmanager
def stop_signal(
    on_first: Callable[[], None],
    *,
    on_second: Callable[[], None] | None = None,
    signals: Sequence[signal.Signals] = STOPPING,
) -> Iterator[StopSignal]:
    """Catches the signals inside the block; `on_first` is called when the first one comes, wherever the program is then,
    and `on_second` before a second Ctrl-C ends it."""
    stop = StopSignal(on_first, on_second)
    before = {signum: signal.signal(signum, stop._receive) for signum in signals}
    try:
        yield stop
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
