"""What is on its way to the client: in order, bounded by a client that is slow, and given up for one that takes nothing.

Answers to pipelined requests leave together, as long as their handlers give them at once; an answer never waits for a
handler that does not. See tests/edge/test_pipelining.py and tests/edge/test_timeouts.py.
"""

import asyncio
from typing import Final

from perdure.edge.site import Site

_NEVER: Final = float("inf")


class Outbox:
    """The writing half of a connection."""

    __slots__ = (
        *("_deadline", "_held", "_held_bytes", "_site", "_stalled_bytes", "_transport", "_writable"),
        "paused",
    )

    paused: bool
    """The client has not taken what it was sent: wait before sending more."""

    def __init__(self, site: Site, transport: asyncio.Transport) -> None:
        transport.set_write_buffer_limits(high=site.limits.write_ahead_bytes)
        self._site = site
        self._transport = transport
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._stalled_bytes = 0
        self._deadline = _NEVER
        self._writable: asyncio.Future[None] | None = None
        self.paused = False

    def send(self, data: bytes) -> None:
        """Send a part of an answer, after all that was sent before. Nothing happens on a connection that closes."""
        self.flush()
        if not self._transport.is_closing():
            self._transport.write(data)

    def send_last(self, data: bytes, more_asked: bool) -> None:
        """Send the end of an answer. It may wait for the next answer, if the request for that is here already."""
        if not more_asked and not self._held:
            if not self._transport.is_closing():
                self._transport.write(data)
            return
        self._held.append(data)
        self._held_bytes += len(data)
        if not more_asked or self._held_bytes > self._site.limits.write_ahead_bytes:
            self.flush()

    def flush_unless_grown(self) -> None:
        """Let go what is held, unless the handler that runs now adds to it when it is called next."""
        if self._held:
            self._site.loop.call_soon(self._flush_at, len(self._held), context=self._site.context)

    def flush(self) -> None:
        """Let go what is held."""
        if self._held:
            data = b"".join(self._held)
            self._held.clear()
            self._held_bytes = 0
            if not self._transport.is_closing():
                self._transport.write(data)

    def _flush_at(self, count: int) -> None:
        if len(self._held) <= count:
            self.flush()

    async def wait_writable(self) -> None:
        """Until the client has taken enough of what was sent, or is gone."""
        while self.paused:
            self._writable = self._site.loop.create_future()
            try:
                await self._writable
            finally:
                self._writable = None

    def pause(self) -> None:
        self.paused = True
        self.watch()

    def resume(self) -> None:
        self.paused = False
        self._deadline = _NEVER
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    def watch(self) -> None:
        """From now on the client has to take something from time to time."""
        self._stalled_bytes = self._transport.get_write_buffer_size()
        self._deadline = self._site.after(self._site.limits.write_stall_s)

    def stalled(self, now: float) -> bool:
        """Whether the client has taken nothing for too long."""
        if self._deadline == _NEVER:
            return False
        if self._transport.get_write_buffer_size() < self._stalled_bytes:
            self.watch()
            return False
        return self._deadline <= now
