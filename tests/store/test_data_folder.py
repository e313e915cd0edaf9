"""A data folder: namespaces by catalog, stores on demand, one bad store harms nobody else."""

import asyncio
import os
import shutil
import sqlite3

import pytest

from perdure.core.entry import Entry, ObjectRecord
from perdure.core.migrations import MigrationPlan
from perdure.model.errors import StoreBroken
from perdure.store import data_folder as module
from perdure.store import file_system
from perdure.store.crash_point import CrashPoint
from tests.store.contract import durable
from tests.store.folder import data_folder, made, with_folder
from tests.store.world import ManualClock

A = b"a" * 32


def unit(value: bytes) -> Entry:
    return Entry(A, 0, 1, {"k": value}, ObjectRecord(1, None, 0))


def test_a_migration_is_done_at_once_with_its_tag(tmp_path):
    async def scenario(folder):
        await folder.apply("w", MigrationPlan(creates=["A", "B", "C"], new_tag="v1"))
        before = {row.class_name: row for row in await folder.namespaces("w")}

        after = {
            row.class_name: row
            for row in await folder.apply(
                "w", MigrationPlan(creates=["A"], renames=[("A", "B"), ("B", "D")], deletes=["C"], new_tag="v2")
            )
        }

        assert await folder.tag("w") == "v2"
        assert set(after) == {"A", "B", "D"}
        assert (after["B"].id, after["D"].id) == (before["A"].id, before["B"].id)
        assert after["B"].unique_key == before["A"].unique_key
        assert after["A"].id not in {row.id for row in before.values()}
        assert await folder.namespaces("other") == []
        assert await folder.tag("other") is None

    with_folder(tmp_path / "data", scenario)


def test_two_classes_can_swap_their_names(tmp_path):
    async def scenario(folder):
        a, b = await made(folder, "A", "B")

        rows = await folder.apply("worker", MigrationPlan(renames=[("A", "B"), ("B", "A")]))

        assert {row.class_name: row.id for row in rows} == {"A": b, "B": a}

    with_folder(tmp_path / "data", scenario)


def test_what_a_store_holds_is_there_when_the_folder_is_opened_again(tmp_path):
    async def first(folder):
        (namespace,) = await made(folder, "A")
        (await folder.store(namespace)).append(unit(b"v"))

    async def second(folder):
        (row,) = await folder.namespaces()
        store = await folder.store(row.id)
        assert store.get(1, "k") == b"v"
        assert row.created_ms > 0 and len(row.unique_key) == 64

    with_folder(tmp_path / "data", first)
    with_folder(tmp_path / "data", second)


def test_a_store_is_opened_once_however_many_ask_for_it(tmp_path):
    async def scenario(folder):
        (namespace,) = await made(folder, "A")

        stores = await asyncio.gather(*(folder.store(namespace) for _ in range(5)))

        assert len(set(map(id, stores))) == 1

    with_folder(tmp_path / "data", scenario)


def test_folders_follow_the_catalog(tmp_path):
    async def scenario(folder):
        a, b = await made(folder, "A", "B")
        (await folder.store(b)).append(unit(b"v"))
        there = set(os.listdir(tmp_path / "data" / "namespaces"))

        await folder.apply("worker", MigrationPlan(deletes=["B"]))

        assert there == {a, b}
        assert os.listdir(tmp_path / "data" / "namespaces") == [a]
        with pytest.raises(StoreBroken, match="not in this data folder"):
            await folder.store(b)

    with_folder(tmp_path / "data", scenario)


def test_at_start_folders_of_nobody_are_swept_and_missing_ones_made(tmp_path):
    ids = []

    async def first(folder):
        ids.extend(await made(folder, "A"))

    async def second(folder):
        assert os.listdir(tmp_path / "data" / "namespaces") == ids
        assert (await folder.store(ids[0])).record(A) is None

    with_folder(tmp_path / "data", first)
    shutil.rmtree(tmp_path / "data" / "namespaces" / ids[0])
    (tmp_path / "data" / "namespaces" / "stranger" / "0").mkdir(parents=True)
    with_folder(tmp_path / "data", second)


def test_a_namespace_that_takes_another_key_has_it_for_good_and_no_other_namespace_has(tmp_path):
    async def first(folder):
        a, _ = await made(folder, "A", "B")
        keys.update({row.id: row.unique_key for row in await folder.namespaces()})

        taken = await folder.take_key(a, "shop-Box")

        assert (taken.id, taken.unique_key) == (a, "shop-Box")
        keys[a] = "shop-Box"

    async def second(folder):
        assert {row.id: row.unique_key for row in await folder.namespaces()} == keys

    keys = {}
    with_folder(tmp_path / "data", first)
    with_folder(tmp_path / "data", second)


def test_a_migration_that_fails_leaves_everything_as_it_was(tmp_path):
    class Failed(Exception):
        pass

    armed = []

    def at(point):
        if point is CrashPoint.BEFORE_CATALOG_COMMIT and armed:
            raise Failed

    async def scenario(folder):
        (a,) = await made(folder, "A")
        armed.append(True)

        with pytest.raises(Failed):
            await folder.apply("worker", MigrationPlan(creates=["B"], deletes=["A"], new_tag="v9"))

        assert [row.id for row in await folder.namespaces()] == [a]
        assert await folder.tag("worker") is None

    with_folder(tmp_path / "data", scenario, at=at)


def test_a_store_that_cannot_be_opened_is_named_and_others_work(tmp_path):
    ids = []

    async def first(folder):
        ids.extend(await made(folder, "A", "B"))
        for namespace in ids:
            (await folder.store(namespace)).append(unit(b"v"))

    async def second(folder):
        for _ in range(2):
            with pytest.raises(StoreBroken, match=ids[0]):
                await folder.store(ids[0])
        store = await folder.store(ids[1])
        assert store.get(1, "k") == b"v"
        store.append(unit(b"2"))

    with_folder(tmp_path / "data", first)
    (tmp_path / "data" / "namespaces" / ids[0] / "0" / "store.db").write_bytes(b"not a database" * 1000)
    with_folder(tmp_path / "data", second)


def test_a_catalog_that_cannot_be_opened_is_named_and_lets_the_lock_go(tmp_path):
    async def nothing(folder):
        pass

    with_folder(tmp_path / "data", nothing)
    content = (tmp_path / "data" / "catalog.db").read_bytes()
    (tmp_path / "data" / "catalog.db").write_bytes(b"not a database" * 1000)

    for _ in range(2):
        with pytest.raises(StoreBroken, match="catalog"):
            with_folder(tmp_path / "data", nothing)

    (tmp_path / "data" / "catalog.db").write_bytes(content)
    with_folder(tmp_path / "data", nothing)


def test_a_database_of_somebody_else_is_not_touched(tmp_path):
    (tmp_path / "data").mkdir()
    other = sqlite3.connect(tmp_path / "data" / "catalog.db")
    other.execute("CREATE TABLE t(x)")
    other.commit()
    other.close()
    before = (tmp_path / "data" / "catalog.db").read_bytes()

    async def nothing(folder):
        pass

    with pytest.raises(StoreBroken, match="not a Perdure database"):
        with_folder(tmp_path / "data", nothing)
    assert (tmp_path / "data" / "catalog.db").read_bytes() == before


class SteeredClock(ManualClock):
    """The loop runs for real; time stands until the test moves it."""

    def call_soon(self, fn):
        asyncio.get_running_loop().call_soon(fn)


async def pass_time(clock, seconds):
    """Lets time pass, and everything that it sets off happen."""
    ends = clock.now + seconds
    while clock.now < ends:
        clock.advance(1.0)
        for _ in range(20):
            await asyncio.sleep(0)


def test_a_store_that_nobody_used_for_a_minute_closes_its_connections(tmp_path):
    clock = SteeredClock()

    async def scenario(folder):
        (namespace,) = await made(folder, "A")
        store = await folder.store(namespace)
        for _ in range(4):
            store.append(unit(b"v"))
            await pass_time(clock, 30)
            assert not store.resting

        # The threads are real: how much time of this clock they take is not the point.
        while not store.resting:
            await pass_time(clock, 30)

        assert store.get(1, "k") == b"v"

    with_folder(tmp_path / "data", scenario, clock=clock)


def test_no_more_stores_than_allowed_keep_their_connections(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "OPEN_STORES_MAX", 2)

    async def scenario(folder):
        ids = await made(folder, *"ABCD")
        stores = [await folder.store(namespace) for namespace in ids]
        while sum(not store.resting for store in stores) > 2:
            await asyncio.sleep(0)

        for store in stores:
            store.append(unit(b"v"))
            await durable(store, A, store.next_position - 1)
            assert store.get(1, "k") == b"v"

    with_folder(tmp_path / "data", scenario)


def test_a_closed_folder_refuses_everything(tmp_path):
    async def run():
        async with data_folder(tmp_path / "data") as folder:
            (namespace,) = await made(folder, "A")
            store = await folder.store(namespace)
        for use in (folder.namespaces, lambda: folder.tag("w"), lambda: folder.store(namespace)):
            with pytest.raises(StoreBroken, match="closed"):
                await use()
        with pytest.raises(Exception, match="closed"):
            store.append(unit(b"v"))
        await folder.close()

    asyncio.run(run())


def test_closing_waits_for_a_store_that_is_being_opened(tmp_path):
    async def scenario(folder):
        good, bad = await made(folder, "A", "B")
        (tmp_path / "data" / "namespaces" / bad / "0" / "store.db").write_bytes(b"x" * 10_000)
        opening = [asyncio.ensure_future(folder.store(namespace)) for namespace in (good, bad)]
        await asyncio.sleep(0)

        await folder.close()

        store, error = await asyncio.gather(*opening, return_exceptions=True)
        assert isinstance(error, StoreBroken)
        with pytest.raises(Exception, match="closed"):
            store.append(unit(b"v"))

    with_folder(tmp_path / "data", scenario)


def test_a_catalog_that_cannot_be_read_or_written_says_so(tmp_path):
    async def scenario(folder):
        folder._catalog.connection.execute("DROP TABLE migration")

        with pytest.raises(StoreBroken, match="cannot be read"):
            await folder.tag("worker")
        with pytest.raises(StoreBroken, match="not recorded"):
            await folder.apply("worker", MigrationPlan(creates=["A"], new_tag="v1"))
        assert await folder.namespaces() == []

    with_folder(tmp_path / "data", scenario)


def test_without_the_checksum_extension_nothing_is_opened(monkeypatch):
    def missing(_connection, name):
        raise file_system.apsw.sqlite_extra.NotAvailable(f"{name} is not included")

    monkeypatch.setattr(file_system.apsw.sqlite_extra, "load", missing)

    with pytest.raises(StoreBroken, match="pip install"):
        file_system._register()
