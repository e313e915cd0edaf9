"""TLS from files: it serves, and what cannot serve is refused at start with the reason. The pairs in pem/ are for tests alone."""

import asyncio
import ssl
from pathlib import Path

import httpx
import pytest

from perdure.edge import EdgeLimits, Server, tls_context
from perdure.model.errors import ConfigError
from perdure.web import Request, Response

PEM = Path(__file__).parent / "pem"
CERT, KEY = PEM / "localhost.crt", PEM / "localhost.key"


def test_a_client_that_trusts_the_certificate_is_served_over_https() -> None:
    async def main() -> None:
        async def handler(request: Request) -> Response:
            return Response(f"{request.url} {await request.text()}")

        server = Server(handler, ssl=tls_context(CERT, KEY))
        await server.start("127.0.0.1")
        port = server.addresses[0][1]
        trust = ssl.create_default_context(cafile=CERT)
        async with httpx.AsyncClient(verify=trust) as client:
            first = await client.post(f"https://127.0.0.1:{port}/a", content=b"x" * 200_000)
            second = await client.get(f"https://127.0.0.1:{port}/b")
        await server.drain(grace_s=5)

        assert first.text == f"https://127.0.0.1:{port}/a {'x' * 200_000}"
        assert second.text == f"https://127.0.0.1:{port}/b "

    asyncio.run(main())


def test_plain_text_on_the_tls_port_reaches_no_handler() -> None:
    async def main() -> None:
        async def handler(request: Request) -> Response:
            raise AssertionError

        server = Server(handler, ssl=tls_context(CERT, KEY))
        await server.start("127.0.0.1")
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)  # the failed handshake
        reader, writer = await asyncio.open_connection(*server.addresses[0])
        writer.write(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")

        assert not (await reader.read()).startswith(b"HTTP")
        writer.close()
        await server.drain(grace_s=5)

    asyncio.run(main())


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--cert.*nowhere\.crt.*No such file"):
        tls_context(tmp_path / "nowhere.crt", KEY)
    with pytest.raises(ConfigError, match=r"--key.*nowhere\.key"):
        tls_context(CERT, tmp_path / "nowhere.key")


def test_a_folder_is_not_a_certificate(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="directory"):
        tls_context(tmp_path, KEY)


def test_a_file_in_another_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cert.der").write_bytes(b"\x30\x82\x01")

    with pytest.raises(ConfigError, match="not in PEM format"):
        tls_context(tmp_path / "cert.der", KEY)


def test_a_key_of_another_certificate_is_refused() -> None:
    with pytest.raises(ConfigError, match="the key does not belong to the certificate"):
        tls_context(CERT, PEM / "another.key")


def test_an_encrypted_key_is_refused_instead_of_asked_for() -> None:
    with pytest.raises(ConfigError, match="the key is encrypted"):
        tls_context(CERT, PEM / "encrypted.key")


def test_damaged_pem_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")

    with pytest.raises(ConfigError, match="cannot be used"):
        tls_context(tmp_path / "cert.pem", KEY)


def test_a_refused_client_is_answered_over_tls_too() -> None:
    async def main() -> None:
        async def handler(request: Request) -> Response:
            raise AssertionError

        server = Server(handler, ssl=tls_context(CERT, KEY), limits=EdgeLimits(linger_s=0))
        await server.start("127.0.0.1")
        trust = ssl.create_default_context(cafile=CERT)
        reader, writer = await asyncio.open_connection(*server.addresses[0], ssl=trust)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")

        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 400 ") and answer.endswith(b"no Host\n")
        writer.close()
        await server.drain(grace_s=5)

    asyncio.run(main())
