"""The open databases of a process: as many as are worth their memory, and never one closed that has a unit."""

import gc

import apsw
import pytest

from perdure.objects.sql.pool import SqlPool
from tests.objects.sql.shelf import Shelf


def pool(open_max: int) -> SqlPool:
    return SqlPool(now_ms=lambda: 0, open_max=open_max)


def test_10_000_objects_with_sql_have_no_more_databases_open_than_are_allowed():
    shared = pool(50)
    connections = len(apsw.connections())
    first = Shelf(shared)
    first.exec("CREATE TABLE t (n); INSERT INTO t VALUES (1)")
    first.seal()
    shelves = []
    most = 0
    for n in range(10_000):
        shelf = Shelf(shared)
        shelf.pages.update(first.pages)
        shelf.exec("INSERT INTO t VALUES (?)", n)
        shelf.seal()
        shelves.append(shelf)
        most = max(most, shared.open, len(apsw.connections()) - connections)

    assert most == 50
    assert [shelves[n].rows("SELECT max(n) FROM t") for n in (0, 5_000, 9_999)] == [[(1,)], [(5_000,)], [(9_999,)]]
    assert shared.open == 50


def test_what_an_object_with_a_closed_database_takes_is_little():
    shared = pool(2)
    shelves = [Shelf(shared) for _ in range(20)]
    for shelf in shelves:
        shelf.exec("CREATE TABLE t (n)")
        shelf.seal()
    gc.collect()
    before = apsw.memory_used()
    more = [Shelf(shared) for _ in range(200)]

    for shelf in more:
        shelf.exec("CREATE TABLE t (n); INSERT INTO t VALUES (zeroblob(100000))")
        shelf.seal()

    assert apsw.memory_used() - before < 600_000
    assert not any(shelf.database._file._kept for shelf in more[:-2])


def test_what_was_bound_to_a_statement_is_not_kept_with_it():
    """SQLite keeps a copy of the values of a statement that is kept for the next time."""
    shelf = Shelf()
    shelf.exec("CREATE TABLE t (a)")
    shelf.seal()
    before = apsw.memory_used()

    for n in range(20):
        shelf.exec(f"SELECT length(?), length(?) AS m{n}", "x" * 2_000, b"x" * 2_000)
    for n in range(4):
        shelf.exec(f"SELECT length(?) AS n{n}", b"x" * 1_000_000)
        shelf.database.exec(f"SELECT length(:a) AS n{n}", {"a": "x" * 1_000_000})
        shelf.database.exec_many(f"UPDATE t SET a = ? WHERE a = 'n{n}'", [(b"x" * 1_000_000,)])
    shelf.seal()

    assert apsw.memory_used() - before < 400_000


def test_the_one_that_was_not_used_for_longest_is_closed():
    shared = pool(2)
    old, used, new = Shelf(shared), Shelf(shared), Shelf(shared)
    for shelf in (used, old, used):
        shelf.rows("SELECT 1")

    new.rows("SELECT 1")

    assert [shelf.database._connection is not None for shelf in (old, used, new)] == [False, True, True]


def test_one_with_a_unit_is_never_closed():
    shared = pool(2)
    writing = Shelf(shared)
    writing.exec("CREATE TABLE t (n)")

    for _ in range(20):
        Shelf(shared).rows("SELECT 1")
    writing.exec("INSERT INTO t VALUES (1)", depth=1)
    for _ in range(20):
        Shelf(shared).rows("SELECT 1")
    writing.database.roll_back(0)

    writing.seal()
    assert writing.rows("SELECT count(*) FROM t") == [(0,)]
    assert shared.open == 2


def test_after_a_time_of_many_units_there_are_as_few_open_as_allowed():
    shared = pool(3)
    shelves = [Shelf(shared) for _ in range(10)]
    for shelf in shelves:
        shelf.exec("CREATE TABLE t (n)")
    assert shared.open == 10
    for shelf in shelves:
        shelf.seal()

    Shelf(shared).rows("SELECT 1")

    assert shared.open == 3
    for shelf in shelves:
        assert shelf.rows("SELECT count(*) FROM t") == [(0,)]


def test_a_unit_that_was_undone_is_no_reason_to_keep_it_open():
    shared = pool(1)
    shelf = Shelf(shared)
    shelf.exec("CREATE TABLE t (n)", depth=1)
    shelf.database.roll_back(0)
    shelf.seal()

    Shelf(shared).rows("SELECT 1")

    assert shelf.database._connection is None


@pytest.mark.parametrize("end", ["close", "rest"])
def test_a_database_that_ends_leaves_the_pool(end):
    shared = pool(5)
    shelf = Shelf(shared)
    shelf.rows("SELECT 1")

    getattr(shelf.database, end)()

    assert shared.open == 0
