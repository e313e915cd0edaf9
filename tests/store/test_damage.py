"""A flipped bit on the disk is met as an error that names object and key; what it does not touch serves on."""

import apsw
import pytest

from perdure.core.entry import Alarm, AlarmChange, Entry, ObjectRecord
from perdure.core.key_range import KeyRange
from perdure.core.page_change import page_change
from perdure.model.errors import StorageBroken, StoreBroken
from perdure.store import upkeep
from perdure.store.file_system import checksummed_file_system
from tests.store.test_undo import ask, pin, restore
from tests.store.world import World

A, B = b"a" * 32, b"b" * 32
PAGE = 4096


def flip_bit_at(path, table: str, content: bytes) -> None:
    """Flips a bit of that content in the pages of that table (what free pages still hold does not matter)."""
    connection = apsw.Connection(str(path), vfs=checksummed_file_system())
    pages = [page for (page,) in connection.execute("SELECT pageno FROM dbstat WHERE name = ?", (table,))]
    connection.close()
    data = bytearray(path.read_bytes())
    for page in pages:
        start = (page - 1) * PAGE
        position = data.find(content, start, start + PAGE)
        if position >= 0:
            data[position] ^= 4
            path.write_bytes(data)
            return
    raise AssertionError("the content is not there")


@pytest.fixture
def world(tmp_path):
    """A store of which one row of A is damaged on disk."""
    made = World(tmp_path / "store")
    made.register(A, 1, "room", **{f"k{n:03}": b"A%03d" % n * 100 for n in range(100)})
    made.register(B, 2, **{f"k{n:03}": b"B%03d" % n * 100 for n in range(100)})
    made.close()
    flip_bit_at(tmp_path / "store" / "store.db", "kv", b"A050" * 20)
    made = World(tmp_path / "store")
    yield made
    made.abandon()


def test_the_damage_is_named_with_object_and_key(world):
    with pytest.raises(StorageBroken) as caught:
        world.store.get(1, "k050")

    assert "key 'k050'" in str(caught.value)
    assert A.hex() in str(caught.value)
    assert "'room'" in str(caught.value)
    assert "damaged" in str(caught.value)
    with pytest.raises(StorageBroken, match="a range of keys"):
        world.store.scan(1, KeyRange())


def test_other_rows_and_objects_serve_on_and_can_be_written(world):
    with pytest.raises(StorageBroken):
        world.store.get(1, "k050")

    assert world.store.get(1, "k000") == b"A000" * 100
    assert len(world.store.scan(2, KeyRange())) == 100
    world.put(B, 2, k050=b"new")
    world.quiet()
    assert world.store.get(2, "k050") == b"new"
    assert world.failures == []
    assert world.store.counters().layer_bytes == 0


def test_a_write_over_the_damage_is_kept_in_the_log_and_everybody_serves_on(world):
    answers = []
    position = world.put(A, 1, k050=b"new")
    world.store.when_durable(A, position, answers.append)

    world.quiet()
    world.put(B, 2, k050=b"new")
    world.quiet()

    assert answers == [None]
    assert world.failures == []
    assert world.store.get(1, "k050") == b"new"
    assert world.store.get(2, "k050") == b"new"
    with pytest.raises(StorageBroken, match="a row that was written over is damaged.*other objects serve on"):
        world.run(world.store.dead_alarms((b"", 0), 5))
    world.close()


def test_what_cannot_be_applied_for_damage_turns_the_store_off_when_there_is_no_more_room(world, monkeypatch):
    world.put(A, 1, k050=b"new")
    world.quiet()
    monkeypatch.setattr(upkeep, "LAYERS_BYTES_MAX", 10)

    world.put(B, 2, k=b"more")
    world.settle()

    with pytest.raises(StoreBroken, match="is off"):
        world.put(B, 2, k=b"x")


def test_damage_in_the_registry_is_named(tmp_path):
    name = "a long name that can be found in the file"
    world = World(tmp_path / "store")
    world.store.append(Entry(A, 0, 1, {"k": b"v"}, ObjectRecord(1, name, 0)))
    world.close()
    flip_bit_at(tmp_path / "store" / "store.db", "object", name.encode())

    world = World(tmp_path / "store")
    with pytest.raises(StorageBroken, match="registry row of object " + A.hex()):
        world.store.record(A)
    world.abandon()


def test_damage_in_the_alarms_is_named(tmp_path):
    error = "what the last run said, to be found in the file"
    world = World(tmp_path / "store")
    world.store.append(Entry(A, 0, 1, {"k": b"v"}, ObjectRecord(1, "a", 0)))
    world.store.append(Entry(A, 0, 1, {}, alarm=AlarmChange(Alarm(5, 5, 1, 0, error))))
    world.close()
    flip_bit_at(tmp_path / "store" / "store.db", "alarm", error.encode())

    world = World(tmp_path / "store")
    with pytest.raises(StorageBroken, match="the alarm of object " + A.hex()):
        world.store.alarm(A)
    with pytest.raises(StorageBroken, match="table of alarms"):
        world.store.alarms((0, b""), 5)
    assert world.store.get(1, "k") == b"v"
    world.abandon()


@pytest.mark.parametrize("table", ["undo_row", "undo_page", "undo_mark"])
def test_damage_in_what_undoes_writes_is_named_when_the_object_goes_back_and_everybody_serves_on(tmp_path, table):
    name = "a name that can be found in the file"
    old = b"what was there before, to be found in the file " * 80
    world = World(tmp_path / "store")
    world.store.append(
        Entry(A, 0, 1, {"k": old}, ObjectRecord(1, name, 0), pages={0: page_change(None, old.ljust(PAGE))})
    )
    world.register(B, 2, k=b"B")
    place = pin(world)
    world.quiet()
    change = page_change(old.ljust(PAGE), bytes(PAGE))
    world.store.append(Entry(A, 1, 1, {"k": b"new"}, pages={0: change}))
    world.quiet()
    undo = ask(world, place)
    world.close()
    flip_bit_at(tmp_path / "store" / "store.db", table, name.encode() if table == "undo_mark" else old[:500])

    world = World(tmp_path / "store")
    with pytest.raises(StorageBroken, match="damaged") as caught:
        world.run(world.store.restore(A))

    assert A.hex() in str(caught.value)
    assert world.store.get(1, "k") == b"new"
    assert world.store.get(2, "k") == b"B"
    world.put(B, 2, k=b"new")
    world.quiet()
    assert world.failures == []
    if table == "undo_page":  # else the next change of the object meets the damage
        restore(world, undo)
        assert world.store.place_to_restore(A) is None
        assert world.store.get(1, "k") == b"new"
    world.abandon()


def test_a_damaged_log_is_refused_at_the_next_start_naming_the_row(tmp_path):
    world = World(tmp_path / "store")
    world.register(A, 1, k=b"first")
    world.settle()
    world.abandon()
    connection = apsw.Connection(str(tmp_path / "store" / "store.db"), vfs=checksummed_file_system())
    connection.execute("UPDATE log SET body = substr(body, 1, length(body) - 1)")
    connection.close()

    with pytest.raises(StoreBroken, match="row 65536 of the log fails its checksum"):
        World(tmp_path / "store")


def test_the_checksums_do_not_become_the_default_of_the_hosting_program():
    checksummed_file_system()

    assert apsw.vfs_names()[0] != checksummed_file_system()


def test_every_page_of_a_new_store_has_room_for_its_checksum(tmp_path):
    world = World(tmp_path / "store")

    connection = world.store._upkeep.tables().connection
    assert connection.reserve_bytes() == 8
    assert connection.pragma("checksum_verification") == "1"
    world.abandon()
