"""One large object, of which each step is a process: `python -m tests.whole_path.large_object FOLDER STEP SIZE`.

Prints what it found as JSON, and the most memory that the process had. Step `update` never ends: it is killed.
"""

import asyncio
import contextlib
import json
import sqlite3
import sys
from pathlib import Path
from typing import Any

import perdure
from perdure.host.export import export_object
from perdure.host.stored_object import stored_class
from perdure.host.version import VERSION
from perdure.store.backup import create_backup, restore_backup
from perdure.store.file_system import checksummed_file_system

ROW_BYTES = 8_000
UNIT_ROWS = 1_000
UPDATED_ROWS = 50
FILL = """
    WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < ?)
    INSERT INTO t(n, body) SELECT 0, randomblob(?) FROM c"""


class Large(perdure.DurableObject):
    schema = ("CREATE TABLE t(id INTEGER PRIMARY KEY, n INTEGER NOT NULL, body BLOB)",)

    def fill(self) -> int:
        sql = self.ctx.storage.sql
        sql.exec(FILL, UNIT_ROWS, ROW_BYTES)
        return sql.database_size

    async def mark(self) -> str:
        bookmark = await self.ctx.storage.current_bookmark()
        self.ctx.storage.kv.put("bookmark", bookmark)
        return bookmark

    async def go_back(self) -> None:
        await self.ctx.storage.restore_on_next_start(self.ctx.storage.kv.get("bookmark"))
        self.ctx.abort("going back")

    def update(self, unit: int) -> None:
        """Every row of a stretch says the unit, of which none may be there in part."""
        sql = self.ctx.storage.sql
        first = unit * 7_919 % self._rows()
        ids = f"id > {first} AND id <= {first + UPDATED_ROWS}"
        sql.exec(
            f"UPDATE t SET n = ?, body = CAST(substr(body, 1, 4000) || ? AS BLOB) WHERE {ids}",
            unit,
            f"unit {unit} " * 400,
        )
        self.ctx.storage.kv.put("unit", unit)

    def unit(self) -> int:
        return int(self.ctx.storage.kv.get("unit", 0))

    async def look(self) -> dict[str, Any]:
        rows = "SELECT count(*) AS rows, sum(length(body) > 0) AS whole, sum(n > 0) AS updated, max(n) AS unit FROM t"
        return {**dict((await self.ctx.storage.sql.run(rows)).one()), "kept": self.unit()}

    def _rows(self) -> int:
        return int(self.ctx.storage.sql.exec("SELECT max(id) AS rows FROM t").one().rows)


async def work(folder: Path, step: str, size: int) -> Any:
    async with perdure.open(folder, objects=[Large]) as runtime:
        large = runtime.env.Large.get_by_name("large")
        if step == "fill":
            while await large.fill() < size:
                pass
            await large.mark()
        elif step == "update":
            unit = await large.unit()
            while True:
                unit += 1
                await large.update(unit)
                print(unit, flush=True)
        elif step == "back":
            with contextlib.suppress(perdure.ObjectReset):
                await large.go_back()
        return await large.look()


def exported(folder: Path) -> dict[str, Any]:
    of = stored_class(folder, "Large")
    export_object(of, of.id_of("large"), folder.parent / "large.db", force=False)
    connection = sqlite3.connect(folder.parent / "large.db")
    rows, updated = connection.execute("SELECT count(*), sum(n > 0) FROM t").fetchone()
    said = connection.execute("PRAGMA integrity_check").fetchone()[0]
    connection.close()
    return {"rows": rows, "updated": updated, "integrity": said}


def backed_up(folder: Path) -> dict[str, Any]:
    file = folder.parent / "all.perdure"
    create_backup(folder, file, file_system=checksummed_file_system(), written_by=VERSION, now_ms=0)
    restore_backup(file, folder.parent / "again")
    file.unlink()
    return asyncio.run(work(folder.parent / "again", "look", 0))


def memory_bytes() -> int:
    """The most that this process has had."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def main(folder: Path, step: str, size: int) -> None:
    if step == "export":
        found = exported(folder)
    elif step == "backup":
        found = backed_up(folder)
    else:
        found = asyncio.run(work(folder, step, size))
    print(json.dumps({**found, "memory": memory_bytes()}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
