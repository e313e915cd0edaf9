"""One client connection: bytes in, requests one after another, and no more of either than the handler has room for.

Each request is parsed only when the one before it is answered, so pipelined requests are answered in order, and what
waits is raw bytes with a bound. Every state that waits for the client has a deadline. See tests/edge/test_bytes.py,
tests/edge/test_pipelining.py and tests/edge/test_timeouts.py.
"""

import asyncio
from enum import IntEnum
from typing import Final, cast

from typing_extensions import override

from perdure.edge.exchange import Exchange, disconnected
from perdure.edge.head import CONNECTING_IP, Fields, Head, origin_of, target_of
from perdure.edge.message import MessageParser
from perdure.edge.outbox import Outbox
from perdure.edge.peers import plain_address
from perdure.edge.refusal import Refused, refusal_bytes
from perdure.edge.repeated import RepeatedHead
from perdure.edge.site import RequestLog, Site

_NEVER: Final = float("inf")


class Phase(IntEnum):
    """Where a connection stands in what its client sends."""

    HEAD = 0
    """In a head, or before one."""
    BODY = 1
    """In the body of a request that is being answered."""
    HELD = 2
    """Behind a whole request that is being answered."""
    DISCARD = 3
    """In a body whose request is answered."""
    LINGER = 4
    """Behind a refused request: whatever comes is not read."""
    CLOSED = 5


HEAD, BODY, HELD, DISCARD, LINGER, CLOSED = Phase


class Connection(asyncio.Protocol):
    """Made by the server for each client; driven by its transport, its exchange and the site's clock."""

    __slots__ = (
        *("_at", "_client_ip", "_discarded", "_exchange", "_host", "_origin", "_parser", "_peer", "_phase"),
        *("_read_deadline", "_reading_paused", "_repeated", "_stash", "_transport", "loop", "outbox", "site"),
    )

    _transport: asyncio.Transport
    outbox: Outbox

    def __init__(self, site: Site) -> None:
        self.site = site
        self.loop = site.loop
        self._parser = MessageParser(site.limits)
        self._phase = HEAD
        self._exchange: Exchange | None = None
        # What the client sent and nobody has parsed: `_stash` from `_at` on.
        self._stash = b""
        self._at = 0
        self._discarded = 0
        self._peer: bytes | None = None
        self._client_ip: str | None = None
        self._host: bytes | None = None
        self._origin = ""
        self._repeated: RepeatedHead | None = None
        self._reading_paused = False
        self._read_deadline = _NEVER

    # -- the transport

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        limits = self.site.limits
        self.outbox = Outbox(self.site, self._transport)
        peer = transport.get_extra_info("peername")
        if isinstance(peer, tuple) and peer:
            self._client_ip = plain_address(str(peer[0]))
            self._peer = self._client_ip.encode()
        full = len(self.site.connections) >= limits.connections
        self.site.joined(self)
        if full:
            self._refuse(Refused(503, "too many connections"))
        else:
            self._read_deadline = self.site.after(limits.keep_alive_s)

    @override
    def data_received(self, data: bytes) -> None:
        if self._stash:
            self._hold(self._stash[self._at :] + data, 0)
        elif self._phase is HELD:
            self._hold(data, 0)
        else:
            self._parse(data, 0)

    @override
    def eof_received(self) -> None:
        # Half-closing clients are rare and one that left looks the same: an end of input is the end of the connection.
        self.outbox.watch()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._phase = CLOSED
        self._stash = b""
        self.site.left(self)
        self.outbox.resume()
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.client_gone(disconnected(), cancel=self.site.cancel_on_disconnect)
        self._parser.close()

    @override
    def pause_writing(self) -> None:
        self.outbox.pause()

    @override
    def resume_writing(self) -> None:
        self.outbox.resume()

    # -- reading

    def _parse(self, data: bytes, at: int) -> None:
        size = len(data)
        parser = self._parser
        try:
            while at < size:
                phase = self._phase
                if phase is HEAD:
                    at = self._parse_head(parser, data, at)
                elif phase in (BODY, DISCARD):
                    exchange = self._exchange
                    if exchange is not None and exchange.waiting_bytes >= self.site.limits.read_ahead_bytes:
                        self._hold(data, at)
                        break
                    at = parser.feed_body(data, at)
                    self._take_body(parser, exchange)
                elif phase is HELD:
                    self._hold(data, at)
                    break
                else:
                    return
        except Refused as refused:
            self._refuse(refused)
            return
        exchange = self._exchange
        if exchange is not None and not exchange.started:
            exchange.start()

    def _parse_head(self, parser: MessageParser, data: bytes, at: int) -> int:
        first = parser.at_start
        repeated = self._repeated
        if first and repeated is not None:
            read = repeated.read(data, at)
            if read is not None:
                method, target, end = read
                # Positions instead of keywords, and no further calls: this is the way of nearly every request.
                self._exchange = Exchange(
                    self,
                    method,
                    repeated.origin,
                    target,
                    repeated.fields,
                    repeated.client_ip,
                    False,
                    True,
                    False,
                    False,
                )
                self._phase = HELD
                self._read_deadline = _NEVER
                return end
        at = parser.feed_head(data, at)
        head = parser.head
        if head is not None:
            self._begin(parser, head)
        elif first:
            self._read_deadline = self.site.after(self.site.limits.head_s)
        return at

    def _begin(self, parser: MessageParser, head: Head) -> None:
        site = self.site
        if head.host != self._host:
            self._origin = origin_of(site.scheme, head.host)
            self._host = head.host
        target = target_of(parser.target, self._origin)
        fields = parser.fields
        client_ip = self._identify(head, fields)
        has_body = head.chunked or head.length is not None
        self._exchange = Exchange(
            self,
            parser.method,
            self._origin,
            target,
            fields,
            client_ip,
            parser.http_10,
            parser.keep_alive,
            has_body,
            head.expects_continue and not parser.done,
        )
        if parser.done:
            if parser.block:  # else those of the last one that had any may come again
                self._repeated = RepeatedHead.of(parser.block, self._origin, fields, client_ip, site.limits)
            self._message_done(parser)
        else:
            self._phase = BODY
            self._expect_body()

    def _identify(self, head: Head, fields: Fields) -> str | None:
        if head.claims_address:
            fields[:] = [field for field in fields if field[0] != CONNECTING_IP]
        client_ip = self._client_ip
        if client_ip is None or self._peer is None:
            return None
        if not head.forwarded:
            fields.append((CONNECTING_IP, self._peer))
            return client_ip
        client_ip = self.site.proxies.client_ip(client_ip, head.forwarded)
        fields.append((CONNECTING_IP, client_ip.encode()))
        return client_ip

    def _take_body(self, parser: MessageParser, exchange: Exchange | None) -> None:
        parts = parser.parts
        if parts:
            for part in parts:
                if exchange is not None:
                    exchange.body_part(part)
                else:
                    self._discarded += len(part)
            parts.clear()
            if exchange is not None and exchange.body_bytes > self.site.limits.body_bytes:
                raise Refused(413, "the body is too large")
            if self._discarded > self.site.limits.discard_bytes:
                self._linger()
                return
        if parser.done:
            self._message_done(parser)
        else:
            self._expect_body()

    def _message_done(self, parser: MessageParser) -> None:
        parser.next()
        exchange = self._exchange
        if exchange is not None:
            exchange.body_complete()
            self._phase = HELD
            self._read_deadline = _NEVER
        else:
            self._await_request()

    def _expect_body(self) -> None:
        waits_for_us = self._exchange is not None and self._exchange.expects_continue
        self._read_deadline = _NEVER if waits_for_us else self.site.after(self.site.limits.body_idle_s)

    def _hold(self, data: bytes, at: int) -> None:
        self._stash = data
        self._at = at
        if len(data) - at > self.site.limits.read_ahead_bytes or self._phase is BODY:
            self._pause_reading()

    def _pause_reading(self) -> None:
        if self._phase is BODY:
            self._read_deadline = _NEVER  # it is the handler that is slow
        if not self._reading_paused:
            self._reading_paused = True
            self._transport.pause_reading()

    def _resume_reading(self) -> None:
        if self._reading_paused:
            self._reading_paused = False
            self._transport.resume_reading()

    def _parse_stash(self) -> None:
        data, at = self._stash, self._at
        self._stash = b""
        self._at = 0
        if data:
            self._parse(data, at)
        if not self._stash and self._phase is not CLOSED:
            self._resume_reading()

    # -- what the exchange asks

    def resume_body(self) -> None:
        """The handler has taken what it was given of the body."""
        if self._phase is BODY:
            self._expect_body()
            self._parse_stash()

    def send_last(self, data: bytes) -> None:
        """Send the end of an answer."""
        self.outbox.send_last(data, bool(self._stash))

    def exchange_ended(self, exchange: Exchange, complete: bool) -> None:
        """The task of an exchange is over; the answer was written to its end if `complete`."""
        site = self.site
        if self._exchange is exchange:  # else the client was gone before, or was told something else
            self._exchange = None
            if not complete:
                self.abort()
            elif not exchange.keep_alive or (site.draining and not self._stash):
                self._close()
            elif self._phase is HELD:
                self._await_request()
                if self._stash:
                    self.loop.call_soon(self._proceed, context=site.context)
            else:
                self._discard_body()
        on_request = site.on_request
        if on_request is not None:
            elapsed_ms = (self.loop.time() - exchange.started_s) * 1000
            on_request(
                RequestLog(exchange.method, exchange.target, exchange.status, elapsed_ms, exchange.client_ip, complete)
            )

    def _discard_body(self) -> None:
        self._discarded = 0
        self._phase = DISCARD
        self._expect_body()
        self._parse_stash()

    def abort(self) -> None:
        """Drop the connection as it is."""
        self._phase = CLOSED
        self._transport.abort()

    @property
    def has_more(self) -> bool:
        """Whether the client has sent more than the running request."""
        return bool(self._stash)

    @property
    def is_streaming(self) -> bool:
        """Whether an answer has begun and goes on."""
        return self._exchange is not None and self._exchange.head_sent

    def drain(self) -> None:
        """Close if no request is running or arriving; else the answer to it will be the last."""
        if self._phase is HEAD and self._parser.at_start and not self._stash:
            self._close()

    # -- between requests

    def _await_request(self) -> None:
        self._phase = HEAD
        self._read_deadline = self.site.keep_alive_deadline

    def _proceed(self) -> None:
        if self._phase is not HEAD:
            return
        self._parse_stash()
        self.outbox.flush_unless_grown()

    # -- ends

    def _refuse(self, refused: Refused) -> None:
        """Answer in the place of a handler, and read no more."""
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.client_gone(disconnected(refused.why), cancel=self.site.cancel_on_disconnect)
            if exchange.head_sent:
                self.abort()
                return
        head_only = exchange is not None and exchange.method == "HEAD"
        self.outbox.send(refusal_bytes(refused, date_line=self.site.date_line, head_only=head_only))
        if exchange is not None and exchange.started:
            exchange.status = refused.status  # its end will be logged
        elif self.site.on_request is not None:
            method, target = self._parser.method, self._parser.target.decode("latin-1")
            self.site.on_request(RequestLog(method, target, refused.status, 0.0, self._client_ip, True))
        self._linger()

    def _linger(self) -> None:
        self._stash = b""
        if self._transport.is_closing():
            return
        self._phase = LINGER
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._read_deadline = self.site.after(self.site.limits.linger_s)
        self._resume_reading()

    def _close(self) -> None:
        self.outbox.flush()
        if self._stash or self._phase in (BODY, DISCARD):
            self._linger()
            return
        self._phase = CLOSED
        self._read_deadline = _NEVER
        self.outbox.watch()
        self._transport.close()

    def tick(self, now: float) -> None:
        """Act on the deadlines that have passed."""
        if self._read_deadline <= now:
            self._read_timed_out()
        if self.outbox.stalled(now):
            self.abort()

    def _read_timed_out(self) -> None:
        self._read_deadline = _NEVER
        if self._phase is HEAD and not self._parser.at_start:
            self._refuse(Refused(408, "the request head took too long"))
        elif self._phase is BODY:
            self._refuse(Refused(408, "the request body took too long"))
        elif self._phase is HEAD:
            self._close()
        else:
            self.abort()
