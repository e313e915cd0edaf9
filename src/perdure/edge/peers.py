"""Who the client is: the peer of the connection, or whom a proxy names that the operator trusts; never whom a client
names.

See tests/edge/test_peers.py and deploy HOST-13.
"""

import ipaddress
from collections.abc import Iterable

from perdure.model.errors import WrongValue

_MAPPED = "::ffff:"


class TrustedProxies:
    """The proxies whose `X-Forwarded-For` counts: addresses and networks, "10.0.0.0/8" for example."""

    def __init__(self, networks: Iterable[str] = ()) -> None:
        try:
            self._networks = [ipaddress.ip_network(network, strict=False) for network in networks]
        except ValueError as error:
            raise WrongValue(
                what="a trusted proxy is not an address or a network", why=str(error), next_step="write 10.0.0.0/8"
            ) from error

    def client_ip(self, peer: str, forwarded: bytes) -> str:
        """The address nearest to us that is not a trusted proxy's.

        forwarded: the values of `X-Forwarded-For`, joined; each proxy appended the peer that it saw, so the list is
        read from its end, and only while the one who appended is trusted.
        """
        client = peer
        entries = forwarded.decode("latin-1").split(",") if forwarded and self._networks else []
        while entries and self._trusts(client):
            address = _address(entries.pop().strip())
            if address is None:
                break
            client = address
        return client

    def _trusts(self, address: str) -> bool:
        parsed = ipaddress.ip_address(address)
        return any(parsed in network for network in self._networks)


def plain_address(address: str) -> str:
    """The address without its IPv6 zone, and as IPv4 if it is one in an IPv6 socket."""
    address = address.partition("%")[0]
    mapped = address.removeprefix(_MAPPED)
    return mapped if "." in mapped else address


def _address(entry: str) -> str | None:
    """An entry of X-Forwarded-For as an address; some proxies add a port, or brackets around IPv6."""
    if entry.startswith("["):
        entry = entry[1:].partition("]")[0]
    elif entry.count(":") == 1:
        entry = entry.partition(":")[0]
    try:
        return plain_address(str(ipaddress.ip_address(entry)))
    except ValueError:
        return None
