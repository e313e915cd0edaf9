"""One life of a process: the objects, stores and outboxes that production uses, on a disk and a clock that obey a seed.

It ends in order, or in the middle of things as `kill -9` ends it: at a named crash point or at a random moment the files stay
as they are, and nothing that its code still does counts. Whatever breaks a promise is noted once and stops it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any, Never

import apsw

from perdure.core.layers import Layers
from perdure.model.errors import ObjectReset, PerdureError, StorageBroken, StoreBroken
from perdure.model.limits import Limits
from perdure.model.object_id import ObjectId
from perdure.objects.alarms.alarm_info import AlarmInfo
from perdure.objects.instance import Instance
from perdure.objects.residents import Residents
from perdure.objects.state import State
from perdure.store import sqlite_store, upkeep
from perdure.store.connection import close_untouched
from perdure.store.crash_point import CrashPoint
from perdure.store.file_system import checksummed_file_system
from perdure.store.files import Place, open_files
from perdure.store.sqlite_store import SqliteStore
from perdure.testing.virtual_loop import LoopClock, VirtualLoop
from tests.simulation.actor import Actor, Boom
from tests.simulation.calls import Play, Stub
from tests.simulation.disk import FAILURES, Disk, Ended
from tests.simulation.model import History

DEADLINE_S = 3_600.0
"""Virtual: longer than any section, back-off and stall of a schedule together; who still waits then waits for ever."""


@dataclass(frozen=True)
class Conditions:
    """What one life of a process is like."""

    stores: int = 1
    stalls: tuple[float, ...] = (0.0,)
    """How long the disk takes for a job, or to report it."""
    failures: float = 0.0
    """The share of commits that fail, in one way or another."""
    crash_at_point: int | None = None
    """Which crash point, counted from the start, kills it."""
    crash_at_s: float | None = None
    crash_at_end: bool = False
    limits: Limits = field(default_factory=Limits)
    room_bytes: int | None = None
    """How much may wait in memory, when it is to be too little."""


class Process:
    """Objects `0 … n-1`, spread over the stores, from the opening of their folders until the end."""

    def __init__(
        self,
        seed: str,
        life: int,
        folder: Path,
        histories: list[History],
        conditions: Conditions,
        *,
        trace: list[tuple[Any, ...]],
        layers: type[Layers] = Layers,
        began_ms: int = 1_700_000_000_000,
    ) -> None:
        self.seed, self.folder, self.conditions, self.trace = seed, folder, conditions, trace
        self.loop = VirtualLoop()
        self.clock = LoopClock(self.loop, began_ms)
        self.over = False
        self.crashed = False
        self.failed: str | None = None
        self.life = life
        self.events = 0
        self.events_started = 0
        self.arrivals = 0
        self.unsettled: set[Play] = set()
        self._points = 0
        self._failures = 0.0
        self._rng = Random(f"{seed} failures")
        self._layers = layers
        self._stores: list[SqliteStore] = []
        self._residents: list[Residents] = []
        self.histories: dict[bytes, History] = {}
        self._ids: list[ObjectId] = []
        for history in histories:
            self._ids.append(history.id)
            self.histories[history.id.raw] = history
        self.shared_stubs: list[Stub] = []

    # Life

    def run(self, main: Callable[[], Any]) -> None:
        """Open, do what `main` does, end in order; or be killed on the way. Raises AssertionError if a promise broke."""
        loop = self.loop
        loop.set_exception_handler(self._unhandled)
        try:
            with self._little_room():
                self._run_until_end(main)
        finally:
            self.over = True
            self._clear_away()
        if self.failed is not None:
            raise AssertionError(self.failed)

    def _run_until_end(self, main: Callable[[], Any]) -> None:
        try:
            self.loop.run_until_complete(self._live(main))
        except Ended:
            pass
        except RuntimeError:  # the loop was stopped: it is over
            if not self.over:
                raise

    async def _live(self, main: Callable[[], Any]) -> None:
        self._open()
        self._failures = self.conditions.failures
        if self.conditions.crash_at_s is not None:
            self.loop.call_later(self.conditions.crash_at_s, self._crash, "at some time")
        try:
            async with asyncio.timeout(DEADLINE_S):
                await main()
        except TimeoutError:
            self.fail(f"waits for ever: {[event.what for event in self.unsettled]}")
        if self.unsettled:
            self.fail(f"never settled: {[event.what for event in self.unsettled]}")
        if self.conditions.crash_at_end:
            self._crash("at the end")
            raise Ended
        self._failures = 0.0
        for residents in self._residents:
            await residents.close()
        for store in self._stores:
            await store.close()
        self.over = True

    def _open(self) -> None:
        clock, disk = self.clock, Disk(self, self.conditions.stalls)
        for number in range(self.conditions.stores):
            place = place_of(self.folder, str(number), at=self._at)
            store = SqliteStore(
                place, open_files(place), clock=clock, committer=disk, background=disk, layers=self._layers
            )
            self._stores.append(store)
            residents = Residents(
                class_name=f"Actor{number}",
                store=store,
                clock=clock,
                limits=self.conditions.limits,
                make=self.make_object,
                report=lambda what, id, error: None,
                alarm=self.run_alarm,
            )
            residents.forget = self._hears_of(residents.forget)
            self._residents.append(residents)
            store.on_failed = self._heard(store.on_failed)
        self.shared_stubs = [self.new_stub(number) for number in range(len(self._ids))]

    def make_object(self, ctx: State) -> Any:
        return Actor(self, ctx)

    def run_alarm(self, target: Any, info: AlarmInfo) -> Any:
        """Alarms of these objects are hours away."""

    def _hears_of(self, forget: Callable[..., None]) -> Callable[..., None]:
        def forgets(instance: Instance, error: BaseException | None) -> None:
            # Amid trouble with the disk a statement that needs a page of it fails, and the unit that it was in is gone.
            if isinstance(error, StorageBroken) and not self.over:
                self.histories[instance.id.raw].lose(crashed=False)
            forget(instance, error)

        return forgets

    def _heard(self, on_failed: Callable[..., None]) -> Callable[..., None]:
        def heard(objects: frozenset[bytes], error: PerdureError) -> None:
            if not self.over:
                if isinstance(error, StoreBroken):  # it is off, for want of a disk that plays along: start again
                    self._crash("because its store is off")
                    raise Ended
                for key in sorted(objects):
                    self.note(self.histories[key], 0, "its commit failed", type(error).__name__)
                    self.histories[key].lose(crashed=False)
            on_failed(objects, error)

        return heard

    def new_stub(self, number: int) -> Stub:
        id = self._ids[number]
        return Stub(self, self.histories[id.raw], self._residents[number % self.conditions.stores], id)

    @contextmanager
    def _little_room(self) -> Iterator[None]:
        if self.conditions.room_bytes is None:
            yield
            return
        before = sqlite_store.LAYERS_BYTES_MAX, upkeep.LAYERS_BYTES_MAX
        sqlite_store.LAYERS_BYTES_MAX = upkeep.LAYERS_BYTES_MAX = self.conditions.room_bytes
        try:
            yield
        finally:
            sqlite_store.LAYERS_BYTES_MAX, upkeep.LAYERS_BYTES_MAX = before

    # Ends

    def _at(self, point: CrashPoint) -> None:
        if self.over:
            raise Ended
        self._points += 1
        if self._points == self.conditions.crash_at_point:
            self._crash(point.name)
            raise Ended
        share, errors = FAILURES.get(point, (0.0, ()))
        if self._rng.random() < self._failures * share:
            error = self._rng.choice(errors)()
            self.trace.append((self.loop.time(), "", 0, point.name, str(error)))
            raise error

    def _crash(self, where: str) -> None:
        """Nothing that happens from here on counts: no job runs, and the connections are closed without a write."""
        if self.over:
            return
        self.trace.append((self.loop.time(), "", 0, "is killed", where))
        self.over = self.crashed = True
        for history in self.histories.values():
            history.lose(crashed=True)
        self._stop()

    def _stop(self) -> None:
        if self.loop.is_running():
            self.loop.stop()

    def fail(self, why: str) -> Never:
        """A promise is broken: the first one counts."""
        if not self.over:
            self.failed = why
            self.over = True
            self._stop()
        raise Ended

    def _unhandled(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not self.over and not isinstance(error, Ended | Boom | PerdureError):
            self.failed = f"unhandled: {context['message']}: {error!r}"
            self.over = True
            loop.stop()

    def _clear_away(self) -> None:
        loop = self.loop
        for residents in self._residents:
            for id in self._ids:
                instance = residents.instance_of(id)
                if instance is not None:
                    instance.break_with(ObjectReset(what="the process was killed"))
        idle_turns = 0
        while idle_turns < 3:  # the end of a task may drop a generator, whose end is a task
            tasks = asyncio.all_tasks(loop)
            idle_turns = 0 if tasks else idle_turns + 1
            for task in tasks:
                task.cancel()
            loop.call_soon(loop.stop)
            loop.run_forever()
        loop.close()
        for connection in apsw.connections():
            if connection.filename.startswith(f"{self.folder}/"):
                close_untouched(connection)

    # Notes

    def note(self, history: History, activation: int, *what: Any) -> None:
        if self.over:
            raise Ended
        self.trace.append((self.loop.time(), history.name, activation, *what))


def place_of(folder: Path, name: str, at: Callable[[CrashPoint], None]) -> Place:
    ticks = iter(range(1_000_000_000))
    path = folder / name
    path.mkdir(exist_ok=True)
    return Place(path, checksummed_file_system(), "simulation", at, lambda: next(ticks) * 0.0003)


def limits(rng: Random) -> Limits:
    return Limits(
        idle=timedelta(seconds=rng.choice((0.05, 1, 10))),
        pending=timedelta(seconds=rng.choice((2, 900))),
        critical_section=timedelta(seconds=rng.choice((3, 30))),
        queue=rng.choice((4, 10_000, 10_000)),
    )
