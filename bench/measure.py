"""One measurement: a fresh server on a fresh folder, a warm-up, the measured time, a pass that counts syncs, the check.

What must stay true: a figure exists only if the whole run was right. `load.Void` and `SideFailed` end the benchmark.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bench import load, syncs
from bench.machine import busy_s
from bench.rows import Row
from bench.sides import BENCH, Installation, scratch_folder, serving

# The warm-up and the pass that counts syncs, as shares of the measured time and in seconds.
SIDE_PASS_SHARE = 0.1
SIDE_PASS_S_MIN = 1.0


@dataclass(frozen=True, slots=True)
class Measurement:
    row: str
    side: str
    run: int
    result: load.Result
    server_cpu_us: float  # processor time per request, all processes of the server, warm-up and checks included
    others_share: float  # of the whole machine's processor time, used by neither the server nor the load generator
    syncs_per_1000: float | None


def start_load(plan: load.Plan) -> subprocess.Popen[str]:
    """A process of its own: the harness must not share an interpreter with what it times."""
    command = [sys.executable, "-m", "bench.load", json.dumps(asdict(plan))]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=BENCH.parent)


def finish_load(process: subprocess.Popen[str]) -> load.Result:
    out, _ = process.communicate()
    answer: dict[str, Any] = json.loads(out) if out else {"void": f"the load generator died with {process.returncode}"}
    if "void" in answer:
        raise load.Void(answer["void"])
    return load.Result(**answer)


def run_load(plan: load.Plan) -> load.Result:
    return finish_load(start_load(plan))


def plan_of(row: Row, port: int, kind: str, *, seconds: float, warm_up_s: float = 0.0, seed: int = 1) -> load.Plan:
    """`kind` is the row's own, or what stores the objects that it reads."""
    return load.Plan(
        port,
        kind,
        row.connections,
        row.objects,
        seconds=seconds,
        warm_up_s=warm_up_s,
        seed=seed,
        prefix=row.prefix,
    )


def measure(installation: Installation, row: Row, side: str, *, run: int, seconds: float, root: Path) -> Measurement:
    side_pass_s = max(SIDE_PASS_S_MIN, seconds * SIDE_PASS_SHARE)
    with scratch_folder(root) as folder, serving(installation, side, folder) as server:
        if row.stored:
            run_load(plan_of(row, server.port, "increment", seconds=side_pass_s, seed=run))
        cpu_began_s, busy_began_s, began_s = server.cpu_s(), busy_s(), time.perf_counter()
        result = run_load(plan_of(row, server.port, row.kind, seconds=seconds, warm_up_s=side_pass_s, seed=run))
        cpu_used_s, busy_used_s = server.cpu_s() - cpu_began_s, busy_s() - busy_began_s
        took_s = time.perf_counter() - began_s
        # The generator's own account covers the measured time; what it uses before and after is the same kind of work.
        others_s = busy_used_s - cpu_used_s - result.cpu_share * took_s
        per_1000 = None
        if row.writes:
            again = plan_of(row, server.port, row.kind, seconds=side_pass_s, seed=run)
            if row.kind == "new-name":
                again = replace(again, prefix="again-")  # new objects have to be new
            per_1000 = syncs.count(server.pids(), lambda: run_load(again).requests_all)
    others_share = max(0.0, others_s / took_s / len(os.sched_getaffinity(0)))
    return Measurement(row.key, side, run, result, cpu_used_s / result.requests_all * 1e6, others_share, per_1000)
