"""A failure that nobody looks at is logged once, with what is true of it; one that its callers get anyway is not."""

import asyncio
import gc
import logging

import pytest

from perdure.model.errors import ObjectReset, StorageFull
from tests.objects.test_failed_commits import full, warm
from tests.objects.world import World, settle


@pytest.fixture
def unheard(caplog):
    """The lines of the log, once all that is no longer held was collected."""

    def lines() -> list[str]:
        gc.collect()
        return [record.getMessage() for record in caplog.records if record.name == "perdure.op"]

    caplog.set_level(logging.ERROR, logger="perdure.op")
    return lines


async def waits_for_sync(self):
    self.kv.put("a", 1)
    await self.storage.sync()


async def forgets_its_sync(self):
    self.kv.put("a", 1)
    self.storage.sync()
    await asyncio.Event().wait()


@pytest.mark.parametrize("method", [waits_for_sync, forgets_its_sync])
def test_a_sync_that_fails_with_its_object_is_not_logged(world: World, unheard, method):
    async def scenario():
        plain = await warm(world)
        world.disk.hold()
        call = plain.call(method)
        await settle()
        world.disk.fails_with = full()
        world.disk.go_on()
        with pytest.raises(StorageFull):
            await call

    world.run(scenario)

    assert unheard() == []


def test_a_transaction_whose_body_ends_with_its_object_is_not_logged(world: World, unheard):
    async def body(txn):
        txn.put("a", 1)
        await asyncio.sleep(1)

    async def resets(self):
        self.storage.transaction(body)
        await asyncio.sleep(0)
        self.ctx.abort("beside it")

    async def resets_inside(self):
        async def aborting(txn):
            self.ctx.abort("inside it")

        await self.storage.transaction(aborting)

    async def scenario():
        plain = await warm(world)
        for method, reason in ((resets, "beside it"), (resets_inside, "inside it")):
            with pytest.raises(ObjectReset, match=reason):
                await plain.call(method)

    world.run(scenario)

    assert unheard() == []


def test_a_transaction_that_fails_in_a_living_object_and_is_not_awaited_is_logged(world: World, unheard):
    async def body(txn):
        raise KeyError("lost")

    async def method(self):
        self.storage.transaction(body)
        await asyncio.sleep(1)

    async def scenario():
        await (await warm(world)).call(method)

    world.run(scenario)

    assert unheard() == ["a call failed and nobody awaited it: KeyError: 'lost'"]


def test_a_call_that_fails_after_its_caller_gave_up_says_so(world: World, unheard):
    async def slow(self):
        await asyncio.sleep(2)
        raise KeyError("late")

    async def scenario():
        plain = await warm(world)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await plain.call(slow)
        await asyncio.sleep(2)

    world.run(scenario)

    assert unheard() == ["a call failed after its caller had stopped waiting: KeyError: 'late'"]
