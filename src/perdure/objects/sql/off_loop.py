"""`sql.run`: a statement that may take long, on a thread, with the gate of its object held and the loop free (API-42).

Must stay true: no other event of the object runs meanwhile, nothing of its pages is written by anybody else, and what the
statement wrote is sealed by a step of the object, after it. See tests/objects/sql/test_run.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
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
    instance: Instance, database: Database, query: str, bindings: Bindings, made: Callable[[Result], T]
) -> Op[T]:
    """Starts it when the running step ends; the Op has what `made` makes of the result."""
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
        if rows.savepoints is None:
            instance.seal()
        stored, close = rows.pages_elsewhere()

        def job() -> Result:
            try:
                return database.exec_elsewhere(query, bindings, depth=rows.depth, stored=stored)
            finally:
                close()

        try:
            result = await asyncio.wrap_future(instance.home.sql_pool.threads.submit(job))
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
