"""What a transaction keeps, drops and shuts out."""

import asyncio
import gc

import pytest

from perdure.model.errors import AwaitInTransaction, ObjectReset, TransactionEnded, WrongType, WrongValue
from tests.objects.test_scenarios import Plain
from tests.objects.world import World, settle


def rows(self):
    return dict(self.kv.list())


def run_in_object(world: World, method):
    async def scenario():
        plain = await world.get(Plain)
        answer = await plain.call(method)
        return answer, await plain.call(rows)

    return world.run(scenario)


def test_a_transaction_over_awaits_is_one_unit_and_what_preceded_it_another(world: World):
    async def method(self):
        self.kv.put("before", 1)
        async with self.storage.transaction() as txn:
            txn.put("a", 1)
            await asyncio.sleep(1)
            txn.put("b", 2)
        self.kv.put("after", 3)

    async def scenario():
        plain = await world.get(Plain)
        await plain.call("get", "warm")
        before = world.store_of(plain).counters().entries
        await plain.call(method)
        return world.store_of(plain).counters().entries - before, await plain.call(rows)

    assert world.run(scenario) == (3, {"before": 1, "a": 1, "b": 2, "after": 3})


def test_no_other_event_runs_while_a_transaction_is_open(world: World):
    async def scenario():
        plain = await world.get(Plain)

        async def method(self):
            async with self.storage.transaction():
                self.kv.put("a", 1)
                await asyncio.sleep(1)
                self.kv.put("a", 2)

        running, reading = plain.call(method), plain.call("get", "a")
        await running
        return await reading

    assert world.run(scenario) == 2


def test_the_body_of_a_transaction_gives_its_result(world: World):
    async def method(self):
        async def body(txn):
            await txn.put("a", 1)
            return await txn.get("a") + await self.storage.get("a")

        return await self.storage.transaction(body)

    assert run_in_object(world, method) == (2, {"a": 1})


def test_rollback_undoes_at_once_and_what_follows_is_ordinary_storage(world: World):
    async def method(self):
        self.kv.put("a", 0)
        async with self.storage.transaction() as txn:
            txn.put("a", 1)
            txn.delete("b")
            txn.rollback()
            txn.rollback()
            with pytest.raises(TransactionEnded, match="was rolled back"):
                txn.put("a", 2)
            self.kv.put("c", 3)
            return "still returned"

    assert run_in_object(world, method) == ("still returned", {"a": 0, "c": 3})


def test_a_transaction_used_after_its_end_says_so(world: World):
    async def method(self):
        async with self.storage.transaction() as txn:
            txn.put("a", 1)
        with pytest.raises(TransactionEnded, match="has committed"):
            txn.get("a")
        with pytest.raises(TransactionEnded, match="has committed"):
            txn.rollback()

    assert run_in_object(world, method) == (None, {"a": 1})


def test_rolling_back_the_outer_while_an_inner_is_open_is_refused(world: World):
    async def method(self):
        async with self.storage.transaction() as outer:
            async with self.storage.transaction() as inner:
                inner.put("a", 1)
                with pytest.raises(TransactionEnded, match="innermost"):
                    outer.rollback()

    assert run_in_object(world, method) == (None, {"a": 1})


def test_delete_all_inside_a_transaction_is_refused(world: World):
    async def method(self):
        self.kv.put("a", 1)
        async with self.storage.transaction():
            with pytest.raises(WrongValue, match="inside a transaction"):
                self.storage.delete_all()
        with self.storage.transaction_sync(), pytest.raises(WrongValue):
            self.storage.delete_all()

    assert run_in_object(world, method) == (None, {"a": 1})


def test_a_transaction_entered_twice_is_refused(world: World):
    async def method(self):
        transaction = self.storage.transaction()
        async with transaction:
            pass
        with pytest.raises(TransactionEnded):
            await transaction.__aenter__()

    run_in_object(world, method)


def test_the_first_write_inside_a_rolled_back_transaction_makes_no_object(world: World):
    async def scenario():
        plain = await world.get(Plain)

        async def method(self):
            with pytest.raises(KeyError):
                async with self.storage.transaction():
                    self.kv.put("a", 1)
                    await asyncio.sleep(1)
                    raise KeyError

        await plain.call(method)
        return world.store_of(plain).record(plain.id.raw), world.store_of(plain).counters().entries

    assert world.run(scenario) == (None, 0)


def test_transaction_sync_gives_the_result_of_its_body_and_keeps_its_writes(world: World):
    def method(self):
        return self.storage.transaction_sync(lambda: self.kv.put("a", 1) or "done")

    assert run_in_object(world, method) == ("done", {"a": 1})


def test_nested_savepoints_undo_by_depth(world: World):
    def method(self):
        with self.storage.transaction_sync():
            self.kv.put("a", 1)
            with pytest.raises(KeyError), self.storage.transaction_sync():
                self.kv.put("a", 2)
                self.kv.put("b", 2)
                with self.storage.transaction_sync():
                    self.kv.put("c", 3)
                raise KeyError
            self.kv.put("d", 4)

    assert run_in_object(world, method) == (None, {"a": 1, "d": 4})


def test_an_async_function_is_no_body_of_transaction_sync(world: World):
    async def body():
        raise AssertionError("never runs")

    def method(self):
        self.kv.put("a", 1)
        with pytest.raises(WrongType, match="async function"):
            self.storage.transaction_sync(body)

    assert run_in_object(world, method) == (None, {"a": 1})


def test_an_await_in_transaction_sync_that_would_wait_raises_there_and_rolls_back(world: World):
    async def method(self):
        self.kv.put("a", 1)
        with pytest.raises(AwaitInTransaction, match="would have waited"):
            with self.storage.transaction_sync():
                self.kv.put("b", 2)
                await asyncio.sleep(1)
        self.kv.put("c", 3)

    async def scenario():
        plain = await world.get(Plain)
        await plain.call("get", "warm")
        before = world.store_of(plain).counters().entries
        await plain.call(method)
        return world.store_of(plain).counters().entries - before, await plain.call(rows)

    assert world.run(scenario) == (1, {"a": 1, "c": 3})


def test_an_await_in_transaction_sync_that_is_ready_is_fine(world: World):
    async def method(self):
        with self.storage.transaction_sync():
            await self.storage.put("a", 1)
            assert await self.storage.get("a") == 1

    assert run_in_object(world, method) == (None, {"a": 1})


def test_a_transaction_inside_transaction_sync_is_refused(world: World):
    async def method(self):
        with self.storage.transaction_sync():
            with pytest.raises(AwaitInTransaction, match="inside transaction_sync"):
                await self.storage.transaction().__aenter__()

    run_in_object(world, method)


def test_a_reset_inside_a_transaction_drops_all_of_it(world: World):
    async def scenario():
        plain = await world.get(Plain)

        async def method(self):
            self.kv.put("before", 1)
            async with self.storage.transaction():
                self.kv.put("a", 1)
                await asyncio.sleep(1)
                self.ctx.abort("stop")

        call = plain.call(method)
        await settle()
        with pytest.raises(Exception, match="stop"):
            await call
        return await plain.call(rows)

    assert world.run(scenario) == {"before": 1}


def test_cancelling_the_task_of_a_transaction_body_rolls_back_and_tells_the_waiter(world: World):
    async def method(self):
        async def body(txn):
            txn.put("a", 1)
            asyncio.current_task().cancel()
            await asyncio.sleep(1)

        with pytest.raises(asyncio.CancelledError):
            await self.storage.transaction(body)

    assert run_in_object(world, method) == (None, {})


def test_a_transaction_sync_left_open_at_the_end_of_a_step_is_rolled_back_and_told(world: World):
    def leave_open(self):
        def block():
            with self.storage.transaction_sync():
                self.kv.put("a", 1)
                yield

        self.block = block()
        next(self.block)

    async def scenario():
        plain = await world.get(Plain)
        with pytest.raises(AwaitInTransaction, match="still open"):
            await plain.call(leave_open)
        world.disk.hold()
        later = plain.call("put", "b", 2)
        await settle()
        assert not later.done(), "acknowledged before it was durable"
        world.disk.go_on()
        await later
        return await plain.call(lambda self: dict(self.kv.list()))

    assert world.run(scenario) == {"b": 2}


def test_a_transaction_that_ends_with_one_inside_left_open_is_rolled_back_and_told(world: World):
    async def leave_open(self):
        async with self.storage.transaction():
            self.kv.put("a", 1)
            self.inner = self.storage.transaction_sync()
            self.inner.__enter__()

    async def scenario():
        plain = await world.get(Plain)
        with pytest.raises(TransactionEnded, match="still open"):
            await plain.call(leave_open)
        await plain.call("put", "b", 2)
        return await plain.call(lambda self: dict(self.kv.list())), plain.instance.rows.settled

    assert world.run(scenario) == ({"b": 2}, True)


def test_a_reset_in_the_body_of_a_transaction_says_nothing_of_a_call_that_nobody_awaited(world: World, caplog):
    async def long(self):
        await self.storage.transaction(lambda txn: asyncio.sleep(100))

    async def scenario():
        plain = await world.get(Plain)
        running = plain.call(long)
        await asyncio.sleep(1)
        plain.instance.break_with(ObjectReset(what="enough"))
        with pytest.raises(ObjectReset):
            await running
        await settle()

    world.run(scenario)
    gc.collect()
    assert "nobody awaited" not in caplog.text
