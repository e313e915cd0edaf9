"""A request's body as it arrives: at most a bounded part of it waits here, and its end, early or not, is always told.

A reader that is slow slows the client down; a client that goes away is `Disconnected` to the reader. See
tests/edge/test_bodies.py.
"""

import asyncio
from collections import deque
from typing import Protocol

from perdure.model.errors import BodyUsed, PerdureError


class BodySender(Protocol):
    """The connection, as far as a body needs it."""

    def body_wanted(self) -> None:
        """The reader waits for more."""


class IncomingBody:
    """The chunks of a body, for one reader. Fed by the connection, which asks `waiting_bytes` before it reads on."""

    __slots__ = ("_chunks", "_complete", "_error", "_sender", "_waiter", "waiting_bytes")

    def __init__(self, sender: BodySender, chunks: list[bytes]) -> None:
        self._sender: BodySender | None = sender
        self._chunks = deque(chunks)
        self.waiting_bytes = sum(map(len, chunks))
        self._complete = False
        self._error: PerdureError | None = None
        self._waiter: asyncio.Future[None] | None = None

    def __aiter__(self) -> "IncomingBody":
        return self

    async def __anext__(self) -> bytes:
        while not self._chunks:
            if self._complete:
                raise StopAsyncIteration
            if self._error is not None:
                raise self._error
            if self._waiter is not None:
                raise BodyUsed(what="two readers wait for one body", next_step="call clone() before the first read")
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                if self._sender is not None:
                    self._sender.body_wanted()
                await self._waiter
            finally:
                self._waiter = None
        chunk = self._chunks.popleft()
        self.waiting_bytes -= len(chunk)
        return chunk

    def feed(self, chunk: bytes) -> None:
        self._chunks.append(chunk)
        self.waiting_bytes += len(chunk)
        self._wake()

    def complete(self) -> None:
        """There is no more: the message ended as it should."""
        self._complete = True
        self._sender = None
        self._wake()

    def fail(self, error: PerdureError) -> None:
        """There is no more, and what came is not all."""
        if not self._complete:
            self._error = error
            self._chunks.clear()
            self.waiting_bytes = 0
            self._sender = None
            self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
