"""Behind the store's back: when groups are taken, when apply, sweep and checkpoints run, and what they leave."""

import asyncio

import pytest

from perdure.core.entry import Entry, ObjectRecord
from perdure.core.layers import Layers
from perdure.core.row_cache import RowCache
from perdure.model.errors import StorageBroken, StoreBroken, WrongThread
from perdure.store import checkpoints, sqlite_store, upkeep
from perdure.store.connection import close_untouched
from perdure.store.snapshot import open_read_only
from tests.store.world import World

A, B = b"a" * 32, b"b" * 32


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path / "store")
    yield made
    made.abandon()


def test_units_of_one_turn_of_the_loop_are_one_group(world):
    for n in range(64):
        world.put(bytes([n]) * 32, n + 1, k=b"v")
    world.settle()

    counters = world.store.counters()
    assert (counters.groups, counters.syncs) == (1, 1)


def test_what_gathers_while_a_group_is_written_is_the_next_one(world):
    first = world.put(A, 1, k=b"1")
    world.clock.turn()
    second = world.put(A, 1, k=b"2")
    third = world.put(B, 2, k=b"2")

    world.committer.run()

    assert (second, third) == (first + 1, first + 1)
    assert world.store.durable == first
    assert len(world.committer.jobs) == 1
    world.settle()
    assert world.store.durable == second


def test_a_quiet_store_has_an_empty_log_and_empty_layers(world):
    world.register(A, 1, k=b"v")
    world.settle()
    before = world.store.counters()

    world.quiet()

    rows = world.store._upkeep.tables().connection.execute("SELECT count(*) FROM log").get
    assert before.layer_bytes > 0 and before.apply_slices == 0
    assert rows == 0
    assert world.store.counters().layer_bytes == 0
    assert world.store.counters().syncs == 1
    assert world.store.get(1, "k") == b"v"


def test_apply_waits_as_long_as_something_is_written_now_and_then(world):
    for _ in range(5):
        world.put(A, 1, k=b"v")
        world.settle()
        world.clock.advance(0.04)
        world.settle()

    assert world.store.counters().apply_slices == 0


def test_a_hot_row_is_written_once_by_apply(world):
    for n in range(100):
        world.put(A, 1, k=b"%d" % n)
        world.settle()

    world.quiet()

    assert world.store.counters().rows_applied == 1
    assert world.store.get(1, "k") == b"99"


def test_apply_stops_after_its_slice_and_a_group_goes_first(world, monkeypatch):
    monkeypatch.setattr(upkeep, "APPLY_BYTES_MIN", 1)
    world.put(A, 1, **{f"k{n}": b"v" for n in range(1_000)})
    world.settle()
    world.clock.tick_s = 0.001
    world.clock.advance(0.1)
    world.committer.run()
    slices = world.store.counters().apply_slices
    position = world.put(B, 2, k=b"v")
    world.settle()

    assert slices == 1
    assert world.store.durable == position
    world.quiet()
    assert world.store.counters().apply_slices > 3
    assert world.store.counters().rows_applied == 1_001
    assert world.store.get(1, "k999") == b"v"


def test_rows_of_a_retired_generation_are_swept_in_slices(world):
    world.register(A, 1, **{f"k{n}": b"v" for n in range(1_000)})
    world.quiet()
    world.clock.tick_s = 0.001
    world.store.append(Entry(A, 0, 2, {}, ObjectRecord(2, None, 0), retires=1))
    world.quiet()
    world.clock.advance(31 * 86_400)
    world.register(B, 3, k=b"v")

    world.quiet()

    connection = world.store._upkeep.tables().connection
    assert world.store.counters().rows_swept == 1_000
    assert connection.execute("SELECT count(*) FROM kv").get == 1
    assert connection.execute("SELECT count(*) FROM retired").get == 0


def test_rows_of_a_generation_that_the_same_batch_retires_are_never_written(world):
    world.register(A, 1, **{f"k{n}": b"v" for n in range(10)})
    world.store.append(Entry(A, 0, 2, {"k": b"new"}, ObjectRecord(2, None, 0), retires=1))

    world.quiet()

    assert world.store.counters().rows_applied == 1
    assert world.store.get(2, "k") == b"new"


def test_a_checkpoint_runs_when_the_log_of_the_database_is_long(world, monkeypatch):
    monkeypatch.setattr(checkpoints, "CHECKPOINT_PAGES_MIN", 20)
    for n in range(60):
        world.put(A, 1, **{f"k{n}": bytes(4_000)})
        world.settle()

    assert world.store.counters().checkpoints >= 1


def test_while_somebody_reads_no_more_checkpoints_are_made_than_the_log_grows_for(world, monkeypatch):
    monkeypatch.setattr(checkpoints, "CHECKPOINT_PAGES_MIN", 20)
    world.register(A, 1, k=b"v")
    world.settle()
    backup = open_read_only(world.place.database, world.place.file_system)
    for n in range(60):
        world.put(A, 1, k=b"%d" % n)
        world.settle()
    made = world.store.counters().checkpoints
    close_untouched(backup)
    for n in range(60):
        world.put(A, 1, k=b"%d" % n)
        world.settle()

    pages = world.store._upkeep.connections.writer.wal_pages
    assert 1 <= made <= 12
    assert made < world.store.counters().checkpoints
    assert pages < 60


def test_a_log_that_checkpoints_cannot_catch_up_with_is_checkpointed_while_the_writer_holds_still(world, monkeypatch):
    monkeypatch.setattr(checkpoints, "CHECKPOINT_PAGES_MIN", 20)
    monkeypatch.setattr(checkpoints, "WAL_PAGES_MAX", 50)
    for n in range(200):
        world.put(A, 1, **{f"k{n}": bytes(4_000)})
        while world.clock.turn() or world.committer.run():
            if n % 10 == 0:
                world.background.run()
    world.settle()

    size = world.place.database.with_name("store.db-wal").stat().st_size
    assert size < 150 * 4_120
    assert world.store.get(1, "k199") == bytes(4_000)


def test_an_idle_store_closes_its_connections_and_opens_them_when_used(world):
    world.register(A, 1, k=b"v")
    world.quiet()

    world.store.rest()
    world.settle()
    resting = world.store.resting
    read = world.store.get(1, "k")
    world.put(A, 1, k=b"2")
    world.settle()

    assert resting
    assert read == b"v"
    assert not world.store.resting
    assert world.store.get(1, "k") == b"2"
    assert world.store.durable == world.store.next_position - 1


def test_a_store_that_only_answered_reads_after_its_rest_rests_again(world):
    world.register(A, 1, k=b"v")
    world.quiet()
    world.store.rest()
    world.settle()

    value = world.store.get(1, "k")
    awake = not world.store.resting
    world.store.rest()
    world.settle()

    assert (value, awake) == (b"v", True)
    assert world.store.resting


def test_a_store_with_something_to_do_does_not_rest(world):
    world.put(A, 1, k=b"v")

    world.store.rest()
    world.settle()

    assert not world.store.resting


def test_a_store_that_rests_closes_without_opening(world):
    world.register(A, 1, k=b"v")
    world.quiet()
    world.store.rest()
    world.settle()

    world.close()

    assert world.released


def test_a_closed_store_refuses_everything_and_lets_its_lock_go(world):
    position = world.put(A, 1, k=b"v")
    answers = []
    world.store.when_durable(A, position, answers.append)

    world.close()

    assert answers == [None]
    assert world.released
    with pytest.raises(StorageBroken, match="closed"):
        world.put(A, 1, k=b"v")
    for read in (
        lambda: world.store.get(1, "k"),
        lambda: world.store.record(A),
        lambda: world.store.alarms((0, b""), 1),
    ):
        with pytest.raises(StorageBroken, match="closed"):
            read()
    world.close()


def test_events_wait_while_the_layers_are_full_and_go_on_when_apply_has_caught_up(world, monkeypatch):
    monkeypatch.setattr(sqlite_store, "LAYERS_BYTES_MAX", 1_000)
    resumed = []
    world.put(A, 1, k=bytes(2_000))

    world.store.when_room(lambda: resumed.append(1))
    world.store.when_room(lambda: resumed.append(2))
    full = not world.store.has_room
    world.quiet()

    assert full
    assert resumed == [1, 2]
    assert world.store.has_room


def test_events_wait_while_the_gathering_group_is_too_big(world, monkeypatch):
    monkeypatch.setattr(sqlite_store, "GATHERING_BYTES_MAX", 1_000)
    resumed = []
    world.put(A, 1, k=bytes(2_000))

    world.store.when_room(lambda: resumed.append(1))
    world.settle()

    assert resumed == [1]


def test_applied_rows_leave_the_layers_over_several_turns_of_the_loop(world, monkeypatch):
    monkeypatch.setattr(upkeep, "LEAVE_ROWS_MAX", 10)
    world.put(A, 1, **{f"k{n}": b"v" for n in range(100)})
    world.settle()
    world.clock.advance(0.2)
    world.committer.run()

    turns = 0
    while world.store.counters().layer_bytes:
        turns += world.clock.turn()

    assert turns >= 10


def test_a_read_on_another_thread_is_done_again_when_something_left_the_layers_meanwhile(world):
    world.register(A, 1, k=b"old")
    world.quiet()

    async def scenario():
        reading = asyncio.ensure_future(world.store.get_off_loop(1, "k"))
        await asyncio.sleep(0)
        # The snapshot is taken now; before it is used a newer value is written, applied, and leaves the layers.
        job, done = world.background.jobs.popleft()
        row = job()
        world.put(A, 1, k=b"new")
        world.quiet()
        done(row)
        while not reading.done():
            await asyncio.sleep(0)
            world.settle()
        return await reading

    assert asyncio.run(scenario()) == b"new"


def test_without_the_epoch_that_read_would_be_stale(tmp_path):
    class NoEpoch(Layers):
        def value_read_elsewhere(self, generation, key, row, epoch):
            return super().value_read_elsewhere(generation, key, row, self.epoch)

    world = World(tmp_path / "store", layers=NoEpoch)
    with pytest.raises(AssertionError):
        test_a_read_on_another_thread_is_done_again_when_something_left_the_layers_meanwhile(world)
    world.abandon()


def test_a_row_that_was_read_is_read_as_it_was_written_since(world):
    world.register(A, 1, k=b"old", gone=b"old")
    world.quiet()
    assert (world.store.get(1, "k"), world.store.get(1, "gone"), world.store.get(1, "none")) == (b"old", b"old", None)

    world.put(A, 1, k=b"new", gone=None, none=b"now")
    world.quiet()

    assert world.store.counters().layer_bytes == 0
    assert (world.store.get(1, "k"), world.store.get(1, "gone"), world.store.get(1, "none")) == (b"new", None, b"now")


def test_a_cache_that_kept_what_is_written_would_be_stale(tmp_path):
    class KeepsWritten(RowCache):
        def forget_written(self, entry):
            pass

    world = World(tmp_path / "store", row_cache=KeepsWritten)
    with pytest.raises(AssertionError):
        test_a_row_that_was_read_is_read_as_it_was_written_since(world)
    world.abandon()


def test_a_row_that_was_read_lately_is_not_looked_up_again(world):
    world.register(A, 1, k=b"v")
    world.quiet()
    world.store.get(1, "k")
    before = world.store.activity

    assert world.store.get(1, "k") == b"v"

    assert world.store.activity == before


def test_a_read_off_the_loop_sees_the_layers_first(world):
    world.put(A, 1, k=b"v")

    async def scenario():
        return await world.store.get_off_loop(1, "k")

    assert asyncio.run(scenario()) == b"v"


def test_a_store_is_used_from_its_loops_thread_only(world):
    world.quiet()

    async def scenario():
        for use in (lambda: world.put(A, 1, k=b"v"), lambda: world.store.get(1, "k")):
            with pytest.raises(WrongThread):
                await asyncio.to_thread(use)

    asyncio.run(scenario())


def test_one_caller_that_raises_does_not_keep_the_others_waiting(world):
    told = []

    def fail(_error):
        raise ValueError("no")

    position = world.put(A, 1, k=b"v")
    world.store.when_durable(A, position, fail)
    world.store.when_durable(A, position, told.append)

    with pytest.raises(ValueError, match="no"):
        world.settle()

    assert told == [None]


def test_a_store_that_cannot_be_opened_after_its_rest_is_tried_once_more_and_then_off(tmp_path):
    world = World(tmp_path / "store")
    world.register(A, 1, k=b"v")
    world.quiet()
    world.store.rest()
    world.settle()
    path = world.place.database
    content = path.read_bytes()

    path.write_bytes(b"not a database" * 1_000)
    world.put(A, 1, k=b"2")
    world.settle()

    [(objects, error)] = world.failures
    assert objects == {A}
    assert isinstance(error, StoreBroken)
    path.write_bytes(content)
    again = World(tmp_path / "store")
    assert again.store.get(1, "k") == b"v"
    again.abandon()
