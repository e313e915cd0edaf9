"""The numbered acceptance scenarios of the runtime's specification that concern gates, units, keys and SQL."""

import asyncio
from datetime import timedelta

import pytest

from perdure.model.errors import ConstraintFailed, ConstructorFailed, NestedTooDeep, ObjectReset, TimeLimitExceeded
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


class Table(Plain):
    """An object with an SQL table beside its keys."""

    def __init__(self, ctx):
        super().__init__(ctx)
        self.sql = ctx.storage.sql
        self.sql.exec("CREATE TABLE IF NOT EXISTS t (v UNIQUE)")

    def insert(self, value):
        self.sql.exec("INSERT INTO t VALUES (?)", value)

    def values(self):
        return [value for (value,) in self.sql.exec("SELECT v FROM t ORDER BY v").raw()]

    def stored(self):
        """All of it: keys and rows."""
        return dict(self.kv.list()), self.values()


async def stored_after_a_reset(handle):
    """What the next instance finds."""
    with pytest.raises(ObjectReset):
        await handle.call(lambda self: self.ctx.abort("look"))
    return await handle.call("stored")


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


def test_scenario_17_a_unique_violation_that_is_caught_leaves_the_others_of_the_step(world: World):
    class Caught(Table):
        def write(self):
            self.kv.put("a", 1)
            self.insert("first")
            with pytest.raises(ConstraintFailed, match="UNIQUE"):
                self.insert("first")
            with pytest.raises(ConstraintFailed, match="UNIQUE"):
                self.sql.exec_many("INSERT INTO t VALUES (?)", [("many",), ("first",)])
            self.insert("second")
            self.kv.put("e", 5)

    async def scenario():
        caught = await world.get(Caught)
        await caught.call("write")
        return await stored_after_a_reset(caught)

    assert world.run(scenario) == ({"a": 1, "e": 5}, ["first", "second"])


def test_scenario_18_a_transaction_sync_that_raises_undoes_only_its_block(world: World):
    class Inner(Table):
        def write(self):
            self.kv.put("outer", 1)
            self.insert("outer")
            with pytest.raises(ValueError, match="inner"), self.storage.transaction_sync():
                self.kv.put("inner", 2)
                self.kv.put("outer", 9)
                self.insert("inner")
                self.sql.exec("UPDATE t SET v = 'changed' WHERE v = 'outer'")
                self.sql.exec("CREATE TABLE made (a)")
                raise ValueError("inner")
            with pytest.raises(Exception, match="no such table"):
                self.sql.exec("SELECT * FROM made")

    async def scenario():
        inner = await world.get(Inner)
        await inner.call("write")
        return await stored_after_a_reset(inner)

    assert world.run(scenario) == ({"outer": 1}, ["outer"])


@pytest.mark.parametrize("form", ["body", "async with"])
def test_scenario_19_a_transaction_that_raises_leaves_what_was_written_before_it(world: World, form):
    class Money(Table):
        async def write(self):
            self.kv.put("x", 1)
            self.insert("x")
            if form == "body":
                await self.storage.transaction(self.body)
            else:
                async with self.storage.transaction() as txn:
                    await self.body(txn)

        async def body(self, txn):
            txn.put("x", 2)
            self.insert("y")
            await asyncio.sleep(1)
            self.kv.put("y", 3)
            self.sql.exec("DELETE FROM t WHERE v = 'x'")
            raise LookupError("no")

    async def scenario():
        money = await world.get(Money)
        with pytest.raises(LookupError, match="no"):
            await money.call("write")
        alive = money.instance
        told = await money.call("stored")
        assert money.instance is alive
        assert await stored_after_a_reset(money) == told
        return told

    assert world.run(scenario) == ({"x": 1}, ["x"])


def test_scenario_20_when_the_outer_transaction_rolls_back_the_committed_inner_is_gone(world: World):
    class Nested(Table):
        async def write(self):
            with pytest.raises(KeyError):
                async with self.storage.transaction():
                    self.kv.put("outer", 1)
                    self.insert("outer")
                    async with self.storage.transaction():
                        await asyncio.sleep(0.1)
                        self.kv.put("inner", 2)
                        self.insert("inner")
                    with self.storage.transaction_sync():
                        self.insert("sync")
                    assert self.kv.get("inner") == 2
                    assert self.values() == ["inner", "outer", "sync"]
                    raise KeyError("out")

    async def scenario():
        nested = await world.get(Nested)
        await nested.call("write")
        assert await nested.call("stored") == ({}, [])
        return await stored_after_a_reset(nested)

    assert world.run(scenario) == ({}, [])


@pytest.mark.parametrize("inside", ["step", "transaction_sync", "transaction"])
def test_scenario_22_a_deferred_foreign_key_that_is_left_violated_resets_the_object_and_undoes_the_step(
    world: World, inside
):
    class Orders(Table):
        def __init__(self, ctx):
            super().__init__(ctx)
            self.sql.exec("CREATE TABLE IF NOT EXISTS line (t REFERENCES t (v) DEFERRABLE INITIALLY DEFERRED)")

        async def write(self):
            self.kv.put("a", 1)
            self.insert("kept by nobody")
            if inside == "step":
                self.add_line()
            elif inside == "transaction_sync":
                with self.storage.transaction_sync():
                    self.add_line()  # its end does not look
                self.insert("still running")
            else:
                async with self.storage.transaction():
                    self.add_line()

        def add_line(self):
            self.kv.put("b", 2)
            self.sql.exec("INSERT INTO line VALUES ('nothing there')")

        def mend(self):
            self.sql.exec("INSERT INTO line VALUES ('later')")
            self.insert("later")

    async def scenario():
        orders = await world.get(Orders)
        await orders.call("stored")
        with pytest.raises(Exception, match="FOREIGN KEY") as told:
            await orders.call("write")
        assert told.value.object_reset
        before = await orders.call("stored")
        await orders.call("mend")
        return before, await stored_after_a_reset(orders)

    # A transaction that spans steps first ends the step before it: that is a unit of its own.
    kept = ({"a": 1}, ["kept by nobody"]) if inside == "transaction" else ({}, [])
    assert world.run(scenario) == (kept, (kept[0], sorted([*kept[1], "later"])))


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


def test_scenario_24_after_delete_all_everything_is_gone_a_cursor_stays_valid_and_the_next_write_works(world: World):
    class Full(Table):
        def alarm(self, info):
            raise AssertionError("it was deleted")

        async def fill(self):
            self.kv.put("a", 1)
            self.insert("row")
            self.storage.set_alarm(timedelta(hours=1))

        async def wipe(self):
            self.insert("of this step")
            cursor = self.sql.exec("SELECT v FROM t ORDER BY v").raw()
            first = next(cursor)
            await self.storage.delete_all()
            gone = dict(self.kv.list()), self.sql.exec("SELECT name FROM sqlite_schema").to_list()
            return first, list(cursor), gone, await self.storage.get_alarm(), self.sql.database_size

        def write_again(self):
            self.sql.exec("CREATE TABLE t (v UNIQUE)")
            self.insert("new")
            self.kv.put("b", 2)

    async def scenario():
        full = await world.get(Full)
        await full.call("fill")
        generation = world.store_of(full).record(full.id.raw).generation
        wiped = await full.call("wipe")
        record = world.store_of(full).record(full.id.raw)
        await full.call("write_again")
        assert world.store_of(full).record(full.id.raw).generation > generation
        await asyncio.sleep(2 * 3600)
        return wiped, record, await full.call("stored")

    wiped, record, after = world.run(scenario)
    assert wiped == (("of this step",), [("row",)], ({}, []), None, 0)
    assert record is None
    assert after == ({"b": 2}, ["new"])


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


@pytest.mark.parametrize("number", [2**53 + 1, 2**63 - 1, -(2**63)])
def test_scenario_42_an_int_of_64_bits_is_exact_through_sql(world: World, number):
    async def scenario():
        table = await world.get(Table)
        await table.call("insert", number)
        return await stored_after_a_reset(table)

    assert world.run(scenario) == ({}, [number])
