"""What operators ask of a data folder: the same answers whether somebody serves it or nobody does."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import perdure
from perdure import DurableObject, Limits, SqlError, WrongValue
from perdure.core.entry import Alarm, AlarmChange, Entry, ObjectRecord
from perdure.host.clock import RealClock
from perdure.host.control_client import FolderAccess
from perdure.host.inspection_alarms import drop_alarm, list_alarms
from perdure.host.inspection_place import Found, Place
from perdure.host.inspection_request import (
    DeleteObject,
    DropAlarm,
    ListAlarms,
    ListObjects,
    Query,
    Request,
    RetryAlarm,
    RunSql,
    ShowObject,
)
from perdure.host.inspection_sql import StoredSql
from perdure.model.object_id import IdKey
from perdure.store.catalog import NamespaceRow
from tests.objects.world import Disk, open_store, settle

PATIENCE_S = 20


class Tally(DurableObject):
    limits = Limits(alarm_retries=1)

    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.in_memory = ctx.storage.kv.get("count", 0)

    async def add(self, number: int = 1) -> int:
        self.in_memory += number
        self.ctx.storage.kv.put("count", self.in_memory)
        return self.in_memory

    async def log(self, text: str) -> None:
        self.ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS log (text)")
        self.ctx.storage.sql.exec("INSERT INTO log VALUES (?)", text)

    async def run(self, statements: list[str]) -> None:
        for statement in statements:
            self.ctx.storage.sql.exec(statement)

    async def logged(self) -> list[str]:
        return [text for (text,) in self.ctx.storage.sql.exec("SELECT text FROM log").raw()]

    async def wake(self, after_s: float, how: str) -> None:
        self.ctx.storage.kv.put("how", how)
        await self.ctx.storage.set_alarm(timedelta(seconds=after_s))

    async def how(self, how: str) -> None:
        self.ctx.storage.kv.put("how", how)

    async def back_to(self, bookmark: str) -> None:
        await self.ctx.storage.restore_on_next_start(bookmark)
        self.ctx.abort()

    async def alarm(self) -> None:
        if self.ctx.storage.kv.get("how") == "fail":
            raise RuntimeError("the cable is out")
        self.ctx.storage.kv.put("woken", True)


class Other(DurableObject):
    async def add(self) -> None:
        self.ctx.storage.kv.put("a", 1)


class Asked:
    """A folder whose questions are answered by its process, or, after `let_go`, by nobody but who asks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._resources = AsyncExitStack()
        self._access: FolderAccess | None = None

    @asynccontextmanager
    async def served(self):
        async with perdure.open(self.folder, objects=[Tally, Other]) as runtime:
            yield runtime

    async def ask(self, request: Request) -> dict[str, Any]:
        access = await FolderAccess.open(self.folder)
        try:
            return await access.ask(request)
        finally:
            await access.close()


@pytest.fixture
def asked(tmp_path: Path) -> Asked:
    return Asked(tmp_path / "data")


async def prepared(
    asked: Asked, prepare: Callable[[Any], Awaitable[None]], who: str, then: Callable[[], Awaitable[None]]
):
    """Runs `prepare` with a runtime, then `then` while that serves, or once nobody has the folder."""
    async with asked.served() as runtime:
        await prepare(runtime)
        if who == "served":
            await then()
    if who == "alone":
        await then()


whoever_answers = pytest.mark.parametrize("who", ["served", "alone"])


@whoever_answers
def test_a_listing_has_every_acknowledged_object_once_over_all_its_pages(asked, who):
    async def prepare(runtime):
        for name in ("ann", "bob", "cy"):
            await runtime[Tally][name].add()
        await runtime[Tally].get(runtime[Tally].new_unique_id()).add()
        await runtime[Other]["zoe"].add()

    async def look():
        found, cursor = [], None
        while True:
            page = await asked.ask(ListObjects(limit=2, after=cursor))
            found += [(each["class"], each["name"]) for each in page["objects"]]
            cursor = page["cursor"]
            if cursor is None:
                break

        assert found == [("Other", "zoe"), ("Tally", "ann"), ("Tally", "bob"), ("Tally", "cy"), ("Tally", None)]
        like = await asked.ask(ListObjects("Tally", like="*n*"))
        assert [each["name"] for each in like["objects"]] == ["ann"]
        assert {each["state"] for each in like["objects"]} == {"live" if who == "served" else "stored"}

    asyncio.run(prepared(asked, prepare, who, look))


@whoever_answers
def test_one_object_is_shown_with_its_keys_and_tables_by_its_name_or_its_id(asked, who):
    async def prepare(runtime):
        await runtime[Tally]["ann"].add(7)
        await runtime[Tally]["ann"].log("one")
        await runtime[Tally]["anna"].add()

    async def look():
        shown = await asked.ask(ShowObject("Tally", "ann"))

        assert shown["name"] == "ann"
        assert [each["key"] for each in shown["keys"]] == ["count"]
        assert shown["keys"][0]["bytes"] > len("count")
        assert shown["tables"] == [{"name": "log", "rows": 1}]
        assert await asked.ask(ShowObject("Tally", shown["id"])) == shown

    asyncio.run(prepared(asked, prepare, who, look))


def test_the_tables_of_an_object_are_counted_without_holding_up_who_serves(asked):
    """All of them in one time, and others have their turn after each."""
    tables = [f"t{n:02}" for n in range(12)]

    async def scenario():
        async with asked.served() as runtime:
            await runtime[Tally]["ann"].run([f"CREATE TABLE {table} AS SELECT 1 AS n" for table in tables])
            inspection, turns = runtime._host.inspection, 0
            now_s = itertools.count()
            inspection._sql._pool.monotonic = lambda: next(now_s) / 10  # each look at the time takes 100 ms

            async def count_turns():
                nonlocal turns
                while True:
                    turns += 1
                    await asyncio.sleep(0)

            counting = asyncio.ensure_future(count_turns())
            found = await inspection._places.object("Tally", "ann")
            turns = 0
            shown = await inspection._sql.tables(found)
            assert turns >= len(tables)
            counting.cancel()

            assert [each["name"] for each in shown] == tables
            assert [each["rows"] for each in shown] == [1] * 5 + [None] * 7

    asyncio.run(scenario())


@whoever_answers
def test_a_statement_only_reads_unless_writing_was_asked_for(asked, who):
    async def prepare(runtime):
        await runtime[Tally]["ann"].log("one")

    async def look():
        with pytest.raises(SqlError, match="--write"):
            await asked.ask(RunSql("Tally", "ann", "INSERT INTO log VALUES ('two')"))
        read = await asked.ask(RunSql("Tally", "ann", "SELECT text, 1.5, x'00' FROM log"))
        assert [list(row) for row in read["rows"]] == [["one", 1.5, b"\0"]]

        written = await asked.ask(
            RunSql("Tally", "ann", "INSERT INTO log VALUES ('two'); SELECT count(*) FROM log", True)
        )
        assert [list(row) for row in written["rows"]] == [[2]]
        await asked.ask(RunSql("Tally", "ann", "DELETE FROM log WHERE text = 'one'", True))
        read = await asked.ask(RunSql("Tally", "ann", "SELECT text FROM log"))
        assert [list(row) for row in read["rows"]] == [["two"]]

    asyncio.run(prepared(asked, prepare, who, look))
    asyncio.run(_still_logged(asked, ["two"]))


async def _still_logged(asked: Asked, texts: list[str]) -> None:
    async with asked.served() as runtime:
        assert await runtime[Tally]["ann"].logged() == texts


def test_a_live_object_sees_what_was_written_to_it_and_one_that_is_not_live_is_not_woken(asked):
    async def scenario():
        async with asked.served() as runtime:
            await runtime[Tally]["ann"].log("one")
            await runtime[Tally]["bob"].log("one")
        async with asked.served() as runtime:
            await runtime[Tally]["ann"].logged()
            for name in ("ann", "bob"):
                await asked.ask(RunSql("Tally", name, "INSERT INTO log VALUES ('two')", write=True))

            listed = await asked.ask(ListObjects("Tally"))
            assert {each["name"]: each["state"] for each in listed["objects"]} == {"ann": "live", "bob": "stored"}
            assert await runtime[Tally]["ann"].logged() == ["one", "two"]
            assert await runtime[Tally]["bob"].logged() == ["one", "two"]

    asyncio.run(scenario())


@whoever_answers
def test_a_deleted_object_is_gone_from_memory_too_and_its_bookmark_brings_it_back(asked, who):
    async def prepare(runtime):
        await runtime[Tally]["ann"].add(7)
        await runtime[Tally]["bob"].add(1)

    bookmarks: list[str] = []

    async def look():
        deleted = await asked.ask(DeleteObject("Tally", "ann"))
        bookmarks.append(deleted["bookmark"])
        listed = await asked.ask(ListObjects("Tally"))
        assert [each["name"] for each in listed["objects"]] == ["bob"]

    async def scenario():
        await prepared(asked, prepare, who, look)
        async with asked.served() as runtime:
            assert await runtime[Tally]["ann"].add(1) == 1
            with pytest.raises(perdure.ObjectReset):
                await runtime[Tally]["ann"].back_to(bookmarks[0])
            assert await runtime[Tally]["ann"].add(1) == 8

    asyncio.run(scenario())


def test_an_object_that_is_deleted_while_it_is_live_starts_anew(asked):
    async def scenario():
        async with asked.served() as runtime:
            await runtime[Tally]["ann"].add(7)
            await asked.ask(DeleteObject("Tally", "ann"))

            assert await runtime[Tally]["ann"].add(1) == 1

    asyncio.run(scenario())


async def _given_up(asked: Asked) -> dict[str, Any]:
    """Waits for the first failure, and has the only retry made at once."""
    async with asyncio.timeout(PATIENCE_S):
        while not any(each["retries"] for each in (await asked.ask(ListAlarms()))["alarms"]):
            await asyncio.sleep(0)
        await asked.ask(RetryAlarm("Tally", "ann"))
        while not (found := await asked.ask(ListAlarms(dead=True)))["alarms"]:
            await asyncio.sleep(0)
    return found["alarms"][0]


def test_an_alarm_that_was_given_up_is_listed_and_runs_again_when_it_is_retried(asked):
    async def scenario():
        async with asked.served() as runtime:
            ann = runtime[Tally]["ann"]
            await ann.wake(0, "fail")
            given_up = await _given_up(asked)
            assert (given_up["name"], given_up["error"]) == ("ann", "RuntimeError: the cable is out")

            await ann.how("well")
            await asked.ask(RetryAlarm("Tally", "ann", dead=True))

            async with asyncio.timeout(PATIENCE_S):
                while "woken" not in [each["key"] for each in (await asked.ask(ShowObject("Tally", "ann")))["keys"]]:
                    await asyncio.sleep(0)
            assert (await asked.ask(ListAlarms(dead=True)))["alarms"] == []

    asyncio.run(scenario())


@whoever_answers
def test_alarms_that_were_given_up_can_be_dropped_and_a_pending_one_stays(asked, who):
    async def prepare(runtime):
        await runtime[Tally]["ann"].wake(0, "fail")
        await _given_up(asked)
        await runtime[Tally]["ann"].wake(3600, "fail")

    async def look():
        with pytest.raises(WrongValue, match="another alarm"):
            await asked.ask(RetryAlarm("Tally", "ann", dead=True))
        assert (await asked.ask(DropAlarm("Tally", "ann", dead=True)))["dropped"] == 1
        with pytest.raises(WrongValue, match="no alarm that was given up"):
            await asked.ask(DropAlarm("Tally", "ann", dead=True))

        assert [each["name"] for each in (await asked.ask(ListAlarms()))["alarms"]] == ["ann"]
        with pytest.raises(WrongValue, match="never run early"):
            await asked.ask(RetryAlarm("Tally", "ann"))
        await asked.ask(DropAlarm("Tally", "ann"))
        assert (await asked.ask(ListAlarms()))["alarms"] == []

    asyncio.run(prepared(asked, prepare, who, look))


@whoever_answers
def test_the_alarms_of_a_deleted_object_are_gone_with_it(asked, who):
    async def prepare(runtime):
        await runtime[Tally]["ann"].wake(0, "fail")
        await _given_up(asked)
        await runtime[Tally]["ann"].wake(3600, "fail")

    async def look():
        await asked.ask(DeleteObject("Tally", "ann"))

        assert (await asked.ask(ListAlarms()))["alarms"] == []
        assert (await asked.ask(ListAlarms(dead=True)))["alarms"] == []

    asyncio.run(prepared(asked, prepare, who, look))


@whoever_answers
def test_a_query_asks_every_object_and_names_those_that_it_left_out(asked, who):
    async def prepare(runtime):
        for name in ("ann", "bob"):
            await runtime[Tally][name].log(f"{name}'s")
        await runtime[Tally]["cy"].add()
        await asked.ask(RunSql("Tally", "bob", "DROP TABLE log", write=True))

    async def look():
        answer = await asked.ask(Query("Tally", "SELECT text FROM log"))

        assert list(answer["columns"]) == ["name", "id", "text"]
        assert [(row[0], row[2]) for row in answer["rows"]] == [("ann", "ann's")]
        assert [each["name"] for each in answer["left_out"]] == ["bob"]
        assert answer["cursor"] is None

    asyncio.run(prepared(asked, prepare, who, look))


QUESTIONS: dict[str, Callable[[Found], Awaitable[Any]]] = {
    "alarms": lambda found: list_alarms([found.place], dead=False, limit=10),
    "given up": lambda found: list_alarms([found.place], dead=True, limit=10),
    "a statement": lambda found: StoredSql(RealClock(), serving=False).run(found, "SELECT 1", write=False),
    "a write": lambda found: StoredSql(RealClock(), serving=False).run(found, "CREATE TABLE t (v)", write=True),
    "drop": lambda found: drop_alarm(found, dead=False, clock=RealClock()),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_an_answer_waits_until_all_that_it_may_reveal_is_on_disk(tmp_path, question):
    async def scenario():
        disk = Disk(asyncio.get_running_loop())
        store = await open_store(tmp_path, RealClock(), disk)
        record = ObjectRecord(store.new_generation(), "ann", 1)
        id = IdKey("key").from_name("ann")
        found = Found(Place(NamespaceRow("n", "worker", "Tally", "key", 1), store, None), id, record)
        disk.hold()
        store.append(Entry(id.raw, 1, record.generation, {"k": b"v"}, record, alarm=AlarmChange(Alarm(1, 1))))

        asked = asyncio.ensure_future(QUESTIONS[question](found))
        await settle()
        assert not asked.done()
        disk.go_on()
        await asked
        await store.close()

    asyncio.run(scenario())


@whoever_answers
def test_what_is_not_there_is_named_with_what_is_near_it(asked, who):
    async def prepare(runtime):
        await runtime[Tally]["counter-of-ann"].add()

    async def look():
        with pytest.raises(WrongValue, match="did you mean Tally"):
            await asked.ask(ListObjects("Taly"))
        with pytest.raises(WrongValue, match="did you mean 'counter-of-ann'"):
            await asked.ask(ShowObject("Tally", "counter-of-an"))
        with pytest.raises(WrongValue, match="is no cursor"):
            await asked.ask(ListObjects(after="nonsense"))

    asyncio.run(prepared(asked, prepare, who, look))
