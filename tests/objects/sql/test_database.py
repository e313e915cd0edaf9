"""The rules of an object's connection: what the runtime runs on it and what code runs do not meet."""

from contextlib import suppress
from typing import Any

import apsw
import pytest

from perdure.model.errors import ResultTooLarge, SqlError, SqlInterrupted, StorageBusy, StorageFull
from perdure.model.limits import Limits
from tests.objects.sql.conftest import HasStorage, Inside
from tests.objects.sql.shelf import Shelf
from tests.objects.world import World, settle

ENDLESS = "WITH RECURSIVE c(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM c) INSERT INTO t SELECT i, i FROM c"


def test_code_cannot_run_the_commit_that_the_runtime_ran_before(shelf: Shelf):
    for n in range(3):
        shelf.exec("CREATE TABLE IF NOT EXISTS t (a)", depth=1)
        shelf.exec("INSERT INTO t VALUES (?)", n, depth=1)
        shelf.database.release(0)
        shelf.seal()
    shelf.exec("INSERT INTO t VALUES (9)", depth=1)

    for text in ("COMMIT", "BEGIN", "SAVEPOINT s0", "RELEASE s0", "ROLLBACK TO s0"):
        with pytest.raises(SqlError, match="not authorized"):
            shelf.exec(text)

    shelf.database.roll_back(0)
    shelf.seal()
    assert shelf.rows("SELECT count(*) FROM t") == [(3,)]


FROM_INSIDE = [
    ("SELECT count(*) FROM t WHERE id < 5", 5, "DELETE FROM t WHERE id % 2"),
    ("INSERT INTO t VALUES (100000, zeroblob(9000))", 50, "UPDATE t SET b = zeroblob(3000)"),
    ("SELECT 1", 50, "SELECT sum(length(b)) FROM t"),
]


@pytest.mark.parametrize(("inner", "at", "outer"), FROM_INSIDE)
def test_what_runs_inside_a_statement_does_not_enter_the_database(shelf: Shelf, inner, at, outer):
    """As a finaliser does, when the collector runs while SQLite asks for a page: it would crash the process."""
    refused: list[BaseException | None] = []
    shelf.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, b)")
    shelf.database.exec_many("INSERT INTO t VALUES (?, ?)", [(n, b"y" * 2000) for n in range(400)])
    shelf.seal()
    shelf.reset()
    reads = 0

    def finaliser(_page: int) -> None:
        nonlocal reads
        reads += 1
        if reads == at:
            for enter in (lambda: shelf.exec(inner), lambda: shelf.database.exec_many(inner, [()]), shelf.seal):
                try:
                    enter()
                except StorageBusy as error:
                    refused.append(error)

    shelf.on_read = finaliser
    shelf.exec(outer)

    assert len(refused) == 3
    assert "let a method of the object do it" in str(refused[0])
    shelf.seal()
    assert shelf.database.own("PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize(
    ("text", "seconds_max"),
    [(ENDLESS, 0.02), ("INSERT OR ROLLBACK INTO t VALUES (1, 1)", 60.0), ("INSERT INTO never VALUES (1)", 60.0)],
)
def test_when_sqlite_ends_the_transaction_the_rest_of_the_step_is_not_stored_alone(world: World, text, seconds_max):
    def make(storage: Any) -> None:
        storage.sql.exec("CREATE TABLE t (a UNIQUE, b); CREATE TABLE never (a); INSERT INTO t VALUES (1, 'before')")
        storage.sql.exec("CREATE TRIGGER never_ever AFTER INSERT ON never BEGIN SELECT RAISE(ROLLBACK, 'never'); END")

    async def scenario() -> list[Any]:
        handle = await world.get(HasStorage)
        await handle.call(lambda self: make(self.storage))

        def write(self: HasStorage) -> None:
            storage = self.storage
            storage._sql._limit_s = seconds_max
            storage.kv.put("k", "half")
            storage.sql.exec("INSERT INTO t VALUES (2, 'half')")
            try:
                storage.sql.exec(text)
            except SqlError:
                storage.sql.exec("INSERT INTO t VALUES (3, 'the other half')")

        with pytest.raises(SqlError) as raised:
            await handle.call(write)
        assert raised.value.object_reset
        assert isinstance(raised.value, SqlInterrupted) == (text is ENDLESS)
        return await handle.call(
            lambda self: [self.storage.kv.get("k"), self.storage.sql.exec("SELECT a FROM t").raw().to_list()]
        )

    assert world.run(scenario) == [None, [(1,)]]


def test_of_a_write_that_tells_too_much_nothing_is_stored(world: World):
    async def scenario() -> list[Any]:
        handle = await world.get(HasStorage, limits=Limits(result_bytes=100_000))
        await handle.call(lambda self: self.storage.sql.exec("CREATE TABLE t (a)").to_list())

        def write(self: HasStorage) -> None:
            self.storage.kv.put("k", "half")
            with suppress(ResultTooLarge):
                self.storage.sql.exec("INSERT INTO t VALUES (zeroblob(200000)), (zeroblob(200000)) RETURNING a")

        with pytest.raises(ResultTooLarge) as raised:
            await handle.call(write)
        assert raised.value.object_reset
        with pytest.raises(ResultTooLarge) as of_read:
            await handle.call(lambda self: self.storage.sql.exec("SELECT zeroblob(200000)").to_list())
        assert not of_read.value.object_reset
        return await handle.call(
            lambda self: [self.storage.kv.get("k"), self.storage.sql.exec("SELECT count(*) FROM t").one()]
        )

    assert world.run(scenario) == [None, {"count(*)": 0}]


def test_what_a_unit_writes_is_nowhere_before_its_entry(shelf: Shelf):
    shelf.exec("CREATE TABLE t (a)")
    shelf.seal()
    before = dict(shelf.pages)
    for _ in range(100):
        shelf.exec("INSERT INTO t VALUES (zeroblob(20000))")

    assert shelf.database._file.size_bytes > 1_000_000
    assert shelf.pages == before
    shelf.reset()
    assert shelf.rows("SELECT count(*) FROM t") == [(0,)]


def test_after_a_failed_group_an_object_reads_what_is_durable_and_not_what_its_connection_remembers(world: World):
    async def scenario() -> list[Any]:
        handle = await world.get(HasStorage)

        def write(self: HasStorage, value: str) -> None:
            self.storage.sql.exec("CREATE TABLE IF NOT EXISTS t (a); DELETE FROM t; INSERT INTO t VALUES (?)", value)

        def read(self: HasStorage) -> list[Any]:
            return self.storage.sql.exec("SELECT a FROM t").raw().to_list()

        await handle.call(write, "old")
        await settle()
        assert await handle.call(read) == [("old",)]
        world.disk.fails_with = apsw.FullError("database or disk is full")
        with pytest.raises(StorageFull):
            await handle.call(write, "never")
        await settle()
        assert handle.residents.sql_pool.open == 0
        return await handle.call(read)

    assert world.run(scenario) == [("old",)]


def test_after_delete_all_nothing_of_the_database_is_remembered(inside: Inside):
    def make(storage: Any) -> None:
        storage.sql.exec("CREATE TABLE t (a); INSERT INTO t VALUES (1)")

    def delete(storage: Any) -> Any:
        storage.sql.exec("INSERT INTO t VALUES (2)")
        storage.delete_all()
        with pytest.raises(SqlError, match="no such table: t"):
            storage.sql.exec("SELECT * FROM t")
        storage.sql.exec("CREATE TABLE u (a); INSERT INTO u VALUES (3)")

    def look(storage: Any) -> Any:
        return storage.sql.exec("SELECT name FROM sqlite_schema").raw().to_list(), storage.sql.exec(
            "SELECT * FROM u"
        ).one()

    assert inside(make, delete, look) == ([("u",)], {"a": 3})


LARGE = (
    "CREATE TABLE large (a); INSERT INTO large VALUES (zeroblob(2000000)); INSERT INTO large VALUES (zeroblob(2000000))"
)


@pytest.mark.parametrize("text", ["CREATE TABLE t (a)", LARGE], ids=["small", "larger than SQLite's cache"])
@pytest.mark.parametrize("exists", [False, True])
def test_a_step_of_which_all_was_rolled_back_stores_nothing(world: World, exists: bool, text: str):
    async def scenario() -> Any:
        handle = await world.get(HasStorage)
        if exists:
            await handle.call(lambda self: self.storage.sql.exec("CREATE TABLE before (a)").rows_written)

        async def roll_back(self: HasStorage) -> None:
            for _ in range(2):
                with pytest.raises(LookupError), self.storage.transaction_sync():
                    self.storage.sql.exec(text)
                    with self.storage.transaction_sync():
                        self.storage.sql.exec("CREATE TABLE u (a)")
                    raise LookupError
            with pytest.raises(LookupError):
                async with self.storage.transaction():
                    self.storage.sql.exec(text)
                    raise LookupError

        await settle()
        entries = world.store_of(handle).counters().entries
        await handle.call(roll_back)
        await settle()
        store = world.store_of(handle)
        idle = handle.instance.rows.sql.idle
        return store.record(handle.id.raw) is not None, store.counters().entries - entries, idle

    assert world.run(scenario) == (exists, 0, True)


def test_what_was_written_around_a_savepoint_that_is_rolled_back_stays(shelf: Shelf):
    shelf.exec("CREATE TABLE t (a)", depth=1)
    shelf.database.release(0)
    shelf.exec("INSERT INTO t VALUES (1)", depth=1)
    shelf.database.roll_back(0)
    shelf.exec("INSERT INTO t VALUES (2)", depth=1)
    shelf.database.roll_back(0)
    shelf.exec("INSERT INTO t VALUES (3)")
    shelf.exec("INSERT INTO t VALUES (4)", depth=2)
    shelf.database.roll_back(1)
    shelf.database.release(0)
    shelf.exec("INSERT INTO t VALUES (5)", depth=1)
    shelf.database.roll_back(0)
    shelf.seal()
    shelf.reset()

    assert shelf.rows("SELECT a FROM t") == [(3,)]


def test_what_was_kept_back_outlives_a_rollback_of_all_that_followed(shelf: Shelf):
    shelf.exec("CREATE TABLE t (a)")
    shelf.database.keep_back()
    shelf.exec("INSERT INTO t VALUES (1)", depth=1)
    shelf.database.roll_back(0)
    assert shelf.database.take_changes(exists=False) is None

    shelf.exec("INSERT INTO t VALUES (2)")
    shelf.seal()
    shelf.reset()

    assert shelf.rows("SELECT a FROM t") == [(2,)]
