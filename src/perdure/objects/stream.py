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
        except Exception as error:
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

    async def read(self) -> AsyncIterator[T]:
        try:
            while True:
                while not self._chunks:
                    if self._failed is not None:
                        raise self._failed
                    if self._ended:
                        return
                    self._reader = asyncio.get_running_loop().create_future()
                    await self._reader
                chunk = self._chunks.pop()
                self._wake(self._room)
                yield chunk
        finally:
            self._end(Disconnected(what="the reader of this body has gone"))
            if self._task is not None:
                self._task.cancel()


def pump(source: AsyncIterable[T]) -> AsyncIterator[T]:
    """Call in a step of the object that made `source`: gives what its reader may iterate anywhere on the loop.

    Outside of an object it is `source` itself.
    """
    member = CURRENT.get()
    if member is None:
        return aiter(source)
    channel: _Channel[T] = _Channel(member)
    channel.start(source)
    return channel.read()
