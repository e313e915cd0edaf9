"""A streamed body is produced inside its object and read anywhere."""

import asyncio
import gc

import pytest

from perdure.model.errors import ObjectReset
from perdure.objects.stream import pump
from tests.objects.test_driver import Watched
from tests.objects.world import Call, World, settle


class Streaming(Call):
    """A call whose result is an async iterator that is pumped."""

    __slots__ = ()

    def pack(self, result):
        return pump(result)


async def stream(world: World, method):
    watched = await world.get(Watched)
    event = Streaming(method, ())
    watched.residents.deliver(watched.id, event)
    return await event.op


def test_chunks_are_produced_inside_the_gate_and_arrive_in_order(world: World):
    async def chunks(self):
        for n in range(5):
            self.look()
            await asyncio.sleep(0.1)
            yield n

    async def scenario():
        return [chunk async for chunk in await stream(world, lambda self: chunks(self))]

    assert world.run(scenario) == [0, 1, 2, 3, 4]


def test_a_chunk_leaves_after_the_writes_before_it(world: World):
    async def chunks(self):
        yield "before"
        self.kv.put("a", 1)
        yield "after"

    async def scenario():
        body = await stream(world, lambda self: chunks(self))
        assert await anext(body) == "before"
        world.disk.hold()
        second = asyncio.ensure_future(anext(body))
        await settle()
        held = not second.done()
        world.disk.go_on()
        return held, await second

    assert world.run(scenario) == (True, "after")


def test_the_producer_is_at_most_one_chunk_ahead(world: World):
    made = []

    async def chunks(self):
        for n in range(10):
            made.append(n)
            yield n

    async def scenario():
        body = await stream(world, lambda self: chunks(self))
        await settle()
        ahead = len(made)
        await anext(body)
        await settle()
        return ahead, len(made)

    assert world.run(scenario) == (1, 2)


def test_what_the_producer_raises_arrives_after_its_chunks(world: World):
    async def chunks(self):
        yield 1
        raise ValueError("broken off")

    async def scenario():
        seen = []
        with pytest.raises(ValueError, match="broken off"):
            async for chunk in await stream(world, lambda self: chunks(self)):
                seen.append(chunk)
        return seen

    assert world.run(scenario) == [1]


def test_a_reader_that_goes_away_ends_the_producer(world: World):
    ended = []

    async def chunks(self):
        try:
            for n in range(10):
                yield n
        finally:
            self.look()
            ended.append(1)

    async def scenario():
        body = await stream(world, lambda self: chunks(self))
        await anext(body)
        await body.aclose()
        await settle()

    world.run(scenario)
    assert ended == [1]


def test_a_stream_that_nobody_ever_reads_ends_its_producer(world: World):
    ended = []

    async def chunks(self):
        try:
            for n in range(10):
                yield n
        finally:
            ended.append(1)

    async def scenario():
        body = await stream(world, lambda self: chunks(self))
        await settle()
        assert not ended
        del body
        gc.collect()
        await settle()

    world.run(scenario)
    assert ended == [1]


def test_a_reset_object_breaks_its_streams_off(world: World):
    async def chunks(self):
        yield 1
        await asyncio.sleep(1)
        self.ctx.abort("gone")

    async def scenario():
        with pytest.raises(ObjectReset, match="gone"):
            async for _ in await stream(world, lambda self: chunks(self)):
                pass

    world.run(scenario)


def test_outside_of_objects_the_source_is_its_own_stream(world: World):
    async def numbers():
        yield 1

    async def scenario():
        return [n async for n in pump(numbers())]

    assert world.run(scenario) == [1]
