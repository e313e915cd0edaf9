"""`ctx.storage`: what an object keeps.

Whatever is written in one step is one unit, durable together before anything that follows it leaves the object (API-27).
See tests/objects/test_storage.py and the storage model test.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeVar, overload

from perdure.model.errors import WrongValue
from perdure.objects.op import Op
from perdure.objects.sql.sql_storage import SqlStorage
from perdure.objects.storage.alarm import AlarmStorage
from perdure.objects.storage.bookmarks import Bookmarks
from perdure.objects.storage.keyed import Keyed
from perdure.objects.storage.kv import SyncKv
from perdure.objects.storage.transaction import (
    OpenTransaction,
    OpenTransactionSync,
    Transaction,
    run_transaction,
    run_transaction_sync,
)

if TYPE_CHECKING:
    from perdure.objects.instance import Instance

T = TypeVar("T")


class Storage(Keyed, AlarmStorage, Bookmarks):
    """The storage of one object."""

    __slots__ = ("_kv", "_sql")

    def __init__(self, instance: Instance) -> None:
        super().__init__(instance)
        self._kv: SyncKv | None = None
        self._sql: SqlStorage | None = None

    @property
    def kv(self) -> SyncKv:
        """The same rows, synchronously."""
        if self._kv is None:
            self._kv = SyncKv(self._instance)
        return self._kv

    @property
    def sql(self) -> SqlStorage:
        """The object's own SQL database."""
        if self._sql is None:
            self._sql = SqlStorage(self._instance)
        return self._sql

    def delete_all(self) -> Op[None]:
        """Delete everything that this object stores, and what this step wrote before. The instance lives on.

        Takes the same short time however much there is. Not inside a transaction (WrongValue).
        """
        instance = self._instance
        instance.touch()
        if instance.rows.savepoints is not None:
            raise WrongValue(
                what="delete_all() was called inside a transaction",
                where=instance.label,
                why="it drops everything the object stores, which a rollback could not bring back in part",
                next_step="call it before or after the transaction",
            )
        instance.rows.delete_all()
        return Op(None)

    def sync(self) -> Op[None]:
        """Wait until every write made so far is durable, unconfirmed ones too. Yields, so it ends the step."""
        instance = self._instance
        instance.touch()
        if instance.rows.savepoints is None:
            instance.seal()
        op: Op[None] = Op()

        def release(failed: BaseException | None) -> None:
            if failed is None:
                op.resolve(None)
            else:
                op.reject(failed, told=True)  # it resets the object, whose callers get it

        instance.rows.when_all_durable(release)
        return op

    @overload
    def transaction(self, /) -> AbstractAsyncContextManager[Transaction]: ...
    @overload
    def transaction(self, body: Callable[[Transaction], Awaitable[T]], /) -> Op[T]: ...
    def transaction(self, body: Any = None, /) -> Any:
        """`async with storage.transaction() as txn`, or `transaction(body)`: all or nothing, over awaits (API-34).

        No other event of the object runs meanwhile. It commits at the end of the block; an exception rolls back and goes on to
        the caller. What was written before it is a unit of its own. It may be nested; it takes at most `limits.critical_section`.
        """
        return OpenTransaction(self._instance) if body is None else run_transaction(self._instance, body)

    @overload
    def transaction_sync(self, /) -> AbstractContextManager[None]: ...
    @overload
    def transaction_sync(self, body: Callable[[], T], /) -> T: ...
    def transaction_sync(self, body: Any = None, /) -> Any:
        """`with storage.transaction_sync()`, or `transaction_sync(body)`: an exception undoes only the block (API-35).

        An await in it that would wait raises AwaitInTransaction and rolls back; an async function as body is a WrongType.
        """
        return OpenTransactionSync(self._instance) if body is None else run_transaction_sync(self._instance, body)

    # Cloudflare's names
    deleteAll = delete_all
    transactionSync = transaction_sync
