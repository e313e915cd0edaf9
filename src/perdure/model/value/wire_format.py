"""The bytes of a value: one byte of version, then MessagePack, with extension types for what MessagePack has no kind
for.

These numbers are in every store that was ever written: a new kind takes a new number, none is reused and none changes
its meaning (tests/model/test_value_format.py holds the bytes). Two versions are written:

- 1, plain: lists, str-keyed maps, scalars and *leaves*, whose extension payload is a scalar's bytes;
- 2, marked: in addition arrays whose first element is a *marker* (an extension without payload): `[TUPLE, 1, 2]`,
  `[PAIRS, key, value, key, value]`. Nothing is ever nested inside a payload, so depth and size show in the outer
  MessagePack, where the decoder bounds them, and a plain value needs no second look after decoding.

Aware datetimes are MessagePack's own timestamps (extension -1).
"""

import struct
from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from types import NoneType
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec.msgpack import Ext

from perdure.model.foreign import UNDEFINED, Map

PLAIN: Final = b"\x01"
MARKED: Final = b"\x02"

_BIG_INT, BYTEARRAY, _NAIVE_DATETIME, _DATE, _TIME, _TIMEDELTA, _DECIMAL, _UUID, _UNDEFINED = range(1, 10)
_TUPLE, _SET, _FROZENSET, _PAIRS, _MAP = range(16, 21)

TUPLE: Final = Ext(_TUPLE, b"")
SET: Final = Ext(_SET, b"")
FROZENSET: Final = Ext(_FROZENSET, b"")
PAIRS: Final = Ext(_PAIRS, b"")
"""A dict some of whose keys are not text."""
MAP: Final = Ext(_MAP, b"")
UNDEFINED_EXT: Final = Ext(_UNDEFINED, b"")

SCALARS: Final = frozenset({NoneType, bool, int, float, str, bytes})
"""Types that msgspec writes exactly, but for ints beyond 64 bits and text with lone surrogates, which it refuses."""
TEXT: Final = frozenset({str})

INT_MIN, INT_MAX = -(1 << 63), (1 << 64) - 1
"""What MessagePack's own integers hold."""

_I64 = struct.Struct(">q")
_I64_I64 = struct.Struct(">qq")
_I32_I32_I32 = struct.Struct(">iii")
_U32 = struct.Struct(">I")
_EPOCH = datetime(1970, 1, 1)
_MICROSECOND = timedelta(microseconds=1)
_DAY_SECONDS = 86_400

encode_tree = msgspec.msgpack.Encoder().encode


# ------------------------------------------------------------------------------------------------------------ writing


def pack_big_int(value: int) -> Ext:
    return Ext(_BIG_INT, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def pack_bytearray(value: bytearray) -> Ext:
    return Ext(BYTEARRAY, bytes(value))


def pack_naive_datetime(value: datetime) -> Ext:
    """Microseconds since 1970, and `fold` in the lowest bit: two times of the same clock reading differ by it."""
    since = value - _EPOCH
    micros = (since.days * _DAY_SECONDS + since.seconds) * 1_000_000 + since.microseconds
    return Ext(_NAIVE_DATETIME, _I64.pack(micros << 1 | value.fold))


def pack_date(value: date) -> Ext:
    return Ext(_DATE, _U32.pack(value.toordinal()))


def pack_time(value: time, offset: timedelta | None) -> Ext:
    """Microseconds of the day, `fold` in the lowest bit, and the offset from UTC in microseconds where there is one."""
    seconds = (value.hour * 60 + value.minute) * 60 + value.second
    micros = (seconds * 1_000_000 + value.microsecond) << 1 | value.fold
    if offset is None:
        return Ext(_TIME, _I64.pack(micros))
    return Ext(_TIME, _I64_I64.pack(micros, offset // _MICROSECOND))


def pack_timedelta(value: timedelta) -> Ext:
    return Ext(_TIMEDELTA, _I32_I32_I32.pack(value.days, value.seconds, value.microseconds))


def pack_decimal(value: Decimal) -> Ext:
    return Ext(_DECIMAL, str(value).encode())


def pack_uuid(value: UUID) -> Ext:
    return Ext(_UUID, value.bytes)


# ------------------------------------------------------------------------------------------------------------ reading


class Marker:
    """What a marker decodes to: says what the array that it begins is. Never leaves this package."""

    __slots__ = ("build",)

    def __init__(self, build: Callable[[list[Any]], Any]) -> None:
        self.build = build


def _unpack_naive_datetime(payload: memoryview) -> datetime:
    (number,) = _I64.unpack(payload)
    value = _EPOCH + timedelta(microseconds=number >> 1)
    return value.replace(fold=1) if number & 1 else value


def _unpack_time(payload: memoryview) -> time:
    zone: tzinfo | None = None
    if len(payload) == _I64.size:
        (number,) = _I64.unpack(payload)
    else:
        number, offset_micros = _I64_I64.unpack(payload)
        zone = timezone(timedelta(microseconds=offset_micros))
    seconds, micros = divmod(number >> 1, 1_000_000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return time(hour, minute, second, micros, zone, fold=number & 1)


def _unpack_timedelta(payload: memoryview) -> timedelta:
    days, seconds, micros = _I32_I32_I32.unpack(payload)
    return timedelta(days, seconds, micros)


def _pairs(items: list[Any]) -> dict[Any, Any]:
    return dict(zip(items[::2], items[1::2], strict=True))


_LEAVES: Final[dict[int, Callable[[memoryview], Any]]] = {
    _BIG_INT: lambda payload: int.from_bytes(payload, "big", signed=True),
    BYTEARRAY: bytearray,
    _NAIVE_DATETIME: _unpack_naive_datetime,
    _DATE: lambda payload: date.fromordinal(_U32.unpack(payload)[0]),
    _TIME: _unpack_time,
    _TIMEDELTA: _unpack_timedelta,
    _DECIMAL: lambda payload: Decimal(str(payload, "ascii")),
    _UUID: lambda payload: UUID(bytes=bytes(payload)),
    _UNDEFINED: lambda payload: UNDEFINED,
}

_MARKERS: Final[dict[int, Marker]] = {
    _TUPLE: Marker(tuple),
    _SET: Marker(set),
    _FROZENSET: Marker(frozenset),
    _PAIRS: Marker(_pairs),
    _MAP: Marker(lambda items: Map(_pairs(items))),
}


def _leaf(code: int, payload: memoryview) -> Any:
    unpack = _LEAVES.get(code)
    if unpack is None:
        raise ValueError(f"kind {code} is unknown here or stands where it cannot")
    return unpack(payload)


def _leaf_or_marker(code: int, payload: memoryview) -> Any:
    return _MARKERS.get(code) or _leaf(code, payload)


decode_plain = msgspec.msgpack.Decoder(ext_hook=_leaf).decode
decode_marked = msgspec.msgpack.Decoder(ext_hook=_leaf_or_marker).decode

DECODE_ERRORS: Final = (msgspec.MsgspecError, struct.error)
"""What the decoders raise beside Python's own classes."""
