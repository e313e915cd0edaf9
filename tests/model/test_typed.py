"""`as_type`: what a type says is what comes back, or a ValueMismatch with the path of the field."""

import dataclasses
import enum
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from hypothesis import given

from perdure.model.errors import ValueMismatch, WrongType
from perdure.model.foreign import UNDEFINED, Map, Undefined
from perdure.model.value import as_type, decode, encode
from tests.model.typed_values import alike, typed_values
from tests.model.values import only_plain_kinds, same, values

GET = 'get_as(Order, "k")'


class Side(enum.StrEnum):
    BUY = "buy"


class Level(enum.IntEnum):
    HIGH = 3


class Pair(NamedTuple):
    x: int
    y: str


@dataclasses.dataclass
class Item:
    price: Decimal
    at: datetime | None = None


@dataclasses.dataclass
class Order:
    items: list[Item]
    notes: dict[str, int] = dataclasses.field(default_factory=dict)


NATIVE = [
    None,
    True,
    5,
    1 << 80,
    1.5,
    "text",
    b"bytes",
    bytearray(b"bytes"),
    datetime(2026, 1, 2),
    datetime(2026, 1, 2, tzinfo=UTC),
    date(2026, 1, 2),
    time(1, 2),
    timedelta(1),
    Decimal("1.50"),
    UUID(int=1),
    [1],
    (1, "a"),
    {1},
    frozenset({1}),
    {"a": 1},
    {1: "a", (1, 2): "b"},
    Map(a=1),
    UNDEFINED,
]


@pytest.mark.parametrize("value", NATIVE, ids=repr)
def test_a_value_of_the_type_asked_for_passes_as_it_is(value):
    kind: Any = type(value)

    assert same(as_type(kind, value, path=GET), value)
    assert same(as_type(list[kind], [value], path=GET), [value])


@given(values)
def test_any_and_object_give_every_value_as_it_is(value):
    assert as_type(Any, value, path=GET) is value
    assert as_type(object, value, path=GET) is value


@pytest.mark.parametrize(
    ("type_", "value", "result"),
    [
        (Side, "buy", Side.BUY),
        (Level, 3, Level.HIGH),
        (Pair, (1, "a"), Pair(1, "a")),
        (tuple[int, str], (1, "a"), (1, "a")),
        (tuple[int, ...], (1, 2), (1, 2)),
        (float, 1, 1.0),
        (dict[Side, list[Pair]], {"buy": [(1, "a")]}, {Side.BUY: [Pair(1, "a")]}),
        (Item, {"price": Decimal("1.5"), "more": 1}, Item(Decimal("1.5"))),
        (Order | None, None, None),
        (
            Order,
            {"items": [{"price": Decimal(1), "at": datetime(2026, 1, 2)}]},
            Order([Item(Decimal(1), datetime(2026, 1, 2))]),
        ),
        (dict[int, set[date]], {1: {date(2026, 1, 2)}}, {1: {date(2026, 1, 2)}}),
    ],
    ids=str,
)
def test_plain_data_becomes_what_the_type_names(type_, value, result):
    made = as_type(type_, decode(encode(value, path="value")), path=GET)

    assert made == result
    assert type(made) is type(result)


@pytest.mark.parametrize(
    ("type_", "value", "path"),
    [
        (int, "5", GET),
        (int, True, GET),
        (int, 1.0, GET),
        (str, b"a", GET),
        (bytes, "YQ==", GET),
        (datetime, "2026-01-02T00:00:00", GET),
        (date, datetime(2026, 1, 2), GET),
        (Decimal, "1.50", GET),
        (UUID, "00000000-0000-0000-0000-000000000001", GET),
        (Side, "hold", GET),
        (Undefined, None, GET),
        (Map, {}, GET),
        (Order, {}, GET),
        (Order, {"items": [{"price": Decimal(1)}, {"price": "1"}]}, GET + ".items[1].price"),
        (Order, {"items": [], "notes": {"a": "x"}}, GET + ".notes[...]"),
        (dict[str, int], {1: 1}, GET),
        (list[dict[str, Pair]], [{"a": (1, 2)}], GET + "[0][...][1]"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_a_mismatch_with_the_path_of_the_field(type_, value, path):
    with pytest.raises(ValueMismatch) as refused:
        as_type(type_, value, path=GET)

    assert refused.value.path == path
    assert path in str(refused.value)


def test_a_class_that_is_not_made_of_fields_is_named():
    class Socket: ...

    with pytest.raises(ValueMismatch, match="Socket is not made of fields"):
        as_type(Socket, {}, path=GET)


class Mixed(enum.Enum):
    A = 1
    B = "b"
    C = (1, 2.5)
    D = None


class Ratio(enum.Enum):
    HALF = 0.5


class Access(enum.Flag):
    READ = enum.auto()
    WRITE = enum.auto()


@pytest.mark.parametrize("member", [*Mixed, Ratio.HALF, Access.READ | Access.WRITE], ids=str)
def test_a_member_of_any_enum_comes_back(member):
    kind: Any = type(member)
    crossed = decode(encode([member], path="value"))

    assert as_type(list[kind], crossed, path=GET) == [member]
    assert as_type(kind, crossed[0], path=GET) is member


@pytest.mark.parametrize(
    "type_", [Mixed | None, dict[str, list[Mixed]], tuple[Mixed, ...], list[Mixed | None]], ids=str
)
def test_a_value_that_is_no_member_is_a_mismatch(type_):
    wrong = {"dict": {"a": ["x"]}, "tuple": ("x",), "list": ["x"]}
    value = wrong.get(getattr(type_, "__name__", ""), "x")

    with pytest.raises(ValueMismatch, match="is not a valid Mixed"):
        as_type(type_, value, path=GET)


@dataclasses.dataclass
class OfMixed:
    kind: Mixed


@dataclasses.dataclass
class Dangling:
    field: "NoSuchClass"  # noqa: F821 - missing on purpose


@pytest.mark.parametrize("type_", ["text", int | str | Mixed, OfMixed, dict[Mixed, int], Dangling], ids=str)
def test_a_type_that_no_value_can_become_is_the_callers_error(type_):
    with pytest.raises(WrongType, match="no value can be read as"):
        as_type(type_, 1, path=GET)


def test_an_enum_of_several_kinds_in_a_field_is_what_the_next_step_is_about():
    with pytest.raises(WrongType, match="give all members of the Enum values of one kind"):
        as_type(OfMixed, {"kind": 1}, path=GET)


@given(typed_values)
def test_every_class_of_fields_comes_back_as_itself_where_a_type_says_so(pair):
    type_, value = pair

    assert alike(as_type(type_, decode(encode(value, path="value")), path=GET), value)


@given(typed_values)
def test_without_a_type_only_plain_kinds_come_back(pair):
    assert only_plain_kinds(decode(encode(pair[1], path="value")))


@given(typed_values, values)
def test_any_other_value_becomes_the_type_or_is_refused_with_a_path(pair, other):
    type_, _ = pair

    try:
        as_type(type_, other, path=GET)
    except ValueMismatch as refused:
        assert refused.path.startswith(GET)
