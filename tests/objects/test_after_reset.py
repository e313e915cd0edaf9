"""What a reset leaves behind: nothing that was written before it is told too early, and nobody waits for what never comes.

Each of these was found by a seed of tests/simulation.
"""

import asyncio

import pytest

from perdure.model.errors import ObjectReset, StorageFull, StoreBroken
from perdure.model.value import decode
from perdure.objects.residents import TICK_S
from perdure.store import sqlite_store
from tests.objects.test_failed_commits import full, warm
from tests.objects.world import World, settle


async def write_then_abort(world: World):
    """One event's write is on its way to the disk when another one resets the object."""
    plain = await warm(world)
    world.disk.hold()
    writing = plain.call("put", "a", "new")
    await settle()
    with pytest.raises(ObjectReset):
        await plain.call(lambda self: self.ctx.abort("on purpose"))
    return plain, writing


def test_a_new_instance_says_nothing_that_the_one_before_it_wrote_until_that_is_durable(world: World):
    async def scenario():
        plain, writing = await write_then_abort(world)
        reading = plain.call("get", "a")
        syncing = plain.call(lambda self: self.storage.sync())
        await settle()
        held = not reading.done() and not syncing.done()
        world.disk.go_on()
        await syncing
        return held, await reading, await writing

    assert world.run(scenario) == (True, "new", None)


def test_if_that_write_fails_the_new_instance_is_reset_and_its_answer_is_never_given(world: World):
    async def scenario():
        plain, writing = await write_then_abort(world)
        reading = plain.call("get", "a")
        await settle()
        world.disk.fails_with = full()
        world.disk.go_on()
        for op in (reading, writing):
            with pytest.raises(StorageFull):
                await op
        return await plain.call("get", "a")

    assert world.run(scenario) == "old"


def test_what_was_unsaved_at_a_reset_is_forgotten_once_it_is_durable(world: World):
    async def scenario():
        plain, writing = await write_then_abort(world)
        await asyncio.sleep(2 * TICK_S)
        kept = len(plain.residents._unsaved)
        world.disk.go_on()
        await writing
        await asyncio.sleep(2 * TICK_S)
        return kept, len(plain.residents._unsaved)

    assert world.run(scenario) == (1, 0)


def test_a_step_that_is_reset_takes_nothing_back_of_what_a_plain_callback_wrote_just_before_it(world: World):
    async def scenario():
        plain = await warm(world)
        loop = asyncio.get_running_loop()
        go = loop.create_future()

        async def wait_and_abort(self):
            # The callback runs in this turn of the loop, the step in the next one.
            loop.call_later(1, go.set_result, None)
            loop.call_later(1, self.kv.put, "a", "from a callback")
            await go
            self.kv.put("a", "from the step")
            self.ctx.abort("on purpose")

        with pytest.raises(ObjectReset):
            await plain.call(wait_and_abort)
        return await plain.call("get", "a")

    assert world.run(scenario) == "from a callback"


def test_an_orderly_stop_keeps_what_a_plain_callback_wrote_just_before_it(world: World):
    async def scenario():
        plain = await warm(world)
        loop = asyncio.get_running_loop()
        stop = loop.create_future()
        loop.call_later(1, stop.set_result, None)  # what waits for it goes on in the turn after that of the callback
        await plain.call(lambda self: loop.call_later(1, self.kv.put, "a", "from a callback") and None)
        await stop
        await plain.residents.close()
        await settle()
        store = world.store_of(plain)
        record = store.record(plain.id.raw)
        return decode(store.get(record.generation, "a"))

    assert world.run(scenario) == "from a callback"


def test_background_work_that_a_reset_keeps_from_starting_is_not_complained_about(world: World, recwarn):
    async def scenario():
        plain = await warm(world)

        async def never():
            raise AssertionError("it must not start")

        def start_and_abort(self):
            self.ctx.wait_until(never())
            self.ctx.abort("on purpose")

        with pytest.raises(ObjectReset):
            await plain.call(start_and_abort)
        await settle()

    world.run(scenario)
    assert not recwarn.list


def test_events_that_wait_for_room_are_refused_when_the_store_is_turned_off(world: World, monkeypatch):
    async def scenario():
        plain = await warm(world)
        world.disk.hold()
        await settle()
        monkeypatch.setattr(sqlite_store, "LAYERS_BYTES_MAX", 0)
        plain.call("put", "c", 1)
        await settle()
        waiting = [plain.call("get", "a") for _ in range(3)]
        await settle()
        assert not any(op.done() for op in waiting)

        store = world.store_of(plain)
        store.turned_off(frozenset(), StoreBroken(what="the store is off"))

        for op in waiting:
            with pytest.raises(StoreBroken, match="the store is off"):
                await op
        store._refusal = None

    world.run(scenario)
