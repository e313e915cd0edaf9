"""Residents: the live instances of one namespace in this process.

Must stay true: at most one instance of an object is live; what arrives while it is there goes to it, in order; what arrives
after it broke goes to a new one; queues are bounded; an instance leaves memory only with nothing running and nothing unsaved.
See tests/objects/test_lifecycle.py, test_eviction.py and test_overload.py.
"""

import asyncio
from collections.abc import Callable
from contextvars import Context, copy_context
from threading import get_ident

from perdure.core.clock import Cancellable, Clock
from perdure.model.errors import (
    ConstructorFailed,
    Disconnected,
    Overloaded,
    PerdureError,
    WrongThread,
)
from perdure.model.limits import Limits
from perdure.model.object_id import ObjectId
from perdure.objects.alarms.alarm_clock import AlarmClock
from perdure.objects.alarms.alarm_run import AlarmRun, Handler
from perdure.objects.backlog import Backlog
from perdure.objects.event import Event
from perdure.objects.failing import Failing
from perdure.objects.instance import Instance
from perdure.objects.sql.pool import SqlPool
from perdure.objects.sql.schema import Schema
from perdure.objects.state import State
from perdure.store.interface import Store

# How often idle instances and queues are looked at: `Limits.idle` says "at most 1 s later".
TICK_S = 1.0
# What one tick evicts at most before it lets the loop go on, in about a millisecond; a longer list goes on in the next turn.
EVICTIONS_PER_TURN_MAX = 250

Report = Callable[[str, ObjectId, BaseException], None]


class Residents:
    """The live instances of one class."""

    def __init__(
        self,
        *,
        class_name: str,
        store: Store,
        clock: Clock,
        limits: Limits,
        make: Callable[[State], object],
        report: Report,
        sql_pool: SqlPool | None = None,
        alarm: Handler | None = None,
        schema: Schema | None = None,
        jitter: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """sql_pool: what this class shares with the others of its process; without one it has its own.

        alarm: calls the class's handler; None if it has none. jitter: 0 to 1, for the retries of alarms.
        """
        self.class_name = class_name
        self.store = store
        self.clock = clock
        self.limits = limits
        self.make = make
        self.report = report
        self.sql_pool = sql_pool or SqlPool(now_ms=clock.now_ms)
        self.base_context: Context = copy_context()
        self.loop = asyncio.get_running_loop()
        self.about_now = clock.monotonic()
        self.thread = get_ident()
        self._live: dict[bytes, Instance] = {}
        self._idle: dict[bytes, Instance] = {}
        """Live instances without an event, longest idle first."""
        self._failing = Failing(clock)
        self._unsaved: dict[bytes, int] = {}
        """Objects that were reset before all that they had written was durable, and its position."""
        self._backlog = Backlog(class_name, store, limits, self._admit, self._perhaps_drained)
        self._tick: Cancellable | None = None
        self._closing: Disconnected | None = None
        self._drained: asyncio.Future[None] | None = None
        self.schema = schema
        self.has_alarm = alarm is not None
        self._alarms = AlarmClock(
            store,
            clock,
            alarm,
            class_name=class_name,
            retries_max=limits.alarm_retries,
            jitter=jitter,
            deliver=self._run_alarm,
        )
        store.on_failed = self._store_failed
        clock.call_soon(self._start_alarms)

    @property
    def live(self) -> int:
        """How many instances are in memory."""
        return len(self._live)

    def instance_of(self, id: ObjectId) -> Instance | None:
        """The live instance of an object, if there is one: for tests and tools."""
        return self._live.get(id.raw)

    @property
    def instances(self) -> list[Instance]:
        """All that is in memory, as it is now."""
        return list(self._live.values())

    @property
    def waiting_for_disk(self) -> list[tuple[ObjectId, Event]]:
        """Events that the store has no room for yet, oldest first."""
        return list(self._backlog.events)

    # Alarms

    def _start_alarms(self) -> None:
        if self._closing is None:
            self._alarms.start()

    def _run_alarm(self, run: AlarmRun) -> None:
        record = self.store.record(run.object)
        self.deliver(ObjectId(run.object.hex(), None if record is None else record.name), run)

    # Arrival

    def deliver(self, id: ObjectId, event: Event) -> None:
        """Hand an event to its object. What goes wrong is told to the event; only another thread is refused here."""
        if get_ident() != self.thread:
            raise self._wrong_thread(event)
        if self._backlog.events or not self.store.has_room:
            event.arrived_s = self.clock.monotonic()
            self._backlog.add(id, event)
        else:
            self._admit(id, event)

    def check_thread(self, event: Event) -> None:
        """For a sender whose event is held back: it must not learn of it later."""
        if get_ident() != self.thread:
            raise self._wrong_thread(event)

    def _wrong_thread(self, event: Event) -> WrongThread:
        return WrongThread(
            what=f"{event.what} of {self.class_name} was called from another thread",
            why="objects live on the thread of their loop",
            next_step="call it from the loop: `asyncio.run_coroutine_threadsafe(...)` from a thread",
        )

    def _admit(self, id: ObjectId, event: Event) -> None:
        instance = self._live.get(id.raw)
        if instance is None:
            try:
                instance = self._enter(id)
            except PerdureError as error:
                event.reject(error)
                return
        refused = self._refusal(instance, event) if instance.queued else None
        if refused is not None:
            event.reject(refused)
            return
        self._idle.pop(id.raw, None)
        if self._tick is None:
            self._keep_ticking()  # first: the event's place in the queue is dated by its clock
        instance.start(event)

    def _enter(self, id: ObjectId) -> Instance:
        if self._closing is not None:
            raise self._closing
        refusal = self._failing.refusal(id.raw) if self._failing else None
        if refusal is not None:
            raise refusal
        if self._tick is None:
            self._keep_ticking()  # first: when it came into memory is dated by its clock
        instance = self._live[id.raw] = Instance(id, self)
        if self._unsaved:
            instance.rows.follow(self._unsaved.pop(id.raw, 0))
        return instance

    def _keep_ticking(self) -> None:
        self.about_now = self.clock.monotonic()
        self._tick = self.clock.call_later(TICK_S, self._on_tick)

    def _refusal(self, instance: Instance, event: Event) -> PerdureError | None:
        limits = self.limits
        if instance.queued >= limits.queue:
            why, number = "events wait at its gate", f"{instance.queued:,}"
        elif instance.queued_bytes + event.size_bytes > limits.queue_bytes:
            why, number = "bytes wait at its gate", f"{instance.queued_bytes:,}"
        elif instance.queued and self.clock.monotonic() - instance.queued_since > limits.queue_age.total_seconds():
            why, number = "s is how long the oldest event has waited", f"{limits.queue_age.total_seconds():g}"
        else:
            return None
        return Overloaded(
            what=f"{event.what} was refused: the object has too much to do",
            where=instance.label,
            why=f"{number} {why}",
            next_step="back off and try later; spread the load over more objects, or raise `limits` of the class",
        )

    # Home of an instance

    def became_idle(self, instance: Instance) -> None:
        instance.idle_since = self.clock.monotonic()
        key = instance.id.raw
        if key in self._idle:
            del self._idle[key]  # to the end: a task of it ended just now
        self._idle[key] = instance
        if self._closing is not None:
            self._perhaps_drained()

    def forget(self, instance: Instance, error: BaseException | None) -> None:
        """The instance broke: the next event starts another."""
        key = instance.id.raw
        if self._live.get(key) is instance:
            del self._live[key]
        if not instance.rows.settled:
            self._unsaved[key] = instance.rows.written_position
        self._idle.pop(key, None)
        if isinstance(error, ConstructorFailed):
            self._failing.note(key, error)
        if self._closing is not None:
            self._perhaps_drained()

    def wrote_beside(self, object: bytes, position: int) -> None:
        """Somebody else wrote to an object that is not in memory: what its next instance says may reveal it."""
        self._unsaved[object] = position
        if self._tick is None:
            self._keep_ticking()

    def started(self, instance: Instance) -> None:
        """The constructor went through."""
        if self._failing:
            self._failing.started(instance.id.raw)

    # Eviction

    def _on_tick(self) -> None:
        self._tick = None
        now = self.about_now = self.clock.monotonic()
        self._evict(now)
        self._failing.forget_old(now)
        self._forget_saved()
        if self._live or self._failing or self._unsaved:
            self._keep_ticking()

    def _evict(self, now: float) -> None:
        idle_s, pending_s = self.limits.idle.total_seconds(), self.limits.pending.total_seconds()
        ended: list[Instance] = []
        for instance in self._idle.values():
            idle_for = now - instance.idle_since
            if idle_for < idle_s:
                break
            if (instance.tasks is None or idle_for >= pending_s) and instance.rows.settled:
                ended.append(instance)
                if len(ended) >= EVICTIONS_PER_TURN_MAX:
                    self.clock.call_later(0, lambda: self._evict(self.clock.monotonic()))
                    break
        for instance in ended:
            self.evict(instance)

    def evict(self, instance: Instance) -> None:
        """Take an idle instance out of memory. Its data stays; the next event starts another."""
        self._live.pop(instance.id.raw, None)
        self._idle.pop(instance.id.raw, None)
        if instance.tasks is not None:
            self.report(
                f"background work was cancelled: it held the object in memory for {self.limits.pending}",
                instance.id,
                Disconnected(what="the object was evicted with work in the background", where=instance.label),
            )
        instance.retire(
            Disconnected(
                what="this instance of the object has left memory",
                where=instance.label,
                why="it was idle; something kept a reference to it and used it later",
                next_step="keep a stub instead of the instance or its storage",
            )
        )

    def _forget_saved(self) -> None:
        for key in [key for key, position in self._unsaved.items() if self.store.may_leave(key, position)]:
            del self._unsaved[key]

    # Ends

    def _store_failed(self, objects: frozenset[bytes], error: PerdureError) -> None:
        self._alarms.look_again(sorted(objects))
        for key in sorted(objects):  # the same order in every run: a schedule replays
            instance = self._live.get(key)
            if instance is not None:
                instance.break_with(error)

    async def close(self, grace_s: float = 10.0) -> None:
        """Take no new events, let the running ones end for at most `grace_s`, then disconnect what is left."""
        self._closing = Disconnected(
            what=f"the objects of {self.class_name} are being stopped",
            why="the process ends, loads new code, or has closed the runtime that they live in",
            next_step="call again in a moment; after aclose(), open the runtime again",
        )
        self._alarms.stop()
        self._drained = self._drained or self.loop.create_future()
        deadline = self.clock.call_later(grace_s, self._give_up)
        self._perhaps_drained()
        await self._drained
        deadline.cancel()
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None
        for instance in list(self._live.values()):
            if instance.outside_seal_due:
                instance.seal_outside()  # what a plain callback wrote in this very turn of the loop
            instance.break_with(self._closing)
        self._backlog.reject_all(self._closing)

    def _perhaps_drained(self) -> None:
        if self._drained is None or self._drained.done():
            return
        if not self._backlog.events and all(
            instance.events == 0 and instance.tasks is None for instance in self._live.values()
        ):
            self._drained.set_result(None)

    def _give_up(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
