"""Who the client is (deploy HOST-13): the peer, or whom a trusted proxy names; never whom the client names."""

import pytest

from perdure.edge.peers import TrustedProxies, plain_address
from perdure.model.errors import WrongValue
from perdure.web import Request, Response
from tests.edge.test_bytes import GET
from tests.edge.wire import Client, run, server_of


def seen_by_handler(fields: bytes, peer: tuple[str, int] | None, trusted: tuple[str, ...]) -> list[object]:
    seen: list[object] = []

    async def main() -> None:
        async def handler(request: Request) -> Response:
            seen.extend((request.client_ip, request.headers.get_all("cf-connecting-ip")))
            return Response(None)

        await Client(server_of(handler, trusted_proxies=trusted), peer).send(GET + fields + b"\r\n")

    run(main)
    return seen


@pytest.mark.parametrize(
    ("fields", "peer", "trusted", "address"),
    [
        (b"", "192.0.2.7", (), "192.0.2.7"),
        (b"CF-Connecting-IP: 6.6.6.6\r\ncf-connecting-ip: 7.7.7.7\r\n", "192.0.2.7", (), "192.0.2.7"),
        (b"X-Forwarded-For: 6.6.6.6\r\n", "192.0.2.7", (), "192.0.2.7"),
        (b"X-Forwarded-For: 6.6.6.6\r\n", "192.0.2.7", ("10.0.0.0/8",), "192.0.2.7"),
        (b"X-Forwarded-For: 6.6.6.6\r\n", "10.1.2.3", ("10.0.0.0/8",), "6.6.6.6"),
        (b"X-Forwarded-For: 1.1.1.1, 6.6.6.6\r\n", "10.1.2.3", ("10.0.0.0/8",), "6.6.6.6"),
        (b"X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 6.6.6.6,10.9.9.9\r\n", "10.1.2.3", ("10.0.0.0/8",), "6.6.6.6"),
        (b"X-Forwarded-For: 10.4.4.4\r\n", "10.1.2.3", ("10.0.0.0/8",), "10.4.4.4"),
        (b"X-Forwarded-For: nonsense\r\n", "10.1.2.3", ("10.0.0.0/8",), "10.1.2.3"),
        (b"X-Forwarded-For: 6.6.6.6:99\r\n", "10.1.2.3", ("10.1.2.3",), "6.6.6.6"),
        (b"X-Forwarded-For: [2001:db8::1]:99\r\n", "::1", ("::1",), "2001:db8::1"),
        (b"X-Forwarded-For: 2001:db8::1\r\n", "::1", ("::1",), "2001:db8::1"),
        (b"", "::ffff:192.0.2.7", (), "192.0.2.7"),
        (b"", "fe80::1%eth0", (), "fe80::1"),
    ],
)  # fmt: skip
def test_the_client_is_who_connected_or_whom_trusted_proxies_saw(
    fields: bytes, peer: str, trusted: tuple[str, ...], address: str
) -> None:
    assert seen_by_handler(fields, (peer, 1), trusted) == [address, [address]]


def test_a_connection_without_an_address_has_no_client() -> None:
    assert seen_by_handler(b"cf-connecting-ip: 6.6.6.6\r\n", None, ()) == [None, []]


def test_a_trusted_proxy_that_is_no_address_is_refused_at_start() -> None:
    with pytest.raises(WrongValue, match=r"10\.0\.0\.0/8"):
        TrustedProxies(["the proxy"])


def test_an_ipv6_address_stays_one() -> None:
    assert plain_address("2001:db8::1") == "2001:db8::1"
