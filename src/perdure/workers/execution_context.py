"""`ctx` of a Worker's invocation: what it may leave running after its reply, and for how long.

Background work may outlive the reply by 30 s, all of one invocation together; then it is cancelled and a warning names
it. A failure in it is logged and reaches nobody. See tests/workers/test_execution_context.py.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Never, TypeVar

from perdure.core.clock import Cancellable, Clock
from perdure.model.errors import ObjectAborted, WrongType
from perdure.objects.origin import Origin, RequestNumbers
from perdure.workers.exports import Exports

if TYPE_CHECKING:
    from perdure.workers.namespace import Namespace

D = TypeVar("D")

# The original's number: long enough to log and to send a few requests, short enough that a stop does not hang on it.
WAIT_UNTIL_S = 30.0

_log = logging.getLogger("perdure.worker")


class Background:
    """What the invocations of one Worker left running."""

    def __init__(
        self,
        worker_name: str,
        clock: Clock,
        namespace_of: Callable[[type[Any]], Namespace[Any]],
        requests: RequestNumbers,
        exports: Exports,
    ) -> None:
        self.worker_name = worker_name
        self.clock = clock
        self.namespace_of = namespace_of
        self.requests = requests
        self.exports = exports
        self.tasks: set[asyncio.Future[Any]] = set()
        self._has_told_about_origin = False

    async def drain(self, grace_s: float) -> None:
        """Wait until all of it ended, for at most `grace_s`; then cancel the rest, with a warning for each."""
        if not self.tasks:
            return
        ended = asyncio.ensure_future(self._all_ended())

        def stop_waiting() -> None:
            ended.cancel()

        deadline = self.clock.call_later(grace_s, stop_waiting)
        try:
            await asyncio.wait([ended])
        finally:
            deadline.cancel()
            ended.cancel()
        for task in list(self.tasks):
            self.give_up(task, "because the Worker stops")

    async def _all_ended(self) -> None:
        while self.tasks:
            await asyncio.wait(self.tasks)

    def give_up(self, task: asyncio.Future[Any], why: str) -> None:
        _log.warning(
            "%s: work of wait_until() was cancelled %s: %s; do long work in an object",
            self.worker_name,
            why,
            _name_of(task),
        )
        task.cancel()

    def tell_about_origin(self) -> None:
        if not self._has_told_about_origin:
            self._has_told_about_origin = True
            _log.warning(
                "%s called pass_through_on_exception(), which does nothing: there is no origin behind this Worker; "
                "catch the exception and answer by yourself",
                self.worker_name,
            )


class ExecutionContext(Origin):
    """`ctx` of a Worker's invocation."""

    __slots__ = ("_background", "_replied_at", "_tasks", "_timer")

    def __init__(self, background: Background) -> None:
        self._background = background
        self._number = None  # not by way of Origin: one of these is made for every request
        self._numbers = background.requests
        self._tasks: set[asyncio.Future[Any]] | None = None
        self._replied_at: float | None = None
        self._timer: Cancellable | None = None

    @property
    def props(self) -> Any:
        """What the binding says by which this Worker was called, else {}."""
        return {}

    @property
    def exports(self) -> Any:
        """The namespaces of the Worker's own object classes, by class name; `namespace` is the typed way."""
        return self._background.exports

    def namespace(self, cls: type[D], /) -> Namespace[D]:
        """The namespace of an object class of this Worker; it needs no binding (API-13)."""
        return self._background.namespace_of(cls)

    def wait_until(self, aw: Awaitable[Any], /) -> None:
        """Let `aw` go on after the reply, which it does not delay, for at most 30 s. A failure is logged."""
        if not inspect.isawaitable(aw):
            raise WrongType(
                what=f"wait_until() takes an awaitable, not {type(aw).__name__}",
                why="it waits for work that has been started",
                next_step="call the function: `ctx.wait_until(send_metrics())`",
            )
        task = asyncio.ensure_future(aw)
        if self._tasks is None:
            self._tasks = set()
        self._tasks.add(task)
        self._background.tasks.add(task)
        task.add_done_callback(self._ended)
        if self._replied_at is not None:
            self._limit()

    def pass_through_on_exception(self) -> None:
        """Does nothing, and says so once in the log: no origin stands behind this Worker that could answer instead."""
        self._background.tell_about_origin()

    def abort(self, reason: str | None = None) -> Never:
        """End this invocation now: its caller gets an error with the reason. Raises ObjectAborted."""
        raise ObjectAborted(reason)

    # Cloudflare's names
    waitUntil = wait_until
    passThroughOnException = pass_through_on_exception

    def replied(self) -> None:
        """The handler has returned or failed: the time of what goes on in the background begins."""
        self._replied_at = self._background.clock.monotonic()
        if self._tasks:
            self._limit()

    def _limit(self) -> None:
        if self._timer is None and self._replied_at is not None:
            left_s = self._replied_at + WAIT_UNTIL_S - self._background.clock.monotonic()
            self._timer = self._background.clock.call_later(max(0.0, left_s), self._expire)

    def _expire(self) -> None:
        self._timer = None
        for task in list(self._tasks or ()):
            self._background.give_up(task, f"{WAIT_UNTIL_S:g} s after the reply")

    def _ended(self, task: asyncio.Future[Any]) -> None:
        self._background.tasks.discard(task)
        if self._tasks is not None:
            self._tasks.discard(task)
        if not self._tasks and self._timer is not None:
            self._timer.cancel()
            self._timer = None
        error = None if task.cancelled() else task.exception()
        if error is not None:
            worker = self._background.worker_name
            _log.error("%s: work of wait_until() failed: %s", worker, _name_of(task), exc_info=error)


def clock_of(ctx: ExecutionContext) -> Clock:
    """The clock of the runtime that an invocation runs in."""
    return ctx._background.clock


def _name_of(task: asyncio.Future[Any]) -> str:
    coroutine = task.get_coro() if isinstance(task, asyncio.Task) else None
    name: str | None = getattr(coroutine, "__qualname__", None)
    return name or type(coroutine or task).__name__
