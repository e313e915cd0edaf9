"""Key-value storage: what is accepted, copied, listed, deleted and refused."""

import asyncio
import inspect

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.core.key_range import KeyRange
from perdure.model.errors import TooLarge, UnitTooLarge, UnsupportedValue, ValueMismatch, WrongType, WrongValue
from perdure.objects.storage.keyed import Keyed
from perdure.objects.storage.kv import SyncKv
from tests.objects.test_scenarios import Plain
from tests.objects.world import World


def in_object(world: World, method, *, cls=Plain):
    async def scenario():
        return await (await world.get(cls)).call(method)

    return world.run(scenario)


def test_api_28_a_missing_key_gives_the_default_and_a_stored_none_gives_none(world: World):
    async def method(self):
        self.kv.put("none", None)
        return [
            self.kv.get("missing"),
            self.kv.get("missing", 7),
            self.kv.get("none", 7),
            await self.storage.get("missing", 7),
            await self.storage.get("none", 7),
        ]

    assert in_object(world, method) == [None, 7, None, 7, None]


def test_api_29_many_keys_come_sorted_by_bytes_without_missing_ones_and_duplicates(world: World):
    async def method(self):
        self.storage.put({"b": 2, "a": 1, "é": 3})
        return [
            list((await self.storage.get(keys)).items())
            for keys in (["é", "b", "a", "b", "zz"], ("a",), {"b", "a"}, [])
        ]

    assert in_object(world, method) == [
        [("a", 1), ("b", 2), ("é", 3)],
        [("a", 1)],
        [("a", 1), ("b", 2)],
        [],
    ]


def test_deleting_tells_what_existed(world: World):
    async def method(self):
        self.storage.put({"a": 1, "b": 2, "c": 3})
        return [
            await self.storage.delete("a"),
            await self.storage.delete("a"),
            await self.storage.delete(["a", "b", "c", "d"]),
            await self.storage.delete([]),
            self.kv.delete("c"),
        ]

    assert in_object(world, method) == [True, False, 2, 0, False]


def test_api_30_what_is_read_and_written_is_a_copy(world: World):
    def method(self):
        value = {"list": [1]}
        self.kv.put("a", value)
        value["list"].append(2)
        read = self.kv.get("a")
        read["list"].append(3)
        return self.kv.get("a")

    assert in_object(world, method) == {"list": [1]}


def test_api_31_a_list_is_a_snapshot_and_iterators_do_not_disturb_each_other(world: World):
    def method(self):
        for key in "abc":
            self.kv.put(key, key)
        seen = []
        for key, _ in self.kv.list():
            self.kv.delete("c")
            self.kv.put("d", 1)
            seen.append((key, [inner for inner, _ in self.kv.list()]))
        return seen

    assert in_object(world, method) == [("a", ["a", "b", "d"]), ("b", ["a", "b", "d"]), ("c", ["a", "b", "d"])]


def test_api_33_a_typed_read_gives_the_type_or_names_the_field(world: World):
    async def method(self):
        self.storage.put({"n": 1, "list": [1, "x"]})
        with pytest.raises(ValueMismatch, match="list"):
            self.kv.get_as(list[int], "list")
        with pytest.raises(ValueMismatch):
            await self.storage.get_as(str, "n")
        with pytest.raises(ValueMismatch):
            await self.storage.list_as(int)
        return [
            self.kv.get_as(int, "n"),
            self.kv.get_as(int, "missing", 5),
            await self.storage.get_as(int, "n"),
            await self.storage.get_as(int, "missing"),
            await self.storage.list_as(int, prefix="n"),
            list(self.kv.list_as(int, prefix="n")),
        ]

    assert in_object(world, method) == [1, 5, 1, None, {"n": 1}, [("n", 1)]]


@pytest.mark.parametrize("bad", [7, None, b"a", 1.5, ("a",)], ids=repr)
def test_a_key_that_is_no_text_is_refused(world: World, bad):
    def method(self):
        for call in (self.kv.get, self.kv.delete, lambda key: self.kv.put(key, 1)):
            with pytest.raises(WrongType, match="a key must be a str"):
                call(bad)
        with pytest.raises(WrongType):
            self.storage.put({bad: 1})

    in_object(world, method)


def test_a_key_with_a_lone_surrogate_is_refused(world: World):
    def method(self):
        with pytest.raises(WrongType, match="surrogate"):
            self.kv.put("a\ud800", 1)
        with pytest.raises(WrongType, match="surrogate"):
            list(self.kv.list(prefix="\udfff"))

    in_object(world, method)


@pytest.mark.parametrize("key", ["", "k" * 2048, "é" * 1024, "a\0b", "\uffff"], ids=lambda key: f"{len(key)}")
def test_odd_keys_within_the_limit_are_kept(world: World, key):
    def method(self):
        self.kv.put(key, "v")
        return self.kv.get(key), [found for found, _ in self.kv.list()]

    assert in_object(world, method) == ("v", [key])


@pytest.mark.parametrize("key", ["k" * 2049, "é" * 1025])
def test_a_key_over_2048_bytes_is_refused_before_anything_is_written(world: World, key):
    def method(self):
        with pytest.raises(TooLarge, match="2,048") as error:
            self.storage.put({"a": 1, key: 2})
        assert (error.value.size, error.value.limit) == (len(key.encode()), 2048)
        return self.kv.get("a")

    assert in_object(world, method) is None


def test_a_value_of_two_mebibytes_and_one_byte_is_refused_and_the_largest_is_kept(world: World):
    def method(self):
        largest = bytes(2 * 1024 * 1024 - 1 - 6)
        self.kv.put("k", largest)
        with pytest.raises(TooLarge, match="2 MiB"):
            self.kv.put("k", bytes(2 * 1024 * 1024 + 1))
        return self.kv.get("k") == largest

    assert in_object(world, method) is True


def test_a_value_that_cannot_be_stored_is_refused_by_the_path_to_it(world: World):
    def method(self):
        with pytest.raises(UnsupportedValue, match=r'put\("k"\)\["a"\]\[1\]'):
            self.kv.put("k", {"a": [1, object()]})

    in_object(world, method)


def test_a_unit_over_64_mebibytes_is_refused_at_the_put_and_the_rest_is_kept(world: World):
    def method(self):
        block = bytes(2_000_000)
        kept = 0
        with pytest.raises(UnitTooLarge, match="sync"):
            for n in range(40):
                self.kv.put(f"{n:02}", block)
                kept += 1
        return kept

    async def scenario():
        plain = await world.get(Plain)
        kept = await plain.call(method)
        return kept, await plain.call(lambda self: len(list(self.kv.list())))

    kept, stored = world.run(scenario)
    assert kept == stored == 33


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"start": "a", "start_after": "b"}, WrongType),
        ({"limit": 0}, WrongValue),
        ({"limit": -1}, WrongValue),
        ({"limit": "3"}, WrongType),
        ({"limit": True}, WrongType),
        ({"start": 3}, WrongType),
        ({"unknown": 3}, TypeError),
    ],
    ids=repr,
)
def test_contradictory_and_unknown_options_of_list_are_refused(world: World, options, error):
    async def method(self):
        with pytest.raises(error):
            self.kv.list(**options)
        with pytest.raises(error):
            await self.storage.list(**options)

    in_object(world, method)


def test_an_unknown_option_of_list_is_answered_with_the_nearest_one(world: World):
    def method(self):
        with pytest.raises(TypeError, match=r"list\(\) has no option 'prefx'.*did you mean 'prefix'"):
            self.kv.list(prefx="a")
        with pytest.raises(TypeError, match="its options are: start, start_after, end, prefix, reverse, limit"):
            self.storage.list_as(int, allow_concurrency=True)
        return True

    assert in_object(world, method)


@pytest.mark.parametrize("cls", [Keyed, SyncKv])
@pytest.mark.parametrize("method", ["list", "list_as"])
def test_the_options_of_list_are_shown_by_name(cls, method):
    shown = list(inspect.signature(getattr(cls, method)).parameters.values())[-6:]

    assert [(each.name, each.default) for each in shown] == [
        *(("start", None), ("start_after", None), ("end", None), ("prefix", None)),
        *(("reverse", False), ("limit", None)),
    ]
    assert all(each.kind is each.KEYWORD_ONLY for each in shown)


def test_put_of_wrong_shape_is_refused(world: World):
    def method(self):
        with pytest.raises(WrongType, match="needs a value"):
            self.storage.put("a")
        with pytest.raises(WrongType, match="takes no value"):
            self.storage.put({"a": 1}, 2)
        with pytest.raises(TypeError):
            self.storage.put("a", 1, allow_concurrency=True)

    in_object(world, method)


def test_delete_all_drops_everything_and_the_next_write_begins_anew(world: World):
    async def scenario():
        plain = await world.get(Plain, "ann")
        await plain.call("put", "a", 1)

        def method(self):
            self.kv.put("b", 2)
            self.storage.deleteAll()
            return dict(self.kv.list())

        empty = await plain.call(method)
        gone = world.store_of(plain).record(plain.id.raw)
        await plain.call("put", "c", 3)
        record = world.store_of(plain).record(plain.id.raw)
        return empty, gone, record.name, await plain.call(lambda self: dict(self.kv.list()))

    assert world.run(scenario) == ({}, None, "ann", {"c": 3})


def test_delete_all_and_a_write_in_one_step_are_one_unit(world: World):
    async def scenario():
        plain = await world.get(Plain)
        await plain.call(lambda self: self.storage.put({"a": 1, "b": 2}).result())
        before = world.store_of(plain).counters().entries

        def method(self):
            self.storage.delete_all()
            self.kv.put("c", 3)

        await plain.call(method)
        return world.store_of(plain).counters().entries - before, await plain.call(lambda self: dict(self.kv.list()))

    assert world.run(scenario) == (1, {"c": 3})


KEYS = st.sampled_from(["", "a", "ab", "b", "é", "😀"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), KEYS, st.integers()),
        st.tuples(st.just("delete"), KEYS),
        st.tuples(st.just("delete_all")),
        st.tuples(st.just("wait")),
        st.tuples(st.just("evict")),
        st.tuples(st.just("savepoint"), st.lists(st.tuples(KEYS, st.one_of(st.none(), st.integers()))), st.booleans()),
        st.tuples(
            st.just("transaction"), st.lists(st.tuples(KEYS, st.one_of(st.none(), st.integers()))), st.booleans()
        ),
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
def test_storage_equals_a_dict_under_any_sequence_of_steps(tmp_path_factory, steps):
    world = World(tmp_path_factory.mktemp("store"))
    model: dict[str, int] = {}

    def write(self, writes):
        for key, value in writes:
            if value is None:
                self.kv.delete(key)
            else:
                self.kv.put(key, value)

    async def do(self, step):
        match step:
            case ("put", key, value):
                self.kv.put(key, value)
                model[key] = value
            case ("delete", key):
                assert self.kv.delete(key) == (key in model)
                model.pop(key, None)
            case ("delete_all",):
                await self.storage.delete_all()
                model.clear()
            case ("wait",):
                await asyncio.sleep(0.1)
            case ("savepoint" | "transaction" as kind, writes, keep):
                try:
                    if kind == "savepoint":
                        with self.storage.transaction_sync():
                            write(self, writes)
                            if not keep:
                                raise KeyError
                    else:
                        async with self.storage.transaction():
                            write(self, writes)
                            await asyncio.sleep(0.1)
                            if not keep:
                                raise KeyError
                except KeyError:
                    pass
                else:
                    for key, value in writes:
                        model.pop(key, None)
                        if value is not None:
                            model[key] = value
        assert dict(self.kv.list()) == model
        for keys in (KeyRange("a"), KeyRange("", "b", True, 2)):
            assert [key for key, _ in self._rows().scan(keys)] == keys.select(model)

    class Object(Plain):
        def _rows(self):
            return self.ctx._instance.rows

    async def scenario():
        plain = await world.get(Object)
        for step in steps:
            if step == ("evict",):
                await asyncio.sleep(12)
            else:
                await plain.call(do, step)
        await asyncio.sleep(12)
        assert await plain.call(lambda self: dict(self.kv.list())) == model
        assert (world.store_of(plain).record(plain.id.raw) is not None) or not model

    world.run(scenario)


def test_a_value_comes_back_as_what_it_was(world: World):
    value = {"tuple": (1, (2,)), "set": {1}, "bytes": b"x", 3: "int key"}

    def method(self):
        self.kv.put("a", value)
        return self.kv.get("a")

    assert in_object(world, method) == value
