"""A program does to objects what an operator does with commands, through the runtime that it has opened."""

import asyncio
import sqlite3
from datetime import UTC, datetime, timedelta

import pytest

import perdure
from perdure import NaiveDatetime, SqlError, WrongType, WrongValue
from perdure.store.backup import restore_backup, verify_backup
from tests.host.stored import Box, Other, box, dump

WRITE = "kv.put('n', {0}); sql.exec('CREATE TABLE IF NOT EXISTS t(x)'); sql.exec('INSERT INTO t VALUES({0})')"
READ = "result = [kv.get('n'), [row['x'] for row in sql.exec('SELECT x FROM t')]]"


def with_runtime(folder, scenario):
    async def run():
        async with perdure.open(folder, objects=[Box, Other]) as rt:
            await scenario(rt)

    asyncio.run(run())


def test_a_statement_that_reads_gives_rows_and_one_that_writes_is_refused(tmp_path):
    async def scenario(rt):
        one = rt[Box]["one"]
        await one.run(WRITE.format(1))
        await one.run(WRITE.format(2))

        assert [row.x for row in await rt.sql(one, "SELECT x FROM t WHERE x > ? ORDER BY x", 1)] == [2]
        assert await rt.sql(one, "SELECT :a AS a, :b AS b", a=None, b=b"\0") == [{"a": None, "b": b"\0"}]
        with pytest.raises(SqlError, match="was only to read"):
            await rt.sql(one, "DELETE FROM t")
        with pytest.raises(WrongValue, match="1 parameters and 0 values"):
            await rt.sql(one, "SELECT ?")
        with pytest.raises(WrongType, match="must be a str"):
            await rt.sql(one, 3)
        with pytest.raises(WrongValue, match="NUL"):
            await rt.sql(one, "SELECT 1\0, 2")
        with pytest.raises(WrongType, match="in order and by name"):
            await rt.sql(one, "SELECT ?", 1, a=2)
        with pytest.raises(WrongValue, match="has no object"):
            await rt.sql(rt[Box]["nobody"], "SELECT 1")

    with_runtime(tmp_path, scenario)


def test_an_object_is_deleted_restored_and_forked(tmp_path):
    async def scenario(rt):
        one = rt[Box]["one"]
        await one.run(WRITE.format(1))

        undo = await rt.delete(one)
        assert not await rt[Box].exists("one")
        redo = await rt.restore(one, at=undo)
        assert await one.run(READ) == [1, [1]]
        await rt.fork(one, "two")
        await one.run(WRITE.format(2))
        await rt.fork(one, "three", at=undo)
        assert await rt[Box]["two"].run(READ) == await rt[Box]["three"].run(READ) == [1, [1]]
        await rt.restore(one, at=redo)
        assert not await rt[Box].exists("one")
        with pytest.raises(WrongValue, match="stores something already"):
            await rt.fork(rt[Box]["two"], "three")
        with pytest.raises(WrongValue, match="had no object 'one' then"):
            await rt.restore(one, at=datetime.now(UTC) - timedelta(days=1))

    with_runtime(tmp_path, scenario)


def test_an_object_goes_to_a_file_and_comes_back_under_another_name(tmp_path):
    async def scenario(rt):
        await box(rt).run(WRITE.format(1))

        await rt.export(rt[Box]["one"], tmp_path / "one.db")
        await rt.import_file(Other, "two", str(tmp_path / "one.db"))
        await rt.export(rt[Other]["two"], tmp_path / "two.db")

        assert await rt[Other]["two"].run(READ) == [1, [1]]
        assert dump(tmp_path / "one.db") == dump(tmp_path / "two.db")
        with pytest.raises(WrongValue, match="is there already"):
            await rt.export(rt[Box]["one"], tmp_path / "one.db")
        with pytest.raises(WrongValue, match="stores something already"):
            await rt.import_file(Other, "two", tmp_path / "one.db")
        await rt.import_file(Other, "two", tmp_path / "one.db", replace=True)
        with pytest.raises(WrongValue, match="cannot be imported"):
            await rt.import_file(Other, "three", tmp_path / "nowhere.db")

    with_runtime(tmp_path / "data", scenario)


def test_a_backup_holds_what_was_acknowledged_before_it(tmp_path):
    async def scenario(rt):
        await box(rt).run(WRITE.format(1))
        await rt.backup(tmp_path / "all.perdure")
        await box(rt).run(WRITE.format(2))

    with_runtime(tmp_path / "data", scenario)
    verify_backup(tmp_path / "all.perdure")
    restore_backup(tmp_path / "all.perdure", tmp_path / "again")

    async def look(rt):
        assert await box(rt).run(READ) == [1, [1]]

    with_runtime(tmp_path / "again", look)


def test_what_is_no_object_of_this_runtime_no_file_and_no_moment_is_said(tmp_path):
    async def scenario(rt):
        one = rt[Box]["one"]
        await one.run(WRITE.format(1))
        async with perdure.open(tmp_path / "elsewhere", objects=[Box]) as elsewhere:
            for wrong in ("one", rt[Box], Box, elsewhere[Box]["one"]):
                with pytest.raises(WrongType, match=r"stub, not|another runtime"):
                    await rt.delete(wrong)
        for at, error in [(1.5, WrongType), (datetime(2026, 1, 1), NaiveDatetime), ("noon", WrongValue)]:
            with pytest.raises(error):
                await rt.restore(one, at=at)
        for wrong_path in (3, b"one.db", "a\0b", "\udcff"):
            with pytest.raises(WrongType, match="path of a file"):
                await rt.export(one, wrong_path)
        with pytest.raises(WrongType, match="not an object class"):
            await rt.import_file(int, "a", "b")
        with pytest.raises(WrongType, match="name of an object"):
            await rt.fork(one, 3)
        assert await one.run(READ) == [1, [1]]

    with_runtime(tmp_path / "data", scenario)

    async def closed():
        async with perdure.open(tmp_path / "data", objects=[Box]) as rt:
            one = rt[Box]["one"]
        with pytest.raises(perdure.Disconnected, match="runtime is closed"):
            await rt.delete(one)

    asyncio.run(closed())


def test_what_a_program_exports_while_it_writes_opens_with_sqlite3(tmp_path):
    async def scenario(rt):
        one = rt[Box]["one"]
        for n in range(5):
            await one.run(WRITE.format(n))
            await rt.export(one, tmp_path / f"{n}.db")
            connection = sqlite3.connect(tmp_path / f"{n}.db")
            assert connection.execute("SELECT max(x) FROM t").fetchone() == (n,)
            connection.close()

    with_runtime(tmp_path / "data", scenario)
