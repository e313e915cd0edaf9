"""Headers (runtime 10.3): case-insensitive, joined, sorted, and unable to hold what would end a line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.model.errors import WrongType
from perdure.web import Headers

TOKEN = st.text("!#$%&'*+-.^_`|~0123456789abcXYZ", min_size=1, max_size=8)
VALUE = st.text(st.characters(max_codepoint=0xFF, exclude_characters="\0\r\n"), max_size=10)


def test_names_are_found_in_any_case() -> None:
    headers = Headers({"Content-Type": "text/html"})

    assert headers["content-TYPE"] == "text/html"
    assert "CONTENT-type" in headers
    assert 7 not in headers
    assert headers.get("x-none") is None
    assert list(headers) == ["content-type"]


def test_repeats_are_joined_and_kept_apart() -> None:
    headers = Headers([("Accept", "a"), ("accept", "b")])

    assert headers["accept"] == "a, b"
    assert headers.get_all("ACCEPT") == headers.getAll("accept") == ["a", "b"]
    assert headers.get_all("none") == []
    assert len(headers) == 1


def test_setting_replaces_all_and_deleting_removes_all() -> None:
    headers = Headers([("a", "1"), ("A", "2"), ("b", "3")])
    headers["A"] = "4"
    assert headers.get_all("a") == ["4"]
    del headers["a"]

    assert dict(headers) == {"b": "3"}
    with pytest.raises(KeyError):
        del headers["a"]
    with pytest.raises(KeyError):
        headers["a"]


def test_iteration_is_sorted_and_cookies_are_one_entry_each() -> None:
    headers = Headers([("Z", "1"), ("Set-Cookie", "a=1"), ("b", "2"), ("set-cookie", "b=2, c"), ("B", "3")])

    assert headers.multi_items() == [("b", "2, 3"), ("set-cookie", "a=1"), ("set-cookie", "b=2, c"), ("z", "1")]
    assert headers.getSetCookie() == ["a=1", "b=2, c"]
    assert list(headers) == ["b", "set-cookie", "z"]


def test_a_copy_has_every_value_and_is_independent() -> None:
    headers = Headers([("set-cookie", "a"), ("set-cookie", "b")])
    copy = Headers(headers)
    copy.append("set-cookie", "c")

    assert headers.getSetCookie() == ["a", "b"]
    assert copy.getSetCookie() == ["a", "b", "c"]
    assert headers == Headers(headers.multi_items())


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a\r\n", "é", "a\0", "a(b)", 7])
def test_what_is_no_token_is_no_name(name: str) -> None:
    with pytest.raises(WrongType, match="cannot name a header"):
        Headers({name: "x"})


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\nb", "a\rb", "a\0b", "snow\u2603", "\U0001f600", 7, None, b"x"])
def test_what_could_end_a_line_is_no_value(value: str) -> None:
    with pytest.raises(WrongType, match="cannot be"):
        Headers()["x"] = value
    with pytest.raises(WrongType):
        Headers().append("x", value)


def test_values_are_trimmed() -> None:
    assert Headers({"a": " \t b c\r\n "})["a"] == "b c"


def test_a_name_is_text() -> None:
    with pytest.raises(WrongType, match="name is a str"):
        Headers()[7]  # the mistake under test


@pytest.mark.parametrize("init", ["a: b", b"a: b"])
def test_text_is_no_headers(init: str) -> None:
    with pytest.raises(WrongType, match="cannot be made of"):
        Headers(init)  # the mistake under test


def test_received_headers_cannot_be_changed_and_a_copy_can() -> None:
    headers = Headers.received([(b"a", b"1"), (b"a", b"caf\xe9 ")])

    assert headers["a"] == "1, café"
    for change in (
        lambda: headers.append("b", "2"),
        lambda: headers.update({"b": "2"}),
        lambda: headers.pop("a"),
        lambda: headers.clear(),
    ):
        with pytest.raises(WrongType, match=r"received.*Headers\(request\.headers\)"):
            change()
    copy = Headers(headers)
    copy["b"] = "2"
    assert dict(copy) == {"a": "1, café", "b": "2"}
    assert headers.frozen() is headers
    assert not copy.immutable


def test_frozen_headers_are_equal_and_apart() -> None:
    headers = Headers({"a": "1"})
    frozen = headers.frozen()
    headers["a"] = "2"

    assert dict(frozen) == {"a": "1"}
    assert frozen.immutable


def test_the_text_form_shows_the_fields() -> None:
    assert repr(Headers({"A": "b"})) == "Headers([('a', 'b')])"


@given(st.lists(st.tuples(TOKEN, VALUE), max_size=8))
def test_headers_are_a_sorted_map_of_lists(pairs: list[tuple[str, str]]) -> None:
    headers = Headers(pairs)

    model: dict[str, list[str]] = {}
    for name, value in pairs:
        model.setdefault(name.lower(), []).append(value.strip(" \t"))
    assert {name: headers.get_all(name) for name in headers} == model
    assert list(headers) == sorted(model)
    assert headers.fields() == [(name, value) for name, values in model.items() for value in values]
    for name, value in headers.fields():
        assert not set(f"{name}{value}") & set("\r\n\0")
        f"{name}: {value}".encode("latin-1")
