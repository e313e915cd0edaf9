"""Bytes that V8's serializer wrote, as Python values: what Cloudflare's local tools have under each key.

Must stay true: any bytes at all give a value, or one of two errors, in time and memory that go with their length; a kind
that Python has nothing for is refused and never left out. Formats 13 to 15 are known, and bytes without a header are 13, as
the original reads them. See tests/model/test_v8_value.py.

    undefined, null, boolean              UNDEFINED, None, bool
    number                                int where it is whole and exact (up to 2**53), else float
    BigInt, string, Date                  int, str, datetime in UTC
    object, Array, Map, Set               dict, list (a hole is UNDEFINED), Map, set
    ArrayBuffer, DataView, Uint8Array     bytes
    other typed arrays                    list of their numbers
    new Number(1) and its like            what is in it
"""

import math
import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from perdure.model.errors import ValueMismatch
from perdure.model.foreign import UNDEFINED, Map
from perdure.model.limits import KEY_VALUE_BYTES_MAX, VALUE_DEPTH_MAX
from perdure.model.value.refusal import Refusal, key_step

_HEADER: Final = 0xFF
_VERSIONS: Final = range(13, 16)
_VERSION_WITHOUT_HEADER: Final = 13
_VERSION_OF_VIEW_FLAGS: Final = 14

_EXACT_MAX: Final = 2.0**53
_VARINT_BYTES_MAX: Final = 5
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DOUBLE: Final = struct.Struct("<d")

_PADDING, _OBJECTS_SO_FAR, _REFERENCE, _VIEW = b"\0?^V"
_HOLE, _END_OF_OBJECT, _END_OF_DENSE, _END_OF_SPARSE, _END_OF_MAP, _END_OF_SET = b"-{$@:,"

_FOLLOWS_THE_BUFFER: Final = 1

# What the elements of a view are to `struct`; the views of single bytes are bytes in Python.
_BYTES: Final = frozenset(b"BC?")
_ELEMENTS: Final = dict(zip(b"bwWdDhfFqQ", "bhHiIefdqQ", strict=True))

_WITHOUT_COUNTERPART: Final = {
    ord("R"): ("a RegExp", "store its source and flags"),
    ord("r"): ("an Error", "store its text: String(error)"),
    ord("u"): ("a SharedArrayBuffer", "store a copy of its bytes"),
    ord("p"): ("a shared object", "store a copy of it"),
    ord("w"): ("a WebAssembly module", "keep it beside the code"),
    ord("m"): ("a WebAssembly memory", "store a copy of its bytes"),
    ord("t"): ("a transferred ArrayBuffer", "store its bytes"),
    ord("\\"): ("an Error, or another object of the runtime's own,", "store its text: String(error)"),
}


def decode_v8(data: bytes, *, path: str, size_max: int = KEY_VALUE_BYTES_MAX) -> Any:
    """The value of these bytes. One that contains itself in JavaScript does so here, and what is in it twice is one object.

    path: what to call it in a message, as `get("k")`.  size_max: how far a few bytes may stand for many, by repeated views
    of a buffer or by holes; more could not be stored anyway.
    Raises UnsupportedValue, with the path to the offender, for what Python has nothing for; ValueMismatch for any other
    bytes.
    """
    try:
        try:
            return _Reader(data, size_max).whole()
        except _Damaged:
            # Some that say 13 were written when views had their flags already; the original tries both, too.
            reader = _Reader(data, size_max)
            if reader.version != _VERSION_WITHOUT_HEADER or reader.has_view_flags:
                raise
            reader.has_view_flags = True
            return reader.whole()
    except _Damaged as damaged:
        raise ValueMismatch(
            what="these bytes are no value of JavaScript's",
            why=str(damaged),
            next_step="the file is damaged, or a newer workerd wrote it",
            path=path,
        ) from None
    except Refusal as refusal:
        raise refusal.error(path) from None


class _Damaged(Exception):
    pass


class _Reader:
    """Reads one value from the front of `data` to its end."""

    def __init__(self, data: bytes, size_max: int) -> None:
        self._data = data
        self._at = 0
        self._left = size_max
        self._objects: list[Any] = []
        """By the number that a reference calls them."""
        self._buffers: dict[int, bytes] = {}
        """Which of those are ArrayBuffers, a view of which may follow."""
        self.version = _VERSION_WITHOUT_HEADER
        if data[:1] == bytes([_HEADER]):
            self._at = 1
            self.version = self._varint()
        if self.version not in _VERSIONS:
            raise _Damaged(f"their format is {self.version}, and {_VERSIONS[0]} to {_VERSIONS[-1]} are known here")
        self.has_view_flags = self.version >= _VERSION_OF_VIEW_FLAGS

    def whole(self) -> Any:
        value = self._value(0)
        if self._at != len(self._data):
            raise self._damaged("it ends before the bytes do")
        return value

    # ------------------------------------------------------------------------------------------------------- raw bytes

    def _damaged(self, why: str) -> _Damaged:
        return _Damaged(f"{why}, at byte {self._at} of {len(self._data)}")

    def _byte(self) -> int:
        if self._at >= len(self._data):
            raise self._damaged("they are cut off")
        self._at += 1
        return self._data[self._at - 1]

    def _bytes(self, count: int) -> bytes:
        if count > len(self._data) - self._at:
            raise self._damaged(f"{count:,} bytes are announced that are not there")
        self._at += count
        return self._data[self._at - count : self._at]

    def _varint(self) -> int:
        number = 0
        for place in range(_VARINT_BYTES_MAX):
            byte = self._byte()
            number |= (byte & 0x7F) << (7 * place)
            if byte < 0x80:
                return number & 0xFFFFFFFF
        raise self._damaged("a number does not end")

    def _double(self) -> float:
        (number,) = _DOUBLE.unpack(self._bytes(_DOUBLE.size))
        return float(number)

    def _tag(self) -> int:
        tag = self._byte()
        while tag == _PADDING:
            tag = self._byte()
        return tag

    def _peeked_tag(self) -> int | None:
        at = self._at
        while at < len(self._data) and self._data[at] == _PADDING:
            at += 1
        return self._data[at] if at < len(self._data) else None

    def _next_is(self, tag: int) -> bool:
        """Whether that tag comes next, which is then read."""
        if self._peeked_tag() != tag:
            return False
        self._tag()
        return True

    def _charge(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise Refusal("a value that grows far beyond its bytes cannot be stored", next_step="store it in parts")

    # ---------------------------------------------------------------------------------------------------------- values

    def _value(self, depth: int) -> Any:
        tag = self._tag()
        while tag == _OBJECTS_SO_FAR:
            self._varint()
            tag = self._tag()
        if tag == _REFERENCE:
            number = self._varint()
            if number >= len(self._objects):
                raise self._damaged("a reference leads to nothing")
            value = self._objects[number]
        else:
            number = len(self._objects)
            value = self._of_tag(tag, depth)
        # A view stands behind its buffer, or a reference to it, and is what the two of them mean.
        buffer = self._buffers.get(number)
        return value if buffer is None or not self._next_is(_VIEW) else self._view(buffer)

    def _of_tag(self, tag: int, depth: int) -> Any:
        read = _CONTAINERS.get(tag)
        if read is not None:
            if depth >= VALUE_DEPTH_MAX:
                raise Refusal(
                    "a value nested too deeply cannot be stored",
                    why=f"at most {VALUE_DEPTH_MAX} containers may stand inside one another",
                    next_step="flatten it, or store its parts under keys of their own",
                )
            return read(self, depth + 1)
        leaf = _LEAVES.get(tag)
        if leaf is not None:
            return leaf(self)
        boxed = _OBJECTS_WITHOUT_ELEMENTS.get(tag)
        if boxed is not None:
            number = self._begin(None)
            value = self._objects[number] = boxed(self)
            return value
        kind = _WITHOUT_COUNTERPART.get(tag)
        if kind is not None:
            raise Refusal(f"{kind[0]} has no counterpart in Python", next_step=f"in JavaScript, {kind[1]}")
        raise self._damaged(f"a value begins with {bytes([tag])!r}")

    def _begin(self, value: Any) -> int:
        """Counts an object, before what is inside it; gives its number."""
        self._objects.append(value)
        return len(self._objects) - 1

    def _int32(self) -> int:
        number = self._varint()
        return (number >> 1) ^ -(number & 1)

    def _number(self) -> int | float:
        number = self._double()
        if number.is_integer() and abs(number) <= _EXACT_MAX and (number or math.copysign(1.0, number) > 0):
            return int(number)
        return number

    def _bigint(self) -> int:
        head = self._varint()
        size = int.from_bytes(self._bytes((head >> 1) & 0x3FFFFFFF), "little")
        return -size if head & 1 else size

    def _text(self, encoding: str, count: int) -> str:
        raw = self._bytes(count)
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError as error:
            if encoding == "utf-8":
                raise self._damaged("text is not UTF-8") from None
            raise Refusal(
                "text with a lone surrogate cannot be stored",
                why=f"it is half of a pair, at byte {error.start}, and has no UTF-8",
                next_step="in JavaScript, store text.toWellFormed()",
            ) from None

    def _utf8(self) -> str:
        return self._text("utf-8", self._varint())

    def _one_byte(self) -> str:
        return self._text("latin-1", self._varint())

    def _two_bytes(self) -> str:
        count = self._varint()
        if count % 2:
            raise self._damaged("half of a character")
        return self._text("utf-16-le", count)

    def _string(self) -> str:
        read = _STRINGS.get(self._tag())
        if read is None:
            raise self._damaged("text is missing")
        return read(self)

    def _date(self) -> datetime:
        since = self._double()
        try:
            return _EPOCH + timedelta(milliseconds=since)
        except (OverflowError, ValueError):
            raise Refusal(
                "a Date that is invalid, or beyond the years 1 to 9999, cannot be stored",
                next_step="in JavaScript, store null or its number",
            ) from None

    # --------------------------------------------------------------------------------------------------------- buffers

    def _buffer(self) -> bytes:
        return self._counted_buffer(self._varint())

    def _resizable_buffer(self) -> bytes:
        count = self._varint()
        self._varint()  # how far it might have grown
        return self._counted_buffer(count)

    def _counted_buffer(self, count: int) -> bytes:
        buffer = self._bytes(count)
        self._buffers[self._begin(buffer)] = buffer
        return buffer

    def _view(self, buffer: bytes) -> bytes | list[Any]:
        kind, offset, size = self._byte(), self._varint(), self._varint()
        flags = self._varint() if self.has_view_flags else 0
        if flags & _FOLLOWS_THE_BUFFER:
            size = len(buffer) - offset
        element = _ELEMENTS.get(kind)
        if element is None and kind not in _BYTES:
            raise self._damaged(f"a view of elements {bytes([kind])!r}")
        width = 1 if element is None else struct.calcsize(f"<{element}")
        if flags & _FOLLOWS_THE_BUFFER:
            size -= size % width
        if size < 0 or offset + size > len(buffer) or size % width:
            raise self._damaged("a view leads out of its buffer")
        self._charge(size)
        number = self._begin(None)
        viewed: bytes | list[Any]
        if element is None:
            viewed = buffer[offset : offset + size]
        else:
            viewed = list(struct.unpack_from(f"<{size // width}{element}", buffer, offset))
        self._objects[number] = viewed
        return viewed

    # ------------------------------------------------------------------------------------------------------ containers

    def _object(self, depth: int) -> dict[str, Any]:
        value: dict[str, Any] = {}
        self._begin(value)
        count = self._properties(value, value, _END_OF_OBJECT, depth)
        if self._varint() != count:
            raise self._damaged("an object has not as many properties as it says")
        return value

    def _properties(self, owner: Any, into: dict[str, Any], end: int, depth: int) -> int:
        count = 0
        while not self._next_is(end):
            key = self._property_name()
            if key in into:
                raise self._damaged(f"the property {key!r:.40} is there twice")
            into[key] = self._inside(owner, key, depth)
            count += 1
        return count

    def _property_name(self) -> str:
        tag = self._tag()
        if tag in _STRINGS:
            return _STRINGS[tag](self)
        if tag in _INDICES:
            number = _INDICES[tag](self)
            if type(number) is int:
                return str(number)
        raise self._damaged("a property has no name")

    def _inside(self, owner: Any, key: Any, depth: int) -> Any:
        try:
            return self._value(depth)
        except Refusal as refusal:
            refusal.inside(owner, key_step(key))
            raise

    def _dense_array(self, depth: int) -> list[Any]:
        length = self._varint()
        if length > len(self._data) - self._at:
            raise self._damaged("an array is longer than the bytes")
        value: list[Any] = []
        self._begin(value)
        for place in range(length):
            value.append(UNDEFINED if self._next_is(_HOLE) else self._inside(value, place, depth))
        named: dict[str, Any] = {}
        if self._properties(value, named, _END_OF_DENSE, depth):
            raise _array_with_names(named)
        if (self._varint(), self._varint()) != (0, length):
            raise self._damaged("an array is not as long as it says")
        return value

    def _sparse_array(self, depth: int) -> list[Any]:
        length = self._varint()
        self._charge(length)
        value = [UNDEFINED] * length
        self._begin(value)
        properties: dict[str, Any] = {}
        count = self._properties(value, properties, _END_OF_SPARSE, depth)
        if (self._varint(), self._varint()) != (count, length):
            raise self._damaged("an array is not as long as it says")
        for key in [key for key in properties if key.isascii() and key.isdigit() and len(key) <= len(str(length))]:
            if str(int(key)) == key and int(key) < length:
                value[int(key)] = properties.pop(key)
        if properties:
            raise _array_with_names(properties)
        return value

    def _map(self, depth: int) -> Map:
        value = Map()
        self._begin(value)
        count = 0
        while not self._next_is(_END_OF_MAP):
            key = self._member(value, "a Map", "key", depth)
            value[key] = self._inside(value, key, depth)
            count += 1
        self._check_members(value, "a Map", "keys", count, self._varint() == 2 * count)
        return value

    def _set(self, depth: int) -> set[Any]:
        value: set[Any] = set()
        self._begin(value)
        count = 0
        while not self._next_is(_END_OF_SET):
            value.add(self._member(value, "a Set", "element", depth))
            count += 1
        self._check_members(value, "a Set", "elements", count, self._varint() == count)
        return value

    def _member(self, owner: Any, of: str, role: str, depth: int) -> Any:
        try:
            member = self._value(depth)
        except Refusal as refusal:
            refusal.inside(owner, f"{{{role}}}")
            raise
        if isinstance(member, dict | list | set):
            raise Refusal(
                f"{of} with an object as {role} has no counterpart in Python",
                why="what Python looks up by its value may not change",
                next_step=f"in JavaScript, use plain values as {role}s",
            )
        return member

    def _check_members(self, found: Any, of: str, role: str, count: int, as_many_as_it_says: bool) -> None:
        if not as_many_as_it_says:
            raise self._damaged(f"{of} has not as many {role} as it says")
        if len(found) != count:
            raise Refusal(
                f"{of} two of whose {role} are one to Python has no counterpart there",
                why="1 equals true there, and two Dates or buffers of the same content are equal",
                next_step=f"in JavaScript, use {role} of one kind",
            )


def _array_with_names(named: dict[str, Any]) -> Refusal:
    return Refusal(
        f"an Array with a property {next(iter(named))!r:.40} has no counterpart in Python",
        next_step="in JavaScript, store it as an object",
    )


_CONTAINERS: Final[dict[int, Callable[[_Reader, int], Any]]] = {
    ord("o"): _Reader._object,
    ord("A"): _Reader._dense_array,
    ord("a"): _Reader._sparse_array,
    ord(";"): _Reader._map,
    ord("'"): _Reader._set,
}

_STRINGS: Final[dict[int, Callable[[_Reader], str]]] = {
    ord("S"): _Reader._utf8,
    ord('"'): _Reader._one_byte,
    ord("c"): _Reader._two_bytes,
}

_INDICES: Final[dict[int, Callable[[_Reader], int | float]]] = {
    ord("I"): _Reader._int32,
    ord("U"): _Reader._varint,
    ord("N"): _Reader._number,
}

_LEAVES: Final[dict[int, Callable[[_Reader], Any]]] = {
    **_STRINGS,
    **_INDICES,
    ord("_"): lambda reader: UNDEFINED,
    ord("0"): lambda reader: None,
    ord("T"): lambda reader: True,
    ord("F"): lambda reader: False,
    ord("Z"): _Reader._bigint,
    ord("B"): _Reader._buffer,
    ord("~"): _Reader._resizable_buffer,
}

_OBJECTS_WITHOUT_ELEMENTS: Final[dict[int, Callable[[_Reader], Any]]] = {
    ord("D"): _Reader._date,
    ord("y"): lambda reader: True,
    ord("x"): lambda reader: False,
    ord("n"): _Reader._number,
    ord("z"): _Reader._bigint,
    ord("s"): _Reader._string,
}
