"""Calls through a stub: what can be called, when a call begins, and in which order (API-16 to API-23)."""

import asyncio

import pytest

from perdure.model.errors import (
    ConstructorFailed,
    MethodNotFound,
    ObjectReset,
    Overloaded,
    RemoteError,
    TooLarge,
    UnsupportedValue,
    WrongType,
)
from perdure.workers.stub import stub_of

ROOM = """
    import asyncio

    class Broke(Exception):
        def __init__(self, *, balance):
            super().__init__(f"only {balance}")
            self.balance = balance

    class Room(DurableObject["MyEnv"]):
        limits = Limits(queue=5)

        def __init__(self, ctx, env):
            super().__init__(ctx, env)
            self.log = []
            self.mood = "good"

        async def post(self, text, *, by="nobody", pause=0):
            self.log.append(text)
            if pause:
                await asyncio.sleep(pause)
            return f"{by}: {text}"

        def plain(self, a, b=2, /, *more, c=3, **named):
            return [a, b, list(more), c, named]

        async def texts(self):
            return self.log

        async def grow(self, items):
            items.append("callee")
            return items

        async def fail(self, balance):
            raise Broke(balance=balance)

        async def odd_result(self):
            return [{"a": object()}]

        async def abort(self):
            self.ctx.abort("enough")

        async def hang(self):
            await asyncio.Event().wait()

        @property
        def size(self):
            return len(self.log)

        @property
        def failing(self):
            raise ValueError("no size")

        @staticmethod
        def static():
            return 1

        def _private(self):
            return 1

    class Shop(DurableObject):
        async def use(self, name, text):
            room = self.env.ROOMS[name]
            return [await room.post(text), await stub_of(room).size]

        async def send_two(self, name):
            room = self.env.ROOMS[name]
            self.ctx.storage.kv.put("a", 1)      # holds the first call back until it is on disk
            first = room.post("first")
            second = room.post("second")
            return [await second, await first]

    class Picky(DurableObject):
        def __init__(self, ctx, env):
            raise ValueError("not today")

        def hello(self):
            return "hello"

    async def fetch(request):
        return Response("")
"""
BINDINGS = {"ROOMS": "Room", "SHOPS": "Shop", "PICKY": "Picky"}


def scenario(world, body):
    async def main():
        worker = await world.worker(ROOM, bindings=BINDINGS)
        await body(worker, stub_of(worker.env.ROOMS["a"]))

    world.run(main)


def test_api_16_public_methods_are_called_with_keyword_arguments(world):
    async def body(worker, room):
        assert await room.post("hi", by="ann") == "ann: hi"
        assert await room.plain(1, 4, 5, c=6, d=7) == [1, 4, [5], 6, {"d": 7}]

    scenario(world, body)


@pytest.mark.parametrize(
    "member", ["missing", "_private", "mood", "log", "queue", "then", "ctx", "static", "setup", "size"]
)
def test_scenario_38_a_missing_private_instance_attribute_or_reserved_name_is_a_type_error(world, member):
    async def body(worker, room):
        call = getattr(room, member)()  # refused when awaited, not before

        with pytest.raises(TypeError) as raised:
            await call

        assert isinstance(raised.value, MethodNotFound)
        assert f"Room has no method {member!r}" in str(raised.value)
        assert await room.post("still there") == "nobody: still there"

    scenario(world, body)


def test_scenario_40_an_argument_over_32_mib_is_refused_and_the_object_untouched(world):
    async def body(worker, room):
        with pytest.raises(TooLarge):
            room.post(b"x" * (33 * 1024 * 1024))

        assert worker.residents["Room"].live == 0

    scenario(world, body)


def test_api_17_a_call_begins_when_it_is_made_whether_or_not_it_is_awaited(world):
    async def body(worker, room):
        call = room.post("sent")
        assert await room.texts() == ["sent"]
        assert await call == "nobody: sent"

    scenario(world, body)


def test_api_17_arguments_are_copied_when_the_call_is_made(world):
    async def body(worker, room):
        items = ["before"]
        call = room.grow(items)
        items.append("after")

        assert await call == ["before", "callee"]
        assert items == ["before", "after"]

    scenario(world, body)


def test_api_17_calls_through_one_stub_start_in_the_order_made(world):
    async def body(worker, room):
        calls = [room.post(str(number), pause=number % 2) for number in range(3)]
        calls.append(room.texts())

        assert (await asyncio.gather(*calls))[-1] == ["0", "1", "2"]

    scenario(world, body)


def test_api_17_also_when_an_object_makes_them_and_the_first_is_held_back(world):
    async def body(worker, room):
        world.disk.hold()
        answer = worker.env.SHOPS["s"].send_two("a")
        for _ in range(20):
            await asyncio.sleep(0)
        assert worker.residents["Room"].live == 0, "no call leaves before the write made ahead of it is on disk"

        world.disk.go_on()

        assert await answer == ["nobody: second", "nobody: first"]
        assert await room.texts() == ["first", "second"]

    scenario(world, body)


def test_api_18_a_call_is_awaited_more_than_once_and_taken_by_asyncio(world):
    async def body(worker, room):
        call = room.post("hi")

        assert await call == await call == "nobody: hi"
        assert await asyncio.create_task(room.post("x")) == "nobody: x"
        assert await asyncio.wait_for(room.post("y"), 1) == "nobody: y"

    scenario(world, body)


def test_api_18_cancelling_the_wait_gives_up_the_result_and_not_the_call(world):
    async def body(worker, room):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await room.post("slow", pause=5)

        assert await room.texts() == ["slow"]
        assert worker.residents["Room"].live == 1

    scenario(world, body)


def test_api_19_a_call_has_no_time_out_of_its_own(world):
    async def body(worker, room):
        assert await room.post("patience", pause=3600) == "nobody: patience"

    scenario(world, body)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda room: room.post(), "missing 1 required positional argument: 'text'"),
        (lambda room: room.post("a", "b"), "takes 2 positional arguments but 3 were given"),
        (lambda room: room.post("a", to="b"), "unexpected keyword argument 'to'"),
    ],
)
def test_api_20_a_misfit_of_arguments_is_a_type_error_at_the_callee(world, call, said):
    async def body(worker, room):
        with pytest.raises(TypeError, match=said):
            await call(room)

    scenario(world, body)


def test_api_21_a_stub_has_an_id_and_a_name(world):
    async def body(worker, room):
        assert (room.name, room.id) == ("a", worker.env.ROOMS.id_from_name("a"))
        assert repr(room) == "<Stub Room a>"
        assert repr(room.post) == "<Remote post of <Stub Room a>>"

    scenario(world, body)


def test_api_21_a_property_is_read_by_awaiting_it_and_not_before(world):
    async def body(worker, room):
        size = room.size
        await room.post("hi")

        assert await size == 1
        assert await size == 1
        await room.post("more")
        assert await asyncio.create_task(room.size) == 2
        with pytest.raises(ValueError, match="no size"):
            await room.failing
        with pytest.raises(MethodNotFound, match="it is a method; call it"):
            await room.post

    scenario(world, body)


@pytest.mark.parametrize("value", [None, "a", object(), WrongType])
def test_api_21_stub_of_anything_else_is_a_type_error(value):
    with pytest.raises(WrongType, match="stub_of"):
        stub_of(value)


def test_own_attributes_on_a_stub_hide_methods(world):
    async def body(worker, room):
        room.post = "mine"

        assert room.post == "mine"
        del room.post
        assert await room.post("x") == "nobody: x"

    scenario(world, body)


def test_what_python_asks_of_any_value_is_no_call(world):
    async def body(worker, room):
        for name in ("__len__", "__deepcopy__", "__await__", "__fspath__"):
            assert not hasattr(room, name)
        assert worker.residents["Room"].live == 0

    scenario(world, body)


def test_api_22_a_stub_outlives_resets(world):
    async def body(worker, room):
        await room.post("lost")
        with pytest.raises(ObjectReset, match="enough") as raised:
            await room.abort()

        assert raised.value.remote
        assert await room.texts() == []

    scenario(world, body)


def test_api_23_a_plain_def_is_awaited_like_the_others(world):
    async def body(worker, room):
        assert await room.plain(1) == [1, 2, [], 3, {}]

    scenario(world, body)


def test_objects_call_each_other_by_env(world):
    async def body(worker, room):
        assert await worker.env.SHOPS["s"].use("a", "from the shop") == ["nobody: from the shop", 1]

    scenario(world, body)


def test_a_result_is_a_copy(world):
    async def body(worker, room):
        await room.post("a")
        texts = await room.texts()
        texts.append("changed by the caller")

        assert await room.texts() == ["a"]

    scenario(world, body)


def test_a_result_that_cannot_be_sent_is_an_error_at_the_caller_that_names_the_path(world):
    async def body(worker, room):
        with pytest.raises(UnsupportedValue) as raised:
            await room.odd_result()

        assert raised.value.path == 'result of odd_result()[0]["a"]'

    scenario(world, body)


def test_api_77_an_exception_of_the_project_arrives_as_its_class_with_its_attributes(world):
    async def body(worker, room):
        broke = worker.program.main.Broke

        with pytest.raises(broke) as raised:
            await room.fail(3)

        assert raised.value.balance == 3
        assert raised.value.remote is True
        assert str(raised.value) == "only 3"
        (note,) = raised.value.__notes__
        assert "in fail\n    raise Broke(balance=balance)" in note
        assert "perdure/" not in note
        assert note.endswith("<hits>.main.Broke: only 3")

    scenario(world, body)


def test_api_6_a_constructor_that_raises_is_the_cause_of_constructor_failed(world):
    async def body(worker, room):
        with pytest.raises(ConstructorFailed, match="not today") as raised:
            await worker.env.PICKY["p"].hello()

        assert type(raised.value.__cause__) is ValueError
        assert "not today" in raised.value.__cause__.__notes__[0]
        assert raised.value.retry_after is None

    scenario(world, body)


def test_a_full_queue_is_overloaded(world):
    async def body(worker, room):
        calls = [room.hang() for _ in range(10)]

        with pytest.raises(Overloaded) as raised:
            await calls[-1]

        assert raised.value.overloaded
        assert not isinstance(raised.value, RemoteError)
        await asyncio.sleep(0)
        worker.residents["Room"].instance_of(room.id).break_with(ObjectReset(what="the test is over"))
        for call in calls:
            with pytest.raises((ObjectReset, Overloaded)):
                await call

    scenario(world, body)


def test_a_call_from_a_thread_is_refused_even_if_it_would_be_held_back(world):
    async def scenario():
        worker = await world.worker(
            """
            from contextvars import copy_context
            from threading import Thread

            class Caller(DurableObject["MyEnv"]):
                async def call_from_a_thread(self):
                    stub = self.env.CALLERS["other"]
                    self.ctx.storage.kv.put("a", 1)
                    stub.plain()  # waits in the stub's queue for the write
                    refused = []

                    def call():
                        try:
                            stub.plain()
                        except WrongThread as error:
                            refused.append(str(error))

                    thread = Thread(target=copy_context().run, args=(call,))
                    thread.start()
                    thread.join()
                    return refused

                def plain(self):
                    return 1
            """,
            bindings={"CALLERS": "Caller"},
        )
        return await worker.env.CALLERS["a"].call_from_a_thread()

    [refused] = world.run(scenario)
    assert "another thread" in refused
