"""A streamed body that an object produces: its iterator runs in the object, its chunks leave through the output gate.

Must stay true: the iterator is stepped only under the object's gate; a chunk leaves after the writes made before it; the
iterator is never more than one chunk ahead of its reader; a reader that goes away ends it. See tests/objects/test_stream.py.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from typing import Generic, TypeVar

from perdure.model.errors import Disconnected
from perdure.objects.member import CURRENT, ObjectMember

T = TypeVar("T")


class _Channel(Generic[T]):
    """Hands chunks from the object's task to one reader, one at a time."""

    def __init__(self, member: ObjectMember) -> None:
        self._member = member
        self._loop = asyncio.get_running_loop()
        self._chunks: list[T] = []
        self._ended = False
        self._failed: BaseException | None = None
        self._reader: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self, source: AsyncIterable[T]) -> None:
        self._task = self._loop.create_task(self._produce(source))
        self._task.add_done_callback(self._over)

    async def _produce(self, source: AsyncIterable[T]) -> None:
        rows = self._member.instance.rows
        try:
            async for chunk in source:
                out: asyncio.Future[None] = self._loop.create_future()

                def release(failed: BaseException | None, chunk: T = chunk, out: "asyncio.Future[None]" = out) -> None:
                    if failed is not None:
                        self._end(failed)
                    else:
                        self._chunks.append(chunk)
                        self._wake(self._reader)
                    self._wake(out)

                rows.hold(release)
                await out
                while self._chunks and self._failed is None:
                    self._room = self._loop.create_future()
                    await self._room
                if self._failed is not None:
                    return
        except (Exception, SystemExit) as error:
            raised = error
            rows.hold(lambda failed: self._end(raised if failed is None else failed))
        else:
            rows.hold(self._end)
        finally:
            if isinstance(source, AsyncGenerator):
                await source.aclose()

    def _over(self, task: "asyncio.Task[None]") -> None:
        broken = self._member.instance.gate.broken
        if broken is not None:
            self._end(broken)
        elif task.cancelled():
            self._end(Disconnected(what="the object stopped producing this body", where=self._member.instance.label))
        # Otherwise its end, or what it raised, is on the way through the output gate.

    def _end(self, failed: BaseException | None) -> None:
        if not self._ended:
            self._ended, self._failed = True, failed
            self._wake(self._reader)
            self._wake(self._room)

    @staticmethod
    def _wake(future: "asyncio.Future[None] | None") -> None:
        if future is not None and not future.done():
            future.set_result(None)

    async def next(self) -> T:
        """The next chunk for the reader; StopAsyncIteration at the end, or what the producer raised."""
        while not self._chunks:
            if self._failed is not None:
                raise self._failed
            if self._ended:
                raise StopAsyncIteration
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        chunk = self._chunks.pop()
        self._wake(self._room)
        return chunk

    def abandon(self) -> None:
        """Nobody reads any more: the producer ends, in its object."""
        self._end(Disconnected(what="the reader of this body has gone", where=self._member.instance.label))
        if self._task is not None:
            self._task.cancel()

    def abandon_later(self) -> None:
        """The same, from wherever the collector found the reader."""
        if not self._ended and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.abandon)


class _Stream(AsyncIterator[T]):
    """The reader's end. One that is dropped unread ends the producer as well."""

    __slots__ = ("_channel",)

    def __init__(self, channel: _Channel[T]) -> None:
        self._channel = channel

    async def __anext__(self) -> T:
        return await self._channel.next()

    async def aclose(self) -> None:
        self._channel.abandon()

    def __del__(self) -> None:
        self._channel.abandon_later()


def pump(source: AsyncIterable[T]) -> AsyncIterator[T]:
    """Call in a step of the object that made `source`: gives what its reader may iterate anywhere on the loop.

    Outside of an object it is `source` itself.
    """
    member = CURRENT.get()
    if member is None:
        return aiter(source)
    channel: _Channel[T] = _Channel(member)
    channel.start(source)
    return _Stream(channel)
