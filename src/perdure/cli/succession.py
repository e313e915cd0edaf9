"""A child's place in the line of processes that serve one project, and how it obeys its parent.

Must stay true: it ends within a second of its parent, whatever its code does meanwhile; it opens no store before the one
before has closed them; it says `closed` once its own are. See tests/cli/test_reload.py.
"""

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from perdure.cli.address import Address
from perdure.cli.broken import Broken
from perdure.cli.child_channel import Channel, Message
from perdure.cli.exit_code import ExitCode
from perdure.cli.stop_signal import StopSignal, stop_signal
from perdure.cli.watch import Watched


class Succession:
    """A place in a line of processes that serve the same project, one after the other: see `dev_session.Place`."""

    def __init__(self, channel: Channel, start: Message, sockets: tuple[socket.socket, ...]) -> None:
        self._channel = channel
        self._start = start
        self.sockets = sockets
        """What others listened on before."""
        self._go = asyncio.Event()

    @property
    def introduces(self) -> bool:
        return bool(self._start["introduce"])

    @property
    def replaces(self) -> bool:
        return bool(self.sockets)

    @contextmanager
    def stop(self) -> Iterator[StopSignal]:
        # Ctrl-C reaches the whole group, and the parent decides what it means.
        with stop_signal(lambda: None, signals=(signal.SIGTERM,)) as stop:
            reader = threading.Thread(
                target=self._obey, args=(asyncio.get_running_loop(), stop), name="parent", daemon=True
            )
            reader.start()
            yield stop

    def address(self, listen: Callable[[], Address]) -> Address:
        if self.sockets:
            return Address(self._start["ip"], self.sockets[0].getsockname()[1], self.sockets)
        address = listen()
        self._channel.send("listening", sockets=address.sockets, ip=address.ip)
        return address

    def watch(self, watched: Watched) -> None:
        self._channel.send("watch", watched=watched.to_message())

    async def wait_turn(self) -> None:
        self._channel.send("loaded")
        await self._go.wait()

    def serves(self, url: str) -> None:
        self._channel.send("ready", url=url)

    def failed(self, broken: Broken) -> None:
        self._channel.send("failed", broken=broken.to_message())

    def closed(self) -> None:
        self._channel.send("closed")

    def _obey(self, loop: asyncio.AbstractEventLoop, stop: StopSignal) -> None:
        while (message := self._channel.receive()) is not None:
            loop.call_soon_threadsafe(self._go.set if message["kind"] == "go" else stop.ask)
        # The parent is gone. Whatever was acknowledged is on the disk, so there is nothing to wait for.
        os._exit(ExitCode.ERROR)
