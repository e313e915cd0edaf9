"""`sql.run`: a statement on a thread. Its object waits, everybody else goes on, and a reset stops it wherever it is."""

import asyncio
import contextlib
import gc
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from perdure.model.errors import (
    AwaitInTransaction,
    ObjectReset,
    PerdureError,
    ResultTooLarge,
    SqlError,
    SqlInterrupted,
    ValueMismatch,
)
from perdure.model.limits import Limits
from perdure.objects.sql.connection import Connection
from perdure.objects.sql.database import Database
from perdure.objects.sql.pool import THREADS_MAX, SqlPool
from tests.objects.world import World, settle

PATIENCE_S = 20
COUNT = "WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < {}) "
ENDLESS = "WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c) "
READS_ENDLESSLY = ENDLESS + "SELECT count(*) FROM c"
WRITES_ENDLESSLY = ENDLESS + "INSERT INTO t SELECT 'never' FROM c WHERE i % 1000000 = 1"


class Table:
    def __init__(self, ctx):
        self.ctx = ctx
        self.storage = ctx.storage
        self.sql = ctx.storage.sql
        self.kv = ctx.storage.kv
        self.sql.exec("CREATE TABLE IF NOT EXISTS t (v)")

    def insert(self, value):
        self.sql.exec("INSERT INTO t VALUES (?)", value)

    def values(self):
        return [value for (value,) in self.sql.exec("SELECT v FROM t ORDER BY v").raw()]

    async def run(self, query, *bindings):
        return (await self.sql.run(query, *bindings)).raw().to_list()


class Other(Table):
    pass


@pytest.fixture
def world(tmp_path: Path) -> World:
    """On an ordinary loop, for there are threads."""
    return World(tmp_path, loop_factory=asyncio.new_event_loop)


class Stop:
    """A place at which a statement on a thread waits until it may go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
        self._began, self._may_go_on = threading.Event(), threading.Event()
        owner = Connection if hasattr(Connection, place) else Database
        original = getattr(owner, place)

        def stopping(target: object, *args: Any, **named: Any) -> Any:
            if threading.current_thread() is not threading.main_thread():
                self._began.set()
                assert self._may_go_on.wait(PATIENCE_S)
            return original(target, *args, **named)

        monkeypatch.setattr(owner, place, stopping)

    async def reached(self) -> None:
        assert await asyncio.to_thread(self._began.wait, PATIENCE_S)

    def go_on(self) -> None:
        self._may_go_on.set()


PLACES = {"before it begins": "exec_elsewhere", "when it is prepared": "_begun", "while it runs": "_too_late"}


@pytest.fixture
def stop(monkeypatch: pytest.MonkeyPatch) -> Stop:
    return Stop(monkeypatch, "exec_elsewhere")


async def next_instance(handle: Any) -> Any:
    with pytest.raises(ObjectReset):
        await handle.call(lambda self: self.ctx.abort("look"))
    return await handle.call("values")


# What it gives


def test_it_gives_what_exec_gives(world: World):
    class Room(Table):
        async def compare(self):
            told = []
            for query, bindings, named in [
                ("SELECT ? AS a, 2 AS b, 3 AS a", (1,), {}),
                ("SELECT :a + :b AS c", (), {"a": 1, "b": 2}),
                ("INSERT INTO t VALUES (1); INSERT INTO t VALUES (?), (3) RETURNING v", (2,), {}),
                ("SELECT v FROM t WHERE 0", (), {}),
                ("DELETE FROM t", (), {}),
            ]:
                for cursor in (self.sql.exec(query, *bindings, **named), await self.sql.run(query, *bindings, **named)):
                    told.append((cursor.column_names, cursor.rows_read, cursor.raw().to_list()))
            return told

    async def scenario():
        return await (await world.get(Room)).call("compare")

    told = world.run(scenario)
    assert told[::2] == told[1::2]
    assert told[0] == (("a", "b", "a"), 1, [(1, 2, 3)])
    assert told[4] == (("v",), 2, [(2,), (3,)])


def test_its_rows_become_the_class_that_a_type_names(world: World):
    @dataclass
    class Item:
        v: int

    class Room(Table):
        async def items(self):
            self.insert(1)
            items = (await self.sql.run_as(Item, "SELECT v, 'more' AS w FROM t")).to_list()
            with pytest.raises(ValueMismatch, match=r"run_as\(.*Item\)\.v"):
                (await self.sql.run_as(Item, "SELECT 'text' AS v")).one()
            return items == [Item(1)]

    async def scenario():
        return await (await world.get(Room)).call("items")

    assert world.run(scenario)


def test_what_is_wrong_with_a_statement_is_told_where_it_is_awaited_and_the_object_lives_on(world: World):
    async def scenario():
        table = await world.get(Table)
        await table.call("values")
        instance = table.instance
        with pytest.raises(SqlError, match="syntax error") as told:
            await table.call("run", "INSERT INTO t VALUES (1); SELEC 2")
        assert told.value.sqlite_code == "SQLITE_ERROR"
        with pytest.raises(SqlError, match="the runtime's"):
            await table.call("run", "COMMIT")
        assert table.instance is instance
        # As with exec: what ran before the statement that failed stays.
        return await table.call("values"), await next_instance(table)

    assert world.run(scenario) == ([1], [1])


def test_it_has_no_limits_of_time_and_size(world: World):
    class Room(Table):
        async def compare(self):
            long = COUNT.format(100_000) + "SELECT count(*) FROM c"
            large = COUNT.format(50) + "SELECT zeroblob(1000) FROM c"
            with pytest.raises(SqlInterrupted):
                self.sql.exec(long)
            with pytest.raises(ResultTooLarge):
                self.sql.exec(COUNT.format(2) + "SELECT zeroblob(6000) FROM c")
            return await self.run(long), len(await self.run(large))

    async def scenario():
        limits = Limits(sql=timedelta(microseconds=1), result_bytes=10_000)
        return await (await world.get(Room, limits=limits)).call("compare")

    assert world.run(scenario) == ([(100_000,)], 50)


# The gate and the loop


def test_no_other_event_of_the_object_runs_meanwhile_and_everybody_else_does(world: World, stop: Stop):
    async def scenario():
        table, other = await world.get(Table), await world.get(Other)
        running = table.call("run", "INSERT INTO t VALUES (1) RETURNING v")
        await stop.reached()
        queued = [table.call("values"), table.call("insert", 2)]
        for n in range(3):
            await other.call("insert", n)

        told = await other.call("values"), running.done(), [op.done() for op in queued]
        stop.go_on()
        return told, await running, await queued[0], await queued[1]

    assert world.run(scenario) == (([0, 1, 2], False, [False, False]), [(1,)], [1], None)


def test_what_the_same_step_wrote_before_and_after_the_call_is_stored_while_it_runs(world: World, stop: Stop):
    class Room(Table):
        async def work(self):
            self.kv.put("before", 1)
            self.insert("before")
            running = self.sql.run("INSERT INTO t SELECT v || ', run' FROM t")
            self.kv.put("after", 2)
            self.insert("after")
            await running

    async def scenario():
        room = await world.get(Room)
        await room.call("values")
        store = world.store_of(room)
        working = room.call("work")
        await stop.reached()
        await settle()
        record = store.record(room.id.raw)
        keys = [key for key in ("before", "after") if store.get(record.generation, key) is not None]
        sealed = room.instance.rows.unit is None
        stop.go_on()
        await working
        return keys, sealed, await next_instance(room)

    assert world.run(scenario) == (["before", "after"], True, ["after", "after, run", "before", "before, run"])


def test_it_runs_after_what_the_rest_of_the_step_does_delete_all_too(world: World):
    class Room(Table):
        async def work(self):
            self.insert("old")
            running = self.sql.run("CREATE TABLE IF NOT EXISTS t (v)")
            self.storage.delete_all()
            await running
            self.insert("new")

    async def scenario():
        room = await world.get(Room)
        await room.call("work")
        return await next_instance(room)

    assert world.run(scenario) == ["new"]


def test_what_it_wrote_is_sealed_before_the_code_that_waited_for_it_goes_on(world: World):
    class Room(Table):
        async def work(self):
            await self.sql.run("INSERT INTO t VALUES ('run')")
            self.insert("this step")
            self.ctx.abort("before the step ends")

    async def scenario():
        room = await world.get(Room)
        with pytest.raises(ObjectReset):
            await room.call("work")
        return await room.call("values")

    assert world.run(scenario) == ["run"]


def test_a_result_waits_until_what_it_wrote_is_durable(world: World, stop: Stop):
    finished = threading.Event()

    class Room(Table):
        async def work(self):
            await self.sql.run("INSERT INTO t VALUES (1)")
            finished.set()
            return "done"

    async def scenario():
        room = await world.get(Room)
        await room.call("values")
        working = room.call("work")
        await stop.reached()
        world.disk.hold()
        stop.go_on()
        assert await asyncio.to_thread(finished.wait, PATIENCE_S)
        await settle()
        assert not working.done()
        world.disk.go_on()
        return await working

    assert world.run(scenario) == "done"


# Transactions


@pytest.mark.parametrize("ends", ["well", "badly", "the inner one badly"])
def test_in_a_transaction_it_belongs_to_it(world: World, ends):
    class Room(Table):
        async def work(self):
            self.insert("before")
            async with self.storage.transaction():
                self.insert("inside")
                await self.sql.run("INSERT INTO t SELECT v || ', run' FROM t")
                try:
                    async with self.storage.transaction():
                        await self.sql.run("DELETE FROM t WHERE v = 'inside'")
                        await self.sql.run("INSERT INTO t VALUES ('inner')")
                        if ends == "the inner one badly":
                            raise LookupError(ends)
                except LookupError:
                    pass
                self.kv.put("k", 1)
                if ends == "badly":
                    raise ValueError(ends)

    async def scenario():
        room = await world.get(Room)
        try:
            await room.call("work")
        except ValueError:
            assert ends == "badly"
        told = await room.call("values")
        assert await next_instance(room) == told
        return told, await room.call(lambda self: self.kv.get("k"))

    assert (
        world.run(scenario)
        == {
            "well": (["before", "before, run", "inner", "inside, run"], 1),
            "badly": (["before"], None),
            "the inner one badly": (["before", "before, run", "inside", "inside, run"], 1),
        }[ends]
    )


def test_nothing_of_a_transaction_is_stored_while_it_runs(world: World, stop: Stop):
    class Room(Table):
        async def work(self):
            async with self.storage.transaction():
                self.insert("inside")
                await self.sql.run("INSERT INTO t VALUES ('run')")

    async def scenario():
        room = await world.get(Room)
        await room.call("values")
        working = room.call("work")
        await stop.reached()
        room.instance.break_by_code(RuntimeError("amid it"))
        stop.go_on()
        with pytest.raises(ObjectReset):
            await working
        return await room.call("values")

    assert world.run(scenario) == []


def test_in_transaction_sync_it_is_refused_and_the_block_rolled_back(world: World):
    class Room(Table):
        def work(self):
            with self.storage.transaction_sync():
                self.insert(1)
                self.sql.run("SELECT 1")

    async def scenario():
        room = await world.get(Room)
        with pytest.raises(AwaitInTransaction, match="transaction_sync"):
            await room.call("work")
        return await room.call("values")

    assert world.run(scenario) == []


# Ends


@pytest.mark.parametrize("query", [READS_ENDLESSLY, WRITES_ENDLESSLY], ids=["reads", "writes"])
@pytest.mark.parametrize("place", PLACES)
def test_a_reset_stops_it_wherever_it_is(world: World, monkeypatch: pytest.MonkeyPatch, place, query):
    stop = Stop(monkeypatch, PLACES[place])
    came_back = threading.Event()
    watch(monkeypatch, "take_back", came_back.set)

    async def scenario():
        table = await world.get(Table)
        await table.call("insert", "kept")
        database = table.instance.rows.sql
        assert database is not None
        running = table.call("run", query)
        await stop.reached()
        table.instance.break_by_code(RuntimeError("amid it"))
        with pytest.raises(ObjectReset, match="amid it"):
            await running
        before = await table.call("values")  # of another instance, though the thread is not back
        stop.go_on()
        assert await asyncio.to_thread(came_back.wait, PATIENCE_S)
        return before, database._connection, await table.call("values"), table.residents.sql_pool.open

    assert world.run(scenario) == (["kept"], None, ["kept"], 1)


def watch(monkeypatch: pytest.MonkeyPatch, place: str, tell: Callable[[], None]) -> None:
    original = getattr(Database, place)

    def watched(database: Database) -> None:
        original(database)
        tell()

    monkeypatch.setattr(Database, place, watched)


def test_threads_are_free_again_after_resets(world: World, monkeypatch: pytest.MonkeyPatch):
    stop = Stop(monkeypatch, "_too_late")

    async def scenario():
        tables = [await world.get(Table, str(n)) for n in range(2 * THREADS_MAX)]
        running = [table.call("run", READS_ENDLESSLY) for table in tables]
        await stop.reached()
        stop.go_on()
        for table in tables:
            table.instance.break_by_code(RuntimeError("enough"))
        told = await asyncio.gather(*running, return_exceptions=True)
        assert [type(error) for error in told] == [ObjectReset] * len(tables)
        async with asyncio.timeout(PATIENCE_S):
            return [await table.call("run", "SELECT 1") for table in tables]

    assert world.run(scenario) == [[(1,)]] * 2 * THREADS_MAX


def test_closing_waits_for_it_as_for_any_event(world: World, stop: Stop):
    async def scenario():
        table = await world.get(Table)
        running = table.call("run", "INSERT INTO t VALUES (1) RETURNING v")
        await stop.reached()
        closing = asyncio.ensure_future(table.residents.close(grace_s=PATIENCE_S))
        await settle()
        assert not closing.done()
        stop.go_on()
        await closing
        return await running

    assert world.run(scenario) == [(1,)]


def test_closing_without_time_stops_it_and_its_thread(world: World, monkeypatch: pytest.MonkeyPatch):
    stop = Stop(monkeypatch, "_too_late")

    async def scenario():
        table = await world.get(Table)
        await table.call("insert", "kept")
        running = table.call("run", WRITES_ENDLESSLY)
        await stop.reached()
        stop.go_on()
        await world.stop()
        with pytest.raises(PerdureError):
            await running
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.to_thread(table.residents.sql_pool.close)
        return await (await world.get(Table)).call("values")

    assert world.run(scenario) == ["kept"]


@pytest.mark.parametrize("way", ["exec", "exec_many", "run"])
def test_a_statement_that_fails_leaves_nothing_for_the_garbage_collector(world: World, way):
    class Room(Table):
        async def fail(self):
            with contextlib.suppress(SqlError):
                if way == "exec":
                    self.sql.exec("SELECT * FROM missing")
                elif way == "exec_many":
                    self.sql.exec_many("INSERT INTO missing VALUES (?)", [(1,)])
                else:
                    await self.sql.run("SELECT * FROM missing")

    async def scenario():
        room = await world.get(Room)
        for _ in range(3):
            await room.call("fail")
        gc.collect()
        gc.disable()
        try:
            for _ in range(50):
                await room.call("fail")
            await settle()
            return gc.collect()
        finally:
            gc.enable()

    assert world.run(scenario) < 50


# The connections


def test_connections_are_opened_and_closed_on_the_loop_alone(world: World, monkeypatch: pytest.MonkeyPatch):
    """Which file is opened is known to the file system of all objects: two threads would get each other's."""
    threads = set()

    def connect(pool: SqlPool, *args: Any) -> Any:
        threads.add(threading.get_ident())
        return original(pool, *args)

    original = SqlPool.connect
    monkeypatch.setattr(SqlPool, "connect", connect)
    disconnect = Database._disconnect
    monkeypatch.setattr(
        Database, "_disconnect", lambda database: threads.add(threading.get_ident()) or disconnect(database)
    )

    class Room:
        def __init__(self, ctx):
            self.sql = ctx.storage.sql

        async def work(self, number):
            await self.sql.run("CREATE TABLE t (n); INSERT INTO t VALUES (?)", number)
            return (await self.sql.run("SELECT n FROM t")).one().n

    async def scenario():
        rooms = [await world.get(Room, str(n)) for n in range(30)]
        rooms[0].residents.sql_pool = SqlPool(now_ms=lambda: 0, open_max=2)
        return await asyncio.gather(*[room.call("work", n) for n, room in enumerate(rooms)])

    assert world.run(scenario) == list(range(30))
    assert threads == {threading.get_ident()}


def test_a_database_that_is_lent_to_a_thread_is_not_closed_for_want_of_room(world: World, stop: Stop):
    async def scenario():
        table, other = await world.get(Table), await world.get(Other)
        table.residents.sql_pool = other.residents.sql_pool = pool = SqlPool(now_ms=lambda: 0, open_max=1)
        await table.call("insert", 1)
        running = table.call("run", "SELECT v FROM t")
        await stop.reached()
        await other.call("insert", 2)
        both = pool.open
        stop.go_on()
        return both, await running

    assert world.run(scenario) == (2, [(1,)])
