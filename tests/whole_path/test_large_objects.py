"""Objects at the sizes that are promised: what is done with them takes bounded time and memory, and nothing of them is lost."""

import asyncio
import json
import random
import shutil
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import perdure
from perdure.model.errors import StorageFull
from perdure.objects.sql import pool as sql_pool
from tests.host.stored import Box, work

ROOT = Path(__file__).resolve().parents[2]
MIB = 1024 * 1024
KEYS = 100_000
MEMORY_BYTES_MAX = 600 * MIB
"""Layers (256 MiB), a group that gathers, page caches and Python: filling takes 450 MiB, however much is filled."""


def test_an_object_that_has_reached_its_limit_keeps_what_it_has_and_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(sql_pool, "_SETTINGS", sql_pool._SETTINGS.replace(str(sql_pool.DATABASE_PAGES_MAX), "50"))

    async def scenario() -> Any:
        async with perdure.open(tmp_path / "data", objects=[Box]) as runtime:
            box = runtime.env.Box.get_by_name("full")
            await box.run("sql.exec('CREATE TABLE t(a)'); sql.exec('INSERT INTO t VALUES(zeroblob(100000))')")
            with pytest.raises(StorageFull, match="10 GB"):
                await box.run("kv.put('k', 1); sql.exec('INSERT INTO t VALUES(zeroblob(150000))')")
            await runtime.env.Box.get_by_name("other").run("sql.exec('CREATE TABLE t(a)')")
            kept = await box.run("result = (kv.get('k'), sql.exec('SELECT sum(length(a)) AS n FROM t').one().n)")
            await box.run("sql.exec('DELETE FROM t')")
            await box.run("sql.exec('INSERT INTO t VALUES(zeroblob(150000))')")
            return kept

    assert asyncio.run(scenario()) == (None, 100_000)
    assert work(tmp_path / "data", ("full", "result = sql.exec('SELECT length(a) AS n FROM t').one().n")) == [150_000]


FILL = f"""
for n in range({KEYS}): kv.put(f'{{n:06}}', n)
"""
PAGED = """
count, last = 0, None
while page := list(kv.list(start_after=last, limit=1_000) if last else kv.list(limit=1_000)):
    count, last = count + len(page), page[-1][0]
result = count, last
"""


def test_a_hundred_thousand_keys_are_listed_in_pages_and_deleted_in_little_memory(tmp_path):
    work(tmp_path / "data", ("many", FILL))

    tracemalloc.start()
    [paged] = work(tmp_path / "data", ("many", PAGED))
    in_pages = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    [listed] = work(tmp_path / "data", ("many", "result = len(list(kv.list()))"))
    at_once = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    work(tmp_path / "data", ("many", "storage.delete_all()"))
    deleting = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert paged == (KEYS, f"{KEYS - 1:06}")
    assert listed == KEYS
    assert work(tmp_path / "data", ("many", "result = list(kv.list())")) == [[]]
    assert max(in_pages, deleting) < 16 * MIB
    assert at_once < 48 * MIB


MILLION = """
sql.exec('CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, n INTEGER)')
sql.exec('CREATE INDEX by_n ON t(n)')
"""
ROWS = "sql.exec_many('INSERT INTO t(a, n) VALUES(?, ?)', [(f'row {{n}}', n % 1000) for n in range({0}, {0} + 20_000)])"


@pytest.mark.slow
def test_a_million_rows_are_written_found_changed_and_dropped(tmp_path):
    fill = [("rows", ROWS.format(first)) for first in range(0, 1_000_000, 20_000)]
    work(tmp_path / "data", ("rows", MILLION), *fill)

    found = work(
        tmp_path / "data",
        ("rows", "result = sql.exec('SELECT a FROM t WHERE n = 7 ORDER BY id LIMIT 3').raw().to_list()"),
        ("rows", "result = sql.exec('SELECT count(*) AS n FROM t').one().n"),
        ("rows", "result = sql.exec('UPDATE t SET a = ? WHERE id = 500000', 'new').rows_written"),
        ("rows", "result = sql.exec('SELECT a FROM t WHERE id = 500000').one().a"),
        ("rows", "result = sql.exec('DELETE FROM t WHERE n = 7').rows_written > 0"),
        ("rows", "result = sql.exec('SELECT count(*) AS n FROM t').one().n"),
        ("rows", "storage.delete_all()"),
        ("rows", "result = sql.exec('SELECT count(*) AS n FROM sqlite_schema').one().n"),
    )

    assert found == [[("row 7",), ("row 1007",), ("row 2007",)], 1_000_000, 1, "new", True, 999_000, None, 0]


@pytest.fixture
def on_disk() -> Iterator[Path]:
    """A folder on a disk: what is as large as this does not belong in memory, where other tests have theirs."""
    folder = Path(tempfile.mkdtemp(dir="/var/tmp"))
    yield folder
    shutil.rmtree(folder)


def step(folder: Path, name: str, size: int = 0) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.whole_path.large_object", str(folder / "data"), name, str(size)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    print(name, found)
    assert found["memory"] < MEMORY_BYTES_MAX
    return found


def updated_and_killed(folder: Path, units: int) -> int:
    """Gives the last unit that was answered."""
    command = [sys.executable, "-m", "tests.whole_path.large_object", str(folder / "data"), "update", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        answered = [int(process.stdout.readline()) for _ in range(units)]
        process.kill()
        rest = [line for line in process.stdout.read().split("\n") if line]
    return int(rest[-1]) if rest else answered[-1]


@pytest.mark.slow
@pytest.mark.parametrize("size", [50_000_000, 2_000_000_000])
def test_a_large_object_is_filled_updated_killed_exported_backed_up_and_taken_back(on_disk, size):
    filled = step(on_disk, "fill", size)
    rows = filled["rows"]
    assert rows * 12_300 > size  # a row of 8,000 bytes takes two pages and a half
    assert (filled["whole"], filled["updated"]) == (rows, 0)

    answered = 0
    for _ in range(3):
        answered = updated_and_killed(on_disk, random.randrange(20, 80))
        found = step(on_disk, "look")
        assert found["kept"] - answered in (0, 1)  # one may have been stored and not answered
        assert (found["rows"], found["whole"], found["unit"]) == (rows, rows, found["kept"])

    left = step(on_disk, "export")
    assert left == {"rows": rows, "updated": found["updated"], "integrity": "ok", "memory": left["memory"]}
    assert step(on_disk, "backup") | {"memory": 0} == found | {"memory": 0}
    back = step(on_disk, "back")
    assert (back["rows"], back["whole"], back["updated"], back["kept"]) == (rows, rows, 0, 0)
