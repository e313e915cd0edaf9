"""URLs are what the URL standard says (runtime 10.1), by its parser or by the short cut around it."""

import ada_url
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from perdure.model.errors import WrongType
from perdure.web.url import (
    decoded_path,
    joined,
    normal_origin,
    normal_url,
    parsed_url,
    query_text_of,
    raw_path_of,
)

# Everything that a parser of targets might trip over, and nothing that a request line cannot hold.
TARGET = st.text("/.%2eEfa~-_!$&'()*+,;=:@?\\|^`{}\"<>[]", max_size=14).map(lambda text: f"/{text}")
HOST = st.text("ab.-:0123x_n[]%AZ@!", min_size=1, max_size=10)


@pytest.mark.parametrize(
    ("given_url", "url"),
    [
        ("http://EXAMPLE.com", "http://example.com/"),
        ("https://example.com:443/a", "https://example.com/a"),
        ("http://example.com:80/", "http://example.com/"),
        ("http://example.com:8787/a/../b", "http://example.com:8787/b"),
        ("http://example.com/café?ü#ß", "http://example.com/caf%C3%A9?%C3%BC#%C3%9F"),
        ("  http://example.com/a b  ", "http://example.com/a%20b"),
        ("http://bücher.example/", "http://xn--bcher-kva.example/"),
        ("http://0x7f.1/", "http://127.0.0.1/"),
        ("http://u:p@example.com/", "http://u:p@example.com/"),
        ("HTTP:\\\\example.com\\a", "http://example.com/a"),
    ],
)
def test_urls_are_normalised(given_url: str, url: str) -> None:
    assert normal_url(given_url) == url


@pytest.mark.parametrize(
    "text",
    ["", "/a", "a", "//a/b", "ftp://a/", "data:,x", "http://", "http://a b/", "http://a:99999/", "javascript:1"],
)
def test_what_is_no_absolute_url_of_http_is_refused(text: str) -> None:
    with pytest.raises(WrongType, match="must be absolute and valid"):
        normal_url(text)


def test_a_url_is_text() -> None:
    with pytest.raises(WrongType, match="a URL is a str, not bytes"):
        normal_url(b"http://a/")  # the mistake under test


@settings(max_examples=1000)
@given(TARGET)
@example("/a/..")
@example("/a/.b")
@example("/%2e%2E/a")
@example("/a'b?c'd")
@example("/a?b/../c")
def test_the_short_cut_for_targets_agrees_with_the_parser(target: str) -> None:
    assert joined("http://a.b", target) == ada_url.URL("http://a.b" + target).href


@settings(max_examples=1000)
@given(st.sampled_from(["http", "https"]), HOST)
@example("http", "a:80")
@example("https", "a:443")
@example("http", "a:080")
@example("http", "a.b:65536")
@example("http", "xn--a")
@example("http", "a.xn--a.b")
@example("http", "1.2.3")
@example("http", "a.1")
def test_the_short_cut_for_hosts_agrees_with_the_parser(scheme: str, host: str) -> None:
    parsed = None if set(host) & set("@") else parsed_url(f"{scheme}://{host}/")

    assert normal_origin(scheme, host) == (None if parsed is None else parsed.origin)


@pytest.mark.parametrize("host", ["", "a/b", "a?b", "a#b", "u@a", "a\\b", "a b", "a\tb", "a\nb"])
def test_a_host_that_would_be_more_than_a_host_has_no_origin(host: str) -> None:
    assert normal_origin("http", host) is None


@pytest.mark.parametrize(
    ("url", "path", "query"),
    [
        ("http://a/", "/", ""),
        ("http://a/b/c?d=e#f?g", "/b/c", "d=e"),
        ("http://a/b#c?d", "/b", ""),
        ("http://a/?", "/", ""),
        ("http://a/b?c?d", "/b", "c?d"),
        ("http://u:p@a:1/b", "/b", ""),
    ],
)
def test_a_url_comes_apart(url: str, path: str, query: str) -> None:
    assert (raw_path_of(url), query_text_of(url)) == (path, query)


def test_a_path_is_decoded_as_utf_8() -> None:
    assert decoded_path("/caf%C3%A9/%2F/%zz/%ff/+") == "/café///%zz/\ufffd/+"
