"""How long the collector stops the loop while many instances live: `python -m tests.host.measure_pauses [--plain]`.

Activates instances that each store a value, then idles while a few are called. Prints, for both phases, the longest single
collection in processor time, which other programs on the machine do not change, and how late a 1 ms heartbeat of the loop came at
worst, which they do. `--plain` leaves collection to CPython, to compare.
"""

import argparse
import asyncio
import gc
import os
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from perdure.core.migrations import MigrationPlan
from perdure.host.clock import RealClock
from perdure.host.collector import Collector
from perdure.host.loop import new_loop
from perdure.model.limits import Limits
from perdure.model.object_id import IdKey
from perdure.objects.residents import Residents
from perdure.objects.state import State
from perdure.store.committer import CommitterPool
from perdure.store.data_folder import DataFolder
from tests.objects.world import Handle

ACTIVATED_AT_ONCE = 64


class Kept:
    """What a small object of a program looks like."""

    def __init__(self, ctx: State) -> None:
        self.ctx = ctx

    async def add(self) -> int:
        value: int = self.ctx.storage.kv.get("value", 0) + 1
        self.ctx.storage.kv.put("value", value)
        return value


class Pauses:
    """The longest of what is measured since the last `take`."""

    def __init__(self) -> None:
        self.collection_s = self.late_s = 0.0
        self._begun_s = 0.0
        gc.callbacks.append(self._collected)

    def take(self) -> tuple[float, float]:
        longest = self.collection_s, self.late_s
        self.collection_s = self.late_s = 0.0
        return longest

    async def beat(self) -> None:
        while True:
            expected_s = time.perf_counter() + 0.001
            await asyncio.sleep(0.001)
            self.late_s = max(self.late_s, time.perf_counter() - expected_s)

    def _collected(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._begun_s = time.thread_time()
        else:
            self.collection_s = max(self.collection_s, time.thread_time() - self._begun_s)


async def measure(folder: Path, instances: int, idle_s: float, *, plain: bool) -> None:
    clock = RealClock()
    pool = CommitterPool(asyncio.get_running_loop())
    data = await DataFolder.open(
        folder, clock=clock, committer=pool, random_bytes=os.urandom, written_by="measure_pauses"
    )
    (namespace,) = await data.apply("measure", MigrationPlan(creates=["Kept"]))
    residents = Residents(
        class_name="Kept",
        store=await data.store(namespace.id),
        clock=clock,
        limits=Limits(idle=timedelta(hours=1)),
        make=Kept,
        report=lambda what, id, error: print(what, id, error),
    )
    pauses, running = Pauses(), 0

    def is_idle() -> bool:
        return running == 0

    if not plain:
        collector = Collector(clock, is_idle=is_idle)
        collector.start()
    beat = asyncio.create_task(pauses.beat())
    await asyncio.sleep(0.1)
    pauses.take()
    key, handles = IdKey("Kept"), []
    started_s = time.perf_counter()
    for first in range(0, instances, ACTIVATED_AT_ONCE):
        running = ACTIVATED_AT_ONCE
        fresh = [Handle(residents, key.from_name(str(number))) for number in range(first, first + ACTIVATED_AT_ONCE)]
        await asyncio.gather(*[handle.call("add") for handle in fresh])
        handles.extend(fresh[:1])
        running = 0
    show("activating", residents.live, time.perf_counter() - started_s, pauses)
    started_s = time.perf_counter()
    while time.perf_counter() - started_s < idle_s:
        await handles[0].call("add")
        await asyncio.sleep(0.01)
    show("idle", residents.live, time.perf_counter() - started_s, pauses)
    if not plain:
        print(collector.counters)
        print(f"frozen containers: {gc.get_freeze_count():,}")
    beat.cancel()
    await residents.close()
    await data.close()
    pool.close()


def show(phase: str, live: int, took_s: float, pauses: Pauses) -> None:
    collection_s, late_s = pauses.take()
    print(
        f"{phase}: {live:,} live, {took_s:.1f} s; longest collection {collection_s * 1000:.0f} ms, "
        f"heartbeat late by {late_s * 1000:.0f} ms at worst"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instances", type=int, default=100_000)
    parser.add_argument("--idle-s", type=float, default=10)
    parser.add_argument("--plain", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(measure(Path(folder), options.instances, options.idle_s, plain=options.plain))


if __name__ == "__main__":
    main()
