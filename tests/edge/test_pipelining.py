"""Requests sent without waiting are answered in order, one handler at a time, and wait within bounds."""

import asyncio
import contextvars

import pytest

from perdure.edge import RequestLog
from perdure.web import Request, Response
from tests.edge.test_bytes import GET, HOST
from tests.edge.wire import Client, run, server_of, settle


def get(path: str) -> bytes:
    return b"GET /%b HTTP/1.1\r\n%b\r\n" % (path.encode(), HOST)


async def echo(request: Request) -> Response:
    return Response(request.path)


def test_a_thousand_requests_at_once_are_answered_in_order() -> None:
    async def main() -> None:
        client = Client(server_of(echo))

        await client.send(b"".join(get(str(n)) for n in range(1000)))
        for _ in range(100):
            await settle()

        assert [answer.body for answer in client.answers()] == [b"/%d" % n for n in range(1000)]

    run(main)


def test_answers_that_are_ready_leave_together() -> None:
    async def main() -> None:
        client = Client(server_of(echo))

        await client.send(get("a") * 8)

        assert len(client.answers()) == 8
        assert client.transport.writes <= 2

    run(main)


def test_an_answer_does_not_wait_for_the_handler_of_the_next_request() -> None:
    async def main() -> None:
        go = asyncio.Event()

        async def handler(request: Request) -> Response:
            if request.path == "/slow":
                await go.wait()
            return Response(request.path)

        client = Client(server_of(handler))
        await client.send(get("a") + get("b") + get("slow") + get("c"))
        assert [answer.body for answer in client.answers()] == [b"/a", b"/b"]
        go.set()
        await settle()

        assert [answer.body for answer in client.answers()] == [b"/a", b"/b", b"/slow", b"/c"]

    run(main)


def test_handlers_of_one_connection_run_one_after_another() -> None:
    async def main() -> None:
        running = most = 0

        async def handler(request: Request) -> Response:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(1)
            running -= 1
            return Response(None)

        client = Client(server_of(handler))
        await client.send(get("a") * 3)
        await asyncio.sleep(4)

        assert len(client.answers()) == 3
        assert most == 1

    run(main)


def test_a_client_far_ahead_has_to_wait() -> None:
    async def main() -> None:
        go = asyncio.Event()

        async def handler(request: Request) -> Response:
            await go.wait()
            return Response(None)

        client = Client(server_of(handler))
        requests = 10_000
        await client.send(get("a"))
        await client.send(get("a") * (requests - 1))
        assert not client.transport.reading
        assert client.stuck_bytes > 40_000
        go.set()
        while client.stuck_bytes:
            await client.send(b"")
        while client.output.count(b"HTTP/1.1 200 OK") < requests:
            await settle()

        assert client.transport.reading

    run(main)


def test_what_a_handler_puts_in_its_context_is_not_seen_by_the_next() -> None:
    async def main() -> None:
        user = contextvars.ContextVar("user", default="nobody")
        seen: list[str] = []

        async def handler(request: Request) -> Response:
            seen.append(user.get())
            user.set("somebody")
            return Response(None)

        client = Client(server_of(handler))
        await client.send(get("a") * 3)
        await client.send(get("a"))

        assert seen == ["nobody"] * 4

    run(main)


def test_every_request_has_a_task_of_its_own() -> None:
    async def main() -> None:
        tasks: list[asyncio.Task[object] | None] = []

        async def handler(request: Request) -> Response:
            tasks.append(asyncio.current_task())
            return Response(None)

        client = Client(server_of(handler))
        await client.send(get("a") * 3)

        assert len(set(tasks)) == 3

    run(main)


def test_every_request_is_logged_refused_ones_too() -> None:
    async def main() -> None:
        log: list[RequestLog] = []

        async def handler(request: Request) -> Response:
            await asyncio.sleep(2)
            return Response(None, 204)

        client = Client(server_of(handler, log=log))
        await client.send(get("a?b") + GET + b"Content-Length: 3\r\n\r\nabc" + b"FOO / HTTP/1.1\r\n\r\n")
        await asyncio.sleep(5)

        assert log == [
            RequestLog("GET", "/a?b", 204, 2000.0, "192.0.2.7", True),
            RequestLog("GET", "/", 204, 2000.0, "192.0.2.7", True),
            RequestLog("", "", 501, 0.0, "192.0.2.7", True),
        ]

    run(main)


EAGER = getattr(asyncio, "eager_task_factory", None)
needs_eager = pytest.mark.skipif(EAGER is None, reason="this Python has no eager tasks")


@needs_eager
def test_a_body_read_by_an_eager_task_is_read_once() -> None:
    async def main() -> None:
        asyncio.get_running_loop().set_task_factory(EAGER)
        started = 0

        async def handler(request: Request) -> Response:
            nonlocal started
            started += 1
            return Response(str(len(await request.bytes())))

        client = Client(server_of(handler))
        body = b"".join(b"%x\r\n%b\r\n" % (8192, b"\r\n\r\n" * 2048) for _ in range(30))
        await client.send(b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n" + body + b"0\r\n\r\n")

        assert [answer.body for answer in client.answers("POST")] == [b"245760"]
        assert started == 1

    run(main)


@needs_eager
def test_answers_under_an_eager_task_factory_are_in_order_too() -> None:
    async def main() -> None:
        asyncio.get_running_loop().set_task_factory(EAGER)
        client = Client(server_of(echo))

        await client.send(b"".join(get(str(n)) for n in range(2000)))
        for _ in range(200):
            await settle()

        assert [answer.body for answer in client.answers()] == [b"/%d" % n for n in range(2000)]

    run(main)
