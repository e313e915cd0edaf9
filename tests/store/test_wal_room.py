"""The write-ahead log has room ahead: most commits leave its file as long as it was."""

import itertools

import apsw
import pytest

from perdure.model.errors import StorageFull
from perdure.store import wal_room
from perdure.store.bounds import WAL_ROOM_BYTES_MAX, WAL_ROOM_PAGES_MIN
from perdure.store.crash_point import CrashPoint, passes
from perdure.testing.power_cut import DiskError, Operation, PowerCutDisk
from tests.store.world import World

A = b"a" * 32


class Log:
    """A store whose log is looked at from outside."""

    def __init__(self, tmp_path):
        self.tmp_path = tmp_path
        self.points: list[CrashPoint] = []
        self.look = passes
        self.disk = PowerCutDisk(tmp_path)
        self.world = World(tmp_path / "store", file_system=self.disk.file_system, at=self._pass)
        self.answers: list = []
        self.world.register(A, 1, k=b"0")
        self.world.settle()

    def _pass(self, point):
        self.points.append(point)
        self.look(point)

    def commit(self, count=1):
        for n in range(count):
            # Always as long, so that logs of as many commits are as long.
            position = self.world.put(A, 1, k=b"%02d" % (n % 100))
            self.world.store.when_durable(A, position, self.answers.append)
            self.world.settle()

    @property
    def bytes(self):
        return (self.tmp_path / "store" / "store.db-wal").stat().st_size

    @property
    def growths(self):
        return self.points.count(CrashPoint.AFTER_WAL_GROWTH)


@pytest.fixture
def logs(tmp_path):
    """Makes logs, each in a folder of its own."""
    made = []

    def make(name):
        (tmp_path / name).mkdir()
        made.append(Log(tmp_path / name))
        return made[-1]

    yield make
    for log in made:
        log.world.abandon()
        log.disk.close()


@pytest.fixture
def log(logs):
    return logs("log")


def test_a_short_log_is_left_alone(log):
    log.commit(WAL_ROOM_PAGES_MIN // 8)

    assert log.growths == 0


def test_a_log_that_grows_is_as_long_as_it_was_after_most_commits(log):
    log.commit(40)  # Past the first, small steps.
    sizes = []
    for _ in range(200):
        log.commit()
        sizes.append(log.bytes)

    steps = {after - before for before, after in itertools.pairwise(sizes)} - {0}
    assert 2 < len(set(sizes)) < 30
    assert max(steps) <= WAL_ROOM_BYTES_MAX + 64 * 1024
    assert log.answers == [None] * 240


def test_what_stands_in_a_log_with_room_is_found_after_a_cut_of_power(log, tmp_path):
    log.commit(100)
    assert log.growths > 1

    log.disk.cut(1, tmp_path / "after")
    log.world.abandon()
    with_room = World(tmp_path / "after" / "store")

    assert with_room.store.get(1, "k") == b"99"
    with_room.abandon()


def commits_until_it_grows(log):
    """How many commits a log takes, beyond the first 40, without growing."""
    log.commit(40)
    grown, count = log.growths, 0
    while log.growths == grown:
        log.commit()
        count += 1
    return count - 1


def test_a_disk_with_no_space_for_room_stores_what_fits_all_the_same(log, logs):
    other = logs("other")
    other.commit(40 + commits_until_it_grows(log))
    before, grown = other.bytes, other.growths
    other.disk.fail_next(Operation.WRITE, DiskError.FULL, skip=1, files="-wal")

    other.commit()

    assert other.disk.faults_left == 0
    assert other.growths == grown + 1
    assert other.bytes - before < WAL_ROOM_BYTES_MAX // 4
    assert set(other.answers) == {None}


@pytest.mark.parametrize("error", [apsw.CantOpenError("no descriptors left"), apsw.IOError("planned")])
def test_a_log_that_cannot_be_opened_again_stores_all_the_same(log, monkeypatch, error):
    def refuse(*arguments):
        raise error

    monkeypatch.setattr(wal_room.apsw, "VFSFile", refuse)
    log.commit(100)

    assert log.growths > 1
    assert log.answers == [None] * 100
    assert log.world.store.counters().reopens == 0


def test_a_disk_that_cannot_write_the_room_stores_what_it_can_write_all_the_same(log, logs):
    other = logs("other")
    other.commit(40 + commits_until_it_grows(log))
    other.disk.fail_next(Operation.WRITE, DiskError.IO, files="-wal")

    other.commit(50)

    assert other.disk.faults_left == 0
    assert set(other.answers) == {None}


def test_a_log_that_was_cut_meanwhile_is_not_filled_up_to_its_old_length(log):
    log.commit(100)
    before = log.bytes
    log.world.store._upkeep.connections.writer.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    assert log.bytes == 0

    log.commit(3)

    assert 0 < log.bytes < before // 4


def test_a_full_disk_is_told_by_the_commit_that_does_not_fit(log):
    log.commit(40)
    log.disk.full = True

    log.commit(400)

    refused = [answer for answer in log.answers if answer is not None]
    assert {type(answer) for answer in refused} == {StorageFull}
    assert log.answers.index(refused[0]) > 40


def test_no_other_program_can_write_into_the_room_while_it_is_made(log):
    other = apsw.Connection(str(log.tmp_path / "store" / "store.db"))
    refused = []

    def look(point):
        if point is CrashPoint.BEFORE_WAL_GROWTH:
            with pytest.raises(apsw.BusyError):
                other.execute("BEGIN IMMEDIATE")
            refused.append(point)

    log.look = look
    log.commit(40)

    assert refused
    other.close()
