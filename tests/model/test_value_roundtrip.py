"""What is stored or sent comes back as the specification's table "Values" says: type for type, bit for bit."""

import collections
import copy
import enum
import pickle
import struct
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from http import HTTPStatus
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from perdure.model.foreign import UNDEFINED, Map
from perdure.model.value import decode, encode, transfer, transfer_sized
from tests.model.values import leaves, same, values


def roundtrip(value):
    return decode(encode(value, path="value"))


@given(values)
@example([(), [()], {(): ()}, Map(), set(), frozenset()])
@example({"a": [1 << 64, "é", {"b": -(1 << 63) - 1}]})
@example([1, (2, [3, {4: {5, 6}}], {"seven": (8,)})])
def test_every_plain_value_comes_back_as_itself_type_for_type(value):
    assert same(value, roundtrip(value))


@given(values)
def test_a_transfer_gives_what_storing_and_loading_gives(value):
    moved, size = transfer_sized(value, path="value")

    assert same(moved, roundtrip(value))
    assert same(transfer(value, path="value"), moved)
    assert size >= 0


@given(leaves)
def test_every_leaf_comes_back_as_itself_at_the_top_and_inside(leaf):
    assert same(leaf, roundtrip(leaf))
    assert same([leaf], roundtrip([leaf]))
    assert same({"a": leaf, "b": (leaf,)}, roundtrip({"a": leaf, "b": (leaf,)}))


@given(st.lists(st.dictionaries(st.text(st.characters(codec="utf-8")), leaves)))
def test_lists_of_records_come_back_as_themselves(records):
    assert same(records, roundtrip(records))


def test_the_bits_of_a_nan_and_the_sign_of_a_zero_are_kept():
    for bits in ("7ff8000000000001", "fff8000000000000", "7ff0000000000001", "8000000000000000"):
        number = struct.unpack(">d", bytes.fromhex(bits))[0]

        assert struct.pack(">d", roundtrip(number)).hex() == bits


@given(st.datetimes(timezones=st.timezones(), min_value=datetime(2, 1, 1), max_value=datetime(9998, 12, 31)))
def test_an_aware_datetime_comes_back_as_the_same_instant_in_utc(moment):
    back = roundtrip(moment)

    assert back.tzinfo is UTC
    assert same(back, moment.astimezone(UTC))
    assert same(roundtrip([moment]), [back])
    assert same(transfer(moment, path="value"), back)


@pytest.mark.parametrize("fold", [0, 1])
def test_the_hour_that_comes_twice_keeps_its_instant(fold):
    moment = datetime(2024, 10, 27, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=fold)

    assert roundtrip(moment) == datetime(2024, 10, 27, 0 + fold, 30, tzinfo=UTC)


def test_a_naive_datetime_keeps_its_fold():
    assert roundtrip(datetime(2024, 10, 27, 2, 30, fold=1)).fold == 1


@pytest.mark.parametrize(
    "moment", [datetime.min, datetime.max, datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)]
)
def test_the_first_and_the_last_datetime_come_back(moment):
    assert same(roundtrip(moment), moment)


def test_a_time_keeps_a_fixed_offset():
    at = time(1, 2, 3, 4, tzinfo=timezone(timedelta(hours=5, minutes=30)))

    assert same(roundtrip(at), at)
    assert roundtrip(at).tzinfo == timezone(timedelta(hours=5, minutes=30))
    assert roundtrip(time(1, tzinfo=UTC)).tzinfo is UTC


def test_a_memoryview_comes_back_as_bytes():
    assert same(roundtrip(memoryview(b"abcdef")[::2]), b"ace")
    assert same(roundtrip({"a": memoryview(b"abc")}), {"a": b"abc"})


def test_undefined_comes_back_as_the_one_that_there_is():
    assert roundtrip([UNDEFINED])[0] is UNDEFINED
    assert transfer(UNDEFINED, path="value") is UNDEFINED
    assert copy.deepcopy(UNDEFINED) is UNDEFINED
    assert pickle.loads(pickle.dumps(UNDEFINED)) is UNDEFINED


def test_undefined_is_false_like_none_and_is_not_none():
    assert not UNDEFINED
    assert UNDEFINED is not None
    assert repr(UNDEFINED) == "UNDEFINED"


def test_a_map_stays_a_map_and_a_dict_a_dict():
    assert same(roundtrip([Map({"a": 1}), {"a": 1}]), [Map({"a": 1}), {"a": 1}])


class Side(enum.StrEnum):
    BUY = "buy"


class Level(enum.IntEnum):
    HIGH = 3


class Odd(enum.Enum):
    PAIR = (1, "a")


class Flags(enum.Flag):
    A = 1
    B = 2


class Point(NamedTuple):
    x: int
    y: int


class Shout(str):
    def __str__(self):
        return self.upper()


class Liar(int):
    def __int__(self):
        return 7

    __index__ = __int__


class Half(float):
    def __float__(self):
        return self / 2


class Blob(bytes):
    def __bytes__(self):
        return b"other"


class Buffer(bytearray): ...


class Stack(list[int]):
    def __iter__(self):
        return iter(())


class Bag(set[int]):
    def __iter__(self):
        return iter(())


class FrozenBag(frozenset[int]): ...


class OwnMap(Map): ...


class Day(date): ...


class Moment(datetime): ...


class Clock(time): ...


class Span(timedelta): ...


class Money(Decimal):
    def __str__(self):
        return "a lot"


class Key(UUID): ...


ordered = collections.OrderedDict(a=1, b=2)
ordered.move_to_end("a")


@pytest.mark.parametrize(
    ("value", "base"),
    [
        (Side.BUY, "buy"),
        (Level.HIGH, 3),
        (HTTPStatus.NOT_FOUND, 404),
        (Odd.PAIR, (1, "a")),
        (Flags.A | Flags.B, 3),
        (Point(1, 2), (1, 2)),
        (Shout("a"), "a"),
        (Liar(5), 5),
        (Liar(1 << 70), 1 << 70),
        (Half(3.0), 3.0),
        (Blob(b"x"), b"x"),
        (Buffer(b"x"), bytearray(b"x")),
        (Stack([1, 2]), [1, 2]),
        (Bag({1}), {1}),
        (FrozenBag({1}), frozenset({1})),
        (OwnMap({1: 2}), Map({1: 2})),
        (ordered, {"b": 2, "a": 1}),
        (collections.defaultdict(list, a=[1]), {"a": [1]}),
        (collections.Counter("aab"), {"a": 2, "b": 1}),
        (Day(2026, 1, 2), date(2026, 1, 2)),
        (Moment(2026, 1, 2, 3, 4, 5, 6, fold=1), datetime(2026, 1, 2, 3, 4, 5, 6, fold=1)),
        (Moment(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)),
        (Clock(1, 2, 3, 4, fold=1), time(1, 2, 3, 4, fold=1)),
        (Span(days=1, seconds=2, microseconds=3), timedelta(days=1, seconds=2, microseconds=3)),
        (Money("1.50"), Decimal("1.50")),
        (Key(int=5), UUID(int=5)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_subclass_comes_back_as_its_base_and_an_enum_member_as_its_value(value, base):
    for wrap in (lambda v: v, lambda v: [v], lambda v: (v,), lambda v: {"k": v}, lambda v: {5: v}):
        assert same(roundtrip(wrap(value)), wrap(base))
        assert same(transfer(wrap(value), path="value"), wrap(base))


def test_keys_of_dicts_and_elements_of_sets_cross_as_their_base_too():
    assert same(roundtrip({Side.BUY: 1, "sell": 2}), {"buy": 1, "sell": 2})
    assert same(roundtrip({Level.HIGH: 1, Point(1, 2): 2}), {3: 1, (1, 2): 2})
    assert same(roundtrip({Side.BUY, Point(1, 2)}), {"buy", (1, 2)})


def test_a_key_may_be_any_plain_value_that_python_can_hash():
    value = {
        1: "a",
        (2, frozenset({3})): "b",
        None: "c",
        b"d": "d",
        date(2026, 1, 2): "e",
        1.5: "f",
        "g": "g",
        True + 1: "h",
    }

    assert same(roundtrip(value), value)


def test_the_order_of_keys_is_kept():
    assert list(roundtrip({"b": 1, "a": 2, "c": 3})) == ["b", "a", "c"]
    assert list(roundtrip({2: 1, "a": 2, 1: 3})) == [2, "a", 1]


@given(values)
def test_what_comes_back_shares_nothing_that_can_change_with_what_went_in(value):
    moved = transfer(value, path="value")

    assert not _changeable(value) & _changeable(moved)


def _changeable(value, _of=(list, dict, set, bytearray)):
    found, waiting = set(), [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, _of):
            found.add(id(item))
        if isinstance(item, dict):
            waiting += item.values()
        elif isinstance(item, (list, tuple)):
            waiting += item
    return found


def test_what_was_encoded_is_a_copy_made_at_the_call():
    value = {"a": [1]}
    data = encode(value, path="value")

    value["a"].append(2)

    assert decode(data) == {"a": [1]}


def test_shared_parts_come_back_as_equal_copies():
    part = [1]

    first, second = roundtrip([part, part])

    assert first == second == [1]
    assert first is not second


def test_a_transfer_hands_on_what_cannot_change_as_it_is():
    for value in (None, True, 5, 1 << 80, 1.5, "text", "é", b"bytes", (), date(2026, 1, 2), UUID(int=5), timedelta(1)):
        assert transfer(value, path="value") is value


@given(st.text(st.characters(codec="utf-8")) | st.binary() | st.integers())
def test_the_size_of_a_transfer_is_near_its_encoded_size(value):
    _, size = transfer_sized(value, path="value")

    assert abs(size - len(encode(value, path="value"))) <= 16
