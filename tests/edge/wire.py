"""A client of the edge without sockets and without waiting: bytes in, bytes out, time that only moves when nothing else can."""

import asyncio
import selectors
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import h11

from perdure.edge import EdgeLimits, RequestLog, Server
from perdure.edge.connection import Connection
from perdure.web import Request, Response

T = TypeVar("T")
EPOCH_S = 1_700_000_000.0
DATE = "Tue, 14 Nov 2023 22:13:20 GMT"


class _Jump(selectors.SelectSelector):
    """Passes every wait at once, by moving the clock of its loop."""

    now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "everything waits and nothing will happen"
            self.now += max(timeout, 0)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)

    def time(self) -> float:
        return self._jump.now


def run(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a test's coroutine in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main())


async def settle() -> None:
    """Until every ready task has run; virtual time stands still."""
    for _ in range(30):
        await asyncio.sleep(0)


class FakeTransport(asyncio.Transport):
    """The other end of a connection: keeps what was written, takes it only while `taking`."""

    def __init__(self, protocol: Connection, peer: tuple[str, int] | None) -> None:
        super().__init__({"peername": peer})
        self.protocol = protocol
        self.written = bytearray()
        self.writes = 0
        self.buffered = 0
        self.taking = True
        self.high = 64 * 1024
        self.reading = True
        self.closing = False
        self.lost = False
        self.aborted = False
        self.eof_sent = False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert high is not None
        self.high = high

    def get_write_buffer_size(self) -> int:
        return self.buffered

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.eof_sent, "written after the end"
        if self.closing:
            return
        self.written += data
        self.writes += 1
        if not self.taking:
            self.buffered += len(data)
            if self.buffered > self.high and not self.protocol.outbox.paused:
                self.protocol.pause_writing()

    def take(self, size: int) -> None:
        """The client takes so many of the bytes that wait for it."""
        self.buffered -= min(size, self.buffered)
        if self.buffered <= self.high // 4 and self.protocol.outbox.paused:
            self.protocol.resume_writing()
        if not self.buffered and self.closing:
            self._lose()

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.eof_sent = True

    def pause_reading(self) -> None:
        assert self.reading
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading
        self.reading = True

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True
        if not self.buffered:
            self._lose()

    def abort(self) -> None:
        self.closing = self.aborted = True
        self._lose()

    def _lose(self) -> None:
        if not self.lost:
            self.lost = True
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)


class Client:
    """One client connection to a server's protocol."""

    def __init__(self, server: Server, peer: tuple[str, int] | None = ("192.0.2.7", 5000)) -> None:
        self.protocol = server.accept()
        self.transport = FakeTransport(self.protocol, peer)
        self.protocol.connection_made(self.transport)
        self._unread = b""

    def feed(self, data: bytes) -> None:
        """The client sends this; it arrives as far as the server reads."""
        self._unread += data
        while self._unread and self.transport.reading and not self.transport.lost:
            # A socket gives at most this much at a time.
            piece, self._unread = self._unread[: 256 * 1024], self._unread[256 * 1024 :]
            self.protocol.data_received(piece)

    async def send(self, data: bytes) -> None:
        self.feed(data)
        await settle()
        while self._unread and self.transport.reading and not self.transport.lost:
            self.feed(b"")
            await settle()

    async def leave(self) -> None:
        """The client closes the connection."""
        if not self.transport.lost:
            self.protocol.eof_received()
            self.transport.close()
        await settle()

    @property
    def stuck_bytes(self) -> int:
        """What the client has sent and the server does not read."""
        return len(self._unread)

    @property
    def output(self) -> bytes:
        return bytes(self.transport.written)

    @property
    def ended(self) -> bool:
        """The server sent the end, or closed."""
        return self.transport.closing or self.transport.eof_sent

    def answers(self, *methods: str) -> list["Answer"]:
        return answers(self.output, *methods)


class Answer:
    def __init__(self, status: int, headers: dict[str, str], body: bytes, *, complete: bool) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.complete = complete

    def __repr__(self) -> str:
        return f"<{self.status} {self.headers} {self.body!r}{'' if self.complete else ' ...'}>"


def answers(raw: bytes, *methods: str) -> list[Answer]:
    """The responses in these bytes, read by another implementation of HTTP; the last may be incomplete."""
    found: list[Answer] = []
    client = h11.Connection(h11.CLIENT)
    client.receive_data(raw)
    asked = list(methods)
    while raw:
        method = asked.pop(0) if asked else "GET"
        client.send(h11.Request(method=method, target="/", headers=[("host", "test")]))
        client.send(h11.EndOfMessage())
        answer: Answer | None = None
        while True:
            event = client.next_event()
            if isinstance(event, h11.InformationalResponse):
                found.append(Answer(event.status_code, {}, b"", complete=True))
            elif isinstance(event, h11.Response):
                headers = {name.decode(): value.decode() for name, value in event.headers}
                answer = Answer(event.status_code, headers, b"", complete=False)
                found.append(answer)
            elif isinstance(event, h11.Data):
                assert answer is not None
                answer.body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                assert answer is not None
                answer.complete = True
                break
            else:
                return found
        if client.their_state is h11.MUST_CLOSE or not client.trailing_data[0]:
            assert not client.trailing_data[0], f"bytes after the last answer: {client.trailing_data[0]!r}"
            return found
        client.start_next_cycle()
    return found


Handler = Callable[[Request], Awaitable[Response]]


class Seen:
    """A handler that notes what reached it, whole, and says "ok"."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, bytes]] = []
        self.started = 0

    async def __call__(self, request: Request) -> Response:
        self.started += 1
        body = await request.bytes()
        self.requests.append((request.method, request.url, body))
        return Response("ok")


class Errors(list[BaseException]):
    """Collects what handlers raised."""

    def __call__(self, error: BaseException, request: Request | None) -> None:
        self.append(error)


def server_of(
    handler: Handler,
    *,
    limits: EdgeLimits | None = None,
    log: list[RequestLog] | None = None,
    errors: Errors | None = None,
    **options: Any,
) -> Server:
    return Server(
        handler,
        limits=limits,
        on_request=None if log is None else log.append,
        on_error=errors,
        wall_clock=lambda: EPOCH_S,
        **options,
    )
