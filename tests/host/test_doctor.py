"""The doctor finds one flipped bit wherever it is, and says what it hit."""

import asyncio
from pathlib import Path
from typing import Any

import apsw
import pytest

import perdure
from perdure.core.entry import Alarm, AlarmChange, DeadAlarm, Entry, ObjectRecord
from perdure.core.page_change import PAGE_BYTES, page_change
from perdure.host.doctor import examine
from perdure.host.stored_object import stored_class
from perdure.model.errors import WrongValue
from perdure.model.value import encode
from perdure.store.file_system import checksummed_file_system
from tests.host.stored import Box, Other, work
from tests.store.folder import made, with_folder
from tests.store.test_damage import flip_bit_at
from tests.store.world import World

A, B, C = b"a" * 32, b"b" * 32, b"c" * 32
NOW = 1_800_000_000_000
LEAF_OF_A_TABLE = 13
SQL = """
sql.exec('CREATE TABLE t(a, b)')
for n in range(200): sql.exec('INSERT INTO t VALUES(?, ?)', n, 'find the page %d' % n * 20)
sql.exec('CREATE INDEX by_b ON t(b)')
"""


def folder_of_one_store(path: Path) -> Path:
    """A data folder with one class; gives the folder of its store."""

    async def make(folder):
        await made(folder, "Room")

    with_folder(path, make)
    [store] = (path / "namespaces").glob("*/0")
    return store


def findings(folder: Path):
    return examine(folder, now_ms=NOW).findings


def fill(world: World) -> None:
    world.register(A, 1, "room", **{f"k{n:03}": encode(f"A{n:03}" * 100, path="") for n in range(100)})
    world.register(B, 2, **{f"k{n:03}": encode(f"B{n:03}" * 100, path="") for n in range(100)})
    world.store.append(Entry(A, 0, 1, {"large": encode("y" * 9_000 + "in the overflow" * 20, path="")}))
    failed = "what the last run said, to be found in the file"
    world.store.append(
        Entry(A, 0, 1, {}, alarm=AlarmChange(Alarm(5, 5, 1, 0, failed), DeadAlarm(4, 5, 6, "dead: " + failed)))
    )
    world.quiet()
    old = b"what the page was before" * 100
    first = page_change(None, old.ljust(PAGE_BYTES))
    world.store.append(Entry(C, 1, 3, {}, ObjectRecord(3, "tables", 0), pages={7: first}, pin=True))
    world.quiet()
    second = page_change(old.ljust(PAGE_BYTES), bytes(PAGE_BYTES))
    world.store.append(Entry(A, 1, 1, {"k000": encode("new", path="")}, pin=True))
    world.store.append(Entry(C, 1, 3, {}, pages={7: second}))
    world.close()


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "data"
    fill(World(folder_of_one_store(path)))
    return path


def test_a_whole_folder_has_no_findings(folder, tmp_path):
    work(tmp_path / "other", ("one", SQL), ("two", "kv.put('k', 1); sql.exec('CREATE VIRTUAL TABLE f USING fts5(a)')"))

    assert findings(folder) == []
    seen = examine(tmp_path / "other", now_ms=NOW)
    assert (seen.findings, seen.objects, seen.served_by) == ([], 2, None)


@pytest.mark.parametrize(
    ("table", "content", "object", "said"),
    [
        ("kv", b"A050" * 20, A, "keys after 'k0"),
        ("kv", b"in the overflow" * 3, A, "key 'large' of object"),
        ("object", b"room", None, "registry rows of objects"),
        ("alarm", b"what the last run said", None, ": alarms of objects"),
        ("dead_alarm", b"dead: what", None, ": dead alarms of objects"),
        ("undo_mark", b"room", None, "table undo_mark"),
        ("undo_row", b"A000" * 20, None, "table undo_row"),
        ("undo_page", b"what the page was before" * 20, None, "table undo_page"),
        ("object_name", b"room", None, "the file is damaged"),
        ("meta", b"0.0.test", None, "meta"),
    ],
)
def test_one_flipped_bit_is_found_and_named(folder, table, content, object, said):
    [database] = folder.rglob("store.db")
    flip_bit_at(database, table, content)

    found = findings(folder)

    assert any(said in str(each) for each in found), found
    if object is not None:
        assert {each.object for each in found} == {object.hex()}
        assert {each.name for each in found} == {"room"}


def test_what_is_damaged_hides_no_other_damage(folder):
    [database] = folder.rglob("store.db")
    connection = apsw.Connection(str(database), vfs=checksummed_file_system())
    connection.execute("UPDATE kv SET value = x'00' WHERE generation = 2 AND key = 'k007'")
    connection.close()
    flip_bit_at(database, "alarm", b"what the last run said")
    flip_bit_at(database, "kv", b"A050" * 20)

    found = findings(folder)

    assert {each.object for each in found} == {A.hex(), B.hex(), None}


def test_a_damaged_page_of_an_objects_tables_is_named(tmp_path):
    work(tmp_path / "data", ("one", SQL), ("two", "kv.put('k', 1)"))
    of = stored_class(tmp_path / "data", "Box")
    flip_bit_at(of.database, "page", b"find the page 150" * 3)

    [found] = findings(tmp_path / "data")

    assert found.object == of.id_of("one").hex
    assert found.name == "one"
    assert "of the SQL database of object" in found.what


def test_a_database_that_contradicts_itself_is_named(tmp_path):
    work(tmp_path / "data", ("one", SQL))
    of = stored_class(tmp_path / "data", "Box")
    connection = apsw.Connection(str(of.database), vfs=checksummed_file_system())
    rows: list[Any] = connection.execute("SELECT id, body FROM page ORDER BY id").fetchall()
    for id, body in rows:
        if body[0] == LEAF_OF_A_TABLE and b"find the page 7f" in body:
            connection.execute(
                "UPDATE page SET body = ? WHERE id = ?", (body.replace(b"find the page 7f", b"find the page 7g"), id)
            )
            break
    else:
        raise AssertionError("no such page")
    connection.close()

    [found] = findings(tmp_path / "data")

    assert "the SQL database of object" in found.what
    assert "index by_b" in found.why


def test_a_value_that_is_none_is_named(folder):
    [database] = folder.rglob("store.db")
    connection = apsw.Connection(str(database), vfs=checksummed_file_system())
    connection.execute("UPDATE kv SET value = x'00' WHERE generation = 2 AND key = 'k007'")
    connection.close()

    [found] = findings(folder)

    assert (found.object, found.key) == (B.hex(), "k007")


def test_a_damaged_row_of_the_log_is_named(tmp_path):
    store = folder_of_one_store(tmp_path / "data")
    world = World(store)
    world.register(A, 1, "room", k=encode(1, path=""))
    world.settle()
    world.abandon()
    assert findings(tmp_path / "data") == []
    connection = apsw.Connection(str(store / "store.db"), vfs=checksummed_file_system())
    connection.execute("UPDATE log SET body = substr(body, 1, length(body) - 1)")
    connection.close()

    found = findings(tmp_path / "data")

    assert any("row 65536 of the log fails its checksum" in each.why for each in found)


def test_rows_and_alarms_of_nobody_are_named(folder):
    [database] = folder.rglob("store.db")
    connection = apsw.Connection(str(database), vfs=checksummed_file_system())
    connection.execute("DELETE FROM object WHERE id = ?", (A,))
    connection.close()

    said = " ".join(str(each) for each in findings(folder))

    assert "rows of generation 1 belong to no object" in said
    assert f"the alarm of object {A.hex()}: the object stores nothing" in said


def test_a_damaged_catalog_is_named(tmp_path):
    work(tmp_path / "data", ("one", "kv.put('k', 1)"))
    flip_bit_at(tmp_path / "data" / "catalog.db", "namespace", b"Box")

    [found] = findings(tmp_path / "data")

    assert found.where == "catalog.db"


def test_a_folder_that_is_served_is_looked_at_and_its_holder_is_told(tmp_path):
    async def scenario():
        async with perdure.open(tmp_path / "data", objects=[Box, Other]) as runtime:
            await runtime.env.Box.get_by_name("one").run("kv.put('k', 1)")
            return await asyncio.to_thread(examine, tmp_path / "data", now_ms=NOW)

    seen = asyncio.run(scenario())

    assert seen.findings == []
    assert seen.objects == 1
    assert "process" in str(seen.served_by)


def test_a_folder_that_is_none_is_refused(tmp_path):
    with pytest.raises(WrongValue, match="no data folder"):
        findings(tmp_path / "nowhere")
