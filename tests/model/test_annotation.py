"""Which annotations have something to build, and which cannot be used."""

import collections
import dataclasses
import enum
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, Optional, TypedDict, TypeVar, Union

import msgspec
import pytest
import typing_extensions

from perdure.model.value.annotation import Unusable, check_usable, names_class, resolve

T = TypeVar("T")


@dataclasses.dataclass
class Item:
    price: int


@dataclasses.dataclass
class Other:
    price: int


@dataclasses.dataclass
class Page(Generic[T]):
    items: list[T]


class Side(enum.Enum):
    BUY = "buy"


class Point(msgspec.Struct):
    x: int


class Row(TypedDict):
    x: int


class Pair(NamedTuple):
    x: int


class TaggedA(msgspec.Struct, tag=True):
    x: int


class TaggedB(msgspec.Struct, tag=True):
    x: int


OldPair = collections.namedtuple("OldPair", "x y")
Alias = typing_extensions.TypeAliasType("Alias", list[Item])
ItemId = NewType("ItemId", int)
Wrapped = NewType("Wrapped", Item)


@dataclasses.dataclass
class Dangling:
    field: "NoSuchClass"  # noqa: F821 - missing on purpose


class HasOther:
    """A class that values cannot be."""


@pytest.mark.parametrize("kind", [Item, Side, Point, Row, Pair, OldPair, Page, Page[int], Wrapped, Alias], ids=str)
def test_a_class_of_fields_is_found_alone_and_inside_of_plain_kinds(kind):
    around: list[Any] = [
        *(kind, kind | None, Optional[kind], Union[int, kind], Annotated[kind, "note"]),  # noqa: UP007, UP045 - every way to say it
        *(list[kind], dict[str, list[kind]], tuple[int, kind], set[kind], Sequence[kind], Mapping[str, kind]),
    ]

    assert all(map(names_class, around))


@pytest.mark.parametrize(
    "kind",
    [
        *(int, str | None, list[int], dict[str, Any], Any, None, object, T, ItemId, Literal["a"], HasOther, "text"),
        *(Callable[[Item], None], AsyncIterator[Item], Awaitable[Item], type[Item]),
    ],
    ids=str,
)
def test_plain_types_and_what_is_no_part_of_a_value_name_none(kind):
    assert not names_class(kind)


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (Item | Other, "more than one dataclass"),
        (Item | dict[str, int], "dict-like"),
        (Dangling, "NoSuchClass"),
        (Iterable[Item], "write list"),
        (list[Iterable[Item]], "write list"),
        (list[Item | HasOther], "custom type"),
    ],
    ids=str,
)
def test_a_type_that_no_value_can_be_built_as_says_why(kind, why):
    with pytest.raises(Unusable, match=why):
        check_usable(kind)


@pytest.mark.parametrize("kind", [Item | None, list[Item] | Side, TaggedA | TaggedB, Page[Item], Item | int], ids=str)
def test_a_type_that_can_be_built_passes(kind):
    check_usable(kind)


def test_text_is_read_in_the_names_of_the_module_and_the_class():
    assert resolve("list[Item]", {"Item": Item}, {}) == list[Item]
    assert resolve(list["Item"], {"Item": Other}, {"Item": Item}) == list[Item]
    assert resolve("None", {}, {}) is type(None)
    for broken in ("Missing", "list[Missing]", "1 +", "1 / 0"):
        with pytest.raises(Unusable):
            resolve(broken, {}, {})


@pytest.mark.skipif(sys.version_info < (3, 12), reason="aliases that refer to themselves came with the type statement")
def test_an_alias_that_refers_to_itself_ends():
    names: dict[str, Any] = {"Item": Item}
    exec("type Json = dict[str, Json] | list[Json] | int\ntype Tree = dict[str, Tree] | Item", names)

    assert not names_class(names["Json"])
    assert names_class(names["Tree"])
    with pytest.raises(Unusable):
        check_usable(names["Tree"])
