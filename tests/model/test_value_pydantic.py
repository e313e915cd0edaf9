"""pydantic models cross as their fields, if pydantic is there; Perdure itself neither needs nor imports it."""

import dataclasses
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from perdure.model.errors import UnsupportedValue, ValueMismatch
from perdure.model.value import as_type, decode, encode, transfer

pydantic: Any = pytest.importorskip("pydantic", reason="pydantic is optional; the development extra has it")


@dataclasses.dataclass
class Item:
    name: str
    price: Decimal


Address = pydantic.create_model("Address", city=(str, pydantic.Field(alias="cityName")), on=(date, ...))
Person = pydantic.create_model(
    "Person", __config__={"extra": "allow"}, addresses=(list[Address], ...), item=(Item, ...)
)
Numbers = pydantic.RootModel[list[int]]

ROME = Address(cityName="Rome", on=date(2026, 1, 2))


def roundtrip(value):
    data = decode(encode(value, path="value"))
    assert transfer(value, path="value") == data
    return data


@pytest.mark.parametrize(
    ("value", "data"),
    [(ROME, {"city": "Rome", "on": date(2026, 1, 2)}), (Numbers([1, 2]), [1, 2])],
    ids=["a model with an alias", "a model around one value"],
)
def test_a_model_crosses_as_its_fields_and_its_type_makes_it_again(value, data):
    kind: Any = type(value)

    assert roundtrip([value]) == [data]
    assert as_type(kind, data, path="value") == value
    assert as_type(list[kind], [data], path="value") == [value]


def test_a_model_crosses_with_its_extra_fields_and_with_models_and_dataclasses_inside():
    person = Person(addresses=[ROME], item=Item("apple", Decimal("1.50")), age=36)

    crossed = roundtrip(person)

    assert crossed == {
        "addresses": [{"city": "Rome", "on": date(2026, 1, 2)}],
        "item": {"name": "apple", "price": Decimal("1.50")},
        "age": 36,
    }
    assert as_type(Person, crossed, path="value") == person
    assert as_type(dict[str, Person], {"ada": crossed}, path="value") == {"ada": person}


def test_a_model_that_does_not_fit_is_a_mismatch_with_the_path():
    with pytest.raises(ValueMismatch) as refused:
        as_type(list[Address], [{"city": 5, "on": date(2026, 1, 2)}], path='get_as(list[Address], "k")')

    assert refused.value.path == 'get_as(list[Address], "k")[0]'
    assert "city" in str(refused.value)


def test_a_field_that_is_no_value_is_named():
    holder = pydantic.create_model("Holder", thing=(Any, ...))

    with pytest.raises(UnsupportedValue) as refused:
        encode([holder(thing=object())], path='put("k")')

    assert refused.value.path == 'put("k")[0].thing'


def test_an_older_pydantic_is_asked_without_the_options_it_does_not_know(monkeypatch):
    model = pydantic.create_model("Model", x=(int, ...))
    asked: list[dict[str, Any]] = []
    validate = model.model_validate

    def model_validate(value, **options):
        asked.append(options)
        return validate(value)

    monkeypatch.setattr(pydantic, "VERSION", "2.9.2")
    monkeypatch.setattr(model, "model_validate", model_validate)

    assert as_type(model, {"x": 1}, path="value") == model(x=1)
    assert asked == [{}]
