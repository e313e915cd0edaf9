"""One schedule: a seed, some objects, clients that call them, and two or three processes of which all but the last are killed.

`play(seed)` is right or raises an AssertionError that says which promise broke, how to replay it, and what the object went
through. Everything is drawn from the seed; time is virtual; SQLite and the classes above it are those of production.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import ExitStack, closing, suppress
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Never

from perdure.core.instant import instant
from perdure.core.layers import Layers
from perdure.core.page_change import PAGE_BYTES, database_bytes
from perdure.model.errors import PerdureError
from perdure.model.object_id import IdKey, ObjectId
from perdure.model.value import decode
from perdure.objects.op import Op
from perdure.store.connection import close_untouched
from perdure.store.crash_point import passes
from perdure.store.files import open_files
from perdure.store.page_id import page_ids
from perdure.store.page_id import place_of as place_of_page
from tests.simulation.actor import ALARM, Boom
from tests.simulation.calls import Stub
from tests.simulation.model import History
from tests.simulation.process import Conditions, Process, limits, place_of
from tests.simulation.program import OBJECTS, program

EVENTS_MIN = 30
"""That objects started to handle, over all processes: about half of them are calls from outside, the rest their own."""
CLIENTS = 3
TRACE_LINES_MAX = 80

STALLS = ((0.0, 0.0, 0.001), (0.0, 0.002, 0.02), (0.0, 0.001, 0.01, 1.5), (0.02, 1.5))


@cache
def _ids(objects: int) -> dict[str, ObjectId]:
    key = IdKey("simulation")
    return {name: key.from_name(name) for name in (f"object {number}" for number in range(objects))}


class Schedule:
    """The run of one seed."""

    def __init__(self, seed: int, folder: Path, *, layers: type[Layers] = Layers) -> None:
        self.seed = seed
        self.rng = Random(seed)
        self.folder = folder
        self.layers = layers
        self.histories = [History(name, id, self._fail) for name, id in _ids(self.rng.randint(3, OBJECTS)).items()]
        self.stores = self.rng.choice((1, 1, 1, 1, 1, 1, 1, 2))
        self.events = 0
        self.lives = self.rng.choice((2, 2, 2, 2, 2, 2, 2, 3))
        self.trace: list[tuple[Any, ...]] = []
        self.process: Process
        self.blamed: str = ""

    def play(self) -> None:
        life = 0
        while life < self.lives or self.events < EVENTS_MIN:
            life += 1
            self.process = Process(
                f"{self.seed} life {life}",
                life,
                self.folder,
                self.histories,
                self._conditions(last=life >= self.lives),
                trace=self.trace,
                layers=self.layers,
            )
            self.trace.append((0.0, "", 0, f"life {life}", self.process.conditions))
            self.process.run(self._clients)
            self.events += self.process.events_started
        self._judge_files()

    def _conditions(self, *, last: bool) -> Conditions:
        rng = self.rng
        at_point = rng.randint(1, 90) if not last and rng.random() < 0.6 else None
        at_s = None if last or at_point is not None else rng.choice((0.0, 0.01, 0.1, 1.0)) * rng.random()
        return Conditions(
            stores=self.stores,
            stalls=rng.choice(STALLS),
            failures=rng.choice((0.0, 0.0, 0.02, 0.1)),
            crash_at_point=at_point,
            crash_at_s=at_s,
            crash_at_end=not last or rng.random() < 0.3,
            limits=limits(rng),
            room_bytes=rng.choice((None, None, None, 1_500)),
        )

    # Clients

    async def _clients(self) -> None:
        stubs = self.process.shared_stubs
        clients = [self._client(Random(f"{self.process.seed} client {number}"), stubs) for number in range(CLIENTS)]
        await asyncio.gather(*clients)
        while self.process.unsettled:
            await asyncio.sleep(1.0)

    async def _client(self, rng: Random, shared: list[Stub]) -> None:
        number_of_objects = len(self.histories)
        own = [self.process.new_stub(number) for number in range(number_of_objects)]
        calls: list[Op[Any]] = []
        process = self.process
        goal = EVENTS_MIN * process.life // self.lives
        while self.events + process.events_started < goal:
            number = rng.randrange(number_of_objects)
            stub = (shared if rng.random() < 0.3 else own)[number]
            chunks = [program(rng, 2) for _ in range(rng.randint(1, 3))] if rng.random() < 0.06 else None
            op = stub.call(program(rng), chunks=chunks)
            if chunks is not None:
                await self._read(op, rng)
            elif rng.random() < 0.5:
                await _outcome(op)
            else:
                calls.append(op)
            if rng.random() < 0.4:
                await asyncio.sleep(rng.choice((0.0, 0.001, 0.02, 0.2, 3.0)))
        for op in calls:
            await _outcome(op)

    async def _read(self, op: Op[Any], rng: Random) -> None:
        leaves_after = rng.randint(1, 4)
        try:
            body = await op
            async for activation, unit in body:
                activation.leaves(unit)
                leaves_after -= 1
                if not leaves_after:
                    break
            await body.aclose()
        except (PerdureError, Boom):
            pass

    # Judgement

    def _fail(self, history: History, why: str) -> Never:
        self.blamed = history.name
        self.process.fail(f"{history.name}: {why}")

    def _judge_files(self) -> None:
        """What is on the disk at the end, as another program reads it, is what the model says."""
        owned: list[set[int]] = [set() for _ in range(self.stores)]
        self.process.over, self.process.failed = False, None
        with ExitStack() as stack:
            tables = [
                stack.enter_context(closing(_Tables(self.folder, number, crashed=self.process.crashed)))
                for number in range(self.stores)
            ]
            for number, history in enumerate(self.histories):
                generation, rows = tables[number % self.stores].of(history.id.raw)
                if generation is not None:
                    owned[number % self.stores].add(generation)
                history.found(rows, generation is not None)
            for table, generations in zip(tables, owned, strict=True):
                strays = table.generations() - generations
                assert not strays, f"rows of generations {strays}, which nobody owns and nobody will sweep"

    def told(self, error: BaseException) -> str:
        lines = [line for line in self.trace if not self.blamed or line[1] in ("", self.blamed)]
        shown = "\n".join(_line(line) for line in lines[-TRACE_LINES_MAX:])
        return f"seed {self.seed}: {self.process.failed or error}\n{shown}\n{HOW_TO_REPLAY.format(seed=self.seed)}"


HOW_TO_REPLAY = "replay: PERDURE_SEED={seed} python -m pytest tests/simulation -k replays_one_seed"


class _Tables:
    """The rows of one store's file, read without Perdure but for recovery and the codec of values."""

    def __init__(self, folder: Path, number: int, *, crashed: bool) -> None:
        place = place_of(folder, str(number), at=passes)
        self._database = sqlite3.connect(place.database)
        if crashed or self._database.execute("SELECT count(*) FROM log").fetchone()[0]:
            files = open_files(place)
            for user in (files.reader, files.background, files.writer):
                close_untouched(user.connection)

    def of(self, object: bytes) -> tuple[int | None, dict[str, Any]]:
        found = self._database.execute("SELECT generation FROM object WHERE id = ?", (object,)).fetchone()
        if found is None:
            return None, {}
        rows = self._database.execute("SELECT key, value FROM kv WHERE generation = ?", found).fetchall()
        alarm = self._database.execute("SELECT at_ms FROM alarm WHERE object = ?", (object,)).fetchone()
        everything = {**{key: decode(value) for key, value in rows}, **self._table(found[0])}
        return found[0], everything if alarm is None else {**everything, ALARM: instant(alarm[0])}

    def _table(self, generation: int) -> dict[Any, Any]:
        """The rows of the object's own table, of its pages put together to a database."""
        select = "SELECT id, body FROM page WHERE id BETWEEN ? AND ? ORDER BY id"
        pages = {place_of_page(id)[1]: body for id, body in self._database.execute(select, page_ids(generation))}
        if not pages:
            return {}
        numbers = range(database_bytes(pages[0]) // PAGE_BYTES)  # what was never written is free
        with closing(sqlite3.connect(":memory:")) as own:
            own.deserialize(b"".join(pages.get(number, bytes(PAGE_BYTES)) for number in numbers))
            assert own.execute("PRAGMA integrity_check").fetchall() == [("ok",)], f"generation {generation} is damaged"
            there = own.execute("SELECT 1 FROM sqlite_schema WHERE name = 't'").fetchall()
            return {("sql", key): value for key, value in own.execute("SELECT k, v FROM t")} if there else {}

    def close(self) -> None:
        self._database.close()

    def generations(self) -> set[int]:
        """Of rows that are to stay."""
        statement = (
            "SELECT generation FROM (SELECT generation FROM kv UNION SELECT id >> 24 AS generation FROM page)"
            " WHERE generation NOT IN (SELECT generation FROM retired UNION SELECT generation FROM kept)"
        )
        return {generation for (generation,) in self._database.execute(statement)}


async def _outcome(op: Op[Any]) -> None:
    with suppress(PerdureError, Boom):
        await op


def _line(line: tuple[Any, ...]) -> str:
    time, name, activation, *what = line
    return f"  {time:9.4f} {name}#{activation} {' '.join(map(str, what))}"


def _new_stores(folder: Path, scratch: Path, stores: int) -> None:
    """Empty ones, copied: making their tables takes twice as long as opening them, and is tried elsewhere."""
    empty = scratch / "empty"
    if not empty.exists():
        files = open_files(place_of(scratch, "empty", at=passes))
        for user in (files.reader, files.background, files.writer):
            user.connection.close()
    for number in range(stores):
        shutil.copytree(empty, folder / str(number))


def play(seed: int, scratch: Path, *, layers: type[Layers] = Layers) -> list[tuple[Any, ...]]:
    """Play the schedule of one seed; gives its trace. Raises AssertionError at the first broken promise."""
    folder = scratch / str(seed)
    folder.mkdir()
    schedule = Schedule(seed, folder, layers=layers)
    _new_stores(folder, scratch, schedule.stores)
    try:
        schedule.play()
    except BaseException as error:
        raise AssertionError(schedule.told(error)) from error
    finally:
        shutil.rmtree(folder)
    return schedule.trace
