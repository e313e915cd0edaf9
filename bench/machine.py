"""What the figures were measured on; without it they mean nothing."""

from __future__ import annotations

import os
import platform
import re
import shutil
import statistics
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

from bench.sides import BENCH, Installation, SideFailed

SYNC_SAMPLES = 300
IN_MEMORY = {"tmpfs", "ramfs"}


def file_system(folder: Path) -> str:
    """The type of the file system that holds `folder`. Raises SideFailed if it is memory: syncs would cost nothing."""
    best, kind = "", "unknown"
    for line in Path("/proc/mounts").read_text().splitlines():
        _, mount, type_, *_ = line.split()
        if len(mount) >= len(best) and (folder == Path(mount) or Path(mount) in folder.parents):
            best, kind = mount, type_
    if kind in IN_MEMORY:
        raise SideFailed(f"{folder} is on {kind}; give a folder on a disk with --folder")
    return kind


def sync_us(folder: Path) -> float:
    """Median of appending 4 KiB and making it durable."""
    path = folder / "perdure-bench-sync"
    times = []
    with path.open("wb", buffering=0) as file:
        for _ in range(SYNC_SAMPLES):
            file.write(bytes(4096))
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - began)
    path.unlink()
    return statistics.median(times) * 1e6


def processor() -> str:
    found = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    return found[1] if found else platform.machine()


def busy_s() -> float:
    """Processor time that everything on this machine has used, kernel and stolen time included."""
    user, nice, system, _idle, _io_wait, irq, soft_irq, stolen = map(
        int, Path("/proc/stat").read_text().split(maxsplit=9)[1:9]
    )
    return (user + nice + system + irq + soft_irq + stolen) / os.sysconf("SC_CLK_TCK")


def commit() -> str:
    if not shutil.which("git"):
        return "unknown"
    found = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=BENCH, capture_output=True, text=True)
    return found.stdout.strip() or "unknown"


def conditions(installation: Installation, root: Path) -> dict[str, str]:
    cores = len(os.sched_getaffinity(0))
    memory_gib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    workerd = subprocess.run([installation.workerd, "--version"], capture_output=True, text=True, check=True).stdout
    code = "import importlib.metadata as m; print(m.version('uvicorn'))"
    uvicorn = Installation(installation.environment / "bin" / "python").run(code)
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{cores} cores of {processor()}, {memory_gib:.0f} GiB, Linux {platform.release()}",
        "disk": f"{file_system(root)}, {sync_us(root):.0f} µs to append 4 KiB and sync it (median)",
        "load before": f"{os.getloadavg()[0]:.2f}",
        "Python": f"{installation.version} (an empty call takes {installation.call_ns:.0f} ns)",
        "Perdure": commit(),
        "workerd": workerd.removeprefix("workerd").strip(),
        "uvicorn": uvicorn,
    }
