"""Behind somebody else's server, requests and responses stream as they do behind ours."""

import asyncio

import pytest

from perdure.edge.asgi import READ_AHEAD_BYTES, serve_http
from perdure.model.errors import Disconnected, Overloaded
from perdure.web.request import Request
from perdure.web.response import Response
from tests.edge.test_asgi_request import scope

POST = {"method": "POST", "headers": [(b"host", b"x"), (b"transfer-encoding", b"chunked")]}


class AsgiServer:
    """The other side of one exchange: what a server would give, and what it was sent."""

    def __init__(self, *parts: bytes, ends: bool = True) -> None:
        self.messages: asyncio.Queue[dict] = asyncio.Queue()
        self.sent: list[dict] = []
        self.received = 0
        self.may_send = asyncio.Event()
        self.may_send.set()
        for number, part in enumerate(parts):
            more = not ends or number < len(parts) - 1
            self.messages.put_nowait({"type": "http.request", "body": part, "more_body": more})

    def disconnect(self) -> None:
        self.messages.put_nowait({"type": "http.disconnect"})

    async def receive(self) -> dict:
        message = await self.messages.get()
        self.received += len(message.get("body", b""))
        return message

    async def send(self, message: dict) -> None:
        await self.may_send.wait()
        self.sent.append(message)

    async def serve(self, handler, **changes) -> None:
        await serve_http(handler, scope(**changes), self.receive, self.send)

    @property
    def head(self) -> tuple[int, dict[bytes, bytes]]:
        (start,) = [message for message in self.sent if message["type"] == "http.response.start"]
        return start["status"], dict(start["headers"])

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)

    @property
    def complete(self) -> bool:
        return bool(self.sent) and self.sent[-1].get("more_body") is False


def served(handler, *parts: bytes, **changes) -> AsgiServer:
    async def scenario():
        server = AsgiServer(*parts)
        await server.serve(handler, **changes)
        return server

    return asyncio.run(scenario())


def test_a_response_leaves_with_its_status_its_fields_and_its_length():
    async def handler(request: Request) -> Response:
        return Response("hello", 201, headers=[("x-a", "1"), ("set-cookie", "a=1"), ("set-cookie", "b=2")])

    server = served(handler)

    assert server.head[0] == 201
    assert server.head[1][b"content-length"] == b"5"
    assert server.head[1][b"content-type"] == b"text/plain;charset=UTF-8"
    assert [v for n, v in server.sent[0]["headers"] if n == b"set-cookie"] == [b"a=1", b"b=2"]
    assert server.body == b"hello" and server.complete


@pytest.mark.parametrize(
    ("method", "status", "headers", "length"),
    [
        ("GET", 204, {}, None),
        ("GET", 304, {"content-length": "7"}, b"7"),
        ("GET", 200, {}, b"0"),
        ("HEAD", 200, {"content-length": "7"}, b"7"),
    ],
)
def test_a_response_without_a_body_says_how_long_one_would_be(method, status, headers, length):
    async def handler(request: Request) -> Response:
        return Response(None, status, headers=headers)

    server = served(handler, method=method)

    assert server.head[1].get(b"content-length") == length
    assert server.body == b"" and server.complete


def test_a_head_request_gets_no_body():
    async def handler(request: Request) -> Response:
        return Response("hello")

    server = served(handler, method="HEAD")

    assert server.head[1][b"content-length"] == b"5" and server.body == b""


def test_fields_about_the_connection_are_the_servers():
    async def handler(request: Request) -> Response:
        return Response("x", headers={"connection": "close", "transfer-encoding": "chunked", "x-a": "1"})

    assert set(served(handler).head[1]) == {b"x-a", b"content-type", b"content-length"}


def test_a_body_comes_whole_or_in_parts_as_the_handler_wants_it():
    async def whole(request: Request) -> Response:
        return Response(await request.text())

    async def parts(request: Request) -> Response:
        return Response(str([part async for part in request.body]))

    assert served(whole, b"ab", b"", b"cd", **POST).body == b"abcd"
    assert served(parts, b"ab", b"", b"cd", **POST).body == b"[b'ab', b'cd']"


def test_a_body_is_read_no_further_than_a_bound_before_the_handler_takes_it():
    part = b"x" * (READ_AHEAD_BYTES // 2)

    async def scenario():
        server = AsgiServer(*[part] * 8)
        go = asyncio.Event()
        before = []

        async def handler(request: Request) -> Response:
            await go.wait()
            before.append(server.received)
            return Response(str(len(await request.bytes())))

        serving = asyncio.create_task(server.serve(handler, **POST))
        for _ in range(50):
            await asyncio.sleep(0)
        go.set()
        await serving
        return before[0], server.body

    assert asyncio.run(scenario()) == (READ_AHEAD_BYTES, str(8 * len(part)).encode())


def test_a_stream_is_asked_for_no_more_while_the_client_does_not_take_it():
    async def scenario():
        server = AsgiServer()
        made = []

        async def endless():
            while len(made) < 10:
                made.append(1)
                yield b"x"

        async def handler(request: Request) -> Response:
            return Response(endless())

        serving = asyncio.create_task(server.serve(handler))
        for _ in range(3):
            await asyncio.sleep(0)
        server.may_send.clear()
        at_pause = len(made)
        for _ in range(20):
            await asyncio.sleep(0)
        held = len(made)
        server.may_send.set()
        await serving
        return held - at_pause, server.body

    grown, body = asyncio.run(scenario())

    assert grown <= 1
    assert body == b"x" * 10


def test_a_client_that_goes_away_ends_the_handler_and_nobody_else():
    async def scenario():
        server = AsgiServer()
        log = []

        async def handler(request: Request) -> Response:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                log.append("cancelled")
                raise
            return Response("never")

        serving = asyncio.create_task(server.serve(handler))
        await asyncio.sleep(0)
        server.disconnect()
        await serving
        return log, server.sent, serving.cancelled(), serving.cancelling()

    assert asyncio.run(scenario()) == (["cancelled"], [], False, 0)


def test_a_cancellation_from_outside_goes_on_to_whoever_cancelled():
    async def scenario():
        server = AsgiServer()

        async def handler(request: Request) -> Response:
            await asyncio.Event().wait()
            return Response("never")

        serving = asyncio.create_task(server.serve(handler))
        await asyncio.sleep(0)
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving

    asyncio.run(scenario())


def test_a_client_that_goes_away_in_its_body_is_disconnected_to_a_reader_that_lives_on():
    async def scenario():
        server = AsgiServer(b"part", ends=False)
        told = []

        async def read_on(request: Request) -> None:
            try:
                await request.bytes()
            except Disconnected as error:
                told.append(str(error))

        async def handler(request: Request) -> Response:
            reader = asyncio.create_task(read_on(request))
            await asyncio.sleep(0)
            server.disconnect()
            await asyncio.shield(reader)
            return Response("never")

        await server.serve(handler, **POST)
        for _ in range(3):
            await asyncio.sleep(0)
        return told

    (text,) = asyncio.run(scenario())
    assert "the client closed the connection" in text


def test_a_stream_is_closed_when_its_client_goes_away():
    async def scenario():
        server = AsgiServer()
        log = []

        async def endless():
            try:
                while True:
                    yield b"x"
                    await asyncio.sleep(0)
            finally:
                log.append("closed")

        async def handler(request: Request) -> Response:
            return Response(endless())

        serving = asyncio.create_task(server.serve(handler))
        for _ in range(5):
            await asyncio.sleep(0)
        server.disconnect()
        await serving
        return log, server.complete

    assert asyncio.run(scenario()) == (["closed"], False)


def test_what_a_handler_raises_is_the_servers_to_show_and_to_log():
    async def handler(request: Request) -> Response:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        served(handler)


def test_overload_is_answered_with_503():
    async def handler(request: Request) -> Response:
        raise Overloaded(what="too much")

    assert served(handler).head[0] == 503


def test_an_exit_in_a_handler_does_not_end_the_server():
    async def handler(request: Request) -> Response:
        raise SystemExit(3)

    with pytest.raises(RuntimeError, match="SystemExit: 3"):
        served(handler)


def test_what_is_no_response_is_refused():
    async def handler(request: Request) -> Response:
        return None

    with pytest.raises(TypeError, match="a handler returned NoneType"):
        served(handler)


@pytest.mark.parametrize("given", [b"short", b"far too long"])
def test_a_stream_that_breaks_its_word_about_its_length_never_looks_complete(given):
    async def stream():
        yield given

    async def handler(request: Request) -> Response:
        return Response(stream(), headers={"content-length": "7"})

    async def scenario():
        server = AsgiServer()
        with pytest.raises(TypeError, match="declared 7 bytes"):
            await server.serve(handler)
        return server.complete

    assert asyncio.run(scenario()) is False


def test_a_stream_that_fails_midway_never_looks_complete():
    async def stream():
        yield b"part"
        raise LookupError("midway")

    async def handler(request: Request) -> Response:
        return Response(stream())

    async def scenario():
        server = AsgiServer()
        with pytest.raises(LookupError, match="midway"):
            await server.serve(handler)
        return server.body, server.complete

    assert asyncio.run(scenario()) == (b"part", False)


def test_a_refused_request_reaches_no_handler():
    async def handler(request: Request) -> Response:
        raise AssertionError("reached")

    server = served(handler, method="BREW")

    assert (server.head[0], server.body) == (501, b"unknown method\n")


def test_a_server_that_fails_to_receive_counts_as_a_client_that_went_away():
    async def scenario():
        server = AsgiServer()

        async def receive():
            raise OSError("gone")

        async def handler(request: Request) -> Response:
            await asyncio.Event().wait()
            return Response("never")

        await serve_http(handler, scope(), receive, server.send)
        return server.sent

    assert asyncio.run(scenario()) == []
