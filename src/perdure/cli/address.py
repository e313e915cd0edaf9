"""Where `perdure dev` listens: an address and a port that was free, held from the moment it is chosen.

Must stay true: a port that the user named is used or refused, never replaced; a default that is taken moves on, so that
a second project starts beside the first. The sockets are bound here and handed on, so nobody can take the port in
between. See tests/cli/test_address.py."""

import errno
import socket
from collections.abc import Iterator
from dataclasses import dataclass

from perdure.cli.port_holder import holder_of
from perdure.model.errors import WrongValue

DEFAULT_PORT = 8787
NEXT_PORTS = 10
"""How many ports after the default are tried before any other will do: enough for the projects one works on at a
time."""
BACKLOG = 1024
"""Connections that wait for the loop: a burst of clients while it starts, or while it is busy."""
NOT_OURS = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


@dataclass(frozen=True, slots=True)
class Address:
    """Bound and listening sockets that share a port; several where a name stands for several addresses."""

    ip: str
    port: int
    sockets: tuple[socket.socket, ...]

    def url(self, *, secure: bool = False) -> str:
        """What to type on this machine."""
        host = "localhost" if self.ip in ("127.0.0.1", "localhost", "0.0.0.0", "::", "::1") else self.ip
        return f"{'https' if secure else 'http'}://{f'[{host}]' if ':' in host else host}:{self.port}"

    def close(self) -> None:
        for listening in self.sockets:
            listening.close()


def listen(ip: str, port: int | None) -> Address:
    """Listen on `port` of `ip`; 0: any port; None: the default, else one of those after it, else any.

    Raises WrongValue when the port that was asked for is taken, and when `ip` is no address of this machine.
    """
    families = _families(ip)
    for candidate in _candidates(port):
        try:
            return _bind(ip, families, candidate)
        except OSError as error:
            if error.errno == errno.EADDRINUSE and port is None and candidate != 0:
                continue
            raise _refusal(ip, candidate, error) from error
    raise AssertionError("the last candidate is bound or refused")


def _candidates(port: int | None) -> Iterator[int]:
    if port is not None:
        yield port
    else:
        yield from range(DEFAULT_PORT, DEFAULT_PORT + NEXT_PORTS + 1)
        yield 0


def _families(ip: str) -> list[tuple[socket.AddressFamily, str]]:
    try:
        found = socket.getaddrinfo(ip, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        if ip == "localhost":  # a bare machine has no /etc/hosts to say what everyone knows
            return [(socket.AF_INET, "127.0.0.1")]
        raise WrongValue(
            what=f"--ip {ip} is no address",
            why=error.strerror or str(error),
            next_step="give an address like 127.0.0.1 or ::1",
        ) from error
    return list(dict.fromkeys((family, str(address[0])) for family, _, _, _, address in found))


def _bind(ip: str, families: list[tuple[socket.AddressFamily, str]], port: int) -> Address:
    bound: list[socket.socket] = []
    try:
        for number, (family, address) in enumerate(families, start=1):
            try:
                bound.append(_bind_one(family, address, port))
            except OSError as error:
                # A name may stand for an IPv6 address on a machine without IPv6; one address has to be ours.
                if error.errno not in NOT_OURS or (number == len(families) and not bound):
                    raise
            else:
                port = bound[0].getsockname()[1]
    except OSError:
        for listening in bound:
            listening.close()
        raise
    return Address(ip, port, tuple(bound))


def _bind_one(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        # Connections of an earlier run that are still fading must not keep this one from its port.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind((address, port))
        listening.listen(BACKLOG)
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    return listening


def _refusal(ip: str, port: int, error: OSError) -> WrongValue:
    if error.errno == errno.EADDRINUSE:
        holder = holder_of(port)
        return WrongValue(
            what=f"port {port} of {ip} is taken",
            why=f"{holder} listens there" if holder else "another program listens there",
            next_step="stop it, name another with --port, or leave --port out and a free one is found",
        )
    if error.errno == errno.EACCES:
        return WrongValue(
            what=f"port {port} of {ip} may not be opened by this user",
            why=error.strerror or "",
            next_step="use a port from 1024 on",
        )
    return WrongValue(
        what=f"cannot listen on {ip}",
        why=error.strerror or str(error),
        next_step="give an address of this machine with --ip",
    )
