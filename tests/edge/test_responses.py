"""What a handler returns, as bytes: the framing is right for every status, method, version and kind of body."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from perdure.model.errors import BodyUsed, Overloaded, WrongType
from perdure.web import Request, Response
from tests.edge.test_bytes import GET, POST
from tests.edge.wire import DATE, Client, Errors, run, server_of

HEAD = b"HEAD / HTTP/1.1\r\nHost: test\r\n\r\n"


async def stream(*chunks: bytes | str) -> AsyncIterator[bytes | str]:
    for chunk in chunks:
        yield chunk


async def answered(response: Response, sent: bytes = GET + b"\r\n", errors: Errors | None = None) -> Client:
    async def handler(request: Request) -> Response:
        return response

    client = Client(server_of(handler, errors=errors))
    await client.send(sent)
    return client


def test_a_text_leaves_in_one_write_with_its_length_type_and_date() -> None:
    async def main() -> None:
        client = await answered(Response("hé"))

        assert client.output == (
            b"HTTP/1.1 200 OK\r\ndate: " + DATE.encode() + b"\r\n"
            b"content-type: text/plain;charset=UTF-8\r\ncontent-length: 3\r\n\r\nh\xc3\xa9"
        )
        assert client.transport.writes == 1
        assert not client.ended

    run(main)


def test_bytes_have_no_type_of_their_own() -> None:
    async def main() -> None:
        (answer,) = (await answered(Response(b"\x00" * 40_000))).answers()

        assert answer.body == b"\x00" * 40_000
        assert answer.headers == {"date": DATE, "content-length": "40000"}

    run(main)


@pytest.mark.parametrize(
    ("response", "headers"),
    [
        (Response(None), {"content-length": "0"}),
        (Response(b""), {"content-length": "0"}),
        (Response(None, 404), {"content-length": "0"}),
        (Response(None, 205), {"content-length": "0"}),
        (Response(None, 204), {}),
        (Response(None, 304), {}),
        (Response(None, 304, headers={"content-length": "7", "etag": "a"}), {"content-length": "7", "etag": "a"}),
        (Response(None, 204, headers={"content-length": "7"}), {}),
        (Response(None, headers={"content-length": "7"}), {"content-length": "0"}),
    ],
)
def test_without_a_body_the_length_is_what_the_status_says(response: Response, headers: dict[str, str]) -> None:
    async def main() -> None:
        client = await answered(response)
        (answer,) = client.answers()

        assert answer.body == b""
        assert answer.headers == {"date": DATE, **headers}
        assert answer.complete
        assert not client.ended

    run(main)


@pytest.mark.parametrize(
    ("response", "length"),
    [
        (Response("abc"), "3"),
        (Response(None), "0"),
        (Response(None, headers={"content-length": "12"}), "12"),
        (Response(stream(b"x" * 12), headers={"content-length": "12"}), "12"),
        (Response(stream(b"x")), None),
    ],
)
def test_head_has_the_head_of_the_answer_and_no_body(response: Response, length: str | None) -> None:
    async def main() -> None:
        client = await answered(response, HEAD + HEAD[:-2] + b"X: y\r\n\r\n")
        answer = client.answers("HEAD", "HEAD")[0]

        assert answer.status == 200
        assert answer.headers.get("content-length") == length
        assert "transfer-encoding" not in answer.headers
        assert answer.body == b""

    run(main)


def test_a_stream_leaves_chunk_by_chunk() -> None:
    async def main() -> None:
        client = await answered(Response(stream("a", b"", b"bc")))
        head, body = client.output.split(b"\r\n\r\n", 1)

        assert b"transfer-encoding: chunked" in head
        assert b"content-length" not in head
        assert body == b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"
        assert not client.ended

    run(main)


def test_a_stream_of_declared_length_is_not_chunked() -> None:
    async def main() -> None:
        (answer,) = (await answered(Response(stream("a", b"bc"), headers={"content-length": "3"}))).answers()

        assert answer.body == b"abc"
        assert "transfer-encoding" not in answer.headers

    run(main)


@pytest.mark.parametrize("chunks", [("a",), ("abcd",), ("ab", "cd", "ef")])
def test_a_stream_of_another_length_than_declared_ends_the_connection(chunks: tuple[str, ...]) -> None:
    async def main() -> None:
        errors = Errors()
        client = await answered(Response(stream(*chunks), headers={"content-length": "3"}), errors=errors)

        (answer,) = client.answers()
        assert not answer.complete
        assert len(answer.body) < 3
        assert client.transport.aborted
        assert isinstance(errors[0], WrongType)

    run(main)


def test_a_stream_to_http_1_0_ends_with_the_connection() -> None:
    async def main() -> None:
        sent = b"GET / HTTP/1.0\r\nHost: test\r\nConnection: keep-alive\r\n\r\n"
        client = await answered(Response(stream("a", "b")), sent)

        assert client.output.endswith(b"\r\n\r\nab")
        assert b"connection: close" in client.output
        assert b"transfer-encoding" not in client.output
        assert client.ended

    run(main)


def test_http_1_0_is_told_that_the_connection_stays() -> None:
    async def main() -> None:
        client = await answered(Response("a"), b"GET / HTTP/1.0\r\nHost: test\r\nConnection: keep-alive\r\n\r\n")

        assert b"connection: keep-alive" in client.output
        assert not client.ended

    run(main)


def test_a_handler_cannot_change_the_framing() -> None:
    async def main() -> None:
        lies = {
            "content-length": "99",
            "transfer-encoding": "chunked",
            "connection": "upgrade",
            "upgrade": "h2c",
            "keep-alive": "timeout=1",
            "trailer": "x",
        }
        client = await answered(Response("abc", headers=lies))

        (answer,) = client.answers()
        assert answer.body == b"abc"
        assert answer.headers == {"date": DATE, "content-type": "text/plain;charset=UTF-8", "content-length": "3"}

    run(main)


def test_a_handler_can_end_the_connection() -> None:
    async def main() -> None:
        client = await answered(Response("abc", headers={"connection": "close"}))

        assert client.answers()[0].headers["connection"] == "close"
        assert client.ended

    run(main)


def test_a_handlers_own_date_status_text_and_cookies_are_sent() -> None:
    async def main() -> None:
        response = Response(None, 299, status_text="Rather Fine", headers={"date": "today"})
        response.headers.append("set-cookie", "a=1")
        response.headers.append("set-cookie", "b=2")
        client = await answered(response)

        assert client.output == (
            b"HTTP/1.1 299 Rather Fine\r\ndate: today\r\nset-cookie: a=1\r\nset-cookie: b=2\r\ncontent-length: 0\r\n\r\n"
        )

    run(main)


def test_a_status_without_a_name_has_an_empty_one() -> None:
    async def main() -> None:
        assert (await answered(Response(None, 299))).output.startswith(b"HTTP/1.1 299 \r\n")

    run(main)


def test_what_a_handler_raises_is_a_500_without_details_and_is_reported() -> None:
    async def main() -> None:
        errors = Errors()

        async def handler(request: Request) -> Response:
            raise ValueError("secret")

        client = Client(server_of(handler, errors=errors))
        await client.send(GET + b"\r\n" + GET + b"\r\n")

        assert [answer.status for answer in client.answers()] == [500, 500]
        assert client.answers()[0].body == b"Internal Server Error"
        assert [str(error) for error in errors] == ["secret", "secret"]

    run(main)


def test_an_overloaded_object_is_a_503() -> None:
    async def main() -> None:
        errors = Errors()

        async def handler(request: Request) -> Response:
            raise Overloaded(what="too much")

        client = Client(server_of(handler, errors=errors))
        await client.send(GET + b"\r\n")

        assert client.answers()[0].status == 503

    run(main)


def test_without_a_callback_errors_go_to_the_loop() -> None:
    async def main() -> None:
        told: list[dict[str, object]] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context))

        async def handler(request: Request) -> Response:
            raise ValueError("secret")

        client = Client(server_of(handler))
        await client.send(GET + b"\r\n")

        assert str(told[0]["exception"]) == "secret"
        assert "GET http://test/" in str(told[0]["message"])

    run(main)


def test_what_is_no_response_is_a_500() -> None:
    async def main() -> None:
        errors = Errors()
        client = await answered("text", errors=errors)  # the mistake under test

        assert client.answers()[0].status == 500
        assert "a handler returned str" in str(errors[0])

    run(main)


def test_a_response_sent_twice_is_a_500_the_second_time() -> None:
    async def main() -> None:
        errors = Errors()
        response = Response("once")
        client = await answered(response, GET + b"\r\n" + GET + b"\r\n", errors)

        assert [answer.status for answer in client.answers()] == [200, 500]
        assert isinstance(errors[0], BodyUsed)

    run(main)


def test_a_handler_that_cancels_itself_is_a_500() -> None:
    async def main() -> None:
        errors = Errors()

        async def handler(request: Request) -> Response:
            raise asyncio.CancelledError

        client = Client(server_of(handler, errors=errors))
        await client.send(GET + b"\r\n" + GET + b"\r\n")

        assert [answer.status for answer in client.answers()] == [500, 500]

    run(main)


def test_a_stream_that_fails_midway_ends_the_connection_without_its_end_mark() -> None:
    async def main() -> None:
        errors = Errors()

        async def failing() -> AsyncIterator[str]:
            yield "a"
            raise ValueError("midway")

        client = await answered(Response(failing()), errors=errors)

        (answer,) = client.answers()
        assert answer.body == b"a"
        assert not answer.complete
        assert client.transport.aborted
        assert str(errors[0]) == "midway"

    run(main)


def test_a_stream_for_head_is_closed_unread() -> None:
    async def main() -> None:
        class Stream:
            def __init__(self) -> None:
                self.closed = self.read = False

            def __aiter__(self) -> "Stream":
                return self

            async def __anext__(self) -> bytes:
                self.read = True
                return b"x"

            async def aclose(self) -> None:
                self.closed = True

        source = Stream()
        await answered(Response(source), HEAD)

        assert source.closed
        assert not source.read

    run(main)


def test_a_request_with_close_is_the_last() -> None:
    async def main() -> None:
        client = await answered(Response(None), POST + b"Connection: close\r\n\r\n" + GET + b"\r\n")

        assert [answer.status for answer in client.answers("POST")] == [200]
        # To close at once with unread input would reset the connection, and the client might never see the answer.
        assert client.transport.eof_sent and not client.transport.closing

    run(main)
