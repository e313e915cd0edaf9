"""What stands on the wire and what comes back (deploy DEV-16): a table of raw bytes, each sent whole, byte by
byte, and to a connection that has just answered a request with the same fields."""

from dataclasses import dataclass

import pytest

from perdure.edge import EdgeLimits
from tests.edge.wire import Client, Seen, run, server_of, settle

HOST = b"Host: test\r\n"
GET = b"GET / HTTP/1.1\r\n" + HOST
POST = b"POST / HTTP/1.1\r\n" + HOST
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"

UPGRADE = POST + b"Connection: Upgrade\r\nUpgrade: x\r\n"


@dataclass(frozen=True)
class Case:
    title: str
    sent: bytes
    statuses: tuple[int, ...]
    """In order; the connection is closed behind the last one if that is not 200 or `closes`."""
    reached: tuple[tuple[str, str, bytes], ...] = ()
    """Method, URL and body of each request that a handler got."""
    closes: bool = False


def ok(title: str, sent: bytes, *reached: tuple[str, str, bytes], closes: bool = False) -> Case:
    return Case(title, sent, (200,) * len(reached), reached, closes)


def refused(title: str, sent: bytes, status: int = 400) -> Case:
    return Case(title, sent, (status,))


ROOT = ("GET", "http://test/", b"")
LONG = b"x" * 2000

TAKEN = [
    ok("the smallest request", GET + b"\r\n", ROOT),
    ok("two requests at once", (GET + b"\r\n") * 2, ROOT, ROOT),
    ok("an empty line before the request", b"\r\n" + GET + b"\r\n", ROOT),
    ok("two empty lines before the request", b"\r\n\r\n" + GET + b"\r\n", ROOT),
    ok("HTTP/1.0 closes", b"GET / HTTP/1.0\r\n" + HOST + b"\r\n", ROOT, closes=True),
    ok("HTTP/1.0 that asks to stay", b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n" + HOST + b"\r\n", ROOT),
    ok("connection: close", GET + b"Connection: close\r\n\r\n", ROOT, closes=True),
    ok("connection: Close among others", GET + b"Connection: x, Close\r\n\r\n", ROOT, closes=True),
    ok(
        "nothing behind connection: close is read",
        GET + b"Connection: close\r\n\r\n" + GET + b"\r\n",
        ROOT,
        closes=True,
    ),
    ok("a field name in any case", b"GET / HTTP/1.1\r\nhOsT: test\r\n\r\n", ROOT),
    ok("no space behind the colon", b"GET / HTTP/1.1\r\nHost:test\r\n\r\n", ROOT),
    ok("spaces and tabs around a value", b"GET / HTTP/1.1\r\nHost: \t test \t \r\n\r\n", ROOT),
    ok("an empty value", GET + b"X-Empty:\r\n\r\n", ROOT),
    ok("a value in Latin-1", GET + b"X-Name: caf\xe9\r\n\r\n", ROOT),
    ok("every kind of character in a name", GET + b"!#$%&'*+-.^_`|~09az: x\r\n\r\n", ROOT),
    ok("a Host in capitals, with the default port", b"GET / HTTP/1.1\r\nHost: TEST:80\r\n\r\n", ROOT),
    ok("a Host with a port", b"GET / HTTP/1.1\r\nHost: a.b:8787\r\n\r\n", ("GET", "http://a.b:8787/", b"")),
    ok("an IPv4 Host", b"GET / HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n", ("GET", "http://127.0.0.1:1/", b"")),
    ok("an IPv6 Host", b"GET / HTTP/1.1\r\nHost: [::1]:1\r\n\r\n", ("GET", "http://[::1]:1/", b"")),
    ok("a query", b"GET /a?b=c&d HTTP/1.1\r\n" + HOST + b"\r\n", ("GET", "http://test/a?b=c&d", b"")),
    ok("dots are resolved", b"GET /a/../b/./c HTTP/1.1\r\n" + HOST + b"\r\n", ("GET", "http://test/b/c", b"")),
    ok("escaped dots too", b"GET /a/%2e%2E/b HTTP/1.1\r\n" + HOST + b"\r\n", ("GET", "http://test/b", b"")),
    ok("two slashes are a path", b"GET //x/y HTTP/1.1\r\n" + HOST + b"\r\n", ("GET", "http://test//x/y", b"")),
    ok("a backslash is a slash", b"GET /a\\b HTTP/1.1\r\n" + HOST + b"\r\n", ("GET", "http://test/a/b", b"")),
    ok(
        "what a URL encodes", b'GET /<">{}| HTTP/1.1\r\n' + HOST + b"\r\n", ("GET", "http://test/%3C%22%3E%7B%7D|", b"")
    ),
    ok(
        "an absolute target of the same host",
        b"GET http://TEST/a?b HTTP/1.1\r\n" + HOST + b"\r\n",
        ("GET", "http://test/a?b", b""),
    ),
    ok("an absolute target without a path", b"GET http://test HTTP/1.1\r\n" + HOST + b"\r\n", ROOT),
    ok("an absolute target with the default port", b"GET http://test:80/ HTTP/1.1\r\n" + HOST + b"\r\n", ROOT),
    ok("a known rare method", b"PROPFIND / HTTP/1.1\r\n" + HOST + b"\r\n", ("PROPFIND", "http://test/", b"")),
    ok(
        "an offered upgrade is not taken",
        GET + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n" + GET + b"\r\n",
        ROOT,
        ROOT,
    ),
    ok(
        "an upgrade with a body",
        POST + b"Connection: Upgrade\r\nUpgrade: x\r\nContent-Length: 1\r\n\r\na" + GET + b"\r\n",
        ("POST", "http://test/", b"a"),
        ROOT,
    ),
    ok(
        "an upgrade with chunks",
        POST
        + b"Connection: Upgrade\r\nUpgrade: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"
        + GET
        + b"\r\n",
        ("POST", "http://test/", b"a"),
        ROOT,
    ),
    ok("a body of known length", POST + b"Content-Length: 3\r\n\r\nabc", ("POST", "http://test/", b"abc")),
    ok("an empty body", POST + b"Content-Length: 0\r\n\r\n", ("POST", "http://test/", b"")),
    ok("leading zeros in a length", POST + b"Content-Length: 003\r\n\r\nabc", ("POST", "http://test/", b"abc")),
    ok("a POST without a body", POST + b"\r\n", ("POST", "http://test/", b"")),
    ok(
        "a GET with a body",
        GET + b"Content-Length: 3\r\n\r\nabc" + GET + b"\r\n",
        ("GET", "http://test/", b"abc"),
        ROOT,
    ),
    ok(
        "a body that looks like a request",
        POST + b"Content-Length: %d\r\n\r\n" % len(GET + b"\r\n") + GET + b"\r\n",
        ("POST", "http://test/", GET + b"\r\n"),
    ),
    ok("chunks", CHUNKED + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", ("POST", "http://test/", b"abcde")),
    ok("no chunks", CHUNKED + b"0\r\n\r\n", ("POST", "http://test/", b"")),
    ok(
        "a chunk's size in capitals and zeros",
        CHUNKED + b"00A\r\n0123456789\r\n000\r\n\r\n",
        ("POST", "http://test/", b"0123456789"),
    ),
    ok("chunk extensions", CHUNKED + b'3;a=b;c="d"\r\nabc\r\n0;e\r\n\r\n', ("POST", "http://test/", b"abc")),
    ok(
        "trailers are dropped",
        CHUNKED + b"3\r\nabc\r\n0\r\nHost: evil\r\nX: y\r\n\r\n",
        ("POST", "http://test/", b"abc"),
    ),
    ok(
        "empty lines inside a chunk",
        CHUNKED + b"8\r\n\r\n\r\n\r\n\r\n\r\n0\r\n\r\n" + GET + b"\r\n",
        ("POST", "http://test/", b"\r\n\r\n\r\n\r\n"),
        ROOT,
    ),
    ok(
        "a request behind chunks",
        CHUNKED + b"3\r\nabc\r\n0\r\n\r\n" + GET + b"\r\n",
        ("POST", "http://test/", b"abc"),
        ROOT,
    ),
    ok(
        "a request behind trailers",
        CHUNKED + b"3\r\nabc\r\n0\r\nX: y\r\n\r\n" + GET + b"\r\n",
        ("POST", "http://test/", b"abc"),
        ROOT,
    ),
    ok(
        "Chunked in capitals",
        POST + b"Transfer-Encoding: Chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        ("POST", "http://test/", b"a"),
    ),
    ok("exactly 100 fields", GET + b"".join(b"X%d: y\r\n" % n for n in range(99)) + b"\r\n", ROOT),
    ok(
        "a target of nearly 16 KiB",
        b"GET /" + b"x" * 16_300 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
        ("GET", "http://test/" + "x" * 16_300, b""),
    ),
]

REFUSED = [
    refused("no Host", b"GET / HTTP/1.1\r\n\r\n"),
    refused("no Host in HTTP/1.0", b"GET / HTTP/1.0\r\n\r\n"),
    refused("two Hosts", GET + HOST + b"\r\n"),
    refused("two Hosts that differ", GET + b"Host: evil\r\n\r\n"),
    refused("an empty Host", b"GET / HTTP/1.1\r\nHost:\r\n\r\n"),
    refused("a Host with a path", b"GET / HTTP/1.1\r\nHost: test/a\r\n\r\n"),
    refused("a Host with a user", b"GET / HTTP/1.1\r\nHost: a@test\r\n\r\n"),
    refused("a Host with a space", b"GET / HTTP/1.1\r\nHost: te st\r\n\r\n"),
    refused("a Host with a query", b"GET / HTTP/1.1\r\nHost: test?x\r\n\r\n"),
    refused("a Host with a backslash", b"GET / HTTP/1.1\r\nHost: test\\x\r\n\r\n"),
    refused("a Host whose port is none", b"GET / HTTP/1.1\r\nHost: test:99999\r\n\r\n"),
    refused("a Host whose port is text", b"GET / HTTP/1.1\r\nHost: test:x\r\n\r\n"),
    refused("a Host list", b"GET / HTTP/1.1\r\nHost: test, evil\r\n\r\n"),
    refused("a Host with a bad escape", b"GET / HTTP/1.1\r\nHost: te%zzst\r\n\r\n"),
    refused("an IPv4 Host out of range", b"GET / HTTP/1.1\r\nHost: 256.1.1.1\r\n\r\n"),
    refused("an unclosed IPv6 Host", b"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"),
    refused("a length and chunks", POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    refused("chunks and a length", POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"),
    refused("two lengths that differ", POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
    refused("a length said twice", POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"),
    refused("a list of lengths", POST + b"Content-Length: 3, 3\r\n\r\nabc"),
    refused("a negative length", POST + b"Content-Length: -3\r\n\r\nabc"),
    refused("a signed length", POST + b"Content-Length: +3\r\n\r\nabc"),
    refused("a hexadecimal length", POST + b"Content-Length: 0x3\r\n\r\nabc"),
    refused("a length with a space in it", POST + b"Content-Length: 3 3\r\n\r\nabc"),
    refused("an empty length", POST + b"Content-Length:\r\n\r\nabc"),
    refused("a length beyond 64 bits", POST + b"Content-Length: 99999999999999999999\r\n\r\nabc"),
    refused("an unknown coding", POST + b"Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n"),
    refused("an unknown coding before chunks", POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    refused("chunked twice", POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
    refused("chunked and then identity", POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"),
    refused("nearly chunked", POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    refused("chunked behind a vertical tab", POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n"),
    refused("chunks in HTTP/1.0", b"POST / HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    refused("a chunk size that is no number", CHUNKED + b"x\r\nabc\r\n0\r\n\r\n"),
    refused("a chunk size with 0x", CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n"),
    refused("a signed chunk size", CHUNKED + b"+3\r\nabc\r\n0\r\n\r\n"),
    refused("a space behind a chunk size", CHUNKED + b"3 \r\nabc\r\n0\r\n\r\n"),
    refused("a chunk size of 17 digits", CHUNKED + b"fffffffffffffffff\r\nabc\r\n0\r\n\r\n"),
    refused("no chunk size", CHUNKED + b"\r\nabc\r\n0\r\n\r\n"),
    refused("a chunk longer than it says", CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n"),
    refused("a chunk size ended by LF", CHUNKED + b"3\nabc\r\n0\r\n\r\n"),
    refused("a chunk ended by LF", CHUNKED + b"3\r\nabc\n0\r\n\r\n"),
    refused("a line end in a quoted extension", CHUNKED + b'3;a="\r\n"\r\nabc\r\n0\r\n\r\n'),
    refused("a malformed trailer", CHUNKED + b"3\r\nabc\r\n0\r\nX y\r\n\r\n"),
    refused("a trailer ended by LF", CHUNKED + b"3\r\nabc\r\n0\r\nX: y\n\r\n"),
    refused("lines ended by LF", b"GET / HTTP/1.1\nHost: test\n\n"),
    refused("a field ended by LF", GET + b"X: y\nZ: z\r\n\r\n"),
    refused("a head ended by LF", GET + b"\n"),
    refused("a bare CR in a value", GET + b"X: a\rb\r\n\r\n"),
    refused("a folded field", GET + b"X: a\r\n b\r\n\r\n"),
    refused("a field folded by a tab", GET + b"X: a\r\n\tb\r\n\r\n"),
    refused("a first field that begins with a space", b"GET / HTTP/1.1\r\n " + HOST + b"\r\n"),
    refused("a space before the colon", GET + b"X : y\r\n\r\n"),
    refused("a tab before the colon", GET + b"X\t: y\r\n\r\n"),
    refused("a space in a field name", GET + b"X Y: z\r\n\r\n"),
    refused("NUL in a field name", GET + b"X\0: y\r\n\r\n"),
    refused("NUL in a value", GET + b"X: a\0b\r\n\r\n"),
    refused("a control character in a value", GET + b"X: a\x01b\r\n\r\n"),
    refused("a field without a name", GET + b": y\r\n\r\n"),
    refused("a field without a colon", GET + b"XY\r\n\r\n"),
    refused("a name with a letter beyond ASCII", GET + b"caf\xe9: y\r\n\r\n"),
    refused("a target in raw UTF-8", b"GET /caf\xc3\xa9 HTTP/1.1\r\n" + HOST + b"\r\n"),
    refused("a fragment in the target", b"GET /a#b HTTP/1.1\r\n" + HOST + b"\r\n"),
    refused("a space in the target", b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n"),
    refused("two spaces before the target", b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n"),
    refused("two spaces behind the target", b"GET /  HTTP/1.1\r\n" + HOST + b"\r\n"),
    refused("a tab behind the method", b"GET\t/ HTTP/1.1\r\n" + HOST + b"\r\n"),
    refused("a space behind the version", b"GET / HTTP/1.1 \r\n" + HOST + b"\r\n"),
    refused("a relative target", b"GET a HTTP/1.1\r\n" + HOST + b"\r\n"),
    refused("the asterisk", b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n"),
    refused("HTTP/0.9", b"GET /\r\n\r\n"),
    refused("an absolute target of another host", b"GET http://evil/ HTTP/1.1\r\n" + HOST + b"\r\n"),
    refused("an absolute target of another port", b"GET http://test:81/ HTTP/1.1\r\n" + HOST + b"\r\n"),
    refused("an absolute target with a user", b"GET http://a:b@test/ HTTP/1.1\r\n" + HOST + b"\r\n"),
    refused("an absolute target of another scheme", b"GET ftp://test/ HTTP/1.1\r\n" + HOST + b"\r\n"),
    refused("an absolute target with an impossible port", b"GET http://test:99999/ HTTP/1.1\r\n" + HOST + b"\r\n"),
    refused("TLS on a plain port", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x07" * 60),
    refused("garbage", b"\x00\x01\x02\x03\r\n\r\n"),
    refused("an empty line and LF", b"\r\n\nGET / HTTP/1.1\n\n"),
    refused("an unknown method", b"FOO / HTTP/1.1\r\n" + HOST + b"\r\n", 501),
    refused("a method in lower case", b"get / HTTP/1.1\r\n" + HOST + b"\r\n", 501),
    refused("a method that begins like one", b"GETX / HTTP/1.1\r\n" + HOST + b"\r\n", 501),
    refused("CONNECT", b"CONNECT test:80 HTTP/1.1\r\n" + HOST + b"\r\n", 501),
    refused("a method of another protocol", b"DESCRIBE / RTSP/1.0\r\n" + HOST + b"\r\n", 501),
    refused("another protocol", b"OPTIONS / RTSP/1.0\r\n" + HOST + b"\r\n"),
    refused("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    refused("HTTP/2.0", b"GET / HTTP/2.0\r\n" + HOST + b"\r\n", 505),
    refused("HTTP/1.2", b"GET / HTTP/1.2\r\n" + HOST + b"\r\n", 505),
    refused("HTTP/3", b"GET / HTTP/3\r\n" + HOST + b"\r\n", 505),
    refused("http/1.1", b"GET / http/1.1\r\n" + HOST + b"\r\n"),
    refused("an unknown expectation", POST + b"Expect: a pony\r\nContent-Length: 1\r\n\r\na", 417),
    refused("a request line over 16 KiB", b"GET /" + b"x" * 16_400 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
    refused("a request line without an end", b"GET /" + b"x" * 17_000, 414),
    refused("a head over 32 KiB", GET + b"".join(b"X%d: %b\r\n" % (n, LONG) for n in range(17)) + b"\r\n", 431),
    refused("a value without an end", GET + b"X: " + b"y" * 33_000, 431),
    refused("a name without an end", GET + b"y" * 33_000, 431),
    refused("empty lines without an end", b"\r\n" * 17_000, 431),
    refused("101 fields", GET + b"".join(b"X%d: y\r\n" % n for n in range(100)) + b"\r\n", 431),
    refused("a declared body over the limit", POST + b"Content-Length: 100000001\r\n\r\n", 413),
    refused("a chunk extension without an end", CHUNKED + b"3;" + b"a" * 33_000, 431),
]  # fmt: skip

FIRST_SERVED = [
    Case("a malformed request behind a good one", GET + b"\r\n" + b"GET / HTTP/1.1\r\n\r\n", (200, 400), (ROOT,)),
    Case("an unknown method behind a good one", GET + b"\r\nFOO / HTTP/1.1\r\n\r\n", (200, 501), (ROOT,)),
    Case("garbage behind a good one", GET + b"\r\n\x00\x01", (200, 400), (ROOT,)),
    Case("garbage behind chunks", CHUNKED + b"0\r\n\r\n\xff", (200, 400), (("POST", "http://test/", b""),)),
    Case("a body too long", POST + b"Content-Length: 1\r\n\r\nab\r\n\r\n", (200, 501), (("POST", "http://test/", b"a"),)),
]  # fmt: skip

CASES = [*TAKEN, *REFUSED, *FIRST_SERVED]


def check(case: Case, client: Client, seen: Seen) -> None:
    answers = client.answers(*(method for method, _, _ in case.reached))
    assert tuple(answer.status for answer in answers) == case.statuses
    assert all(answer.complete for answer in answers)
    assert tuple(seen.requests) == case.reached
    refused_last = case.statuses[-1] != 200
    assert client.ended is (refused_last or case.closes)
    if refused_last or (case.closes and "HTTP/1.0" not in case.title):
        assert answers[-1].headers["connection"] == "close"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_these_bytes_get_this_answer(case: Case) -> None:
    async def main() -> None:
        seen = Seen()
        client = Client(server_of(seen))

        await client.send(case.sent)

        check(case, client, seen)
        if case in REFUSED:
            assert seen.started == 0

    run(main)


@pytest.mark.parametrize("case", [c for c in CASES if len(c.sent) < 400], ids=lambda case: case.title)
def test_these_bytes_one_by_one_get_the_same_answer(case: Case) -> None:
    async def main() -> None:
        seen = Seen()
        client = Client(server_of(seen))

        for at in range(len(case.sent)):
            client.feed(case.sent[at : at + 1])
        await settle()

        answers = client.answers(*(method for method, _, _ in case.reached))
        if case in REFUSED and b"chunked\r\n\r\n" in case.sent:
            # A handler may have begun by then, but it never sees a body that is not whole.
            assert [answer.status for answer in answers] == list(case.statuses)
            assert seen.requests == []
        else:
            check(case, client, seen)

    run(main)


def with_the_fields_of(sent: bytes) -> bytes:
    """A plain request with the same bytes behind its request line, up to the end of the head."""
    head = sent.lstrip(b"\r\n").partition(b"\r\n\r\n")[0]
    return b"GET /before HTTP/1.1\r\n" + head.partition(b"\r\n")[2] + b"\r\n\r\n"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_these_bytes_get_this_answer_behind_a_request_with_the_same_fields(case: Case) -> None:
    async def main() -> None:
        for before in (GET + b"\r\n", with_the_fields_of(case.sent)):
            seen = Seen()
            client = Client(server_of(seen))
            await client.send(before)
            if client.ended or not seen.requests:
                continue  # the fields are what is refused, or they end the connection or begin a body
            client.transport.written.clear()
            seen.requests.clear()
            seen.started = 0

            await client.send(case.sent)

            check(case, client, seen)
            if case in REFUSED:
                assert seen.started == 0

    run(main)


def test_the_table_is_as_long_as_promised() -> None:
    assert len(CASES) >= 80
    assert len({case.title for case in CASES}) == len(CASES)


def test_a_body_that_turns_out_too_large_is_refused_as_soon_as_it_is_known() -> None:
    async def main() -> None:
        seen = Seen()
        client = Client(server_of(seen, limits=EdgeLimits(body_bytes=10)))

        await client.send(CHUNKED + b"6\r\nabcdef\r\n")
        assert client.output == b""
        await client.send(b"6\r\nabcdef\r\n")

        assert [answer.status for answer in client.answers("POST")] == [413]
        assert client.ended
        assert seen.requests == []

    run(main)


@pytest.mark.parametrize("endless", [b"X: %b\r\n" % LONG, b"1;%b\r\n" % LONG, b"X" * 1000])
def test_what_frames_a_body_is_bounded_like_a_head(endless: bytes) -> None:
    async def main() -> None:
        seen = Seen()
        client = Client(server_of(seen))
        await client.send(CHUNKED + b"1\r\na\r\n0\r\n" if endless[:1] == b"X" else CHUNKED + b"1\r\na\r\n1;")

        for _ in range(40):
            await client.send(endless.replace(b"\r\n", b"") if b"1;" in endless else endless)

        assert [answer.status for answer in client.answers("POST")] == [431]
        assert seen.requests == []

    run(main)


def test_a_refusal_says_nothing_of_what_was_sent() -> None:
    async def main() -> None:
        client = Client(server_of(Seen()))

        await client.send(b"GET / HTTP/1.1\r\nHost: <script>\r\n\r\n")

        (answer,) = client.answers()
        assert answer.body == b"the Host is not a name or address\n"
        assert answer.headers["content-type"] == "text/plain;charset=UTF-8"

    run(main)
