"""The servers that are compared: each started fresh on an empty folder, alone on the machine, and ended by its own pid.

What must stay true: nothing that was started outlives its `with` block, whatever happened inside; and no side gets an
option that makes it less durable or less checked than it is for its users.
"""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

BENCH = Path(__file__).resolve().parent
# A server that has not answered by then will not; the cold start row aims at 0.4 s.
START_S_MAX = 30.0
# Draining is part of stopping; a server that takes longer is killed, and the run says so.
STOP_S_MAX = 20.0
# How often a starting server is asked. Shorter would take CPU from what is measured.
ASK_AGAIN_S = 0.002


class SideFailed(Exception):
    """A server did not start, or died, with the end of what it said."""


def environment(python: Path) -> dict[str, str]:
    """What bench/setup runs in: this environment, and the interpreter it is for."""
    return {**os.environ, "PYTHON": str(python)}


@dataclass(frozen=True, slots=True)
class Installation:
    """Where the programs of all sides are, for one Python."""

    python: Path

    @property
    def version(self) -> str:
        return self.run("import sys; print('%d.%d.%d' % sys.version_info[:3])")

    @property
    def call_ns(self) -> float:
        """What a call of an empty function takes: how an interpreter was compiled changes it by a quarter and more."""
        return float(self.run("import timeit; print(min(timeit.repeat('f()', 'def f(): pass', number=10**6)) * 1000)"))

    @property
    def series(self) -> str:
        return ".".join(self.version.split(".")[:2])

    def run(self, code: str) -> str:
        return subprocess.run([self.python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()

    @property
    def perdure(self) -> Path:
        return self.python.parent / "perdure"

    @property
    def environment(self) -> Path:
        return BENCH / ".venv" / self.series

    @property
    def workerd(self) -> Path:
        found = sorted((BENCH / "node_modules" / "@cloudflare").glob("workerd-*/bin/workerd"))
        if not found:
            raise SideFailed("workerd is not installed: run bench/setup")
        return found[0]

    def command(self, side: str, *, port: int, folder: Path, variant: str = "") -> list[str]:
        """`variant`: "live", whose objects stay in memory, for the memory rows; "reminders", whose objects ring."""
        match side:
            case "perdure":
                config = BENCH / "perdure" / f"{variant or 'wrangler'}.toml"
                options = ["--ip", "127.0.0.1", "--port", str(port), "--persist-to", str(folder)]
                return [str(self.perdure), "dev", "--no-reload", "-c", str(config), *options]
            case "workerd":
                listen, disk = f"http=127.0.0.1:{port}", f"objects={folder}"
                constant = [str(BENCH / "workerd" / "config.capnp"), variant or "config"]
                return [str(self.workerd), "serve", *constant, "--socket-addr", listen, "--directory-path", disk]
            case "uvicorn":
                uvicorn = [str(self.environment / "bin" / "uvicorn"), "hello:app", "--app-dir", str(BENCH / "uvicorn")]
                quick = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
                return [*uvicorn, *quick, "--host", "127.0.0.1", "--port", str(port)]
        raise ValueError(side)


@dataclass(frozen=True, slots=True)
class Server:
    port: int
    process: subprocess.Popen[bytes]
    start_s: float  # from the start of the process to its first whole reply

    def pids(self) -> list[int]:
        """The process and its descendants, by /proc."""
        children: dict[int, list[int]] = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                parent = int(stat.read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(stat.parent.name))
        found = [self.process.pid]
        for pid in found:
            found.extend(children.get(pid, ()))
        return found

    def rss_bytes(self) -> int:
        total = 0
        for pid in self.pids():
            with suppress(OSError):
                total += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return total * os.sysconf("SC_PAGE_SIZE")

    def cpu_s(self) -> float:
        """User and system time that all its processes have used."""
        ticks = 0
        for pid in self.pids():
            with suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask(port: int, path: str, method: str = "GET") -> bytes | None:
    """The body of a 200 reply; None if nobody listens yet."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_S_MAX)
    try:
        connection.request(method, path)
        reply = connection.getresponse()
        body = reply.read()
    except (ConnectionError, http.client.RemoteDisconnected):
        return None
    finally:
        connection.close()
    if reply.status != 200:
        raise SideFailed(f"{method} {path} answered {reply.status}: {body[:500]!r}")
    return body


@contextmanager
def scratch_folder(root: Path) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="perdure-bench-", dir=root))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def serving(
    installation: Installation, side: str, folder: Path, *, variant: str = "", first_path: str = "/hello"
) -> Iterator[Server]:
    """Runs `side` on `folder` until the block ends. Raises SideFailed if it does not answer `first_path`."""
    port = free_port()
    command = installation.command(side, port=port, folder=folder, variant=variant)
    with tempfile.TemporaryFile() as said:
        began = time.perf_counter()
        nothing = subprocess.DEVNULL
        # A session of its own: Ctrl-C reaches the harness, and the harness ends the server.
        process = subprocess.Popen(
            command, stdin=nothing, stdout=nothing, stderr=said, cwd=folder, start_new_session=True
        )
        server = Server(port, process, 0.0)
        try:
            while ask(port, first_path) is None:
                if process.poll() is not None or time.perf_counter() - began > START_S_MAX:
                    raise SideFailed(f"{side} did not start: {last_words(said)}")
                time.sleep(ASK_AGAIN_S)
            yield Server(port, process, time.perf_counter() - began)
            if process.poll() is not None:
                raise SideFailed(f"{side} died with {process.returncode}: {last_words(said)}")
        finally:
            stop(server)


def last_words(said: BinaryIO) -> str:
    said.seek(0)
    return said.read()[-2000:].decode(errors="replace") or "(it said nothing)"


def stop(server: Server) -> None:
    pids = server.pids()
    server.process.send_signal(signal.SIGTERM)
    try:
        server.process.wait(STOP_S_MAX)
    except subprocess.TimeoutExpired:
        print(f"  (pid {server.process.pid} did not stop within {STOP_S_MAX} s of SIGTERM and was killed)")
        server.process.kill()
        server.process.wait()
    for pid in pids[1:]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            print(f"  (pid {pid}, a child of {server.process.pid}, outlived it and was killed)")
