"""Whatever an object awaits, its code runs again only inside its gate."""

import asyncio
import contextvars
import sys
import threading

import aiohttp
import anyio
import httpx
import pytest
import uvloop

from perdure.core.gate import InputGate
from perdure.model.errors import ObjectReset
from perdure.objects.driver import DriverFactory, install
from perdure.objects.member import CURRENT
from tests.objects.test_scenarios import Plain
from tests.objects.world import World, settle


class Watched(Plain):
    """Checks at each look that it runs inside its own gate, and that no other event does."""

    def look(self):
        gate: InputGate = self.ctx._instance.gate
        assert gate.running == 1, "code ran outside of a step"
        member = CURRENT.get()
        assert member is not None and member.section.effective() is gate.top, "code ran outside of its section"


async def wait_a_little():
    await asyncio.sleep(0.01)


async def by_gather(self):
    async def part():
        self.look()
        await wait_a_little()
        self.look()

    await asyncio.gather(part(), part(), wait_a_little())


async def by_task_group(self):
    async def part():
        await wait_a_little()
        self.look()

    async with asyncio.TaskGroup() as group:
        group.create_task(part())
        group.create_task(part())


async def by_timeout(self):
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await asyncio.sleep(5)
    self.look()


async def by_wait_for(self):
    await asyncio.wait_for(wait_a_little(), 1)
    self.look()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.sleep(5), 0.01)


async def by_shield(self):
    await asyncio.shield(wait_a_little())


async def by_async_generator(self):
    async def numbers():
        try:
            for n in range(3):
                self.look()
                await wait_a_little()
                yield n
        finally:
            self.look()

    assert [n async for n in numbers()] == [0, 1, 2]
    async for _ in numbers():
        break


async def by_anyio_task_group(self):
    async def part():
        await anyio.sleep(0.01)
        self.look()

    async with anyio.create_task_group() as group:
        group.start_soon(part)
        group.start_soon(part)
    with anyio.move_on_after(0.01):
        await anyio.sleep(5)


async def by_create_task(self):
    async def part():
        self.look()
        await wait_a_little()
        self.look()
        return "done"

    assert await asyncio.create_task(part()) == "done"


async def by_future(self):
    future = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(0.01, future.set_result, 1)
    assert await future == 1


async def by_lock(self):
    lock = asyncio.Lock()

    async def hold():
        async with lock:
            await wait_a_little()
            self.look()

    await asyncio.gather(hold(), hold())


WAYS = [
    by_gather,
    by_task_group,
    by_timeout,
    by_wait_for,
    by_shield,
    by_async_generator,
    by_anyio_task_group,
    by_create_task,
    by_future,
    by_lock,
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_after_waiting_code_goes_on_inside_its_gate(world: World, way):
    async def scenario():
        watched = await world.get(Watched)

        async def waits(self):
            self.look()
            await way(self)
            self.look()
            return "through"

        return await watched.call(waits)

    assert world.run(scenario) == "through"


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_while_an_event_waits_outside_another_runs_to_its_end(world: World, way):
    async def scenario():
        watched = await world.get(Watched)

        async def waits(self):
            await way(self)
            return "waited"

        waiting = watched.call(waits)
        assert await watched.call("get", "a") is None
        first_done = not waiting.done()
        return first_done, await waiting

    assert world.run(scenario) == (True, "waited")


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_in_a_section_everything_it_waits_for_goes_on_and_nothing_else_does(world: World, way):
    inside = []

    async def scenario():
        watched = await world.get(Watched)

        async def waits(self):
            async with self.ctx.critical_section():
                inside.append("in")
                await way(self)
                self.look()
                inside.append("out")

        waiting = watched.call(waits)
        other = watched.call(lambda self: inside.append("other"))
        await waiting
        await other

    world.run(scenario)
    assert inside == ["in", "out", "other"]


def test_a_result_of_a_thread_is_taken_up_inside_the_gate(tmp_path):
    world = World(tmp_path, asyncio.SelectorEventLoop)

    async def scenario():
        watched = await world.get(Watched)

        async def threaded(self):
            result = await asyncio.to_thread(threading.get_ident)
            self.look()
            return result != threading.get_ident()

        return await watched.call(threaded)

    assert world.run(scenario)


def test_a_timeout_on_the_first_step_cancels_inside_the_gate(world: World):
    async def scenario():
        watched = await world.get(Watched)

        async def timed(self):
            async with asyncio.timeout(0.01):
                try:
                    await asyncio.sleep(10)
                finally:
                    self.look()
                    self.kv.put("cleaned", True)

        with pytest.raises(TimeoutError):
            await watched.call(timed)
        return await watched.call("get", "cleaned")

    assert world.run(scenario) is True


def test_a_cancellation_that_arrives_at_the_gate_is_delivered_inside(world: World):
    seen = []

    async def scenario():
        watched = await world.get(Watched)

        async def cancelled(self):
            try:
                await asyncio.sleep(0.5)
            except asyncio.CancelledError:
                seen.append("cancelled")
                self.look()
                raise

        async def event(self):
            task = asyncio.create_task(cancelled(self))
            self.task = task
            await asyncio.sleep(0.4)

        async def section(self):
            async with self.ctx.critical_section():
                # The task's sleep ends while the section is open: it waits at the gate, and is cancelled there.
                await asyncio.sleep(0.3)
                self.task.cancel()
                await asyncio.sleep(0.3)
                assert seen == []

        started = watched.call(event)
        await asyncio.sleep(0.3)
        await watched.call(section)
        await started

    world.run(scenario)
    assert seen == ["cancelled"]


def test_a_call_from_a_to_b_and_back_to_a_returns(world: World):
    async def scenario():
        a, b = await world.get(Plain, "a"), await world.get(Plain, "b")

        async def start(self):
            self.kv.put("started", 1)
            return await b.call(back)

        async def back(self):
            return await a.call("get", "started")

        return await a.call(start)

    assert world.run(scenario) == 1


def test_tasks_of_the_host_program_never_meet_the_driver(world: World):
    async def scenario():
        await (await world.get(Plain)).call("get", "a")

        async def own():
            assert CURRENT.get() is None
            return asyncio.current_task().get_coro().__name__

        assert type(asyncio.get_running_loop().get_task_factory()) is DriverFactory
        return await asyncio.create_task(own())

    assert world.run(scenario) == "own"


def test_the_host_programs_own_task_factory_goes_on_working(world: World):
    made = []

    def own(loop, coro, **options):
        made.append(getattr(coro, "__name__", "?"))
        return asyncio.Task(coro, loop=loop, **options)

    async def scenario():
        asyncio.get_running_loop().set_task_factory(own)
        watched = await world.get(Watched)

        async def child(self):
            self.look()

        async def parent(self):
            await asyncio.create_task(child(self))

        await watched.call(parent)
        await asyncio.create_task(wait_a_little())

    world.run(scenario)
    assert {"child", "wait_a_little"} <= set(made)


def test_a_factory_set_later_by_the_host_program_is_chained_to_at_the_next_event(world: World):
    async def scenario():
        watched = await world.get(Watched)
        await watched.call("get", "a")
        asyncio.get_running_loop().set_task_factory(
            lambda loop, coro, **options: asyncio.Task(coro, loop=loop, **options)
        )

        async def parent(self):
            async def child():
                self.look()

            await asyncio.create_task(child())

        await watched.call(parent)

    world.run(scenario)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
def test_tasks_of_an_object_are_never_eager_even_if_the_host_programs_are(world: World):
    order = []

    async def scenario():
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        watched = await world.get(Watched)

        async def child(self):
            self.look()
            order.append("child")

        async def parent(self):
            task = asyncio.create_task(child(self))
            order.append("parent")
            await task

        await watched.call(parent)

    world.run(scenario)
    assert order == ["parent", "child"]


def test_installing_twice_chains_once(world: World):
    async def scenario():
        loop = asyncio.get_running_loop()
        first = install(loop)
        assert install(loop) is first
        assert first.previous is None

    world.run(scenario)


def test_a_task_in_an_empty_context_still_belongs_to_its_object(world: World):

    async def scenario():
        watched = await world.get(Watched)

        async def child(self):
            self.look()

        async def parent(self):
            await asyncio.get_running_loop().create_task(child(self), context=contextvars.Context())

        await watched.call(parent)

    world.run(scenario)


def test_a_generator_left_behind_is_finalised_in_its_object(world: World):
    closed = []

    async def scenario():
        watched = await world.get(Watched)

        async def numbers(self):
            try:
                yield 1
                await wait_a_little()
                yield 2
            finally:
                self.look()
                self.kv.put("closed", True)
                closed.append(1)

        async def leaves(self):
            async for _ in numbers(self):
                break

        await watched.call(leaves)
        await settle()
        return await watched.call("get", "closed")

    assert world.run(scenario) is True
    assert closed == [1]


def test_a_cancelled_child_that_never_ran_leaves_no_warning(world: World):
    async def scenario():
        watched = await world.get(Watched)

        async def child():
            raise AssertionError("never runs")

        async def parent(self):
            task = asyncio.create_task(child())
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        await watched.call(parent)

    world.run(scenario)


def test_the_driver_works_in_debug_mode(world: World):
    async def scenario():
        watched = await world.get(Watched)

        async def waits(self):
            for way in WAYS:
                await way(self)
            return "through"

        return await watched.call(waits)

    assert world.run(scenario, debug=True) == "through"


def test_the_driver_works_on_uvloop(tmp_path):
    world = World(tmp_path, uvloop.new_event_loop)

    async def scenario():
        watched = await world.get(Watched)

        async def waits(self):
            for way in WAYS:
                await way(self)
                self.look()
            return await asyncio.to_thread(lambda: "through")

        return await watched.call(waits)

    assert world.run(scenario) == "through"


def test_a_woken_waiter_is_not_overtaken_by_an_event_that_arrives_meanwhile(world: World):
    order = []

    async def scenario():
        watched = await world.get(Watched)
        other = await world.get(Watched)  # another stub: no order between the two but that of arrival

        async def section(self):
            async with self.ctx.critical_section():
                await asyncio.sleep(1)
                other.call(lambda self: order.append("newcomer"))

        running = watched.call(section)
        await settle()
        waiter = watched.call(lambda self: order.append("waiter"))
        await running
        await waiter
        await settle()

    world.run(scenario)
    assert order == ["waiter", "newcomer"]


def test_a_task_that_an_object_starts_begins_after_the_step_that_started_it(world: World):
    order = []

    async def scenario():
        watched = await world.get(Watched)

        async def child():
            order.append("child")
            await asyncio.sleep(0)

        async def parent(self):
            task = asyncio.create_task(child())
            order.append("parent")
            await task

        await watched.call(parent)

    world.run(scenario)
    assert order == ["parent", "child"]


def test_an_event_that_waited_outside_does_not_go_on_inside_anothers_section(world: World):
    order = []

    async def scenario():
        watched = await world.get(Watched)

        async def waits(self):
            await asyncio.sleep(1)
            order.append("went on")

        async def section(self):
            async with self.ctx.critical_section():
                order.append("in")
                await asyncio.sleep(2)
                order.append("out")

        for op in [watched.call(waits), watched.call(section)]:
            await op

    world.run(scenario)
    assert order == ["in", "out", "went on"]


def test_what_a_step_wrote_is_sealed_when_it_ends_not_when_the_turn_of_the_loop_does(world: World):
    async def scenario():
        watched = await world.get(Watched)
        await watched.call("get", "warm")

        def abort(self):
            self.kv.put("b", 2)
            self.ctx.abort("second step of the same turn")

        first, second = watched.call("put", "a", 1), watched.call(abort)
        with pytest.raises(ObjectReset):
            await second
        await asyncio.wait([asyncio.ensure_future(first)])
        return await watched.call(lambda self: dict(self.kv.list()))

    assert world.run(scenario) == {"a": 1}


async def _serve_once(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello")
    await writer.drain()
    writer.close()


async def by_httpx(url):
    async with httpx.AsyncClient() as client:
        return (await client.get(url)).text


async def by_aiohttp(url):
    async with aiohttp.ClientSession() as session, session.get(url) as reply:
        return await reply.text()


@pytest.mark.parametrize("client", [by_httpx, by_aiohttp], ids=lambda client: client.__name__)
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_after_an_http_client_of_others_code_goes_on_inside_its_gate(tmp_path, client, loop):
    world = World(tmp_path, asyncio.SelectorEventLoop if loop == "asyncio" else uvloop.new_event_loop)
    order = []

    async def scenario():
        server = await asyncio.start_server(_serve_once, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        watched = await world.get(Watched)

        async def fetches(self):
            async with self.ctx.critical_section():
                self.look()
                text = await client(url)
                self.look()
                order.append(text)
            text = await client(url)
            self.look()
            order.append("second")

        fetching = watched.call(fetches)
        other = watched.call(lambda self: order.append("other"))
        await fetching
        await other
        server.close()
        await server.wait_closed()

    world.run(scenario)
    assert order == ["hello", "other", "second"]


def test_calls_through_one_stub_start_in_order_though_the_first_was_made_in_a_section(world: World):
    order = []

    async def scenario():
        a, b = await world.get(Plain, "a"), await world.get(Plain, "b")
        await b.call("get", "a")

        async def send(self):
            async with self.ctx.critical_section():
                first = b.call(lambda self: order.append(1))
            await b.call(lambda self: order.append(2))
            await first

        await a.call(send)

    world.run(scenario)
    assert order == [1, 2]


def test_an_event_that_arrived_during_a_step_is_not_overtaken_by_one_that_arrives_after_it(world: World):
    order = []

    async def scenario():
        a = await world.get(Plain)
        await a.call("get", "a")

        async def send(self):
            await asyncio.sleep(1)
            a.call(lambda self: order.append(1))
            world.loop.call_soon(lambda: order.append("between") or a.call(lambda self: order.append(2)))

        await a.call(send)
        await settle()

    world.run(scenario)
    assert [n for n in order if n != "between"] == [1, 2]
