"""A scope of an ASGI server becomes the request that our own server would have made of the same bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.edge.asgi_request import received
from perdure.edge.refusal import Refused


async def nothing():
    return
    yield b""


def scope(**changes):
    return {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"shop.example")],
        "client": ("192.0.2.1", 5000),
        "server": ("127.0.0.1", 8000),
        **changes,
    }


def url_of(**changes) -> str:
    return received(scope(**changes), nothing()).url


def test_method_url_headers_and_client_are_those_of_the_scope():
    request = received(
        scope(
            method="DELETE",
            scheme="https",
            path="/a b",
            raw_path=b"/a%20b",
            query_string=b"x=1&y=%20",
            headers=[(b"Host", b"shop.example:8443"), (b"x-a", b"1"), (b"x-a", b"2")],
        ),
        nothing(),
    )

    assert (request.method, request.url) == ("DELETE", "https://shop.example:8443/a%20b?x=1&y=%20")
    assert request.path == "/a b"
    assert request.headers["x-a"] == "1, 2"
    assert request.client_ip == "192.0.2.1"
    assert request.headers["cf-connecting-ip"] == "192.0.2.1"


def test_a_client_cannot_say_who_it_is():
    request = received(scope(headers=[(b"host", b"x"), (b"cf-connecting-ip", b"9.9.9.9")]), nothing())

    assert request.headers["cf-connecting-ip"] == "192.0.2.1"


@pytest.mark.parametrize("client", [None, ("", 0), ("::ffff:192.0.2.7", 1)])
def test_a_client_that_the_server_does_not_know_is_none_and_a_mapped_address_is_plain(client):
    request = received(scope(client=client), nothing())

    assert request.client_ip == ("192.0.2.7" if client and client[0] else None)


@pytest.mark.parametrize(
    ("root_path", "path", "raw_path", "seen"),
    [
        ("/mount", "/mount/a", b"/mount/a", "/a"),
        ("/mount", "/mount", b"/mount", "/"),
        ("/mount", "/mount/", b"/mount/", "/"),
        ("/mount/", "/mount/a", b"/mount/a", "/a"),
        ("/a/b", "/a/b/c/d", b"/a/b/c%2Fd", "/c%2Fd"),
        ("/mount", "/mountain", b"/mountain", "/mountain"),
        ("/mount", "/a", b"/a", "/a"),
        ("/café", "/café/é", b"/caf%C3%A9/%C3%A9", "/%C3%A9"),
        ("/a/b", "/a/b/c", b"/a%2Fb/c", "/c"),
        ("/mount", "/mount/a", None, "/a"),
        ("", "/100%", None, "/100%25"),
        ("", "/a?b#c", None, "/a%3Fb%23c"),
        ("", "/é", None, "/%C3%A9"),
        ("", "", None, "/"),
        ("", "/a", b"/a?x=1", "/a"),
        ("", "//a", b"//a", "//a"),
    ],
)
def test_the_path_is_the_one_below_the_mount_as_it_was_sent(root_path, path, raw_path, seen):
    assert url_of(root_path=root_path, path=path, raw_path=raw_path) == f"http://shop.example{seen}"


@pytest.mark.parametrize(
    ("headers", "server", "origin"),
    [
        ([(b"host", b"SHOP.example")], ("127.0.0.1", 80), "http://shop.example"),
        ([], ("127.0.0.1", 8000), "http://127.0.0.1:8000"),
        ([], ("::1", 8000), "http://[::1]:8000"),
        ([], ("/run/app.sock", None), "http://localhost"),
        ([], None, "http://localhost"),
    ],
)
def test_the_origin_is_the_host_that_was_asked_for_or_where_the_server_listens(headers, server, origin):
    assert url_of(headers=headers, server=server) == f"{origin}/"


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"method": "BREW"}, 501),
        ({"headers": [(b"host", b"a b")]}, 400),
        ({"headers": [(b"host", b"a"), (b"host", b"b")]}, 400),
        ({"headers": [(b"host", b"a"), (b"x", b"a\r\nb: c")]}, 400),
    ],
)
def test_what_our_own_server_would_refuse_is_refused(changes, status):
    with pytest.raises(Refused) as refusal:
        received(scope(**changes), nothing())

    assert refusal.value.status == status


@pytest.mark.parametrize(
    ("changes", "has_body"),
    [
        ({}, False),
        ({"method": "POST"}, False),
        ({"method": "POST", "headers": [(b"host", b"x"), (b"content-length", b"3")]}, True),
        ({"method": "POST", "headers": [(b"host", b"x"), (b"content-length", b"0")]}, False),
        ({"method": "POST", "headers": [(b"host", b"x"), (b"transfer-encoding", b"chunked")]}, True),
        ({"method": "POST", "http_version": "2"}, True),
        ({"method": "GET", "http_version": "2"}, False),
    ],
)
def test_a_request_has_a_body_if_its_head_says_so_or_needs_not_to(changes, has_body):
    assert (received(scope(**changes), nothing()).body is not None) == has_body


@given(raw=st.binary(max_size=30), query=st.binary(max_size=30), root=st.sampled_from(["", "/a", "/é/x"]))
def test_whatever_bytes_a_server_passes_on_the_url_is_one_and_its_path_a_path(raw, query, root):
    path = root + "/" + raw.decode("utf-8", "replace")
    request = received(scope(path=path, raw_path=b"/" + raw, query_string=query, root_path=root), nothing())

    assert request.url.startswith("http://shop.example/")
    assert request.path.startswith("/")
    assert not set(request.url) & set(" #\r\n\t")
