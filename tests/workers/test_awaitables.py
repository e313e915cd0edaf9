"""A call through a stub is an awaitable like any other, on every Python (API-17, API-18, API-19)."""

import asyncio
import inspect
import sys
from collections.abc import Awaitable, Coroutine

import anyio
import pytest

from perdure.model.object_id import IdKey
from perdure.workers.class_spec import ClassSpec
from perdure.workers.home import Home
from perdure.workers.namespace import Namespace
from perdure.workers.stub import stub_of
from tests.objects.world import World
from tests.workers.world import InterpreterModules, Numbered


class Room:
    def __init__(self):
        self.ended = []

    async def post(self, text, *, pause=0):
        await asyncio.sleep(pause)
        self.ended.append(text)
        if text == "bad":
            raise KeyError("bad")
        return text.upper()

    async def texts(self):
        return self.ended

    @property
    def size(self):
        return len(self.ended)


@pytest.fixture
def run(tmp_path):
    """Run a scenario that gets a stub of a room, with virtual time."""

    def run(scenario, *, debug=False):
        world = World(tmp_path)

        async def main():
            spec = ClassSpec(Room)
            residents = await world.namespace(lambda ctx: Room())
            home = Home(spec, residents, IdKey("rooms"), InterpreterModules(), Numbered(), spec.results)
            return await scenario(Namespace(home)["a"])

        return world.run(main, debug=debug)

    return run


async def in_task_group(call):
    async with asyncio.TaskGroup() as group:
        task = group.create_task(call)
    return task.result()


async def in_wait(call):
    done, pending = await asyncio.wait([asyncio.ensure_future(call)])
    assert not pending
    return done.pop().result()


async def as_completed(call):
    for first in asyncio.as_completed([call]):
        return await first


async def under_timeout(call):
    async with asyncio.timeout(60):
        return await call


async def under_anyio_timeout(call):
    with anyio.fail_after(60):
        return await call


async def in_anyio_task_group(call):
    results = []

    async def child():
        results.append(await call)

    async with anyio.create_task_group() as group:
        group.start_soon(child)
    return results[0]


async def gathered(call):
    return (await asyncio.gather(call))[0]


WAYS = {
    "await": lambda call: call,
    "create_task": lambda call: asyncio.create_task(call),
    "create_task with a name": lambda call: asyncio.create_task(call, name="posting"),
    "ensure_future": asyncio.ensure_future,
    "TaskGroup": in_task_group,
    "gather": gathered,
    "wait": in_wait,
    "as_completed": as_completed,
    "wait_for": lambda call: asyncio.wait_for(call, 60),
    "wait_for without a limit": lambda call: asyncio.wait_for(call, None),
    "shield": asyncio.shield,
    "timeout": under_timeout,
    "anyio.fail_after": under_anyio_timeout,
    "anyio task group": in_anyio_task_group,
}
if sys.version_info >= (3, 12):
    WAYS["an eager task"] = lambda call: asyncio.Task(call, loop=asyncio.get_running_loop(), eager_start=True)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("pause", [0, 5])
@pytest.mark.parametrize("debug", [False, True], ids=["", "debug"])
def test_api_18_a_call_is_accepted_by(run, way, pause, debug):
    async def scenario(room):
        return await WAYS[way](room.post("hi", pause=pause))

    assert run(scenario, debug=debug) == "HI"


@pytest.mark.parametrize("way", WAYS)
def test_api_18_the_failure_of_a_call_comes_out_of(run, way):
    async def scenario(room):
        told = []
        try:
            await WAYS[way](room.post("bad"))
        except* KeyError as group:
            told += map(str, group.exceptions)
        return told

    assert run(scenario) == ["'bad'"]


@pytest.mark.parametrize("way", WAYS)
def test_reading_a_property_is_accepted_by(run, way):
    async def scenario(room):
        await room.post("hi")
        return await WAYS[way](stub_of(room).size)

    assert run(scenario) == 1


def test_a_call_passes_for_a_coroutine_wherever_python_asks(run):
    async def scenario(room):
        call = room.post("hi")
        seen = (
            asyncio.iscoroutine(call),
            inspect.isawaitable(call),
            isinstance(call, Awaitable),
            isinstance(call, Coroutine),
            asyncio.isfuture(call),
        )
        await call
        return seen

    assert run(scenario) == (True, True, True, True, False)


def test_asyncio_run_takes_what_a_call_gives(run):
    async def scenario(room):
        call = room.post("hi")
        await call
        return call

    assert asyncio.run(run(scenario)) == "HI"


def test_a_call_is_awaited_as_often_as_wanted_and_made_once(run):
    async def scenario(room):
        call = room.post("hi", pause=1)
        results = [await call, await call, *await asyncio.gather(call, asyncio.create_task(call), call)]
        return results, await room.texts()

    assert run(scenario) == (["HI"] * 5, ["hi"])


def test_api_17_a_call_that_nobody_awaits_is_made_all_the_same(run):
    async def scenario(room):
        room.post("first")
        await asyncio.sleep(1)
        return await room.texts()

    assert run(scenario) == ["first"]


async def cancelled_task(call):
    task = asyncio.create_task(under_timeout(call))
    await asyncio.sleep(1)
    task.cancel()
    await task


async def cancelled_direct_task(call):
    task = asyncio.create_task(call)
    await asyncio.sleep(1)
    task.cancel()
    await task


async def short_timeout(call):
    async with asyncio.timeout(1):
        await call


async def short_anyio_timeout(call):
    with anyio.fail_after(1):
        await call


async def failing_group(call):
    async def fails():
        await asyncio.sleep(1)
        raise TimeoutError("of a sibling")

    async with asyncio.TaskGroup() as group:
        group.create_task(call)
        group.create_task(fails())


GIVING_UP = {
    "a cancelled task around it": cancelled_task,
    "a cancelled task of it": cancelled_direct_task,
    "wait_for": lambda call: asyncio.wait_for(call, 1),
    "asyncio.timeout": short_timeout,
    "anyio.fail_after": short_anyio_timeout,
    "a task group that fails": failing_group,
}


@pytest.mark.parametrize("way", GIVING_UP)
def test_api_18_giving_up_the_wait_leaves_the_call_running(run, way):
    async def scenario(room):
        call = room.post("hi", pause=3)
        with pytest.raises((asyncio.CancelledError, TimeoutError, BaseExceptionGroup)):
            await GIVING_UP[way](call)
        before = await room.texts()
        return before, await call, await room.texts()

    assert run(scenario) == ([], "HI", ["hi"])


def test_one_of_two_waits_is_given_up_and_the_other_gets_the_result(run):
    async def scenario(room):
        call = room.post("hi", pause=3)
        waiting = asyncio.create_task(call)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(call, 1)
        return await waiting

    assert run(scenario) == "HI"


def test_wait_returns_the_first_of_several_calls(run):
    async def scenario(room):
        slow, quick = (asyncio.create_task(room.post(text, pause=pause)) for text, pause in (("slow", 5), ("quick", 1)))
        done, pending = await asyncio.wait([slow, quick], return_when=asyncio.FIRST_COMPLETED)
        return [task.result() for task in done], pending == {slow}, await slow

    assert run(scenario) == (["QUICK"], True, "SLOW")


def test_a_task_of_a_call_can_be_shown_while_it_waits(run):
    async def scenario(room):
        task = asyncio.create_task(room.post("hi", pause=1))
        await asyncio.sleep(0)
        shown, stack = repr(task), task.get_stack()
        await task
        return "pending" in shown, stack

    assert run(scenario) == (True, [])


def test_a_call_in_a_cancelled_scope_does_not_begin_anew(run):
    async def scenario(room):
        call = room.post("hi", pause=1)
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio.shield(call), 0.1)
        await call
        return await room.texts()

    assert run(scenario) == ["hi"]
