"""What a small write and a first read cost does not grow with the database: counted where SQLite meets the store's files."""

from pathlib import Path
from typing import Any

import pytest

from perdure.model.object_id import IdKey
from perdure.objects.rows import Rows
from perdure.objects.sql.database import Database
from perdure.objects.sql.pool import SqlPool
from tests.objects.sql.counted_files import CountedFiles
from tests.store.world import World

KIB, MIB = 1024, 1024 * 1024
ROWS_BYTES = 1_000
FILL = """
    WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 4000)
    INSERT INTO t (n, body) SELECT 0, randomblob(?) FROM c"""


class Room:
    """One object with a database, in a store that is opened with `file_system`."""

    def __init__(self, folder: Path, file_system: str | None = None) -> None:
        self.world = World(folder, file_system=file_system)
        self.pool = SqlPool(now_ms=self.world.clock.now_ms)
        self.rows = Rows(IdKey("Room").from_name("x"), self.world.store, self.world.clock)
        self.database = self.rows.sql = Database("Room/x", self.rows.stored_page, self.pool)

    def step(self, text: str, *bindings: Any) -> list[tuple[Any, ...]]:
        """A unit of its own, durable when this returns."""
        self.rows.write_sql()
        told = self.database.exec(text, bindings).rows
        self.rows.seal()
        self.world.settle()
        return told

    def close(self) -> None:
        self.database.close()
        self.world.quiet()
        self.world.close()
        self.pool.close()


def filled(folder: Path, size_bytes: int) -> int:
    """Makes a database of at least so many bytes, all of it applied; gives the number of its rows."""
    room = Room(folder)
    room.step("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, body BLOB); CREATE INDEX by_n ON t (n)")
    while room.database.size_bytes < size_bytes:
        room.step(FILL, ROWS_BYTES)
        room.world.quiet()
    [[count]] = room.step("SELECT count(*) FROM t")
    room.close()
    return int(count)


@pytest.mark.parametrize("size_bytes", [20 * MIB, pytest.param(200 * MIB, marks=pytest.mark.slow)])
def test_a_one_row_update_in_a_large_database_writes_little_and_its_cold_open_reads_little(
    tmp_path: Path, files: CountedFiles, size_bytes: int
):
    count = filled(tmp_path / "store", size_bytes)
    room = Room(tmp_path / "store", files.name)
    try:
        files.read = 0
        assert room.step("SELECT n FROM t WHERE id = ?", count // 2) == [(0,)]
        cold_open = files.read

        files.read = files.written_to_log = 0
        room.step("UPDATE t SET n = n + 1 WHERE id = ?", count // 3)
        update_read, update_written = files.read, files.written_to_log

        assert room.step("SELECT n FROM t WHERE id = ?", count // 3) == [(1,)]
    finally:
        room.close()
    print(f"{size_bytes:,} B: open reads {cold_open:,}, update reads {update_read:,} and writes {update_written:,}")
    assert 0 < cold_open < MIB
    assert update_read < MIB
    assert 0 < update_written < 64 * KIB
