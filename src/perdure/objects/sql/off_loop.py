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
from perdure.objects.sql.database import Bindings, Database, Result

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

    async def run() -> None:
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

            result = await _on_a_thread(instance, database, job)
            rows.write_sql()
            op.resolve(made(result))
        except GeneratorExit:
            raise  # a reset: who waits for the result has ended with this instance
        except BaseException as error:
            rows.write_sql()  # statements before the one that failed may have written
            if getattr(error, "object_reset", False):
                instance.break_with(error)
            op.reject(error, told=instance.gate.broken is not None)
            if not isinstance(error, Exception):
                raise
        finally:
            gate.close_section(section)
            member.section = section.effective()

    ticket = instance.gate.take_ticket(outer.section.effective(), ahead=True)
    start_task(run(), member, ticket=ticket)
    return op


def _on_a_thread(instance: Instance, database: Database, job: Callable[[], Result]) -> asyncio.Future[Result]:
    """Lends the database for the job. A reset lets go of the result at once, and the database comes back all the same."""
    loop = instance.home.loop
    waiting: asyncio.Future[Result] = loop.create_future()

    def over(result: Result | None, error: BaseException | None) -> None:
        database.take_back()
        if waiting.done():
            return
        if error is not None:
            waiting.set_exception(error)
        elif result is not None:
            waiting.set_result(result)

    def run() -> None:
        result, failed = None, None
        try:
            result = job()
        except BaseException as error:
            failed = error
        with suppress(RuntimeError):  # the loop is closed: nobody waits, and nobody uses the database
            loop.call_soon_threadsafe(over, result, failed)

    database.lend()
    try:
        instance.home.sql_pool.threads.submit(run)
    except BaseException:
        database.take_back()
        raise
    return waiting
