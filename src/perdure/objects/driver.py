"""The driver: every step of an object's code passes the input gate first, whichever task it runs in.

A task of an object does not run its coroutine but a `Driven` one, which steps it by hand. Must stay true: user code runs only
while the gate admits it, in ticket order; a cancellation that arrives at the gate reaches user code only inside; what a step
wrote is sealed when it yields, ends or raises; a broken instance is never stepped again, whatever its code catches; tasks of
the host program never meet the driver, and those of a Worker's handler only so that `sys.exit()` ends no more than one of them.
See tests/objects/test_driver.py, the gate scenarios in tests/objects/ and tests/workers/test_worker.py.
"""

import asyncio
import sys
import weakref
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextvars import Context, copy_context
from types import CoroutineType
from typing import Any, cast

from perdure.core.gate import InputGate, Section, Ticket
from perdure.model.errors import AwaitInTransaction
from perdure.objects.member import CURRENT, ObjectMember
from perdure.objects.origin import ORIGIN

EAGER = sys.version_info >= (3, 12)
# Nested eager starts use the C stack: 3.12 and 3.13 fail near 250 hops, a plain start never does.
EAGER_DEPTH_MAX = 8

AnyCoroutine = Coroutine[Any, Any, Any]
TaskFactory = Callable[..., "asyncio.Task[Any]"]


def wait_at_gate(
    gate: InputGate, section: Section, ticket: Ticket | None = None
) -> Generator[Any, None, asyncio.CancelledError | None]:
    """Wait until `section` is admitted or the gate is broken; gives the cancellation that arrived meanwhile, if one did."""
    if ticket is None:
        ticket = gate.take_ticket(section)
    arrived: asyncio.CancelledError | None = None
    loop = asyncio.get_running_loop()
    try:
        while gate.broken is None and not gate.admits(section, ticket):
            future: asyncio.Future[None] = loop.create_future()
            ticket.wake = _waker(future)
            try:
                yield from future
            except asyncio.CancelledError as cancelled:
                arrived = cancelled
    finally:
        gate.return_ticket(ticket)
    try:
        return arrived
    finally:
        del arrived  # its traceback holds this frame


def _waker(future: "asyncio.Future[None]") -> Callable[[], None]:
    def wake() -> None:
        if not future.done():
            future.set_result(None)

    return wake


class Driven:
    """One coroutine of an object, stepped under its gate. Await it once, in the task that it is for."""

    __slots__ = ("coroutine", "fatal", "member", "ticket")

    def __init__(
        self, coroutine: AnyCoroutine, member: ObjectMember, *, fatal: bool = False, ticket: Ticket | None = None
    ) -> None:
        self.coroutine = coroutine
        self.member = member
        self.fatal = fatal
        """Whether an exception that leaves it resets the object, before its last step is sealed."""
        self.ticket = ticket
        """A place in the queue that was taken earlier, for its first step."""

    def __await__(self) -> Generator[Any, None, Any]:
        coroutine, member = self.coroutine, self.member
        instance = member.instance
        gate, rows = instance.gate, instance.rows
        raised: BaseException | None = None
        failure: BaseException | None = None
        yielded: Any = None
        while True:
            if gate.broken is None and (self.ticket is not None or not gate.admits(member.section)):
                ticket, self.ticket = self.ticket, None
                raised = (yield from wait_at_gate(gate, member.section, ticket)) or raised
            if instance.outside_seal_due:
                instance.seal_outside()  # a callback's write is a unit of its own, whatever becomes of this step
            if gate.broken is not None:
                close_quietly(coroutine)
                raise asyncio.CancelledError
            gate.running += 1
            try:
                yielded = coroutine.send(None) if raised is None else coroutine.throw(raised)
                while rows.savepoints is not None and rows.in_transaction_sync:
                    yielded = coroutine.throw(self._refuse_to_wait(yielded))
            except StopIteration as stop:
                result = stop.value
                if rows.savepoints is not None and rows.in_transaction_sync:
                    raise self._left_open() from None
            except BaseException as error:
                rows.roll_back_transaction_sync()
                failure = _exit_refused("an object", error) if isinstance(error, SystemExit) else error
                if self.fatal and isinstance(failure, Exception | asyncio.CancelledError):
                    instance.break_by_code(failure)
                if gate.broken is not None and not isinstance(error, KeyboardInterrupt):
                    raise asyncio.CancelledError from None  # what broke the gate is told to the object's callers
                if failure is not error:
                    raise failure from error
                raise
            else:
                result = _UNFINISHED
            finally:
                raised = failure = None  # their tracebacks hold this frame: no cycle is left behind
                instance.end_step()
            if gate.broken is not None:
                close_quietly(coroutine)
                raise asyncio.CancelledError
            if result is not _UNFINISHED:
                return result
            try:
                yield yielded
            except GeneratorExit:
                close_quietly(coroutine)
                raise
            except BaseException as thrown:
                raised = thrown

    def _refuse_to_wait(self, yielded: Any) -> AwaitInTransaction:
        """Roll back and say so where the code waits: the unit would end in the middle of a savepoint."""
        if asyncio.isfuture(yielded):
            yielded._asyncio_future_blocking = False
        self.member.instance.rows.roll_back_transaction_sync()
        return AwaitInTransaction(
            what="an await inside transaction_sync() would have waited",
            where=self.member.instance.label,
            why="a savepoint lives within one step, and waiting ends the step; its writes were rolled back",
            next_step="do the waiting before or after the block, or use `async with storage.transaction()`",
        )

    def _left_open(self) -> AwaitInTransaction:
        """Roll back, and don't let the step pass for a success: nothing was sealed while the block was open."""
        self.member.instance.rows.roll_back_transaction_sync()
        return AwaitInTransaction(
            what="transaction_sync() was still open when the code that entered it ended",
            where=self.member.instance.label,
            why="a savepoint lives within one step; its writes were rolled back",
            next_step="use `with storage.transaction_sync():`, not in a generator that is left in the middle of it",
        )


class _Unfinished:
    """The coroutine yielded and goes on later."""


_UNFINISHED = _Unfinished()


def close_quietly(coroutine: AnyCoroutine) -> None:
    """End a coroutine whose object is gone. Its `finally` blocks run, against a storage that is shut.

    What it raises there, or an await there, has nobody to go to: the object's error has been given to its callers.
    """
    try:
        coroutine.close()
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise


def _exit_refused(who: str, error: SystemExit) -> RuntimeError:
    """What `sys.exit()` becomes, as StopIteration does in a coroutine: in a task it would end the loop, and everybody with it."""
    return RuntimeError(f"{who} raised SystemExit: {error.code}, which ends nothing here; raise an error of your own")


async def _without_exit(coroutine: AnyCoroutine) -> Any:
    """What a task runs that a Worker's handler started."""
    try:
        return await coroutine
    except SystemExit as error:
        raise _exit_refused("a Worker", error) from error


async def _drive(driven: Driven) -> Any:
    # A native coroutine, because anyio, inspect and debuggers expect one in a task.
    return await driven


def is_ours(coroutine: AnyCoroutine) -> bool:
    return getattr(coroutine, "cr_code", None) is _drive.__code__


def start_task(
    coroutine: AnyCoroutine, member: ObjectMember, *, fatal: bool = False, ticket: Ticket | None = None
) -> "asyncio.Task[Any]":
    """A new task of the object that runs `coroutine` under its gate."""
    context = copy_context()
    context.run(CURRENT.set, member)
    driven = Driven(coroutine, member, fatal=fatal, ticket=ticket)
    return _track(_named(driven), driven, lambda named: asyncio.Task(named, context=context))


def _named(driven: Driven) -> AnyCoroutine:
    named = _drive(driven)
    _name_after(driven.coroutine, named)
    return named


def _name_after(coroutine: AnyCoroutine, around: AnyCoroutine) -> None:
    for attribute in ("__name__", "__qualname__"):
        setattr(around, attribute, getattr(coroutine, attribute, "step"))


def _track(
    named: AnyCoroutine, driven: Driven, make: Callable[[AnyCoroutine], "asyncio.Task[Any]"]
) -> "asyncio.Task[Any]":
    task = make(named)
    instance, coroutine = driven.member.instance, driven.coroutine

    def over(task: "asyncio.Task[Any]") -> None:
        instance.forget_task(task)
        close_quietly(coroutine)  # cancelled before its first step: else "was never awaited"

    if not task.done():
        instance.remember_task(task)
        task.add_done_callback(over)
    return task


def _plain(loop: asyncio.AbstractEventLoop, coroutine: AnyCoroutine, **options: Any) -> "asyncio.Task[Any]":
    return asyncio.Task(coroutine, loop=loop, **options)


class DriverFactory:
    """The loop's task factory while objects live on it: chains to the one that was there."""

    def __init__(self, loop: asyncio.AbstractEventLoop, previous: TaskFactory | None) -> None:
        self.previous = previous
        self._loop = loop
        self._make = previous or _plain
        self._eager_depth = 0

    def may_start_eagerly(self) -> bool:
        return self._eager_depth < EAGER_DEPTH_MAX

    def start_eagerly(self, coroutine: AnyCoroutine, context: Context) -> "asyncio.Task[Any]":
        """Run the first step of an event now, inside whatever step sends it."""
        self._eager_depth += 1
        try:
            return _plain(self._loop, coroutine, context=context, eager_start=True)
        finally:
            self._eager_depth -= 1

    def __call__(self, loop: asyncio.AbstractEventLoop, coroutine: AnyCoroutine, **options: Any) -> "asyncio.Task[Any]":
        member = CURRENT.get()
        if member is None:
            if ORIGIN.get() is None or type(coroutine) is not CoroutineType:
                return self._make(loop, coroutine, **options)
            return self._start_without_exit(loop, coroutine, options)
        if not asyncio.iscoroutine(coroutine) or is_ours(coroutine):
            return self._make(loop, coroutine, **options)
        return self._start_member(loop, coroutine, member.child(), options)

    def _start_without_exit(
        self, loop: asyncio.AbstractEventLoop, coroutine: AnyCoroutine, options: dict[str, Any]
    ) -> "asyncio.Task[Any]":
        around = _without_exit(coroutine)
        _name_after(coroutine, around)
        task = self._make(loop, around, **options)
        if not task.done():
            task.add_done_callback(lambda _: close_quietly(coroutine))  # as in `_track`
        return task

    def _start_member(
        self, loop: asyncio.AbstractEventLoop, coroutine: AnyCoroutine, member: ObjectMember, options: dict[str, Any]
    ) -> "asyncio.Task[Any]":
        context: Context | None = options.get("context")
        if context is None:
            context = copy_context()
        context.run(CURRENT.set, member)  # in a bare context, too, a task of the object stays a member
        options["context"] = context
        if options.get("eager_start"):
            options["eager_start"] = False  # it would run inside the step that starts it
        driven = Driven(coroutine, member)
        return _track(_named(driven), driven, lambda named: self._make(loop, named, **options))


def install(loop: asyncio.AbstractEventLoop) -> DriverFactory:
    """Put the driver in front of the loop's task factory, if it isn't there. Cheap: called at every event."""
    factory: Any = loop.get_task_factory()
    if type(factory) is DriverFactory:
        return factory
    driver = DriverFactory(loop, factory)
    loop.set_task_factory(cast(Any, driver))  # it is called with whatever options the interpreter has by now
    _install_generator_hooks(loop)
    return driver


class _GeneratorHooks:
    """Async generators of an object are finalised as its tasks, wherever the collector finds them."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.first_before, self.final_before = sys.get_asyncgen_hooks()
        # By id: a weak-keyed map is cleared already when the finaliser runs.
        self.owners: dict[int, tuple[ObjectMember, weakref.ref[AsyncGenerator[Any, Any]]]] = {}
        self.dead: list[int] = []

    def first(self, generator: AsyncGenerator[Any, Any]) -> None:
        while self.dead:
            self.owners.pop(self.dead.pop(), None)
        member = CURRENT.get()
        if member is not None:
            key = id(generator)
            self.owners[key] = member, weakref.ref(generator, lambda _: self.dead.append(key))
        if self.first_before is not None:
            self.first_before(generator)

    def final(self, generator: AsyncGenerator[Any, Any]) -> None:
        member, _ = self.owners.pop(id(generator), (None, None))
        if member is None:
            if self.final_before is not None:
                self.final_before(generator)
        elif not self.loop.is_closed():
            # The collector may be running inside another object's step: only ask for the task here.
            context = Context()
            context.run(CURRENT.set, member)
            self.loop.call_soon_threadsafe(self._close, generator, context=context)

    def _close(self, generator: AsyncGenerator[Any, Any]) -> None:
        self.loop.create_task(generator.aclose())


def _install_generator_hooks(loop: asyncio.AbstractEventLoop) -> None:
    before = sys.get_asyncgen_hooks().firstiter
    if not isinstance(getattr(before, "__self__", None), _GeneratorHooks):
        hooks = _GeneratorHooks(loop)
        sys.set_asyncgen_hooks(hooks.first, hooks.final)
