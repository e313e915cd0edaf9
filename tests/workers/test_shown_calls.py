"""With a log at level DEBUG each call of an object is a line; without, nothing is done for it."""

import logging

import pytest

from perdure.objects.residents import Residents
from perdure.workers.shown_calls import ShowingResidents

SOURCE = """
    class Room(DurableObject):
        async def greet(self):
            return "hello"

        async def fail(self):
            raise ValueError("no")

        async def fetch(self, request):
            return Response("page")

    async def fetch(request, env):
        return Response("ok")
"""
BOUND = {"bindings": {"ROOM": "Room"}}


def test_each_call_is_a_line_with_its_object_its_name_and_its_outcome(world, caplog):
    caplog.set_level(logging.DEBUG, logger="perdure.call")

    async def scenario():
        worker = await world.worker(SOURCE, **BOUND)
        rooms = worker.env.ROOM
        assert await rooms["a"].greet() == "hello"
        with pytest.raises(ValueError, match="no"):
            await rooms["a"].fail()
        assert (await rooms["b"].fetch("http://x/path")).status == 200

    world.run(scenario)
    lines = [record.getMessage() for record in caplog.records if record.name == "perdure.call"]
    assert lines == ["→ Room/a greet 0ms", "→ Room/a fail 0ms ValueError", "→ Room/b fetch GET /path 0ms"]


@pytest.mark.parametrize(("level", "kind"), [(logging.INFO, Residents), (logging.DEBUG, ShowingResidents)])
def test_whether_calls_are_shown_is_decided_when_the_worker_is_loaded(world, caplog, level, kind):
    caplog.set_level(level, logger="perdure.call")

    async def scenario():
        worker = await world.worker(SOURCE, **BOUND)
        return type(worker.residents["Room"])

    assert world.run(scenario) is kind
