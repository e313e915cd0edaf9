"""The child of `perdure dev`: it owns code and data, and takes over from the one before when the parent says so.

Must stay true: it ends within a second of its parent, whatever its code does meanwhile; it opens no store before the one
before has closed them; it says `closed` once its own are. Run as `python -m perdure.cli.child`, by the parent alone. See
tests/cli/test_reload.py.
"""

import asyncio
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from perdure.cli.address import Address
from perdure.cli.child_channel import Channel, Message
from perdure.cli.dev_options import DevOptions
from perdure.cli.dev_session import run_dev
from perdure.cli.exit_code import ExitCode
from perdure.cli.stop_signal import StopSignal, stop_signal
from perdure.cli.watch import Watched


class Succession:
    """A place in a line of processes that serve the same project, one after the other: see `dev_session.Place`."""

    def __init__(self, channel: Channel, start: Message) -> None:
        self._channel = channel
        self._start = start
        self._go = asyncio.Event()

    @property
    def introduces(self) -> bool:
        return bool(self._start["introduce"])

    @property
    def replaces(self) -> bool:
        return bool(self._start["listening"])

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
        descriptors: list[int] = self._start["listening"]
        if descriptors:
            sockets = tuple(socket.socket(fileno=descriptor) for descriptor in descriptors)
            for each in sockets:
                each.set_inheritable(False)
            return Address(self._start["ip"], sockets[0].getsockname()[1], sockets)
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

    def closed(self) -> None:
        self._channel.send("closed")

    def _obey(self, loop: asyncio.AbstractEventLoop, stop: StopSignal) -> None:
        while (message := self._channel.receive()) is not None:
            loop.call_soon_threadsafe(self._go.set if message["kind"] == "go" else stop.ask)
        # The parent is gone. Whatever was acknowledged is on the disk, so there is nothing to wait for.
        os._exit(ExitCode.ERROR)


def main() -> None:
    signal.signal(signal.SIGINT, _leave_it_to_the_parent)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    channel = Channel(socket.socket(fileno=int(sys.argv[1])))
    start = channel.receive()
    if start is None:
        sys.exit(ExitCode.ERROR)
    sys.argv = ["perdure", "dev"]  # what locks and messages call this program
    sys.exit(run_dev(DevOptions.from_json(start["options"]), lambda: Succession(channel, start)))


def _leave_it_to_the_parent(signum: int, frame: FrameType | None) -> None:
    """A handler, since to ignore the signal would be inherited by the programs that the project starts."""


if __name__ == "__main__":
    main()
