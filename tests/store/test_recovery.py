"""After a crash the tables hold every group that was in the log, wherever apply was interrupted."""

import pytest

from perdure.core.entry import Entry, ObjectRecord
from perdure.core.key_range import KeyRange
from perdure.core.layers import Group
from perdure.model.errors import StorageFull
from perdure.store import applying, files, log
from perdure.store.file_system import checksummed_file_system
from perdure.store.snapshot import groups_of, read_only
from perdure.testing.power_cut import PowerCutDisk
from tests.store.world import World

A, B = b"a" * 32, b"b" * 32


@pytest.fixture
def restart(tmp_path):
    """Kills the process, as far as the store can tell, and starts it again."""
    worlds = []

    def restart():
        if worlds:
            worlds[-1].abandon()
        worlds.append(World(tmp_path / "store"))
        return worlds[-1]

    yield restart
    worlds[-1].abandon()


def rows_of(world, table):
    return world.store._upkeep.tables().connection.execute(f"SELECT count(*) FROM {table}").get


def test_groups_in_the_log_are_in_the_tables_after_the_start(restart):
    world = restart()
    for n in range(10):
        world.register(A, 1, k=b"%d" % n, **{f"k{n}": b"v"})
        world.settle()
    durable = world.store.durable

    world = restart()

    assert rows_of(world, "log") == 0
    assert world.store.durable == durable
    assert world.store.get(1, "k") == b"9"
    assert len(world.store.scan(1, KeyRange())) == 11


def test_a_log_of_many_batches_is_recovered(restart, monkeypatch):
    monkeypatch.setattr(files, "BATCH_BYTES_MAX", 500)
    world = restart()
    for n in range(25):
        world.put(A, 1, k=b"%d" % n)
        world.settle()

    world = restart()

    assert rows_of(world, "log") == 0
    assert world.store.get(1, "k") == b"24"


@pytest.mark.parametrize("slices", range(1, 60, 3))
def test_an_apply_that_was_interrupted_anywhere_is_done_again(restart, slices, monkeypatch):
    monkeypatch.setattr(applying, "DELETE_BYTES_MAX", 100)
    monkeypatch.setattr(log, "LOG_ROW_ROWS_MAX", 40)  # so that a group is several rows, which do not go all at once
    monkeypatch.setattr(log, "_SURELY_SMALL_BYTES", 0)
    world = restart()
    for n in range(10):
        world.register(bytes([n]) * 32, n + 1, **{f"k{m}": b"%d" % n for m in range(100)})
        world.settle()
    world.store.append(Entry(A, 0, 99, {"k": b"v"}, ObjectRecord(99, None, 0), retires=5))
    world.settle()
    world.clock.tick_s = 0.01
    world.clock.advance(0.2)
    for _ in range(slices):
        world.committer.run()
    with read_only(world.place.database, world.place.file_system) as elsewhere:
        groups_of(elsewhere)  # whoever reads beside takes what is left of the log for whole, too

    world = restart()
    world.quiet()

    for n in range(10):
        expected = {} if n + 1 == 5 else {f"k{m}": b"%d" % n for m in range(100)}
        assert dict(world.store.scan(n + 1, KeyRange())) == expected
    assert world.store.get(99, "k") == b"v"
    world.put(B, 98, k=b"next")
    world.quiet()
    assert rows_of(world, "log") == 0


def test_a_group_of_several_log_rows_is_applied_and_forgotten_part_by_part(restart):
    world = restart()
    world.put(A, 1, **{f"k{n}": bytes(1_000_000) for n in range(20)})
    world.clock.turn()
    world.committer.run()
    parts = rows_of(world, "log")
    world.clock.tick_s = 0.01
    world.quiet()

    assert parts > 1
    assert rows_of(world, "log") == 0
    assert len(world.store.scan(1, KeyRange())) == 20


def test_a_store_that_was_never_used_is_empty(restart):
    world = restart()

    assert world.store.durable == 0
    assert world.store.new_generation() == 1
    assert world.store.record(A) is None
    assert restart().store.durable == 0


def test_a_generation_that_was_used_up_is_not_given_again(restart):
    world = restart()
    for _ in range(3):
        generation = world.store.new_generation()
        world.store.append(Entry(A, 0, generation, {"k": b"v"}, None, removed=True, retires=generation))
    world.quiet()

    world = restart()

    assert rows_of(world, "kv") == 0
    assert world.store.new_generation() == 4


def test_a_store_on_a_full_disk_still_opens_when_nothing_waits_in_its_log(tmp_path):
    disk = PowerCutDisk(tmp_path)
    world = World(tmp_path / "store", file_system=disk.file_system)
    world.register(A, 1, k=b"v")
    world.close()
    disk.full = True

    world = World(tmp_path / "store", file_system=disk.file_system)
    answers = []
    world.store.when_durable(A, world.put(A, 1, k=b"2"), answers.append)
    world.settle()

    assert isinstance(answers[0], StorageFull)
    assert world.store.get(1, "k") == b"v"
    world.abandon()
    disk.close()


def test_every_batch_ends_with_the_position_and_the_highest_generation_in_the_tables(tmp_path):
    place = World(tmp_path / "store").place
    opened = files.open_files(place)
    groups = [Group(7, (Entry(A, 5, 3, {"k": b"v"}, ObjectRecord(3, None, 5)),), 100), Group(8, (), 64)]

    opened.writer.begin_apply(groups)
    position = opened.writer.apply_slice()

    meta = dict(opened.reader.connection.execute("SELECT key, value FROM meta WHERE key != 'written_by'"))
    assert position == 8
    assert meta == {"position": 8, "applying": 8, "generation": 3}
    assert opened.reader.connection.execute("SELECT written_ms FROM object").get == 5
    assert place.file_system == checksummed_file_system()
    for connection in (opened.reader, opened.background, opened.writer):
        connection.close()
