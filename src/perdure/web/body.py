"""What a request and a response share: headers, and a body that is read once.

A body is None, bytes, or a stream of chunks; whoever takes it (a reader, another message, the connection) takes it for
good, and the second to come gets BodyUsed instead of nothing. See tests/web/test_body.py.
"""

import inspect
from builtins import bytes as _bytes
from collections.abc import AsyncIterable, AsyncIterator
from typing import Any, Self, TypeAlias, TypeVar

from perdure.model.errors import BodyUsed, WrongType, WrongValue
from perdure.web.form import FormData
from perdure.web.headers import Headers
from perdure.web.json_text import decoded_json, decoded_json_as
from perdure.web.multipart import decoded, encoded
from perdure.web.tee import tee

T = TypeVar("T")

Body: TypeAlias = str | _bytes | bytearray | memoryview | FormData | AsyncIterable[_bytes] | AsyncIterable[str] | None
Content: TypeAlias = _bytes | AsyncIterator[_bytes] | None
"""A body as the layers below hand it on: nothing, all of it, or a stream of non-text chunks."""

TEXT_TYPE = "text/plain;charset=UTF-8"
_BOM = b"\xef\xbb\xbf"


class Message:
    """The shared half of Request and Response."""

    __slots__ = ("_content", "_headers", "_implied_type", "_reader", "_used")

    _content: Content
    _headers: Headers | None
    _implied_type: str | None
    _reader: "_Reader | None"
    _used: bool

    @property
    def headers(self) -> Headers:
        headers = self._headers
        if headers is None:
            headers = self._headers = self._first_headers()
        return headers

    @property
    def body(self) -> AsyncIterator[_bytes] | None:
        """The chunks as they come, or None if there is no body. A slow reader slows the sender.

        It is always the same iterator, so a loop that stopped can go on. Once it was asked for a chunk the body is
        used.
        """
        if self._content is None:
            return None
        if self._reader is None:
            self._reader = _Reader(self)
        return self._reader

    @property
    def body_used(self) -> bool:
        return self._used

    bodyUsed = body_used

    async def bytes(self) -> _bytes:
        """All of the body; b"" if there is none."""
        content = self.take_body()
        if content is None:
            return b""
        if isinstance(content, _bytes):
            return content
        return b"".join([chunk async for chunk in content])

    async def text(self) -> str:
        """All of the body as UTF-8; what is no UTF-8 becomes U+FFFD, a byte order mark is dropped."""
        content = await self.bytes()
        return content.removeprefix(_BOM).decode("utf-8", "replace")

    async def json(self) -> Any:
        """The value that the body says in JSON. ValueMismatch if it is malformed."""
        return decoded_json(await self.bytes())

    async def json_as(self, type_: type[T], /) -> T:
        """The value that the body says in JSON, as `type_`. ValueMismatch, with the path, if it does not fit."""
        return decoded_json_as(type_, await self.bytes())

    async def form_data(self) -> FormData:
        """The form in the body. WrongType if its content type is not one of forms, WrongValue if it is malformed."""
        return decoded(await self.bytes(), self.headers.get("content-type", ""))

    arrayBuffer = bytes
    formData = form_data

    def clone(self) -> Self:
        """A second message with the same body, before the first read. Both can be read then, in any order."""
        if self._used:
            raise _used(self, "cloned")
        copy = self._copied()
        content = self._content
        if content is not None and not isinstance(content, _bytes):
            self._content, copy._content = tee(content)
        return copy

    def take_body(self) -> Content:
        """The body, for the one who will read or send it; from then on it is used. BodyUsed if it was already.

        For the layers: a stream that is not read to its end is to be closed with `close_content`.
        """
        content = self._content
        if content is None:
            return None
        if self._used:
            raise _used(self, "read")
        self._used = True
        self._content = b""  # not the taken one, or a large body would live as long as its message
        return content

    def _start(self, content: Content, implied_type: str | None, headers: Headers | None) -> None:
        self._content = content
        self._implied_type = implied_type
        self._headers = headers
        self._reader = None
        self._used = False
        if headers is not None and implied_type is not None:
            headers.setdefault("content-type", implied_type)

    def _first_headers(self) -> Headers:
        headers = Headers()
        if self._implied_type is not None:
            headers["content-type"] = self._implied_type
        return headers

    def _copied(self) -> Self:
        """A message that differs in its body's reader only."""
        # For requests and responses to say. As an abstract base class this would slow every isinstance() of a request.
        raise NotImplementedError


class _Reader:
    """The chunks of a message's body; taken from it at the first one."""

    __slots__ = ("_chunks", "_message")

    def __init__(self, message: Message) -> None:
        self._message = message
        self._chunks: AsyncIterator[_bytes] | None = None

    def __aiter__(self) -> "_Reader":
        return self

    async def __anext__(self) -> _bytes:
        if self._chunks is None:
            content = self._message.take_body()
            self._chunks = _Whole(content) if content is None or isinstance(content, _bytes) else content
        return await anext(self._chunks)

    def rest(self) -> Content:
        """What is left, for another message: as it came if nobody has read of it."""
        return self._message.take_body() if self._chunks is None else self._chunks

    async def aclose(self) -> None:
        if self._chunks is not None:
            await close_content(self._chunks)


class _Whole:
    """Bytes as a stream of one chunk, or none if they are empty."""

    __slots__ = ("_content",)

    def __init__(self, content: _bytes | None) -> None:
        self._content = content

    def __aiter__(self) -> "_Whole":
        return self

    async def __anext__(self) -> _bytes:
        content, self._content = self._content, None
        if not content:
            raise StopAsyncIteration
        return content


class _Chunks:
    """An async iterable of bytes or text as a stream of bytes."""

    __slots__ = ("_inner",)

    def __init__(self, inner: AsyncIterator[Any]) -> None:
        self._inner = inner

    def __aiter__(self) -> "_Chunks":
        return self

    async def __anext__(self) -> _bytes:
        chunk = await anext(self._inner)
        if isinstance(chunk, _bytes):
            return chunk
        if isinstance(chunk, str):
            return _utf8(chunk)
        if isinstance(chunk, bytearray | memoryview):
            return _bytes(chunk)
        raise WrongType(what=f"a body's chunk cannot be {type(chunk).__name__}", next_step="yield bytes or str")

    async def aclose(self) -> None:
        await close_content(self._inner)


def content_of(body: Body) -> tuple[Content, str | None]:
    """A body as its content and the content type that it implies. WrongType for what can be no body."""
    if body is None:
        return None, None
    if isinstance(body, str):
        return (body.encode() if body.isascii() else _utf8(body)), TEXT_TYPE
    if isinstance(body, _bytes):
        return body, None
    if isinstance(body, bytearray | memoryview):
        return _bytes(body), None
    if isinstance(body, FormData):
        return encoded(body)
    if isinstance(body, _Reader):
        return body.rest(), None
    if isinstance(body, AsyncIterable):
        return _Chunks(aiter(body)), None
    raise WrongType(
        what=f"a body cannot be {type(body).__name__}",
        why="a body is str, bytes, FormData or an async iterable of these",
        next_step="await it first"
        if inspect.isawaitable(body)
        else "use Response.from_json(...) for JSON, str(...) for text",
    )


async def close_content(content: AsyncIterator[_bytes]) -> None:
    """End a stream that will not be read further, so that what feeds it can clean up."""
    close = getattr(content, "aclose", None)
    if close is not None:
        await close()


def _utf8(text: str) -> _bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise WrongValue(
            what="the text of a body cannot be sent",
            why=str(error),
            next_step='encode it yourself: text.encode("utf-8", "replace")',
        ) from error


def _used(message: Message, how: str) -> BodyUsed:
    return BodyUsed(
        what=f"the body of this {type(message).__name__} cannot be {how}",
        why="it was read or handed on before",
        next_step="call clone() before the first read",
    )
