"""`ctx` reaches the Worker's own namespaces, in objects and in Workers, without a binding (API-13)."""

import pytest

from perdure.model.errors import BindingNotFound, WrongType
from perdure.workers.stub import stub_of
from tests.workers.world import get

SOURCE = """
    class Room(DurableObject):
        async def ask(self, name):
            return await self.ctx.namespace(Clerk)[name].answer()

        async def ask_by_name(self, name):
            return await self.ctx.exports.Clerk[name].answer()

        def others(self):
            self.ctx.namespace(str)

        def props(self):
            return self.ctx.props

        def wrong(self):
            return self.ctx.exports.Clark

    class Clerk(DurableObject):
        def answer(self):
            return f"{self.ctx.name} answers"

    async def fetch(request, env, ctx):
        return {
            "typed": await ctx.namespace(Clerk)["a"].answer(),
            "exported": await ctx.exports.Clerk["b"].answer(),
            "props": ctx.props,
            "exports": [name for name in dir(ctx.exports) if name[0] != "_"],
            "shown": repr(ctx.exports),
        }
"""
BOUND = {"bindings": {"ROOM": "Room", "CLERK": "Clerk"}}


def test_api_13_an_object_reaches_the_objects_of_its_workers_classes(world):
    async def scenario():
        worker = await world.worker(SOURCE, **BOUND)
        room = stub_of(worker.env.ROOM["r"])

        assert await room.ask("a") == "a answers"
        assert await room.ask_by_name("b") == "b answers"
        assert await room.props() == {}

    world.run(scenario)


def test_api_13_a_worker_reaches_them_too(world):
    async def scenario():
        worker = await world.worker(SOURCE, **BOUND)

        assert await (await get(worker)).json() == {
            "typed": "a answers",
            "exported": "b answers",
            "props": {},
            "exports": ["Clerk", "Room"],
            "shown": "<Exports Room, Clerk>",
        }

    world.run(scenario)


def test_any_other_class_and_an_unknown_name_are_refused_with_the_known_ones(world):
    async def scenario():
        worker = await world.worker(SOURCE, **BOUND)
        room = stub_of(worker.env.ROOM["r"])

        with pytest.raises(WrongType, match="not an object class of the Worker hits: its classes are: Room, Clerk"):
            await room.others()
        with pytest.raises(BindingNotFound, match=r"ctx\.exports has no 'Clark'.*did you mean 'Clerk'\?"):
            await room.wrong()

    world.run(scenario)
