"""The disk of the power cut tests loses what no completed sync covered, by seed, and nothing else."""

import apsw
import pytest

from perdure.testing.power_cut import DiskError, Operation, PowerCutDisk, PowerIsOff


@pytest.fixture
def disk(tmp_path):
    (tmp_path / "before").mkdir()
    made = PowerCutDisk(tmp_path / "before")
    yield made
    made.close()


def opened(disk, name="file-wal"):
    # SQLite's file layer gives a log the permissions of its database, so there has to be one.
    (disk.folder / name.removesuffix("-wal")).touch()
    flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_WAL
    return apsw.VFSFile(disk.file_system, str(disk.folder / name), [flags, 0])


def outcomes(make, name="file-wal", seeds=60):
    """What is left of a file after cuts by different seeds; `make` does the writing on a new disk each time."""
    found = set()
    for seed in range(seeds):
        disk, after = make(seed)
        disk.cut(seed, after)
        disk.close()
        path = after / name
        found.add(path.read_bytes() if path.exists() else None)
    return found


@pytest.fixture
def life(tmp_path):
    """Makes a function for `outcomes` out of one that writes."""

    def life(write):
        def make(seed):
            (tmp_path / f"{seed}").mkdir()
            disk = PowerCutDisk(tmp_path / f"{seed}")
            write(disk)
            return disk, tmp_path / f"{seed}-after"

        return make

    return life


A, B, C = (letter * 512 for letter in (b"a", b"b", b"c"))


def test_what_a_sync_covered_is_there_after_every_cut(life):
    def write(disk):
        file = opened(disk)
        file.xWrite(A + B, 0)
        file.xSync(apsw.SQLITE_SYNC_FULL)

    assert outcomes(life(write)) == {A + B}


def test_what_came_after_the_sync_may_be_there_or_not_in_any_combination_of_sectors(life):
    def write(disk):
        file = opened(disk)
        file.xWrite(A + A, 0)
        file.xSync(apsw.SQLITE_SYNC_FULL)
        file.xWrite(B + B, 0)

    assert outcomes(life(write)) == {A + A, B + B, A + B, B + A}


def test_later_writes_may_be_there_without_earlier_ones(life):
    def write(disk):
        file = opened(disk)
        file.xWrite(A + A, 0)
        file.xSync(apsw.SQLITE_SYNC_FULL)
        file.xWrite(B, 0)
        file.xWrite(C, 512)

    assert A + C in outcomes(life(write))


def test_a_file_that_was_never_synced_may_be_missing_or_short(life):
    def write(disk):
        opened(disk).xWrite(A, 0)

    assert {None, b"", A} <= outcomes(life(write))


def test_a_truncation_counts_once_it_is_synced(life):
    def write(disk, sync=False):
        file = opened(disk)
        file.xWrite(A + B, 0)
        file.xSync(apsw.SQLITE_SYNC_FULL)
        file.xTruncate(512)
        if sync:
            file.xSync(apsw.SQLITE_SYNC_FULL)

    assert outcomes(life(write)) == {A + B, A}


def test_a_truncation_that_was_synced_stays(life):
    def write(disk):
        file = opened(disk)
        file.xWrite(A + B, 0)
        file.xTruncate(512)
        file.xSync(apsw.SQLITE_SYNC_FULL)
        file.xWrite(C, 512)

    assert all(content is not None and content.startswith(A) and B not in content for content in outcomes(life(write)))


def write_and_delete(disk):
    file = opened(disk)
    file.xWrite(A, 0)
    file.xSync(apsw.SQLITE_SYNC_FULL)
    file.xClose()
    disk._vfs.xDelete(str(disk.folder / "file-wal"), False)


def test_a_deleted_file_may_come_back(life):
    assert outcomes(life(write_and_delete)) == {None, A}


def test_a_deleted_file_does_not_come_back_once_its_folder_was_synced(life):
    def write(disk):
        write_and_delete(disk)
        opened(disk, "other-wal").xSync(apsw.SQLITE_SYNC_FULL)

    assert outcomes(life(write)) == {None}


def test_after_a_sync_that_failed_a_later_one_hides_the_loss(life):
    def write(disk):
        file = opened(disk)
        file.xWrite(A, 0)
        file.xSync(apsw.SQLITE_SYNC_FULL)
        file.xWrite(B, 0)
        disk.fail_next(Operation.SYNC, DiskError.IO)
        with pytest.raises(apsw.IOError):
            file.xSync(apsw.SQLITE_SYNC_FULL)
        file.xSync(apsw.SQLITE_SYNC_FULL)

    assert outcomes(life(write)) == {A, B}


def test_what_is_written_again_after_a_failed_sync_is_safe_with_the_next(life):
    def write(disk):
        file = opened(disk)
        file.xWrite(A, 0)
        disk.fail_next(Operation.SYNC, DiskError.IO)
        with pytest.raises(apsw.IOError):
            file.xSync(apsw.SQLITE_SYNC_FULL)
        file.xWrite(A, 0)
        file.xSync(apsw.SQLITE_SYNC_FULL)

    assert outcomes(life(write)) == {A}


def test_every_descriptor_that_was_open_hears_once_of_a_failed_sync(disk):
    first, second = opened(disk), opened(disk)
    first.xWrite(A, 0)
    disk.fail_next(Operation.SYNC, DiskError.IO)

    for file in (first, second):
        with pytest.raises(apsw.IOError):
            file.xSync(apsw.SQLITE_SYNC_FULL)
    for file in (first, second, opened(disk)):
        file.xSync(apsw.SQLITE_SYNC_FULL)


def test_planned_faults_happen_in_their_turn_and_to_the_file_named(disk):
    disk.fail_next(Operation.WRITE, DiskError.FULL, skip=1, files="-wal")
    other, file = opened(disk, "other.db"), opened(disk)

    other.xWrite(A, 0)
    file.xWrite(A, 0)
    with pytest.raises(apsw.FullError):
        file.xWrite(B, 0)
    file.xWrite(C, 0)

    assert disk.faults_left == 0
    assert file.xRead(512, 0) == C


def test_on_a_full_disk_files_can_be_overwritten_but_do_not_grow(disk):
    file = opened(disk)
    file.xWrite(A, 0)
    disk.full = True

    file.xWrite(B, 0)
    with pytest.raises(apsw.FullError):
        file.xWrite(A, 512)


def test_after_the_cut_nothing_can_be_written(disk, tmp_path):
    file = opened(disk)
    file.xWrite(A, 0)

    disk.cut(1, tmp_path / "after")

    with pytest.raises(PowerIsOff):
        file.xWrite(B, 0)
    with pytest.raises(PowerIsOff):
        file.xSync(apsw.SQLITE_SYNC_FULL)
    with pytest.raises(PowerIsOff):
        disk._vfs.xDelete(str(disk.folder / "file-wal"), False)
    assert file.xRead(512, 0) == A


def test_a_database_in_wal_mode_works_on_it_with_temporary_files(disk):
    connection = apsw.Connection(str(disk.folder / "x.db"), vfs=disk.file_system)
    connection.pragma("journal_mode", "wal")
    connection.pragma("temp_store", "file")
    connection.execute("CREATE TABLE t(x); INSERT INTO t VALUES(1), (2)")
    connection.execute("CREATE TEMP TABLE u AS SELECT * FROM t ORDER BY x DESC").fetchall()

    assert connection.execute("SELECT sum(x) FROM u").get == 3
    connection.close()
