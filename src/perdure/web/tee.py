"""Two readers of one body: each sees every chunk once, in order, and the end or the error that the source gave.

The reader that is ahead pulls; what the other has still to read waits here, up to a bound. See tests/web/test_body.py.
"""

import asyncio
import weakref
from collections import deque
from collections.abc import AsyncIterator
from typing import Final

from perdure.model.errors import Disconnected, TooLarge

# Above the largest body that the edge takes by default (100 MB), so reading one copy whole and then the other works.
TEE_BYTES_MAX: Final = 128 * 1024 * 1024


class _Source:
    """What both branches pull from, one at a time."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self.chunks = chunks
        self.lock = asyncio.Lock()
        self.end: BaseException | None = None


class Branch:
    """One of the two readers. It knows the other weakly: nothing is kept for a copy that was thrown away."""

    __slots__ = ("__weakref__", "_other", "_source", "_waiting", "_waiting_bytes")

    _other: "weakref.ref[Branch]"

    def __init__(self, source: _Source) -> None:
        self._source = source
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0

    def __aiter__(self) -> "Branch":
        return self

    async def __anext__(self) -> bytes:
        source = self._source
        while not self._waiting:
            async with source.lock:
                if self._waiting:  # the other branch pulled while this one waited
                    break
                if source.end is not None:
                    raise source.end
                try:
                    chunk = await anext(source.chunks)
                except Exception as error:
                    source.end = error
                    raise
                except BaseException:
                    # A generator that was cancelled only ends: the other reader would take half a body for the whole.
                    source.end = Disconnected(what="the body broke off", why="the reader of its copy was cancelled")
                    raise
                other = self._other()
                if other is not None:
                    other._hold(chunk)
                return chunk
        chunk = self._waiting.popleft()
        self._waiting_bytes -= len(chunk)
        return chunk

    def _hold(self, chunk: bytes) -> None:
        self._waiting.append(chunk)
        self._waiting_bytes += len(chunk)
        if self._waiting_bytes > TEE_BYTES_MAX:
            self._source.end = TooLarge(
                what="the two copies of a body are read too far apart",
                why=f"{self._waiting_bytes} bytes wait for the slower reader",
                next_step="read both at the same pace",
                size=self._waiting_bytes,
                limit=TEE_BYTES_MAX,
            )
            raise self._source.end


def tee(chunks: AsyncIterator[bytes]) -> tuple[Branch, Branch]:
    """Two independent iterators over the chunks of one."""
    source = _Source(chunks)
    first, second = Branch(source), Branch(source)
    first._other, second._other = weakref.ref(second), weakref.ref(first)
    return first, second
