"""How often a server asks the disk to make things durable: fsync, fdatasync, sync_file_range, msync of all its threads.

Counted by the kernel while the load runs, with `perf stat` (costs nothing measurable) or else `strace -c` (slows the
server, so nothing else is read from that pass). Both see processes and threads that the server starts meanwhile.
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

CALLS = ("fsync", "fdatasync", "sync_file_range", "msync")
# From the start of the tool until it surely counts.
ATTACH_S = 0.5


def tool() -> str | None:
    """perf, strace, or None if neither can count here."""
    if shutil.which("perf"):
        probe = ["perf", "stat", "-e", "syscalls:sys_enter_fsync", "true"]
        if subprocess.run(probe, capture_output=True).returncode == 0:
            return "perf"
    return "strace" if shutil.which("strace") else None


def count(pids: list[int], load: Callable[[], int]) -> float | None:
    """Syncs per 1,000 of the requests that `load` makes and counts."""
    using = tool()
    if using is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        report = str(Path(folder) / "report")
        if using == "perf":
            events = ",".join(f"syscalls:sys_enter_{call}" for call in CALLS)
            command = ["perf", "stat", "-x", ";", "-o", report, "-e", events, "-p", ",".join(map(str, pids))]
        else:
            attach = [part for pid in pids for part in ("-p", str(pid))]
            command = ["strace", "-f", "-c", "-o", report, "-e", f"trace={','.join(CALLS)}", *attach]
        counter = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        time.sleep(ATTACH_S)
        requests = load()
        counter.send_signal(signal.SIGINT)
        _, said = counter.communicate(timeout=30)
        if not Path(report).exists():
            raise RuntimeError(f"{using} could not count: {said.decode(errors='replace')[-500:]}")
        syncs = sum(map(int, (from_perf if using == "perf" else from_strace)(Path(report).read_text())))
    return 1000 * syncs / requests


def from_perf(report: str) -> list[str]:
    return re.findall(r"^(\d+);[^\n]*sys_enter_", report, re.MULTILINE)


def from_strace(report: str) -> list[str]:
    # % time, seconds, usecs/call, calls, [errors,] name
    return re.findall(rf"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(?:{'|'.join(CALLS)})$", report, re.MULTILINE)
