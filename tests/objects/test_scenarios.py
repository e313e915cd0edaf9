"""The numbered acceptance scenarios of the runtime's specification that concern gates, units and key-value storage."""

import asyncio
from datetime import timedelta

import pytest

from perdure.model.errors import ConstructorFailed, NestedTooDeep, ObjectReset, TimeLimitExceeded
from perdure.model.limits import Limits
from tests.objects.world import World, settle


class Plain:
    """An object that does what the test hands it: `handle.call(lambda self: ...)`."""

    def __init__(self, ctx):
        self.ctx = ctx
        self.storage = ctx.storage
        self.kv = ctx.storage.kv

    def get(self, key):
        return self.kv.get(key)

    def put(self, key, value):
        self.kv.put(key, value)


def test_scenario_01_a_slow_constructor_runs_once_and_every_call_sees_it_finished_in_order(world: World):
    made, order = [], []

    class Slow:
        def __init__(self, ctx):
            made.append(self)
            self.ready = False
            ctx.block_concurrency_while(self.load)

        async def load(self):
            await asyncio.sleep(1)
            self.ready = True

        def see(self, n):
            order.append(n)
            return self.ready

    async def scenario():
        slow = await world.get(Slow)
        return [await op for op in [slow.call("see", n) for n in range(3)]]

    assert world.run(scenario) == [True, True, True]
    assert len(made) == 1
    assert order == [0, 1, 2]


def test_scenario_02_a_section_begun_in_the_constructor_runs_after_the_constructor_returned(world: World):
    class Late:
        def __init__(self, ctx):
            ctx.block_concurrency_while(self.look)
            self.x = 1

        async def look(self):
            self.seen = self.x

        def tell(self):
            return self.seen

    async def scenario():
        return await (await world.get(Late)).call("tell")

    assert world.run(scenario) == 1


def test_scenario_03_after_a_failed_constructor_the_same_stub_runs_it_again(world: World):
    attempts = []

    class Fragile:
        def __init__(self, ctx):
            attempts.append(1)
            if len(attempts) == 1:
                raise ValueError("not today")

        def hello(self):
            return "hello"

    async def scenario():
        fragile = await world.get(Fragile)
        calls = [fragile.call("hello"), fragile.call("hello")]
        for call in calls:
            with pytest.raises(ConstructorFailed) as failed:
                await call
            assert isinstance(failed.value.__cause__, ValueError)
            assert "not today" in str(failed.value)
        return await fragile.call("hello")

    assert world.run(scenario) == "hello"
    assert len(attempts) == 2


def test_scenario_04_a_handler_that_raises_keeps_its_writes_its_memory_and_its_stub(world: World):
    class Careless(Plain):
        count = 0

        def fail(self):
            self.count += 1
            self.kv.put("a", 1)
            raise RuntimeError("after the write")

        def look(self):
            return self.count, self.kv.get("a")

    async def scenario():
        careless = await world.get(Careless)
        with pytest.raises(RuntimeError, match="after the write"):
            await careless.call("fail")
        return await careless.call("look")

    assert world.run(scenario) == (1, 1)


def test_scenario_05_abort_drops_the_unsaved_write_and_the_next_call_finds_a_new_instance(world: World):
    made = []

    class Aborts(Plain):
        def __init__(self, ctx):
            super().__init__(ctx)
            made.append(self)

        def abort(self):
            self.kv.put("a", "new")
            self.ctx.abort("enough")

    async def scenario():
        aborts = await world.get(Aborts)
        await aborts.call("put", "a", "old")
        with pytest.raises(ObjectReset, match="enough") as reset:
            await aborts.call("abort")
        assert reset.value.object_reset
        return await aborts.call("get", "a")

    assert world.run(scenario) == "old"
    assert len(made) == 2


def test_scenario_06_concurrent_read_modify_writes_lose_no_update(world: World):
    class Counter(Plain):
        async def add(self):
            value = await self.storage.get("n", 0)
            await self.storage.put("n", value + 1)

    async def scenario():
        counter = await world.get(Counter)
        for op in [counter.call("add") for _ in range(50)]:
            await op
        return await counter.call("get", "n")

    assert world.run(scenario) == 50


def test_scenario_07_an_outside_wait_between_read_and_write_lets_another_event_between(world: World):
    class Counter(Plain):
        async def add(self):
            value = await self.storage.get("n", 0)
            await asyncio.sleep(0.01)
            await self.storage.put("n", value + 1)

    async def scenario():
        counter = await world.get(Counter)
        for op in [counter.call("add"), counter.call("add")]:
            await op
        return await counter.call("get", "n")

    assert world.run(scenario) == 1


@pytest.mark.parametrize("way", ["block_concurrency_while", "critical_section"])
def test_scenario_08_a_section_waits_for_its_own_outside_call_while_other_calls_queue(world: World, way):
    log = []

    class Busy(Plain):
        async def section(self):
            if way == "critical_section":
                async with self.ctx.critical_section():
                    await self.work()
            else:
                await self.ctx.block_concurrency_while(self.work)

        async def work(self):
            log.append("in")
            await asyncio.sleep(5)
            log.append("out")

        def other(self, n):
            log.append(n)

    async def scenario():
        busy = await world.get(Busy)
        ops = [busy.call("section"), busy.call("other", 1), busy.call("other", 2)]
        for op in ops:
            await op

    world.run(scenario)
    # block_concurrency_while starts when the running step ends, but ahead of whoever waits already.
    assert log == ["in", "out", 1, 2]


def test_scenario_09_a_section_that_waits_for_another_event_is_reset_after_its_limit(world: World):
    class Deadlock(Plain):
        def __init__(self, ctx):
            super().__init__(ctx)
            self.signal = asyncio.Event()

        async def wait(self):
            async with self.ctx.critical_section():
                await self.signal.wait()

        def give(self):
            self.signal.set()

    async def scenario():
        deadlock = await world.get(Deadlock)
        start = world.loop.time()
        ops = [deadlock.call("wait"), deadlock.call("give")]
        for op in ops:
            with pytest.raises(TimeLimitExceeded) as error:
                await op
            assert error.value.overloaded and error.value.object_reset
        assert world.loop.time() - start == pytest.approx(30)
        await deadlock.call("give")

    world.run(scenario)


def test_scenario_10_the_65th_nested_section_is_refused_and_resets_nothing(world: World):
    class Deep(Plain):
        async def dig(self, depth):
            async with self.ctx.critical_section():
                return await self.dig(depth + 1) if depth < 70 else depth

        async def try_it(self):
            try:
                await self.dig(1)
            except NestedTooDeep as error:
                self.kv.put("said", str(error))
            return "alive"

    async def scenario():
        deep = await world.get(Deep)
        answer = await deep.call("try_it")
        return answer, await deep.call("get", "said")

    answer, said = world.run(scenario)
    assert answer == "alive"
    assert "65 deep" in said


def test_scenario_11_a_result_waits_for_the_write_before_it_and_an_earlier_call_does_not(world: World):
    log = []

    class Target(Plain):
        def note(self, what):
            log.append(what)

    class Sender(Plain):
        async def go(self, target):
            target.call("note", "before the write")
            self.kv.put("a", 1)
            target.call("note", "after the write")
            return "done"

    async def scenario():
        target = await world.get(Target)
        sender = await world.get(Sender)
        await target.call("note", "warm")
        world.disk.hold()
        done = sender.call(lambda self: self.go(target))
        await settle()
        assert log == ["warm", "before the write"]
        assert not done.done()
        world.disk.go_on()
        assert await done == "done"
        await settle()

    world.run(scenario)
    assert log == ["warm", "before the write", "after the write"]


def test_scenario_13_an_unconfirmed_write_delays_no_result_and_sync_waits_for_it(world: World):
    class Loose(Plain):
        def write(self):
            self.storage.put("a", 1, allow_unconfirmed=True)
            return "at once"

        async def write_and_sync(self):
            self.storage.put("a", 2, allow_unconfirmed=True)
            await self.storage.sync()
            return "durable"

    async def scenario():
        loose = await world.get(Loose)
        world.disk.hold()
        assert await loose.call("write") == "at once"
        synced = loose.call("write_and_sync")
        await settle()
        assert not synced.done()
        world.disk.go_on()
        return await synced

    assert world.run(scenario) == "durable"


def test_scenario_15_writes_on_both_sides_of_a_storage_await_are_one_unit(world: World):
    class Both(Plain):
        async def write(self):
            self.storage.put("a", 1)
            await self.storage.put("b", 2)
            self.storage.put("c", 3)

    async def scenario():
        both = await world.get(Both)
        await both.call("get", "warm")
        before = world.store_of(both).counters().entries
        await both.call("write")
        return world.store_of(both).counters().entries - before

    assert world.run(scenario) == 1


def test_scenario_16_an_outside_wait_between_writes_makes_two_units(world: World):
    class Both(Plain):
        async def write(self):
            self.storage.put("a", 1)
            await asyncio.sleep(1)
            self.storage.put("b", 2)

    async def scenario():
        both = await world.get(Both)
        await both.call("get", "warm")
        before = world.store_of(both).counters().entries
        await both.call("write")
        return world.store_of(both).counters().entries - before

    assert world.run(scenario) == 2


def test_scenario_17_a_refused_write_that_is_caught_leaves_the_others_of_the_step(world: World):
    class Caught(Plain):
        def write(self):
            self.kv.put("a", 1)
            with pytest.raises(TypeError):
                self.kv.put("b", object())
            with pytest.raises(TypeError):
                self.storage.put({"c": 1, "d": object()})
            self.kv.put("e", 5)

    async def scenario():
        caught = await world.get(Caught)
        await caught.call("write")
        return await caught.call(lambda self: dict(self.kv.list()))

    assert world.run(scenario) == {"a": 1, "e": 5}


def test_scenario_18_a_transaction_sync_that_raises_undoes_only_its_block(world: World):
    class Inner(Plain):
        def write(self):
            self.kv.put("outer", 1)
            with pytest.raises(ValueError, match="inner"), self.storage.transaction_sync():
                self.kv.put("inner", 2)
                self.kv.put("outer", 9)
                raise ValueError("inner")

    async def scenario():
        inner = await world.get(Inner)
        await inner.call("write")
        return await inner.call(lambda self: dict(self.kv.list()))

    assert world.run(scenario) == {"outer": 1}


@pytest.mark.parametrize("form", ["body", "async with"])
def test_scenario_19_a_transaction_that_raises_leaves_what_was_written_before_it(world: World, form):
    class Money(Plain):
        async def write(self):
            self.kv.put("x", 1)
            if form == "body":
                await self.storage.transaction(self.body)
            else:
                async with self.storage.transaction() as txn:
                    await self.body(txn)

        async def body(self, txn):
            txn.put("x", 2)
            await asyncio.sleep(1)
            self.kv.put("y", 3)
            raise LookupError("no")

    async def scenario():
        money = await world.get(Money)
        with pytest.raises(LookupError, match="no"):
            await money.call("write")
        return await money.call(lambda self: dict(self.kv.list()))

    assert world.run(scenario) == {"x": 1}


def test_scenario_20_when_the_outer_transaction_rolls_back_the_committed_inner_is_gone(world: World):
    class Nested(Plain):
        async def write(self):
            with pytest.raises(KeyError):
                async with self.storage.transaction():
                    self.kv.put("outer", 1)
                    async with self.storage.transaction():
                        await asyncio.sleep(0.1)
                        self.kv.put("inner", 2)
                    assert self.kv.get("inner") == 2
                    raise KeyError("out")

    async def scenario():
        nested = await world.get(Nested)
        await nested.call("write")
        return await nested.call(lambda self: dict(self.kv.list()))

    assert world.run(scenario) == {}


KEYS = ["", "a", "ab", "b", "b1", "b2", "é", "￿", "😀", "😀b"]


def test_scenario_23_list_gives_what_filtering_a_byte_sorted_list_gives_for_every_combination(world: World):
    bounds = [None, "", "a", "b", "b1", "é", "￿", "😀", "z"]
    in_order = sorted(KEYS, key=str.encode)

    def expected(start, start_after, end, prefix, reverse, limit):
        found = [
            key
            for key in in_order
            if (start is None or key.encode() >= start.encode())
            and (start_after is None or key.encode() > start_after.encode())
            and (end is None or key.encode() < end.encode())
            and (prefix is None or key.startswith(prefix))
        ]
        found = found[::-1] if reverse else found
        return found[:limit]

    def every_combination(self):
        for low in bounds:
            for kind in ("start", "start_after"):
                for end in bounds:
                    for prefix in (None, "", "b", "😀", "￿"):
                        for reverse in (False, True):
                            for limit in (None, 1, 3):
                                options = {kind: low, "end": end, "prefix": prefix, "reverse": reverse, "limit": limit}
                                want = expected(
                                    low if kind == "start" else None,
                                    low if kind == "start_after" else None,
                                    end,
                                    prefix,
                                    reverse,
                                    limit,
                                )
                                assert [key for key, _ in self.kv.list(**options)] == want, options

    async def scenario():
        listed = await world.get(Plain)
        await listed.call(lambda self: [self.kv.put(key, key) for key in KEYS[::-2]])
        await listed.call(every_combination_with_unsaved := lambda self: _write_rest(self, every_combination))
        await listed.call(every_combination)
        return every_combination_with_unsaved is not None

    assert world.run(scenario)


def _write_rest(self, check):
    """Half of the keys are stored, the others and one deletion are not yet: lists see all of it."""
    self.kv.put("gone", 1)
    for key in KEYS:
        self.kv.put(key, key)
    self.kv.delete("gone")
    check(self)


def test_scenario_25_an_object_that_only_reads_leaves_nothing_behind(world: World):
    async def scenario():
        reader = await world.get(Plain)
        assert await reader.call("get", "a") is None
        assert await reader.call(lambda self: list(self.kv.list())) == []
        assert await reader.call(lambda self: self.kv.delete("a")) is False
        assert await reader.call(lambda self: self.storage.delete_all().result()) is None
        store = world.store_of(reader)
        assert store.record(reader.id.raw) is None
        assert store.counters().entries == 0
        await asyncio.sleep(12)
        assert not reader.alive
        assert store.counters().entries == 0

    world.run(scenario)


def test_scenario_37_what_a_method_raises_after_a_write_arrives_after_the_commit(world: World):
    class Careless(Plain):
        def fail(self):
            self.kv.put("a", 1)
            raise RuntimeError("after the write")

    async def scenario():
        careless = await world.get(Careless)
        await careless.call("get", "warm")
        world.disk.hold()
        failing = careless.call("fail")
        await settle()
        assert not failing.done()
        world.disk.go_on()
        with pytest.raises(RuntimeError, match="after the write"):
            await failing

    world.run(scenario)


def test_a_class_may_choose_its_own_limit_for_critical_sections(world: World):
    class Slow(Plain):
        async def wait(self):
            async with self.ctx.critical_section():
                await asyncio.sleep(100)

    async def scenario():
        slow = await world.get(Slow, limits=Limits(critical_section=timedelta(seconds=2)))
        with pytest.raises(TimeLimitExceeded, match="2 s"):
            await slow.call("wait")
        return world.loop.time()

    assert world.run(scenario) == pytest.approx(2)
