"""The client's bytes as messages: no byte beyond the end of one is consumed, and what is refused is refused at once.

llhttp (through httptools) parses; but it goes on into the next message and does not say where one ended. So it is fed
up to each empty line, or to the end of a body of known length: a message ends nowhere else. Requests behind the
running one can then wait as bytes. See tests/edge/test_bytes.py and tests/edge/test_splits.py.
"""

from typing import Final

import httptools

from perdure.edge.head import Fields, Head, malformed, read_head, refuse_oversized, request_line
from perdure.edge.limits import EdgeLimits
from perdure.edge.refusal import Refused
from perdure.web.method import METHODS

_EMPTY_LINE: Final = b"\r\n\r\n"


def end_of_part(tail: bytes, data: bytes, start: int) -> int:
    """The index just past the next empty line, which may have begun in `tail` (the 3 bytes before); -1 if none."""
    if tail:
        at = (tail + data[start : start + 3]).find(_EMPTY_LINE)
        if at >= 0:
            return start + at + 4 - len(tail)
    at = data.find(_EMPTY_LINE, start)
    return at + 4 if at >= 0 else -1


class MessageParser:
    """The messages of one connection in turn: `feed_head` until `head` is there, `feed_body` until `done`, `next`."""

    __slots__ = (
        *("_head_done", "_limits", "_parser", "_partial", "_remaining", "_tail", "_unbodied", "at_start", "block"),
        *("done", "fields", "head", "http_10", "keep_alive", "method", "parts", "target"),
    )

    at_start: bool
    """No byte of this message was read."""
    block: bytes
    """Of a head without a body that keeps the connection: what follows the request line; else b""."""
    head: Head | None
    method: str
    fields: Fields
    """Lower-case names, in order."""
    done: bool

    def __init__(self, limits: EdgeLimits) -> None:
        self._limits = limits
        self._parser = httptools.HttpRequestParser(self)
        self.parts: list[bytes] = []
        """Of the body, since they were last taken."""
        self.next()

    def next(self) -> None:
        """Begin with the message behind the one that is done."""
        self._partial = self._tail = b""
        self.at_start = True
        self._head_done = self.done = False
        self._remaining: int | None = None
        self._unbodied = 0
        self.head = None
        self.method = ""
        self.block = self.target = b""
        self.fields = []
        self.http_10 = self.keep_alive = False

    def feed_head(self, data: bytes, at: int) -> int:
        """Read on from `at`, at most to the end of the head; the index of the rest. Refused for what is no request."""
        self.at_start = False
        end = end_of_part(self._tail, data, at)
        piece = data if not at and end in (-1, len(data)) else data[at:] if end < 0 else data[at:end]
        raw = self._partial + piece if self._partial else piece
        try:
            self._parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            self._finish_head(raw)
            self.block = b""
            self._decline_upgrade()
        except httptools.HttpParserError as error:
            raise _refused(malformed(raw, str(error)), error) from error
        else:
            if self._head_done:
                self._finish_head(raw)
            else:
                refuse_oversized(self.target, len(raw), self.fields, self._limits)
                self._partial = raw
                self._tail = raw[-3:]
        return at + len(piece)

    def feed_body(self, data: bytes, at: int) -> int:
        """Read on from `at`, at most to the end of the message; the index of the rest. Refused if malformed."""
        remaining = self._remaining
        if remaining is not None:
            piece = data if not at and len(data) <= remaining else data[at : at + remaining]
            self._remaining = remaining - len(piece)
        else:
            end = end_of_part(self._tail, data, at)
            piece = data[at:] if end < 0 else data[at:end]
            self._tail = (self._tail + piece[-3:])[-3:]
            self._unbodied += len(piece)
        try:
            self._parser.feed_data(piece)
        except httptools.HttpParserError as error:
            raise _refused(Refused(400, "malformed body"), error) from error
        # Sizes and trailers between two bytes of a body are bounded like a head, or they would be a body without a
        # limit.
        if self._unbodied > self._limits.head_bytes:
            raise Refused(431, "the framing of the body is too large")
        return at + len(piece)

    def close(self) -> None:
        """No more will be fed. The two parsers hold each other, and only the collector would find them."""
        del self._parser

    def _finish_head(self, raw: bytes) -> None:
        refuse_oversized(self.target, len(raw), self.fields, self._limits)
        minor, line_end = request_line(raw)
        self.http_10 = minor == b"0"
        self.method = self._parser.get_method().decode("ascii")
        if self.method not in METHODS:
            raise Refused(501, "unknown method")
        self.head = head = read_head(self.fields)
        if head.chunked and self.http_10:
            raise Refused(400, "HTTP/1.0 has no Transfer-Encoding")
        if head.length is not None and head.length > self._limits.body_bytes:
            raise Refused(413, "the body is too large")
        self._remaining = head.length
        bodiless = head.length is None and not head.chunked and not head.expects_continue
        if bodiless and self.keep_alive and not self.http_10:
            self.block = raw[line_end:]
        self._partial = self._tail = b""

    def _decline_upgrade(self) -> None:
        """Go on in HTTP behind a head that offers another protocol: no upgrade is taken.

        The parser has ended the message with its head, body or not. To believe it would be to take a body for the next
        request, which no proxy in front would do; so another parser reads the body, told of its framing.
        """
        self._parser = httptools.HttpRequestParser(self)
        head = self.head
        if head is None or (head.length is None and not head.chunked):
            return
        framing = b"transfer-encoding: chunked" if head.chunked else b"content-length: %d" % (head.length or 0)
        target, keep_alive = self.target, self.keep_alive
        self.done = False
        self._parser.feed_data(b"POST / HTTP/1.1\r\n%b\r\n\r\n" % framing)
        self.target, self.keep_alive = target, keep_alive

    # -- what llhttp reports

    def on_url(self, part: bytes) -> None:
        self.target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._head_done:  # else it is a trailer, for which nothing here has a use
            self.fields.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self._head_done = True
        self.keep_alive = self._parser.should_keep_alive()  # the parser forgets it at the end of the message

    def on_body(self, part: bytes) -> None:
        self._unbodied = 0
        self.parts.append(part)

    def on_message_complete(self) -> None:
        self.done = True


def _refused(refused: Refused, error: httptools.HttpParserError) -> Exception:
    # An exception of ours inside a callback is a defect here, not in the request.
    return error if isinstance(error, httptools.HttpParserCallbackError) else refused
