"""A client that goes away, at every stage: the handler is told, nothing is left running, and the server serves on."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from perdure.edge import RequestLog
from perdure.model.errors import Disconnected
from perdure.web import Request, Response
from tests.edge.test_bytes import CHUNKED, GET, POST
from tests.edge.wire import Client, Errors, Seen, run, server_of, settle

REQUEST = POST + b"Content-Length: 3\r\n\r\nabc"


@pytest.mark.parametrize(
    "sent", [REQUEST[:at] for at in range(len(REQUEST))] + [CHUNKED + b"3\r\nab", CHUNKED + b"1\r\na\r\n0\r\n"]
)
def test_a_half_request_reaches_no_handler_whole(sent: bytes) -> None:
    async def main() -> None:
        seen = Seen()
        server = server_of(seen)
        client = Client(server)

        await client.send(sent)
        await client.leave()

        assert client.output == b""
        assert seen.requests == []
        assert server.connections == 0
        assert len(asyncio.all_tasks()) == 1

    run(main)


def test_a_reader_of_the_body_is_disconnected() -> None:
    async def main() -> None:
        raised: list[BaseException] = []

        async def handler(request: Request) -> Response:
            try:
                await request.text()
            except Disconnected as error:
                raised.append(error)
                raise
            return Response(None)

        errors = Errors()
        client = Client(server_of(handler, errors=errors, cancel_on_disconnect=False))
        await client.send(POST + b"Content-Length: 10\r\n\r\nabc")
        await client.leave()

        assert "the client closed the connection" in str(raised[0])
        assert errors == []

    run(main)


def test_the_handlers_task_is_cancelled_when_its_client_is_gone() -> None:
    async def main() -> None:
        log: list[RequestLog] = []
        cancelled = asyncio.Event()

        async def handler(request: Request) -> Response:
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                cancelled.set()
                raise
            return Response(None)

        client = Client(server_of(handler, log=log))
        await client.send(GET + b"\r\n")
        await client.leave()

        assert cancelled.is_set()
        assert (log[0].status, log[0].complete) == (0, False)

    run(main)


def test_it_runs_to_its_end_where_the_server_says_so() -> None:
    async def main() -> None:
        ended = asyncio.Event()

        async def handler(request: Request) -> Response:
            await asyncio.sleep(1000)
            ended.set()
            return Response("nobody will see it")

        client = Client(server_of(handler, cancel_on_disconnect=False))
        await client.send(GET + b"\r\n")
        await client.leave()
        await asyncio.sleep(1001)

        assert ended.is_set()
        assert client.output == b""

    run(main)


@pytest.mark.parametrize("cancel", [True, False])
def test_a_stream_ends_when_its_client_is_gone(cancel: bool) -> None:
    async def main() -> None:
        closed = asyncio.Event()
        errors = Errors()

        async def ticks() -> AsyncIterator[str]:
            try:
                while True:
                    yield "tick"
                    await asyncio.sleep(10)
            finally:
                closed.set()

        async def handler(request: Request) -> Response:
            return Response(ticks())

        client = Client(server_of(handler, errors=errors, cancel_on_disconnect=cancel))
        await client.send(GET + b"\r\n")
        assert client.output.endswith(b"4\r\ntick\r\n")
        await client.leave()

        assert closed.is_set()
        assert errors == []

    run(main)


def test_a_stream_that_waits_for_a_slow_client_ends_with_it() -> None:
    async def main() -> None:
        closed = asyncio.Event()

        async def endless() -> AsyncIterator[bytes]:
            try:
                while True:
                    yield b"x" * 1000
            finally:
                closed.set()

        async def handler(request: Request) -> Response:
            return Response(endless())

        client = Client(server_of(handler))
        client.transport.taking = False
        await client.send(GET + b"\r\n")
        client.transport.abort()
        await settle()

        assert closed.is_set()

    run(main)


class Stream:
    """Endless, and not closed by the collector."""

    def __init__(self) -> None:
        self.read = 0
        self.closed = False

    def __aiter__(self) -> "Stream":
        return self

    async def __anext__(self) -> bytes:
        self.read += 1
        return b"x" * 1000

    async def aclose(self) -> None:
        self.closed = True


def test_a_stream_that_is_given_up_is_closed() -> None:
    async def main() -> None:
        stream = Stream()

        async def handler(request: Request) -> Response:
            return Response(stream)

        client = Client(server_of(handler))
        client.transport.taking = False
        await client.send(GET + b"\r\n")
        await client.leave()
        client.transport.take(10**9)
        await settle()

        assert stream.read
        assert stream.closed

    run(main)


def test_a_stream_returned_after_the_client_left_is_closed_unread() -> None:
    async def main() -> None:
        stream = Stream()

        async def handler(request: Request) -> Response:
            await asyncio.sleep(10)
            return Response(stream)

        client = Client(server_of(handler, cancel_on_disconnect=False))
        await client.send(GET + b"\r\n")
        await client.leave()
        await asyncio.sleep(11)

        assert stream.closed
        assert not stream.read

    run(main)


def test_what_a_handler_raises_after_the_client_left_is_not_reported() -> None:
    async def main() -> None:
        errors = Errors()

        async def handler(request: Request) -> Response:
            try:
                await asyncio.sleep(1000)
            finally:
                raise ValueError("cleaning up failed")

        client = Client(server_of(handler, errors=errors))
        await client.send(GET + b"\r\n")
        await client.leave()

        assert errors == []
        assert len(asyncio.all_tasks()) == 1

    run(main)


def test_requests_behind_the_running_one_are_dropped_with_the_connection() -> None:
    async def main() -> None:
        seen = Seen()

        async def handler(request: Request) -> Response:
            await seen(request)
            await asyncio.sleep(1000)
            return Response(None)

        client = Client(server_of(handler))
        await client.send(GET + b"\r\n" + GET + b"\r\n")
        await client.leave()

        assert seen.started == 1

    run(main)


def test_the_end_of_the_loop_is_not_taken_for_a_client_that_left() -> None:
    clients: list[Client] = []

    async def main() -> None:
        async def handler(request: Request) -> Response:
            await asyncio.sleep(1000)
            return Response(None)

        clients.append(Client(server_of(handler)))
        await clients[0].send(GET + b"\r\n")

    run(main)  # cancels what is left

    assert clients[0].output == b""
    assert clients[0].transport.aborted


def test_a_client_that_leaves_at_once_still_leaves_its_handler_a_disconnected_body() -> None:
    async def main() -> None:
        raised: list[BaseException] = []

        async def handler(request: Request) -> Response:
            try:
                await request.text()
            except Disconnected as error:
                raised.append(error)
            return Response(None)

        client = Client(server_of(handler, cancel_on_disconnect=False))
        client.feed(POST + b"Content-Length: 10\r\n\r\nabc")
        client.protocol.connection_lost(None)
        await settle()

        assert len(raised) == 1

    run(main)


def test_a_stream_whose_cleaning_up_fails_after_the_client_left_is_not_reported() -> None:
    async def main() -> None:
        errors = Errors()

        async def ticks() -> AsyncIterator[str]:
            try:
                yield "tick"
                await asyncio.sleep(1000)
            finally:
                raise ValueError("cleaning up failed")

        async def handler(request: Request) -> Response:
            return Response(ticks())

        client = Client(server_of(handler, errors=errors))
        await client.send(GET + b"\r\n")
        await client.leave()

        assert errors == []
        assert len(asyncio.all_tasks()) == 1

    run(main)


def test_the_end_of_the_loop_ends_a_stream_without_its_end_mark() -> None:
    clients: list[Client] = []

    async def main() -> None:
        async def ticks() -> AsyncIterator[str]:
            yield "tick"
            await asyncio.sleep(1000)

        async def handler(request: Request) -> Response:
            return Response(ticks())

        clients.append(Client(server_of(handler)))
        await clients[0].send(GET + b"\r\n")

    run(main)

    assert clients[0].output.endswith(b"4\r\ntick\r\n")
    assert clients[0].transport.aborted


def test_a_body_that_breaks_while_its_answer_streams_ends_both() -> None:
    async def main() -> None:
        errors = Errors()

        async def handler(request: Request) -> Response:
            return Response(request.body)

        client = Client(server_of(handler, errors=errors))
        await client.send(CHUNKED + b"1\r\na\r\n")
        await client.send(b"nonsense\r\n")

        (answer,) = client.answers("POST")
        assert (answer.body, answer.complete) == (b"a", False)
        assert client.transport.aborted
        assert errors == []

    run(main)


def test_an_aborted_server_answers_nothing_more() -> None:
    async def main() -> None:
        seen = Seen()
        server = server_of(seen)
        client = Client(server)
        client.feed((GET + b"\r\n") * 3)
        while not client.output and seen.started < 2:
            await asyncio.sleep(0)
        server.abort()
        await settle()

        assert seen.started <= 2
        assert server.connections == 0

    run(main)
