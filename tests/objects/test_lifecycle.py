"""From the constructor to the end of an instance."""

import asyncio
from datetime import timedelta

import pytest

from perdure.model.errors import (
    CallCycle,
    ConstructorFailed,
    Disconnected,
    ObjectAborted,
    ObjectReset,
    ObjectUnnamed,
    OutsideGate,
    Overloaded,
    WrongThread,
    WrongType,
    WrongValue,
)
from perdure.model.limits import Limits
from perdure.model.object_id import IdKey
from perdure.objects.member import CURRENT
from perdure.objects.sections import CriticalSection
from tests.objects.test_scenarios import Plain
from tests.objects.world import Handle, World, settle


def test_setup_runs_after_the_constructor_and_before_any_event(world: World):
    log = []

    class Prepared(Plain):
        def __init__(self, ctx):
            super().__init__(ctx)
            log.append("constructor")

        async def setup(self):
            await asyncio.sleep(1)
            log.append("setup")

        def event(self, n):
            log.append(n)

    async def scenario():
        prepared = await world.get(Prepared)
        for op in [prepared.call("event", 1), prepared.call("event", 2)]:
            await op

    world.run(scenario)
    assert log == ["constructor", "setup", 1, 2]


def test_a_plain_setup_may_return_nothing_to_wait_for(world: World):
    class Prepared(Plain):
        def setup(self):
            self.ready = True

        def look(self):
            return self.ready

    async def scenario():
        return await (await world.get(Prepared)).call("look")

    assert world.run(scenario) is True


@pytest.mark.parametrize("where", ["constructor", "section", "setup"])
def test_what_fails_an_activation_reaches_every_caller_and_drops_its_writes(world: World, where):
    attempts = []

    class Fragile(Plain):
        def __init__(self, ctx):
            super().__init__(ctx)
            attempts.append(1)
            self.kv.put("written", len(attempts))
            if where == "section":
                ctx.block_concurrency_while(self.fail)
            if where == "constructor":
                self.fail_now()

        def fail_now(self):
            if len(attempts) == 1:
                raise ValueError("broken start")

        async def fail(self):
            self.fail_now()

        async def setup(self):
            if where == "setup":
                self.fail_now()

    async def scenario():
        fragile = await world.get(Fragile)
        for op in [fragile.call("get", "written"), fragile.call("get", "written")]:
            with pytest.raises(ObjectReset, match="broken start") as failed:
                await op
            assert isinstance(failed.value.__cause__, ValueError)
        return await fragile.call("get", "written")

    assert world.run(scenario) == 2


def test_from_the_second_failure_in_a_row_calls_fail_at_once_until_the_back_off_ends(world: World):
    attempts = []

    class Broken:
        def __init__(self, ctx):
            attempts.append(world.loop.time())
            raise ValueError("always")

    async def scenario():
        broken = await world.get(Broken)
        for _ in range(2):
            with pytest.raises(ConstructorFailed):
                await broken.call("x")
        with pytest.raises(ConstructorFailed) as soon:
            await broken.call("x")
        assert len(attempts) == 2
        assert soon.value.retry_after == timedelta(seconds=1)
        assert isinstance(soon.value.__cause__, ValueError)
        await asyncio.sleep(1.01)
        with pytest.raises(ConstructorFailed) as third:
            await broken.call("x")
        assert third.value.retry_after == timedelta(seconds=2)

    world.run(scenario)
    assert len(attempts) == 3


def test_a_constructor_that_went_through_ends_the_back_off(world: World):
    healthy = []

    class Fragile(Plain):
        def __init__(self, ctx):
            super().__init__(ctx)
            if len(healthy) < 2:
                healthy.append(0)
                raise ValueError("not yet")

    async def scenario():
        fragile = await world.get(Fragile)
        for _ in range(2):
            with pytest.raises(ConstructorFailed):
                await fragile.call("get", "a")
        await asyncio.sleep(1.01)
        assert await fragile.call("get", "a") is None
        assert not fragile.residents._failing

    world.run(scenario)


def test_failures_long_ago_are_forgotten(world: World):
    class Broken:
        def __init__(self, ctx):
            raise ValueError("always")

    async def scenario():
        broken = await world.get(Broken)
        with pytest.raises(ConstructorFailed):
            await broken.call("x")
        await (await world.get(Plain, "other")).call("get", "a")
        await asyncio.sleep(70)
        with pytest.raises(ConstructorFailed) as failed:
            await broken.call("x")
        return failed.value.retry_after

    assert world.run(scenario) is None


def test_abort_ends_every_event_of_the_object_even_one_that_swallows_it(world: World):
    after = []

    class Stubborn(Plain):
        async def wait(self):
            try:
                await asyncio.sleep(100)
            except BaseException:
                self.kv_after()

        def kv_after(self):
            with pytest.raises(ObjectReset):
                self.kv.put("after", 1)
            after.append("storage was shut")

        async def abort(self):
            try:
                self.ctx.abort("now")
            except ObjectAborted as aborted:
                assert aborted.reason == "now"
            self.kv_after()
            await asyncio.sleep(0)
            after.append("never")

    async def scenario():
        stubborn = await world.get(Stubborn)
        waiting = stubborn.call("wait")
        await settle()
        with pytest.raises(ObjectReset, match="now"):
            await stubborn.call("abort")
        with pytest.raises(ObjectReset, match="now"):
            await waiting
        return await stubborn.call("get", "after")

    assert world.run(scenario) is None
    assert after == ["storage was shut"] * 2


def test_a_callback_of_block_concurrency_while_that_raises_resets_the_object(world: World):
    made = []

    class Fragile(Plain):
        def __init__(self, ctx):
            super().__init__(ctx)
            made.append(1)

        async def run(self):
            await self.ctx.block_concurrency_while(self.fail)

        async def fail(self):
            self.kv.put("a", 1)
            raise ValueError("in the section")

    async def scenario():
        fragile = await world.get(Fragile)
        with pytest.raises(ObjectReset, match="in the section") as reset:
            await fragile.call("run")
        assert isinstance(reset.value.__cause__, ValueError)
        return await fragile.call("get", "a")

    assert world.run(scenario) is None
    assert len(made) == 2


def test_an_exception_that_leaves_a_critical_section_is_just_an_exception(world: World):
    class Calm(Plain):
        async def run(self):
            async with self.ctx.critical_section():
                self.kv.put("a", 1)
                await asyncio.sleep(1)
                raise ValueError("calm")

    async def scenario():
        calm = await world.get(Calm)
        with pytest.raises(ValueError, match="calm"):
            await calm.call("run")
        return await calm.call("get", "a")

    assert world.run(scenario) == 1


def test_an_idle_instance_is_evicted_within_a_second_of_its_limit_and_its_data_stays(world: World):
    made = []

    class Sleepy(Plain):
        def __init__(self, ctx):
            super().__init__(ctx)
            made.append(1)

    async def scenario():
        sleepy = await world.get(Sleepy)
        await sleepy.call("put", "a", 1)
        await asyncio.sleep(9.5)
        assert sleepy.alive
        await asyncio.sleep(1.6)
        assert not sleepy.alive
        return await sleepy.call("get", "a")

    assert world.run(scenario) == 1
    assert len(made) == 2


def test_an_event_starts_the_idle_time_anew(world: World):
    async def scenario():
        plain = await world.get(Plain)
        for _ in range(5):
            await plain.call("get", "a")
            await asyncio.sleep(7)
        return plain.alive

    assert world.run(scenario) is True


def test_background_work_holds_off_eviction_up_to_its_limit_and_is_then_cancelled(world: World):
    ended = []

    class Busy(Plain):
        def start(self):
            self.ctx.wait_until(self.work())

        async def work(self):
            try:
                await asyncio.sleep(10_000)
            finally:
                ended.append(world.loop.time())

    async def scenario():
        busy = await world.get(Busy)
        await busy.call("start")
        await asyncio.sleep(600)
        assert busy.alive
        await asyncio.sleep(400)
        assert not busy.alive

    world.run(scenario)
    assert ended == [pytest.approx(901, abs=1.5)]
    assert "held the object in memory" in world.reports[0][0]


def test_an_event_that_still_runs_is_never_evicted(world: World):
    class Slow(Plain):
        async def wait(self):
            await asyncio.sleep(5000)
            return "done"

    async def scenario():
        return await (await world.get(Slow)).call("wait")

    assert world.run(scenario) == "done"


def test_an_instance_with_unsaved_writes_is_not_evicted(world: World):
    class Loose(Plain):
        def write(self):
            self.storage.put("a", 1, allow_unconfirmed=True)

    async def scenario():
        loose = await world.get(Loose)
        world.disk.hold()
        await loose.call("write")
        await asyncio.sleep(30)
        assert loose.alive
        world.disk.go_on()
        await asyncio.sleep(2)
        assert not loose.alive

    world.run(scenario)


def test_what_is_used_after_eviction_finds_the_storage_shut(world: World):
    kept = []

    async def scenario():
        plain = await world.get(Plain)
        await plain.call(lambda self: kept.append(self))
        await asyncio.sleep(12)
        with pytest.raises(Disconnected, match="left memory"):
            kept[0].kv.get("a")

    world.run(scenario)


def test_a_failure_of_background_work_is_reported_and_harms_nothing(world: World):
    class Careless(Plain):
        def start(self):
            self.ctx.wait_until(self.fail())
            future = asyncio.get_running_loop().create_future()
            future.set_exception(KeyError("future"))
            self.ctx.waitUntil(future)

        async def fail(self):
            raise ValueError("in the background")

    async def scenario():
        careless = await world.get(Careless)
        await careless.call("start")
        await settle()
        assert await careless.call("get", "a") is None

    world.run(scenario)
    assert sorted(type(error).__name__ for _, error in world.reports) == ["KeyError", "ValueError"]


@pytest.mark.parametrize("wrong", ["wait_until", "block_concurrency_while", "transaction", "transaction_sync"])
def test_a_wrong_argument_is_refused_with_the_right_way(world: World, wrong):
    async def scenario():
        plain = await world.get(Plain)

        def call(self):
            if wrong in ("wait_until", "block_concurrency_while"):
                getattr(self.ctx, wrong)(7)
            else:
                getattr(self.storage, wrong)(7)

        with pytest.raises(WrongType, match="not int"):
            await plain.call(call)

    world.run(scenario)


def test_the_name_is_that_by_which_the_object_was_first_written_to(world: World):
    async def scenario():
        named = await world.get(Plain, "ann")
        await named.call("put", "a", 1)
        name, id_name = await named.call(lambda self: (self.ctx.name, self.ctx.id.name))
        await asyncio.sleep(12)
        by_id = Handle(named.residents, IdKey("Plain").parse(str(named.id), namespace="Plain"))
        return name, id_name, await by_id.call(lambda self: (self.ctx.name, self.ctx.id.name))

    assert world.run(scenario) == ("ann", "ann", ("ann", "ann"))


def test_an_object_reached_by_id_alone_has_no_name(world: World):
    async def scenario():
        residents = await world.namespace(Plain)
        unnamed = Handle(residents, IdKey("Plain").unique(bytes(16)))
        assert await unnamed.call(lambda self: self.ctx.id.name) is None
        with pytest.raises(ObjectUnnamed):
            await unnamed.call(lambda self: self.ctx.name)

    world.run(scenario)


def test_a_name_over_1024_bytes_addresses_the_object_and_is_not_kept(world: World):
    async def scenario():
        long = await world.get(Plain, "é" * 600)
        await long.call("put", "a", 1)
        return await long.call(lambda self: self.ctx.id.name)

    assert world.run(scenario) is None


def test_events_over_the_queue_limit_are_refused_as_overloaded(world: World):
    class Busy(Plain):
        async def block(self):
            async with self.ctx.critical_section():
                await asyncio.sleep(5)

    async def scenario():
        busy = await world.get(Busy, limits=Limits(queue=3))
        first = busy.call("block")
        await settle()
        waiting = [busy.call("get", "a") for _ in range(3)]
        with pytest.raises(Overloaded, match="3 events wait") as error:
            await busy.call("get", "a")
        assert error.value.overloaded
        await first
        return [await op for op in waiting]

    assert world.run(scenario) == [None] * 3


def test_bytes_over_the_queue_limit_are_refused_as_overloaded(world: World):
    class Busy(Plain):
        async def block(self):
            async with self.ctx.critical_section():
                await asyncio.sleep(5)

    async def scenario():
        busy = await world.get(Busy, limits=Limits(queue_bytes=250))
        first = busy.call("block")
        await settle()
        waiting = [busy.call("get", "a") for _ in range(2)]
        with pytest.raises(Overloaded, match="bytes wait"):
            await busy.call("get", "a")
        await first
        return [await op for op in waiting]

    assert world.run(scenario) == [None] * 2


def test_a_queue_that_does_not_move_for_too_long_takes_no_more(world: World):
    class Busy(Plain):
        async def block(self):
            async with self.ctx.critical_section():
                await asyncio.sleep(50)

    async def scenario():
        limits = Limits(queue_age=timedelta(seconds=5), critical_section=timedelta(seconds=100))
        busy = await world.get(Busy, limits=limits)
        first = busy.call("block")
        await settle()
        waiting = busy.call("get", "a")
        await asyncio.sleep(6)
        with pytest.raises(Overloaded, match="oldest"):
            await busy.call("get", "a")
        await first
        return await waiting

    assert world.run(scenario) is None


WAITS = {
    "await": lambda op: op,
    "gather": lambda op: asyncio.gather(op, asyncio.sleep(0)),
    "wait_for": lambda op: asyncio.wait_for(op, 60),
    "create_task": lambda op: asyncio.create_task(op),
}


@pytest.mark.parametrize("warm", [False, True], ids=["new", "live"])
@pytest.mark.parametrize("way", WAITS)
def test_a_call_that_waits_for_its_own_section_through_another_object_fails_at_once(world: World, way, warm):
    async def scenario():
        a, b = await world.get(Plain, "a"), await world.get(Plain, "b")
        if warm:
            await b.call("get", "x")

        async def start(self):
            async with self.ctx.critical_section():
                await WAITS[way](b.call(back))

        async def back(self):
            await a.call("get", "x")

        with pytest.raises(CallCycle) as cycle:
            await a.call(start)
        assert world.loop.time() < 1
        assert cycle.value.chain
        return await a.call("get", "x")

    assert world.run(scenario) is None


def test_a_call_to_itself_that_nobody_awaits_in_the_section_waits_for_the_sections_end(world: World):
    async def scenario():
        a = await world.get(Plain, "a")

        async def start(self):
            async with self.ctx.critical_section():
                self.later = a.call("put", "a", 1)
                await asyncio.sleep(1)
            return "through"

        assert await a.call(start) == "through"
        await settle()
        return await a.call("get", "a")

    assert world.run(scenario) == 1


def test_storage_from_another_thread_names_the_way(tmp_path):
    world = World(tmp_path, asyncio.SelectorEventLoop)

    async def scenario():
        plain = await world.get(Plain)

        async def threaded(self):
            with pytest.raises(WrongThread, match="to_thread"):
                await asyncio.to_thread(self.kv.get, "a")

        await plain.call(threaded)
        with pytest.raises(WrongThread):
            await asyncio.to_thread(plain.call, "get", "a")

    world.run(scenario)


def test_storage_in_a_plain_callback_is_a_unit_of_its_own(world: World):
    async def scenario():
        plain = await world.get(Plain)

        def later(self):
            asyncio.get_running_loop().call_later(1, self.put, "a", 1)

        await plain.call(later)
        await asyncio.sleep(2)
        assert world.store_of(plain).counters().entries == 1
        return await plain.call("get", "a")

    assert world.run(scenario) == 1


def test_storage_in_a_plain_callback_is_refused_while_a_section_is_open(world: World):
    refused = []

    async def scenario():
        plain = await world.get(Plain)

        def touch(self):
            with pytest.raises(OutsideGate, match="create_task"):
                self.kv.get("a")
            refused.append(1)

        async def section(self):
            asyncio.get_running_loop().call_later(1, touch, self)
            async with self.ctx.critical_section():
                await asyncio.sleep(2)

        await plain.call(section)

    world.run(scenario)
    assert refused == [1]


def test_a_section_opened_in_a_plain_callback_is_refused(world: World):
    refused = []

    async def scenario():
        plain = await world.get(Plain)

        def touch(self):
            with pytest.raises(OutsideGate):
                CriticalSection(self.ctx._instance, "critical_section()").enter()
            refused.append(1)

        await plain.call(lambda self: asyncio.get_running_loop().call_later(1, touch, self) and None)
        await asyncio.sleep(2)

    world.run(scenario)
    assert refused == [1]


def test_closing_lets_running_events_end_and_refuses_new_ones(world: World):
    class Slow(Plain):
        async def wait(self):
            await asyncio.sleep(3)
            return "done"

    async def scenario():
        slow = await world.get(Slow)
        running = slow.call("wait")
        await settle()
        closing = asyncio.create_task(slow.residents.close(grace_s=10))
        await settle()
        with pytest.raises(Disconnected) as refused:
            await (await world.get(Slow, "other")).call("get", "a")
        assert refused.value.retryable
        await closing
        return await running, world.loop.time()

    result, seconds = world.run(scenario)
    assert result == "done"
    assert seconds == pytest.approx(3)


def test_what_runs_past_the_grace_of_a_stop_is_disconnected(world: World):
    class Slow(Plain):
        async def wait(self):
            await asyncio.sleep(3000)

    async def scenario():
        slow = await world.get(Slow)
        running = slow.call("wait")
        await settle()
        await slow.residents.close(grace_s=5)
        with pytest.raises(Disconnected):
            await running

    world.run(scenario)


def test_calls_that_arrive_together_after_a_long_rest_are_not_too_old(world: World):
    async def scenario():
        plain = await world.get(Plain)
        await asyncio.sleep(60)
        return [await op for op in [plain.call("get", "a"), plain.call("get", "a")]]

    assert world.run(scenario) == [None, None]


def test_background_tasks_that_end_now_and_then_keep_no_other_object_in_memory(world: World):
    async def poll(self):
        async def go_on():
            while True:
                await asyncio.sleep(3)
                await asyncio.gather(asyncio.sleep(0))

        self.ctx.wait_until(go_on())

    async def scenario():
        busy, idle = await world.get(Plain, "busy"), await world.get(Plain, "idle")
        await busy.call(poll)
        await asyncio.sleep(1)
        await idle.call("get", "a")
        await asyncio.sleep(30)
        return busy.alive, idle.alive

    assert world.run(scenario) == (True, False)


class Odd(BaseException):
    """An exception that `except Exception` doesn't catch."""


def test_whatever_a_constructor_raises_ends_the_instance(world: World):
    made = []

    class Bad(Plain):
        def __init__(self, ctx):
            super().__init__(ctx)
            made.append(self)
            if len(made) == 1:
                raise Odd

    async def scenario():
        bad = await world.get(Bad)
        for op in [bad.call("get", "a"), bad.call("get", "a")]:
            with pytest.raises(ConstructorFailed, match="Odd"):
                await op
        return await bad.call("get", "a")

    assert world.run(scenario) is None
    assert len(made) == 2


def test_a_cancellation_that_leaves_a_callback_of_block_concurrency_while_resets_at_once(world: World):
    async def load(self):
        async def wait_for_what_was_cancelled():
            other = asyncio.create_task(asyncio.sleep(100))
            other.cancel()
            await other

        await self.ctx.block_concurrency_while(wait_for_what_was_cancelled)

    async def scenario():
        plain = await world.get(Plain)
        with pytest.raises(ObjectReset, match="CancelledError"):
            await plain.call(load)
        return world.loop.time()

    assert world.run(scenario) < 1


def test_a_section_that_is_open_cannot_be_entered_again(world: World):
    async def twice(self):
        section = self.ctx.critical_section()
        async with section:
            with pytest.raises(WrongValue, match="second time"):
                async with section:
                    pass
        async with section:
            return "again is fine"

    async def scenario():
        plain = await world.get(Plain)
        return await plain.call(twice), await plain.call("get", "a")

    assert world.run(scenario) == ("again is fine", None)


def test_a_chain_of_calls_remembers_only_the_sections_that_are_open(world: World):
    lengths = []

    async def scenario():
        ring = [await world.get(Plain, "0"), await world.get(Plain, "1")]
        over = world.loop.create_future()

        async def pass_on(self, left):
            lengths.append(len(CURRENT.get().chain))
            if left == 0:
                over.set_result(None)
                return
            async with self.ctx.critical_section():
                ring[left % 2].call(pass_on, left - 1)

        ring[0].call(pass_on, 50)
        await over

    world.run(scenario)
    assert max(lengths) <= 2


# A program that cancels all tasks of the loop


def cancel_every_other_task():
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()


def test_an_event_cancelled_before_it_began_is_settled_and_its_object_starts_anew(world: World):
    async def scenario():
        plain = await world.get(Plain)
        first, second = plain.call("get", "a"), plain.call("get", "a")
        cancel_every_other_task()
        for op in (first, second):
            with pytest.raises(ConstructorFailed) as failed:
                await op
            assert isinstance(failed.value.__cause__, asyncio.CancelledError)

        return await plain.call("get", "a")

    assert world.run(scenario) is None


@pytest.mark.parametrize("turns", [0, 3])
def test_events_cancelled_before_they_began_take_no_place_in_the_queue(world: World, turns):
    async def hold(self, until):
        async with self.ctx.critical_section():
            await until

    async def scenario():
        plain = await world.get(Plain, limits=Limits(queue=4))
        await plain.call("get", "a")
        until = world.loop.create_future()
        held = plain.call(hold, until)
        await settle()
        holder = asyncio.all_tasks()
        waiting = [plain.call("get", "a") for _ in range(4)]
        await settle(turns)
        for task in asyncio.all_tasks() - holder:
            task.cancel()
        await settle()
        until.set_result(None)
        await held
        for op in waiting:
            with pytest.raises(asyncio.CancelledError):
                await op

        assert plain.instance.queued == plain.instance.queued_bytes == 0
        assert plain.instance.events == 0
        return await plain.call("get", "a")

    assert world.run(scenario) is None
