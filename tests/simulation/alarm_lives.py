"""Objects that are woken, in processes that are killed, on disks that fail: what must be true of their alarms.

Beside the alarm each object keeps, in the same units, keys that say which alarm it has and what became of the others. So at any
moment at which it starts, or the files are read, the one must fit the other; and a run can tell whether it may be.
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any, Never

from perdure.core.instant import instant
from perdure.model.limits import Limits
from perdure.model.object_id import IdKey, ObjectId
from perdure.objects.alarms.alarm_info import AlarmInfo
from perdure.objects.event import Event
from perdure.objects.state import State
from tests.simulation.actor import Boom
from tests.simulation.process import Conditions, Process
from tests.simulation.schedule import STALLS, _new_stores

OBJECTS = 3
CALLS = 14
DELAY_MIN_MS = 2_000
"""Before a retry, at least."""


class Book:
    """What is known of one object outside of it."""

    def __init__(self, name: str, id: ObjectId) -> None:
        self.name, self.id = name, id
        self.changes = 0
        self.told = 0
        """The newest change that anybody was told of."""
        self.times: set[int] = set()
        self.aborts: dict[int, int] = {}
        """Of each alarm, the runs that ended with an abort: their count is written after them, and may be lost."""
        self.running = False
        self.pending: int | None = None
        self.dead: list[int] = []

    def lose(self, *, crashed: bool) -> None:
        self.running = False

    def change(self) -> int:
        self.changes += 1
        return self.changes


class Sleeper:
    """One activation of an object that sets alarms and is woken."""

    def __init__(self, process: AlarmProcess, ctx: State) -> None:
        self.process, self.ctx = process, ctx
        self.storage, self.kv, self.sql = ctx.storage, ctx.storage.kv, ctx.storage.sql
        self.book = process.books[ctx._instance.id.raw]
        self.book.running = False
        self.sql.exec("CREATE TABLE IF NOT EXISTS ran (number)")
        self.check("starts")

    def check(self, when: str) -> None:
        """What is stored fits together, and nothing is missing that somebody was told of."""
        number, at_ms = self.kv.get("alarm"), self.kv.get("at")
        alarm = self.storage.get_alarm().result()
        self.note(when, number, at_ms)
        if alarm != (None if number is None else instant(at_ms)):
            self.fail(f"its alarm is {alarm}, and its keys say {number} at {at_ms}")
        if self.kv.get("change", 0) < self.book.told:
            self.fail(f"change {self.book.told} was told of, and it is at {self.kv.get('change', 0)}")
        if self.kv.get("done", []) != [number for (number,) in self.sql.exec("SELECT number FROM ran").raw()]:
            self.fail("its keys and its table do not say the same")

    def note(self, *what: Any) -> None:
        self.process.note(self.book, 0, *what)

    def fail(self, why: str) -> Never:
        self.process.fail(f"{self.book.name}: {why}")

    # What it does in one step

    def set(self, delay_ms: int) -> int:
        number, at_ms = self.book.change(), self.process.clock.now_ms() + delay_ms
        while at_ms in self.book.times:  # the same time again is no other alarm
            at_ms += 1
        self.book.times.add(at_ms)
        self.storage.set_alarm(instant(at_ms))
        self.storage.put({"alarm": number, "at": at_ms, "change": number, "failures": 0})
        self.note("sets", number, at_ms)
        return number

    def delete(self) -> int:
        number = self.book.change()
        self.storage.delete_alarm()
        self.storage.put({"alarm": None, "change": number})
        self.note("deletes", number)
        return number

    def look(self) -> int:
        self.book.pending, self.book.dead = self.kv.get("alarm"), self.kv.get("dead", [])
        return 0

    # When it is woken

    async def alarm(self, info: AlarmInfo) -> None:
        rng, kv, book = self.process.rng, self.kv, self.book
        number, at_ms = kv.get("alarm"), kv.get("at")
        self.judge(info, number, at_ms)
        book.running = True
        self.process.runs += 1
        how = "succeed" if self.process.calm else rng.choice(("succeed", "raise", "raise", "abort", "set", "delete"))
        self.note("runs", number, how, info.retry_count)
        try:
            if rng.random() < 0.5:
                await asyncio.sleep(rng.choice((0.001, 0.1, 3.0)))
            if kv.get("alarm") != number:
                return  # somebody set another one, or deleted it
            if how == "set":
                self.set(rng.choice((1, 500, 5_000)))
            elif how == "delete":
                self.delete()
            elif how == "raise":
                self.fails(info, number, at_ms)
            elif how == "abort" and info.retry_count < self.process.conditions.limits.alarm_retries:
                book.aborts[number] = book.aborts.get(number, 0) + 1
                self.ctx.abort("on purpose")
            else:
                self.storage.put({"alarm": None, "done": [*kv.get("done", []), number]})
                self.sql.exec("INSERT INTO ran VALUES (?)", number)
        finally:
            book.running = False

    def judge(self, info: AlarmInfo, number: int | None, at_ms: int) -> None:
        kv, now_ms = self.kv, self.process.clock.now_ms()
        if number is None or info.scheduled_time != instant(at_ms):
            self.fail(f"it is woken for {info.scheduled_time}, and its keys say {number} at {at_ms}")
        if now_ms < at_ms:
            self.fail(f"alarm {number} is {at_ms - now_ms} ms early")
        if self.book.running:
            self.fail(f"alarm {number} runs while another run does")
        if number in kv.get("done", []):
            self.fail(f"alarm {number} runs although what it did is stored")
        if self.storage.get_alarm().result() is not None:
            self.fail("the alarm that runs is seen as one that is set")
        failures = kv.get("failures")
        if not failures <= info.retry_count <= failures + self.book.aborts.get(number, 0):
            self.fail(f"alarm {number} has failed {failures} times, and the run is told {info.retry_count}")
        if failures and now_ms < kv.get("failed at") + DELAY_MIN_MS:
            self.fail(f"alarm {number} is tried again too soon")

    def fails(self, info: AlarmInfo, number: int, at_ms: int) -> Never:
        kv = self.kv
        self.storage.put({"failures": kv.get("failures") + 1, "failed at": self.process.clock.now_ms()})
        if info.retry_count >= self.process.conditions.limits.alarm_retries:
            self.storage.put({"alarm": None, "dead": [*kv.get("dead", []), at_ms]})
        raise Boom(f"alarm {number}")


class Ask(Event):
    """One call of an object."""

    __slots__ = ("_book", "_do", "_number", "ended")

    size_bytes = 100

    def __init__(self, book: Book, do: tuple[Any, ...]) -> None:
        super().__init__()
        self._book, self._do, self._number = book, do, 0
        self.ended = asyncio.get_running_loop().create_future()

    @property
    def what(self) -> str:
        return str(self._do[0])

    def run(self, target: Any) -> Any:
        return self._run(target)

    async def _run(self, target: Sleeper) -> None:
        verb, *arguments = self._do
        self._number = getattr(target, verb)(*arguments)

    def pack(self, result: Any) -> None:
        return None

    def resolve(self, packed: None) -> None:
        self._book.told = max(self._book.told, self._number)
        self._end()

    def reject(self, error: BaseException) -> None:
        self._end()

    def _end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)


class AlarmProcess(Process):
    """A life of such objects."""

    def __init__(self, books: list[Book], rng: Random, *args: Any, last: bool, **options: Any) -> None:
        super().__init__(*args, **options)
        self.books = {book.id.raw: book for book in books}
        self.rng = rng
        self.runs = 0
        self.calm = False
        """Nothing fails any more, so that all alarms come to their end."""
        self.ended_well = False
        """All alarms came to their end. Else its store was off before that, and another life goes on."""
        self._last = last

    def make_object(self, ctx: State) -> Any:
        return Sleeper(self, ctx)

    def run_alarm(self, target: Any, info: AlarmInfo) -> Any:
        return target.alarm(info)

    async def clients(self) -> None:
        for _ in range(CALLS):
            ask = self.ask(self.rng.choice([*self.books.values()]), *self._call())
            if self.rng.random() < 0.5:
                await ask.ended
            await asyncio.sleep(self.rng.choice((0.0, 0.001, 0.05, 1.0, 10.0)))
        if not self._last:
            await asyncio.sleep(self.rng.choice((0.0, 5.0)))
            return
        self._failures, self.calm = 0.0, True
        while True:
            for book in self.books.values():
                await self.ask(book, "look").ended
            if all(book.pending is None for book in self.books.values()):
                break
            await asyncio.sleep(30)  # to wait for ever fails
        await self._judge_dead()
        self.ended_well = True

    def _call(self) -> tuple[Any, ...]:
        if self.rng.random() < 0.2:
            return ("delete",)
        return "set", self.rng.choice((1, 20, 900, 3_000, 40_000))

    def ask(self, book: Book, *do: Any) -> Ask:
        ask = Ask(book, do)
        self._residents[0].deliver(book.id, ask)
        return ask

    async def _judge_dead(self) -> None:
        dead: dict[bytes, list[int]] = {}
        for object, alarm in await self._stores[0].dead_alarms((b"", 0), 1_000):
            dead.setdefault(object, []).append(alarm.at_ms)
        for key, book in self.books.items():
            if sorted(book.dead) != dead.get(key, []):
                self.fail(f"{book.name}: it gave up {book.dead}, and {dead.get(key)} are kept")


def play(seed: int, scratch: Path) -> list[tuple[Any, ...]]:
    """Play one seed; gives the trace. Raises AssertionError at the first broken promise."""
    rng, folder, trace = Random(f"alarms {seed}"), scratch / f"alarms {seed}", []
    folder.mkdir()
    _new_stores(folder, scratch, 1)
    ids = IdKey("simulation")
    books = [Book(name, ids.from_name(name)) for name in (f"object {n}" for n in range(OBJECTS))]
    began_ms, lives = 1_700_000_000_000, rng.choice((2, 3, 4))
    limits = Limits(idle=timedelta(seconds=rng.choice((0.05, 1, 10))), alarm_retries=rng.choice((1, 2, 6)))
    try:
        for life in itertools.count(1):
            last = life >= lives
            process = AlarmProcess(
                books,
                rng,
                f"{seed} life {life}",
                life,
                folder,
                books,
                Conditions(
                    stalls=rng.choice(STALLS),
                    failures=rng.choice((0.0, 0.05, 0.2)),
                    crash_at_point=None if last or rng.random() < 0.4 else rng.randint(1, 60),
                    crash_at_end=True,
                    limits=limits,
                ),
                trace=trace,
                began_ms=began_ms,
                last=last,
            )
            trace.append((0.0, "", 0, f"life {life}", process.conditions))
            process.run(process.clients)
            began_ms = process.clock.now_ms() + rng.choice((0, 10, 100_000))
            if process.ended_well:
                break
    except AssertionError as broken:
        lines = "\n".join(f"  {at:9.3f} {name} {' '.join(map(str, what))}" for at, name, _, *what in trace[-60:])
        raise AssertionError(f"seed {seed}: {broken}\n{lines}") from broken
    finally:
        shutil.rmtree(folder)
    return trace
