"""Response heads: framing is decided here and nowhere else, so a body is always as long as its head says.

Fields that a handler set about the connection or the framing are dropped, but for a Content-Length that we can hold it
to. See tests/edge/test_responses.py.
"""

import re
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

import msgspec

from perdure.web.body import Content
from perdure.web.response import Response

_PHRASES: Final = MappingProxyType({status.value: status.phrase for status in HTTPStatus})
# By status; one that the standard does not know has no phrase.
_STATUS_LINES: Final = tuple(f"HTTP/1.1 {status} {_PHRASES.get(status, '')}\r\n" for status in range(600))
OURS: Final = frozenset(
    (
        *("connection", "content-length", "keep-alive", "proxy-connection", "te", "trailer"),
        *("transfer-encoding", "upgrade"),
    )
)
"""Fields about the connection or the framing, which a handler does not decide."""
DIGITS: Final = re.compile(r"[0-9]{1,18}")
"""A Content-Length."""


class Outgoing(msgspec.Struct, frozen=True, gc=False):
    """A response's head as bytes, and how its body follows."""

    head: bytes
    with_body: bool
    """Whether a body follows at all; not for HEAD and 304."""
    length: int | None
    """How long a streamed body has to be; None: as long as it is."""
    chunked: bool
    keep_alive: bool


def status_line(status: int, text: str) -> str:
    """The first line of a response, with the standard's own phrase if there is no text."""
    return f"HTTP/1.1 {status} {text}\r\n" if text else _STATUS_LINES[status]


def outgoing(
    response: Response, content: Content, head_only: bool, http_10: bool, keep_alive: bool, date_line: str
) -> Outgoing:
    """The head of a response, and how to send its content."""
    fields = ""
    declared: int | None = None
    for name, value in response.sent_fields():
        if name not in OURS:
            fields += f"{name}: {value}\r\n"
            if name == "date":
                date_line = ""
        elif name == "content-length" and DIGITS.fullmatch(value):
            declared = int(value)
        elif name == "connection" and value.lower() == "close":
            keep_alive = False
    length: int | None
    chunked = False
    if isinstance(content, bytes):
        length = len(content)
    elif content is None:
        length = length_without_body(response.status, declared, head_only=head_only)
    else:
        length = declared
        if length is None and not head_only:
            chunked = not http_10
            keep_alive = (
                keep_alive and chunked
            )  # HTTP/1.0 knows the end of such a body only by the end of the connection
    framing = "transfer-encoding: chunked\r\n" if chunked else "" if length is None else f"content-length: {length}\r\n"
    persistence = "connection: close\r\n" if not keep_alive else "connection: keep-alive\r\n" if http_10 else ""
    head = f"{status_line(response.status, response.status_text)}{date_line}{fields}{framing}{persistence}\r\n"
    with_body = content is not None and not head_only
    return Outgoing(head.encode("latin-1"), with_body, length, chunked, keep_alive)


def length_without_body(status: int, declared: int | None, *, head_only: bool) -> int | None:
    """The Content-Length of a response that has no body; None: there is no such field."""
    if status == 204:
        return None
    if status == 304:
        return declared  # of what the client has; ours would be wrong
    return declared if head_only and declared is not None else 0
