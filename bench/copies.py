"""How fast a data folder is backed up, restored and an object exported, against `cp` of the same bytes; both on disk at the end.

    bench/copies.py --megabytes 600 --runs 5 --folder /var/tmp

With what undoes them, and what the log held, 600 MB of rows are a folder of 1 GB.
What is copied is in memory already, for both sides. Each run does all, in turn; medians, the ratio of speeds, and the peak of
memory. Half of the speed of `cp` is wanted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import perdure
from perdure.host.export import export_object
from perdure.host.stored_object import stored_class
from perdure.host.version import VERSION
from perdure.store.backup import create_backup, restore_backup
from perdure.store.file_system import checksummed_file_system

ROW_BYTES = 1_000
MIB = 1024 * 1024


class Rows(perdure.DurableObject):
    """One object with tables, the others with keys."""

    def fill_table(self, rows: int) -> None:
        self.ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, a BLOB)")
        insert = "INSERT INTO t(a) VALUES(?)"
        self.ctx.storage.sql.exec_many(insert, [(os.urandom(ROW_BYTES),) for _ in range(rows)])

    def fill_keys(self, first: int, rows: int) -> None:
        for n in range(first, first + rows):
            self.ctx.storage.kv.put(f"{n:09}", os.urandom(ROW_BYTES))


async def fill(folder: Path, megabytes: int) -> None:
    """Nine tenths of it in the tables of one object, the rest in the keys of ten."""
    async with perdure.open(folder, objects=[Rows]) as runtime:
        for unit in range(megabytes // 10):
            if unit % 10:
                await runtime.env.Rows.get_by_name("tables").fill_table(10_000)
            else:
                await runtime.env.Rows.get_by_name(f"keys {unit // 10 % 10}").fill_keys(unit * 10_000, 10_000)


def one(what: str, folder: Path) -> dict[str, float]:
    """Does it in this process, and says how long it took."""
    data, backup = folder / "data", folder / "all.perdure"
    began = time.perf_counter()
    if what == "backup":
        create_backup(
            data, backup, file_system=checksummed_file_system(), written_by=VERSION, now_ms=time.time_ns() // MIB
        )
        size = backup.stat().st_size
    elif what == "restore":
        restore_backup(backup, folder / "restored")
        size = backup.stat().st_size
    else:
        of = stored_class(data, "Rows")
        export_object(of, of.id_of("tables"), folder / "tables.db", force=False)
        size = (folder / "tables.db").stat().st_size
    took = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_SELF)
    status = Path("/proc/self/status").read_text().splitlines()
    peak = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
    return {"s": took, "cpu": used.ru_utime + used.ru_stime, "bytes": size, "rss": peak}


def copied(sources: list[Path], target: Path) -> dict[str, float]:
    began = time.perf_counter()
    target.mkdir()
    subprocess.run(["cp", "--reflink=never", "-r", *sources, target], check=True)
    files = [path for path in target.rglob("*") if path.is_file()]
    subprocess.run(["sync", *files], check=True)
    took = time.perf_counter() - began
    size = sum(path.stat().st_size for path in files)
    shutil.rmtree(target)
    return {"s": took, "bytes": size}


def into_memory(files: list[Path]) -> None:
    piece = bytearray(MIB)
    for path in files:
        with path.open("rb", buffering=0) as file:
            while file.readinto(piece):
                pass


def touched(folder: Path, size: float) -> None:
    """As much memory as will be written next has just been used and is free: on a virtual machine that which has not costs
    three times what is measured here."""
    scratch, piece = folder / "scratch", bytes(MIB)
    with scratch.open("wb", buffering=0) as file:
        for _ in range(round(size / MIB) + 1):
            file.write(piece)
    scratch.unlink()


def done_alone(what: str, folder: Path, *options: str) -> dict[str, float]:
    command = [sys.executable, __file__, "--one", what, "--folder", str(folder), *options]
    found = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(found.stdout))


def run(folder: Path, found: dict[str, list[dict[str, float]]], order: int) -> None:
    def ours() -> None:
        for what in ("backup", "restore", "export"):
            touched(folder, size)
            found.setdefault(what, []).append(done_alone(what, folder))
        shutil.rmtree(folder / "restored")
        (folder / "all.perdure").unlink()
        (folder / "tables.db").replace(folder / "kept.db")

    def theirs() -> None:
        touched(folder, size)
        folder_copied = copied([folder / "data"], folder / "copy")
        for what in ("backup", "restore"):
            found.setdefault(f"cp for {what}", []).append(folder_copied)
        if (folder / "kept.db").exists():
            touched(folder, size)
            found.setdefault("cp for export", []).append(copied([folder / "kept.db"], folder / "copy"))

    stores = list((folder / "data").rglob("*.db"))
    size = sum(path.stat().st_size for path in stores)
    into_memory(stores)
    for side in (ours, theirs) if order % 2 else (theirs, ours):
        subprocess.run(["sync"], check=True)
        side()


def main() -> None:
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=600)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"))
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one == "fill":
        asyncio.run(fill(options.folder / "data", options.megabytes))
        print("{}")
        return
    if options.one:
        print(json.dumps(one(options.one, options.folder)))
        return
    print(f"load before: {os.getloadavg()[0]:.2f}")
    found: dict[str, list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        done_alone("fill", Path(name), "--megabytes", str(options.megabytes))
        for order in range(options.runs + 1):
            run(Path(name), found, order)
    for what in ("backup", "restore", "export"):
        ours, theirs = found[what][1:], found[f"cp for {what}"][-options.runs :]
        speed, copy = (statistics.median(one["bytes"] / one["s"] / MIB for one in side) for side in (ours, theirs))
        memory, cpu = max(one["rss"] for one in ours) / MIB, statistics.median(one["cpu"] for one in ours)
        print(
            f"{what}: {ours[0]['bytes'] / MIB:,.0f} MiB at {speed:,.0f} MiB/s, cp at {copy:,.0f} MiB/s:"
            f" {speed / copy:.2f} of its speed ({min(one['s'] for one in ours):.2f} to {max(one['s'] for one in ours):.2f} s"
            f" against {min(one['s'] for one in theirs):.2f} to {max(one['s'] for one in theirs):.2f} s);"
            f" {cpu:.2f} s of processor time, at most {memory:,.0f} MiB of memory"
        )


if __name__ == "__main__":
    main()
