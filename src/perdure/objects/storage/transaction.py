"""Transactions: writes over several steps, or a part of one step, that are kept together or not at all.

Must stay true: what is written inside an open transaction is neither sealed nor seen by another event before its end; what
was written before it is a unit of its own; an exception rolls back exactly what the block wrote and goes on to the caller.
See scenarios 18, 19 and 20 in tests/objects/.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Never, TypeVar

from perdure.model.errors import AwaitInTransaction, TransactionEnded, WrongType
from perdure.objects.driver import close_quietly, start_task
from perdure.objects.op import Op
from perdure.objects.rows import Rows, Savepoint
from perdure.objects.sections import CriticalSection, member_in_step
from perdure.objects.storage.alarm import AlarmStorage
from perdure.objects.storage.keyed import Keyed

if TYPE_CHECKING:
    from perdure.objects.instance import Instance

T = TypeVar("T")


class Transaction(Keyed, AlarmStorage):
    """`txn`: the storage while its transaction is open."""

    __slots__ = ("_ended", "_savepoint", "_section")

    def __init__(self, instance: Instance) -> None:
        super().__init__(instance)
        self._section = CriticalSection(instance, "a transaction")
        self._savepoint: Savepoint | None = None
        self._ended: str | None = None

    def _touch(self, what: str) -> None:
        if self._ended is not None:
            raise TransactionEnded(
                what=f"{what} on a transaction that {self._ended}",
                where=self._instance.label,
                why="a transaction object is good inside its block only, and not after rollback()",
                next_step="use `ctx.storage`, or start another transaction",
            )
        super()._touch(what)

    def rollback(self) -> None:
        """Undo what this transaction wrote, now. What follows in the block is ordinary storage through `ctx.storage`."""
        if self._ended == "was rolled back":
            return
        self._touch("rollback()")
        assert self._savepoint is not None
        self._instance.rows.roll_back(self._savepoint)
        self._ended = "was rolled back"

    def begin(self) -> None:
        instance = self._instance
        if instance.rows.in_transaction_sync:
            raise AwaitInTransaction(
                what="a transaction was started inside transaction_sync()",
                where=instance.label,
                why="it may wait, and a savepoint lives within one step",
                next_step="start the transaction outside, and use transaction_sync() inside it",
            )
        self._section.enter()
        if instance.rows.savepoints is None:
            instance.seal()  # what was written before is a unit of its own
        instance.touch()
        self._savepoint = instance.rows.begin(spans_steps=True)

    def end(self, failed: bool) -> None:
        rows = self._instance.rows
        try:
            if self._ended is None:
                self._ended = "was rolled back" if failed else "has committed"
                if self._savepoint is not None and rows.holds(self._savepoint):
                    self._close(rows, self._savepoint, failed)
                    if rows.savepoints is None and rows.shut_by is None:
                        self._instance.seal()
        finally:
            self._section.leave()

    @staticmethod
    def _close(rows: Rows, savepoint: Savepoint, failed: bool) -> None:
        try:
            (rows.roll_back if failed else rows.commit)(savepoint)
        except TransactionEnded:
            rows.unwind(savepoint)  # one inside was left open: kept, it would keep every later step unsealed
            if not failed:
                raise


class OpenTransaction:
    """`async with storage.transaction() as txn`."""

    __slots__ = ("_instance", "_transaction")

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._transaction: Transaction | None = None

    async def __aenter__(self) -> Transaction:
        if self._transaction is not None:
            raise TransactionEnded(what="this transaction was entered before", where=self._instance.label)
        self._transaction = Transaction(self._instance)
        self._transaction.begin()
        return self._transaction

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._transaction is not None
        self._transaction.end(failed=error is not None)

    if not TYPE_CHECKING:  # type checkers know that it has no such method, and say so

        def __enter__(self) -> Never:
            raise WrongType(
                what="a transaction was entered with `with`",
                where=self._instance.label,
                why="it spans awaits, and waits for others at its begin",
                next_step="write `async with storage.transaction() as txn:`, or `with storage.transaction_sync():`",
            )

        def __exit__(self, *_: object) -> None:
            """Python looks for it before it calls `__enter__`."""


def run_transaction(instance: Instance, body: Callable[[Transaction], Awaitable[T]]) -> Op[T]:
    """`storage.transaction(body)`: a task of the object that runs it; the Op has what the body returned or raised."""
    if not callable(body):
        raise WrongType(
            what=f"transaction() takes an async function, not {type(body).__name__}",
            where=instance.label,
            next_step="use `async with storage.transaction() as txn:`, or pass the function itself",
        )
    op: Op[T] = Op()

    async def run() -> None:
        try:
            async with OpenTransaction(instance) as transaction:
                result = await body(transaction)
        except GeneratorExit:
            raise  # a reset: who waits for the result has ended with this body
        except BaseException as error:
            op.reject(error, told=instance.gate.broken is not None)
            if not isinstance(error, Exception):
                raise
        else:
            op.resolve(result)

    outer = member_in_step(instance, "transaction()")
    ticket = instance.gate.take_ticket(outer.section.effective(), ahead=True)
    start_task(run(), outer.child(), ticket=ticket)
    return op


class OpenTransactionSync:
    """`with storage.transaction_sync()`: a savepoint in the running unit."""

    __slots__ = ("_instance", "_savepoint")

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._savepoint: Savepoint | None = None

    def __enter__(self) -> None:
        member_in_step(self._instance, "transaction_sync()")
        self._savepoint = self._instance.rows.begin(spans_steps=False)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        rows = self._instance.rows
        assert self._savepoint is not None
        if rows.holds(self._savepoint):  # not after an await in the block: it was rolled back there
            (rows.commit if error is None else rows.roll_back)(self._savepoint)

    if not TYPE_CHECKING:  # as in OpenTransaction

        async def __aenter__(self) -> Never:
            raise WrongType(
                what="transaction_sync() was entered with `async with`",
                where=self._instance.label,
                why="it lives within one step, and nothing in it may wait",
                next_step="write `with storage.transaction_sync():`, or `async with storage.transaction():`",
            )

        async def __aexit__(self, *_: object) -> None:
            """Python looks for it before it calls `__aenter__`."""


def run_transaction_sync(instance: Instance, body: Callable[[], T]) -> T:
    if not callable(body):
        raise WrongType(
            what=f"transaction_sync() takes a function, not {type(body).__name__}",
            where=instance.label,
            next_step="use `with storage.transaction_sync():`, or pass the function itself",
        )
    with OpenTransactionSync(instance):
        result = body()
        if inspect.isawaitable(result):
            if inspect.iscoroutine(result):
                close_quietly(result)
            raise WrongType(
                what="transaction_sync() was given an async function",
                where=instance.label,
                why="a savepoint lives within one step; nothing of the function was run, and its block was rolled back",
                next_step="use `async with storage.transaction()`",
            )
        return result
