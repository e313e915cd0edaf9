"""Responses (runtime 10.2): only what HTTP allows can be made."""

import asyncio
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any

import pytest

from perdure.model.errors import WrongType, WrongValue
from perdure.web import Headers, Request, Response


async def stream() -> AsyncIterator[bytes]:
    yield b"streamed"


def test_a_response_is_200_and_empty_unless_said() -> None:
    response = Response()

    assert (response.status, response.status_text, response.statusText, response.url) == (200, "", "", "")
    assert response.ok
    assert not response.redirected
    assert response.body is None
    assert dict(response.headers) == {}
    assert repr(response) == "<Response 200>"


@pytest.mark.parametrize("status", [200, 299, 404, 599, HTTPStatus.NOT_FOUND])
def test_the_status_is_a_number(status: int) -> None:
    response = Response("x", status)

    assert response.status == status
    assert type(response.status) is int
    assert response.ok == (status < 300)


@pytest.mark.parametrize("status", [0, 99, 101, 199, 600, -1])
def test_other_statuses_are_refused(status: int) -> None:
    with pytest.raises(WrongValue, match="200 to 599"):
        Response(None, status)


@pytest.mark.parametrize("status", ["200", 200.0, None, True])
def test_a_status_of_another_type_is_refused(status: Any) -> None:
    with pytest.raises(WrongType, match="a status is an int"):
        Response(None, status)


@pytest.mark.parametrize("status", [204, 205, 304])
def test_some_statuses_have_no_body(status: int) -> None:
    for body in ("x", b"x", stream()):
        with pytest.raises(WrongType, match="has no body"):
            Response(body, status)
    for nothing in (None, "", b""):
        response = Response(nothing, status)
        assert response.body is None
        assert dict(response.headers) == {}


@pytest.mark.parametrize("text", ["a\r\nb", "a\0", "é", "\x7f"])
def test_a_status_text_is_printable(text: str) -> None:
    with pytest.raises(WrongType, match="printable ASCII"):
        Response(None, status_text=text)


def test_a_text_body_says_its_type_unless_the_headers_do() -> None:
    assert dict(Response("x").headers) == {"content-type": "text/plain;charset=UTF-8"}
    assert dict(Response("x", headers={"content-type": "text/html"}).headers) == {"content-type": "text/html"}
    assert dict(Response(b"x").headers) == {}
    assert dict(Response(stream()).headers) == {}


def test_what_is_sent_is_what_the_headers_say() -> None:
    response = Response("x")
    assert response.sent_fields() == [("content-type", "text/plain;charset=UTF-8")]
    response.headers["a"] = "1"
    assert response.sent_fields() == [("content-type", "text/plain;charset=UTF-8"), ("a", "1")]
    assert Response(b"x").sent_fields() == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_has_a_location_and_fixed_headers(status: int) -> None:
    response = Response.redirect("http://A/b c", status)

    assert (response.status, response.headers["location"], response.body) == (status, "http://a/b%20c", None)
    with pytest.raises(WrongType, match="cannot be changed"):
        response.headers["a"] = "1"


def test_a_redirect_needs_an_absolute_url_and_its_own_statuses() -> None:
    with pytest.raises(WrongType):
        Response.redirect("/a")
    with pytest.raises(WrongValue, match="is no redirect"):
        Response.redirect("http://a/", 200)


@pytest.mark.parametrize("read_headers_first", [False, True])
def test_the_caller_gets_the_body_the_url_and_fixed_headers(read_headers_first: bool) -> None:
    async def main() -> None:
        for headers in (None, {"a": "1"}):
            response = Response("x", 404, status_text="Gone Fishing", headers=headers)
            if read_headers_first:
                assert response.headers
            seen = Response.for_caller(response, Request("http://A/b"), response.take_body())
            assert (seen.status, seen.status_text, seen.url, seen.redirected) == (
                404,
                "Gone Fishing",
                "http://a/b",
                False,
            )
            assert dict(seen.headers) == {**(headers or {}), "content-type": "text/plain;charset=UTF-8"}
            assert seen.headers.immutable
            clone = seen.clone()
            assert (clone.url, clone.headers.immutable) == ("http://a/b", True)
            assert await seen.text() == await clone.text() == "x"
            response.headers["late"] = "1"
            assert "late" not in seen.headers

    asyncio.run(main())


def test_a_received_response_says_where_it_came_from() -> None:
    seen = Response.received(204, "", Headers(), b"", url="http://a/", redirected=True)

    assert seen.redirected
    assert seen.url == "http://a/"
    assert seen.body is None
    assert seen.headers.immutable


def test_a_clone_of_fixed_headers_is_fixed() -> None:
    assert Response.redirect("http://a/").clone().headers.immutable
    assert not Response("x", headers={"a": "1"}).clone().headers.immutable
