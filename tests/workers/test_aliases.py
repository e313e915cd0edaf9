"""Every name of Cloudflare's that exists by now is called, and does what the table "Aliases" of the specification says."""

import asyncio
import logging

import pytest

from perdure.model.errors import WrongValue
from perdure.web.form import FormData
from perdure.web.headers import Headers
from perdure.web.request import Request
from perdure.web.response import Response
from perdure.workers.stub import stub_of
from tests.workers.world import get

SOURCE = """
    class Room(DurableObject):
        async def storage(self):
            storage = self.ctx.storage
            said = []
            storage.transactionSync(lambda: storage.kv.put("a", 1))
            said.append(storage.kv.get("a"))
            with storage.transactionSync():
                storage.kv.put("b", 2)
            said.append(await storage.get(["a", "b"]))
            await storage.deleteAll()
            said.append(await storage.list())
            return said

        async def sql(self):
            sql = self.ctx.storage.sql
            sql.exec("create table t(a, b)")
            cursor = sql.exec("insert into t values(1, 2), (3, 4) returning a, b")
            said = [cursor.columnNames, cursor.rowsRead, cursor.rowsWritten]
            step = cursor.next()
            said += [step.done, step.value, cursor.toArray(), cursor.next().done]
            return [*said, sql.databaseSize > 0]

        async def alarms(self):
            storage = self.ctx.storage
            said = [await storage.getAlarm()]
            await storage.setAlarm(4_000_000_000_000)
            said.append(await storage.getAlarm())
            async with storage.transaction() as txn:
                txn.deleteAlarm()
                said.append(await txn.getAlarm())
                txn.setAlarm(4_100_000_000_000)
            said.append(await storage.getAlarm())
            await storage.deleteAlarm()
            said.append(await storage.getAlarm())
            await storage.setAlarm(1)
            return said

        async def alarm(self, info):
            self.ctx.storage.kv.put("info", [info.isRetry, info.retryCount, info.scheduledTime > 1_000_000])

        def info(self):
            return self.ctx.storage.kv.get("info")

        async def state(self):
            said = []
            async def block():
                said.append("blocked")
                return "done"
            said.append(await self.ctx.blockConcurrencyWhile(block))
            async def later():
                self.ctx.storage.kv.put("later", True)
            self.ctx.waitUntil(later())
            return said

        def later(self):
            return self.ctx.storage.kv.get("later")

    async def fetch(request, env, ctx):
        async def later():
            await env.ROOM["later"].storage()
        ctx.waitUntil(later())
        ctx.passThroughOnException()
        ctx.passThroughOnException()
        return Response("ok")
"""
BOUND = {"bindings": {"ROOM": "Room"}}


def with_rooms(world, scenario):
    async def run():
        worker = await world.worker(SOURCE, **BOUND)
        await scenario(worker, worker.env.ROOM)

    world.run(run)


def test_namespace(world):
    async def scenario(worker, rooms):
        id = rooms.idFromName("a")

        assert id == rooms.id_from_name("a")
        assert rooms.idFromString(str(id)) == id
        assert stub_of(rooms.getByName("a", {"locationHint": "weur"})).id == id
        assert stub_of(rooms.getByName("a", locationHint="weur")).id == id
        assert stub_of(rooms.get(id, {"locationHint": "weur"})).id == id
        assert rooms.newUniqueId() != rooms.newUniqueId({"jurisdiction": None})
        assert rooms.jurisdiction(None).idFromName("a") == id
        for refused in (rooms.jurisdiction, lambda where: rooms.newUniqueId(jurisdiction=where)):
            with pytest.raises(WrongValue, match="jurisdiction 'eu' is not offered"):
                refused("eu")

    with_rooms(world, scenario)


def test_object_id(world):
    async def scenario(worker, rooms):
        id = rooms.idFromName("a")

        assert id.toString() == str(id) == id.hex
        assert id.equals(rooms.idFromString(id.toString())) is True
        assert id.equals(rooms.idFromName("b")) is False
        assert id.equals(id.toString()) is False

    with_rooms(world, scenario)


def test_storage(world):
    async def scenario(worker, rooms):
        assert await rooms["a"].storage() == [1, {"a": 1, "b": 2}, {}]

    with_rooms(world, scenario)


def test_sql(world):
    async def scenario(worker, ns):
        assert await ns["a"].sql() == [("a", "b"), 2, 2, False, {"a": 1, "b": 2}, [{"a": 3, "b": 4}], True, True]

    with_rooms(world, scenario)


def test_alarms(world):
    async def scenario(worker, ns):
        assert await ns["a"].alarms() == [None, 4_000_000_000_000, None, 4_100_000_000_000, None]
        while (info := await ns["a"].info()) is None:
            await asyncio.sleep(0)
        assert info == [False, 0, True]

    with_rooms(world, scenario)


def test_state(world):
    async def scenario(worker, rooms):
        assert await rooms["a"].state() == ["blocked", "done"]
        assert await rooms["a"].later() is True

    with_rooms(world, scenario)


def test_execution_context(world, caplog):
    async def scenario(worker, rooms):
        with caplog.at_level(logging.WARNING, logger="perdure.worker"):
            assert await (await get(worker)).text() == "ok"

        said = [record.getMessage() for record in caplog.records]
        assert len(said) == 1
        assert "there is no origin" in said[0]

    with_rooms(world, scenario)


def test_request_response_and_headers(world):
    async def scenario(worker, rooms):
        request = Request("http://localhost/", method="POST", body=b"a=1&a=2")
        assert request.bodyUsed is False
        assert await request.arrayBuffer() == b"a=1&a=2"
        assert request.bodyUsed is True
        form = FormData()
        form.append("a", "1")
        form.append("a", "2")
        assert (await Response(form).formData()).getAll("a") == ["1", "2"]
        assert Response("", status=404).statusText == Response("", status=404).status_text
        headers = Headers([("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("X", "1"), ("X", "2")])
        assert headers.getSetCookie() == ["a=1", "b=2"]
        assert headers.getAll("x") == ["1", "2"]
        assert Request("http://localhost/?a=1&a=2").query.getAll("a") == ["1", "2"]

    with_rooms(world, scenario)
