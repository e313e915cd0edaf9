"""A request: an upper-case method, a URL in normal form, headers and a body; one that was received cannot be changed.

Everything a handler may not look at is derived when it does: a received request keeps what the connection read. See
tests/web/test_request.py.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Literal, Self

from typing_extensions import override

from perdure.model.errors import WrongType
from perdure.web.body import Body, Content, Message, content_of
from perdure.web.headers import Headers, HeadersInit
from perdure.web.method import BODYLESS, checked_method
from perdure.web.query import Query
from perdure.web.url import decoded_path, is_plain_path, joined, normal_url, query_text_of, raw_path_of

# What Cloudflare says about a connection, where no network of theirs is in between (deploy DEV-7).
CF_PLACEHOLDER: Final[Mapping[str, Any]] = MappingProxyType(
    {"asn": 0, "asOrganization": "", "city": "", "colo": "LOCAL", "continent": "", "country": "", "timezone": "UTC"}
)
Redirect = Literal["follow", "manual"]


class Request(Message):
    """A request, received or made: `Request("https://host/path", method="POST", body=...)`.

    `Request(request)` takes over the other's method, URL, headers, client and, unless `body` is given, its body,
    which is used then.
    Raises WrongType for a URL, method, redirect or body that cannot be (runtime 10.1).
    """

    __slots__ = (
        *("_cf", "_client_ip", "_fields", "_method", "_origin"),
        *("_path", "_query", "_redirect", "_target", "_url"),
    )

    _cf: Mapping[str, Any]
    _client_ip: str | None
    _fields: list[tuple[bytes, bytes]] | None
    _method: str
    _origin: str
    _path: str | None
    _query: Query | None
    _redirect: Redirect
    _target: str
    _url: str | None

    def __init__(
        self,
        input: "str | Request",
        *,
        method: str | None = None,
        headers: HeadersInit | None = None,
        body: Body = None,
        redirect: Redirect | None = None,
    ) -> None:
        if redirect not in (None, "follow", "manual"):
            raise WrongType(what=f"redirect cannot be {redirect!r}", next_step='use "follow" or "manual"')
        content, implied_type = content_of(body)
        if isinstance(input, Request):
            self._derive(input, method, headers, content, implied_type, redirect)
            return
        self._url = normal_url(input)
        self._method = "GET" if method is None else checked_method(method)
        _refuse_bodyless(self._method, content)
        self._client_ip = None
        self._cf = CF_PLACEHOLDER
        self._redirect = redirect or "follow"
        self._rest()
        self._start(content, implied_type, None if headers is None else Headers(headers))

    @staticmethod
    def received(
        method: str,
        origin: str,
        target: str,
        fields: list[tuple[bytes, bytes]],
        content: Content,
        client_ip: str | None,
        cf: Mapping[str, Any] = CF_PLACEHOLDER,
    ) -> "Request":
        """A request as a connection read it, checked by its parser: nothing here is checked again, and little is done.

        origin: in normal form; target: from `/` on, as sent; fields: lower-case names, in order.
        """
        request = Request.__new__(Request)
        request._method = method
        request._origin = origin
        request._target = target
        request._fields = fields
        request._client_ip = client_ip
        request._cf = cf
        request._redirect = "manual"
        request._url = request._path = request._query = None
        request._content = content
        request._implied_type = request._headers = request._reader = None
        request._used = False
        return request

    @staticmethod
    def for_callee(request: "Request", content: Content) -> "Request":
        """The same request as the object or service sees that it is sent to: its headers are fixed.

        content: what the request's body was, taken from it, or a stream in its place.
        """
        callee = Request.__new__(Request)
        callee._method = request._method
        callee._origin = request._origin
        callee._target = request._target
        callee._fields = request._fields
        callee._client_ip = request._client_ip
        callee._cf = request._cf
        callee._redirect = "manual"
        callee._url = request._url
        callee._path = request._path
        callee._query = None
        callee._content = content
        callee._implied_type = callee._reader = None
        callee._used = False
        callee._headers = None if callee._fields is not None else request.headers.frozen()
        return callee

    @property
    def method(self) -> str:
        """In upper case."""
        return self._method

    @property
    def url(self) -> str:
        """Absolute, normalised by the URL standard."""
        url = self._url
        if url is None:
            url = self._url = joined(self._origin, self._target)
        return url

    @property
    def path(self) -> str:
        """The path of `url`, percent-decoded as UTF-8."""
        path = self._path
        if path is None:
            target = self._target
            # Most paths are what was sent, and need no URL to be made.
            path = target if is_plain_path(target) else decoded_path(raw_path_of(self.url))
            self._path = path
        return path

    @property
    def raw_path(self) -> str:
        """The path as it stands in `url`: use it where names must equal those of a JavaScript Worker."""
        return raw_path_of(self.url)

    @property
    def query(self) -> Query:
        """What stands after `?` in `url`, decoded."""
        query = self._query
        if query is None:
            query = self._query = Query(query_text_of(self.url))
        return query

    @property
    def client_ip(self) -> str | None:
        """The address of the client; it survives `stub.fetch(request)`. None on requests made in code."""
        return self._client_ip

    @property
    def redirect(self) -> Redirect:
        return self._redirect

    @property
    def cf(self) -> Mapping[str, Any]:
        """A placeholder record."""
        return self._cf

    @override
    def __repr__(self) -> str:
        return f"<Request {self._method} {self.url}>"

    @override
    def _first_headers(self) -> Headers:
        return super()._first_headers() if self._fields is None else Headers.received(self._fields)

    @override
    def _copied(self) -> Self:
        copy = type(self).__new__(type(self))
        copy._method = self._method
        copy._url = self.url
        copy._client_ip = self._client_ip
        copy._cf = self._cf
        copy._redirect = self._redirect
        copy._rest()
        copy._fields = self._fields
        headers = self._headers
        copy._start(self._content, self._implied_type, None)
        if headers is not None:
            copy._headers = headers if headers.immutable else Headers(headers)
        return copy

    def _derive(
        self,
        other: "Request",
        method: str | None,
        headers: HeadersInit | None,
        content: Content,
        implied_type: str | None,
        redirect: Redirect | None,
    ) -> None:
        self._url = other.url
        self._method = other._method if method is None else checked_method(method)
        if content is not None or method is not None:  # a GET that was received with a body may be wrapped as it is
            _refuse_bodyless(self._method, other._content if content is None else content)
        self._client_ip = other._client_ip
        self._cf = other._cf
        self._redirect = redirect or other._redirect
        self._rest()
        own = Headers(other.headers if headers is None else headers)
        self._start(other.take_body() if content is None else content, implied_type, own)

    def _rest(self) -> None:
        self._origin = self._target = ""
        self._fields = None
        self._path = self._query = None


def _refuse_bodyless(method: str, content: Content) -> None:
    if content is not None and method in BODYLESS:
        raise WrongType(
            what=f"a {method} request has no body",
            why="servers and caches on the way ignore or refuse one",
            next_step='say method="POST", or leave the body out',
        )
