"""The object of a schedule: it plays programs, and tells the model of each step, read and write as it makes them.

What it reads is compared with the model on the spot. Code of it runs only between `begin` and `end` of a step; where it
awaits something that is not done, the step ends. A `GeneratorExit` is the runtime closing what was reset: not a step.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, Any

from perdure.model.errors import ConstraintFailed, PerdureError, WrongValue
from perdure.objects.state import State
from tests.simulation.model import Activation, Strand, Unit
from tests.simulation.program import KEYS, Program, at_once, program

if TYPE_CHECKING:
    from tests.simulation.calls import Play, Stub
    from tests.simulation.process import Process


ALARM = ("alarm",)
"""The alarm among the rows of the model."""


class Boom(Exception):
    """What a program raises on purpose."""


Outcome = tuple[Activation, Unit]
"""What a result reveals: it may leave only when that unit is durable."""


class Actor:
    """One activation of an object."""

    def __init__(self, process: Process, ctx: State) -> None:
        self.process = process
        self.ctx = ctx
        self.storage = ctx.storage
        self.kv = ctx.storage.kv
        instance = ctx._instance
        self.history = process.histories[instance.id.raw]
        self.act = Activation(self.history, instance.gate)
        self.tasks = 0
        self.stubs: dict[int, Stub] = {}
        act = self.act
        strand = Strand(act, act.starting, "constructor")
        self.note("constructor")
        act.begin(strand)
        act.awake(self.read_everything(), instance.rows.record is not None)
        self._construct(strand, Random(f"{process.seed} {self.history.name} {act.number}"))

    def _construct(self, strand: Strand, rng: Random) -> None:
        act = self.act
        kind = rng.random()
        if kind < 0.25:
            self.play_at_once(at_once(rng, 3), self.storage)
        if kind < 0.04:
            act.end_of_life()
            raise Boom("constructor")
        if 0.2 < kind < 0.35:
            for _ in range(rng.randint(1, 2)):
                act.waits_before_events += 1
                self.ctx.block_concurrency_while(self._loading(strand, program(rng, 2), rng.random() < 0.05))
        if 0.5 < kind < 0.6:
            self.start(self.ctx.wait_until, strand, program(rng, 2))
        if 0.35 < kind < 0.5:
            act.waits_before_events += 1
            self.setup = self._setup(strand, program(rng, 2), rng.random() < 0.05)
        else:
            act.end(strand)

    def _loading(self, outer: Strand, program: Program, fails: bool) -> Callable[[], Awaitable[None]]:
        body = self._blocking_body(outer, program, fails)

        async def load() -> None:
            await body()
            self.act.waits_before_events -= 1

        return load

    def _setup(self, strand: Strand, program: Program, fails: bool) -> Callable[[], Awaitable[None]]:
        async def setup() -> None:
            try:
                await self.play(strand, program)
                if fails:
                    raise Boom("setup")
            except GeneratorExit:
                raise
            except BaseException:
                self.act.end_of_life()
                raise
            self.act.waits_before_events -= 1
            self.act.end(strand)

        return setup

    # Events

    async def handle(self, event: Play) -> Any:
        act = self.act
        strand = Strand(act, act.root, event.what)
        self.note(strand.name, "starts", event.arrival)
        act.begin_event(strand, event.arrival)
        event.starts()
        try:
            await self.play(strand, event.program)
        except GeneratorExit:
            raise
        except BaseException as error:
            self.note(strand.name, "raised", type(error).__name__)
            act.end(strand)
            event.raised, event.outcome = error, (act, act.confirmed)
            raise
        result = self._chunks(strand, event.chunks) if event.chunks is not None else None
        event.outcome = act, act.output()
        act.end(strand)
        self.note(strand.name, "returned")
        return result

    async def _chunks(self, outer: Strand, programs: list[Program]) -> AsyncIterator[Outcome]:
        act, strand = self.act, outer.child(f"{outer.name} stream")
        act.begin(strand)
        for part in programs:
            try:
                await self.play(strand, part)
            except GeneratorExit:
                raise
            except BaseException:
                act.end(strand)
                raise
            said = act, act.output()
            act.end(strand)
            try:
                yield said
            except GeneratorExit:
                raise
            except BaseException:
                act.begin(strand)
                act.end(strand)
                raise
            act.begin(strand)
        act.end(strand)

    # Playing

    def note(self, *what: Any) -> None:
        self.process.note(self.history, self.act.number, *what)

    async def play(self, strand: Strand, program: Program, keyed: Any = None) -> None:
        keyed = keyed or self.storage
        loop, note, name, number = self.process.loop, self.process.trace.append, self.history.name, self.act.number
        for instruction in program:
            note((loop.time(), name, number, strand.name, *instruction))
            now = _AT_ONCE.get(instruction[0])
            if now is not None:
                now(self, keyed, *instruction[1:])
            else:
                await _IN_STEPS[instruction[0]](self, strand, *instruction[1:])

    def play_at_once(self, program: Program, keyed: Any) -> None:
        for instruction in program:
            self.note("at once", *instruction)
            _AT_ONCE[instruction[0]](self, keyed, *instruction[1:])

    async def pause(self, strand: Strand, aw: Awaitable[Any]) -> Any:
        """Await what is not done: the step ends here, and another begins."""
        self.act.end(strand)
        try:
            result = await aw
        except GeneratorExit:
            raise
        except BaseException:
            self.act.begin(strand)
            raise
        self.act.begin(strand)
        return result

    def check(self, read: Any, expected: Any, what: str) -> None:
        if read != expected:
            self.history.fail(f"{what} read {read!r}, where {expected!r} had been written")

    # SQL and the alarm: a row of a table is a row of the model, under a name that no key has

    def read_everything(self) -> dict[Any, Any]:
        """What the object stores: by key, by ("sql", key) and the alarm."""
        everything: dict[Any, Any] = {**dict(self.kv.list()), **self.table()}
        at = self.storage.get_alarm().result()
        return everything if at is None else {**everything, ALARM: at}

    def table(self) -> dict[Any, Any]:
        sql = self.storage.sql
        if not sql.exec("select 1 from sqlite_schema where name = 't'").to_list():
            return {}
        return {("sql", key): value for key, value in sql.exec_as(tuple[str, int], "select k, v from t")}

    def sql_set(self, keyed: Any, keys: tuple[str, ...], padded: bool) -> None:
        sql, number = self.storage.sql, self.history.number()
        sql.exec("create table if not exists t(k text primary key, v integer, pad blob) without rowid")
        for key in keys:
            sql.exec(
                "insert into t values(?, ?, zeroblob(?)) on conflict do update set v = excluded.v, pad = excluded.pad",
                key,
                number,
                20_000 if padded else 0,
            )
        self.act.wrote({("sql", key): number for key in keys})

    def sql_delete(self, keyed: Any, key: str) -> None:
        if not self.table():
            return
        there = ("sql", key) in self.act.rows
        deleted = self.storage.sql.exec("delete from t where k = ?", key).rows_written
        self.check(deleted, int(there), f"delete from t where k = {key!r}")
        if there:
            self.act.wrote({}, (("sql", key),))

    def sql_fails(self, keyed: Any, key: str) -> None:
        """Undoes itself alone, whatever the step wrote before."""
        if ("sql", key) not in self.act.rows:
            return
        try:
            self.storage.sql.exec("insert into t values('other', 0, null), (?, 0, null)", key)
        except ConstraintFailed:
            self.sql_all(keyed)
        else:
            self.history.fail("a second row of the same key went in")

    def sql_all(self, keyed: Any) -> None:
        rows = {key: value for key, value in self.act.rows.items() if isinstance(key, tuple) and key != ALARM}
        self.check(self.table(), rows, "select * from t")

    def set_alarm(self, keyed: Any, hours: int) -> None:
        keyed.set_alarm(timedelta(hours=hours))
        self.act.wrote({ALARM: keyed.get_alarm().result()})

    def delete_alarm(self, keyed: Any) -> None:
        there = ALARM in self.act.rows
        keyed.delete_alarm()
        if there:
            self.act.wrote({}, (ALARM,))

    def get_alarm(self, keyed: Any) -> None:
        self.check(keyed.get_alarm().result(), self.act.rows.get(ALARM), "get_alarm()")

    # Reads and writes

    def values(self) -> dict[str, Any]:
        """The rows of the model that are keys."""
        return {key: value for key, value in self.act.rows.items() if isinstance(key, str)}

    def get(self, keyed: Any, key: str) -> None:
        self.check(keyed.get(key).result(), self.act.rows.get(key), f"get({key!r})")
        self.check(self.kv.get(key), self.act.rows.get(key), f"kv.get({key!r})")

    def get_many(self, keyed: Any, keys: tuple[str, ...]) -> None:
        rows = self.act.rows
        self.check(keyed.get(list(keys)).result(), {key: rows[key] for key in keys if key in rows}, f"get({keys})")

    def all(self, keyed: Any) -> None:
        self.check(keyed.list().result(), self.values(), "list()")

    def list(self, keyed: Any, options: dict[str, Any]) -> None:
        wanted = [(key, self.act.rows[key]) for key in _selected(self.values(), **options)]
        self.check(list(keyed.list(**options).result().items()), wanted, f"list({options})")

    def put(self, keyed: Any, key: str) -> None:
        value = self.history.number()
        self.kv.put(key, value)
        self.act.wrote({key: value})

    def put_many(self, keyed: Any, keys: tuple[str, ...]) -> None:
        number = self.history.number()
        values = dict.fromkeys(keys, (number, "é" * (number % 7)))
        keyed.put(values)
        self.act.wrote(values)

    def put_unconfirmed(self, keyed: Any, key: str) -> None:
        value = self.history.number()
        keyed.put(key, value, allow_unconfirmed=True)
        self.act.wrote({key: value}, confirmed=False)

    def delete(self, keyed: Any, key: str) -> None:
        there = key in self.act.rows
        self.check(keyed.delete(key).result(), there, f"delete({key!r})")
        if there:
            self.act.wrote({}, (key,))

    def delete_many(self, keyed: Any, keys: tuple[str, ...]) -> None:
        there = tuple(key for key in keys if key in self.act.rows)
        self.check(keyed.delete(list(keys)).result(), len(there), f"delete({keys})")
        if there:
            self.act.wrote({}, there)

    def delete_all(self, keyed: Any) -> None:
        if self.act.savepoints:
            try:
                self.storage.delete_all()
            except WrongValue:
                return
            self.history.fail("delete_all() went through inside a transaction")
        self.storage.delete_all()
        self.act.dropped_all()

    def transaction_sync(self, keyed: Any, program: Program, raises: bool, as_function: bool) -> None:
        def body() -> None:
            self.act.savepoint(spans_steps=False)
            try:
                self.play_at_once(program, keyed)
                if raises:
                    raise Boom("transaction_sync")
            except BaseException:
                self.act.undo()
                raise
            self.act.keep()

        try:
            if as_function:
                self.storage.transaction_sync(body)
            else:
                with self.storage.transaction_sync():
                    body()
        except Boom:
            pass

    def callback(self, keyed: Any, delay_s: float, key: str) -> None:
        act = self.act

        def write() -> None:
            value = self.history.number()
            try:
                self.kv.put(key, value)
            except PerdureError as error:
                self.note("callback refused", type(error).__name__)
                return
            if act.over:
                self.history.fail("a callback wrote after its activation had ended")
            if act.top is not act.root:
                self.history.fail("a callback wrote while a section was open")
            self.note("callback wrote", key, value)
            act.wrote_outside({key: value})

        asyncio.get_running_loop().call_later(delay_s, write)

    # Over several steps

    async def sleep(self, strand: Strand, delay_s: float) -> None:
        await self.pause(strand, asyncio.sleep(delay_s))

    async def sync(self, strand: Strand) -> None:
        act = self.act
        if not act.spans_steps:
            act.seal()
        op = self.storage.sync()
        newest = self.history.line[-1]
        if not op.done():
            await self.pause(strand, op)
        act.leaves(newest)

    async def call(self, strand: Strand, target: int, shared: bool, program: Program, how: str) -> None:
        op = self.send(strand, target, shared, program)
        if how == "await":
            await self.result(strand, op)
        elif how == "later":
            strand.later.append(op)
        elif strand.later:
            await self.result(strand, strand.later.pop())

    def send(self, strand: Strand, target: int, shared: bool, program: Program) -> Any:
        process = self.process
        target %= len(process.shared_stubs)
        if shared:
            stub = process.shared_stubs[target]
        elif target in self.stubs:
            stub = self.stubs[target]
        else:
            stub = self.stubs[target] = process.new_stub(target)
        return stub.call(program, sender=(self.act, self.act.output()))

    async def result(self, strand: Strand, op: Any) -> None:
        try:
            if op.done():
                op.result()
            else:
                await self.pause(strand, op)
        except (PerdureError, Boom) as error:
            self.note(strand.name, "call failed", type(error).__name__)

    async def gather_calls(self, strand: Strand, calls: list[tuple[int, bool, Program]]) -> None:
        ops = [self.send(strand, *call) for call in calls]
        await self.pause(strand, asyncio.gather(*ops, return_exceptions=True))

    def start(self, how: Callable[[Coroutine[Any, Any, None]], Any], strand: Strand, program: Program) -> Any:
        self.tasks += 1
        return how(self._task(strand.child(f"task {self.tasks}"), program))

    async def _task(self, strand: Strand, program: Program) -> None:
        act = self.act
        act.begin(strand)
        try:
            await self.play(strand, program)
        except GeneratorExit:
            raise
        except BaseException:
            act.end(strand)
            raise
        act.end(strand)

    async def tasks_of(self, strand: Strand, programs: list[Program], group: bool) -> None:
        if not group:
            loop = asyncio.get_running_loop()
            started = [self.start(loop.create_task, strand, program) for program in programs]
            await self.pause(strand, asyncio.gather(*started, return_exceptions=True))
            return
        act = self.act
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks._tasks = _InOrder()  # else it cancels them in the order of addresses
                for program in programs:
                    self.start(tasks.create_task, strand, program)
                act.end(strand)
        except GeneratorExit:
            raise
        except BaseException as error:
            act.begin(strand)
            if not isinstance(error, ExceptionGroup) or error.split((Boom, PerdureError))[1] is not None:
                raise
            return
        act.begin(strand)

    async def cancel(self, strand: Strand, delay_s: float, program: Program) -> None:
        task = self.start(asyncio.get_running_loop().create_task, strand, program)
        try:
            await self.pause(strand, asyncio.sleep(delay_s))
        finally:
            if not self.act.over:
                task.cancel()
        await self.pause(strand, asyncio.gather(task, return_exceptions=True))

    async def timeout(self, strand: Strand, delay_s: float, program: Program) -> None:
        try:
            async with asyncio.timeout(delay_s):
                await self.play(strand, program)
        except TimeoutError:
            self.note(strand.name, "timed out")

    async def transaction(self, strand: Strand, program: Program, end: str, as_function: bool) -> None:
        act = self.act

        async def inside(inner: Strand, txn: Any) -> None:
            section = act.open(inner)
            act.savepoint(spans_steps=True)
            depth = len(act.savepoints)
            try:
                await self.play(inner, program, txn)
                if end == "roll back":
                    act.undo()
                    txn.rollback()
                    self.all(self.storage)
                    await self.play(inner, program[:1])
                if end == "raise":
                    raise Boom("transaction")
            except GeneratorExit:
                raise
            except BaseException:
                if len(act.savepoints) >= depth:
                    act.undo()
                act.close(section, inner)
                raise
            if end != "roll back":
                act.keep()
            act.close(section, inner)

        try:
            if not as_function:
                if not act.spans_steps:
                    act.seal()
                async with self.storage.transaction() as txn:
                    await inside(strand, txn)
            else:
                self.tasks += 1
                inner = strand.child(f"task {self.tasks} of a transaction")

                async def body(txn: Any) -> None:
                    act.begin(inner)
                    try:
                        await inside(inner, txn)
                    except GeneratorExit:
                        raise
                    except BaseException:
                        act.end(inner)
                        raise
                    act.end(inner)

                await self.pause(strand, self.storage.transaction(body))
        except Boom:
            self.note(strand.name, "rolled back")

    async def section(self, strand: Strand, program: Program) -> None:
        act = self.act
        async with self.ctx.critical_section():
            section = act.open(strand)
            try:
                await self.play(strand, program)
            except GeneratorExit:
                raise
            except BaseException:
                act.close(section, strand)
                raise
            act.close(section, strand)

    async def blocking(self, strand: Strand, program: Program, raises: bool, awaited: bool) -> None:
        op = self.ctx.block_concurrency_while(self._blocking_body(strand, program, raises))
        if awaited:
            await self.pause(strand, op)

    def _blocking_body(self, outer: Strand, program: Program, raises: bool) -> Callable[[], Awaitable[None]]:
        act = self.act
        self.tasks += 1
        inner = outer.child(f"task {self.tasks} that blocks")

        async def body() -> None:
            act.begin(inner)
            section = act.open(inner)
            try:
                await self.play(inner, program)
                if raises:
                    raise Boom("block_concurrency_while")
            except GeneratorExit:
                raise
            except BaseException:
                act.end_of_life()
                act.end(inner)
                raise
            act.close(section, inner)
            act.end(inner)

        return body

    async def background(self, strand: Strand, program: Program) -> None:
        self.start(self.ctx.wait_until, strand, program)

    async def boom(self, strand: Strand) -> None:
        raise Boom("handler")

    async def abort(self, strand: Strand, swallowed: bool) -> None:
        self.act.end_of_life()
        try:
            self.ctx.abort("on purpose")
        except BaseException:
            if swallowed:
                try:
                    self.kv.put(KEYS[0], 0)
                except PerdureError:
                    pass
                else:
                    self.history.fail("a write went through after abort()")
            raise


class _InOrder(dict[Any, None]):
    """As much of a set as a TaskGroup wants."""

    def add(self, task: Any) -> None:
        self[task] = None

    def discard(self, task: Any) -> None:
        self.pop(task, None)


def _selected(
    rows: dict[str, Any],
    *,
    reverse: bool = False,
    limit: int | None = None,
    start: str = "",
    start_after: str | None = None,
    end: str | None = None,
    prefix: str = "",
) -> list[str]:
    chosen = [
        key
        for key in sorted(rows, key=str.encode, reverse=reverse)
        if key >= start and (start_after is None or key > start_after) and (end is None or key < end)
        if key.startswith(prefix)
    ]
    return chosen[:limit]


_AT_ONCE: dict[str, Callable[..., None]] = {
    "get": Actor.get,
    "get many": Actor.get_many,
    "all": Actor.all,
    "list": Actor.list,
    "put": Actor.put,
    "put many": Actor.put_many,
    "put unconfirmed": Actor.put_unconfirmed,
    "delete": Actor.delete,
    "delete many": Actor.delete_many,
    "delete all": Actor.delete_all,
    "transaction sync": Actor.transaction_sync,
    "callback": Actor.callback,
    "sql set": Actor.sql_set,
    "sql delete": Actor.sql_delete,
    "sql fails": Actor.sql_fails,
    "sql all": Actor.sql_all,
    "set alarm": Actor.set_alarm,
    "delete alarm": Actor.delete_alarm,
    "get alarm": Actor.get_alarm,
}
_IN_STEPS: dict[str, Callable[..., Awaitable[None]]] = {
    "sleep": Actor.sleep,
    "sync": Actor.sync,
    "call": Actor.call,
    "gather calls": Actor.gather_calls,
    "tasks": Actor.tasks_of,
    "cancel": Actor.cancel,
    "timeout": Actor.timeout,
    "transaction": Actor.transaction,
    "section": Actor.section,
    "blocking": Actor.blocking,
    "background": Actor.background,
    "raise": Actor.boom,
    "abort": Actor.abort,
}
INSTRUCTIONS = frozenset((*_AT_ONCE, *_IN_STEPS))
