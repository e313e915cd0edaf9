"""When the disk refuses a group: who is reset, what they are told, and what is never said."""

import asyncio

import apsw
import pytest

from perdure.model.errors import Disconnected, Overloaded, StorageBroken, StorageFull, StoreBroken
from perdure.model.limits import Limits
from perdure.store import sqlite_store
from tests.objects.test_output_gate import Notes
from tests.objects.test_scenarios import Plain
from tests.objects.world import World, settle


def full() -> apsw.FullError:
    return apsw.FullError("database or disk is full")


async def warm(world: World, cls=Plain, name="x"):
    handle = await world.get(cls, name)
    await handle.call("put", "a", "old")
    await settle()
    return handle


def test_scenario_12_a_failed_commit_fails_the_waiting_result_sends_nothing_and_keeps_the_old_value(world: World):
    async def scenario():
        notes = await warm(world, Notes, "notes")
        plain = await warm(world)
        made = plain.instance.object

        def write_and_tell(self):
            self.kv.put("a", "new")
            notes.call("note", "never")
            return "done"

        world.disk.fails_with = full()
        with pytest.raises(StorageFull) as failed:
            await plain.call(write_and_tell)
        assert failed.value.object_reset
        await settle()
        value = await plain.call("get", "a")
        return value, plain.instance.object is made, notes.instance.object.noted

    assert world.run(scenario) == ("old", False, [])


def test_scenario_14_a_failed_unconfirmed_write_resets_the_object_all_the_same(world: World):
    async def scenario():
        plain = await warm(world)
        made = plain.instance.object
        world.disk.fails_with = full()
        assert (
            await plain.call(lambda self: (self.storage.put("a", "new", allow_unconfirmed=True), "at once")[1])
            == "at once"
        )
        await settle()
        return await plain.call("get", "a"), plain.instance.object is made

    assert world.run(scenario) == ("old", False)


def test_objects_whose_writes_were_not_in_the_failed_group_are_untouched(world: World):
    async def scenario():
        plain, other = await warm(world, name="x"), await warm(world, name="other")
        made = other.instance.object
        world.disk.fails_with = full()
        failing = plain.call("put", "a", "new")
        await asyncio.sleep(0)
        await settle(2)
        with pytest.raises(StorageBroken):
            await failing
        await other.call("put", "b", 1)
        return other.instance.object is made, await other.call("get", "b")

    assert world.run(scenario) == (True, 1)


def test_sync_is_told_of_the_failure(world: World):
    async def scenario():
        plain = await warm(world)

        async def write(self):
            self.storage.put("a", "new", allow_unconfirmed=True)
            await self.storage.sync()

        world.disk.fails_with = full()
        with pytest.raises(StorageFull):
            await plain.call(write)

    world.run(scenario)


def test_after_a_failed_commit_nothing_leaves_before_the_fence_is_durable(world: World):
    async def scenario():
        plain = await warm(world)
        world.disk.fails_with = full()
        with pytest.raises(StorageFull):
            await plain.call("put", "a", "new")
        world.disk.hold()
        reading = plain.call("get", "a")
        await settle()
        held = not reading.done()
        world.disk.go_on()
        return held, await reading

    assert world.run(scenario) == (True, "old")


def test_a_store_that_is_off_refuses_writes_and_resets_who_writes(world: World):
    async def scenario():
        plain = await warm(world)
        store = world.store_of(plain)
        off = StoreBroken(what="the namespace is off")
        store._refusal = off
        with pytest.raises(StoreBroken):
            await plain.call("put", "a", "new")
        with pytest.raises(StoreBroken):
            await plain.call("get", "a")
        store._refusal = None

    world.run(scenario)


def test_while_the_store_has_no_room_new_events_wait_in_order_and_running_ones_go_on(world: World, monkeypatch):
    order = []

    async def scenario():
        plain = await warm(world)

        async def long(self):
            await asyncio.sleep(1)
            self.kv.put("b", 1)
            order.append("running")

        running = plain.call(long)
        await settle()
        world.disk.hold()
        monkeypatch.setattr(sqlite_store, "LAYERS_BYTES_MAX", 0)
        plain.call("put", "c", 1)
        await settle()
        waiting = [plain.call(lambda self, n=n: order.append(n)) for n in range(3)]
        await asyncio.sleep(2)
        assert order == ["running"]
        monkeypatch.undo()
        world.disk.go_on()
        for op in [running, *waiting]:
            await op

    world.run(scenario)
    assert order == ["running", 0, 1, 2]


def test_events_that_wait_for_room_are_bounded(world: World, monkeypatch):
    async def scenario():
        plain = await world.get(Plain, limits=Limits(queue=3))
        await plain.call("put", "a", 1)
        world.disk.hold()
        monkeypatch.setattr(sqlite_store, "LAYERS_BYTES_MAX", 0)
        waiting = [plain.call("get", "a") for _ in range(3)]
        with pytest.raises(Overloaded, match="disk doesn't keep up"):
            await plain.call("get", "a")
        plain.instance.break_with(StorageBroken(what="reset while waiting"))
        monkeypatch.undo()
        world.disk.go_on()
        return [await op for op in waiting]

    assert world.run(scenario) == [1, 1, 1]  # none had been handed to the instance that was reset


def leave_no_room(world, monkeypatch):
    """The store takes nothing more until `monkeypatch.undo()` and `world.disk.go_on()`."""
    world.disk.hold()
    monkeypatch.setattr(sqlite_store, "LAYERS_BYTES_MAX", 0)


def test_an_event_that_waits_for_room_outlives_the_eviction_of_its_instance(world: World, monkeypatch):
    async def scenario():
        plain = await warm(world)
        await plain.call("put", "a", 1)
        other = await world.get(Plain, "other")
        leave_no_room(world, monkeypatch)
        other.call("put", "b", 1)
        await settle()
        waiting = plain.call("get", "a")
        await asyncio.sleep(20)
        monkeypatch.undo()
        world.disk.go_on()
        return await waiting

    assert world.run(scenario) == 1


def test_an_event_that_is_refused_for_want_of_room_leaves_no_instance_behind(world: World, monkeypatch):
    async def scenario():
        plain = await world.get(Plain, limits=Limits(queue=2))
        await plain.call("put", "a", 1)
        leave_no_room(world, monkeypatch)
        calls = [(await world.get(Plain, f"n{n}")).call("get", "a") for n in range(20)]
        monkeypatch.undo()
        world.disk.go_on()
        refused = [type(e) for e in await asyncio.gather(*calls, return_exceptions=True)]
        assert refused.count(Overloaded) == 18
        await asyncio.sleep(20)
        return plain.residents.live

    assert world.run(scenario) == 0


def test_events_that_wait_for_room_are_bounded_in_bytes(world: World, monkeypatch):
    async def scenario():
        plain = await world.get(Plain, limits=Limits(queue_bytes=250))
        await plain.call("put", "a", 1)
        leave_no_room(world, monkeypatch)
        waiting = [plain.call("get", "a") for _ in range(2)]
        with pytest.raises(Overloaded, match="disk doesn't keep up"):
            await plain.call("get", "a")
        monkeypatch.undo()
        world.disk.go_on()
        return [await op for op in waiting]

    assert world.run(scenario) == [1, 1]


@pytest.mark.parametrize("room", [True, False], ids=["in time", "never"])
def test_closing_waits_for_events_that_wait_for_room(world: World, monkeypatch, room):
    async def scenario():
        plain = await warm(world)
        await plain.call("put", "a", 1)
        leave_no_room(world, monkeypatch)
        waiting = plain.call("get", "a")
        if room:
            world.loop.call_later(1, monkeypatch.undo)
            world.loop.call_later(1, world.disk.go_on)
        await plain.residents.close(grace_s=5)
        monkeypatch.undo()
        if not room:
            with pytest.raises(Disconnected):
                await waiting
            return 1
        return await waiting

    assert world.run(scenario) == 1
