"""Clients that ask for more than anybody should get. Each opens its attack on a server and keeps it up until it is closed."""

import contextlib
import resource
import selectors
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

HEAD = b" HTTP/1.1\r\nHost: x\r\n"
Connect = Callable[[], socket.socket]


def rss_kib(pid: int) -> int | None:
    """The memory of a process; None on a machine that does not tell."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return None
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))


def may_open(files: int) -> bool:
    """Whether this process can have so many open; raises its limit if it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < files <= hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
        soft = files
    return soft == resource.RLIM_INFINITY or soft >= files


@contextlib.contextmanager
def idle_connections(connect: Connect, count: int) -> Iterator[None]:
    with contextlib.ExitStack() as opened:
        for _ in range(count):
            opened.enter_context(connect())
        yield


@contextlib.contextmanager
def half_heads(connect: Connect, count: int) -> Iterator[None]:
    """Each has sent nearly all that a head may have, and does not end it."""
    with contextlib.ExitStack() as opened:
        for _ in range(count):
            client = opened.enter_context(connect())
            client.sendall(b"GET /count" + HEAD + b"".join(b"h%d: %b\r\n" % (n, b"v" * 300) for n in range(90)))
        yield


@contextlib.contextmanager
def pipelined_requests(connect: Connect, count: int) -> Iterator[None]:
    """Requests one behind the other whose answers nobody reads; sends until the server takes no more."""
    with connect() as client:
        client.setblocking(False)
        left = memoryview((b"GET /done" + HEAD + b"\r\n") * count)
        with selectors.DefaultSelector() as selector:
            selector.register(client, selectors.EVENT_WRITE)
            while left and selector.select(0.5):
                left = left[client.send(left) :]
        yield


@contextlib.contextmanager
def unread_streams(connect: Connect, count: int) -> Iterator[None]:
    """Answers without end that nobody reads."""
    with contextlib.ExitStack() as opened:
        for _ in range(count):
            client = opened.enter_context(connect())
            client.sendall(b"GET /stream" + HEAD + b"\r\n")
            client.recv(1)
        yield


@contextlib.contextmanager
def unread_bodies(connect: Connect, count: int) -> Iterator[None]:
    """Bodies that the handler does not read, each sent until the server takes no more."""
    with contextlib.ExitStack() as opened:
        for _ in range(count):
            client = opened.enter_context(connect())
            client.sendall(b"POST /wait" + HEAD + b"Content-Length: 100000000\r\n\r\n")
            client.setblocking(False)
            with selectors.DefaultSelector() as selector:
                selector.register(client, selectors.EVENT_WRITE)
                while selector.select(0.05):
                    client.send(bytes(1 << 20))
        yield


def upload(connect: Connect, size: int) -> bytes:
    """Send a chunked body of `size` bytes, whatever the server says meanwhile; gives what it said."""
    said = bytearray()
    with connect() as client:

        def listen() -> None:
            with contextlib.suppress(ConnectionError):
                while piece := client.recv(65_536):
                    said.extend(piece)

        listener = threading.Thread(target=listen)
        listener.start()
        chunk = b"100000\r\n" + bytes(1 << 20) + b"\r\n"
        with contextlib.suppress(ConnectionError):
            client.sendall(b"POST /body" + HEAD + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(size >> 20):
                client.sendall(chunk)
            client.sendall(b"0\r\n\r\n")
        listener.join()
    return bytes(said)
