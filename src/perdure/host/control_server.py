"""The server behind `control.sock`: answers for the folder that this process has open.

Must stay true: a client that is slow, wrong or gone harms nobody else; while the folder is this process's, a socket that lies
in it from before is nobody's and is replaced; it is gone before the folder is another's. See tests/host/test_control.py.
"""

import asyncio
import contextlib
import logging
import os
import socket
from functools import partial
from pathlib import Path

import msgspec

from perdure.host.contents import Progress
from perdure.host.control_channel import (
    REQUEST_BYTES_MAX,
    REQUESTS,
    SOCKET,
    Answer,
    Refusal,
    TooLong,
    message,
    receive,
    socket_path,
)
from perdure.host.inspection import Inspection
from perdure.model.errors import PerdureError

_log = logging.getLogger("perdure.worker")

CLIENTS_MAX = 32
"""At the same time; further ones are let go at once. Each may hold an answer of some MiB in memory."""
RECEIVE_S = 10.0
"""A client that has connected has its request ready."""
CLOSE_S = 1.0
"""What is being answered when the process ends may take so long, and is cut off then."""
SEND_S = 60.0
"""A terminal that shows a long answer takes its time; one that is stopped is not waited for."""


class ControlServer:
    """Made by `start`, which needs the folder's lock."""

    def __init__(self, inspection: Inspection) -> None:
        self._inspection = inspection
        self._clients: set[asyncio.Task[None]] = set()
        self._answering: set[asyncio.Task[None]] = set()
        self._closing = False
        self._server: asyncio.Server | None = None
        self._path: Path | None = None
        self._pid = os.getpid()

    @staticmethod
    async def start(folder: Path, inspection: Inspection) -> "ControlServer":
        """Serves from now on. On a file system that has no sockets it only says so: data and requests matter more."""
        server = ControlServer(inspection)
        try:
            bound = _bind(folder)
        except OSError as error:
            _log.warning(
                "commands like `perdure objects` will not reach this process: no %s: %s", folder / SOCKET, error
            )
            return server
        server._path = folder / SOCKET
        server._server = await asyncio.start_unix_server(server._accept, sock=bound)
        return server

    async def close(self) -> None:
        """Takes no more questions; those that were received are answered, if that takes no longer than a second."""
        if self._server is None or self._path is None or os.getpid() != self._pid:
            return  # in a forked child the socket is still the parent's
        with contextlib.suppress(FileNotFoundError):  # a person who tidies up may have been faster
            os.unlink(self._path)
        self._closing = True
        self._server.close()
        if self._answering:
            await asyncio.wait(self._answering, timeout=CLOSE_S)
        for client in list(self._clients):
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "a connection outside of a task"
        if self._closing or len(self._clients) >= CLIENTS_MAX:
            writer.transport.abort()
            return
        self._clients.add(task)
        try:
            await self._serve(reader, writer, task)
        except (OSError, asyncio.IncompleteReadError, TimeoutError, TooLong):
            writer.transport.abort()  # it went away, or is none of ours
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            self._clients.discard(task)
            self._answering.discard(task)
            writer.close()

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, task: "asyncio.Task[None]"
    ) -> None:
        received = await asyncio.wait_for(receive(reader, bytes_max=REQUEST_BYTES_MAX), RECEIVE_S)
        self._answering.add(task)
        writer.write(await self._answer(received, partial(_say_how_far, writer)))
        await asyncio.wait_for(writer.drain(), SEND_S)

    async def _answer(self, received: bytes, progress: Progress) -> bytes:
        try:
            request = REQUESTS.decode(received)
        except msgspec.MsgspecError as error:
            refusal = Refusal(
                PerdureError.code,
                "the process that serves the folder does not know this request",
                "",
                str(error),
                "use the same version of Perdure on both sides",
            )
            return message(Answer(refusal=refusal))
        try:
            return message(Answer(result=await self._inspection.answer(request, progress)))
        except PerdureError as error:
            refusal = Refusal(error.code, error.what, error.where, error.why, error.next_step)
        except Exception as error:
            _log.exception("a command's %s was not answered", type(request).__name__)
            what = f"the process that serves the folder could not answer: {type(error).__name__}"
            refusal = Refusal(PerdureError.code, what, "", str(error), "its log has the traceback")
        return message(Answer(refusal=refusal))


def _say_how_far(writer: asyncio.StreamWriter, done: int, total: int) -> None:
    if not writer.is_closing() and writer.transport.get_write_buffer_size() == 0:  # else nobody listens
        writer.write(message(Answer(progress=(done, total))))


def _bind(folder: Path) -> socket.socket:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(folder / SOCKET)  # of a process that was killed: the lock says that nobody serves
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with socket_path(folder) as path:
            bound.bind(path)
        # Before it listens: until then nobody can connect.
        os.chmod(folder / SOCKET, 0o600)
        bound.listen(CLIENTS_MAX)
    except BaseException:
        bound.close()
        raise
    return bound
