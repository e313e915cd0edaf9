"""`sql.run`: a statement that may take long, on a thread, with the gate of its object held and the loop free (API-42).

Must stay true: no other event of the object runs meanwhile, nothing of its pages is written by anybody else, and what the
statement wrote is sealed by a step of the object, after it. See tests/objects/sql/test_run.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from perdure.model.errors import AwaitInTransaction
from perdure.objects.driver import start_task
from perdure.objects.op import Op
from perdure.objects.sections import member_in_step
from perdure.objects.sql.connection import Bindings, Result
from perdure.objects.sql.database import Database

if TYPE_CHECKING:
    from perdure.objects.instance import Instance

T = TypeVar("T")


def run_off_loop(
    instance: Instance, opened: Callable[[], Database], query: str, bindings: Bindings, made: Callable[[Result], T]
) -> Op[T]:
    """Starts it when the running step ends; the Op has what `made` makes of the result.

    opened: gives the object's database, which is not asked before: the rest of the step may be a delete_all().
    """
    outer = member_in_step(instance, "sql.run()")
    if instance.rows.in_transaction_sync:
        raise AwaitInTransaction(
            what="sql.run() was called inside transaction_sync()",
            where=instance.label,
            why="it waits for a thread, and a savepoint lives within one step",
            next_step="use sql.exec() there, or `async with storage.transaction()`",
        )
    op: Op[T] = Op()
    member = outer.child()

    async def run(op: Op[T]) -> None:
        gate, rows = instance.gate, instance.rows
        section = gate.open_section(member.section)
        member.section = section
        try:
            database = opened()
            if rows.savepoints is None:
                instance.seal()
            stored, close = rows.pages_elsewhere()
            depth = rows.depth

            def job() -> Result:
                try:
                    return database.exec_elsewhere(query, bindings, depth=depth, stored=stored)
                finally:
                    close()

            outcome = await _on_a_thread(instance, database, job)
            rows.write_sql()
            op.resolve(made(outcome.take()))
        except GeneratorExit:
            raise  # a reset: who waits for the result has ended with this instance
        except BaseException as error:
            rows.write_sql()  # statements before the one that failed may have written
            if rows.sql is not None and rows.sql.lost:
                instance.break_with(error)
            op.reject(error, told=instance.gate.broken is not None)
            del op  # the error's traceback holds this frame: no cycle is left behind
            if not isinstance(error, Exception):
                raise
        finally:
            gate.close_section(section)
            member.section = section.effective()

    ticket = instance.gate.take_ticket(outer.section.effective(), ahead=True)
    start_task(run(op), member, ticket=ticket)
    return op


class _Outcome:
    """Of a job on a thread. Whoever takes it has it alone, for the traceback of an error holds all who waited for it."""

    __slots__ = ("_error", "_result")

    def __init__(self, job: Callable[[], Result]) -> None:
        self._result: Result | None = None
        self._error: BaseException | None = None
        try:
            self._result = job()
        except BaseException as error:
            self._error = error

    def take(self) -> Result:
        result, error, self._result, self._error = self._result, self._error, None, None
        if error is not None:
            try:
                raise error
            finally:
                del error
        assert result is not None
        return result


def _on_a_thread(instance: Instance, database: Database, job: Callable[[], Result]) -> asyncio.Future[_Outcome]:
    """Lends the database for the job. A reset lets go of the result at once, and the database comes back all the same."""
    loop = instance.home.loop
    waiting: asyncio.Future[_Outcome] = loop.create_future()

    def over(outcome: _Outcome) -> None:
        database.take_back()
        if not waiting.done():
            waiting.set_result(outcome)

    def run() -> None:
        outcome = _Outcome(job)
        with suppress(RuntimeError):  # the loop is closed: nobody waits, and nobody uses the database
            loop.call_soon_threadsafe(over, outcome)

    database.lend()
    try:
        instance.home.sql_pool.threads.submit(run)
    except BaseException:
        database.take_back()
        raise
    return waiting
