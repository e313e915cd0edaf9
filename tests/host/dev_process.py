"""`perdure dev` as a process of its own, as a person starts it."""

import os
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from tests.counted_lines import counting

PERDURE = Path(sys.executable).with_name("perdure")
# Far more than it takes: a loaded machine must not fail a test that is right.
PATIENCE_S = 30.0
_READY = re.compile(r"^Ready on (https?://\S+)$")


class DevProcess:
    """Starts `perdure dev` in `folder`; `url` once it is ready. Leaving the block kills it.

    reload: by a parent and a child, as people have it; else one process, which owns the data, so that a kill meets that.
    program: what to start instead of the installed command, for a fault that is to be planted in it.
    """

    def __init__(
        self,
        folder: Path,
        *options: str,
        command: tuple[str, ...] = ("dev",),
        port: int | None = 0,
        reload: bool = False,
        program: tuple[str, ...] = (str(PERDURE),),
    ) -> None:
        port_options = () if port is None else ("--port", str(port))
        reload_options = () if reload or command[:1] != ("dev",) else ("--no-reload",)
        # A session of its own: a Ctrl-C at the test's terminal must not reach it by itself.
        self.process = subprocess.Popen(
            [*program, *command, *port_options, *reload_options, *options],
            cwd=folder,
            env={**os.environ, **(counting() if reload else {}), "PYTHONUNBUFFERED": ""},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.lines: list[str] = []
        self.problems: list[str] = []
        self._arrived: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._readers = [
            threading.Thread(target=self._read, args=(self.process.stdout, self.lines)),
            threading.Thread(target=self._read, args=(self.process.stderr, self.problems)),
        ]
        for reader in self._readers:
            reader.start()
        self.url = ""
        self._client = httpx.Client(timeout=PATIENCE_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.kill()

    def wait_ready(self) -> Self:
        """Returns once it answers. Fails with what it said if it ended instead."""
        # By number: a bare machine cannot resolve the name.
        self.url = self.wait_line(_READY)[1].replace("//localhost:", "//127.0.0.1:")
        return self

    def wait_line(self, pattern: str | re.Pattern[str]) -> re.Match[str]:
        """The first line, of either stream, that the pattern is found in, from those not waited for yet."""
        while (line := self._arrived.get(timeout=PATIENCE_S)) is not None:
            if found := re.search(pattern, line):
                return found
        raise AssertionError(f"it ended without a line like {pattern!r}:\n{self.said}")

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self._client.request(method, f"{self.url}{path}", **options)

    def get(self, path: str) -> httpx.Response:
        return self.request("GET", path)

    def post(self, path: str, text: str) -> httpx.Response:
        return self.request("POST", path, content=text, headers={"content-type": "text/plain"})

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """As `kill -9` does: it gets no say."""
        self.process.kill()
        self.wait_end()

    def kill_soon(self, delay_s: float) -> None:
        """`kill -9` a little later, amid whatever it does then."""
        threading.Timer(delay_s, self.process.kill).start()

    def wait_end(self) -> int:
        """Its exit code; all that it said is in `lines` and `problems` then."""
        code = self.process.wait(timeout=PATIENCE_S)
        for reader in self._readers:
            reader.join()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()
        self._client.close()
        return code

    @property
    def said(self) -> str:
        return "\n".join([*self.lines, *self.problems])

    def _read(self, stream: Iterable[str], into: list[str]) -> None:
        for line in stream:
            into.append(line.rstrip("\n"))
            self._arrived.put(line.rstrip("\n"))
        self._arrived.put(None)
