"""A namespace says which objects there are and wakes none of them (API-15)."""

import asyncio
from datetime import UTC, datetime, timedelta

import apsw
import pytest

from perdure.model.errors import InvalidId, ObjectReset, StorageBroken, WrongType, WrongValue
from perdure.model.object_id import ObjectId
from perdure.workers.listing import PAGE_OBJECTS_MAX
from perdure.workers.stub import stub_of

SOURCE = """
    import asyncio

    class Room(DurableObject):
        def put(self, key="k", value="v"):
            self.ctx.storage.kv.put(key, value)

        def look(self):
            return self.ctx.storage.kv.get("k")

        def forget(self):
            self.ctx.storage.delete_all()

        async def neighbours(self):
            self.ctx.storage.kv.put("k", "v")
            rooms = self.ctx.namespace(Room)
            return [info.name async for info in rooms.list()], await rooms.exists(self.ctx.id)

        async def neighbours_in_a_transaction(self):
            async with self.ctx.storage.transaction() as txn:
                txn.put("k", "v")
                return await self.ctx.namespace(Room).exists(self.ctx.id)

    class Hall(DurableObject):
        pass
"""
BOUND = {"bindings": {"ROOM": "Room", "HALL": "Hall"}}


async def rooms_of(world):
    worker = await world.worker(SOURCE, **BOUND)
    return worker, worker.env.ROOM


async def names(listing):
    return [info.name or str(info.id) async for info in listing]


def test_api_15_objects_that_have_stored_something_are_listed_by_name_then_by_id(world):
    async def scenario():
        worker, rooms = await rooms_of(world)
        unnamed = sorted((rooms.new_unique_id() for _ in range(3)), key=str)
        for name in ["b", "é", "a/2", "a", "", "a/1"]:
            await rooms[name].put()
        for id in reversed(unnamed):
            await rooms.get(id).put()
        await rooms["never"].look()
        await rooms["gone"].put()
        await rooms["gone"].forget()

        assert await names(rooms.list()) == [
            str(rooms.id_from_name("")),
            "a",
            "a/1",
            "a/2",
            "b",
            "é",
            *map(str, unnamed),
        ]
        assert await names(rooms.list(prefix="a/")) == ["a/1", "a/2"]
        assert await names(rooms.list(after="a/1", limit=2)) == ["a/2", "b"]
        assert await names(rooms.list(prefix="a", after="a/1")) == ["a/2"]
        assert await names(rooms.list(after=rooms.id_from_name("b"), limit=2)) == ["é", str(unnamed[0])]
        assert await names(rooms.list(after=rooms.id_from_string(str(rooms.id_from_name("b"))), limit=1)) == ["é"]
        assert await names(rooms.list(after=unnamed[0])) == [str(unnamed[1]), str(unnamed[2])]
        assert await names(rooms.list(prefix="a", after=unnamed[0])) == []
        assert await names(worker.env.HALL.list()) == []

    world.run(scenario)


def test_api_15_an_object_that_is_listed_says_what_the_registry_knows(world):
    async def scenario():
        worker, rooms = await rooms_of(world)
        await rooms["a"].put(value=b"12345")
        made = world.clock.now_ms()
        await asyncio.sleep(20)
        await rooms["b"].put()
        await asyncio.sleep(1)
        await rooms["b"].put("more")

        first, second = [info async for info in rooms.list()]

        assert (first.class_name, first.name, first.id, first.id.name) == ("Room", "a", rooms.id_from_name("a"), "a")
        assert (first.state, second.state) == ("stored", "live")
        assert first.created == first.last_written == datetime.fromtimestamp(made / 1000, UTC)
        assert second.last_written - second.created == timedelta(seconds=1)
        assert 0 < first.bytes < second.bytes
        assert (first.alarm, first.sockets) == (None, 0)
        assert worker.residents["Room"].live == 1

    world.run(scenario)


def test_api_15_exists_tells_whether_an_object_has_stored_something_and_wakes_nothing(world):
    async def scenario():
        worker, rooms = await rooms_of(world)
        await rooms["a"].put()
        await rooms["seen"].look()
        await rooms["gone"].put()
        before = await rooms.exists("gone")
        await rooms["gone"].forget()
        await asyncio.sleep(20)

        asked = ["a", rooms.id_from_name("a"), "seen", "never", rooms.new_unique_id(), "gone"]

        assert before is True
        assert [await rooms.exists(each) for each in asked] == [True, True, False, False, False, False]
        assert worker.residents["Room"].live == 0

    world.run(scenario)


def test_only_what_is_durable_is_told(world):
    async def scenario():
        _, rooms = await rooms_of(world)
        world.disk.hold()
        writing = rooms["a"].put()
        await asyncio.sleep(0.001)
        asked = rooms.exists("a")
        await asyncio.sleep(0.001)

        assert not asked.done()
        world.disk.go_on()

        assert await asked is True
        assert await names(rooms.list()) == ["a"]
        await writing

    world.run(scenario)


def test_a_group_that_fails_leaves_no_object_behind(world):
    async def scenario():
        _, rooms = await rooms_of(world)
        world.disk.hold()
        writing = rooms["a"].put()
        await asyncio.sleep(0.001)
        asked = rooms.exists("a")
        world.disk.fails_with = apsw.FullError("no room")
        world.disk.go_on()

        assert await asked is False
        with pytest.raises(StorageBroken):
            await writing
        assert await names(rooms.list()) == []

    world.run(scenario)


def test_inside_an_object_a_listing_leaves_after_its_writes_like_a_call(world):
    async def scenario():
        _, rooms = await rooms_of(world)

        assert await rooms["self"].neighbours() == (["self"], True)
        assert await rooms["other"].neighbours_in_a_transaction() is False

    world.run(scenario)


def test_a_long_listing_comes_in_pages_while_others_work(world):
    async def scenario():
        _, rooms = await rooms_of(world)
        count = 2 * PAGE_OBJECTS_MAX + 3
        await asyncio.gather(*(rooms[f"{n:04}"].put() for n in range(count)))
        found = []

        async for info in rooms.list(limit=None):
            found.append(info.name)
            if len(found) == 10:
                await rooms["0500"].forget()
                await rooms["9999"].put()

        expected = [f"{n:04}" for n in range(count) if n != 500]
        assert found == [*expected, "9999"]
        assert len([each async for each in rooms.list(limit=PAGE_OBJECTS_MAX + 1)]) == PAGE_OBJECTS_MAX + 1
        assert len([each async for each in rooms.list()]) == count

    world.run(scenario)


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"limit": 0}, WrongValue, "limit=None"),
        ({"limit": "3"}, WrongType, "limit must be an int, not str"),
        ({"limit": True}, WrongType, "limit must be an int, not bool"),
        ({"prefix": None}, WrongType, "prefix is a str, not NoneType"),
        ({"prefix": b"a"}, WrongType, "prefix is a str, not bytes"),
        ({"after": 3}, WrongType, "after is a name or an ObjectId, not int"),
        ({"after": "\ud800"}, WrongType, "surrogate"),
        ({"after": ObjectId("0" * 64)}, InvalidId, "not an id of Room"),
    ],
)
def test_a_wrong_option_is_refused_at_the_call(world, options, error, said):
    async def scenario():
        _, rooms = await rooms_of(world)

        with pytest.raises(error, match=said):
            rooms.list(**options)

    world.run(scenario)


def test_exists_takes_a_name_or_an_id_of_the_namespace(world):
    async def scenario():
        worker, rooms = await rooms_of(world)

        with pytest.raises(InvalidId):
            await rooms.exists(worker.env.HALL.id_from_name("a"))
        with pytest.raises(WrongType):
            await rooms.exists(3)
        assert stub_of(rooms["a"]).id == rooms.id_from_name("a")

    world.run(scenario)


def test_a_listing_that_is_given_up_in_the_middle_leaves_nothing_behind(world):
    async def scenario():
        _, rooms = await rooms_of(world)
        await asyncio.gather(*(rooms[f"{n:04}"].put() for n in range(PAGE_OBJECTS_MAX + 1)))
        world.disk.hold()
        waiting = asyncio.ensure_future(anext(rooms.list()))
        await asyncio.sleep(0.001)
        waiting.cancel()
        world.disk.go_on()

        async for info in rooms.list():
            assert info.name == "0000"
            break

        assert len(await names(rooms.list())) == PAGE_OBJECTS_MAX + 1
        with pytest.raises(asyncio.CancelledError):
            await waiting

    world.run(scenario)


def test_an_object_that_is_reset_while_it_lists_stops_listing(world):
    source = """
        class Room(DurableObject):
            async def list(self):
                self.ctx.storage.kv.put("k", "v")
                async for info in self.ctx.namespace(Room).list():
                    self.ctx.abort("enough")
    """

    async def scenario():
        worker = await world.worker(source, bindings={"ROOM": "Room"})

        with pytest.raises(ObjectReset, match="enough"):
            await stub_of(worker.env.ROOM["a"]).list()
        assert await names(worker.env.ROOM.list()) == ["a"]

    world.run(scenario)
