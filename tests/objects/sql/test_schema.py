"""`schema`: the steps that each object makes once, in order, before anything else of it runs."""

import asyncio
from datetime import timedelta

import pytest

from perdure.model.errors import ConstructorFailed, SchemaMismatch, SqlError
from perdure.model.limits import Limits
from perdure.objects.sql import pool
from tests.objects.world import World

TABLE = "create table item(id integer primary key, name text)"
ROW = "insert into item(name) values('first')"
COLUMN = "alter table item add column done integer not null default 0"


def versions(*lists):
    """One class in several versions, each with its steps: the same name, so the same objects."""

    def version(steps):
        class Item:
            schema = steps

            def __init__(self, ctx):
                self.ctx = ctx
                self.sql = ctx.storage.sql
                self.kv = ctx.storage.kv

            def add(self, name):
                self.sql.exec("insert into item(name) values(?)", name)

            def names(self):
                return [row["name"] for row in self.sql.exec("select name from item order by id")]

            def columns(self):
                return list(self.sql.exec("select * from item").column_names)

            def wipe(self):
                self.ctx.storage.delete_all()
                return self.names()

        return Item

    return [version(steps) for steps in lists]


def exists(world, handle):
    return world.store_of(handle).record(handle.id.raw) is not None


def test_the_steps_are_made_before_the_constructor_and_once(world: World):
    class Item:
        schema = (TABLE, ROW)

        def __init__(self, ctx):
            self.sql = ctx.storage.sql
            self.sql.exec("insert into item(name) values('constructor')")

        def names(self):
            return [row["name"] for row in self.sql.exec("select name from item order by id")]

    async def scenario():
        first = await (await world.get(Item)).call("names")
        await world.stop()
        return first, await (await world.get(Item)).call("names")

    assert world.run(scenario) == (["first", "constructor"], ["first", "constructor", "constructor"])


def test_a_step_that_is_added_is_made_by_objects_that_have_the_others(world: World):
    (first, second) = versions([TABLE, ROW], [TABLE, ROW, COLUMN, ROW])

    async def scenario():
        await (await world.get(first)).call("add", "x")
        await world.stop()
        item = await world.get(second)
        return await item.call("columns"), await item.call("names")

    assert world.run(scenario) == (["id", "name", "done"], ["first", "x", "first"])


def test_a_schema_alone_does_not_make_an_object_exist_and_is_stored_with_its_first_write(world: World):
    (Item,) = versions([TABLE, ROW])

    async def scenario():
        item = await world.get(Item)
        read = await item.call("names")
        changes_nothing = await item.call(lambda self: self.sql.exec("delete from item where id = 99").rows_written)
        before = exists(world, item)
        await item.call(lambda self: self.kv.put("k", 1))
        after = exists(world, item)
        await world.stop()
        return read, changes_nothing, before, after, await (await world.get(Item)).call("names")

    assert world.run(scenario) == (["first"], 0, False, True, ["first"])


def test_delete_all_makes_the_steps_anew_before_the_next_statement(world: World):
    (Item,) = versions([TABLE, ROW])

    async def scenario():
        item = await world.get(Item)
        await item.call("add", "x")
        wiped = await item.call("wipe")
        gone = not exists(world, item)
        await item.call("add", "y")
        return wiped, gone, await item.call("names")

    assert world.run(scenario) == (["first"], True, ["first", "y"])


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        ([TABLE + " ", ROW], "schema[0] is not the step that the object was made with"),
        ([ROW, TABLE], "schema[0] is not the step"),
        ([TABLE], "the object has 2 schema steps and the class lists 1"),
    ],
)
def test_a_step_that_was_changed_moved_or_removed_is_a_mismatch(world: World, steps, says):
    (first, second) = versions([TABLE, ROW], steps)

    async def scenario():
        await (await world.get(first)).call("add", "x")
        await world.stop()
        with pytest.raises(ConstructorFailed) as caught:
            await (await world.get(second)).call("names")
        await world.stop()
        return caught.value, await (await world.get(first)).call("names")

    error, names = world.run(scenario)
    assert isinstance(error.__cause__, SchemaMismatch)
    assert says in str(error.__cause__)
    assert names == ["first", "x"]


def test_a_step_that_fails_takes_the_others_back_and_is_shown(world: World):
    (first, second) = versions([TABLE], [TABLE, COLUMN, ROW, "insert into nowhere values(1)"])

    async def scenario():
        await (await world.get(first)).call("add", "x")
        await world.stop()
        with pytest.raises(ConstructorFailed) as caught:
            await (await world.get(second)).call("names")
        await world.stop()
        item = await world.get(first)
        return caught.value, await item.call("columns"), await item.call("names")

    error, columns, names = world.run(scenario)
    assert isinstance(error.__cause__, SqlError)
    assert error.__cause__.statement == "insert into nowhere values(1)"
    assert "schema[3]" in error.__cause__.__notes__[0]
    assert columns == ["id", "name"]
    assert names == ["x"]


def test_a_step_may_be_a_function_which_is_known_by_its_name(world: World):
    def fill(sql):
        sql.exec_many("insert into item(name) values(?)", [("a",), ("b",)])
        assert sql.exec("select count(*) as n from item").one()["n"] == 2

    (Item, renamed) = versions([TABLE, fill], [TABLE, lambda_like])

    async def scenario():
        item = await world.get(Item)
        await item.call("add", "c")
        names = await item.call("names")
        await world.stop()
        with pytest.raises(ConstructorFailed, match="is not the step"):
            await (await world.get(renamed)).call("names")
        return names

    assert world.run(scenario) == ["a", "b", "c"]


def lambda_like(sql):
    pass


def test_code_cannot_reach_where_the_steps_are_written(world: World):
    (Item,) = versions([TABLE])

    async def scenario():
        item = await world.get(Item)
        for statement in ("select * from _perdure_schema", "delete from _Perdure_Schema", "drop table _perdure_schema"):
            with pytest.raises(SqlError, match="prohibited|not authorized"):
                await item.call(lambda self, statement=statement: self.sql.exec(statement).to_list())

    world.run(scenario)


def test_many_objects_that_only_read_do_not_each_keep_a_connection(world: World, monkeypatch):
    (Item,) = versions([TABLE, ROW])

    async def scenario():
        residents = await world.namespace(Item, limits=Limits(idle=timedelta(hours=1)))
        monkeypatch.setattr(residents.sql_pool, "_open_max", 5)
        for n in range(30):
            assert await (await world.get(Item, f"o{n}")).call("names") == ["first"]
        most = residents.sql_pool.open
        again = await (await world.get(Item, "o0")).call("names")
        await (await world.get(Item, "o1")).call("add", "x")
        return most, again, await (await world.get(Item, "o1")).call("names")

    assert world.run(scenario) == (5, ["first"], ["first", "x"])
    assert pool.OPEN_DATABASES_MAX >= 1_000


def test_a_transaction_that_rolls_back_leaves_the_schema(world: World):
    (Item,) = versions([TABLE])

    async def fails(self):
        async with self.ctx.storage.transaction():
            self.add("lost")
            await asyncio.sleep(0)
            raise KeyError

    async def scenario():
        item = await world.get(Item)
        with pytest.raises(KeyError):
            await item.call(fails)
        return exists(world, item), await item.call("names")

    assert world.run(scenario) == (False, [])


def test_what_an_inner_block_made_and_rolled_back_leaves_no_object_behind(world: World):
    class Plain:
        def __init__(self, ctx):
            self.storage = ctx.storage

        async def nothing(self):
            async with self.storage.transaction():
                with pytest.raises(KeyError), self.storage.transaction_sync():
                    self.storage.sql.exec(TABLE)
                    raise KeyError
                await asyncio.sleep(0)
            return self.storage.sql.exec("select count(*) as n from sqlite_schema").one()["n"]

        def something(self):
            self.storage.sql.exec(TABLE)

    async def scenario():
        plain = await world.get(Plain)
        tables = await plain.call("nothing")
        before = exists(world, plain)
        await plain.call("something")
        return tables, before, exists(world, plain)

    assert world.run(scenario) == (0, False, True)
