"""Request bodies: they arrive while the handler runs, wait within bounds, and end with their request."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from perdure.edge import EdgeLimits
from perdure.model.errors import BodyUsed, Disconnected
from perdure.web import Request, Response
from tests.edge.test_bytes import CHUNKED, GET, POST
from tests.edge.wire import Client, run, server_of, settle

MIB = 1024 * 1024


def test_a_handler_reads_a_body_while_it_arrives() -> None:
    async def main() -> None:
        read: list[bytes] = []

        async def handler(request: Request) -> Response:
            assert request.body is not None
            async for chunk in request.body:
                read.append(chunk)
            return Response(None)

        client = Client(server_of(handler))
        await client.send(CHUNKED + b"1\r\na\r\n")
        assert read == [b"a"]
        await client.send(b"1\r\nb\r\n")
        assert read == [b"a", b"b"]
        assert client.output == b""
        await client.send(b"0\r\n\r\n")

        assert client.answers("POST")[0].status == 200

    run(main)


def test_a_body_can_be_echoed_while_it_arrives() -> None:
    async def main() -> None:
        async def handler(request: Request) -> Response:
            return Response(request.body)

        client = Client(server_of(handler))
        await client.send(CHUNKED + b"1\r\na\r\n")
        assert client.output.endswith(b"1\r\na\r\n")
        await client.send(b"1\r\nb\r\n0\r\n\r\n" + GET + b"\r\n")

        first, second = client.answers("POST")
        assert (first.body, first.complete) == (b"ab", True)
        assert second.body == b""

    run(main)


@pytest.mark.parametrize("chunks", [False, True])
def test_a_client_waits_while_nobody_reads_its_body(chunks: bool) -> None:
    async def main() -> None:
        go = asyncio.Event()

        async def handler(request: Request) -> Response:
            await go.wait()
            return Response(str(len(await request.bytes())))

        client = Client(server_of(handler))
        body = b"x" * (4 * MIB)
        if chunks:
            sent = CHUNKED + b"".join(b"%x\r\n%b\r\n" % (65536, body[:65536]) for _ in range(64)) + b"0\r\n\r\n"
        else:
            sent = POST + b"Content-Length: %d\r\n\r\n" % len(body) + body
        await client.send(sent)

        assert not client.transport.reading
        assert client.stuck_bytes > 3 * MIB
        go.set()
        await client.send(b"")
        for _ in range(100):
            await client.send(b"")
        assert client.answers("POST")[0].body == str(len(body)).encode()
        assert client.transport.reading

    run(main)


def test_expect_is_answered_when_the_handler_begins_to_read() -> None:
    async def main() -> None:
        go = asyncio.Event()

        async def handler(request: Request) -> Response:
            await go.wait()
            return Response(await request.text())

        client = Client(server_of(handler))
        await client.send(POST + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        assert client.output == b""
        go.set()
        await settle()
        assert client.output == b"HTTP/1.1 100 Continue\r\n\r\n"
        await client.send(b"abc")

        interim, answer = client.answers("POST")
        assert interim.status == 100
        assert answer.body == b"abc"
        assert not client.ended

    run(main)


def test_a_client_that_was_not_told_to_continue_gets_the_answer_and_a_new_connection() -> None:
    async def main() -> None:
        async def handler(request: Request) -> Response:
            return Response("no", 403)

        client = Client(server_of(handler))
        await client.send(POST + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n")

        (answer,) = client.answers("POST")
        assert answer.status == 403
        assert answer.headers["connection"] == "close"
        assert client.ended

    run(main)


def test_a_client_that_does_not_wait_for_continue_is_not_told() -> None:
    async def main() -> None:
        async def handler(request: Request) -> Response:
            return Response(await request.text())

        client = Client(server_of(handler))
        await client.send(POST + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc" + GET + b"\r\n")

        assert [answer.status for answer in client.answers("POST")] == [200, 200]

    run(main)


def test_the_rest_of_an_unread_body_is_skipped_for_the_next_request() -> None:
    async def main() -> None:
        async def handler(request: Request) -> Response:
            return Response(request.method)

        client = Client(server_of(handler))
        await client.send(POST + b"Content-Length: 100000\r\n\r\n" + b"x" * 50_000)
        assert client.answers("POST")[0].body == b"POST"
        await client.send(b"x" * 50_000 + GET + b"\r\n")

        assert [answer.body for answer in client.answers("POST")] == [b"POST", b"GET"]

    run(main)


def test_an_unread_body_that_does_not_end_ends_the_connection() -> None:
    async def main() -> None:
        async def handler(request: Request) -> Response:
            return Response(request.method)

        client = Client(server_of(handler))
        await client.send(POST + b"Content-Length: 10000000\r\n\r\n" + b"x" * 50_000)
        assert not client.ended
        for _ in range(10):
            await client.send(b"x" * 100_000)

        assert [answer.body for answer in client.answers("POST")] == [b"POST"]
        assert client.ended

    run(main)


def test_a_body_ends_with_its_request() -> None:
    async def main() -> None:
        kept: list[Request] = []

        async def handler(request: Request) -> Response:
            kept.append(request)
            return Response(None)

        client = Client(server_of(handler))
        await client.send(POST + b"Content-Length: 10\r\n\r\nabc")
        await client.send(b"defghij")

        with pytest.raises(Disconnected, match="its request was answered"):
            await kept[0].text()

    run(main)


def test_a_body_that_arrived_whole_can_be_read_after_its_request() -> None:
    async def main() -> None:
        kept: list[Request] = []

        async def handler(request: Request) -> Response:
            kept.append(request)
            return Response(None)

        client = Client(server_of(handler))
        await client.send(POST + b"Content-Length: 3\r\n\r\nabc")

        assert await kept[0].text() == "abc"

    run(main)


def test_two_readers_of_one_body_are_told() -> None:
    async def main() -> None:
        async def handler(request: Request) -> Response:
            body = request.body
            assert body is not None
            first = asyncio.ensure_future(anext(body))  # it is a coroutine
            await asyncio.sleep(0)
            with pytest.raises(BodyUsed):
                await anext(body)
            return Response(await first)

        client = Client(server_of(handler))
        await client.send(POST + b"Content-Length: 3\r\n\r\n")
        await client.send(b"abc")

        assert client.answers("POST")[0].body == b"abc"

    run(main)


def test_a_slow_client_slows_the_stream() -> None:
    async def main() -> None:
        produced = 0

        async def numbers() -> AsyncIterator[bytes]:
            nonlocal produced
            for _ in range(1000):
                produced += 1
                yield b"x" * 1024

        async def handler(request: Request) -> Response:
            return Response(numbers())

        client = Client(server_of(handler))
        client.transport.taking = False
        await client.send(GET + b"\r\n")
        assert 60 < produced < 80
        client.transport.take(60 * 1024)
        await settle()
        assert 100 < produced < 150
        client.transport.taking = True
        client.transport.take(10**9)
        for _ in range(20):
            await settle()

        assert len(client.answers()[0].body) == 1000 * 1024

    run(main)


def test_a_stream_that_never_waits_lets_others_run() -> None:
    async def main() -> None:
        async def endless() -> AsyncIterator[bytes]:
            while True:
                yield b"x" * 16_384

        async def handler(request: Request) -> Response:
            return Response(endless()) if request.path == "/endless" else Response("ok")

        server = server_of(handler)
        greedy, other = Client(server), Client(server)
        greedy.feed(b"GET /endless HTTP/1.1\r\nHost: test\r\n\r\n")
        other.feed(GET + b"\r\n")
        await settle()

        assert other.answers()[0].body == b"ok"
        await greedy.leave()

    run(main)


def test_an_empty_body_is_not_none_and_a_missing_one_is() -> None:
    async def main() -> None:
        bodies: list[bool] = []

        async def handler(request: Request) -> Response:
            bodies.append(request.body is None)
            return Response(None)

        client = Client(server_of(handler))
        await client.send(POST + b"\r\n" + POST + b"Content-Length: 0\r\n\r\n" + CHUNKED + b"0\r\n\r\n")

        assert bodies == [True, False, False]

    run(main)


def test_the_limit_of_a_body_is_the_operators() -> None:
    async def main() -> None:
        async def handler(request: Request) -> Response:
            return Response(await request.bytes())

        client = Client(server_of(handler, limits=EdgeLimits(body_bytes=5)))
        await client.send(POST + b"Content-Length: 5\r\n\r\nabcde" + POST + b"Content-Length: 6\r\n\r\n")

        assert [answer.status for answer in client.answers("POST", "POST")] == [200, 413]

    run(main)
