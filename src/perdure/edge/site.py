"""What all connections of one server share: the handler, the limits, whom to tell, and a coarse clock.

Time is the loop's, read once a second: a deadline may come up to a second late, never early, and a request costs no
timer. See tests/edge/test_timeouts.py.
"""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from typing import Final, Protocol

import msgspec

from perdure.edge.limits import EdgeLimits
from perdure.edge.peers import TrustedProxies
from perdure.web.request import Request
from perdure.web.response import Response

Handler = Callable[[Request], Awaitable[Response]]
TICK_S: Final = 1.0


class RequestLog(msgspec.Struct, frozen=True, gc=False):
    """What became of one request, for a line of a log. `status` is 0 if no answer could be sent."""

    method: str
    """"" if the head was refused before it could be read."""
    target: str
    status: int
    elapsed_ms: float
    client_ip: str | None
    complete: bool
    """Whether the whole answer was handed to the connection."""


OnRequest = Callable[[RequestLog], None]
OnError = Callable[[BaseException, Request | None], Response | None]
"""Told what a handler or its stream raised; what it gives is the answer, if none has left yet. It must not raise."""


class Member(Protocol):
    """A connection, as far as the site needs it."""

    def tick(self, now: float) -> None:
        """Act on the deadlines that have passed."""

    @property
    def is_streaming(self) -> bool:
        """Whether an answer has begun and goes on."""
        ...

    def drain(self) -> None:
        """Close once nothing is running."""

    def abort(self) -> None:
        """Drop the connection as it is."""


class Site:
    """One for each server; see `Server` for what its parameters mean."""

    def __init__(
        self,
        handler: Handler,
        *,
        loop: asyncio.AbstractEventLoop,
        limits: EdgeLimits,
        scheme: str,
        proxies: TrustedProxies,
        cancel_on_disconnect: bool,
        on_request: OnRequest | None,
        on_error: OnError | None,
        wall_clock: Callable[[], float],
    ) -> None:
        self.handler = handler
        self.loop = loop
        self.limits = limits
        self.scheme = scheme
        self.proxies = proxies
        self.cancel_on_disconnect = cancel_on_disconnect
        self.on_request = on_request
        self._on_error = on_error
        self._wall_clock = wall_clock
        # Requests behind others start from callbacks of those others' tasks, and must not inherit what these put in
        # theirs.
        self.context = contextvars.copy_context()
        self.connections: dict[Member, None] = {}
        self.draining = False
        self.empty = asyncio.Event()
        self.empty.set()
        self.date_line = ""
        self._now = 0.0
        self.keep_alive_deadline = 0.0
        """Of a connection that begins to wait for a request now."""
        self._ticker: asyncio.TimerHandle | None = None

    def after(self, seconds: float) -> float:
        """The time that many seconds from now, or up to a second more."""
        return self._now + TICK_S + seconds

    def joined(self, member: Member) -> None:
        self.connections[member] = None
        self.empty.clear()
        if self._ticker is None:
            self._read_clock()

    def left(self, member: Member) -> None:
        self.connections.pop(member, None)
        if not self.connections:
            self.empty.set()

    def handler_failed(self, error: BaseException, request: Request | None) -> Response | None:
        """A handler raised, or its stream did: whoever runs the server has to know, and may have an answer to it."""
        if self._on_error is not None:
            return self._on_error(error, request)
        context = {"message": f"the handler of {request!r} failed", "exception": error}
        self.loop.call_exception_handler(context)
        return None

    def _read_clock(self) -> None:
        self._now = self.loop.time()
        self.keep_alive_deadline = self.after(self.limits.keep_alive_s)
        self.date_line = f"date: {formatdate(self._wall_clock(), usegmt=True)}\r\n"
        self._ticker = self.loop.call_later(TICK_S, self._tick)

    def _tick(self) -> None:
        if not self.connections:
            self._ticker = None  # an idle server keeps no timer
            return
        self._read_clock()
        now = self._now
        for member in list(self.connections):
            member.tick(now)
