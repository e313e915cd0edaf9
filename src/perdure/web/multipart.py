"""Form data as bytes and back: what `encoded` writes, `decoded` reads as equal fields and files.

Names are escaped as browsers do it (`"`, CR and LF percent-encoded), so a name can neither end its line nor its quotes.
What a hostile body can cost is bounded by the limits below. See tests/web/test_form.py.
"""

import hashlib
import re
from typing import Final

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from perdure.model.errors import TooLarge, WrongType, WrongValue
from perdure.web.form import OCTETS, File, FormData, FormValue
from perdure.web.query import URLENCODED, decoded_pairs, encoded_pairs

# More than any form that people fill in; each costs a few hundred bytes of memory beyond its content.
FIELDS_MAX: Final = 1_000
# A part says its name, its file name and its type; browsers need under 1 KiB for that.
PART_HEADERS_MAX: Final = 16
PART_HEADER_BYTES_MAX: Final = 8 * 1024

_QUOTED = re.compile(rb';[ \t]*(name|filename)="([^"]*)"', re.IGNORECASE)
_BARE = re.compile(rb";[ \t]*(name|filename)=([^;\"\s]+)", re.IGNORECASE)
_ESCAPES = (("\n", "%0A"), ("\r", "%0D"), ('"', "%22"))


def encoded(form: FormData) -> tuple[bytes, str]:
    """The bytes of a form and its content type: multipart if it holds a file, else urlencoded."""
    items = form.multi_items()
    texts = [(name, value) for name, value in items if isinstance(value, str)]
    if len(texts) == len(items):
        return encoded_pairs(texts).encode(), URLENCODED
    parts = [_part(name, value) for name, value in items]
    boundary = _boundary(parts)
    delimiter = b"--" + boundary
    lines = [piece for part in parts for piece in (delimiter, b"\r\n", part, b"\r\n")]
    return b"".join((*lines, delimiter, b"--\r\n")), f"multipart/form-data; boundary={boundary.decode()}"


def decoded(body: bytes, content_type: str) -> FormData:
    """The form that a body of this content type holds.

    Raises WrongType if the type is not one of forms, WrongValue if the body is malformed, TooLarge past `FIELDS_MAX`
    fields.
    """
    kind, options = parse_options_header(content_type)
    if kind == b"application/x-www-form-urlencoded":
        if body.count(b"&") >= FIELDS_MAX:
            raise _too_many(body.count(b"&") + 1)
        return FormData(decoded_pairs(body.decode("utf-8", "replace")))
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise WrongType(
            what=f"a body of type {content_type!r} is no form",
            next_step="send multipart/form-data with a boundary, or application/x-www-form-urlencoded",
        )
    return _Parts(boundary).read(body)


class _Parts:
    """Collects the parts that the parser reports; a part is known by its headers before its data comes."""

    def __init__(self, boundary: bytes) -> None:
        self._form = FormData()
        self._fields = 0
        self._header = b""
        self._value = b""
        self._headers: dict[bytes, bytes] = {}
        self._data: list[bytes] = []
        self._ended = False
        self._boundary = boundary

    def read(self, body: bytes) -> FormData:
        try:
            parser = MultipartParser(
                self._boundary,
                {
                    "on_part_begin": self._part_begin,
                    "on_header_field": self._header_field,
                    "on_header_value": self._header_value,
                    "on_header_end": self._header_end,
                    "on_part_data": self._part_data,
                    "on_part_end": self._part_end,
                    "on_end": self._end,
                },
                max_header_count=PART_HEADERS_MAX,
                max_header_size=PART_HEADER_BYTES_MAX,
            )
            parser.write(body)
        except FormParserError as error:
            raise WrongValue(what="the body is no multipart form", why=str(error)) from error
        if not self._ended:
            raise WrongValue(what="the body is no multipart form", why="it stops before its last boundary")
        return self._form

    def _part_begin(self) -> None:
        self._fields += 1
        if self._fields > FIELDS_MAX:
            raise _too_many(self._fields)
        self._headers, self._data = {}, []

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._headers[self._header.lower()] = self._value
        self._header = self._value = b""

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        self._data.append(data[start:end])

    def _part_end(self) -> None:
        disposition = self._headers.get(b"content-disposition", b"")
        options = {key.lower(): value for key, value in (*_BARE.findall(disposition), *_QUOTED.findall(disposition))}
        if not disposition.lower().startswith(b"form-data") or b"name" not in options:
            raise WrongValue(
                what="the body is no multipart form", why="a part has no content-disposition: form-data with a name"
            )
        content = b"".join(self._data)
        value: FormValue = content.decode("utf-8", "replace")
        if b"filename" in options:
            declared = self._headers.get(b"content-type", b"").decode("latin-1")
            kind = declared if declared and declared.isascii() and declared.isprintable() else OCTETS
            value = File(content, _unescaped(options[b"filename"]), content_type=kind)
        self._form.append(_unescaped(options[b"name"]), value)

    def _end(self) -> None:
        self._ended = True


def _part(name: str, value: FormValue) -> bytes:
    head = f'content-disposition: form-data; name="{_escaped(name)}"'
    if isinstance(value, File):
        head = f'{head}; filename="{_escaped(value.name)}"\r\ncontent-type: {value.content_type}'
        content = value.content
    else:
        content = value.encode("utf-8", "surrogatepass")
    return head.encode("utf-8", "surrogatepass") + b"\r\n\r\n" + content


def _boundary(parts: list[bytes]) -> bytes:
    """A boundary that no part holds. Made from the parts, so the same form is always the same bytes."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    while True:
        boundary = b"perdure-" + digest.hexdigest()[:32].encode()
        if not any(boundary in part for part in parts):
            return boundary
        digest.update(boundary)


def _escaped(name: str) -> str:
    for character, escape in _ESCAPES:
        name = name.replace(character, escape)
    return name


def _unescaped(raw: bytes) -> str:
    name = raw.decode("utf-8", "replace")
    for character, escape in _ESCAPES:
        name = name.replace(escape, character)
    return name


def _too_many(fields: int) -> TooLarge:
    return TooLarge(
        what=f"a form with {fields} fields", why=f"the limit is {FIELDS_MAX}", size=fields, limit=FIELDS_MAX
    )
