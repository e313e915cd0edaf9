"""Classes whose instances cross as their fields, and strategies for pairs of a type and a value of it."""

import dataclasses
import enum
from datetime import UTC, date, datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Any, NamedTuple, TypedDict
from uuid import UUID

import msgspec
from hypothesis import strategies as st


class Side(enum.StrEnum):
    BUY = "buy"
    SELL = "sell"


class Level(enum.Enum):
    LOW = 1
    HIGH = 2


class Access(enum.Flag):
    READ = enum.auto()
    WRITE = enum.auto()


class Pair(NamedTuple):
    left: int
    right: str


class Point(msgspec.Struct, frozen=True):
    x: float
    y: float = 0.0


class Renamed(msgspec.Struct, rename="camel"):
    first_name: str
    born_on: date | None = None


class Listed(msgspec.Struct, array_like=True):
    a: int
    b: str


class Draft(TypedDict):
    title: str
    tags: set[str]


@dataclasses.dataclass(frozen=True)
class Item:
    price: Decimal
    id: UUID
    at: datetime | None = None


@dataclasses.dataclass
class Order:
    items: list[Item]
    side: Side
    points: dict[str, Point]
    pair: Pair
    draft: Draft | None
    raw: bytes
    by_day: dict[date, tuple[int, ...]]
    sizes: frozenset[int]


text = st.text(st.characters(codec="utf-8"), max_size=6)
sides, pairs = st.sampled_from(Side), st.builds(Pair, st.integers(), text)
points = st.builds(Point, st.floats(allow_nan=False), st.floats(allow_nan=False))
drafts = st.builds(lambda title, tags: Draft(title=title, tags=tags), text, st.sets(text, max_size=3))
instants = st.datetimes(timezones=st.just(UTC)).map(lambda value: value.replace(fold=0))
items = st.builds(Item, st.decimals(allow_nan=False), st.uuids(), st.none() | instants | st.datetimes())
orders = st.builds(
    Order,
    st.lists(items, max_size=3),
    sides,
    st.dictionaries(text, points, max_size=3),
    pairs,
    st.none() | drafts,
    st.binary(max_size=6),
    st.dictionaries(st.dates(), st.lists(st.integers(), max_size=3).map(tuple), max_size=3),
    st.frozensets(st.integers(), max_size=3),
)

_SINGLE: dict[Any, st.SearchStrategy[Any]] = {
    Side: sides,
    Level: st.sampled_from(Level),
    Access: st.sampled_from([Access.READ, Access.WRITE, Access.READ | Access.WRITE]),
    HTTPStatus: st.sampled_from(HTTPStatus),
    Pair: pairs,
    Point: points,
    Renamed: st.builds(Renamed, text, st.none() | st.dates()),
    Listed: st.builds(Listed, st.integers(), text),
    Draft: drafts,
    Item: items,
    Order: orders,
}


def _around(type_: Any, value: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, Any]]:
    forms: list[tuple[Any, st.SearchStrategy[Any]]] = [
        (type_, value),
        (type_ | None, value | st.none()),
        (list[type_], st.lists(value, max_size=3)),
        (dict[int, type_], st.dictionaries(st.integers(), value, max_size=3)),
        (tuple[type_, ...], st.lists(value, max_size=3).map(tuple)),
        (dict[str, list[type_] | None], st.dictionaries(text, st.lists(value, max_size=2) | st.none(), max_size=3)),
    ]
    return st.sampled_from(forms).flatmap(lambda form: st.tuples(st.just(form[0]), form[1]))


typed_values = st.sampled_from(list(_SINGLE.items())).flatmap(lambda entry: _around(*entry))
"""A type that names a class of fields, alone or inside of plain kinds, and a value of it."""


def alike(a: Any, b: Any) -> bool:
    """Equal, and of the same classes all through."""
    if type(a) is not type(b):
        return False
    if dataclasses.is_dataclass(a):
        return all(alike(getattr(a, field.name), getattr(b, field.name)) for field in dataclasses.fields(a))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(alike(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(alike, a, b))
    return bool(a == b)
