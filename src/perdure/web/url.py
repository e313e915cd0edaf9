"""URLs are absolute, http or https, and always in the form that the URL standard gives them.

Names of objects are made from paths, so two spellings of one URL must not differ here. `joined` skips the parser for
targets that are in that form already; that it agrees with the parser is a property test, tests/web/test_url.py.
"""

import re
from urllib.parse import unquote

import ada_url

from perdure.model.errors import WrongType

# A target that the URL standard leaves as it is: no character that it would encode, no dot segment to resolve (in any
# spelling).
_NORMAL_TARGET = re.compile(
    r"(?!.*(?:/\.|/%2[eE]))/[A-Za-z0-9\-._~!$&()*+,;=:@/%']*(?:\?[A-Za-z0-9\-._~!$&()*+,;=:@/%?]*)?"
)
# A target that is a path alone, which the URL standard and decoding leave as it is.
_PLAIN_PATH = re.compile(r"/[A-Za-z0-9\-_~!$&()*+,;=:@/']*")
_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_NORMAL_NAME = re.compile(rf"(?:(?!xn--){_LABEL}\.)*(?!xn--)[a-z](?:[a-z0-9-]*[a-z0-9])?(?::([1-9][0-9]{{0,3}}))?")
_DEFAULT_PORTS = ("80", "443")
_SCHEMES = ("http:", "https:")


def normal_url(text: str) -> str:
    """The URL in normal form. WrongType if it is not absolute, not valid, or of another scheme than http and https."""
    parsed = parsed_url(text)
    if parsed is None:
        raise WrongType(
            what=f"{text!r} is not a URL of http or https",
            why="it must be absolute and valid",
            next_step=f"write https://host{text}" if text.startswith("/") else "write https://host/path",
        )
    return parsed.href


def parsed_url(text: str) -> ada_url.URL | None:
    """The parsed URL, or None if it is not an absolute, valid one of http or https."""
    if not isinstance(text, str):
        raise WrongType(what=f"a URL is a str, not {type(text).__name__}", next_step="write https://host/path")
    try:
        parsed = ada_url.URL(text)
    except ValueError:
        return None
    return parsed if parsed.protocol in _SCHEMES else None


def normal_origin(scheme: str, host: str) -> str | None:
    """`scheme://host` in normal form for a Host header (a name, perhaps a port); None if no URL can have it."""
    match = _NORMAL_NAME.fullmatch(host)
    if match is not None and match[1] not in _DEFAULT_PORTS:
        return f"{scheme}://{host}"
    if not host or any(character in "/?#@\\" or character <= " " for character in host):
        return None
    parsed = parsed_url(f"{scheme}://{host}/")
    return None if parsed is None else parsed.origin


def joined(origin: str, target: str) -> str:
    """The normal URL of an origin in normal form and a target that starts with `/`, as it stands in a request line."""
    if _NORMAL_TARGET.fullmatch(target) is not None:
        return origin + target
    return ada_url.URL(origin + target).href


def is_plain_path(target: str) -> bool:
    """Whether the decoded path of a target's URL is the target itself, as can be told at a glance."""
    return _PLAIN_PATH.fullmatch(target) is not None


def raw_path_of(url: str) -> str:
    """The path of a normal URL, as it stands there."""
    start = url.find("/", url.find("://") + 3)
    end = len(url)
    for mark in "?#":
        found = url.find(mark, start, end)
        if found >= 0:
            end = found
    return url[start:end]


def query_text_of(url: str) -> str:
    """What stands between `?` and `#` of a normal URL; "" if nothing does."""
    return url.partition("#")[0].partition("?")[2]


def decoded_path(raw_path: str) -> str:
    """The path with its percent escapes decoded as UTF-8; bytes that are no UTF-8 become U+FFFD."""
    return unquote(raw_path) if "%" in raw_path else raw_path
