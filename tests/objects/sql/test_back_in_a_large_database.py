"""A large object goes back to any bookmark exactly, over restarts, at a cost that follows what has changed and not its size."""

import random
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

import perdure
from perdure.model.errors import ObjectReset
from tests.objects.sql.counted_files import CountedFiles
from tests.objects.world import Handle, World

KIB, MIB = 1024, 1024 * 1024
ROWS_AT_ONCE = 4_000
ROW_BYTES = 1_000
FILL = """
    WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < ?)
    INSERT INTO t (n, body) SELECT 0, randomblob(?) FROM c"""

FIRST_CALL_BYTES = 2 * MIB
"""What the first call of any object may read, however large it is."""
UNIT_BYTES = 128 * KIB
"""What going back over one unit may read or write: a dozen of pages that it changed, and the way to them."""


@dataclass
class State:
    """What a unit has left."""

    changed: dict[int, int] = field(default_factory=dict)
    """Rows that any unit wrote and none deleted, and the last one that did."""
    gone: set[int] = field(default_factory=set)
    count: int = 0
    sum_of_ids: int = 0
    unit: int | None = None
    alarm: str | None = None


class Ledger:
    schema = ("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, body BLOB); CREATE INDEX by_n ON t (n)",)

    def __init__(self, ctx: Any) -> None:
        self.ctx = ctx
        self.storage = ctx.storage

    def fill(self) -> int:
        written: int = self.storage.sql.exec(FILL, ROWS_AT_ONCE, ROW_BYTES).rows_written
        return written

    def write(self, unit: int, updated: list[int], deleted: int | None, *, adds: bool, rings: bool) -> list[Any]:
        sql, body = self.storage.sql, f"{unit} " * 50
        for id in updated:
            sql.exec("UPDATE t SET n = ?, body = ? WHERE id = ?", unit, body, id)
        if deleted is not None:
            sql.exec("DELETE FROM t WHERE id = ?", deleted)
        added = sql.exec("INSERT INTO t (n, body) VALUES (?, ?) RETURNING id", unit, body).one().id if adds else None
        self.storage.kv.put("unit", unit)
        due = perdure.now() + timedelta(days=100, seconds=unit)
        if rings:
            self.storage.set_alarm(due)
        return [added, str(due)]

    async def mark(self) -> str:
        bookmark: str = await self.storage.current_bookmark()
        return bookmark

    async def go(self, bookmark: str) -> None:
        await self.storage.restore_on_next_start(bookmark)
        self.ctx.abort("going back")

    async def alarm(self, info: Any) -> None:
        raise AssertionError("no alarm of this test is due")

    def last_unit(self) -> Any:
        return self.storage.sql.exec("SELECT max(n) AS unit FROM t").one().unit and self.storage.kv.get("unit")

    async def state(self) -> list[Any]:
        sql = self.storage.sql
        rows = sql.exec(
            "SELECT id, n FROM t WHERE n > 0 AND body = replace(hex(zeroblob(25)), '0', n || ' ')"
        ).to_list()
        totals = sql.exec("SELECT count(*) AS count, sum(id) AS sum_of_ids FROM t").one()
        alarm = await self.storage.get_alarm()
        unit = self.storage.kv.get("unit")
        return [{row.id: row.n for row in rows}, totals.count, totals.sum_of_ids, unit, alarm and str(alarm)]


class Writer:
    """Writes units of random changes, and knows what each has left."""

    def __init__(self, drawn: random.Random) -> None:
        self.drawn = drawn
        self.state = State()
        self.kept: list[tuple[str, State]] = []

    async def fill(self, ledger: Handle, size_bytes: int) -> None:
        for _ in range(-(-size_bytes // (ROWS_AT_ONCE * ROW_BYTES))):
            self.state.count += await ledger.call("fill")
        self.state.sum_of_ids = self.state.count * (self.state.count + 1) // 2

    async def write(self, ledger: Handle, unit: int) -> None:
        state, drawn = self.state, self.drawn
        updated = set(drawn.sample(range(1, ROWS_AT_ONCE), 2)) - state.gone
        deleted = drawn.choice([None, None, *state.changed.keys() - updated])
        adds, rings = drawn.random() < 0.3, drawn.random() < 0.2
        added, due = await ledger.call(lambda it: it.write(unit, sorted(updated), deleted, adds=adds, rings=rings))
        state.changed.update(dict.fromkeys(updated, unit))
        if deleted is not None:
            del state.changed[deleted]
            state.gone.add(deleted)
        if added is not None:
            state.changed[added] = unit
            state.gone.discard(added)
        state.count += (added is not None) - (deleted is not None)
        state.sum_of_ids += (added or 0) - (deleted or 0)
        state.unit = unit
        state.alarm = due if rings else state.alarm

    async def mark(self, ledger: Handle) -> None:
        self.kept.append((await ledger.call("mark"), deepcopy(self.state)))


@pytest.mark.parametrize(
    ("size_bytes", "units", "marks"), [(8 * MIB, 60, 6), pytest.param(200 * MIB, 1_000, 20, marks=pytest.mark.slow)]
)
def test_a_large_object_goes_back_to_any_bookmark(
    tmp_path_factory: pytest.TempPathFactory, files: CountedFiles, size_bytes: int, units: int, marks: int
):
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    drawn = random.Random(seed)
    writer = Writer(drawn)
    near_the_end = units - 10
    marked = {near_the_end, *drawn.sample(range(1, near_the_end), marks - 1)}
    world = World(tmp_path_factory.mktemp("store"), file_system=files.name)

    async def fill() -> None:
        await writer.fill(await world.get(Ledger), size_bytes)

    async def write(numbers: range) -> None:
        ledger = await world.get(Ledger)
        for unit in numbers:
            await writer.write(ledger, unit)
            if unit in marked:
                await writer.mark(ledger)

    async def restore(bookmark: str, state: State) -> int:
        """Gives the bytes that were read and written for it."""
        ledger = await world.get(Ledger)
        with pytest.raises(ObjectReset, match="going back"):
            await ledger.call("go", bookmark)
        before = files.read + files.written_to_log
        assert await ledger.call("last_unit") == state.unit
        cost = files.read + files.written_to_log - before
        assert await ledger.call("state") == [
            state.changed, state.count, state.sum_of_ids, state.unit, state.alarm
        ]  # fmt: skip
        return cost

    world.run(fill)
    for start in range(1, units, units // 4):
        world.run(partial(write, range(start, min(start + units // 4, units))))
    nearest, *others = sorted(writer.kept, key=lambda kept: kept[1].unit or 0, reverse=True)
    cost = world.run(partial(restore, *nearest))
    drawn.shuffle(others)
    costs = [world.run(partial(restore, *kept)) for kept in others]

    print(f"{size_bytes:,} B: going back over 9 units takes {cost:,} B, over more up to {max(costs):,} B")
    assert cost < FIRST_CALL_BYTES + 9 * UNIT_BYTES
