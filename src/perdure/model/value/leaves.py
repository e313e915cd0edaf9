"""The kinds without elements: each becomes what MessagePack has for it, or an extension with its bytes.

See tests/model/test_value_roundtrip.py.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from msgspec.msgpack import Ext

from perdure.model.foreign import Undefined
from perdure.model.value import wire_format
from perdure.model.value.refusal import Refusal
from perdure.model.value.wire_format import SCALARS


def text(value: str) -> str:
    """`value`, refused if it cannot be UTF-8."""
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise Refusal(
                "text with a lone surrogate cannot be stored or sent",
                why=f"character {error.start}, {value[error.start]!r}, is half of a pair and has no UTF-8",
                next_step="decode the bytes it came from with the right encoding, without errors='surrogateescape'",
            ) from None
    return value


def _integer(value: int) -> Any:
    return value if wire_format.INT_MIN <= value <= wire_format.INT_MAX else wire_format.pack_big_int(value)


def _datetime(value: datetime) -> Any:
    if value.tzinfo is None:
        return wire_format.pack_naive_datetime(value)
    if value.utcoffset() is None:
        raise Refusal(
            "a datetime whose time zone gives no offset cannot be stored or sent",
            why="it names no instant",
            next_step="give it a complete time zone, or none: value.replace(tzinfo=None)",
        )
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise Refusal(
            "a datetime that UTC cannot express cannot be stored or sent",
            why="in UTC it lies before year 1 or after year 9999",
            next_step="store it without its zone: value.replace(tzinfo=None)",
        ) from None


def _time(value: time) -> Ext:
    offset = value.utcoffset()
    if offset is None and value.tzinfo is not None:
        raise Refusal(
            "a time whose offset from UTC depends on the date cannot be stored or sent",
            next_step="store a datetime, or the time without its zone: value.replace(tzinfo=None)",
        )
    return wire_format.pack_time(value, offset)


def _undefined(value: Undefined) -> Ext:
    return wire_format.UNDEFINED_EXT


LEAVES: Final[dict[type, Callable[[Any], Any]]] = {
    bytearray: wire_format.pack_bytearray,
    memoryview: bytes,
    datetime: _datetime,
    date: wire_format.pack_date,
    time: _time,
    timedelta: wire_format.pack_timedelta,
    Decimal: wire_format.pack_decimal,
    UUID: wire_format.pack_uuid,
    Undefined: _undefined,
}

CAREFUL_SCALARS: Final = SCALARS - {int, str}
"""Scalars that need no look at all."""
CAREFUL_LEAVES: Final[dict[type, Callable[[Any], Any]]] = {**LEAVES, int: _integer, str: text}
