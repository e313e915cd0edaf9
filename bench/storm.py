"""A store with very many alarms: how soon it serves, and how fast they run while requests come.

What must stay true: as many alarms ran as were set, none of them before its time, and the storm lasted for as long as the
requests that are measured in it; else the figures are void.
"""

from __future__ import annotations

import time
from pathlib import Path

from bench import load
from bench.alone import Fact
from bench.measure import run_load
from bench.rows import CONNECTIONS, OBJECTS
from bench.sides import Installation, Server, ask, scratch_folder, serving

# Alarms set by one request; then the others of the harness have a turn.
ARMED_PER_REQUEST = 20_000
# They are set to a time by which all of them have been set. On a slower machine the run is void.
ARMED_PER_S_MIN = 2_500
LOOK_EVERY_S = 0.25
# Of requests, with and without the storm.
LOAD_S = 10.0


def alarms(installation: Installation, root: Path, *, count: int) -> list[Fact]:
    with scratch_folder(root) as folder:
        due_ms = int((time.time() + count / ARMED_PER_S_MIN + 3 * LOAD_S + 15) * 1000)
        with serving(installation, "perdure", folder, variant="reminders") as server:
            for first in range(0, count, ARMED_PER_REQUEST):
                ask(server.port, f"/arm/{first}/{min(ARMED_PER_REQUEST, count - first)}/{due_ms}")
        with serving(installation, "perdure", folder, variant="reminders") as server:
            start_s = server.start_s
            calm = [requests(server, connections) for connections in (1, CONNECTIONS)]
            if rung(server)[0]:
                raise load.Void(f"{rung(server)[0]} alarms ran before all of them were set")
        time.sleep(max(0.0, due_ms / 1000 - time.time()))
        with serving(installation, "perdure", folder, variant="reminders") as server:
            overdue_start_s = server.start_s
            stormy = [requests(server, connections) for connections in (1, CONNECTIONS)]
            ran_during = rung(server)[0]
            while rung(server)[0] < count:
                time.sleep(LOOK_EVERY_S)
            ran, early, took_s = rung(server)
    if ran != count or early:
        raise load.Void(f"of {count} alarms {ran} ran, {early} of them early")
    if ran_during == count:
        raise load.Void("the storm was over before the requests were; take more alarms")
    what = f"{count:,} alarms"
    facts = [
        (f"{what} in the store: first reply of `perdure dev`", f"{start_s:.2f} s", "1 s"),
        (f"{what}, all overdue: the same", f"{overdue_start_s:.2f} s", "1 s"),
        (
            f"{what}, all overdue: run, with a write each, beside requests at first",
            f"{ran / took_s:,.0f} /s",
            "5,000 /s",
        ),
    ]
    for before, during in zip(calm, stormy, strict=True):
        of = "1 connection" if before is calm[0] else f"{CONNECTIONS} connections"
        figure = f"{during.p99_us / before.p99_us:.1f}x ({before.p99_us:,.0f} µs, then {during.p99_us:,.0f} µs)"
        facts.append((f"durable increments, {of}: 99th percentile meanwhile", figure, "3x"))
        facts.append(("the same: rate meanwhile", f"{during.per_second:,.0f} /s of {before.per_second:,.0f} /s", ""))
    return facts


def requests(server: Server, connections: int) -> load.Result:
    return run_load(load.Plan(server.port, "increment", connections, OBJECTS, seconds=LOAD_S, warm_up_s=1.0))


def rung(server: Server) -> tuple[int, int, float]:
    """How many alarms ran since the server started, how many of them early, and from the first to the last in seconds."""
    times, early, took_s = (ask(server.port, "/rang") or b"").split()
    return int(times), int(early), float(took_s)
