"""Children that are killed with SIGKILL at a crash point, or at a random moment under load.

`python -m tests.store.kill_run FOLDER` starts once and forks one child per crash point, so that thirty kills cost thirty
forks. Each child notes what it tries and what it was told in `notes` of its folder; what a killed process has written is
still written.
"""

import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import apsw

from perdure.core.entry import Alarm, AlarmChange, Entry, ObjectRecord
from perdure.core.migrations import MigrationPlan
from perdure.core.page_change import PAGE_BYTES, page_change
from perdure.store import sweeping, undo_keeping, undo_reading
from perdure.store.committer import CommitterPool
from perdure.store.crash_point import CrashPoint
from perdure.store.data_folder import DataFolder
from perdure.store.sqlite_store import SqliteStore
from tests.store.loop_clock import LoopClock

OBJECTS = [bytes([n]) * 32 for n in range(1, 4)]
PAGES = [0, 9]
RANDOM_KILLS = 8
NEVER_REACHED = 3
COMMITS_UNTIL_THE_LOG_GROWS = 12


class HastyClock(LoopClock):
    """Delays are a hundred times shorter."""

    def call_later(self, delay_s, fn):
        return super().call_later(delay_s / 100, fn)


class KillAt:
    """Kills this process when a point is passed; fails one group on the way, so that a fence is due."""

    def __init__(self, point: CrashPoint | None) -> None:
        self.point = point
        self.fail_next_group = False

    def __call__(self, point: CrashPoint) -> None:
        if point is self.point:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.fail_next_group and point is CrashPoint.BEFORE_LOG_COMMIT:
            self.fail_next_group = False
            raise apsw.FullError("planned")


class Notes:
    def __init__(self, folder: Path) -> None:
        self._file = os.open(folder / "notes", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def write(self, *words: object) -> None:
        os.write(self._file, (" ".join(map(str, words)) + "\n").encode())


class Child:
    """Units that set three rows, two pages and the alarm of an object to the same number, which only grows."""

    def __init__(self, store: SqliteStore, notes: Notes) -> None:
        self.store = store
        self.notes = notes
        self.generations: dict[bytes, int] = {}
        self.pages: dict[bytes, bytes] = {}
        self.count = 0

    def unit(self, object: bytes, *, fresh: bool = False, pin: bool = False) -> "asyncio.Future[bool]":
        self.count += 1
        record, retires = None, None
        if fresh or object not in self.generations:
            retires = self.generations.get(object)
            self.generations[object] = self.store.new_generation()
            record = ObjectRecord(self.generations[object], None, 0)
            self.pages.pop(object, None)
        value = b"%d" % self.count
        page = self.count.to_bytes(8, "big") + bytes(PAGE_BYTES - 8)
        change = page_change(self.pages.get(object), page)
        self.pages[object] = page
        entry = Entry(
            object,
            self.store._clock.now_ms(),
            self.generations[object],
            dict.fromkeys("abc", value),
            record,
            retires=retires,
            pages=dict.fromkeys(PAGES, change) if change is not None else None,
            alarm=AlarmChange(Alarm(self.count, self.count)),
            pin=pin,
        )
        self.notes.write("tried", object[0], self.count)
        position, count = self.store.append(entry), self.count
        ended: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        def release(error: BaseException | None) -> None:
            if error is None:
                self.notes.write("told", object[0], count)
            ended.set_result(error is None)

        self.store.when_durable(object, position, release)
        return ended

    async def there_and_back(self, object: bytes) -> None:
        """Goes back to a number, from the next ones."""
        pinned = self.unit(object, pin=True)
        count, place, page = self.count, self.store.pinned_place(object), self.pages[object]
        await pinned
        for _ in range(3):
            await self.unit(object)
            await until(lambda: self.store.counters().layer_bytes == 0)
        self.notes.write("back", object[0], count)
        self.store.append(Entry(object, self.store._clock.now_ms(), 0, {}, pin=True, restore=place))
        await self.store.restore(object)
        self.notes.write("there", object[0], count)
        self.pages[object] = page

    def all_units(self) -> "asyncio.Future[list[bool]]":
        return asyncio.gather(*(self.unit(object) for object in OBJECTS))


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0)


async def scenario(folder: Path, at: KillAt) -> None:
    """Passes every crash point."""
    notes = Notes(folder)
    pool = CommitterPool(asyncio.get_running_loop(), threads=2)
    opened = await DataFolder.open(
        folder / "data", clock=HastyClock(), committer=pool, random_bytes=os.urandom, written_by="0.0.test", at=at
    )
    first, second = await opened.apply("worker", MigrationPlan(creates=["A", "B"], new_tag="v1"))
    notes.write("migrated", "v1", first.id, second.id)
    store = await opened.store(first.id)
    child = Child(store, notes)
    await child.all_units()
    await child.all_units()
    at.fail_next_group = True
    await child.unit(OBJECTS[0])
    await child.all_units()
    await until(lambda: store.counters().layer_bytes == 0)
    for _ in range(COMMITS_UNTIL_THE_LOG_GROWS):
        await child.unit(OBJECTS[0])
    await child.there_and_back(OBJECTS[1])
    undo_keeping.UNDO_AGE_MS = -1_000  # what is past is over: nobody goes back any more
    await child.unit(OBJECTS[0], fresh=True)
    await until(lambda: store.counters().rows_swept > 0)
    await child.all_units()
    await until(lambda: store.counters().layer_bytes == 0)
    while not store.resting:
        store.rest()
        await asyncio.sleep(0)
    await child.all_units()
    await opened.apply("worker", MigrationPlan(deletes=["B"], new_tag="v2"))
    notes.write("migrated", "v2", first.id)
    await child.all_units()
    await opened.close()
    pool.close()


async def load(folder: Path) -> None:
    notes = Notes(folder)
    pool = CommitterPool(asyncio.get_running_loop(), threads=2)
    opened = await DataFolder.open(
        folder / "data", clock=HastyClock(), committer=pool, random_bytes=os.urandom, written_by="0.0.test"
    )
    (namespace,) = await opened.apply("worker", MigrationPlan(creates=["A"], new_tag="v1"))
    notes.write("migrated", "v1", namespace.id)
    child = Child(await opened.store(namespace.id), notes)
    while True:
        await asyncio.gather(*(child.unit(object, fresh=child.count % 50 == 0) for object in OBJECTS))


def in_child(work: Callable[[], None]) -> int:
    """Forks a child that does the work; gives its pid. A child that ends without being killed exits with NEVER_REACHED."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(NEVER_REACHED)
    return pid


def main(folder: Path) -> None:
    undo_reading.RESTORE_SLICE_BYTES = 1
    sweeping.UNDO_PASS_MS = 0
    for point in CrashPoint:
        (folder / point.name).mkdir()
        pid = in_child(lambda point=point: asyncio.run(scenario(folder / point.name, KillAt(point))))
        _, status = os.waitpid(pid, 0)
        print(point.name, os.waitstatus_to_exitcode(status), flush=True)
    rng = random.Random(0)
    for n in range(RANDOM_KILLS):
        name = f"random-{n}"
        (folder / name).mkdir()
        pid = in_child(lambda name=name: asyncio.run(load(folder / name)))
        while not (folder / name / "notes").exists() or (folder / name / "notes").stat().st_size < 500:
            time.sleep(0.001)
        time.sleep(rng.random() * 0.1)
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        print(name, os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
