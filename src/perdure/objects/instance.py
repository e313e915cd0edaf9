"""One object in memory, from its constructor until it is evicted, reset or stopped.

Must stay true: the constructor runs before any event and its failure reaches everyone who waits; each event is settled exactly
once; a result leaves after the writes that it may reveal are durable; breaking shuts the storage first, so that nothing an
instance does afterwards counts. See tests/objects/test_lifecycle.py and test_events.py.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from contextvars import Context
from threading import get_ident
from types import CoroutineType
from typing import Any, Protocol, cast

from perdure.core.clock import Cancellable, Clock
from perdure.core.gate import InputGate, Section
from perdure.model.errors import (
    CallCycle,
    ConstructorFailed,
    ObjectAborted,
    ObjectReset,
    OutsideGate,
    PerdureError,
    TimeLimitExceeded,
    WrongThread,
)
from perdure.model.limits import Limits
from perdure.model.object_id import ObjectId
from perdure.objects.driver import EAGER, Driven, install
from perdure.objects.event import Event
from perdure.objects.member import CURRENT, ObjectMember
from perdure.objects.rows import Rows
from perdure.objects.sql.pool import SqlPool
from perdure.objects.sql.schema import Schema
from perdure.objects.state import State
from perdure.store.interface import Store

AnyTask = asyncio.Future[Any]
"""A task of the object, or a future that `wait_until` was given: held and cancelled alike."""


class Home(Protocol):
    """What an instance needs of the namespace that it lives in."""

    class_name: str
    store: Store
    clock: Clock
    limits: Limits
    loop: asyncio.AbstractEventLoop
    thread: int
    about_now: float
    """The monotonic clock at the last tick: good to a second, and free."""
    base_context: Context
    make: Callable[[State], object]
    report: Callable[[str, ObjectId, BaseException], None]
    sql_pool: SqlPool
    has_alarm: bool
    schema: Schema | None

    def started(self, instance: "Instance") -> None: ...
    def became_idle(self, instance: "Instance") -> None: ...
    def forget(self, instance: "Instance", error: BaseException | None) -> None: ...


class Instance:
    """One activation of one object."""

    __slots__ = (
        "_activation",
        "awake_since",
        "events",
        "gate",
        "home",
        "id",
        "idle_since",
        "object",
        "outside_seal_due",
        "queued",
        "queued_bytes",
        "queued_since",
        "rows",
        "tasks",
    )

    def __init__(self, id: ObjectId, home: Home) -> None:
        self.id = id
        self.home = home
        self.rows = Rows(id, home.store, home.clock)
        self.gate = InputGate()
        self.object: object | None = None
        self.tasks: dict[AnyTask, Event | None] | None = None
        """In the order in which they began, so that a reset ends them in that order and a schedule replays; with the event
        that a task is for, None for work in the background."""
        self.events = 0
        """Events that arrived and are not settled."""
        self.queued = 0
        """Those of them whose first step has not begun."""
        self.queued_bytes = 0
        self.queued_since = 0.0
        """About when the queue last moved or was empty, by the monotonic clock."""
        self.idle_since = 0.0
        self.awake_since = home.about_now
        """About when it came into memory, by the monotonic clock."""
        self._activation: Section | None = self.gate.open_section(self.gate)
        self.outside_seal_due = False

    @property
    def label(self) -> str:
        return f"{self.home.class_name}/{self.rows.name or self.id.hex}"

    @property
    def starting(self) -> bool:
        """Whether its constructor or setup() has yet to end."""
        return self._activation is not None

    # Events

    def start(self, event: Event) -> None:
        """Start an event in a task of its own; its first step waits for its turn."""
        loop = self.home.loop
        driver = install(loop)
        event.arrived_s = about_now = self.home.about_now
        event.begun_s = None
        if not self.queued:
            self.queued_since = about_now
        self.events += 1
        self.queued += 1
        self.queued_bytes += event.size_bytes
        # The first event also runs the constructor; whoever comes meanwhile queues outside of that section.
        section = self._activation if self._activation is not None and self.events == 1 else self.gate
        member = ObjectMember(self, section, event.chain, event.origin)
        context = self.home.base_context.copy()
        context.run(CURRENT.set, member)
        # A constructor never runs in its caller's step; nor does a call made in a section, whose caller does not await it yet;
        # nor does what would overtake an event that arrived before it and has not begun.
        next_one = self._activation is None and self.queued == 1
        if EAGER and next_one and not event.chain and driver.may_start_eagerly() and self.gate.admits(section):
            task = driver.start_eagerly(self._run(event, member, eager=True), context)
            if not task.done():
                member.task = task
                self.remember_task(task, event)
        else:
            name = self.home.class_name
            running = self._run(event, member)
            running.send(None)  # into its `try`: a task that is cancelled before it begins settles its event, too
            member.task = asyncio.Task(running, loop=loop, context=context, name=name)

    async def _run(self, event: Event, member: ObjectMember, *, eager: bool = False) -> None:
        try:
            if not eager:
                await _TURN
                # Until now the loop held the task: a reset cancels none that has not begun, which learns of it at the gate.
                assert member.task is not None
                self.remember_task(member.task, event)
            if event.chain:
                self._refuse_to_wait_for_itself(event)
            packed = await Driven(self._handle(event, member), member)
        except BaseException as error:
            self._settle(event, member, error)
            if not isinstance(error, Exception | asyncio.CancelledError | ObjectAborted):
                raise
        else:
            self.events -= 1
            if self.rows.all_confirmed:
                event.resolve(packed)
            else:
                self.rows.release_when_confirmed(_Resolution(event, packed))
        finally:
            task, member.task = member.task, None  # the task's context holds the member: no cycle is left behind
            self.forget_task(task)

    def _settle(self, event: Event, member: ObjectMember, error: BaseException) -> None:
        """An event that did not end well: what broke the instance counts before what its code raised."""
        self.events -= 1
        if event.begun_s is None:
            self._leave_queue(event)
            if member.section is self._activation:
                self.break_with(self._constructor_failed(error))  # those that wait for it would wait for ever
        if self.gate.broken is not None:
            event.reject(self.gate.broken)
        else:
            self.rows.release_when_confirmed(_Rejection(event, error))

    def _refuse_to_wait_for_itself(self, event: Event) -> None:
        """Asked when its task begins, not when it arrives: a sender that gathers its calls waits for them by now."""
        if not event.would_wait_for_itself(self.gate.top):
            return
        self._leave_queue(event)
        raise CallCycle(
            what=f"{event.what} would wait for itself",
            where=self.label,
            why="it was called, directly or through other objects, inside a critical section of this very object",
            next_step="call after the section, or do not wait for the result inside it",
            chain=(self.label, *(link.what for _, link in event.chain), event.what),
        )

    def _leave_queue(self, event: Event) -> None:
        self.queued -= 1
        self.queued_bytes -= event.size_bytes
        event.begun_s = self.queued_since = self.home.about_now

    async def _handle(self, event: Event, member: ObjectMember) -> Any:
        self.queued -= 1  # as in `_leave_queue`, without a call for each event
        self.queued_bytes -= event.size_bytes
        event.begun_s = self.queued_since = self.home.about_now
        if self._activation is not None:
            await self._activate(self._activation, member)
        result = event.run(self.object)
        if type(result) is CoroutineType or inspect.isawaitable(result):
            result = await result
        return event.pack(result)

    # Activation

    async def _activate(self, activation: Section, member: ObjectMember) -> None:
        """Constructor, its critical sections, setup(): with the gate closed to all else."""
        deadline: Cancellable | None = None
        try:
            if self.rows.is_to_restore:
                await self.rows.restore()
            state = State(self)
            if self.home.schema is not None:
                state.storage.sql.make_ready()
            self.object = self.home.make(state)
            if activation.waiting is not None:
                deadline = self.time_limit(activation, "the constructor")
                await _TURN  # lets go of the gate for those that queue ahead
            setup = getattr(self.object, "setup", None)
            waiting = setup() if setup is not None else None
            if inspect.isawaitable(waiting):
                deadline = deadline or self.time_limit(activation, "setup()")
                await waiting
        except BaseException as error:  # whatever it is: half an instance must not live on
            self.break_with(self._constructor_failed(error))
            raise
        finally:
            if deadline is not None:
                deadline.cancel()
        self._activation = None
        self.gate.close_section(activation)
        member.section = self.gate
        self.home.started(self)
        self.seal()  # what the constructor wrote is a unit of its own

    def _constructor_failed(self, cause: BaseException) -> ConstructorFailed:
        failed = ConstructorFailed(
            what=f"{self.label} could not be started: {type(cause).__name__}: {cause}",
            where=f"{'schema, ' if self.home.schema is not None else ''}the constructor or setup() of {self.home.class_name}",
            why="what the constructor raises fails every call that waits for the object",
            next_step="mend the cause; the next call runs the constructor again",
        )
        failed.__cause__ = cause
        return failed

    # Steps

    def end_step(self) -> None:
        """After each step: seal what it wrote, then pass the turn."""
        gate = self.gate
        gate.running -= 1
        if gate.running:
            return
        if self.rows.unit is not None and self.rows.savepoints is None:
            self.seal()
        ticket = gate.turn()
        if ticket is not None and ticket.wake is not None:
            ticket.wake()

    def seal(self) -> None:
        """Seal the unit; a store that takes nothing any more resets the object."""
        try:
            self.rows.seal()
        except PerdureError as error:
            self.break_with(error)

    def touch(self) -> None:
        """Storage asks first: is this a step of this object, or a callback that may be a unit of its own?"""
        if get_ident() != self.home.thread:
            raise WrongThread(
                what="an object's storage was used from another thread",
                where=self.label,
                why="objects live on the thread of their loop; a thread would see half of a step",
                next_step="let the thread return the value and store it after `await asyncio.to_thread(...)`",
            )
        if self.rows.shut_by is not None:
            raise self.rows.shut_by
        if not self.gate.running:
            self._touch_outside()

    def _touch_outside(self) -> None:
        if self.gate.top is not self.gate:
            raise OutsideGate(
                what="storage was used in a plain callback while a critical section is open",
                where=self.label,
                why="a callback (call_later, add_done_callback, a finaliser) does not pass the gate",
                next_step="start a task in it: `asyncio.create_task(...)` or `ctx.wait_until(...)`",
            )
        if not self.outside_seal_due:
            self.outside_seal_due = True
            asyncio.get_running_loop().call_soon(self.seal_outside)

    def seal_outside(self) -> None:
        self.outside_seal_due = False
        if self.rows.unit is not None and self.rows.savepoints is None and self.gate.broken is None:
            self.seal()

    # Ends

    def time_limit(self, section: Section, what: str) -> Cancellable:
        """Reset the object if `section` is still open after the class's limit."""
        limit = self.home.limits.critical_section

        def expire() -> None:
            if not section.done:
                self.break_with(
                    TimeLimitExceeded(
                        what=f"{what} took longer than {limit.total_seconds():g} s, so the object was reset",
                        where=self.label,
                        why="no other event of the object can run meanwhile, and what it waits for may wait for it",
                        next_step="do slow work outside of the section, or raise `limits = Limits(critical_section=...)`",
                    )
                )

        return self.home.clock.call_later(limit.total_seconds(), expire)

    def break_by_code(self, error: BaseException) -> None:
        """User code ended the instance: it raised in a callback of block_concurrency_while, or aborted."""
        if isinstance(error, PerdureError | ObjectAborted):
            self.break_with(error)
            return
        reset = ObjectReset(
            what=f"{self.label} was reset: {type(error).__name__}: {error}",
            where="a callback of block_concurrency_while()",
            why="an exception there leaves the object in an unknown state",
            next_step="catch it inside the callback; or use `async with ctx.critical_section()`, where raising is just raising",
        )
        reset.__cause__ = error
        self.break_with(reset)

    def break_with(self, error: BaseException) -> None:
        """Reset: shut the storage, then fail all that waits. What was sealed before stays on its way to the disk."""
        if self.gate.broken is not None:
            return
        self.gate.broken = error
        self.home.forget(self, error)
        self.rows.shut(
            error
        )  # last: an output that it lets go may reach the object anew, and must find another instance
        for ticket in self.gate.everyone():
            if ticket.wake is not None:
                ticket.wake()
        for task in list(self.tasks or ()):
            task.cancel()
        self.object = None  # as in `retire`

    def retire(self, error: BaseException) -> None:
        """Leave memory in order: nothing waits and nothing is unsaved. A callback that still fires finds the storage shut."""
        self.rows.shut(error)
        self.gate.broken = error
        for task in list(self.tasks or ()):
            task.cancel()
        self.object = None  # which holds the instance through its ctx

    # Tasks

    def remember_task(self, task: AnyTask, event: Event | None = None) -> None:
        if self.tasks is None:
            self.tasks = {}
        self.tasks[task] = event

    def forget_task(self, task: AnyTask | None) -> None:
        if self.tasks is not None and task is not None:
            self.tasks.pop(task, None)
            if not self.tasks:
                self.tasks = None
        if not self.events and self.gate.broken is None:
            self.home.became_idle(self)


class _Turn(tuple[None]):
    """Awaited, it yields to the loop once. Its iterator is C: the generator of an `async def` would be two calls more."""

    __slots__ = ()
    __await__ = tuple.__iter__


_TURN = cast(Awaitable[None], _Turn((None,)))


class _Resolution:
    """A result that waits at the output gate."""

    __slots__ = ("event", "packed")

    def __init__(self, event: Event, packed: Any) -> None:
        self.event, self.packed = event, packed

    def __call__(self, failed: BaseException | None) -> None:
        if failed is None:
            self.event.resolve(self.packed)
        else:
            self.event.reject(failed)


class _Rejection:
    """What user code raised, waiting at the output gate: it may reveal writes as well as a result."""

    __slots__ = ("error", "event")

    def __init__(self, event: Event, error: BaseException) -> None:
        self.event, self.error = event, error

    def __call__(self, failed: BaseException | None) -> None:
        self.event.reject(self.error if failed is None else failed)
