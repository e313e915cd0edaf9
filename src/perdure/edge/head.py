"""Which request heads are taken: those that every proxy and server on the way understands as the same request.

The parser (llhttp) refuses most of what is malformed; here is what it lets through, and which status says what was
wrong. Nothing that is refused reaches a Worker. See tests/edge/test_bytes.py, a table of raw bytes.
"""

import re
from typing import Final

import msgspec

from perdure.edge.limits import EdgeLimits
from perdure.edge.refusal import Refused
from perdure.web.method import METHODS
from perdure.web.url import normal_origin, parsed_url

Fields = list[tuple[bytes, bytes]]

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
# An empty line before a request line is for clients that end a body with one too many (RFC 9112, 2.2).
_STRICT_LINE = re.compile(rb"(?:\r\n)*" + _TOKEN + rb" [\x21\x22\x24-\x7e]+ HTTP/1\.([01])(?=\r\n)")
_ANY_LINE = re.compile(rb"(" + _TOKEN + rb") +(\S+) +HTTP/(\d+)(?:\.(\d+))?\Z")
# Or only the beginning of a method: the parser stops at the first letter that no method goes on with.
_METHOD_FIRST = re.compile(rb"(" + _TOKEN + rb")(?: |\Z)")
_DECLARED = frozenset(
    (b"host", b"content-length", b"transfer-encoding", b"expect", b"cf-connecting-ip", b"x-forwarded-for")
)
CONNECTING_IP: Final = b"cf-connecting-ip"
_KNOWN = frozenset(method.encode() for method in METHODS)


class Head(msgspec.Struct, frozen=True, gc=False):
    """What a head says about its own message."""

    host: bytes
    length: int | None
    chunked: bool
    expects_continue: bool
    claims_address: bool
    forwarded: bytes


def request_line(raw: bytes) -> tuple[bytes, int]:
    """The minor version of a complete head of HTTP/1, `0` or `1`, and where its first line ends.

    Refused if that is not strictly a request line.
    """
    match = _STRICT_LINE.match(raw)
    if match is None:
        raise malformed(raw, "malformed request line")
    return match[1], match.end(1)


def malformed(raw: bytes, reason: str) -> Refused:
    """The answer to a head that cannot be parsed, by what its first line looks like."""
    line = raw.lstrip(b"\r\n").partition(b"\r\n")[0].rstrip(b"\r")
    versioned = _ANY_LINE.match(line)
    if versioned is not None and (versioned[3], versioned[4]) not in ((b"1", b"0"), (b"1", b"1")):
        return Refused(505, "this server speaks HTTP/1.1")
    method = _METHOD_FIRST.match(line)
    if method is not None and method[1] not in _KNOWN:
        return Refused(501, "unknown method")
    return Refused(400, reason)


def refuse_oversized(target: bytes, head_bytes: int, fields: Fields, limits: EdgeLimits) -> None:
    """Refused once so much of a head was read that it can only be too large."""
    # The method and the version are not worth counting exactly: no method is longer than 16.
    if len(target) > limits.request_line_bytes - 16:
        raise Refused(414, "the request line is too long")
    if head_bytes > limits.head_bytes:
        raise Refused(431, "the request head is too large")
    if len(fields) > limits.fields:
        raise Refused(431, "the request has too many header fields")


def read_head(fields: Fields) -> Head:
    """What these fields say about their message. Refused where they contradict themselves or each other."""
    host: bytes | None = None
    length: int | None = None
    chunked = expects_continue = claims_address = False
    forwarded = b""
    for name, value in fields:
        if name not in _DECLARED:
            continue
        value = value.strip(b" \t")  # the parser leaves tabs
        if name == b"host":
            if host is not None:
                raise Refused(400, "more than one Host")
            host = value
        elif name == b"content-length":
            length = int(value)  # digits only, and only once: the parser has checked
        elif name == b"transfer-encoding":
            if value.lower() != b"chunked":
                raise Refused(501, "the only known Transfer-Encoding is chunked")
            chunked = True
        elif name == b"expect":
            if value.lower() != b"100-continue":
                raise Refused(417, "the only known expectation is 100-continue")
            expects_continue = True
        elif name == b"x-forwarded-for":
            forwarded = forwarded + b"," + value if forwarded else value
        else:
            claims_address = True
    if host is None:
        raise Refused(400, "no Host")
    return Head(host, length, chunked, expects_continue, claims_address, forwarded)


def origin_of(scheme: str, host: bytes) -> str:
    """The origin of URLs with this Host. Refused if no URL can have it."""
    origin = normal_origin(scheme, host.decode("latin-1"))
    if origin is None:
        raise Refused(400, "the Host is not a name or address")
    return origin


def target_of(target: bytes, origin: str) -> str:
    """The target from its path on. Refused if it is neither that nor an absolute URL of this origin's host."""
    text = target.decode("ascii")
    if text[0] == "/":
        return text
    parsed = parsed_url(text) if "://" in text else None
    if parsed is None:
        raise Refused(400, "the target is neither a path nor an absolute URL")
    if parsed.username or parsed.password:
        raise Refused(400, "the target names a user")
    if parsed.host != parsed_host(parsed.protocol, origin):
        raise Refused(400, "the target contradicts the Host")
    return parsed.pathname + parsed.search


def parsed_host(protocol: str, origin: str) -> str:
    """The host and port of an origin as a URL of another scheme would show them."""
    parsed = parsed_url(f"{protocol}//{origin.partition('://')[2]}/")
    return "" if parsed is None else parsed.host
