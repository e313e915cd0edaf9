"""What others wait while one object's SQL takes long: on the loop with `exec`, and on a thread with `await sql.run`.

    python -m bench.long_sql --seconds 5

Another object of the same process stores a count again and again, each call awaited. Printed of its calls: median, 99th
percentile and longest, while nothing else happens, while a statement without end is run again and again on the loop (each is
interrupted after `Limits.sql`, 1 s), and while one that takes as long as the measurement runs on a thread.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import perdure

ENDLESS = "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c) SELECT max(i) FROM c"
UNTIL = "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < ?) SELECT max(i) AS i FROM c"
# The other event of a turn: a statement that holds the loop is asked for again once others had theirs.
PAUSE_S = 0.2


class Runaway(perdure.DurableObject):
    def on_the_loop(self) -> None:
        self.ctx.storage.sql.exec(ENDLESS).to_list()

    async def on_a_thread(self, count: int) -> None:
        (await self.ctx.storage.sql.run(UNTIL, count)).to_list()


class Bystander(perdure.DurableObject):
    def count(self) -> int:
        n: int = self.ctx.storage.kv.get("n", 0) + 1
        self.ctx.storage.kv.put("n", n)
        return n


async def waits(runtime: Any, until: Callable[[], bool]) -> list[float]:
    """Of each call, in seconds."""
    bystander, found = runtime.env.Bystander.get_by_name("b"), []
    while not until():
        began = time.perf_counter()
        await bystander.count()
        found.append(time.perf_counter() - began)
    return found


def show(what: str, found: list[float]) -> None:
    found.sort()
    median, most, worst = found[len(found) // 2], found[len(found) * 99 // 100], found[-1]
    figures = f"median {median * 1e3:7.2f} ms, 99 % below {most * 1e3:7.2f} ms, longest {worst * 1e3:8.2f} ms"
    print(f"{what:22} {len(found):6,} calls: {figures}", flush=True)


async def beside(runtime: Any, work: Coroutine[Any, Any, Any]) -> list[float]:
    task = asyncio.ensure_future(work)
    found = await waits(runtime, task.done)
    await task
    return found


async def again_and_again(runtime: Any, seconds: float) -> None:
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends:
        with contextlib.suppress(perdure.SqlInterrupted):
            await runtime.env.Runaway.get_by_name("r").on_the_loop()
        await asyncio.sleep(PAUSE_S)


async def measure(folder: Path, seconds: float) -> None:
    async with perdure.open(folder, objects=[Runaway, Bystander]) as runtime:
        runaway = runtime.env.Runaway.get_by_name("r")
        began = time.perf_counter()
        await runaway.on_a_thread(1_000_000)
        per_second = 1_000_000 / (time.perf_counter() - began)
        ends = time.perf_counter() + seconds
        show("nothing else", await waits(runtime, lambda: time.perf_counter() > ends))
        show("exec, interrupted", await beside(runtime, again_and_again(runtime, seconds)))
        show("await sql.run", await beside(runtime, runaway.on_a_thread(round(per_second * seconds))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"))
    options = parser.parse_args()
    print(f"load before: {os.getloadavg()[0]:.2f}")
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        asyncio.run(measure(Path(name), options.seconds))


if __name__ == "__main__":
    main()
