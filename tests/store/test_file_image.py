"""The image of a database's file is what its read transaction sees, whatever others do meanwhile."""

import os
import random
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import apsw
import pytest

from perdure.store.connection import begin_reading, open_connection
from perdure.store.file_image import FileImage
from perdure.store.file_system import checksummed_file_system


def opened(database: Path) -> apsw.Connection:
    return open_connection(database, checksummed_file_system(), cache_kib=64)


def image_of(database: Path, reading: apsw.Connection, other: apsw.Connection) -> FileImage:
    image = FileImage(reading, other, database, checksummed_file_system())
    image.open()
    return image


def rows_of(connection: apsw.Connection) -> list[tuple]:
    return connection.execute("SELECT id, a FROM t ORDER BY id").fetchall()


def change(connection: apsw.Connection, rng: random.Random) -> None:
    for _ in range(rng.randrange(1, 6)):
        what = rng.randrange(4)
        if what == 0:
            connection.execute("DELETE FROM t WHERE id % 7 = ?", (rng.randrange(7),))
        elif what == 1:
            connection.execute("UPDATE t SET a = ? WHERE id % 5 = ?", (rng.randbytes(300), rng.randrange(5)))
        else:
            rows = ((rng.randbytes(rng.choice([50, 900, 6_000])),) for _ in range(rng.randrange(30)))
            connection.executemany("INSERT INTO t(a) VALUES(?)", rows)


@pytest.mark.parametrize("seed", range(30))
def test_it_is_what_the_transaction_sees_whatever_is_written_and_checkpointed_meanwhile(tmp_path, seed):
    rng = random.Random(seed)
    checkpoints = [apsw.SQLITE_CHECKPOINT_PASSIVE, apsw.SQLITE_CHECKPOINT_RESTART, apsw.SQLITE_CHECKPOINT_TRUNCATE]

    def maybe_checkpoint():
        if rng.random() < 0.4:
            with suppress(apsw.BusyError):  # somebody reads an earlier state: it does what it can
                writer.wal_checkpoint(mode=rng.choice(checkpoints))

    with ExitStack() as files:
        writer, reading = (files.enter_context(closing(opened(tmp_path / "a.db"))) for _ in range(2))
        writer.pragma("journal_mode", "wal")
        writer.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, a BLOB)")
        for _ in range(4):
            change(writer, rng)
            maybe_checkpoint()
        begin_reading(reading)
        seen = rows_of(reading)
        maybe_checkpoint()
        image = files.enter_context(closing(image_of(tmp_path / "a.db", reading, writer)))
        with (tmp_path / "copy.db").open("wb") as out:
            for piece in image.read(tmp_path / "scratch"):
                out.write(piece)
                if rng.random() < 0.2:
                    change(writer, rng)
                    maybe_checkpoint()
        assert rows_of(reading) == seen

    with closing(opened(tmp_path / "copy.db")) as copy:
        assert rows_of(copy) == seen
        assert copy.pragma("integrity_check") == "ok"
        assert (tmp_path / "copy.db").stat().st_size == image.size_bytes


def test_pages_of_the_log_get_their_checksums_also_where_the_first_page_is_not_among_them(tmp_path):
    with ExitStack() as files:
        writer, reading = (files.enter_context(closing(opened(tmp_path / "a.db"))) for _ in range(2))
        writer.pragma("journal_mode", "wal")
        writer.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, a BLOB)")
        writer.execute("INSERT INTO t VALUES(1, x'00')")
        writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        writer.execute("UPDATE t SET a = x'01'")
        begin_reading(reading)
        reading.pragma("user_version")
        image = files.enter_context(closing(image_of(tmp_path / "a.db", reading, writer)))
        (tmp_path / "copy.db").write_bytes(b"".join(image.read(tmp_path / "scratch")))

    with closing(opened(tmp_path / "copy.db")) as copy:
        assert rows_of(copy) == [(1, b"\x01")]
    assert not (tmp_path / "scratch").exists()


@pytest.mark.parametrize("first_page_logged", [False, True])
@pytest.mark.parametrize("rows", [1, 100], ids=["in a short last piece", "in a whole piece"])
def test_a_flipped_bit_is_an_error(tmp_path, rows, first_page_logged):
    with ExitStack() as files:
        writer, reading = (files.enter_context(closing(opened(tmp_path / "a.db"))) for _ in range(2))
        writer.pragma("journal_mode", "wal")
        writer.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, a BLOB)")
        writer.executemany("INSERT INTO t(a) VALUES(?)", [(b"find this in the file" * 150,)] * rows)
        writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        if first_page_logged:
            writer.pragma("user_version", 7)
        begin_reading(reading)
        reading.pragma("user_version")
        image = files.enter_context(closing(image_of(tmp_path / "a.db", reading, writer)))
        with (tmp_path / "a.db").open("r+b") as file:
            file.seek((tmp_path / "a.db").read_bytes().index(b"find this"))
            file.write(b"g")

        with pytest.raises(apsw.IOError):
            list(image.read(tmp_path / "scratch"))


@pytest.mark.parametrize("left", [0, 1_000, 5_000])
def test_a_log_that_was_cut_is_an_error(tmp_path, left):
    with ExitStack() as files:
        writer, reading = (files.enter_context(closing(opened(tmp_path / "a.db"))) for _ in range(2))
        writer.pragma("journal_mode", "wal")
        writer.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, a BLOB)")
        writer.execute("INSERT INTO t(a) VALUES(zeroblob(50000))")
        writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        writer.execute("UPDATE t SET a = substr(a, 1, 30000)")
        begin_reading(reading)
        reading.pragma("user_version")
        image = files.enter_context(closing(image_of(tmp_path / "a.db", reading, writer)))
        os.truncate(tmp_path / "a.db-wal", left)

        with pytest.raises(apsw.IOError):
            list(image.read(tmp_path / "scratch"))
