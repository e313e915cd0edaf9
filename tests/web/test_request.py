"""Requests (runtime 10.1, API-48, API-49), made in code and received."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from perdure.model.errors import BodyUsed, WrongType
from perdure.web import Headers, Request


def received(target: str = "/a?b=c", **changes: Any) -> Request:
    parts: dict[str, Any] = {
        "method": "POST",
        "origin": "http://test",
        "target": target,
        "fields": [(b"host", b"test"), (b"x", b"y")],
        "content": b"body",
        "client_ip": "192.0.2.7",
    }
    return Request.received(**{**parts, **changes})


async def stream() -> AsyncIterator[bytes]:
    yield b"streamed"


def test_a_request_has_the_parts_of_its_url() -> None:
    request = Request("HTTP://Example.com:80/caf%C3%A9/b%20c?q=%C3%BC&q=2#top")

    assert request.method == "GET"
    assert request.url == "http://example.com/caf%C3%A9/b%20c?q=%C3%BC&q=2#top"
    assert request.path == "/café/b c"
    assert request.raw_path == "/caf%C3%A9/b%20c"
    assert request.query.get_all("q") == ["ü", "2"]
    assert request.query is request.query
    assert request.body is None
    assert request.client_ip is None
    assert request.redirect == "follow"
    assert dict(request.headers) == {}
    assert repr(request) == f"<Request GET {request.url}>"


@pytest.mark.parametrize("method", ["get", "Post", "PATCH", "patch", "delete", "PURGE"])
def test_a_method_is_upper_case_text(method: str) -> None:
    assert Request("http://a/", method=method).method == method.upper()


@pytest.mark.parametrize("method", ["", "CONNECT", "FOO", "GET ", "G ET", 7])
def test_an_unknown_method_is_refused(method: str) -> None:
    with pytest.raises(WrongType, match="not a request method"):
        Request("http://a/", method=method)


@pytest.mark.parametrize("method", [None, "GET", "head"])
@pytest.mark.parametrize("body", ["", "x", b"x"])
def test_get_and_head_have_no_body(method: str | None, body: str) -> None:
    with pytest.raises(WrongType, match="has no body"):
        Request("http://a/", method=method, body=body)


@pytest.mark.parametrize("url", ["/a", "ftp://a/", "a", "", 7])
def test_a_request_needs_an_absolute_url_of_http(url: str) -> None:
    with pytest.raises(WrongType):
        Request(url)


def test_redirect_is_follow_or_manual() -> None:
    assert Request("http://a/", redirect="manual").redirect == "manual"
    with pytest.raises(WrongType, match='"follow" or "manual"'):
        Request("http://a/", redirect="error")  # the mistake under test


def test_a_text_body_says_its_type_unless_the_headers_do() -> None:
    assert Request("http://a/", method="PUT", body="x").headers["content-type"] == "text/plain;charset=UTF-8"
    own = Request("http://a/", method="PUT", body="x", headers={"Content-Type": "text/html"})
    assert own.headers["content-type"] == "text/html"
    assert "content-type" not in Request("http://a/", method="PUT", body=b"x").headers


def test_the_headers_of_a_made_request_can_be_changed() -> None:
    init = Headers({"a": "1"})
    request = Request("http://a/", headers=init)
    request.headers["b"] = "2"

    assert dict(request.headers) == {"a": "1", "b": "2"}
    assert dict(init) == {"a": "1"}


def test_a_request_from_a_request_takes_over_its_body() -> None:
    async def main() -> None:
        first = received()
        second = Request(first)
        assert first.body_used
        with pytest.raises(BodyUsed):
            await first.text()
        assert (second.method, second.url, second.client_ip) == ("POST", "http://test/a?b=c", "192.0.2.7")
        assert second.headers == first.headers
        second.headers["new"] = "1"
        assert "new" not in first.headers
        assert await second.text() == "body"
        with pytest.raises(BodyUsed):
            Request(first)

    asyncio.run(main())


def test_a_request_from_a_request_with_another_body_leaves_the_first_alone() -> None:
    async def main() -> None:
        first = received()
        second = Request(first, method="PUT", headers={"z": "1"}, body="other", redirect="follow")
        assert (second.method, second.redirect) == ("PUT", "follow")
        assert dict(second.headers) == {"z": "1", "content-type": "text/plain;charset=UTF-8"}
        assert await first.text() == "body"
        assert await second.text() == "other"

    asyncio.run(main())


def test_a_received_get_with_a_body_may_be_wrapped_as_it_is() -> None:
    async def main() -> None:
        assert await Request(received(method="GET")).text() == "body"
        with pytest.raises(WrongType):
            Request(received(), method="GET")
        with pytest.raises(WrongType):
            Request(received(method="GET"), body="x")

    asyncio.run(main())


def test_a_received_request_is_what_the_connection_read() -> None:
    request = received()

    assert request.url == "http://test/a?b=c"
    assert request.redirect == "manual"
    assert dict(request.headers) == {"host": "test", "x": "y"}
    with pytest.raises(WrongType, match="cannot be changed"):
        request.headers["x"] = "z"
    assert request.headers is request.headers


def test_a_placeholder_stands_for_the_network() -> None:
    assert received().cf["colo"] == Request("http://a/").cf["colo"] == "LOCAL"
    assert received(cf={"country": "NZ"}).cf["country"] == "NZ"
    with pytest.raises(TypeError):
        received().cf["colo"] = "x"  # the mistake under test


@pytest.mark.parametrize("streamed", [False, True])
def test_the_callee_gets_the_body_the_client_and_fixed_headers(streamed: bool) -> None:
    async def main() -> None:
        request = received(content=stream() if streamed else b"body")
        callee = Request.for_callee(request, request.take_body())
        assert (callee.method, callee.url, callee.client_ip) == ("POST", "http://test/a?b=c", "192.0.2.7")
        assert dict(callee.headers) == {"host": "test", "x": "y"}
        assert callee.headers.immutable
        assert request.body_used
        assert await callee.text() == ("streamed" if streamed else "body")

    asyncio.run(main())


def test_the_callee_of_a_made_request_does_not_see_later_changes() -> None:
    request = Request("http://a/", method="POST", headers={"a": "1"}, body="x")
    callee = Request.for_callee(request, request.take_body())
    request.headers["a"] = "2"

    assert dict(callee.headers) == {"a": "1", "content-type": "text/plain;charset=UTF-8"}
    assert callee.headers.immutable
    assert callee.redirect == "manual"


def test_a_used_request_has_no_callee() -> None:
    async def main() -> None:
        request = received()
        await request.text()
        with pytest.raises(BodyUsed):
            Request.for_callee(request, request.take_body())

    asyncio.run(main())


@pytest.mark.parametrize("read_headers_first", [False, True])
def test_a_clone_is_equal_and_has_a_body_of_its_own(read_headers_first: bool) -> None:
    async def main() -> None:
        for request in (received(), received(content=stream()), Request("http://a/", method="POST", body="x")):
            if read_headers_first:
                dict(request.headers)
            clone = request.clone()
            assert (clone.method, clone.url, clone.client_ip, clone.redirect) == (
                request.method,
                request.url,
                request.client_ip,
                request.redirect,
            )
            assert dict(clone.headers) == dict(request.headers)
            assert clone.headers.immutable == request.headers.immutable
            assert await clone.text() == await request.text() != ""

    asyncio.run(main())
