"""Rows as the class that a type names: `exec_as` by column name, by place, or of the only column."""

import enum
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NamedTuple, TypedDict
from uuid import UUID

import msgspec
import pydantic
import pytest

from perdure.model.errors import ValueMismatch, WrongType
from tests.objects.sql.conftest import Inside


class Side(enum.Enum):
    BUY = "buy"
    SELL = "sell"


class Level(enum.IntEnum):
    LOW = 1


@dataclass
class Order:
    id: int
    side: Side
    price: Decimal
    paid: bool
    note: str | None = None


class Point(msgspec.Struct):
    x: float
    y: float = 0.5


class Named(NamedTuple):
    id: int
    name: str = "nobody"


class Typed(TypedDict):
    id: int
    name: str


class Model(pydantic.BaseModel):
    id: int
    at: datetime
    paid: bool


@dataclass
class Flagged:
    paid: bool
    maybe: bool | None = None


@pytest.fixture
def rows(inside: Inside):
    def rows(type_: Any, text: str, *bindings: Any) -> list[Any]:
        return inside(lambda storage: storage.sql.exec_as(type_, text, *bindings).to_list())

    return rows


@pytest.mark.parametrize(
    ("type_", "text", "made"),
    [
        (Order, "SELECT 1 AS id, 'buy' AS side, '1.10' AS price, 1 AS paid", Order(1, Side.BUY, Decimal("1.10"), True)),
        (Point, "SELECT 3 AS x", Point(3.0, 0.5)),
        (Point, "SELECT 2.5 AS y, 1.5 AS x", Point(1.5, 2.5)),
        (Named, "SELECT 'n' AS name, 1 AS id", Named(1, "n")),
        (Named, "SELECT 1 AS id", Named(1)),
        (Typed, "SELECT 'n' AS name, 1 AS id", {"id": 1, "name": "n"}),
        (
            Model,
            "SELECT 1 AS id, '2030-01-02T03:04:05Z' AS at, 0 AS paid",
            Model(id=1, at=datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC), paid=False),
        ),
        (Flagged, "SELECT 1 AS paid, NULL AS maybe", Flagged(True)),
        (Flagged, "SELECT 0 AS paid, 1 AS maybe", Flagged(False, True)),
    ],
)
def test_classes_are_made_by_column_names(rows, type_, text, made):
    assert rows(type_, text) == [made]
    assert rows(type_, text.replace("SELECT", "SELECT 'of no interest' AS another,", 1)) == [made]


@pytest.mark.parametrize(
    ("type_", "text", "made"),
    [
        (tuple[int, str], "SELECT 1, 'a'", (1, "a")),
        (tuple[int, str], "SELECT 1 AS a, 'a' AS a", (1, "a")),
        (tuple[bool, bool | None], "SELECT 1, NULL", (True, None)),
        (tuple[Side, UUID], "SELECT 'sell', ?", (Side.SELL, UUID(int=5))),
        (tuple[int, ...], "SELECT 1, 2, 3", (1, 2, 3)),
    ],
)
def test_tuples_are_made_by_place(rows, type_, text, made):
    assert rows(type_, text, *([str(UUID(int=5))] if "?" in text else [])) == [made]


@pytest.mark.parametrize(
    ("type_", "value", "made"),
    [
        (int, 2**53 + 1, 2**53 + 1),
        (float, 3, 3.0),
        (float, 0.5, 0.5),
        (bool, 1, True),
        (bool, 0, False),
        (bool | None, None, None),
        (str, "text", "text"),
        (str | None, None, None),
        (bytes, b"\0\1", b"\0\1"),
        (Decimal, "1.10", Decimal("1.10")),
        (UUID, "00000000-0000-0000-0000-000000000005", UUID(int=5)),
        (datetime, "2030-01-02T03:04:05+00:00", datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)),
        (datetime, "2030-01-02 03:04:05", datetime(2030, 1, 2, 3, 4, 5)),
        (date, "2030-01-02", date(2030, 1, 2)),
        (time, "03:04:05", time(3, 4, 5)),
        (Side, "buy", Side.BUY),
        (Side | None, None, None),
        (Level, 1, Level.LOW),
        (Any, 5, 5),
        (object, "x", "x"),
    ],
)
def test_a_plain_type_is_made_of_the_only_column(rows, type_, value, made):
    [given] = rows(type_, "SELECT ?", value)

    assert given == made
    assert type(given) is type(made)


def test_what_python_writes_with_isoformat_and_str_is_read_back(rows):
    at, price, id = datetime(2030, 1, 2, 3, 4, 5, 678, tzinfo=UTC), Decimal("0.10"), UUID(int=7)

    assert rows(tuple[datetime, Decimal, UUID], "SELECT ?, ?, ?", at.isoformat(), str(price), str(id)) == [
        (at, price, id)
    ]


@pytest.mark.parametrize(
    ("type_", "text", "path"),
    [
        (Order, "SELECT 'x' AS id, 'buy' AS side, '1' AS price, 1 AS paid", "exec_as(Order).id"),
        (Order, "SELECT 1 AS id, 'hold' AS side, '1' AS price, 1 AS paid", "exec_as(Order).side"),
        (Order, "SELECT 1 AS id, 'buy' AS side, 'dear' AS price, 1 AS paid", "exec_as(Order).price"),
        (Order, "SELECT 1 AS id, 'buy' AS side, '1' AS price, 2 AS paid", "exec_as(Order).paid"),
        (Order, "SELECT NULL AS id, 'buy' AS side, '1' AS price, 1 AS paid", "exec_as(Order).id"),
        (Order, "SELECT 1 AS id, 'buy' AS side", "exec_as(Order)"),
        (Named, "SELECT 'n' AS name", "exec_as(Named)"),
        (Typed, "SELECT 1 AS id", "exec_as(Typed)"),
        (tuple[int, int], "SELECT 1, 'x'", "exec_as(tuple[int, int])[1]"),
        (tuple[int, int], "SELECT 1", "exec_as(tuple[int, int])"),
        (int, "SELECT 'x'", "exec_as(int)"),
        (int, "SELECT NULL", "exec_as(int)"),
        (int, "SELECT 1.0", "exec_as(int)"),
        (int, "SELECT 1, 2", "exec_as(int)"),
        (str, "SELECT 1", "exec_as(str)"),
        (bytes, "SELECT 'text'", "exec_as(bytes)"),
        (str, "SELECT x'00'", "exec_as(str)"),
        (bool, "SELECT 2", "exec_as(bool)"),
        (bool, "SELECT 'true'", "exec_as(bool)"),
        (datetime, "SELECT 5", "exec_as(datetime)"),
        (datetime, "SELECT 'yesterday'", "exec_as(datetime)"),
        (Decimal, "SELECT x'00'", "exec_as(Decimal)"),
        (Side, "SELECT NULL", "exec_as(Side)"),
        (Model, "SELECT 1 AS id, 'never' AS at, 0 AS paid", "exec_as(Model)"),
    ],
)
def test_a_row_that_does_not_fit_is_told_with_the_column(rows, type_, text, path):
    with pytest.raises(ValueMismatch) as raised:
        rows(type_, text)

    assert raised.value.path == path
    assert path in str(raised.value)


@pytest.mark.parametrize("type_", [type("Plain", (), {}), timedelta | set[int] | list[complex]])
def test_a_type_that_no_row_can_become_is_refused(rows, type_):
    with pytest.raises((WrongType, ValueMismatch)):
        rows(type_, "SELECT 1")


def test_the_statement_has_run_when_a_row_does_not_fit(inside: Inside):
    def step(storage):
        storage.sql.exec("CREATE TABLE t (n)")
        cursor = storage.sql.exec_as(int, "INSERT INTO t VALUES ('x'), (5) RETURNING n")
        with pytest.raises(ValueMismatch):
            next(cursor)
        return next(cursor), storage.sql.exec_as(int, "SELECT count(*) FROM t").one()

    assert inside(step) == (5, 2)


def test_values_and_names_are_given_as_to_exec(inside: Inside):
    assert inside(lambda storage: storage.sql.exec_as(int, "SELECT :type_ + :self", type_=1, self=2).one()) == 3
