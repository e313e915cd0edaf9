"""Nothing leaves an object before the writes that it may reveal are durable, and nothing overtakes."""

import asyncio
import gc

import pytest

from perdure.model.errors import ObjectReset
from perdure.objects.outbox import Outbox
from tests.objects.test_scenarios import Plain
from tests.objects.world import Handle, World, settle


class Notes(Plain):
    def __init__(self, ctx):
        super().__init__(ctx)
        self.noted = []

    def note(self, what):
        self.noted.append(what)
        return what


async def noted(notes: Handle):
    return notes.instance.object.noted


def test_calls_through_one_stub_start_in_order_though_one_is_held_and_the_next_is_free(world: World):
    async def scenario():
        notes, sender = await world.get(Notes), await world.get(Plain, "sender")
        await notes.call("note", "warm")
        await sender.call("get", "warm")
        world.disk.hold()

        def write_and_call(self):
            self.kv.put("a", 1)
            notes.call("note", "held")

        sender.call(write_and_call)
        await settle()
        free = notes.call("note", "free")  # from the Worker: nothing holds it but the older one
        await settle()
        assert await noted(notes) == ["warm"]
        world.disk.go_on()
        await free
        return await noted(notes)

    assert world.run(scenario) == ["warm", "held", "free"]


def test_calls_through_another_stub_do_not_wait_for_a_held_one(world: World):
    async def scenario():
        notes, sender = await world.get(Notes), await world.get(Plain, "sender")
        other = Handle(notes.residents, notes.id)
        await notes.call("note", "warm")
        world.disk.hold()

        def write_and_call(self):
            self.kv.put("a", 1)
            notes.call("note", "held")

        sender.call(write_and_call)
        await settle()
        await other.call("note", "free")
        before = list(await noted(notes))
        world.disk.go_on()
        await settle()
        return before, await noted(notes)

    assert world.run(scenario) == (["warm", "free"], ["warm", "free", "held"])


def test_a_call_held_by_writes_that_an_abort_drops_is_never_made(world: World):
    async def scenario():
        notes, sender = await world.get(Notes), await world.get(Plain, "sender")
        await notes.call("note", "warm")
        held = []

        def write_call_abort(self):
            self.kv.put("a", 1)
            held.append(notes.call("note", "never"))
            self.ctx.abort("stop")

        with pytest.raises(ObjectReset):
            await sender.call(write_call_abort)
        with pytest.raises(ObjectReset, match="stop"):
            await held[0]
        return await noted(notes)

    assert world.run(scenario) == ["warm"]


def test_a_stub_goes_on_after_a_held_call_failed(world: World):
    async def scenario():
        notes, sender = await world.get(Notes), await world.get(Plain, "sender")

        def write_call_abort(self):
            self.kv.put("a", 1)
            self.lost = notes.call("note", "never")
            self.ctx.abort("stop")

        with pytest.raises(ObjectReset):
            await sender.call(write_call_abort)
        result = await notes.call("note", "next")
        gc.collect()
        return result

    assert world.run(scenario) == "next"


def test_a_reset_object_sends_nothing_more(world: World):
    async def scenario():
        notes, sender = await world.get(Notes), await world.get(Plain, "sender")
        late = []

        def abort_and_call(self):
            try:
                self.ctx.abort("stop")
            except BaseException:
                late.append(notes.call("note", "never"))

        with pytest.raises(ObjectReset):
            await sender.call(abort_and_call)
        with pytest.raises(ObjectReset):
            await late[0]
        assert not notes.alive

    world.run(scenario)


def test_a_result_without_unsaved_writes_leaves_though_the_disk_stands_still(world: World):
    async def scenario():
        plain = await world.get(Plain)
        await plain.call("put", "a", 1)
        world.disk.hold()
        return await plain.call("get", "a")

    assert world.run(scenario) == 1


def test_a_read_that_sees_an_unsaved_write_waits_for_it(world: World):
    async def scenario():
        plain = await world.get(Plain)
        await plain.call("get", "a")
        world.disk.hold()
        writing = plain.call("put", "a", 1)
        reading = plain.call("get", "a")
        await settle()
        assert not reading.done()
        world.disk.go_on()
        await writing
        return await reading

    assert world.run(scenario) == 1


def test_a_call_made_inside_a_transaction_waits_for_the_writes_before_it_only(world: World):
    async def scenario():
        notes, sender = await world.get(Notes), await world.get(Plain, "sender")
        await notes.call("note", "warm")

        async def transfer(self):
            self.kv.put("before", 1)
            async with self.storage.transaction() as txn:
                txn.put("a", 1)
                answer = await notes.call("note", "inside")  # would wait for ever if it waited for its own commit
                txn.put("b", answer)
            return dict(self.kv.list())

        return await sender.call(transfer)

    assert world.run(scenario) == {"before": 1, "a": 1, "b": "inside"}


def test_units_that_wait_together_are_one_group(world: World):
    async def scenario():
        objects = [await world.get(Plain, str(n)) for n in range(64)]
        for handle in objects:
            await handle.call("get", "warm")
        store = world.store_of(objects[0])
        before = store.counters()
        for op in [handle.call("put", "a", 1) for handle in objects]:
            await op
        after = store.counters()
        return after.entries - before.entries, after.syncs - before.syncs

    assert world.run(scenario) == (64, 1)


def test_an_unchanged_reply_costs_no_sync(world: World):
    async def scenario():
        plain = await world.get(Plain)
        await plain.call("put", "a", 1)
        before = world.store_of(plain).counters().syncs
        for _ in range(10):
            await plain.call("get", "a")
        return world.store_of(plain).counters().syncs - before

    assert world.run(scenario) == 0


def test_an_outbox_outside_of_objects_delivers_at_once():
    delivered = []

    Outbox().send(lambda: delivered.append(1), lambda error: None)

    assert delivered == [1]


def test_an_output_made_in_a_callback_waits_for_that_callbacks_writes(world: World):
    async def scenario():
        notes, sender = await world.get(Notes), await world.get(Plain, "sender")
        await notes.call("note", "warm")

        def callback(self):
            self.kv.put("a", 1)
            notes.call("note", "held")

        await sender.call(lambda self: asyncio.get_running_loop().call_later(1, callback, self) and None)
        world.disk.hold()
        await asyncio.sleep(2)
        held = list(await noted(notes))
        world.disk.go_on()
        await settle()
        return held, await noted(notes)

    assert world.run(scenario) == (["warm"], ["warm", "held"])
