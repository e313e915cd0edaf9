"""A store with a million alarms: it serves at once, and what is due runs once each and never before its time."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

import perdure
from perdure.core.entry import Alarm, AlarmChange, Entry, ObjectRecord
from perdure.model.object_id import IdKey
from perdure.store.undo_restore import until
from tests.store.folder import data_folder

ALARMS = 1_000_000
DUE = 50_000
"""Of them; some of these are overdue at the start, and the others become due in the seconds after it."""
SPREAD_MS = 30_000
A_YEAR_MS = 365 * 86_400_000
TOGETHER = 2_000


class Reminder(perdure.DurableObject):
    limits = perdure.Limits(idle=timedelta(seconds=1))
    rang = 0
    early = 0

    async def times(self) -> int:
        return self.ctx.storage.kv.get_as(int, "rang", 0)

    async def alarm(self, info: perdure.AlarmInfo) -> None:
        Reminder.early += datetime.now(UTC) < info.scheduled_time
        Reminder.rang += 1
        self.ctx.storage.kv.put("rang", await self.times() + 1)


def name(n: int) -> str:
    return f"reminder-{n}"


async def set_alarms(path) -> None:
    """As many as there are to be. The first are due in five seconds, or before the folder is closed."""
    async with perdure.open(path, objects=[Reminder]):
        pass
    async with data_folder(path, random_bytes=lambda size: bytes(size)) as folder:
        (row,) = await folder.namespaces()
        store, ids = await folder.store(row.id), IdKey(row.unique_key)

        async def set_some(numbers: range, first_ms: int, all_within_ms: int) -> None:
            for n in numbers:
                object, generation = ids.from_name(name(n)).raw, store.new_generation()
                due_ms = first_ms + (n - numbers.start) * all_within_ms // len(numbers)
                change = AlarmChange(Alarm(due_ms, due_ms))
                record = ObjectRecord(generation, name(n), first_ms)
                position = store.append(Entry(object, first_ms, generation, {}, record, alarm=change))
                if n % TOGETHER == 0:
                    await until(lambda release, at=position, of=object: store.when_durable(of, at, release))

        await set_some(range(DUE, ALARMS), now_ms() + A_YEAR_MS, A_YEAR_MS)
        await set_some(range(DUE), now_ms() + 5_000, SPREAD_MS)
        await asyncio.sleep((5_000 + SPREAD_MS / 3) / 1000)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.mark.slow
def test_a_store_with_a_million_alarms_serves_at_once_and_runs_what_is_due_once_and_never_early(tmp_path):
    async def scenario() -> tuple[float, list[int]]:
        await set_alarms(tmp_path / "data")
        began_s = time.process_time()
        async with perdure.open(tmp_path / "data", objects=[Reminder]) as runtime:
            objects = runtime[Reminder]
            assert await objects[name(ALARMS - 1)].times() == 0
            start_s = time.process_time() - began_s
            assert Reminder.rang < DUE
            while Reminder.rang < DUE:
                await asyncio.sleep(0.1)
            await asyncio.sleep(1)  # one that runs twice does so by then
            times = [await objects[name(n)].times() for n in range(0, DUE, 97)]
            times += [await objects[name(n)].times() for n in range(DUE, ALARMS, 9_973)]
        return start_s, times

    start_s, times = asyncio.run(scenario())

    assert start_s < 1
    assert (Reminder.rang, Reminder.early) == (DUE, 0)
    assert times == [1] * len(range(0, DUE, 97)) + [0] * len(range(DUE, ALARMS, 9_973))
