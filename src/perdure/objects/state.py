"""`ctx`: what an object is told about itself, and what it may ask of its runtime.

One per activation. It is also the place of what belongs to the activation and not to the class: background work, critical
sections, aborting. See tests/objects/test_lifecycle.py.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Never, TypeVar

from perdure.model.errors import ObjectAborted, ObjectReset, ObjectUnnamed, WrongType
from perdure.model.object_id import ObjectId
from perdure.objects.driver import close_quietly, start_task
from perdure.objects.member import CURRENT, ObjectMember
from perdure.objects.op import Op
from perdure.objects.sections import CriticalSection, block_concurrency_while
from perdure.objects.storage.storage import Storage

if TYPE_CHECKING:
    from perdure.objects.instance import Instance

T = TypeVar("T")


class State:
    """`ctx` of an object, as far as it concerns the activation alone; `workers.state` adds the Worker around it."""

    __slots__ = ("_instance", "_storage")

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._storage: Storage | None = None

    @property
    def id(self) -> ObjectId:
        """This object's id, with the name that it was reached by or first written under, if there was one."""
        id, name = self._instance.id, self._instance.rows.name
        return id if id.name == name else ObjectId(id.hex, name)

    @property
    def name(self) -> str:
        """The name that the object was reached by, now or at its first write; ObjectUnnamed if there was none (API-14)."""
        name = self._instance.rows.name
        if name is None:
            raise ObjectUnnamed(
                what="this object has no name",
                where=self._instance.label,
                why="it was reached by an id that was not made from a name, and no name was stored with it",
                next_step="use `ctx.id`, or reach it by `namespace[name]`",
            )
        return name

    @property
    def storage(self) -> Storage:
        if self._storage is None:
            self._storage = Storage(self._instance)
        return self._storage

    def wait_until(self, aw: Awaitable[Any], /) -> None:
        """Keep `aw` running in the background: it doesn't delay the reply, and holds off eviction. A failure is logged."""
        if not inspect.isawaitable(aw):
            raise WrongType(
                what=f"wait_until() takes an awaitable, not {type(aw).__name__}",
                where=self._instance.label,
                why="it waits for work that has been started",
                next_step="call the function: `ctx.wait_until(self.refresh())`",
            )
        if isinstance(aw, asyncio.Future):
            self._instance.remember_task(aw)
            aw.add_done_callback(self._background_future_over)
            return
        current = CURRENT.get()
        member = current.child() if current is not None else ObjectMember(self._instance, self._instance.gate)
        work: Any = self._background(aw)  # for type checkers coroutines are a protocol without names
        work.__qualname__ = getattr(aw, "__qualname__", type(aw).__name__)  # by which people know it
        task = start_task(work, member)
        if inspect.iscoroutine(aw):
            # After a reset before its first step it would be "never awaited".
            task.add_done_callback(lambda _: close_quietly(aw))

    async def _background(self, aw: Awaitable[Any]) -> None:
        try:
            await aw
        except (Exception, SystemExit) as error:
            self._instance.home.report("a task of wait_until() failed", self._instance.id, error)

    def _background_future_over(self, future: asyncio.Future[Any]) -> None:
        self._instance.forget_task(future)
        if not future.cancelled():
            error = future.exception()
            if error is not None:
                self._instance.home.report("a task of wait_until() failed", self._instance.id, error)

    def block_concurrency_while(self, fn: Callable[[], Awaitable[T]], /) -> Op[T]:
        """Run `fn` with no other event of the object, as soon as the running step ends; raising in it resets the object.

        In a constructor it runs before any event. Takes at most `limits.critical_section`. Source: API-36.
        """
        if not callable(fn):
            raise WrongType(
                what=f"block_concurrency_while() takes a function, not {type(fn).__name__}",
                where=self._instance.label,
                why="the function starts when the running step ends",
                next_step="pass the function itself: `ctx.block_concurrency_while(self.load)`",
            )
        return block_concurrency_while(self._instance, fn)

    def critical_section(self) -> AbstractAsyncContextManager[None]:
        """`async with`: no other event of the object runs in the block; an exception is just an exception (API-36)."""
        return CriticalSection(self._instance, "critical_section()")

    def abort(self, reason: str | None = None, *, retry_alarm: bool = True) -> Never:
        """Reset the object now: unsaved writes are dropped, every waiting caller gets ObjectReset with the reason (API-47).

        retry_alarm: whether an alarm whose handler runs now is tried again; without, it is dropped.
        Raises ObjectAborted, which `except Exception` does not catch. The next call starts a new instance.
        """
        run = self._instance.rows.alarm_run
        if run is not None and not retry_alarm:
            run.dropped = True
        self._instance.break_with(
            ObjectReset(
                what=reason if reason is not None else "the object called abort() to reset itself",
                where=self._instance.label,
                why="its unsaved writes were dropped, what it had stored before is kept",
                next_step="call again: the next call reaches a new instance",
            )
        )
        raise ObjectAborted(reason)

    # Cloudflare's names
    waitUntil = wait_until
    blockConcurrencyWhile = block_concurrency_while
