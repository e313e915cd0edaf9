"""An HTTP/1.1 server: bytes in, `Request` out to a handler, its `Response` back; it knows nothing of Workers.

A handler sees only requests that are well formed and within the limits, and everything that a client can do slowly has
an end. See tests/edge/test_server.py.
"""

import asyncio
import math
import ssl as tls
import time
from collections.abc import Callable, Iterable
from socket import socket
from typing import Any

from perdure.edge.connection import Connection
from perdure.edge.limits import EdgeLimits
from perdure.edge.peers import TrustedProxies
from perdure.edge.site import Handler, Member, OnError, OnRequest, Site
from perdure.model.errors import WrongValue

# Connections that the system completes before the loop gets to them; a burst of clients at once.
BACKLOG = 2048
HANDSHAKE_S = 10
# What a client sends at the moment when its idle connection is closed is lost, so one that may be about to send gets this
# long: more than a client that works through its requests takes to the next.
NEXT_REQUEST_S = 0.1


class Server:
    """Serves a handler: `await server.start(...)`, later `await server.drain(grace_s=30)`. One loop, many connections.

    handler: called in a task of its own for each request; what it raises becomes 500, or 503 if `error.overloaded`.
    ssl: serve TLS with it (`perdure.edge.tls`); URLs are https then.
    on_request: called when a request has ended, refused ones included. on_error: called with what a handler or its
    stream raised, and may give the answer; without it, the loop's exception handler is told. trusted_proxies: whose
    `X-Forwarded-For` counts.
    cancel_on_disconnect: cancel the handler's task when its client is gone; False lets it end, and drops its answer.
    """

    def __init__(
        self,
        handler: Handler,
        *,
        limits: EdgeLimits | None = None,
        ssl: tls.SSLContext | None = None,
        on_request: OnRequest | None = None,
        on_error: OnError | None = None,
        trusted_proxies: Iterable[str] = (),
        cancel_on_disconnect: bool = True,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._handler = handler
        self._limits = limits or EdgeLimits()
        self._ssl = ssl
        self._on_request = on_request
        self._on_error = on_error
        self._proxies = TrustedProxies(trusted_proxies)
        self._cancel_on_disconnect = cancel_on_disconnect
        self._wall_clock = wall_clock
        self._site: Site | None = None
        self._listeners: list[asyncio.Server] = []

    async def start(self, host: str | None = None, port: int = 0, *, sock: socket | None = None) -> None:
        """Listen on an address (port 0: any free one), or on a socket that is bound already. Call it again for more.

        Raises OSError if the address cannot be had.
        """
        if (host is None) == (sock is None):
            raise WrongValue(
                what="a server listens on an address or on a socket", next_step="pass one of host and sock"
            )
        options: dict[str, Any] = {"ssl": self._ssl, "backlog": BACKLOG}
        if self._ssl is not None:
            options["ssl_handshake_timeout"] = HANDSHAKE_S
        loop = asyncio.get_running_loop()
        where = {"sock": sock} if sock is not None else {"host": host, "port": port}
        self._listeners.append(await loop.create_server(self.accept, **where, **options))

    def accept(self) -> Connection:
        """The protocol for one more client, whoever accepted it; to be called on the loop."""
        if self._site is None:
            self._site = Site(
                self._handler,
                loop=asyncio.get_running_loop(),
                limits=self._limits,
                scheme="http" if self._ssl is None else "https",
                proxies=self._proxies,
                cancel_on_disconnect=self._cancel_on_disconnect,
                on_request=self._on_request,
                on_error=self._on_error,
                wall_clock=self._wall_clock,
            )
        return Connection(self._site)

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """The addresses and ports listened on."""
        names = [listening.getsockname() for listener in self._listeners for listening in listener.sockets]
        return [(name[0], name[1]) for name in names if isinstance(name, tuple)]

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return 0 if self._site is None else len(self._site.connections)

    async def drain(self, grace_s: float, *, streams_s: float = math.inf) -> None:
        """Stop: no new connections at once, and on each the answer to what its client has sent so far is the last.

        Idle connections are closed after NEXT_REQUEST_S. What is not answered after `grace_s` is dropped; an answer that
        has begun and still streams is dropped after `streams_s`, or up to twice that.
        """
        self._stop_listening()
        site = self._site
        if site is None:
            return
        site.draining = True
        if await _empties(site, min(grace_s, NEXT_REQUEST_S)):
            return
        for connection in list(site.connections):
            connection.drain()
        loop = asyncio.get_running_loop()
        ends_s = loop.time() + grace_s - NEXT_REQUEST_S
        streaming: set[Member] = set()
        while (left_s := ends_s - loop.time()) > 0:
            streaming_before, streaming = streaming, {each for each in site.connections if each.is_streaming}
            for connection in streaming & streaming_before:
                connection.abort()
            if await _empties(site, min(left_s, streams_s)):
                return
        self.abort()
        await site.empty.wait()

    def abort(self) -> None:
        """Stop now: every connection is dropped as it is."""
        self._stop_listening()
        if self._site is not None:
            self._site.draining = True
            for connection in list(self._site.connections):
                connection.abort()

    def _stop_listening(self) -> None:
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()


async def _empties(site: Site, within_s: float) -> bool:
    """Waits until no client is connected, but not for longer than that; whether none is."""
    try:
        async with asyncio.timeout(max(0.0, within_s)):
            await site.empty.wait()
    except TimeoutError:
        return False
    return True
