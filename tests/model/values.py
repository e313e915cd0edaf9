"""Values for property tests, and what it means that two of them are the same: equal type for type, bit for bit."""

import struct
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from perdure.model.foreign import UNDEFINED, Map, Undefined

text = st.text(st.characters(codec="utf-8"), max_size=12)
ints = st.integers() | st.sampled_from([-(1 << 63) - 1, -(1 << 63), (1 << 64) - 1, 1 << 64, 1 << 4000, -(1 << 4000)])
floats = st.floats() | st.sampled_from([-0.0, struct.unpack(">d", bytes.fromhex("fff8000000000123"))[0]])
offsets = st.builds(timedelta, minutes=st.integers(-1439, 1439))
decimals = st.decimals(allow_nan=True) | st.sampled_from(
    [Decimal("1.00"), Decimal("-0"), Decimal("1E+400"), Decimal("-Infinity")]
)
# Of an aware datetime the instant is kept, of which `fold` is no part.
datetimes = st.datetimes() | st.datetimes(timezones=st.just(UTC)).map(lambda value: value.replace(fold=0))
naive_datetimes_with_fold = st.builds(datetime.replace, st.datetimes(), fold=st.integers(0, 1))
times = st.builds(time.replace, st.times(), fold=st.integers(0, 1)) | st.builds(
    lambda value, offset: value.replace(tzinfo=timezone(offset)), st.times(), offsets
)

hashable_leaves = st.one_of(
    st.none(),
    st.booleans(),
    ints,
    floats,
    text,
    st.binary(max_size=12),
    datetimes,
    naive_datetimes_with_fold,
    st.dates(),
    times,
    st.timedeltas(),
    st.uuids(),
    st.decimals(allow_nan=False),
    st.just(UNDEFINED),
)
leaves = hashable_leaves | decimals | st.builds(bytearray, st.binary(max_size=12))

hashables = st.recursive(
    hashable_leaves,
    lambda inner: st.lists(inner, max_size=4).map(tuple) | st.frozensets(inner, max_size=4),
    max_leaves=6,
)


def _containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(text, inner, max_size=4),
        st.dictionaries(hashables, inner, max_size=4),
        st.dictionaries(hashables, inner, max_size=4).map(Map),
        st.sets(hashables, max_size=4),
        st.frozensets(hashables, max_size=4),
    )


values = st.recursive(leaves, _containers, max_leaves=12)
"""Every kind of the specification's table "Values" that comes back as itself, nested at will."""


def same(a: Any, b: Any) -> Any:
    """Whether `b` is `a` again: the same types all through, the same bits, the same order of keys."""
    if type(a) is not type(b):
        return False
    match a:
        case float():
            return struct.pack(">d", a) == struct.pack(">d", b)
        case Decimal():
            return a.as_tuple() == b.as_tuple()
        case datetime() | time():
            return a.replace(tzinfo=None) == b.replace(tzinfo=None) and _zone(a) == _zone(b) and a.fold == b.fold
        case list() | tuple():
            return len(a) == len(b) and all(map(same, a, b))
        case dict():
            return same(list(a.keys()), list(b.keys())) and same(list(a.values()), list(b.values()))
        case set() | frozenset():
            return len(a) == len(b) and all(any(same(x, y) for y in b) for x in a)
        case _:
            return bool(a == b)


def _zone(value: datetime | time) -> timedelta | None:
    return value.utcoffset()


PLAIN_KINDS = (
    *(type(None), bool, int, float, str, bytes, bytearray, list, tuple, dict, set, frozenset),
    *(datetime, date, time, timedelta, Decimal, UUID, Map, Undefined),
)


def only_plain_kinds(value: Any) -> bool:
    """Whether nothing but the documented kinds is in `value`; iterative, because hostile values nest deeply."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if type(item) not in PLAIN_KINDS:
            return False
        if isinstance(item, dict):
            waiting += [*item.keys(), *item.values()]
        elif isinstance(item, (list, tuple, set, frozenset)):
            waiting += item
    return True
