"""One HTTP request of an ASGI server, from its scope to the last byte of the answer; it knows no Workers.

Must stay true: the body is read no faster than the handler takes it, and the answer no faster than the client; a client that
goes away ends the handler, as with our own server; an answer that fails midway never looks complete. What a handler raises
goes on to the server and whatever stands before it (error pages, trackers); only overload is answered here, with 503.
See tests/edge/test_asgi.py.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from perdure.edge.asgi_request import Scope, received
from perdure.edge.exchange import disconnected
from perdure.edge.incoming import IncomingBody
from perdure.edge.outgoing import DIGITS, OURS, length_without_body
from perdure.edge.refusal import Refused
from perdure.edge.site import Handler
from perdure.model.errors import WrongType
from perdure.web.body import Content, close_content
from perdure.web.response import Response

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

READ_AHEAD_BYTES = 64 * 1024
"""Of a body that the handler has not taken; then the server, and by it the client, has to wait. As at our own server."""


async def serve_http(handler: Handler, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request by `handler`. Raises what that raises."""
    await _AsgiExchange(receive, send).run(handler, scope)


class _AsgiExchange:
    """One request and its response."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._body = IncomingBody(self, [])
        self._wanted = asyncio.Event()
        self._gone = False
        self._task = asyncio.current_task()

    def body_wanted(self) -> None:
        """The handler waits for more of the body."""
        self._wanted.set()

    async def run(self, handler: Handler, scope: Scope) -> None:
        listener = asyncio.create_task(self._listen())
        try:
            await self._answer(handler, scope)
        except asyncio.CancelledError:
            # Ours, if the client went and nobody else cancels this task.
            if not self._gone or self._task is None or self._task.uncancel():
                raise
        finally:
            listener.cancel()
            self._body.fail(disconnected("its request was answered"))

    async def _listen(self) -> None:
        """Feed the body as it is wanted, and end the handler when its client is gone."""
        more = True
        while True:
            try:
                message = await self._receive()
            except OSError:  # how some servers say that the client is gone
                break
            if message["type"] == "http.disconnect":
                break
            if not more or message["type"] != "http.request":
                continue
            chunk, more = message.get("body") or b"", message.get("more_body", False)
            if chunk:
                self._body.feed(bytes(chunk))
            if not more:
                self._body.complete()
            while more and self._body.waiting_bytes >= READ_AHEAD_BYTES:
                self._wanted.clear()
                await self._wanted.wait()
        self._gone = True
        self._body.fail(disconnected())
        if self._task is not None:
            self._task.cancel()

    async def _answer(self, handler: Handler, scope: Scope) -> None:
        try:
            response = await self._response(handler, scope)
        except Refused as refused:
            response = Response(f"{refused.why}\n", refused.status)
        content = response.take_body()
        head_only = scope["method"] == "HEAD"
        if content is None or isinstance(content, bytes):
            await self._start(response, content, head_only)
            await self._part(b"" if head_only or content is None else content, more=False)
            return
        try:
            declared = await self._start(response, content, head_only)
            if not head_only:
                await self._stream(content, declared)
        finally:
            await close_content(content)
        await self._part(b"", more=False)

    async def _response(self, handler: Handler, scope: Scope) -> Response:
        request = received(scope, self._body)
        try:
            response = await handler(request)
        except SystemExit as error:
            # One handler's sys.exit() must not end everybody's server.
            raise RuntimeError(f"a handler raised SystemExit: {error.code}") from error
        except Exception as error:
            if getattr(error, "overloaded", False) is not True:
                raise
            return Response("Service Unavailable", 503)
        if not isinstance(response, Response):
            raise WrongType(
                what=f"a handler returned {type(response).__name__}", next_step="return a Response for every request"
            )
        return response

    async def _start(self, response: Response, content: Content, head_only: bool) -> int | None:
        """Send the head; gives how long a streamed body has to be, None: as long as it is."""
        headers: list[tuple[bytes, bytes]] = []
        length: int | None = None
        for name, value in response.sent_fields():
            if name not in OURS:
                headers.append((name.encode("latin-1"), value.encode("latin-1")))
            elif name == "content-length" and DIGITS.fullmatch(value):
                length = int(value)
        if isinstance(content, bytes):
            length = len(content)
        elif content is None:
            length = length_without_body(response.status, length, head_only=head_only)
        if length is not None:
            headers.append((b"content-length", str(length).encode()))
        await self._send({"type": "http.response.start", "status": response.status, "headers": headers})
        return length

    async def _stream(self, content: AsyncIterator[bytes], declared: int | None) -> None:
        sent = 0
        async for chunk in content:
            sent += len(chunk)
            if declared is not None and sent > declared:
                break
            if chunk:
                await self._part(chunk, more=True)
        if declared is not None and sent != declared:
            raise WrongType(
                what=f"a response declared {declared} bytes and its stream gave {'more' if sent > declared else sent}",
                next_step="leave content-length out, or make it what the stream gives",
            )

    async def _part(self, chunk: bytes, *, more: bool) -> None:
        await self._send({"type": "http.response.body", "body": chunk, "more_body": more})
