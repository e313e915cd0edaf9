"""Every state in which the client is waited for has an end. Time is virtual; a deadline may be a second late, never early."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from perdure.edge import EdgeLimits, RequestLog
from perdure.model.errors import Disconnected
from perdure.web import Request, Response
from tests.edge.test_bytes import CHUNKED, GET, POST
from tests.edge.wire import Client, Seen, run, server_of, settle

LIMITS = EdgeLimits()


async def times_out(client: Client, after_s: float) -> None:
    """Assert that the server ends the connection after this time, give or take the second of its clock."""
    await asyncio.sleep(after_s)
    await settle()
    assert not client.ended, "too early"
    await asyncio.sleep(2)
    await settle()
    assert client.ended, "too late"


@pytest.mark.parametrize("sent", [b"G", GET, GET + b"X: y", b"\r\n"])
def test_a_head_that_is_not_complete_in_time_is_408(sent: bytes) -> None:
    async def main() -> None:
        seen = Seen()
        client = Client(server_of(seen))
        await asyncio.sleep(20.5)
        await client.send(sent)

        await times_out(client, LIMITS.head_s)

        assert client.answers()[0].status == 408
        assert seen.started == 0

    run(main)


def test_a_head_that_trickles_has_no_more_time_than_another() -> None:
    async def main() -> None:
        client = Client(server_of(Seen()))
        for byte in GET[:12]:
            await client.send(bytes([byte]))
            await asyncio.sleep(1)

        assert client.answers()[0].status == 408

    run(main)


def test_each_head_on_a_connection_has_its_own_time() -> None:
    async def main() -> None:
        client = Client(server_of(Seen()))
        for _ in range(5):
            await client.send(GET)
            await asyncio.sleep(8)
            await client.send(b"\r\n")
            await asyncio.sleep(20)

        assert [answer.status for answer in client.answers()] == [200] * 5

    run(main)


def test_a_connection_without_a_request_is_closed_without_a_word() -> None:
    async def main() -> None:
        client = Client(server_of(Seen()))

        await times_out(client, LIMITS.keep_alive_s)

        assert client.output == b""

    run(main)


def test_a_connection_is_closed_when_it_was_idle_for_too_long() -> None:
    async def main() -> None:
        client = Client(server_of(Seen()))
        for _ in range(3):
            await client.send(GET + b"\r\n")
            await asyncio.sleep(70)
        await client.send(GET + b"\r\n")

        await times_out(client, LIMITS.keep_alive_s)

        assert [answer.status for answer in client.answers()] == [200] * 4

    run(main)


@pytest.mark.parametrize("sent", [POST + b"Content-Length: 10\r\n\r\nabc", CHUNKED + b"3\r\nabc\r\n", CHUNKED + b"1"])
def test_a_body_that_stops_is_408(sent: bytes) -> None:
    async def main() -> None:
        raised: list[BaseException] = []

        async def handler(request: Request) -> Response:
            try:
                return Response(await request.text())
            except BaseException as error:
                raised.append(error)
                raise

        client = Client(server_of(handler, cancel_on_disconnect=False))
        await client.send(sent)

        await times_out(client, LIMITS.body_idle_s)

        assert [answer.status for answer in client.answers("POST")] == [408]
        assert isinstance(raised[0], Disconnected)
        assert "took too long" in str(raised[0])

    run(main)


def test_a_body_that_trickles_is_read_to_its_end() -> None:
    async def main() -> None:
        seen = Seen()
        client = Client(server_of(seen))
        await client.send(POST + b"Content-Length: 5\r\n\r\n")
        for byte in b"abcde":
            await asyncio.sleep(29)
            await client.send(bytes([byte]))

        assert seen.requests[0][2] == b"abcde"

    run(main)


def test_a_client_is_not_blamed_for_a_handler_that_does_not_read() -> None:
    async def main() -> None:
        async def handler(request: Request) -> Response:
            await asyncio.sleep(300)
            return Response(str(len(await request.bytes())))

        client = Client(server_of(handler))
        await client.send(POST + b"Content-Length: 600000\r\n\r\n" + b"x" * 600_000)
        assert client.stuck_bytes
        await asyncio.sleep(301)
        await client.send(b"")
        await client.send(b"")

        assert client.answers("POST")[0].body == b"600000"

    run(main)


def test_a_client_is_not_blamed_for_waiting_until_it_is_told_to_continue() -> None:
    async def main() -> None:
        async def handler(request: Request) -> Response:
            await asyncio.sleep(300)
            return Response(await request.text())

        client = Client(server_of(handler))
        await client.send(POST + b"Content-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        await asyncio.sleep(301)
        assert client.output == b"HTTP/1.1 100 Continue\r\n\r\n"

        await times_out(client, LIMITS.body_idle_s - 2)
        assert client.answers("POST")[-1].status == 408

    run(main)


def test_a_slow_handler_has_all_the_time_it_wants() -> None:
    async def main() -> None:
        async def handler(request: Request) -> Response:
            await asyncio.sleep(10_000)
            return Response("at last")

        client = Client(server_of(handler))
        await client.send(GET + b"\r\n")
        await asyncio.sleep(10_001)

        assert client.answers()[0].body == b"at last"

    run(main)


def endless_server(log: list[RequestLog] | None = None):
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1000

    async def handler(request: Request) -> Response:
        return Response(endless())

    return server_of(handler, log=log)


def test_a_client_that_takes_nothing_is_dropped() -> None:
    async def main() -> None:
        log: list[RequestLog] = []
        client = Client(endless_server(log))
        client.transport.taking = False
        await client.send(GET + b"\r\n")

        await times_out(client, LIMITS.write_stall_s)

        assert client.transport.aborted
        assert not log[0].complete

    run(main)


def test_a_client_that_takes_a_little_is_not_dropped() -> None:
    async def main() -> None:
        client = Client(endless_server())
        client.transport.taking = False
        await client.send(GET + b"\r\n")
        for _ in range(10):
            await asyncio.sleep(50)
            client.transport.take(10)
        assert not client.ended

        await times_out(client, LIMITS.write_stall_s)

    run(main)


def test_a_closing_connection_does_not_wait_for_ever_for_its_client() -> None:
    async def main() -> None:
        server = server_of(Seen())
        client = Client(server)
        client.transport.taking = False
        await client.send(GET + b"Connection: close\r\n\r\n")
        await asyncio.sleep(LIMITS.write_stall_s)
        assert server.connections == 1
        await asyncio.sleep(2)

        assert server.connections == 0
        assert client.transport.aborted

    run(main)


def test_a_refused_client_has_a_moment_to_read_why() -> None:
    async def main() -> None:
        server = server_of(Seen())
        client = Client(server)
        await client.send(b"nonsense\r\n\r\n")
        await client.send(b"x" * 1_000_000)
        assert client.transport.eof_sent
        assert client.stuck_bytes == 0
        assert server.connections == 1
        await asyncio.sleep(LIMITS.linger_s + 2)

        assert server.connections == 0

    run(main)


def test_the_rest_of_an_unread_body_is_not_waited_for_long() -> None:
    async def main() -> None:
        async def handler(request: Request) -> Response:
            return Response("early")

        client = Client(server_of(handler))
        await client.send(POST + b"Content-Length: 1000\r\n\r\nabc")
        assert client.answers("POST")[0].body == b"early"

        await times_out(client, LIMITS.body_idle_s)

        assert len(client.answers("POST")) == 1

    run(main)


def test_an_idle_server_keeps_no_timer() -> None:
    async def main() -> None:
        client = Client(server_of(Seen()))
        await client.send(GET + b"Connection: close\r\n\r\n")
        await asyncio.sleep(3)

        loop = asyncio.get_running_loop()
        assert [handle for handle in loop._scheduled if not handle.cancelled()] == []

    run(main)


def test_the_date_moves_on() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = server_of(Seen())
        server._wall_clock = lambda: 1_700_000_000 + loop.time() - 1000
        client = Client(server)
        await client.send(GET + b"\r\n")
        await asyncio.sleep(60)
        await client.send(GET + b"\r\n")

        first, second = client.answers()
        assert first.headers["date"] == "Tue, 14 Nov 2023 22:13:20 GMT"
        assert second.headers["date"] == "Tue, 14 Nov 2023 22:14:20 GMT"

    run(main)
