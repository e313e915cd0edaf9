"""A value to bytes and back: `decode(encode(v))` equals `v` type for type, for every kind in the table "Values".

`transfer` gives the same without bytes where nothing could differ. See tests/model/test_value_roundtrip.py.

What exactness costs, in microseconds (Python 3.11, 2 shared cores; msgspec alone changes or refuses what is not JSON):

    value                         encode  msgspec    decode  msgspec    transfer
    int, str, float                 0.22     0.06      0.20     0.06        0.25
    dict of 5 scalars               1.1      0.18      0.5      0.33        2.0
    list of 5 ints                  0.6      0.08      0.3      0.12        1.2
    list of 1,000 ints             27        3.8      18       18          45
    list of 100 such dicts        110       10        30       29         142
    the same, a date in each      231       12       103       50         339
    date, Decimal, UUID             0.7      0.1    0.8-1.9     0.1     0.2-2.6
    naive datetime                  1.2      0.07      1.6      0.08        3.2
    tuple of 3 ints                 1.7      0.07      1.2      0.11        3.3
    dict of 3 int keys              3.9      0.11      2.2      0.22        6.6
    dataclass of 3 fields           5.6      0.17      0.4      0.20        6.4
"""

from datetime import date, timedelta
from types import NoneType
from typing import Any, Final
from uuid import UUID

from perdure.model.errors import ValueMismatch
from perdure.model.foreign import Undefined
from perdure.model.limits import UNIT_BYTES_MAX
from perdure.model.value import wire_format
from perdure.model.value.leaves import LEAVES
from perdure.model.value.refusal import Refusal
from perdure.model.value.restore import restore
from perdure.model.value.tree import Walk, too_large
from perdure.model.value.wire_format import SCALARS, TEXT

_PLAIN = wire_format.PLAIN
_PLAIN_VERSION, _MARKED_VERSION = wire_format.PLAIN[0], wire_format.MARKED[0]
_encode_tree = wire_format.encode_tree
_are_scalars = SCALARS.issuperset
_are_text = TEXT.issuperset


def encode(value: Any, *, path: str, bytes_max: int = UNIT_BYTES_MAX) -> bytes:
    """The bytes of `value`, copied now.

    path: what to call the value in a message, as `put("k")`.
    Raises UnsupportedValue, naming the path to what cannot be stored or sent, or TooLarge above `bytes_max`.
    """
    kind = type(value)
    if (
        kind in SCALARS
        or (kind is dict and _are_scalars(map(type, value.values())) and _are_text(map(type, value)))
        or (kind is list and _are_scalars(map(type, value)))
    ):
        try:
            data = _PLAIN + _encode_tree(value)
        except (OverflowError, UnicodeEncodeError):
            data = _encode_any(value, path, bytes_max)
    else:
        data = _encode_any(value, path, bytes_max)
    if len(data) > bytes_max:
        raise too_large(path, len(data), bytes_max)
    return data


def _encode_any(value: Any, path: str, bytes_max: int) -> bytes:
    try:
        leaf = LEAVES.get(type(value))
        if leaf is not None:
            return _PLAIN + _encode_tree(leaf(value))
        try:
            return _encode_walked(value, Walk(path, careful=False, elements_max=bytes_max))
        except (OverflowError, UnicodeEncodeError):
            # An int beyond 64 bits or a lone surrogate: msgspec refuses without saying where.
            return _encode_walked(value, Walk(path, careful=True, elements_max=bytes_max))
    except Refusal as refusal:
        raise refusal.error(path) from refusal.__cause__


def _encode_walked(value: Any, walk: Walk) -> bytes:
    data = _encode_tree(walk.tree(value))
    return (wire_format.MARKED if walk.marked else _PLAIN) + data


def decode(data: bytes, *, path: str = "a value") -> Any:
    """The value of bytes that `encode` gave; a fresh copy each time.

    path: what to call it in a message, as `get("k")`.
    Raises ValueMismatch for any other bytes: damaged, hostile, or of a newer format. Runs and imports nothing.
    """
    try:
        version = data[0]
        if version == _PLAIN_VERSION:
            return wire_format.decode_plain(data[1:])
        if version == _MARKED_VERSION:
            return restore(wire_format.decode_marked(data[1:]))
    except _NOT_A_VALUE as error:
        raise _unreadable(path, str(error)) from error
    raise _unreadable(path, f"its format is {version}, and 1 and 2 are known here")


# What msgspec and the constructors of the leaves raise for bytes that are no value: decimal's and struct's own errors
# among them.
_NOT_A_VALUE: Final = (ValueError, TypeError, IndexError, ArithmeticError, RecursionError, *wire_format.DECODE_ERRORS)


def _unreadable(path: str, why: str) -> ValueMismatch:
    return ValueMismatch(
        what="these bytes are not a value",
        why=why,
        next_step="the data is damaged, or a newer Perdure wrote it",
        path=path,
    )


def transfer(value: Any, *, path: str, bytes_max: int = UNIT_BYTES_MAX) -> Any:
    """What `decode(encode(value))` gives, cheaper where it can be: what cannot change and is of an exact kind comes
    back itself.

    Raises as `encode` does.
    """
    return transfer_sized(value, path=path, bytes_max=bytes_max)[0]


_SMALL: Final = frozenset({NoneType, bool, float, date, timedelta, UUID, Undefined})
_SMALL_BYTES: Final = 16


def transfer_sized(value: Any, *, path: str, bytes_max: int = UNIT_BYTES_MAX) -> tuple[Any, int]:
    """`transfer`, and the bytes that the copy counts for in a queue: those of its encoded form, or near them.

    Raises as `encode` does.
    """
    kind = type(value)
    if kind in _SMALL:
        return value, _SMALL_BYTES
    if kind is int:
        size = _SMALL_BYTES + value.bit_length() // 8
    elif kind is bytes or (kind is str and value.isascii()):
        size = _SMALL_BYTES + len(value)
    elif kind is tuple and not value:
        return value, _SMALL_BYTES
    else:
        data = encode(value, path=path, bytes_max=bytes_max)
        return (value if kind is str else decode(data, path=path)), len(data)
    if size > bytes_max:
        raise too_large(path, size, bytes_max)
    return value, size
