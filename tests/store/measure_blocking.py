"""How long the store holds up its loop at worst: `python -m tests.store.measure_blocking [--seconds 5]`.

Runs one store through phases that give it much to do (many small units, units of many rows, the largest unit, a sweep) and
times every callback of the loop and every call of the store. Prints for each phase the longest of both, as time passed
and as processor time of the loop's thread, which other programs on the machine do not change. The bound is 5 ms for what the
store does by itself; an `append` may take longer, in proportion to what the caller's own step has written.
"""

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from perdure.core.entry import Entry, ObjectRecord
from perdure.core.key_range import KeyRange
from perdure.core.migrations import MigrationPlan
from perdure.host.clock import RealClock
from perdure.store import undo_keeping
from perdure.store.committer import CommitterPool
from perdure.store.data_folder import DataFolder
from perdure.store.interface import Store

MIB = 1024 * 1024
OBJECTS = 1_000
WRITERS = 64


class Stopwatch:
    """The longest callback and the longest call since the last `take`."""

    def __init__(self) -> None:
        self.callbacks: dict[str, tuple[float, float]] = {}
        self.calls: dict[str, tuple[float, float]] = {}
        run: Callable[[asyncio.Handle], None] = asyncio.Handle._run

        def timed(handle: asyncio.Handle) -> None:
            with self.timing(self.callbacks, name_of(handle)):
                run(handle)

        asyncio.Handle._run = timed

    @contextmanager
    def timing(self, longest: dict[str, tuple[float, float]], name: str) -> Iterator[None]:
        wall, cpu = time.perf_counter(), time.thread_time()
        yield
        cpu, wall = time.thread_time() - cpu, time.perf_counter() - wall
        longest[name] = max(longest.get(name, (0.0, 0.0)), (wall, cpu))

    def call(self, name: str, fn: Callable[..., Any], *args: Any) -> Any:
        with self.timing(self.calls, name):
            return fn(*args)

    def show(self, phase: str) -> None:
        own = {name: times for name, times in self.callbacks.items() if name != "ours"}
        print(f"{phase}: callbacks {worst(own)}; calls {worst(self.calls)}", flush=True)
        self.callbacks.clear()
        self.calls.clear()


def name_of(handle: asyncio.Handle) -> str:
    callback: Any = handle._callback
    owner = getattr(callback, "__self__", None)
    if isinstance(owner, asyncio.Task):
        return "ours"
    return str(getattr(callback, "__qualname__", type(callback).__name__))


def worst(longest: dict[str, tuple[float, float]]) -> str:
    first = sorted(longest.items(), key=lambda item: item[1], reverse=True)[:3]
    return ", ".join(f"{name} {wall * 1000:.2f} ms (cpu {cpu * 1000:.2f})" for name, (wall, cpu) in first) or "none"


class Load:
    """Writers of one store."""

    def __init__(self, store: Store, watch: Stopwatch) -> None:
        self.store = store
        self.watch = watch
        self.generations: dict[bytes, int] = {}

    async def write(self, number: int, rows: dict[str, bytes | None]) -> None:
        object, record = number.to_bytes(32, "big"), None
        if object not in self.generations:
            self.generations[object] = self.store.new_generation()
            record = ObjectRecord(self.generations[object], f"object {number}", 0)
        entry = Entry(object, 0, self.generations[object], rows, record)
        position = self.watch.call(f"append of {len(rows):,} rows", self.store.append, entry)
        await self.durable(object, position)

    async def durable(self, object: bytes, position: int) -> None:
        durable = asyncio.get_running_loop().create_future()
        self.watch.call("when_durable", self.store.when_durable, object, position, durable.set_result)
        assert await durable is None

    async def room(self) -> None:
        room = asyncio.get_running_loop().create_future()
        self.store.when_room(lambda: room.set_result(None))
        await room


async def small_units(load: Load, seconds: float) -> None:
    ends = time.monotonic() + seconds

    async def writer(first: int) -> None:
        number = first
        while time.monotonic() < ends:
            await load.write(number % OBJECTS, {"value": b"x" * 20, f"key {number % 97}": b"y" * 100})
            number += WRITERS
            generation = load.generations[(first % OBJECTS).to_bytes(32, "big")]
            load.watch.call("get", load.store.get, generation, "value")

    await asyncio.gather(*map(writer, range(WRITERS)))


async def long_units(load: Load, seconds: float) -> None:
    ends = time.monotonic() + seconds
    number = 0
    while time.monotonic() < ends:
        await load.room()
        await load.write(OBJECTS + number % 10, {f"{number} {n}": b"z" * 40 for n in range(10_000)})
        number += 1


async def large_units(load: Load, _seconds: float) -> None:
    for number in range(3):
        await load.room()
        await load.write(OBJECTS + 20, {f"{number} {n}": os.urandom(2 * MIB) for n in range(31)})


async def sweep(load: Load, _seconds: float) -> None:
    undo_keeping.UNDO_AGE_MS = -1_000  # else nothing is swept for 30 days
    load.store._upkeep.sweeping._next_pass_ms = 0
    for number in range(OBJECTS, OBJECTS + 10):
        object = number.to_bytes(32, "big")
        generation = load.generations.pop(object)
        entry = Entry(object, 0, 0, {}, None, True, generation)
        await load.durable(object, load.watch.call("append of a removal", load.store.append, entry))


async def reads(load: Load, seconds: float) -> None:
    ends = time.monotonic() + seconds
    number = 0
    while time.monotonic() < ends:
        generation = load.generations[(number % OBJECTS).to_bytes(32, "big")]
        load.watch.call("get", load.store.get, generation, f"key {number % 97}")
        load.watch.call("list of 97 rows", load.store.scan, generation, KeyRange.of(limit=1_000))
        number += 1
        await asyncio.sleep(0)


PHASES = {
    "small units, 64 writers": small_units,
    "units of 10,000 rows": long_units,
    "units of 62 MiB": large_units,
    "reads": reads,
    "sweep": sweep,
}


async def measure(folder: Path, seconds: float) -> None:
    clock = RealClock()
    loop = asyncio.get_running_loop()
    committer, background = CommitterPool(loop), CommitterPool(loop, threads=1, name="background")
    data = await DataFolder.open(
        folder,
        clock=clock,
        committer=committer,
        background=background,
        random_bytes=os.urandom,
        written_by="measure_blocking",
    )
    (namespace,) = await data.apply("measure", MigrationPlan(creates=["Kept"]))
    load = Load(await data.store(namespace.id), Stopwatch())
    for name, phase in PHASES.items():
        await phase(load, seconds)
        await asyncio.sleep(1.0)  # what follows a phase (apply, checkpoints) counts too
        load.watch.show(name)
    await data.close()
    committer.close()
    background.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--folder", type=Path, default=Path.cwd(), help="on the disk to measure")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder, asyncio.Runner() as runner:
        runner.run(measure(Path(folder), options.seconds))


if __name__ == "__main__":
    main()
