"""An object as a file, and back: what is exported is what is stored, and what is imported is what the file holds."""

import asyncio
import sqlite3

import pytest

import perdure
from perdure.host.export import export_object
from perdure.host.stored_object import stored_class
from perdure.model.errors import StorageFull, StoreBroken, WrongValue
from tests.host.stored import Box, Other, dump, exported, imported, keys_of, random_steps, work
from tests.store.test_backup import room_for
from tests.store.test_damage import flip_bit_at


@pytest.mark.parametrize("seed", range(20))
def test_an_export_that_is_imported_has_equal_keys_and_an_equal_dump(tmp_path, seed):
    folder = tmp_path / "data"
    work(folder, ("one", random_steps(seed)))
    first = exported(folder, "one", tmp_path / "first.db")

    imported(folder, "two", first)

    second = exported(folder, "two", tmp_path / "second.db")
    assert keys_of(second) == keys_of(first)
    assert dump(second) == dump(first)
    connection = sqlite3.connect(second)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


def test_keys_are_bytes_and_as_json_where_they_are_json(tmp_path):
    folder = tmp_path / "data"
    work(folder, ("one", "kv.put('a', {'x': [1, 'é']}); kv.put('b', {1, 2})"))

    connection = sqlite3.connect(exported(folder, "one", tmp_path / "one.db"))

    rows = connection.execute("SELECT key, typeof(value), json FROM _perdure_kv ORDER BY key").fetchall()
    assert rows == [("a", "blob", '{"x": [1, "é"]}'), ("b", "blob", None)]
    connection.close()


def test_an_imported_object_is_used_like_any_other(tmp_path):
    folder = tmp_path / "data"
    work(folder, ("one", "kv.put('a', (1, 2)); sql.exec('CREATE TABLE t(x)'); sql.exec('INSERT INTO t VALUES(7)')"))
    imported(folder, "two", exported(folder, "one", tmp_path / "one.db"))

    read = (
        "sql.exec('INSERT INTO t VALUES(8)'); result = [kv.get('a'), sql.exec('SELECT sum(x) AS s FROM t').one()['s']]"
    )

    assert work(folder, ("two", read), ("one", read)) == [[(1, 2), 15], [(1, 2), 15]]


def test_a_file_that_plain_sqlite_made_is_imported_whatever_its_pages(tmp_path):
    file = tmp_path / "plain.db"
    connection = sqlite3.connect(file)
    connection.executescript(
        "PRAGMA page_size = 1024; PRAGMA journal_mode = wal; CREATE TABLE t(x, y); CREATE VIRTUAL TABLE f USING fts5(w);"
    )
    connection.executemany("INSERT INTO t VALUES(?, ?)", [(n, "x" * n) for n in range(2_000)])
    connection.execute("INSERT INTO f VALUES('some words')")
    connection.commit()
    expected = dump(file)
    work(tmp_path / "data", ("other", "kv.put('a', 1)"))

    imported(tmp_path / "data", "one", file)

    again = exported(tmp_path / "data", "one", tmp_path / "again.db")
    assert [line for line in dump(again) if "_perdure_kv" not in line] == expected
    assert keys_of(again) == []
    connection.close()


def test_what_is_acknowledged_is_exported_while_the_folder_is_served(tmp_path):
    folder = tmp_path / "data"

    async def scenario():
        async with perdure.open(folder, objects=[Box, Other]) as runtime:
            for n in range(20):
                await runtime.env.Box.get_by_name("one").run(
                    f"kv.put('n', {n}); sql.exec('CREATE TABLE IF NOT EXISTS t(x)'); sql.exec('INSERT INTO t VALUES({n})')"
                )
                of = stored_class(folder, "Box")
                file = tmp_path / "one.db"
                await asyncio.to_thread(export_object, of, of.id_of("one"), file, force=True)
                connection = sqlite3.connect(file)
                assert connection.execute("SELECT json FROM _perdure_kv").fetchall() == [(str(n),)]
                assert connection.execute("SELECT max(x) FROM t").fetchall() == [(n,)]
                connection.close()

    asyncio.run(scenario())


def test_an_export_refuses_to_overwrite_and_leaves_no_part_behind(tmp_path):
    work(tmp_path / "data", ("one", "kv.put('a', 1)"))
    file = tmp_path / "one.db"
    file.write_text("mine")

    with pytest.raises(WrongValue, match="is there already.*--force"):
        exported(tmp_path / "data", "one", file, force=False)
    assert file.read_text() == "mine"
    with pytest.raises(WrongValue, match="'nobody' stores nothing"):
        exported(tmp_path / "data", "nobody", tmp_path / "nobody.db")

    exported(tmp_path / "data", "one", file, force=True)
    assert keys_of(file)
    assert {path.name for path in tmp_path.iterdir()} == {"data", "one.db"}


def test_of_two_exports_to_one_file_the_second_is_told_and_the_first_is_whole(tmp_path):
    work(tmp_path / "data", ("one", "kv.put('a', 1)"), ("two", "kv.put('a', 2)"))
    of, file, others = stored_class(tmp_path / "data", "Box"), tmp_path / "one.db", []

    def another(done: int, total: int) -> None:
        if not others:
            others.append(exported(tmp_path / "data", "one", file, force=False))

    with pytest.raises(WrongValue, match="one.db is there already"):
        export_object(of, of.id_of("two"), file, force=False, progress=another)

    assert {path.name for path in tmp_path.iterdir()} == {"data", "one.db"}
    assert keys_of(file) == keys_of(exported(tmp_path / "data", "one", tmp_path / "again.db"))


def test_a_folder_is_not_taken_for_a_file_to_be_replaced(tmp_path):
    work(tmp_path / "data", ("one", "kv.put('a', 1)"))
    (tmp_path / "folder").mkdir()

    with pytest.raises(WrongValue, match="folder is a folder"):
        exported(tmp_path / "data", "one", tmp_path / "folder", force=True)


def test_an_object_is_named_by_its_id_as_well(tmp_path):
    work(tmp_path / "data", ("one", "kv.put('a', 1)"))
    of = stored_class(tmp_path / "data", "Box")

    by_id = exported(tmp_path / "data", of.id_of("one").hex, tmp_path / "by_id.db")

    assert keys_of(by_id)
    with pytest.raises(WrongValue, match="no class of this data folder"):
        stored_class(tmp_path / "data", "Nothing")
    with pytest.raises(WrongValue, match="no data folder"):
        stored_class(tmp_path / "elsewhere", "Box")


def test_a_damaged_object_is_not_exported_half(tmp_path):
    work(tmp_path / "data", ("one", "kv.put('a', 'find this in the file' * 40)"))
    of = stored_class(tmp_path / "data", "Box")
    flip_bit_at(of.database, "kv", b"find this in the file")

    with pytest.raises(StoreBroken, match="perdure doctor"):
        exported(tmp_path / "data", "one", tmp_path / "one.db")

    assert {path.name for path in tmp_path.iterdir()} == {"data"}


@pytest.mark.parametrize("size", [50_000, 300_000, 900_000])
def test_a_full_disk_is_said_and_leaves_no_half_of_an_object(tmp_path, size):
    work(
        tmp_path / "data",
        (
            "one",
            "sql.exec('CREATE TABLE t(a)'); sql.exec('INSERT INTO t VALUES(zeroblob(500000))'); kv.put('k', 'x' * 900_000)",
        ),
    )

    with room_for(size), pytest.raises(StorageFull, match="no room for one.db.*nothing was changed"):
        exported(tmp_path / "data", "one", tmp_path / "one.db")

    assert {path.name for path in tmp_path.iterdir()} == {"data"}
