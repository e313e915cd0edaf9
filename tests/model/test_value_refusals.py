"""What cannot be stored or sent is refused, with the path to the offender and what to do instead; nothing is guessed."""

import asyncio
import collections
import dataclasses
import enum
import io
import re
import socket
import threading
import types
from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.model.errors import TooLarge, UnsupportedValue
from perdure.model.foreign import Map
from perdure.model.value import decode, encode, transfer, transfer_sized
from tests.model.values import values

PUT = 'put("k")'


def refusal(value):
    """How `value` is refused: by storing and by sending alike."""
    with pytest.raises(UnsupportedValue) as stored:
        encode(value, path=PUT)
    with pytest.raises(UnsupportedValue) as sent:
        transfer(value, path=PUT)
    assert (str(stored.value), stored.value.path) == (str(sent.value), sent.value.path)
    assert stored.value.path in str(stored.value)
    str(stored.value).encode()
    return stored.value


class Plain:
    """A class that is no dataclass."""


class Color(enum.Enum):
    RED = 1
    ODD = Plain()


@dataclasses.dataclass
class Order:
    items: list[Any]


@dataclasses.dataclass(frozen=True)
class Point:
    x: int


class Line(msgspec.Struct):
    start: object


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (Plain(), PUT),
        ([1, 2, Plain()], PUT + "[2]"),
        ({"a": [0, 1, 2, Plain()]}, PUT + '["a"][3]'),
        ((1, (2, Plain())), PUT + "[1][1]"),
        ({"it's": {'a "b"': Plain()}}, PUT + '["it\'s"]["a \\"b\\""]'),
        ({1: {(2, 3): Plain()}}, PUT + "[1][(2, 3)]"),
        ({"é": Map(ü=Plain())}, PUT + '["é"]["ü"]'),
        (Order([Order([Plain()])]), PUT + ".items[0].items[0]"),
        (Line(start={"a": Plain()}), PUT + '.start["a"]'),
        (collections.OrderedDict(a=Plain()), PUT + '["a"]'),
        ([Color.ODD], PUT + "[0]"),
        ({"a": {1, (2, Plain)}}, PUT + '["a"]{...}[1]'),
        ({(1, Plain): 1}, PUT + "[(1, <class 'tests.model.test_value_re...][1]"),
        ({"k" * 100: Plain()}, PUT + '["' + "k" * 36 + "...]"),
        ("\ud800", PUT),
        ({"a": ["x", "é\udfffb"]}, PUT + '["a"][1]'),
        ({"a": {"\ud800": 1}}, PUT + '["a"]["\\ud800"]'),
        ({"a": {1: "\ud800"}}, PUT + '["a"][1]'),
        ({"\ud800": 1, 2: 3}, PUT + '["\\ud800"]'),
        ([1 << 70, {"a": "\ud800"}], PUT + '[1]["a"]'),
    ],
)
def test_a_refusal_names_the_path_to_the_offender(value, path):
    assert refusal(value).path == path


class Reduced:
    def __reduce__(self):
        raise AssertionError("someone tried to pickle this")


class Deep(Mapping[str, int]):
    def __getitem__(self, key):
        raise KeyError(key)

    def __iter__(self):
        return iter(())

    def __len__(self):
        return 0


async def coroutine(): ...


def generator():
    yield 1


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (lambda: 1, "store the result, or store a name for it"),
        (len, "store the result"),
        ([].append, "store the result"),
        (Plain, "store its name"),
        (int, "the class int cannot"),
        (Color, "store its name"),
        (types, "store its name"),
        (generator(), r"list\(it\)"),
        (iter([]), r"list\(it\)"),
        (Deep(), r"dict\(it\)"),
        (types.MappingProxyType({}), r"dict\(it\)"),
        (ValueError("no"), r"str\(error\)"),
        (1j, "z.real"),
        (range(3), r"list\(r\)"),
        (re.compile("a"), "its pattern"),
        (Path("a"), r"str\(path\)"),
        (io.BytesIO(), "belongs to this process"),
        (threading.Lock(), "belongs to this process"),
        (asyncio.Lock(), "belongs to this process"),
        (Plain(), "dataclass or msgspec.Struct"),
        (object(), "an? object cannot"),
        (Reduced(), "dataclass or msgspec.Struct"),
        (ZoneInfo("Europe/Berlin"), "dataclass"),
        (UTC, "dataclass"),
        (..., "dataclass"),
        (collections.deque([1]), "dataclass"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_refusal_says_what_to_store_instead(value, hint):
    error = refusal([value])

    assert re.search(hint, str(error))
    assert error.path == PUT + "[0]"


def test_an_awaitable_is_refused_with_the_advice_to_await_it():
    waiting = coroutine()

    assert "await it" in str(refusal(waiting))

    waiting.close()


def test_a_socket_is_refused_as_a_thing_of_this_process():
    with socket.socket() as open_socket:
        assert "belongs to this process" in str(refusal({"peer": open_socket}))


def test_a_numpy_scalar_is_refused_with_the_way_to_a_number():
    # The class alone, as numpy would have it: the product asks for no more than where a class comes from.
    scalar = type("int64", (), {"__module__": "numpy"})()

    assert ".item()" in str(refusal([scalar]))


class NoOffset(tzinfo):
    def utcoffset(self, moment):
        return None

    dst = utcoffset

    def tzname(self, moment):
        return None


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (datetime(2026, 1, 1, tzinfo=NoOffset()), "gives no offset"),
        (datetime.min.replace(tzinfo=timezone(timedelta(hours=14))), "UTC cannot express"),
        (datetime.max.replace(tzinfo=timezone(timedelta(hours=-14))), "UTC cannot express"),
        (time(1, tzinfo=ZoneInfo("Europe/Berlin")), "depends on the date"),
    ],
)
def test_a_time_that_names_no_instant_is_refused_with_the_way_to_store_it(value, says):
    assert says in str(refusal({"at": value}))
    assert says in str(refusal(value))


def nested(depth, wrap=lambda inner: [inner]):
    value = wrap(1)
    for _ in range(depth - 1):
        value = wrap(value)
    return value


WRAPS = [
    lambda inner: [inner],
    lambda inner: (inner,),
    lambda inner: {"a": inner},
    lambda inner: {1: inner},
    lambda inner: Map(a=inner),
    lambda inner: Order(inner),
]


@pytest.mark.parametrize("wrap", WRAPS)
def test_128_levels_are_stored_and_129_are_refused(wrap):
    decoded = decode(encode(nested(128, wrap), path=PUT))

    error = refusal(nested(129, wrap))

    assert decoded
    assert "nested too deeply" in str(error)
    assert "at most 128" in str(error)


def test_frozensets_count_as_levels_too():
    assert decode(encode(nested(128, lambda inner: frozenset({inner})), path=PUT))
    assert "nested too deeply" in str(refusal(nested(129, lambda inner: frozenset({inner}))))


def test_a_depth_of_many_thousands_is_refused_and_not_a_crash():
    assert "nested too deeply" in str(refusal(nested(50_000)))


def test_a_value_that_contains_itself_is_refused_by_the_path_where_it_comes_again():
    state: dict[str, list[Any]] = {"log": [1, 2]}
    state["log"].append({"of": state})

    error = refusal({"state": state})

    assert error.path == PUT + '["state"]["log"][2]["of"]'
    assert 'it is the same object as put("k")["state"]' in str(error)


def test_a_list_that_contains_itself_is_refused():
    ring: list[Any] = []
    ring.append(ring)

    assert refusal(ring).path == PUT + "[0]"


def test_a_dataclass_that_contains_itself_is_refused():
    order = Order([])
    order.items.append({1: order})

    assert refusal(order).path == PUT + ".items[0][1]"


def test_a_value_that_refers_to_its_parts_exponentially_often_is_refused_soon():
    value: list[Any] = [1]
    for _ in range(100):
        value = [value, value]

    with pytest.raises(TooLarge):
        encode(value, path=PUT, bytes_max=100_000)


@pytest.mark.parametrize("value", [{Point(1)}, frozenset({(1, Point(1))}), {Point(1): 1}, {(1, (Point(1),)): 1}])
def test_a_dataclass_is_refused_where_it_would_have_to_be_hashed_when_it_comes_back(value):
    assert "cannot hash" in str(refusal(value))


class HashableBuffer(bytearray):
    def __hash__(self):
        return 1


class HashableList(list[int]):
    def __hash__(self):
        return 1


def test_a_subclass_that_can_be_hashed_is_refused_where_its_base_cannot():
    assert "cannot hash" in str(refusal({HashableBuffer(b"x")}))
    assert "cannot hash" in str(refusal({HashableList([1]): 1}))
    assert "cannot hash" in str(refusal({HashableList(): 1}))


def test_a_dict_that_would_lose_an_entry_is_refused():
    assert "two of whose keys" in str(refusal({Color.RED: "member", 1: "value"}))
    assert "two of whose keys" in str(refusal([{(Color.RED,): "member", (1,): "value"}]))


def test_a_field_that_is_no_value_is_named_by_its_python_name():
    class Renamed(msgspec.Struct, rename="camel"):
        first_name: object

    assert refusal(Renamed(first_name=Plain())).path == PUT + ".first_name"


def test_what_a_property_of_a_users_class_raises_goes_to_the_user():
    @dataclasses.dataclass
    class Broken:
        field: int

    setattr(Broken, "field", property(lambda self: 1 // 0, lambda self, value: None))  # noqa: B010 - not its type

    with pytest.raises(ZeroDivisionError):
        encode(Broken(1), path=PUT)


def test_a_key_that_python_does_not_print_leads_to_the_offender_all_the_same():
    assert refusal({10**5_000: [object()]}).path == f"{PUT}[<a key of int>][0]"


@given(values, st.integers(0, 60))
def test_a_value_over_the_limit_of_bytes_is_refused_with_its_size(value, bytes_max):
    size = len(encode(value, path=PUT))

    if size <= bytes_max:
        assert len(encode(value, path=PUT, bytes_max=bytes_max)) == size
    else:
        with pytest.raises(TooLarge) as refused:
            encode(value, path=PUT, bytes_max=bytes_max)
        assert bytes_max < refused.value.size <= size
        assert refused.value.limit == bytes_max
        assert PUT in str(refused.value)


@pytest.mark.parametrize(
    "value", ["x" * 1001, b"x" * 1001, 1 << 9000, "é" * 501, ["x" * 1001], {"a": "x" * 1001}, (0,) * 1001]
)
def test_a_transfer_over_the_limit_of_bytes_is_refused(value):
    with pytest.raises(TooLarge):
        transfer_sized(value, path=PUT, bytes_max=1000)
