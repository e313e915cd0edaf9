"""A disk that fails or is full: a clear error for those concerned, everybody else goes on, nothing acknowledged is lost.

Each fault is followed by a cut of power, once before the next commit and once after it.
"""

from contextlib import suppress

import apsw
import pytest

from perdure.core.entry import Alarm, AlarmChange, Entry
from perdure.model.errors import StorageBroken, StorageFull, StoreBroken
from perdure.store import files, undo_reading
from perdure.store.crash_point import CrashPoint
from perdure.store.snapshot import open_read_only
from perdure.testing.power_cut import DiskError, Operation, PowerCutDisk
from tests.store.world import World

A, B = b"a" * 32, b"b" * 32


class Disk:
    """A world on a disk that can fail, with the values of two objects acknowledged."""

    def __init__(self, tmp_path):
        self.tmp_path = tmp_path
        self.cuts = 0
        self.start(tmp_path / "0")
        self.world.register(A, 1, k=b"1")
        self.world.register(B, 2, k=b"1")
        self.world.settle()

    def start(self, folder):
        folder.mkdir(exist_ok=True)
        self.disk = PowerCutDisk(folder)
        self.world = World(folder / "store", file_system=self.disk.file_system)
        self.store = self.world.store

    def answer(self, object, position):
        """Where the answer to an output of that object appears."""
        answers: list = []
        self.store.when_durable(object, position, answers.append)
        return answers

    def cut(self):
        self.cuts += 1
        folder = self.tmp_path / str(self.cuts)
        self.disk.cut(self.cuts, folder)
        self.world.abandon()
        self.disk.close()
        self.start(folder)


@pytest.fixture
def at(tmp_path):
    made = Disk(tmp_path)
    yield made
    made.world.abandon()
    made.disk.close()


FAULTS = [
    pytest.param(Operation.WRITE, DiskError.FULL, StorageFull, id="full disk"),
    pytest.param(Operation.WRITE, DiskError.IO, StorageBroken, id="I/O error in write"),
    pytest.param(Operation.SYNC, DiskError.IO, StorageBroken, id="I/O error in sync"),
]


@pytest.mark.parametrize("commit_first", [False, True], ids=["cut before the next commit", "cut after it"])
@pytest.mark.parametrize(("operation", "error", "told"), FAULTS)
def test_a_failed_commit_resets_its_objects_and_loses_nothing_acknowledged(at, operation, error, told, commit_first):
    at.disk.fail_next(operation, error, files="-wal")
    answers = at.answer(A, at.world.put(A, 1, k=b"2"))
    at.world.settle()

    assert at.disk.faults_left == 0
    assert [type(answer) for answer in answers] == [told]
    [(objects, reason)] = at.world.failures
    assert objects == {A} and type(reason) is told
    assert at.store.get(1, "k") == b"1"
    assert at.store.get(2, "k") == b"1"
    if commit_first:
        done = at.answer(A, at.world.put(A, 1, k=b"3"))
        at.world.settle()
        assert done == [None]
    at.cut()
    assert at.store.get(1, "k") == (b"3" if commit_first else b"1")
    assert at.store.get(2, "k") == b"1"


def test_an_object_of_a_failed_group_says_nothing_before_the_fence(at):
    at.disk.fail_next(Operation.SYNC, DiskError.IO, files="-wal")
    at.world.put(A, 1, k=b"2")
    at.world.clock.turn()

    at.world.committer.run()
    answers = at.answer(A, 0)
    others = at.answer(B, 0)

    assert others == [None]
    assert answers == []
    at.world.settle()
    assert answers == [None]
    assert at.store.counters().fences == 1


def test_entries_of_other_objects_that_gathered_meanwhile_are_kept(at):
    at.disk.fail_next(Operation.WRITE, DiskError.FULL, files="-wal")
    at.world.put(A, 1, k=b"2")
    at.world.clock.turn()
    lost = at.answer(A, at.world.put(A, 1, j=b"built on it"))
    kept = at.answer(B, at.world.put(B, 2, k=b"2"))

    at.world.settle()

    assert isinstance(lost[0], StorageFull)
    assert kept == [None]
    assert at.store.get(1, "j") is None
    assert at.store.get(2, "k") == b"2"


def test_a_store_on_a_full_disk_goes_on_by_itself_when_there_is_space(at):
    at.disk.full = True
    first = at.answer(A, at.world.put(A, 1, k=b"2"))
    at.world.settle()
    waiting = at.answer(A, 0)
    at.world.clock.advance(1)
    at.world.settle()

    at.disk.full = False
    at.world.clock.advance(10)
    at.world.settle()

    assert isinstance(first[0], StorageFull)
    assert waiting == [None]
    assert at.store.get(1, "k") == b"1"


def test_apply_waits_while_the_disk_is_full_and_then_goes_on(at):
    at.world.put(A, 1, k=b"2")
    at.world.settle()
    at.disk.full = True
    at.world.quiet()
    before = at.store.counters().layer_bytes

    at.disk.full = False
    at.world.clock.advance(10)
    at.world.settle()

    assert before > 0
    assert at.store.counters().layer_bytes == 0
    assert at.world.failures == []


def test_an_apply_that_meets_an_io_error_is_done_when_the_store_was_opened_anew(at):
    at.world.put(A, 1, k=b"2")
    at.world.settle()
    at.disk.fail_next(Operation.WRITE, DiskError.IO, files="-wal")

    at.world.quiet()

    counters = at.store.counters()
    assert counters.reopens == 1
    assert counters.layer_bytes == 0
    assert at.world.failures == []
    assert at.store.get(1, "k") == b"2"


@pytest.mark.parametrize("commit_first", [False, True], ids=["cut before the next commit", "cut after it"])
@pytest.mark.parametrize("operation", [Operation.WRITE, Operation.SYNC, Operation.TRUNCATE])
def test_a_checkpoint_that_fails_loses_nothing(at, operation, commit_first):
    at.world.quiet()
    at.disk.fail_next(operation, DiskError.IO, files=".db")

    at.store._upkeep._checkpoint(whole=False)
    at.world.settle()
    if commit_first:
        at.world.put(A, 1, k=b"2")
        at.world.settle()

    kept = b"2" if commit_first else b"1"
    assert at.store.get(1, "k") == kept
    at.cut()
    assert at.store.get(1, "k") == kept
    assert at.store.get(2, "k") == b"1"


@pytest.mark.parametrize("commit_first", [False, True], ids=["cut before the next commit", "cut after it"])
def test_shared_memory_that_cannot_grow_fails_one_group_only(at, commit_first):
    large = {f"k{n}": bytes(1_000_000) for n in range(20)}

    with at.disk.shared_memory_fails():
        answers = at.answer(A, at.world.put(A, 1, **large))
        at.world.settle()

    assert isinstance(answers[0], StorageBroken)
    if commit_first:
        at.world.put(A, 1, k=b"2")
        at.world.settle()
    at.cut()
    assert at.store.get(1, "k") == (b"2" if commit_first else b"1")
    assert at.store.get(1, "k0") is None


def test_a_store_that_cannot_be_opened_anew_is_off_and_says_so(at):
    resumed: list = []
    at.disk.fail_next(Operation.SYNC, DiskError.IO, files="-wal")
    at.disk.fail_next(Operation.SYNC, DiskError.IO, files="-wal")
    answers = at.answer(A, at.world.put(A, 1, k=b"2"))
    at.world.clock.turn()
    at.world.committer.run()
    gathered = at.answer(B, at.world.put(B, 2, k=b"2"))
    at.store.when_room(lambda: resumed.append(True))

    at.world.settle()

    assert isinstance(answers[0], StorageBroken)
    assert isinstance(gathered[0], StoreBroken)
    assert resumed == [True]
    assert [objects for objects, _ in at.world.failures] == [{A}, {B}]
    with pytest.raises(StoreBroken, match="is off"):
        at.world.put(B, 2, k=b"3")
    with pytest.raises(StoreBroken):
        at.store.get(2, "k")
    refused = at.answer(A, 0)
    assert isinstance(refused[0], StoreBroken)
    at.world.close()
    assert at.world.released
    at.cut()
    assert at.store.get(1, "k") == b"1"
    assert at.store.get(2, "k") == b"1"


def test_while_the_store_is_opened_anew_new_events_wait_and_reads_of_the_tables_are_refused(at):
    at.world.quiet()
    resumed: list = []
    at.disk.fail_next(Operation.SYNC, DiskError.IO, files="-wal")
    at.world.put(A, 1, k=b"2")
    at.world.clock.turn()
    at.world.committer.run()

    at.store.when_room(lambda: resumed.append(True))
    has_room = at.store.has_room
    with pytest.raises(StorageBroken, match="opened anew"):
        at.store.get(2, "k")
    at.world.settle()

    assert not has_room
    assert resumed == [True]
    assert at.store.get(2, "k") == b"1"


def fail_commit_and_the_checkpoint_after_it(at):
    """The failed group is in the log when the store is opened anew."""
    at.disk.fail_next(Operation.SYNC, DiskError.IO, files="-wal")
    at.world.put(A, 1, k=b"failed")
    at.world.settle()


def test_a_failed_group_that_is_found_in_the_log_does_not_come_back(at):
    fail_commit_and_the_checkpoint_after_it(at)

    assert at.store.counters().reopens == 1
    assert at.store.get(1, "k") == b"1"
    at.world.quiet()
    at.cut()
    assert at.store.get(1, "k") == b"1"


def test_without_that_rule_it_would_come_back(at, monkeypatch):
    monkeypatch.setattr(files, "_forget_unconfirmed", lambda *_: None)

    fail_commit_and_the_checkpoint_after_it(at)
    at.world.quiet()

    assert at.store.get(1, "k") == b"failed"


def test_another_program_that_holds_the_database_fails_a_group_and_no_more(at, monkeypatch):
    at.store._upkeep.connections.writer.connection.set_busy_timeout(0)
    other = apsw.Connection(str(at.world.place.database), vfs=at.disk.file_system)
    other.execute("BEGIN IMMEDIATE")
    answers = at.answer(A, at.world.put(A, 1, k=b"2"))
    at.world.settle()

    other.execute("ROLLBACK")
    other.close()
    at.world.clock.advance(10)
    at.world.settle()

    assert isinstance(answers[0], StorageBroken) and not isinstance(answers[0], StorageFull)
    assert at.store.counters().reopens == 0
    assert at.answer(A, at.world.put(A, 1, k=b"3")) == []
    at.world.settle()
    assert at.store.get(1, "k") == b"3"


@pytest.mark.parametrize("error", [DiskError.FULL, DiskError.IO], ids=["full disk", "I/O error"])
@pytest.mark.parametrize("written", range(4))
def test_a_restore_that_a_fault_ends_is_gone_through_when_the_disk_is_well_again(at, error, written, monkeypatch):
    monkeypatch.setattr(undo_reading, "RESTORE_SLICE_BYTES", 1)
    monkeypatch.setattr(undo_reading, "RESTORE_READ_ROWS", 1)
    keys = [f"k{n}" for n in range(6)]
    at.world.put(A, 1, **dict.fromkeys(keys, b"before"))
    at.world.store.append(Entry(A, 0, 1, {}, alarm=AlarmChange(Alarm(5, 5)), pin=True))
    place = at.store.pinned_place(A)
    at.world.quiet()
    at.world.store.append(Entry(A, 0, 1, dict.fromkeys(keys, b"after"), alarm=AlarmChange(None)))
    at.world.quiet()
    at.store.append(Entry(A, 0, 0, {}, pin=True, restore=place))
    at.world.settle()
    at.disk.fail_next(Operation.WRITE, error, skip=written, files="-wal")

    with suppress(StorageBroken):
        at.world.run(at.store.restore(A))
    at.world.clock.advance(10)
    at.world.settle()
    assert at.disk.faults_left == 0
    assert at.store.get(2, "k") == b"1"
    at.cut()
    at.world.run(at.store.restore(A))

    assert [at.store.get(1, key) for key in keys] == [b"before"] * 6
    assert at.store.alarm(A) == Alarm(5, 5)
    assert at.store.place_to_restore(A) is None


def the_past_is_over(at):
    at.world.clock.advance(40 * 86_400)
    at.world.put(B, 2, k=b"v")
    at.world.quiet()


def test_a_sweep_that_fails_is_left_for_the_next_start(at):
    generation = at.store.new_generation()
    at.store.append(Entry(A, 1, generation, {}, None, removed=True, retires=1))
    at.world.settle()
    failing = [CrashPoint.BEFORE_SWEEP]

    def fail(point):
        if point in failing:
            raise apsw.FullError("planned")

    at.store._upkeep.connections.writer._at = fail
    at.world.quiet()
    the_past_is_over(at)

    assert at.world.failures == []
    at.cut()
    the_past_is_over(at)
    rows = at.store._upkeep.tables().connection.execute("SELECT count(*) FROM kv WHERE generation = 1").get
    assert rows == 0


def syncs_fail_twice_then_cut(at, seed) -> bool:
    """The log's sync fails under a checkpoint, then the database's under the next one; whether all is there after a cut."""
    at.world.quiet()
    at.store.rest()  # From here on the log does not hold every page of the database.
    at.world.settle()
    for n in range(5):
        at.world.put(A, 1, **{f"k{n}": b"v" * 3_000})
        at.world.settle()
    at.world.quiet()
    at.disk.fail_next(Operation.SYNC, DiskError.IO, files="-wal")
    at.disk.fail_next(Operation.SYNC, DiskError.IO, files=".db")
    at.store._upkeep._checkpoint(whole=False)
    at.world.settle()
    assert at.disk.faults_left == 0
    at.cuts = seed
    try:
        at.cut()
        return all(at.store.get(1, f"k{n}") == b"v" * 3_000 for n in range(5)) and at.store.get(2, "k") == b"1"
    except StorageBroken:
        return False


@pytest.mark.parametrize("seed", range(10))
def test_a_log_that_a_failed_sync_left_is_written_again_before_a_checkpoint_relies_on_it(at, seed):
    assert syncs_fail_twice_then_cut(at, seed)


def test_without_that_rule_a_cut_destroys_the_database(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "make_log_durable", lambda *_: None)

    outcomes = set()
    for seed in range(10):
        (tmp_path / f"life {seed}").mkdir()
        at = Disk(tmp_path / f"life {seed}")
        outcomes.add(syncs_fail_twice_then_cut(at, seed))
        at.world.abandon()
        at.disk.close()

    assert False in outcomes


@pytest.mark.parametrize("operation", [Operation.WRITE, Operation.SYNC])
def test_who_reads_the_store_meanwhile_does_not_keep_it_from_being_opened_anew(at, operation):
    backup = open_read_only(at.world.place.database, at.disk.file_system)
    at.world.put(A, 1, k=b"2")
    at.world.settle()
    at.disk.fail_next(operation, DiskError.IO, files="-wal")
    failed = at.answer(A, at.world.put(A, 1, k=b"3"))
    at.world.settle()

    done = at.answer(A, at.world.put(A, 1, j=b"4"))
    at.world.settle()

    assert type(failed[0]) is StorageBroken
    assert done == [None]
    assert at.store.counters().reopens == 1
    backup.close()
    at.cut()
    assert (at.store.get(1, "k"), at.store.get(1, "j")) == (b"2", b"4")
    assert at.store.get(2, "k") == b"1"
