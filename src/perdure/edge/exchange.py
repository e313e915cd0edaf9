"""One request and its response: the handler runs once, in a task of its own, and exactly one answer leaves, whole or
not at all.

An answer that fails midway ends the connection without its end mark, so no client takes a part for the whole. See
tests/edge/test_responses.py and tests/edge/test_disconnects.py.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

from perdure.edge.head import Fields
from perdure.edge.incoming import IncomingBody
from perdure.edge.outgoing import Outgoing, outgoing
from perdure.model.errors import Disconnected, PerdureError, WrongType
from perdure.web.body import Content, close_content
from perdure.web.request import Request
from perdure.web.response import Response

if TYPE_CHECKING:
    from perdure.edge.connection import Connection

TASK_NAME: Final = "perdure request"
# A body below it leaves in one piece with its head; above, joining them would only copy.
JOINED_BYTES_MAX: Final = 16 * 1024
# A stream that never waits (a generator over data in memory) lets others run after this much.
STREAM_TURN_BYTES: Final = 64 * 1024
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class Exchange:
    """Made by the connection for each head that it takes."""

    __slots__ = (
        *(
            "_body",
            "_chunks",
            "_connection",
            "_content_complete",
            "_fields",
            "_origin",
            "_request",
            "_responded",
            "_task",
        ),
        *("body_bytes", "client_ip", "expects_continue", "gone", "has_body", "head_sent", "http_10"),
        *("keep_alive", "method", "started", "started_s", "status", "target"),
    )

    def __init__(
        self,
        connection: "Connection",
        method: str,
        origin: str,
        target: str,
        fields: Fields,
        client_ip: str | None,
        http_10: bool,
        keep_alive: bool,
        has_body: bool,
        expects_continue: bool,
    ) -> None:
        self._connection = connection
        self.method = method
        self._origin = origin
        self.target = target
        self._fields = fields
        self.client_ip = client_ip
        self.http_10 = http_10
        self.keep_alive = keep_alive
        self.has_body = has_body
        self.expects_continue = expects_continue
        self._chunks: list[bytes] = []
        self._body: IncomingBody | None = None
        self.body_bytes = 0
        self._content_complete = not has_body
        self._task: asyncio.Task[None] | None = None
        self._request: Request | None = None
        self._responded = False
        self.gone = False
        self.head_sent = False
        self.started = False
        self.started_s = 0.0
        self.status = 0

    # -- what the connection tells

    @property
    def waiting_bytes(self) -> int:
        """Of the body, not taken by the handler yet."""
        return self.body_bytes if self._body is None else self._body.waiting_bytes

    def start(self) -> None:
        loop = self._connection.loop
        if self._connection.site.on_request is not None:
            self.started_s = loop.time()
        self.started = True
        # Not by way of the loop's task factory, which is for the tasks of the host program and of objects.
        self._task = asyncio.Task(self._run(), loop=loop, name=TASK_NAME)

    def body_part(self, part: bytes) -> None:
        self.body_bytes += len(part)
        self.expects_continue = False  # the client did not wait for it
        if self._body is not None:
            self._body.feed(part)
        else:
            self._chunks.append(part)

    def body_complete(self) -> None:
        self._content_complete = True
        if self._body is not None:
            self._body.complete()

    def client_gone(self, error: PerdureError, *, cancel: bool) -> None:
        """No answer can leave any more: the body's reader is told, and the task ended if `cancel` or if it streams."""
        self.gone = True
        if self._body is not None:
            self._body.fail(error)
        if self._task is not None and (cancel or self._responded):
            self._task.cancel()

    # -- the task

    async def _run(self) -> None:
        # One coroutine down to the handler: each that is nested costs at its creation and whenever its task goes on.
        connection = self._connection
        complete = False
        try:
            try:
                body = self._received_body() if self.has_body else None
                self._request = request = Request.received(
                    self.method, self._origin, self.target, self._fields, body, self.client_ip
                )
                response = await connection.site.handler(request)
                if not isinstance(response, Response):
                    raise WrongType(
                        what=f"a handler returned {type(response).__name__}",
                        next_step="return a Response for every request",
                    )
                content = response.take_body()
            except KeyboardInterrupt:
                raise
            except asyncio.CancelledError as error:
                task = self._task
                if self.gone or task is None or task.cancelling():
                    raise
                response = self._failed(error)  # the handler's own doing
                content = response.take_body()
            except BaseException as error:  # SystemExit too: one handler's sys.exit() must not end everybody's server
                response = self._failed(error)
                content = response.take_body()
            self._responded = True
            if self.gone:
                await _drop(content)
            elif content is None or isinstance(content, bytes):
                self._send(response, content)
                complete = True
            else:
                complete = await self._send_stream(response, content)
        finally:
            if self._body is not None:
                self._end_body(self._body)
            connection.exchange_ended(self, complete)

    def _received_body(self) -> Content:
        chunks = self._chunks
        self._chunks = []
        if self._content_complete:
            return b"".join(chunks)
        body = self._body = IncomingBody(self, chunks)
        if self.gone:
            body.fail(disconnected())
        return body

    def _failed(self, error: BaseException) -> Response:
        """What the client gets instead of what the handler did not return."""
        answer = None if self.gone else self._connection.site.handler_failed(error, self._request)
        if answer is not None:
            return answer
        if getattr(error, "overloaded", False) is True:
            return Response("Service Unavailable", 503)
        return Response("Internal Server Error", 500)

    def body_wanted(self) -> None:
        """The handler waits for more of the body."""
        if self.expects_continue and not self.head_sent:
            self._tell_to_continue()
        self._connection.resume_body()

    def _tell_to_continue(self) -> None:
        self.expects_continue = False
        self._connection.outbox.send(CONTINUE)

    def _plan(self, response: Response, content: Content) -> Outgoing:
        site = self._connection.site
        # A client that was never told to continue may send the body or not: the connection cannot be used again.
        ends = site.draining and not self._connection.has_more
        keep_alive = self.keep_alive and not ends and not self.expects_continue
        plan = outgoing(response, content, self.method == "HEAD", self.http_10, keep_alive, site.date_line)
        self.keep_alive = plan.keep_alive
        self.head_sent = True
        self.status = response.status
        return plan

    def _send(self, response: Response, content: bytes | None) -> None:
        plan = self._plan(response, content)
        connection = self._connection
        if content is None or not plan.with_body:
            connection.send_last(plan.head)
        elif len(content) <= JOINED_BYTES_MAX:
            connection.send_last(plan.head + content)
        else:
            connection.outbox.send(plan.head)
            connection.outbox.send(content)

    async def _send_stream(self, response: Response, content: AsyncIterator[bytes]) -> bool:
        if self.expects_continue:
            self._tell_to_continue()  # the stream may be made of the body, and after the head it would be too late
        plan = self._plan(response, content)
        if not plan.with_body:
            self._connection.send_last(plan.head)
            await close_content(content)
            return True
        self._connection.outbox.send(plan.head)
        return await self._stream(plan, content)

    async def _stream(self, plan: Outgoing, content: AsyncIterator[bytes]) -> bool:
        try:
            sent = await self._pump(plan, content)
        except asyncio.CancelledError:
            if self.gone:
                return False
            raise
        except (Exception, SystemExit) as error:
            if not self.gone:
                self._connection.site.handler_failed(error, self._request)
            return False
        finally:
            await close_content(content)
        if plan.length is not None and sent != plan.length:
            mismatch = WrongType(
                what=f"a response declared {plan.length} bytes and its stream gave {sent}",
                next_step="leave content-length out, or make it what the stream gives",
            )
            self._connection.site.handler_failed(mismatch, self._request)
            return False
        if plan.chunked:
            self._connection.outbox.send(b"0\r\n\r\n")
        return True

    async def _pump(self, plan: Outgoing, content: AsyncIterator[bytes]) -> int:
        connection = self._connection
        sent = turn = 0
        async for chunk in content:
            size = len(chunk)
            if not size:
                continue
            sent += size
            if plan.length is not None and sent > plan.length:
                break
            connection.outbox.send(b"%x\r\n%b\r\n" % (size, chunk) if plan.chunked else chunk)
            if connection.outbox.paused:
                turn = 0
                await connection.outbox.wait_writable()
            else:
                turn += size
                if turn >= STREAM_TURN_BYTES:
                    turn = 0
                    await asyncio.sleep(0)
        return sent

    def _end_body(self, body: IncomingBody) -> None:
        # A body ends with its request, also for a reader that outlives the handler.
        if not self._content_complete:
            body.fail(disconnected("its request was answered"))


def disconnected(why: str = "the client closed the connection") -> Disconnected:
    return Disconnected(what="the request's body broke off", why=why)


async def _drop(content: Content) -> None:
    if content is not None and not isinstance(content, bytes):
        await close_content(content)
