"""The figures that need no ratio: cold start, memory of live objects, pauses of the loop, a million objects in turn.

What must stay true: each figure is checked against what it claims to be about: that the objects are really live while
their memory is read (`GET /activations` of perdure/live.py), and really stored when the folder is opened again.
"""

from __future__ import annotations

import statistics
import threading
import time
from pathlib import Path

from bench import load
from bench.measure import finish_load, run_load, start_load
from bench.rows import CONNECTIONS
from bench.sides import Installation, ask, scratch_folder, serving

Fact = tuple[str, str, str]  # what, figure, target
MIB = 2**20
# The loop is asked this often; it stands for every client that has nothing to do with what keeps the loop busy.
PROBE_EVERY_S = 0.001
# Idle collection of garbage, apply and checkpoints all happen within this time after the last request.
SETTLE_S = 15.0
# workerd keeps three files open per live object; as many as that are enough for an average.
WORKERD_LIVE = 3_000
RSS_EVERY_S = 0.25


class Probe:
    """Asks for /hello on a connection of its own every millisecond and keeps the longest wait, until the block ends."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.worst_ms = 0.0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.keep_asking)

    def keep_asking(self) -> None:
        question = load.request("GET", "/hello")
        with load.asking(self.port) as ask_hello:
            while not self.over.wait(PROBE_EVERY_S):
                began = time.perf_counter()
                ask_hello(question)
                self.worst_ms = max(self.worst_ms, (time.perf_counter() - began) * 1e3)

    def __enter__(self) -> Probe:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()


def cold_start(installation: Installation, root: Path, *, runs: int) -> list[Fact]:
    """From the start of the process to its first whole reply, a Worker without objects in use; medians."""
    times: dict[str, list[float]] = {"perdure": [], "workerd": []}
    for _ in range(runs):
        for side, found in times.items():
            with scratch_folder(root) as folder, serving(installation, side, folder) as server:
                found.append(server.start_s)
    ours, theirs = (statistics.median(found) for found in times.values())
    what = f"cold start of `perdure dev` to its first reply (workerd: {theirs:.2f} s)"
    return [(what, f"{ours:.2f} s", "1.0 s, aim 0.4 s")]


def bytes_per_live_object(
    installation: Installation, side: str, root: Path, objects: int
) -> tuple[float, float, float | None]:
    """Growth of memory per object; a bystander's worst wait while they come and idle, and while asked again."""
    with scratch_folder(root) as folder, serving(installation, side, folder, variant="live") as server:

        def pass_over(kind: str, prefix: str, count: int) -> None:
            run_load(
                load.Plan(
                    port=server.port,
                    kind=kind,
                    connections=CONNECTIONS,
                    objects=count,
                    seconds=3600,
                    prefix=prefix,
                    requests_max=count,
                )
            )

        pass_over("new-name", "first-", 1_000)  # so that code, caches and the store's tables are not counted
        time.sleep(2)
        before = server.rss_bytes()
        with Probe(server.port) as probe:
            pass_over("new-name", "live-", objects)
            time.sleep(SETTLE_S)
        grown = server.rss_bytes() - before
        worst_again_ms = None
        if side == "perdure":
            with Probe(server.port) as again:
                wake_all(server.port, objects)
            worst_again_ms = again.worst_ms
            woken = int(ask(server.port, "/activations") or 0)
            if woken != objects + 1_000:
                raise load.Void(f"{woken} activations of {objects + 1_000} objects: not all of them were live")
        return grown / objects, probe.worst_ms, worst_again_ms


def wake_all(port: int, objects: int) -> None:
    with load.asking(port) as ask_object:
        for number in range(1, objects + 1):
            if ask_object(load.request("GET", f"/live-{number}")) != b"1":
                raise load.Void(f"live object {number} does not hold 1")


def live_objects(installation: Installation, root: Path, *, objects: int) -> list[Fact]:
    theirs, _, _ = bytes_per_live_object(installation, "workerd", root, min(WORKERD_LIVE, objects))
    ours, worst_ms, worst_again_ms = bytes_per_live_object(installation, "perdure", root, objects)
    what = f"{objects:,} objects live and idle"
    return [
        (f"{what}: memory each (workerd: {theirs:,.0f} B)", f"{ours:,.0f} B", "2,048 B"),
        (f"live idle objects per GiB (workerd: {2**30 / theirs:,.0f})", f"{theirs / ours:,.0f}x", "50x, aim 200x"),
        (f"{what}: longest wait of a bystander while they came and went idle", f"{worst_ms:.0f} ms", "100 ms"),
        (f"{what}: the same while each was asked once more", f"{worst_again_ms:.0f} ms", "100 ms"),
    ]


def one_after_another(installation: Installation, root: Path, *, objects: int) -> list[Fact]:
    """New objects on one connection, each stored and evicted when its time is over; then the folder is opened anew."""
    with scratch_folder(root) as folder:
        with serving(installation, "perdure", folder) as server:
            run_load(load.Plan(server.port, "new-name", requests_max=1_000, seconds=60, prefix="first-"))
            before = most = server.rss_bytes()
            began = time.perf_counter()
            running = start_load(
                load.Plan(server.port, "new-name", requests_max=objects, seconds=24 * 3600, prefix="turn-")
            )
            while running.poll() is None:
                most = max(most, server.rss_bytes())
                time.sleep(RSS_EVERY_S)
            finish_load(running)
            took_s = time.perf_counter() - began
            time.sleep(SETTLE_S)
            after = server.rss_bytes()
        with serving(installation, "perdure", folder, first_path=f"/turn-{objects}") as server:
            start_s = server.start_s
    what = f"{objects:,} objects opened one after another in {took_s:,.0f} s"
    growth = f"+{(after - before) / MIB:.0f} MiB, at most +{(most - before) / MIB:.0f} MiB meanwhile"
    return [
        (f"{what}: memory against the start ({before / MIB:.0f} MiB)", growth, "64 MiB"),
        (f"`perdure dev` on that folder: first reply, from one of the {objects:,}", f"{start_s:.2f} s", "1 s"),
    ]
