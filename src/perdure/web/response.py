"""A response: a status that a response can have, headers, and a body only where the status allows one.

What HTTP forbids is refused where the response is made, so nothing later has to repair it. See
tests/web/test_response.py.
"""

from http import HTTPStatus
from typing import Any, Final, Self

from typing_extensions import override

from perdure.model.errors import WrongType, WrongValue
from perdure.web.body import Body, Content, Message, content_of
from perdure.web.headers import Headers, HeadersInit
from perdure.web.json_text import JSON_TYPE, encoded_json
from perdure.web.request import Request
from perdure.web.url import normal_url

NULL_BODY_STATUSES: Final = frozenset((101, 204, 205, 304))
_REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))


class Response(Message):
    """A response: `Response("text", 404, headers={"x-a": "b"})`. A `str` body is declared text; async iterables stream.

    Raises WrongValue for a status outside 200-599, WrongType for a status text with control characters and for a body
    with status 204, 205 or 304 (runtime 10.2).
    """

    __slots__ = ("_redirected", "_request", "_status", "_status_text", "_url")

    _request: Request | None
    """Of a response that came from an object or service: what it answers, whose URL is worked out when asked for."""

    def __init__(
        self,
        body: Body = None,
        status: int | HTTPStatus = 200,
        *,
        status_text: str = "",
        headers: HeadersInit | None = None,
    ) -> None:
        if type(status) is not int:
            status = _number(status)
        if not 200 <= status <= 599:
            raise WrongValue(
                what=f"a response cannot have the status {status}",
                why="below 200 are steps on the way, and nothing is defined from 600 on",
                next_step="use 200 to 599",
            )
        content, implied_type = content_of(body)
        if status in NULL_BODY_STATUSES and content is not None:
            if content != b"":
                raise WrongType(
                    what=f"a response with status {status} has no body",
                    why="HTTP has no place for one there, and clients would take it for the next response",
                    next_step="pass None, or use status 200",
                )
            content = implied_type = None
        if status_text and not (status_text.isprintable() and status_text.isascii()):
            raise WrongType(what=f"{status_text!r} cannot be a status text", next_step="use printable ASCII")
        self._status = status
        self._status_text = status_text
        self._url = ""
        self._request = None
        self._redirected = False
        self._start(content, implied_type, None if headers is None else Headers(headers))

    @staticmethod
    def received(
        status: int,
        status_text: str,
        headers: Headers,
        content: Content,
        *,
        url: str,
        redirected: bool = False,
    ) -> "Response":
        """A response that came from elsewhere, as whoever fetched it sees it: its headers are immutable."""
        response = Response.__new__(Response)
        response._status = status
        response._status_text = status_text
        response._url = url
        response._request = None
        response._redirected = redirected
        response._start(None if status in NULL_BODY_STATUSES else content, None, None)
        response._headers = headers.frozen()
        return response

    @staticmethod
    def for_caller(response: "Response", request: Request, content: Content) -> "Response":
        """A response that an object or service returned, as its caller sees it: about this request, with fixed headers.

        content: what the response's body was, taken from it, or a stream in its place.
        """
        seen = Response.__new__(Response)
        seen._status = response._status
        seen._status_text = response._status_text
        seen._url = ""
        seen._request = request
        seen._redirected = seen._used = False
        seen._content = content
        seen._implied_type = response._implied_type
        seen._reader = None
        headers = response._headers
        seen._headers = None if headers is None else headers.frozen()
        return seen

    @staticmethod
    def from_json(data: Any, *, status: int | HTTPStatus = 200, headers: HeadersInit | None = None) -> "Response":
        """A response with `data` in JSON, and its content type unless `headers` has one. UnsupportedValue if not."""
        response = Response(encoded_json(data), status, headers=headers)
        response._start(response._content, JSON_TYPE, response._headers)
        return response

    @staticmethod
    def redirect(url: str, status: int | HTTPStatus = 302) -> "Response":
        """A redirect to an absolute URL. WrongValue for a status other than 301, 302, 303, 307 and 308."""
        number = _number(status)
        if number not in _REDIRECTS:
            raise WrongValue(
                what=f"{number} is no redirect",
                why="no client follows the location of another status",
                next_step="use 301, 302, 303, 307 or 308",
            )
        response = Response(None, number, headers={"location": normal_url(url)})
        response._headers = response.headers.frozen()
        return response

    @property
    def status(self) -> int:
        return self._status

    @property
    def status_text(self) -> str:
        return self._status_text

    statusText = status_text

    @property
    def ok(self) -> bool:
        """Whether the status is 200 to 299."""
        return 200 <= self._status <= 299

    @property
    def url(self) -> str:
        """ "" unless the response came from a fetch."""
        return self._url if self._request is None else self._request.url

    @property
    def redirected(self) -> bool:
        return self._redirected

    @override
    def __repr__(self) -> str:
        return f"<Response {self._status}>"

    @override
    def _first_headers(self) -> Headers:
        headers = super()._first_headers()
        return headers if self._request is None else headers.frozen()

    def sent_fields(self) -> list[tuple[str, str]]:
        """Every header field as it is to be sent; for connections, which need no Headers made for one content type."""
        headers = self._headers
        if headers is not None:
            return headers.fields()
        return [] if self._implied_type is None else [("content-type", self._implied_type)]

    @override
    def _copied(self) -> Self:
        copy = type(self).__new__(type(self))
        copy._status = self._status
        copy._status_text = self._status_text
        copy._url = self._url
        copy._request = self._request
        copy._redirected = self._redirected
        copy._start(self._content, self._implied_type, None)
        headers = self._headers
        if headers is not None:
            copy._headers = headers if headers.immutable else Headers(headers)
        return copy


def _number(status: int | HTTPStatus) -> int:
    if isinstance(status, bool) or not isinstance(status, int):
        raise WrongType(
            what=f"a status is an int, not {type(status).__name__}",
            why="it is one of HTTP's numbers",
            next_step="write 404 or HTTPStatus.NOT_FOUND",
        )
    return int(status)
