"""Operators restore, fork and delete objects that are being called and leave memory: whatever comes when, each is whole."""

import asyncio
import random

import pytest

import perdure
from perdure.host import contents
from perdure.host.inspection_request import DeleteObject, ForkObject, RestoreObject
from perdure.model.errors import ObjectReset, WrongValue
from tests.host.stored import Box, asked, box

NAMES = ["a", "b", "c"]
WRITE = """
sql.exec("CREATE TABLE IF NOT EXISTS t(x INTEGER PRIMARY KEY, y)")
n = (kv.get("n") or 0) + 1
kv.put("n", n)
kv.put(f"k{n % 7}", n)
sql.exec("INSERT INTO t VALUES(?, zeroblob(700))", n)
"""
LOOK = """
rows = sql.exec("SELECT count(*) AS count, max(x) AS last FROM t").one()
result = kv.get("n") or 0, [kv.get(f"k{i}") for i in range(7)], rows["count"], rows["last"]
"""


class Life:
    """Three objects that count in keys and a table, and what is done to them."""

    def __init__(self, seed: int, folder, runtime) -> None:
        self.random = random.Random(seed)
        self.folder = folder
        self.runtime = runtime
        self.bookmarks: dict[str, list[str]] = {name: [] for name in NAMES}
        self.done = 0

    async def count(self, name: str, operators: list[asyncio.Task[None]]) -> None:
        """Only what an operator resets may fail; what is found is what some count of writes made."""
        while not all(operator.done() for operator in operators):
            try:
                await box(self.runtime, name).run(WRITE)
                if self.random.random() < 0.1:
                    bookmark = await box(self.runtime, name).run("result = storage.current_bookmark()")
                    self.bookmarks[name].append(bookmark)
                n, keys, count, last = await box(self.runtime, name).run(f"{WRITE}\n{LOOK}")
            except ObjectReset:
                continue
            assert count == last == n
            assert sorted(key for key in keys if key is not None) == list(range(max(1, n - 6), n + 1))

    async def operate(self, times: int) -> None:
        for _ in range(times):
            x, y = self.random.sample(NAMES, 2)
            at = self.random.choice([None, *self.bookmarks[x]])
            move = self.random.random()
            changed = x
            try:
                if move < 0.1:
                    answer = await asked(self.folder, DeleteObject("Box", x))
                elif move < 0.5 and at is not None:
                    answer = await asked(self.folder, RestoreObject("Box", x, at))
                else:
                    changed = y
                    answer = await asked(self.folder, ForkObject("Box", x, y, replace=True, at=at))
            except WrongValue:
                continue  # it was deleted, or is on its way back
            self.done += 1
            if answer["bookmark"] is not None:
                self.bookmarks[changed].append(answer["bookmark"])

    async def leave_memory(self, operators: list[asyncio.Task[None]]) -> None:
        (residents,) = self.runtime._host.worker.residents.values()
        while not all(operator.done() for operator in operators):
            for instance in residents.instances:
                if not instance.events and not instance.starting and instance.rows.settled:
                    residents.evict(instance)
            await asyncio.sleep(0.01)


def live(seed: int, folder, times: int) -> None:
    async def run() -> None:
        async with perdure.open(folder, objects=[Box]) as runtime:
            life = Life(seed, folder, runtime)
            operators = [asyncio.ensure_future(life.operate(times)) for _ in range(4)]
            counting = [life.count(name, operators) for name in NAMES]
            await asyncio.gather(*counting, life.leave_memory(operators), *operators)
            assert life.done >= times

    asyncio.run(run())


@pytest.fixture(autouse=True)
def small_slices(monkeypatch):
    monkeypatch.setattr(contents, "SLICE_BYTES", 4_000)


def test_whatever_operators_do_each_object_is_whole(tmp_path):
    live(1, tmp_path, times=8)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_whatever_operators_do_each_object_is_whole_in_long_lives(tmp_path, seed):
    live(seed, tmp_path, times=100)
