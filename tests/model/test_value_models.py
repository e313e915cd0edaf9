"""Classes cross as their fields and come back as the class where a type says so."""

import dataclasses
import enum
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar, TypedDict

import msgspec
import pytest

from perdure.model.value import as_type, decode, encode, transfer


def roundtrip(value):
    data = decode(encode(value, path="value"))
    assert transfer(value, path="value") == data
    return data


class Size(enum.Enum):
    SMALL = "s"


@dataclasses.dataclass
class Item:
    name: str
    price: Decimal
    size: Size = Size.SMALL


@dataclasses.dataclass(slots=True)
class Order:
    items: list[Item]
    on: date
    tags: set[str]
    _internal: int = 0
    kind: ClassVar[str] = "order"
    computed: int = dataclasses.field(init=False, default=3)


class Line(msgspec.Struct):
    start: tuple[int, int]
    end: tuple[int, int] | None = None


class Renamed(msgspec.Struct, rename="camel"):
    first_name: str
    optional: int | msgspec.UnsetType = msgspec.UNSET


class Cat(msgspec.Struct, tag=True):
    lives: int


class Dog(msgspec.Struct, tag="dog", tag_field="kind"):
    tricks: list[str]


class Row(msgspec.Struct, array_like=True):
    id: int
    name: str


class TaggedRow(msgspec.Struct, array_like=True, tag="row"):
    id: int


class Point(TypedDict):
    x: int
    y: int


ITEM = Item("apple", Decimal("1.50"))
ORDER = Order([ITEM], date(2026, 1, 2), {"a"}, 5)

CASES = [
    (ITEM, {"name": "apple", "price": Decimal("1.50"), "size": "s"}),
    (Line((1, 2)), {"start": (1, 2), "end": None}),
    (Renamed("Ada"), {"firstName": "Ada"}),
    (Cat(9), {"type": "Cat", "lives": 9}),
    (Dog(["sit"]), {"kind": "dog", "tricks": ["sit"]}),
    (Row(1, "a"), [1, "a"]),
    (TaggedRow(1), ["row", 1]),
]


@pytest.mark.parametrize(("value", "data"), CASES, ids=[type(value).__name__ for value, _ in CASES])
def test_an_instance_crosses_as_its_fields_and_its_type_makes_it_again(value, data):
    kind: Any = type(value)
    crossed = roundtrip({"v": [value]})["v"][0]

    assert crossed == data
    assert as_type(kind, crossed, path="value") == value
    assert as_type(list[kind], [crossed], path="value") == [value]
    assert as_type(kind | None, crossed, path="value") == value


def test_a_dataclass_crosses_with_all_its_fields_and_without_its_class_variables():
    assert roundtrip(ORDER) == {
        "items": [{"name": "apple", "price": Decimal("1.50"), "size": "s"}],
        "on": date(2026, 1, 2),
        "tags": {"a"},
        "_internal": 5,
        "computed": 3,
    }
    assert as_type(Order, roundtrip(ORDER), path="value") == ORDER


def test_a_typed_dict_is_a_dict():
    assert as_type(Point, roundtrip(Point(x=1, y=2)), path="value") == {"x": 1, "y": 2}


def test_a_field_that_was_never_set_is_left_out():
    blank = object.__new__(Item)
    blank.name = "apple"

    assert roundtrip(blank) == {"name": "apple", "size": "s"}
    assert roundtrip(msgspec.structs.replace(Renamed("Ada"), optional=msgspec.UNSET)) == {"firstName": "Ada"}


def test_a_union_of_tagged_structs_comes_back_as_the_right_one():
    class Fish(msgspec.Struct, tag=True):
        lives: int

    crossed = roundtrip([Cat(9), Fish(1)])

    assert as_type(list[Cat | Fish], crossed, path="value") == [Cat(9), Fish(1)]
