"""Any value of the table "Values" comes out of key-value storage as the table says."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.model.errors import ValueMismatch
from tests.model.typed_values import Item, Order, alike, typed_values
from tests.model.values import same, values
from tests.objects.test_scenarios import Plain
from tests.objects.world import World


@settings(max_examples=15, deadline=None)
@given(st.lists(values, min_size=5, max_size=10), st.lists(typed_values, min_size=5, max_size=10))
def test_what_was_put_comes_back_type_for_type_or_as_the_class_asked_for(tmp_path_factory, plain_ones, typed_ones):
    world = World(tmp_path_factory.mktemp("values"))

    async def store(self):
        for place, value in enumerate(plain_ones):
            self.kv.put(f"plain {place}", value)
        await self.storage.put({f"typed {place}": value for place, (_, value) in enumerate(typed_ones)})

    async def check(self):
        for place, value in enumerate(plain_ones):
            assert same(value, self.kv.get(f"plain {place}"))
        async with self.storage.transaction() as txn:
            for place, (type_, value) in enumerate(typed_ones):
                key = f"typed {place}"
                assert alike(value, self.kv.get_as(type_, key))
                assert alike(value, await self.storage.get_as(type_, key))
                assert alike(value, await txn.get_as(type_, key))
                assert alike({key: value}, await txn.list_as(type_, prefix=key, limit=1))
                assert alike([(key, value)], list(self.kv.list_as(type_, prefix=key, limit=1)))

    async def scenario():
        handle = await world.get(Plain)
        await handle.call(store)
        await handle.call(check)

    world.run(scenario)


@dataclasses.dataclass
class Grown:
    price: Any
    currency: str


def test_a_value_of_an_older_shape_is_named_by_key_and_field(world: World):
    def method(self):
        self.kv.put("a", {"items": [{"price": 1}], "side": "buy"})
        found = []
        for read in (
            lambda: self.kv.get_as(Order, "a"),
            lambda: self.storage.get_as(Order, "a"),
            lambda: dict(self.kv.list_as(Order)),
            lambda: self.storage.list_as(Order),
            lambda: self.kv.get_as(dict[str, list[Grown] | str], "a"),
        ):
            with pytest.raises(ValueMismatch, match="give new fields defaults") as refused:
                read()
            found.append(refused.value.path)
        return found

    async def scenario():
        return await (await world.get(Plain)).call(method)

    assert world.run(scenario) == [
        'get_as("a").items[0].price',
        'get_as("a").items[0].price',
        'list_as("a").items[0].price',
        'list_as("a").items[0].price',
        'get_as("a")[...][0]',
    ]


def test_a_default_is_given_as_it_is(world: World):
    item = Item(1, 2)

    def method(self):
        return [self.kv.get_as(Item, "a") is None, self.kv.get_as(Item, "a", item) is item]

    async def scenario():
        return await (await world.get(Plain)).call(method)

    assert world.run(scenario) == [True, True]
