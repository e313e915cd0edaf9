"""A world for tests of objects: the real store on a temporary folder, virtual time, a disk that does what the test says.

def test_...(world):
    async def scenario():
        ...
    world.run(scenario)
"""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from perdure.core.clock import Clock
from perdure.model.limits import Limits
from perdure.model.object_id import IdKey, ObjectId
from perdure.model.value import transfer
from perdure.objects.alarms.alarm_info import AlarmInfo
from perdure.objects.event import Event
from perdure.objects.instance import Instance
from perdure.objects.member import CURRENT
from perdure.objects.op import Op
from perdure.objects.outbox import Outbox
from perdure.objects.residents import Residents
from perdure.objects.state import State
from perdure.store.crash_point import passes
from perdure.store.file_system import checksummed_file_system
from perdure.store.files import Place, open_files
from perdure.store.sqlite_store import SqliteStore
from perdure.testing.virtual_loop import LoopClock, VirtualLoop
from perdure.workers.schema_steps import schema_of


class Disk:
    """A committer that works on the loop, in order, when it may; it can be told to wait."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._jobs: list[tuple[Callable[[], Any], Callable[[Any], None]]] = []
        self.held = False
        self.fails_with: BaseException | None = None
        """What the next job raises instead of being done."""

    def submit(self, job: Callable[[], Any], done: Callable[[Any], None]) -> None:
        self._jobs.append((job, done))
        if not self.held:
            self._loop.call_soon(self.work)

    def hold(self) -> None:
        """Commit nothing until `go_on`."""
        self.held = True

    def go_on(self) -> None:
        self.held = False
        for _ in self._jobs:
            self._loop.call_soon(self.work)

    def work(self) -> None:
        """Do the next job, if there is one and the disk is not held."""
        if self.held or not self._jobs:
            return
        job, done = self._jobs.pop(0)
        result: Any
        failure, self.fails_with = self.fails_with, None
        try:
            result = job() if failure is None else failure
        except BaseException as error:
            result = error
        done(result)


class Call(Event):
    """Call one method of the object."""

    __slots__ = ("args", "method", "op")

    size_bytes = 100

    def __init__(self, method: str | Callable[..., Any], args: tuple[Any, ...]) -> None:
        super().__init__()
        self.method, self.args, self.op = method, args, Op()
        sender = CURRENT.get()
        if sender is not None:
            self.sent_by(sender)

    @property
    def what(self) -> str:
        return f"{self.method}()"

    @property
    def awaited(self) -> bool:
        return self.op.awaited

    def run(self, target: object) -> Any:
        if callable(self.method):
            return self.method(target, *self.args)
        return getattr(target, self.method)(*self.args)

    def pack(self, result: Any) -> Any:
        return transfer(result, path="result")

    def resolve(self, packed: Any) -> None:
        self.op.resolve(packed)

    def reject(self, error: BaseException) -> None:
        self.op.reject(error)


class Handle:
    """A stub as tests want it: one outbox, any method, or a function that gets the object."""

    def __init__(self, residents: Residents, id: ObjectId) -> None:
        self.residents, self.id, self.outbox = residents, id, Outbox()

    def call(self, method: str | Callable[..., Any], *args: Any) -> Op[Any]:
        event = Call(method, args)
        self.outbox.send(lambda: self.residents.deliver(self.id, event), event.reject)
        return event.op

    @property
    def instance(self) -> Instance:
        instance = self.residents.instance_of(self.id)
        assert instance is not None, "not live"
        return instance

    @property
    def alive(self) -> bool:
        return self.residents.instance_of(self.id) is not None


class World:
    """One loop, one folder, one namespace per class."""

    def __init__(
        self,
        folder: Path,
        loop_factory: Callable[[], asyncio.AbstractEventLoop] = VirtualLoop,
        *,
        file_system: str | None = None,
    ) -> None:
        self.folder = folder
        self.file_system = file_system
        self.loop_factory = loop_factory
        self.reports: list[tuple[str, BaseException]] = []
        self.jitter = 0.0
        self.loop: asyncio.AbstractEventLoop
        self.disk: Disk
        self.clock: Clock
        self.unhandled: list[dict[str, Any]] = []
        self._stores: dict[str, SqliteStore] = {}
        self._residents: dict[type, Residents] = {}

    def run(self, scenario: Callable[[], Coroutine[Any, Any, Any]], *, debug: bool = False) -> Any:
        async def main() -> Any:
            self.loop = asyncio.get_running_loop()
            self.loop.set_exception_handler(lambda _, context: self.unhandled.append(context))
            self.disk, self.clock = Disk(self.loop), LoopClock(self.loop)
            try:
                return await scenario()
            finally:
                await self.stop()

        with asyncio.Runner(loop_factory=self.loop_factory, debug=debug) as runner:
            result = runner.run(main())
        assert not self.unhandled, self.unhandled
        return result

    async def stop(self) -> None:
        self.disk.go_on()
        for residents in self._residents.values():
            await residents.close(grace_s=0)
        for store in self._stores.values():
            await store.close()
        self._residents.clear()
        self._stores.clear()

    async def namespace(
        self, cls: Callable[[State], Any], *, limits: Limits | None = None, name: str | None = None
    ) -> Residents:
        """The residents of a class, whose constructor gets `ctx`."""
        found = self._residents.get(cls)
        if found is None:
            name = name or getattr(cls, "__name__", "Object")
            store = self._stores[name] = await open_store(self.folder / name, self.clock, self.disk, self.file_system)
            found = self._residents[cls] = Residents(
                class_name=name,
                store=store,
                clock=self.clock,
                limits=limits or Limits(),
                make=cls,
                report=lambda what, id, error: self.reports.append((what, error)),
                alarm=_run_alarm if hasattr(cls, "alarm") else None,
                jitter=lambda: self.jitter,
                schema=schema_of(cls) if isinstance(cls, type) else None,
            )
        return found

    async def get(self, cls: Callable[[State], Any], name: str = "x", *, limits: Limits | None = None) -> Handle:
        """A new stub of an object."""
        residents = await self.namespace(cls, limits=limits)
        return Handle(residents, IdKey(residents.class_name).from_name(name))

    def store_of(self, handle: Handle) -> SqliteStore:
        return self._stores[handle.residents.class_name]


def _run_alarm(target: Any, info: AlarmInfo) -> Any:
    return target.alarm(info)


async def open_store(folder: Path, clock: Clock, disk: Any, file_system: str | None = None) -> SqliteStore:
    folder.mkdir(parents=True, exist_ok=True)
    place = Place(folder, file_system or checksummed_file_system(), "test", passes, clock.monotonic)
    return SqliteStore(place, open_files(place), clock=clock, committer=disk, background=disk)


async def settle(turns: int = 20) -> None:
    """Let all that is ready go on."""
    for _ in range(turns):
        await asyncio.sleep(0)
