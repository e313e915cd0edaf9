"""A store with everything around it in the test's hands: jobs run when told, on this thread; time passes when told."""

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import apsw

from perdure.core.entry import Entry, ObjectRecord
from perdure.core.layers import Layers
from perdure.core.retention import Retention
from perdure.core.row_cache import RowCache
from perdure.model.errors import PerdureError
from perdure.store.crash_point import At, CrashPoint, passes
from perdure.store.file_system import checksummed_file_system
from perdure.store.files import Place, open_files
from perdure.store.sqlite_store import SqliteStore

T = TypeVar("T")


class Crashed(BaseException):
    """The process is gone: nothing after this happens."""


class ManualClock:
    """Time that a test moves; also the loop's queue of calls."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.soon: deque[Callable[[], None]] = deque()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._cancelled: set[int] = set()
        self.tick_s = 0.0
        """Passes with every look at the time, so that slices end."""

    def now_ms(self) -> int:
        return round(self.now * 1000)

    def monotonic(self) -> float:
        self.now += self.tick_s
        return self.now

    def call_soon(self, fn: Callable[[], None]) -> None:
        self.soon.append(fn)

    def call_later(self, delay_s: float, fn: Callable[[], None]) -> "ManualTimer":
        number = next(self._numbers)
        heapq.heappush(self._timers, (self.now + delay_s, number, fn))
        return ManualTimer(self._cancelled, number)

    def turn(self) -> bool:
        """Runs what is ready now, as one turn of a loop does; False if nothing was."""
        ready, self.soon = self.soon, deque()
        for fn in ready:
            fn()
        return bool(ready)

    def advance(self, seconds: float) -> None:
        """Lets time pass and runs what becomes due."""
        ends = self.now + seconds
        while self._timers and self._timers[0][0] <= ends:
            at, number, fn = heapq.heappop(self._timers)
            self.now = max(self.now, at)
            if number not in self._cancelled:
                fn()
        self.now = ends


class ManualTimer:
    def __init__(self, cancelled: set[int], number: int) -> None:
        self._cancelled = cancelled
        self._number = number

    def cancel(self) -> None:
        self._cancelled.add(self._number)


class ManualCommitter:
    """Runs a job when told, on this thread; what a crash point raises ends the world, as a crash does."""

    def __init__(self) -> None:
        self.jobs: deque[tuple[Callable[[], Any], Callable[[Any], None]]] = deque()

    def submit(self, job: Callable[[], Any], done: Callable[[Any], None]) -> None:
        self.jobs.append((job, done))

    def run(self) -> bool:
        """Runs the oldest job and its `done`; False if there was none."""
        if not self.jobs:
            return False
        job, done = self.jobs.popleft()
        result: Any
        try:
            result = job()
        except Exception as error:
            result = error
        done(result)
        return True


class World:
    """One store in `folder`, by default on the checksumming file system."""

    def __init__(
        self,
        folder: Path,
        *,
        file_system: str | None = None,
        at: At = passes,
        layers: type[Layers] = Layers,
        row_cache: type[RowCache] = RowCache,
        clock: ManualClock | None = None,
        retention: Retention | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.clock = clock if clock is not None else ManualClock()
        self.committer = ManualCommitter()
        self.background = ManualCommitter()
        files = file_system or checksummed_file_system()
        self.place = Place(folder, files, "0.0.test", at, self.clock.monotonic, retention)
        self.failures: list[tuple[frozenset[bytes], PerdureError]] = []
        self.released = False
        self.store = SqliteStore(
            self.place,
            open_files(self.place),
            clock=self.clock,
            committer=self.committer,
            background=self.background,
            released=self._release,
            layers=layers,
            row_cache=row_cache,
        )
        self.store.on_failed = lambda objects, error: self.failures.append((objects, error))

    def _release(self) -> None:
        self.released = True

    # Writing

    def put(self, object: bytes, generation: int, /, **rows: bytes | None) -> int:
        return self.store.append(Entry(object, self.clock.now_ms(), generation, dict(rows)))

    def register(self, object: bytes, generation: int, name: str | None = None, **rows: bytes | None) -> int:
        record = ObjectRecord(generation, name, self.clock.now_ms())
        return self.store.append(Entry(object, self.clock.now_ms(), generation, dict(rows), record))

    # Time

    def step(self) -> bool:
        """One turn of the loop and at most one job; False if there was nothing to do."""
        turned = self.clock.turn()
        return self.committer.run() or self.background.run() or turned

    def settle(self) -> None:
        """Everything that can happen without time passing."""
        while self.step():
            pass

    def quiet(self) -> None:
        """Everything, also what waits for a quiet moment: afterwards all is applied."""
        self.settle()
        for _ in range(3):
            self.clock.advance(0.2)
            self.settle()

    def run(self, coroutine: Coroutine[Any, Any, T], *, steps_max: int | None = None) -> T | None:
        """What the coroutine gives, with jobs run and time passed as it needs; None if it was cancelled after that many steps."""
        loop = asyncio.new_event_loop()

        async def running() -> T | None:
            task = asyncio.ensure_future(coroutine)
            task._log_destroy_pending = False  # a crash ends the world in the middle of it
            for steps in itertools.count():
                for _ in range(4):
                    await asyncio.sleep(0)
                if task.done():
                    return None if task.cancelled() else task.result()
                if steps == steps_max:
                    task.cancel()
                if not self.step():
                    self.clock.advance(0.06)
            return None

        try:
            return loop.run_until_complete(running())
        finally:
            loop.close()

    def close(self) -> None:
        """As `SqliteStore.close`, with the jobs run by hand."""

        async def closing() -> None:
            closed = asyncio.ensure_future(self.store.close())
            for _ in range(10_000):
                if closed.done():
                    break
                self.step()
                await asyncio.sleep(0)
            await closed

        asyncio.run(closing())

    def abandon(self) -> None:
        """As a crash leaves it, but for the file descriptors, which a test has to give back."""
        for connection in apsw.connections():
            if connection.filename == str(self.place.database):
                connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
                connection.close()


class CrashAt:
    """Raises `Crashed` when a point is passed for the nth time."""

    def __init__(self, point: CrashPoint, *, nth: int = 1) -> None:
        self.point = point
        self.left = nth
        self.seen: list[CrashPoint] = []

    def __call__(self, point: CrashPoint) -> None:
        self.seen.append(point)
        if point is self.point:
            self.left -= 1
            if self.left == 0:
                raise Crashed(point.name)
