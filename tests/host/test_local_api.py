"""What dev tells of its objects over HTTP: why each is awake, to this machine only."""

import asyncio
from pathlib import Path

import pytest

from perdure.host.local_api import LocalApi
from perdure.web import Request
from tests.workers.world import WorkersWorld

ROOM = """
import asyncio

class Room(DurableObject):
    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.door = asyncio.Event()

    async def wait(self):
        await self.door.wait()

    async def hold(self):
        async with self.ctx.critical_section():
            await self.door.wait()

    async def work(self):
        self.ctx.wait_until(self.tidy())

    async def tidy(self):
        await self.door.wait()

    async def greet(self):
        return "hello"

    async def open(self):
        self.door.set()

async def fetch(request, env):
    return Response("of the Worker")
"""
OBJECTS = "http://localhost:8787/cdn-cgi/local/objects"


@pytest.fixture
def world(tmp_path: Path) -> WorkersWorld:
    return WorkersWorld(tmp_path)


def received(url: str, *, method: str = "GET", client_ip: str | None = "127.0.0.1") -> Request:
    scheme, _, rest = url.partition("://")
    host, _, path = rest.partition("/")
    return Request.received(method, f"{scheme}://{host}", f"/{path}", [], None, client_ip)


def in_a_worker(world, steps):
    async def scenario():
        worker = await world.worker(ROOM, bindings={"ROOMS": "Room"})
        return await steps(worker, LocalApi(worker))

    return world.run(scenario)


async def objects(api) -> dict:
    response = await api.fetch(received(OBJECTS))
    assert response.status == 200
    return await response.json()


def test_an_object_is_shown_with_what_runs_in_it_and_since_when(world):
    async def steps(worker, api):
        room = worker.env.ROOMS["lobby"]
        waiting = asyncio.ensure_future(room.wait())
        await asyncio.sleep(5)
        seen = await objects(api)
        await room.open()
        await waiting
        return seen

    seen = in_a_worker(world, steps)

    (shown,) = seen["objects"]
    assert (shown["class"], shown["name"], shown["state"]) == ("Room", "lobby", "running")
    (running,) = shown["running"]
    assert running["event"] == "wait()"
    assert 4 <= running["for_s"] <= 6
    assert shown["slow"] is True
    assert seen["classes"][0] | {} == {
        "class": "Room",
        "live": 1,
        "busy": 1,
        "running": 1,
        "queued": 0,
        "slow": 1,
        "waiting_for_disk": 0,
        "waiting_for_disk_for_s": None,
    }


def test_events_behind_a_critical_section_are_shown_as_queued_with_the_age_of_the_oldest(world):
    async def steps(worker, api):
        room = worker.env.ROOMS["lobby"]
        holding = asyncio.ensure_future(room.hold())
        await asyncio.sleep(1)
        queued = [asyncio.ensure_future(room.greet()) for _ in range(3)]
        await asyncio.sleep(4)
        seen = await objects(api)
        worker.residents["Room"].instances[0].object.door.set()
        await asyncio.gather(holding, *queued)
        return seen

    (shown,) = in_a_worker(world, steps)["objects"]

    assert (shown["queued"], shown["open_sections"]) == (3, 1)
    assert [event["event"] for event in shown["running"]] == ["hold()"]
    assert 3 <= shown["queued_for_s"] <= 6


def test_background_work_is_named_as_what_keeps_an_object_awake(world):
    async def steps(worker, api):
        room = worker.env.ROOMS["lobby"]
        await room.work()
        await asyncio.sleep(1)
        seen = await objects(api)
        await room.open()
        return seen

    (shown,) = in_a_worker(world, steps)["objects"]

    assert (shown["state"], shown["background"]) == ("background", ["Room.tidy"])


def test_an_idle_object_is_shown_with_when_it_leaves_memory(world):
    async def steps(worker, api):
        await worker.env.ROOMS["lobby"].greet()
        await asyncio.sleep(1)
        return await objects(api)

    (shown,) = in_a_worker(world, steps)["objects"]

    assert shown["state"] == "idle"
    assert shown["idle_until"] > shown["awake_since"]


def test_looking_wakes_nothing_and_keeps_nothing_awake(world):
    async def steps(worker, api):
        await worker.env.ROOMS["lobby"].greet()
        for _ in range(12):
            await asyncio.sleep(1)
            seen = await objects(api)
        return seen

    assert in_a_worker(world, steps)["objects"] == []


@pytest.mark.parametrize(
    ("url", "client_ip"),
    [
        (OBJECTS, "192.168.1.7"),
        (OBJECTS, None),
        ("http://evil.example/cdn-cgi/local/objects", "127.0.0.1"),
        ("http://localhost.evil.example/cdn-cgi/local/objects", "127.0.0.1"),
    ],
)
def test_another_machine_or_another_name_gets_nothing(world, url, client_ip):
    async def steps(worker, api):
        return (await api.fetch(received(url, client_ip=client_ip))).status

    assert in_a_worker(world, steps) == 403


@pytest.mark.parametrize("host", ["localhost:8787", "127.0.0.1", "[::1]:8787", "shop.localhost", "0.0.0.0:8787"])
@pytest.mark.parametrize("client_ip", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_this_machine_gets_it_under_each_of_its_names(world, host, client_ip):
    async def steps(worker, api):
        request = received(f"http://{host}/cdn-cgi/local/objects", client_ip=client_ip)
        return (await api.fetch(request)).status

    assert in_a_worker(world, steps) == 200


def test_an_unknown_local_path_lists_what_there_is(world):
    async def steps(worker, api):
        response = await api.fetch(received("http://localhost/cdn-cgi/local/nothing"))
        return response.status, await response.json()

    status, said = in_a_worker(world, steps)
    assert status == 404
    assert said["available"] == ["/cdn-cgi/local/objects"]


def test_only_reading_is_possible(world):
    async def steps(worker, api):
        response = await api.fetch(received(OBJECTS, method="POST"))
        return response.status, response.headers["allow"]

    assert in_a_worker(world, steps) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["/", "/cdn-cgi/other", "/cdn-cgi/localx/objects"])
def test_every_other_path_goes_to_the_worker(world, path):
    async def steps(worker, api):
        return await (await api.fetch(received(f"http://localhost{path}"))).text()

    assert in_a_worker(world, steps) == "of the Worker"
