"""A request's way through a Worker and its objects and back (API-1 to API-5, API-13)."""

import asyncio
import logging

import pytest

from perdure.model.errors import BindingNotFound, Disconnected, NoHandler, ObjectReset, WrongType
from perdure.workers.stub import stub_of
from tests.workers.world import get, text_of

COUNTER = """
    class Counter(DurableObject):
        async def increment(self, by=1):
            count = self.ctx.storage.kv.get("count", 0) + by
            self.ctx.storage.kv.put("count", count)
            return count

        def where(self):
            return [self.ctx.name, str(self.ctx.id), list(self.env)]

        def later(self):
            async def fail():
                raise ValueError("in the background")
            self.ctx.wait_until(fail())

    async def fetch(request, env, ctx):
        if request.path == "/namespace":
            return {"same": stub_of(ctx.namespace(Counter)["a"]).id == stub_of(env.COUNTER["a"]).id}
        if request.path == "/missing":
            return env.CONUTER
        return Response(f"{env.GREETING} {await env.COUNTER[request.path].increment()}")
"""
OPTIONS = {"bindings": {"COUNTER": "Counter"}, "variables": {"GREETING": "visits:"}}


def test_a_request_reaches_the_object_that_its_path_names_and_comes_back(world):
    async def scenario():
        worker = await world.worker(COUNTER, **OPTIONS)

        first, second = await text_of(worker, "/a"), await text_of(worker, "/a")
        other = await text_of(worker, "/b")

        assert (first, second, other) == ("visits: 1", "visits: 2", "visits: 1")

    world.run(scenario)


def test_an_object_knows_its_name_its_id_and_the_workers_env(world):
    async def scenario():
        worker = await world.worker(COUNTER, **OPTIONS)
        stub = stub_of(worker.env.COUNTER["a"])

        assert await stub.where() == ["a", str(stub.id), ["COUNTER", "GREETING"]]

    world.run(scenario)


def test_api_8_a_missing_binding_names_the_configuration_and_the_nearest_one(world):
    async def scenario():
        worker = await world.worker(COUNTER, **OPTIONS)

        with pytest.raises(
            BindingNotFound, match=r"env\.CONUTER is not bound \(.*wrangler\.toml\).*did you mean 'COUNTER'"
        ):
            await get(worker, "/missing")

    world.run(scenario)


def test_api_13_a_namespace_of_an_own_class_is_the_one_that_is_bound(world):
    async def scenario():
        worker = await world.worker(COUNTER, **OPTIONS)

        assert await text_of(worker, "/namespace") == '{"same":true}'
        with pytest.raises(WrongType, match=r"is not an object class of the Worker hits: its classes are: Counter"):
            worker.namespace(int)

    world.run(scenario)


def test_what_is_stored_is_there_after_the_instances_are_gone(world):
    async def scenario():
        worker = await world.worker(COUNTER, **OPTIONS)
        await text_of(worker, "/a")
        await asyncio.sleep(60)
        assert worker.residents["Counter"].live == 0

        assert await text_of(worker, "/a") == "visits: 2"

    world.run(scenario)


def test_a_class_bound_twice_is_one_namespace(world):
    async def scenario():
        worker = await world.worker(COUNTER, bindings={"COUNTER": "Counter", "AGAIN": "Counter"})

        await worker.env.COUNTER["a"].increment()

        assert await worker.env.AGAIN["a"].increment() == 2

    world.run(scenario)


def test_two_workers_with_equal_names_run_side_by_side(world):
    async def scenario():
        hits = await world.worker(COUNTER, **OPTIONS)
        other = await world.worker(
            COUNTER, name="other", bindings={"COUNTER": "Counter"}, variables={"GREETING": "hi:"}
        )

        assert [await text_of(hits, "/a"), await text_of(other, "/a"), await text_of(hits, "/a")] == [
            "visits: 1",
            "hi: 1",
            "visits: 2",
        ]

    world.run(scenario)


def test_an_id_of_one_worker_is_not_one_of_another(world):
    async def scenario():
        hits = await world.worker(COUNTER, **OPTIONS)
        other = await world.worker(COUNTER, name="other", **OPTIONS)

        assert hits.env.COUNTER.id_from_name("a") != other.env.COUNTER.id_from_name("a")

    world.run(scenario)


@pytest.mark.parametrize(
    "source",
    [
        "def fetch(): return Response('ok')",
        "def fetch(request): return Response('ok')",
        "async def fetch(request, env): return Response('ok')",
        "def on_fetch(request, env, ctx): return Response('ok')",
        "class Default(WorkerEntrypoint):\n  async def fetch(self, request): return Response('ok')",
        "class Default(WorkerEntrypoint):\n  def on_fetch(self): return Response('ok')",
        "import asyncio\ndef fetch(): return asyncio.ensure_future(answer())\nasync def answer(): return Response('ok')",
    ],
)
def test_api_1_and_3_every_way_to_write_a_handler(world, source):
    async def scenario():
        assert await text_of(await world.worker(source)) == "ok"

    world.run(scenario)


def test_api_4_a_dict_is_json_and_anything_else_a_type_error_that_names_the_handler(world):
    async def scenario():
        good = await world.worker("def fetch(request): return {'path': request.path}")
        bad = await world.worker("def fetch(request): return 'text'")

        assert await text_of(good, "/x") == '{"path":"/x"}'
        with pytest.raises(WrongType, match="fetch of main returned str instead of a Response"):
            await get(bad)

    world.run(scenario)


def test_what_a_handler_raises_is_raised(world):
    async def scenario():
        worker = await world.worker("async def fetch(request): raise ValueError('no')")

        with pytest.raises(ValueError, match="no"):
            await get(worker)

    world.run(scenario)


def test_a_worker_without_a_handler_says_so(world):
    async def scenario():
        worker = await world.worker("class Counter(DurableObject): ...", bindings={"COUNTER": "Counter"})

        with pytest.raises(
            NoHandler, match="the Worker hits cannot answer GET /x: its main module has no fetch handler"
        ):
            await get(worker, "/x")

    world.run(scenario)


def test_an_aborted_invocation_is_an_error_with_its_reason(world):
    async def scenario():
        worker = await world.worker(
            "def fetch(request, env, ctx): ctx.abort('enough' if request.path == '/a' else None)"
        )

        with pytest.raises(ObjectReset, match="the Worker hits gave up GET /a: enough"):
            await get(worker, "/a")
        with pytest.raises(ObjectReset, match=r"gave up GET /b: it called ctx\.abort\(\)"):
            await get(worker, "/b")

    world.run(scenario)


def test_work_in_the_background_outlives_the_reply_by_30_s_and_a_stop_waits_for_it(world, caplog):
    async def scenario():
        worker = await world.worker(
            """
            import asyncio
            done = []
            async def work(seconds):
                await asyncio.sleep(seconds)
                done.append(seconds)
            async def fetch(request, env, ctx):
                ctx.wait_until(work(29))
                ctx.wait_until(work(31))
                return Response("replied")
            """
        )
        assert await text_of(worker) == "replied"
        done = worker.program.main.done
        assert done == []

        await worker.close(grace_s=60)

        assert done == [29]
        assert asyncio.get_running_loop().time() == pytest.approx(30)

    world.run(scenario)
    assert "cancelled 30 s after the reply: work" in caplog.text


def test_a_stop_waits_no_longer_than_its_grace(world, caplog):
    async def scenario():
        worker = await world.worker(
            """
            import asyncio
            class Slow(DurableObject):
                async def work(self):
                    await asyncio.sleep(100)
            async def fetch(request, env, ctx):
                ctx.wait_until(asyncio.sleep(25))
                return Response("replied")
            """,
            bindings={"SLOW": "Slow", "OTHER": "Slow"},
        )
        await text_of(worker)
        call = worker.env.SLOW["a"].work()

        await worker.close(grace_s=5)

        assert asyncio.get_running_loop().time() == pytest.approx(5)
        with pytest.raises(Disconnected):
            await call

    world.run(scenario)
    assert "work of wait_until() was cancelled because the Worker stops: sleep" in caplog.text


def test_what_fails_in_an_objects_background_is_logged_with_its_class_and_name(world, caplog):
    async def scenario():
        worker = await world.worker(COUNTER, **OPTIONS)
        await worker.env.COUNTER["a"].later()
        await asyncio.sleep(1)

    world.run(scenario)
    (record,) = [record for record in caplog.records if record.name == "perdure.object"]
    assert record.levelno == logging.ERROR
    assert record.getMessage().startswith("Counter/a: ")
    assert record.exc_info is not None
    assert "in the background" in str(record.exc_info[1])


def test_a_closed_worker_leaves_no_module_behind(world):
    async def scenario():
        worker = await world.worker(COUNTER, bank="x = 1", **OPTIONS)
        prefix = worker.program.modules.prefix

        await worker.close()

        assert worker.program.modules.find_imported("main") is None
        assert prefix == "<hits>"

    world.run(scenario)


@pytest.mark.parametrize(
    "start",
    ["asyncio.create_task(leave())", "asyncio.ensure_future(leave())", "asyncio.gather(leave())"],
)
def test_sys_exit_in_a_task_of_a_handler_ends_that_task_alone(world, start):
    async def scenario():
        worker = await world.worker(f"""
            import asyncio, sys

            async def leave():
                sys.exit(3)

            async def fetch(request):
                try:
                    await {start}
                except RuntimeError as error:
                    return Response(str(error))
        """)
        return await text_of(worker)

    assert world.run(scenario) == "a Worker raised SystemExit: 3, which ends nothing here; raise an error of your own"


def test_a_handlers_task_that_is_cancelled_before_it_began_leaves_no_warning(world, recwarn):
    async def scenario():
        worker = await world.worker("""
            import asyncio

            async def never():
                raise AssertionError

            async def fetch(request):
                task = asyncio.create_task(never())
                task.cancel()
                await asyncio.wait([task])
                return Response(f"{task.get_coro().__qualname__} {task.cancelled()}")
        """)
        return await text_of(worker)

    assert world.run(scenario) == "never True"
    assert not recwarn.list
