"""An operation that began when it was made: what storage and stubs return.

It is done or pending, can be awaited any number of times, and is accepted wherever asyncio takes a coroutine. Awaiting one
that is done does not yield to the loop, so a step of an object goes on through it (API-18, API-26). Cancelling a wait gives
up that wait and nothing else. See tests/objects/test_op.py.
"""

import asyncio
import logging
from abc import ABCMeta
from collections.abc import Coroutine, Generator
from enum import Enum
from typing import Any, Generic, TypeVar, cast

from perdure.objects.op_misuse import AwaitFirst

T = TypeVar("T")

_log = logging.getLogger("perdure.op")


class _Pending(Enum):
    """The value of an operation that is not done."""

    PENDING = 0


_PENDING = _Pending.PENDING


class _Unheard:
    """Says once, when it is collected, that nobody looked at an operation's failure."""

    __slots__ = ("awaited", "error")

    def __init__(self, error: BaseException, *, awaited: bool) -> None:
        self.error: BaseException | None = error
        self.awaited = awaited
        """Somebody waited for it once, and may have given up by now."""

    def __del__(self) -> None:
        if self.error is not None:
            fate = "after its caller had stopped waiting" if self.awaited else "and nobody awaited it"
            _log.error("a call failed %s: %s: %s", fate, type(self.error).__name__, self.error)


class Op(AwaitFirst, Generic[T]):
    """The result of an operation, now or later."""

    __slots__ = ("_error", "_unheard", "_value", "_waiters")

    def __init__(self, value: T | _Pending = _PENDING) -> None:
        self._value: T | _Pending = value
        self._error: BaseException | None = None
        self._unheard: _Unheard | None = None
        self._waiters: list[asyncio.Future[None]] | None = None

    def done(self) -> bool:
        return self._value is not _PENDING or self._error is not None

    def result(self) -> T:
        """What is there already; asyncio.InvalidStateError while it is pending."""
        if self._error is not None:
            if self._unheard is not None:
                self._unheard.error = None
            try:
                raise self._error
            finally:
                del self  # the error's traceback holds this frame: no cycle is left behind
        if self._value is _PENDING:
            raise asyncio.InvalidStateError("this operation is not done; await it")
        return self._value

    @property
    def awaited(self) -> bool:
        """Whether somebody waits for it now."""
        return self._waiters is not None and any(not waiter.done() for waiter in self._waiters)

    def resolve(self, value: T) -> None:
        """Give the result and wake who waits. A second outcome changes nothing."""
        if self._value is _PENDING and self._error is None:
            self._value = value
            if self._waiters is not None:
                self._wake()

    def reject(self, error: BaseException, *, told: bool = False) -> None:
        """Give the failure and wake who waits. A second outcome changes nothing.

        told: it is known elsewhere, as that of a reset is by the object's callers: nothing is lost if nobody looks.
        """
        if not self.done():
            self._error = error
            if not told:
                self._unheard = _Unheard(error, awaited=self._waiters is not None)
            self._wake()

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, None
        for waiter in waiters or ():
            if not waiter.done():
                waiter.set_result(None)

    def _waiter(self) -> "asyncio.Future[None]":
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._waiters is None:
            self._waiters = [waiter]
        else:
            # Those before it that gave up, as cancelled ones, are dropped here: no wait needs to end by itself.
            self._waiters = [*(other for other in self._waiters if not other.done()), waiter]
        return waiter

    def __await__(self) -> Generator[Any, None, T]:
        try:
            if self._error is None:
                if self._value is not _PENDING:
                    return self._value
                yield from self._waiter()
            return self.result()
        finally:
            del self  # as in `result`

    # What asyncio asks of a coroutine, so that create_task, gather and wait_for take an operation as it is. There is no
    # state between the steps: each of any number of tasks waits for the outcome by itself.

    def send(self, value: None) -> Any:
        if self.done():
            raise StopIteration(self.result())
        return next(iter(self._waiter()))

    def throw(self, kind: Any, error: Any = None, traceback: Any = None) -> Any:
        raise kind if error is None else error

    def close(self) -> None:
        """Give up the wait; the operation goes on."""

    def __repr__(self) -> str:
        state = "failed" if self._error is not None else "pending" if self._value is _PENDING else "done"
        return f"<Op {state}: await it>"


cast(ABCMeta, Coroutine).register(Op)
