"""A format that this program does not know is refused, naming who wrote it, and nothing is changed."""

import sqlite3

import apsw
import pytest

from perdure.model.errors import StoreTooNew
from perdure.store.file_system import checksummed_file_system
from perdure.store.schema import FORMAT
from tests.store.folder import made, with_folder
from tests.store.world import World


def make_newer(path, written_by="9.9.9"):
    connection = apsw.Connection(str(path), vfs=checksummed_file_system())
    connection.pragma("user_version", FORMAT + 1)
    if written_by is None:
        connection.execute("DROP TABLE meta")
    else:
        connection.execute("UPDATE meta SET value = ? WHERE key = 'written_by'", (written_by,))
    connection.close()


def test_a_newer_store_is_refused_naming_its_writer_and_left_as_it_is(tmp_path):
    world = World(tmp_path / "store")
    world.close()
    path = tmp_path / "store" / "store.db"
    make_newer(path)
    before = path.read_bytes()

    with pytest.raises(StoreTooNew) as caught:
        World(tmp_path / "store")

    assert caught.value.written_by == "9.9.9"
    assert "9.9.9" in str(caught.value)
    assert path.read_bytes() == before


def test_a_newer_store_that_says_nothing_of_its_writer_is_refused_too(tmp_path):
    World(tmp_path / "store").close()
    make_newer(tmp_path / "store" / "store.db", written_by=None)

    with pytest.raises(StoreTooNew, match="an unknown version"):
        World(tmp_path / "store")


def test_a_newer_store_does_not_keep_others_from_serving(tmp_path):
    async def scenario(folder):
        first, second = await made(folder, "A", "B")
        await (await folder.store(first)).close()
        folder._stores.clear()
        make_newer(tmp_path / "data" / "namespaces" / first / "0" / "store.db")

        with pytest.raises(StoreTooNew):
            await folder.store(first)
        assert (await folder.store(second)).durable == 0

    with_folder(tmp_path / "data", scenario)


def test_a_newer_catalog_is_refused(tmp_path):
    async def nothing(folder):
        pass

    with_folder(tmp_path / "data", nothing)
    make_newer(tmp_path / "data" / "catalog.db")

    with pytest.raises(StoreTooNew):
        with_folder(tmp_path / "data", nothing)


def test_a_store_of_the_format_before_is_taken_over_with_what_it_holds(tmp_path):
    world = World(tmp_path / "store")
    world.register(b"a" * 32, 1, "room", k=b"v")
    world.close()
    path = tmp_path / "store" / "store.db"
    connection = apsw.Connection(str(path), vfs=checksummed_file_system())
    connection.execute("DROP TABLE page; UPDATE meta SET value = '0.0.1' WHERE key = 'written_by'")
    connection.pragma("user_version", 1)
    connection.close()

    world = World(tmp_path / "store")

    assert world.store.get(1, "k") == b"v"
    assert world.store.page(1, 0) is None
    world.close()
    with pytest.raises(StoreTooNew, match="0.0.test"):
        make_newer(path, written_by="0.0.test")
        World(tmp_path / "store")


def test_anybody_can_open_a_store_with_any_sqlite_tool(tmp_path):
    world = World(tmp_path / "store")
    world.register(b"a" * 32, 1, "room", k=b"v")
    world.close()

    other = sqlite3.connect(tmp_path / "store" / "store.db")
    assert other.execute("SELECT key, value FROM kv").fetchall() == [("k", b"v")]
    assert other.execute("SELECT name FROM object").fetchall() == [("room",)]
    other.close()
