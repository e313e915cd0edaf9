"""The parent's hold on one child of `perdure dev`: the process that owns code and data.

Must stay true: the child stays in its parent's process group, ends when the parent does however that ends, and gets no
Ctrl-C of its own: the parent tells it what to do. See tests/cli/test_reload.py.
"""

import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from perdure.cli.child_channel import Channel, Message

if TYPE_CHECKING:
    from perdure.cli.dev_options import DevOptions


class ChildProcess:
    """A process that imports what serving takes, and then waits for `start`: made early, it is no wait later."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        # Until it can ignore it, a Ctrl-C at the terminal must not reach it: a mask is inherited, a handler is not.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            with theirs:
                # -P: a file of the current folder must not stand in for a module of the standard library.
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-m", "perdure.cli.child", str(theirs.fileno())],
                    stdin=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self._channel = Channel(ours)

    def start(
        self, options: "DevOptions", *, sockets: Sequence[socket.socket] = (), ip: str = "", introduce: bool = True
    ) -> None:
        """Load and serve a project, once.

        sockets: those that listen already, on what `ip` names; without any the child makes them and hands them over.
        """
        self._channel.send("start", sockets=sockets, options=options.to_json(), ip=ip, introduce=introduce)

    def stand_in(self, options: "DevOptions", *, sockets: Sequence[socket.socket], broken: Message) -> None:
        """Answer on `sockets` that the project cannot be served, and why: what the one that could not `failed` with."""
        self._channel.send("stand in", sockets=sockets, options=options.to_json(), broken=broken)

    @property
    def pid(self) -> int:
        return self._process.pid

    def tell(self, kind: str, **fields: Any) -> None:
        self._channel.send(kind, **fields)

    def receive(self) -> Message | None:
        """What it says next; None once it says no more. Blocks: for a thread."""
        return self._channel.receive()

    def take_sockets(self) -> tuple[socket.socket, ...]:
        return self._channel.take_sockets()

    def wait(self) -> int:
        """Its exit code, negative for a signal. Blocks: for a thread."""
        return self._process.wait()

    def hang_up(self) -> None:
        """Ends the talk: `receive` gives None."""
        self._channel.hang_up()

    def close(self) -> None:
        """For one that has ended, and is not received from any more."""
        self._channel.close()

    def kill(self) -> None:
        self._process.kill()

    def end(self) -> None:
        """Whatever it does, it is no more when this returns."""
        self._process.kill()
        self._process.wait()
