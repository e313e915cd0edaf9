"""JSON bodies: what msgspec takes, and mismatches that name the path (API-33, API-50, API-51)."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypedDict

import msgspec
import pydantic
import pytest

from perdure.model.errors import UnsupportedValue, ValueMismatch
from perdure.web import Response


@dataclass
class Line:
    item: str
    count: int


class Order(msgspec.Struct):
    lines: list[Line]


class Model(pydantic.BaseModel):
    item: str
    count: int = 1


class Typed(TypedDict):
    a: int


def read(text: str | bytes, type_: Any = None) -> Any:
    async def main() -> Any:
        response = Response(text)
        return await response.json() if type_ is None else await response.json_as(type_)

    return asyncio.run(main())


def test_json_as_gives_the_type() -> None:
    assert read('{"lines": [{"item": "a", "count": 1}]}', Order) == Order([Line("a", 1)])
    assert read('{"item": "a"}', Model) == Model(item="a")
    assert read('[{"item": "a", "count": 2}]', list[Model]) == [Model(item="a", count=2)]
    assert read('{"a": 1}', Typed) == {"a": 1}
    assert read('"2026-01-02T03:04:05Z"', datetime) == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert read("7", int) == 7


@pytest.mark.parametrize(
    ("text", "type_", "path"),
    [
        ('{"lines": [{"item": "a", "count": "x"}]}', Order, "lines[0].count"),
        ('{"lines": [{"item": "a"}]}', Order, "lines[0]"),
        ('"a"', int, "$"),
        ("[1, null]", list[int], "[1]"),
        ('[{"count": 1}]', list[Model], "[0]"),
        ("{", Order, "$"),
        ("", int, "$"),
        (b'"\xff"', str, "$"),
    ],
)
def test_a_mismatch_names_the_path(text: str | bytes, type_: Any, path: str) -> None:
    with pytest.raises(ValueMismatch) as error:
        read(text, type_)

    assert error.value.path == path
    assert error.value.why


@pytest.mark.parametrize("text", ["", "{", "nul", "[1,]", "{'a': 1}", "[" * 100_000])
def test_malformed_json_is_a_mismatch(text: str) -> None:
    with pytest.raises(ValueMismatch, match="not JSON"):
        read(text)


def test_from_json_says_its_type_unless_the_headers_do() -> None:
    assert dict(Response.from_json({}).headers) == {"content-type": "application/json"}
    own = Response.from_json([], status=201, headers={"Content-Type": "application/ld+json", "x": "y"})
    assert dict(own.headers) == {"content-type": "application/ld+json", "x": "y"}
    assert own.status == 201


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({"a": [1, None, True, "ü"]}, '{"a":[1,null,true,"ü"]}'),
        (Line("a", 1), '{"item":"a","count":1}'),
        (Order([Line("a", 1)]), '{"lines":[{"item":"a","count":1}]}'),
        (Model(item="a"), '{"item":"a","count":1}'),
        ({"at": datetime(2026, 1, 2, tzinfo=UTC)}, '{"at":"2026-01-02T00:00:00Z"}'),
        (Decimal("1.10"), '"1.10"'),
    ],
)
def test_from_json_writes_what_msgspec_does(data: Any, text: str) -> None:
    async def main() -> None:
        assert await Response.from_json(data).text() == text

    asyncio.run(main())


def cyclic() -> list[Any]:
    knot: list[Any] = []
    knot.append(knot)
    return knot


@pytest.mark.parametrize("data", [object(), {"a": {1, object()}}, {(1, 2): 3}, cyclic(), {"a": 1j}])
def test_what_json_cannot_say_is_refused(data: Any) -> None:
    with pytest.raises(UnsupportedValue, match="no JSON form"):
        Response.from_json(data)


def test_a_type_that_json_has_no_way_to_is_a_mismatch() -> None:
    class Custom:
        pass

    with pytest.raises(ValueMismatch, match="cannot be read as Custom"):
        read("{}", Custom)
