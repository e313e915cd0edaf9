"""What is over leaves nothing for the garbage collector: a cycle per event would be a pause per million events."""

import asyncio
import gc

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
