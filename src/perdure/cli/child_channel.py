"""What parent and child of `perdure dev` say to each other: one JSON object a line, and the listening sockets beside it.

Must stay true: a message arrives whole or not at all, and the end of one side is the end of input for the other. The
sockets do not reach programs that the child's code starts. See tests/cli/test_child_channel.py.
"""

import json
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

# A list of files may be long; the sockets of one name are few.
READ_BYTES = 1 << 16
SOCKETS_MAX = 8

Message = dict[str, Any]
"""`kind` says what it is. To the child: `start`, then `go` (the data is free) and `stop`; or `stand in`, then `stop`. From
the child: `listening` (with the sockets), `watch`, `loaded`, `ready`, `failed` (it cannot serve) and `closed` (its stores
are)."""


class Channel:
    """One end. Both directions block; read it in a thread."""

    def __init__(self, ours: socket.socket) -> None:
        ours.set_inheritable(False)
        ours.setblocking(True)
        self._socket = ours
        self._rest = b""
        self._descriptors: list[int] = []

    def send(self, kind: str, *, sockets: Sequence[socket.socket] = (), **fields: Any) -> None:
        """Says it; nothing if the other side is gone, which its end of input tells."""
        line = json.dumps({"kind": kind, **fields}).encode() + b"\n"
        try:
            if sockets:
                socket.send_fds(self._socket, [line[:1]], [each.fileno() for each in sockets])
                line = line[1:]
            self._socket.sendall(line)
        except (BrokenPipeError, ConnectionResetError):
            return

    def receive(self) -> Message | None:
        """The next message; None once the other side is gone."""
        while b"\n" not in self._rest:
            try:
                data, descriptors, _flags, _address = socket.recv_fds(self._socket, READ_BYTES, SOCKETS_MAX)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self._rest += data
            self._descriptors += descriptors
        line, _, self._rest = self._rest.partition(b"\n")
        message: Message = json.loads(line)
        return message

    def take_sockets(self) -> tuple[socket.socket, ...]:
        """The sockets that came with a message."""
        taken = tuple(socket.socket(fileno=descriptor) for descriptor in self._descriptors)
        self._descriptors.clear()
        for each in taken:
            each.set_inheritable(False)
        return taken

    def hang_up(self) -> None:
        """Ends both directions, for a thread that waits in `receive` too."""
        with suppress(OSError):  # the other side was faster
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._socket.close()
