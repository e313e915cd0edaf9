"""What is over leaves nothing for the garbage collector: a cycle per event would be a pause per million events."""

import asyncio
import contextlib
import gc

import pytest

from perdure.model.errors import ObjectReset
from tests.objects.test_scenarios import Plain
from tests.objects.world import World


def test_an_event_that_is_over_leaves_no_garbage(world: World):
    async def scenario():
        plain = await world.get(Plain)
        for n in range(3):
            await plain.call("put", "a", n)
        gc.collect()
        gc.disable()
        try:
            for n in range(50):
                await plain.call("put", "a", n)
            await asyncio.sleep(0.1)
            return gc.collect()
        finally:
            gc.enable()

    assert world.run(scenario) < 50


async def time_out(self):
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.01):
            await asyncio.sleep(1)


async def abort(self):
    await asyncio.sleep(0.01)
    self.ctx.abort("enough")


async def hold_a_section(self):
    async with self.ctx.critical_section():
        await asyncio.create_task(asyncio.sleep(0.01))


@pytest.mark.parametrize("way", [time_out, abort, hold_a_section])
def test_an_event_leaves_no_garbage_that_ends_by(world: World, way):
    async def once(plain):
        with contextlib.suppress(ObjectReset):
            await plain.call(way)

    async def scenario():
        plain = await world.get(Plain)
        for _ in range(3):
            await once(plain)
        gc.collect()
        gc.disable()
        try:
            for _ in range(50):
                await once(plain)
            return gc.collect()
        finally:
            gc.enable()

    assert world.run(scenario) < 50


def test_an_instance_that_was_evicted_leaves_no_garbage(world: World):
    async def scenario():
        for n in range(3):
            await (await world.get(Plain, f"warm{n}")).call("put", "a", n)
        await asyncio.sleep(15)
        gc.collect()
        gc.disable()
        try:
            for n in range(50):
                await (await world.get(Plain, str(n))).call("put", "a", n)
            await asyncio.sleep(15)
            return gc.collect()
        finally:
            gc.enable()

    assert world.run(scenario) < 50
