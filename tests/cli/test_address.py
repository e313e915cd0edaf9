"""`perdure dev` gets the port that was asked for or says who has it; a default moves on."""

import os
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from perdure.cli import address as address_module
from perdure.cli.address import Address, listen
from perdure.model.errors import WrongValue


@pytest.fixture
def opened():
    with ExitStack() as stack:

        def keep(address: Address) -> Address:
            stack.callback(address.close)
            return address

        yield keep


def test_port_0_is_any_free_port(opened):
    address = opened(listen("127.0.0.1", 0))

    assert address.port > 0
    with socket.create_connection(("127.0.0.1", address.port)):
        pass


def test_a_named_port_that_is_free_is_used(opened):
    free = listen("127.0.0.1", 0)
    free.close()

    assert opened(listen("127.0.0.1", free.port)).port == free.port


def test_a_named_port_that_is_taken_is_refused_with_its_holder_and_the_next_step(opened):
    taken = opened(listen("127.0.0.1", 0))

    with pytest.raises(WrongValue) as refusal:
        listen("127.0.0.1", taken.port)

    assert f"port {taken.port} of 127.0.0.1 is taken" in refusal.value.what
    # Which process it is can be read from /proc, where there is one.
    holder = f"(pid {os.getpid()})" if Path("/proc/self").exists() else "another program"
    assert f"{holder} listens there" in refusal.value.why
    assert "--port" in refusal.value.next_step


def test_the_default_port_moves_on_while_it_is_taken(opened, monkeypatch):
    first = opened(listen("127.0.0.1", 0))
    monkeypatch.setattr(address_module, "DEFAULT_PORT", first.port)

    second = opened(listen("127.0.0.1", None))

    assert second.port != first.port


def test_when_the_next_ports_are_taken_too_any_will_do(opened, monkeypatch):
    first = opened(listen("127.0.0.1", 0))
    monkeypatch.setattr(address_module, "DEFAULT_PORT", first.port)
    monkeypatch.setattr(address_module, "NEXT_PORTS", 0)

    assert opened(listen("127.0.0.1", None)).port not in (0, first.port)


def resolving(monkeypatch, *ips: str) -> None:
    families = [socket.AF_INET6 if ":" in ip else socket.AF_INET for ip in ips]
    found = [(family, socket.SOCK_STREAM, 0, "", (ip, 0)) for family, ip in zip(families, ips, strict=True)]
    monkeypatch.setattr(address_module.socket, "getaddrinfo", lambda *args, **options: found)


def test_a_name_listens_on_every_address_that_it_stands_for_with_one_port(opened, monkeypatch):
    resolving(monkeypatch, "127.0.0.1", "127.0.0.2")

    address = opened(listen("localhost", 0))

    assert [sock.getsockname() for sock in address.sockets] == [
        ("127.0.0.1", address.port),
        ("127.0.0.2", address.port),
    ]


@pytest.mark.parametrize("ips", [("192.0.2.1", "127.0.0.1"), ("127.0.0.1", "192.0.2.1")])
def test_an_address_of_a_name_that_this_machine_lacks_is_passed_over(opened, monkeypatch, ips):
    resolving(monkeypatch, *ips)

    address = opened(listen("localhost", 0))

    assert [sock.getsockname()[0] for sock in address.sockets] == ["127.0.0.1"]


def test_localhost_works_on_a_machine_that_cannot_resolve_it(opened, monkeypatch):
    def fail(*args, **options):
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(address_module.socket, "getaddrinfo", fail)

    assert [sock.getsockname()[0] for sock in opened(listen("localhost", 0)).sockets] == ["127.0.0.1"]


def test_a_port_that_is_taken_on_one_of_several_addresses_is_taken(opened, monkeypatch):
    taken = opened(listen("127.0.0.2", 0))
    resolving(monkeypatch, "127.0.0.1", "127.0.0.2")

    with pytest.raises(WrongValue, match="is taken"):
        listen("localhost", taken.port)
    monkeypatch.undo()
    opened(listen("127.0.0.1", taken.port))  # what was bound before the refusal is free again


def test_what_is_no_address_is_refused():
    with pytest.raises(WrongValue, match="--ip not an address is no address"):
        listen("not an address", 0)


def test_an_address_of_another_machine_is_refused():
    with pytest.raises(WrongValue, match=r"cannot listen on 192\.0\.2\.1"):
        listen("192.0.2.1", 0)


@pytest.mark.parametrize(
    ("ip", "url"),
    [
        ("127.0.0.1", "http://localhost:80"),
        ("0.0.0.0", "http://localhost:80"),
        ("localhost", "http://localhost:80"),
        ("192.0.2.1", "http://192.0.2.1:80"),
        ("2001:db8::1", "http://[2001:db8::1]:80"),
    ],
)
def test_the_url_is_what_works_on_this_machine(ip, url):
    assert Address(ip, 80, ()).url() == url


def test_with_a_certificate_the_url_says_https():
    assert Address("127.0.0.1", 443, ()).url(secure=True) == "https://localhost:443"
