"""The server on real sockets, with clients that others wrote, on both loops."""

import asyncio
import gc
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

import aiohttp
import httpx
import pytest
import uvloop

from perdure.edge import EdgeLimits, Server
from perdure.edge.connection import Connection
from perdure.edge.exchange import Exchange
from perdure.edge.message import MessageParser
from perdure.model.errors import WrongValue
from perdure.web import File, FormData, Request, Response
from tests.edge.test_bytes import CHUNKED, GET, POST

Main = Callable[[], Coroutine[Any, Any, None]]
MIB = 1024 * 1024


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Main], None]:
    factory = asyncio.SelectorEventLoop if request.param == "asyncio" else uvloop.new_event_loop

    def run(main: Main) -> None:
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(asyncio.wait_for(main(), 20))

    return run


async def serve(handler: Callable[[Request], Awaitable[Response]], **options: Any) -> tuple[Server, str]:
    server = Server(handler, **options)
    await server.start("127.0.0.1")
    host, port = server.addresses[0]
    return server, f"http://{host}:{port}"


async def everything(request: Request) -> Response:
    match request.path:
        case "/echo":
            return Response(request.body, headers={"x-method": request.method})
        case "/numbers":

            async def numbers() -> AsyncIterator[str]:
                for n in range(100):
                    yield f"{n}\n"
                    await asyncio.sleep(0)

            return Response(numbers())
        case "/form":
            form = await request.form_data()
            return Response.from_json({name: str(value) for name, value in form.items()})
        case "/ip":
            return Response(request.client_ip)
        case _:
            return Response.from_json({"url": request.url, "headers": dict(request.headers)})


def test_httpx_gets_posts_streams_and_sends_forms(run: Callable[[Main], None]) -> None:
    async def main() -> None:
        server, base = await serve(everything)
        async with httpx.AsyncClient(base_url=base) as client:
            seen = (await client.get("/a%20b", params={"q": "ü"})).json()
            echoed = await client.put("/echo", content=b"x" * (3 * MIB))
            numbers = await client.get("/numbers")
            form = await client.post("/form", data={"a": "1"}, files={"f": ("n.txt", b"abc", "text/plain")})
            ip = await client.get("/ip")
            head = await client.head("/ip")

            async def chunks() -> AsyncIterator[bytes]:
                for _ in range(50):
                    yield b"y" * 10_000

            streamed = await client.post("/echo", content=chunks())
        await server.drain(grace_s=5)

        assert seen["url"] == f"{base}/a%20b?q=%C3%BC"
        assert seen["headers"]["cf-connecting-ip"] == "127.0.0.1"
        assert echoed.content == b"x" * (3 * MIB)
        assert echoed.headers["x-method"] == "PUT"
        assert numbers.text.split() == [str(n) for n in range(100)]
        assert form.json() == {"a": "1", "f": str(File(b"abc", "n.txt", content_type="text/plain"))}
        assert ip.text == "127.0.0.1"
        assert (head.headers["content-length"], head.content) == ("9", b"")
        assert streamed.content == b"y" * 500_000
        assert server.connections == 0

    run(main)


def test_aiohttp_streams_both_ways_at_once(run: Callable[[Main], None]) -> None:
    async def main() -> None:
        server, base = await serve(everything)
        async with aiohttp.ClientSession(base) as session:
            turns: asyncio.Queue[bytes | None] = asyncio.Queue()

            async def source() -> AsyncIterator[bytes]:
                while (part := await turns.get()) is not None:
                    yield part

            turns.put_nowait(b"first")
            async with session.post("/echo", data=source()) as response:
                assert await response.content.readany() == b"first"
                turns.put_nowait(b"second")
                assert await response.content.readany() == b"second"
                turns.put_nowait(None)
                assert await response.content.read() == b""
            form = FormData([("a", "ä"), ("f", File(b"\r\n--", "n"))])
            sent = Response(form)
            async with session.post(
                "/form", data=await sent.bytes(), headers={"content-type": sent.headers["content-type"]}
            ) as response:
                assert (await response.json())["a"] == "ä"
            async with session.post("/echo", data=b"z" * MIB, expect100=True) as response:
                assert await response.read() == b"z" * MIB
        await server.drain(grace_s=5)

    run(main)


def test_many_clients_at_once_get_their_own_answers(run: Callable[[Main], None]) -> None:
    async def main() -> None:
        server, base = await serve(everything)
        # Without time-outs of its own: fifty at once take their time on a machine that is busy.
        async with httpx.AsyncClient(base_url=base, timeout=None) as client:
            answers = await asyncio.gather(*(client.post("/echo", content=str(n)) for n in range(50)))
        await server.drain(grace_s=5)

        assert [answer.text for answer in answers] == [str(n) for n in range(50)]

    run(main)


def test_pipelined_requests_on_a_socket_are_answered_in_order(run: Callable[[Main], None]) -> None:
    async def main() -> None:
        server, _ = await serve(everything)
        reader, writer = await asyncio.open_connection(*server.addresses[0])
        for n in range(500):
            writer.write(b"POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\n%04d" % n)
        writer.write(GET + b"Connection: close\r\n\r\n")
        output = await reader.read()
        writer.close()
        await server.drain(grace_s=5)

        found = [part[-4:] for part in output.split(b"HTTP/1.1 200 OK")[1:-1]]
        assert found == [b"%04d" % n for n in range(500)]

    run(main)


@pytest.mark.parametrize("sent", [POST + b"Content-Length: 100000001\r\n\r\n" + b"x" * MIB, CHUNKED + b"z" * MIB])
def test_a_refused_client_that_still_sends_reads_the_answer(run: Callable[[Main], None], sent: bytes) -> None:
    async def main() -> None:
        server, _ = await serve(everything)
        reader, writer = await asyncio.open_connection(*server.addresses[0])
        writer.write(sent)
        answer = await reader.read()
        writer.close()
        await server.drain(grace_s=5)

        assert answer.split()[1] in (b"413", b"400")

    run(main)


def test_a_client_that_reads_nothing_holds_only_a_bounded_part(run: Callable[[Main], None]) -> None:
    async def main() -> None:
        produced = 0
        closed = asyncio.Event()

        async def endless() -> AsyncIterator[bytes]:
            nonlocal produced
            try:
                while True:
                    produced += 65536
                    yield b"x" * 65536
            finally:
                closed.set()

        async def handler(request: Request) -> Response:
            return Response(endless())

        server, _ = await serve(handler)
        _reader, writer = await asyncio.open_connection(*server.addresses[0], limit=1024)
        writer.write(GET + b"\r\n")
        before = -1
        while not produced or produced != before:
            before = produced
            await asyncio.sleep(0.1)
        assert 0 < produced < 64 * MIB  # what the buffers of the system hold
        writer.transport.abort()
        await closed.wait()
        await server.drain(grace_s=5)

    run(main)


def test_a_client_that_resets_midway_leaves_nothing_behind(run: Callable[[Main], None]) -> None:
    async def main() -> None:
        cancelled = asyncio.Event()

        async def handler(request: Request) -> Response:
            try:
                await asyncio.sleep(1000)
            finally:
                cancelled.set()
            return Response(None)

        server, base = await serve(handler)
        with pytest.raises(httpx.ReadTimeout):
            async with httpx.AsyncClient() as client:
                await client.get(base, timeout=0.1)
        await cancelled.wait()
        await server.drain(grace_s=5)
        assert server.connections == 0

    run(main)


def test_drain_answers_what_runs_and_closes_what_is_idle(run: Callable[[Main], None]) -> None:
    async def main() -> None:
        began, go = asyncio.Event(), asyncio.Event()

        async def handler(request: Request) -> Response:
            if request.path == "/slow":
                began.set()
                await go.wait()
            return Response(request.path)

        server, base = await serve(handler)
        async with httpx.AsyncClient(base_url=base) as client:
            await client.get("/idle")
            slow = asyncio.create_task(client.get("/slow"))
            await began.wait()
            drained = asyncio.create_task(server.drain(grace_s=10))
            while server.connections != 1:
                await asyncio.sleep(0)
            with pytest.raises(httpx.ConnectError):
                await httpx.AsyncClient().get(f"{base}/late")
            go.set()
            answer = await slow
            await drained

        assert (answer.text, answer.headers["connection"]) == ("/slow", "close")

    run(main)


def test_drain_drops_what_is_not_answered_in_time(run: Callable[[Main], None]) -> None:
    async def main() -> None:
        began = asyncio.Event()

        async def handler(request: Request) -> Response:
            began.set()
            await asyncio.sleep(1000)
            return Response(None)

        server, base = await serve(handler)
        request = asyncio.create_task(httpx.AsyncClient().get(base))
        await began.wait()
        await server.drain(grace_s=0.05)

        with pytest.raises(httpx.RemoteProtocolError):
            await request
        assert server.connections == 0

    run(main)


def test_a_half_head_may_still_be_completed_while_draining(run: Callable[[Main], None]) -> None:
    async def main() -> None:
        server, _ = await serve(everything)
        reader, writer = await asyncio.open_connection(*server.addresses[0])
        writer.write(GET)
        while not server.connections:
            await asyncio.sleep(0)
        await asyncio.sleep(0.05)
        drained = asyncio.create_task(server.drain(grace_s=5))
        await asyncio.sleep(0)
        writer.write(b"\r\n")
        answer = await reader.read()
        writer.close()
        await drained

        assert answer.startswith(b"HTTP/1.1 200") and b"connection: close" in answer

    run(main)


def test_a_stream_that_runs_when_draining_begins_ends_the_connection_behind_it(run: Callable[[Main], None]) -> None:
    async def main() -> None:
        go = asyncio.Event()

        async def parts() -> AsyncIterator[str]:
            yield "a"
            await go.wait()
            yield "b"

        async def handler(request: Request) -> Response:
            return Response(parts())

        server, _ = await serve(handler)
        reader, writer = await asyncio.open_connection(*server.addresses[0])
        writer.write(GET + b"\r\n")
        await reader.readuntil(b"a\r\n")
        drained = asyncio.create_task(server.drain(grace_s=60))
        await asyncio.sleep(0)
        go.set()
        assert (await reader.read()).endswith(b"b\r\n0\r\n\r\n")
        writer.close()
        await drained

    run(main)


def test_drain_answers_all_that_a_client_has_sent_already(run: Callable[[Main], None]) -> None:
    async def main() -> None:
        started, go = asyncio.Event(), asyncio.Event()

        async def handler(request: Request) -> Response:
            started.set()
            await go.wait()
            return Response(request.path)

        server, _ = await serve(handler)
        reader, writer = await asyncio.open_connection(*server.addresses[0])
        writer.write(b"".join(GET.replace(b"/ ", path + b" ") + b"\r\n" for path in (b"/1", b"/2", b"/3")))
        await started.wait()
        drained = asyncio.create_task(server.drain(grace_s=5))
        await asyncio.sleep(0)
        go.set()
        answers = await reader.read()
        writer.close()
        await drained

        assert [answers.count(b"\r\n\r\n" + path) for path in (b"/1", b"/2", b"/3")] == [1, 1, 1]
        assert answers.count(b"connection: close") == 1

    run(main)


def test_drain_drops_a_stream_without_end_and_still_answers_what_has_not_begun(run: Callable[[Main], None]) -> None:
    async def main() -> None:
        go = asyncio.Event()

        async def parts() -> AsyncIterator[str]:
            yield "a"
            await asyncio.Event().wait()

        async def handler(request: Request) -> Response:
            if request.path == "/stream":
                return Response(parts())
            await go.wait()
            return Response("answered")

        server, _ = await serve(handler)
        streamed, stream = await asyncio.open_connection(*server.addresses[0])
        stream.write(GET.replace(b"/ ", b"/stream ") + b"\r\n")
        await streamed.readuntil(b"a\r\n")
        answered, slow = await asyncio.open_connection(*server.addresses[0])
        slow.write(GET + b"\r\n")
        drained = asyncio.create_task(server.drain(grace_s=60, streams_s=0.01))
        assert await streamed.read() == b""  # without the mark of an end
        go.set()
        assert (await answered.read()).endswith(b"answered")
        stream.close()
        slow.close()
        await drained

    run(main)


def test_a_server_takes_a_socket_that_is_bound_already(run: Callable[[Main], None]) -> None:
    async def main() -> None:
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            port = bound.getsockname()[1]
            server = Server(everything)
            await server.start(sock=bound)
            assert server.addresses == [("127.0.0.1", port)]
            async with httpx.AsyncClient() as client:
                assert (await client.get(f"http://127.0.0.1:{port}/ip")).text == "127.0.0.1"
            await server.drain(grace_s=5)

    run(main)


def test_a_server_listens_on_an_address_or_a_socket(run: Callable[[Main], None]) -> None:
    async def main() -> None:
        with pytest.raises(WrongValue, match="one of host and sock"):
            await Server(everything).start()

    run(main)


def test_a_taken_port_is_an_error_at_start(run: Callable[[Main], None]) -> None:
    async def main() -> None:
        server, _ = await serve(everything)
        with pytest.raises(OSError, match="in use"):
            await Server(everything).start(*server.addresses[0])
        await server.drain(grace_s=1)

    run(main)


def test_a_server_that_was_never_asked_drains_at_once(run: Callable[[Main], None]) -> None:
    async def main() -> None:
        server, _ = await serve(everything)
        assert server.connections == 0
        await server.drain(grace_s=1)
        assert server.addresses == []

    run(main)


def test_one_client_too_many_is_503(run: Callable[[Main], None]) -> None:
    async def main() -> None:
        server, _ = await serve(everything, limits=EdgeLimits(connections=1))
        first = await asyncio.open_connection(*server.addresses[0])
        while not server.connections:
            await asyncio.sleep(0)
        reader, writer = await asyncio.open_connection(*server.addresses[0])
        assert (await reader.read()).startswith(b"HTTP/1.1 503 ")
        writer.close()
        first[1].close()
        await server.drain(grace_s=5)

    run(main)


def test_a_closed_connection_leaves_nothing_for_the_collector() -> None:
    def alive() -> list[object]:
        return [one for one in gc.get_objects() if type(one) in (Connection, MessageParser, Exchange, Request)]

    async def main() -> None:
        server, _ = await serve(everything)
        reader, writer = await asyncio.open_connection(*server.addresses[0])
        writer.write(GET + b"\r\n" + POST + b"Content-Length: 3\r\n\r\nabc" + CHUNKED + b"1\r\na\r\n")
        await reader.readuntil(b"200 OK")
        assert alive()
        writer.close()
        while server.connections:
            await asyncio.sleep(0)
        await server.drain(grace_s=1)

    gc.collect()
    gc.disable()
    try:
        asyncio.run(main())
        assert alive() == []
    finally:
        gc.enable()
