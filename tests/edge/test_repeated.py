"""A head that repeats the fields of the one before it is taken as the parser would take it, or left to the parser."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.edge import EdgeLimits
from perdure.edge.message import MessageParser
from perdure.edge.refusal import Refused
from perdure.edge.repeated import BLOCK_BYTES_MAX, RepeatedHead
from perdure.web import Request, Response
from perdure.web.method import METHODS
from tests.edge.wire import Client, run, server_of

LIMITS = EdgeLimits()
FIELDS = b"\r\nHost: test\r\nX: y\r\n\r\n"


def kept(block: bytes = FIELDS, limits: EdgeLimits = LIMITS) -> RepeatedHead | None:
    return RepeatedHead.of(block, "http://test", [(b"host", b"test")], None, limits)


def read(data: bytes, at: int = 0, limits: EdgeLimits = LIMITS) -> tuple[str, str, int] | None:
    head = kept(limits=limits)
    assert head is not None
    return head.read(data, at)


def parsed(data: bytes) -> MessageParser | None:
    parser = MessageParser(LIMITS)
    try:
        parser.feed_head(data, 0)
    except Refused:
        return None
    return parser


def test_a_head_with_the_same_fields_is_read_without_the_parser() -> None:
    line = b"PUT /a?b HTTP/1.1"

    assert read(line + FIELDS) == ("PUT", "/a?b", len(line + FIELDS))


def test_it_may_stand_between_other_requests() -> None:
    head = b"GET / HTTP/1.1" + FIELDS

    assert read(head * 3, len(head)) == ("GET", "/", 2 * len(head))


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1" + FIELDS[:-1],
        b"GET / HTTP/1.1\r\nHost: Test\r\nX: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: test\r\nX: y\r\nContent-Length: 1\r\n\r\na",
        b"GET / HTTP/1.1",
        b"GET / HTTP/1.0" + FIELDS,
        b"GET http://test/ HTTP/1.1" + FIELDS,
        b"OPTIONS * HTTP/1.1" + FIELDS,
        b"CONNECT /a HTTP/1.1" + FIELDS,
        b"get / HTTP/1.1" + FIELDS,
        b"\r\nGET / HTTP/1.1" + FIELDS,
        b"GET / HTTP/1.1\n" + FIELDS,
        b"GET /" + b"x" * LIMITS.request_line_bytes + b" HTTP/1.1" + FIELDS,
    ],
)
def test_anything_else_is_left_to_the_parser(data: bytes) -> None:
    assert read(data) is None


def test_a_head_that_is_too_large_is_left_to_the_parser() -> None:
    target = b"/" + b"x" * 100

    assert read(b"GET " + target + b" HTTP/1.1" + FIELDS, limits=EdgeLimits(head_bytes=150)) is None


def test_a_large_head_is_not_kept() -> None:
    assert kept(b"\r\nHost: test\r\nX: " + b"y" * BLOCK_BYTES_MAX + b"\r\n\r\n") is None


@pytest.mark.parametrize("around", [b"/%b", b"/a%bb", b"/a?%b", b"/a?b%bc"])
@pytest.mark.parametrize("method", [b"GET", b"POST", b"QUERY"])
def test_what_is_read_without_the_parser_is_what_the_parser_reads(around: bytes, method: bytes) -> None:
    taken = 0

    for byte in range(256):
        target = around % bytes((byte,))
        data = method + b" " + target + b" HTTP/1.1" + FIELDS
        found = read(data)
        if found is not None:
            taken += 1
            parser = parsed(data)
            assert parser is not None and parser.done, target
            assert found == (parser.method, parser.target.decode(), len(data))

    assert taken == 93  # what is printed in ASCII, but for the space and the fragment's sign


@pytest.mark.parametrize("method", sorted(METHODS))
def test_every_method_is_read_as_the_parser_reads_it(method: str) -> None:
    data = method.encode() + b" / HTTP/1.1" + FIELDS
    parser = parsed(data)

    assert read(data) == (method, "/", len(data))
    assert parser is not None and parser.done and parser.block == FIELDS


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.0\r\nHost: test\r\nConnection: keep-alive\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\n\r\na",
        b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    ],
)
def test_fields_that_say_more_of_their_message_are_never_kept(head: bytes) -> None:
    parser = parsed(head)

    assert parser is not None and parser.head is not None
    assert parser.block == b""


@given(st.lists(st.sampled_from(["plain", "other", "body", "plain"]), min_size=1, max_size=8), st.booleans())
def test_handlers_see_each_request_with_its_own_fields(kinds: list[str], at_once: bool) -> None:
    seen: list[tuple[str, str, str, str | None, bytes]] = []

    async def handler(request: Request) -> Response:
        seen.append(
            (request.method, request.url, request.headers["x"], request.client_ip, await request.bytes()),
        )
        return Response("ok")

    async def main() -> None:
        client = Client(server_of(handler))
        sent = []
        expected = []
        for number, kind in enumerate(kinds):
            length = b"Content-Length: 2\r\n" if kind == "body" else b""
            mark = str(number) if kind == "other" else "same"
            body = b"ab" if kind == "body" else b""
            sent.append(b"POST /%d HTTP/1.1\r\nHost: test\r\nX: %b\r\n%b\r\n" % (number, mark.encode(), length) + body)
            expected.append(("POST", f"http://test/{number}", mark, "192.0.2.7", body))

        if at_once:
            await client.send(b"".join(sent))
        else:
            for request in sent:
                await client.send(request)

        assert seen == expected
        assert len(client.answers(*["POST"] * len(kinds))) == len(kinds)

    run(main)
