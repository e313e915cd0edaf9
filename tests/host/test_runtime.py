"""A runtime lives on the loop of a program that is not ours, and leaves that program alone."""

import asyncio
import contextlib
import contextvars
import gc
import re
import subprocess
import sys
import threading
import weakref
from datetime import UTC, datetime, timedelta

import pytest

import perdure
from perdure import DurableObject, Request, Response
from perdure.host.clock import OPEN_CLOCKS
from perdure.host.embedded import assigned, object_classes
from perdure.host.host import Host
from perdure.objects.origin import ORIGIN
from perdure.testing.virtual_loop import LoopClock
from tests.host.embedded_counter import Counter


class Watch(DurableObject):
    async def times(self) -> tuple[datetime, float]:
        return perdure.now(), perdure.monotonic()

    async def busy(self, started: list[str]) -> str:
        await asyncio.sleep(0.01)
        self.ctx.storage.kv.put("done", True)
        return "done"


async def answer(request: Request) -> Response:
    if request.path == "/fail":
        raise LookupError("not here")
    if request.path == "/stream":

        async def parts():
            yield b"a"
            yield b"b"

        return Response(parts(), headers={"x-kind": "stream"})
    return Response(f"{request.method} {request.url} {await request.text()}")


# fetch


def test_a_path_is_enough_as_url_and_a_request_or_a_url_will_do(tmp_path):
    async def scenario():
        async with perdure.open(tmp_path, worker=answer) as rt:
            made = Request("https://shop.example/b", method="PUT", body="y")
            responses = [
                await rt.fetch("/a?b=c"),
                await rt.fetch("/a", method="POST", body="x", headers={"x-a": "b"}),
                await rt.fetch("http://elsewhere/d"),
                await rt.fetch(made),
            ]
            return [await response.text() for response in responses], responses[0].url

    texts, url = asyncio.run(scenario())

    assert texts == [
        "GET http://localhost/a?b=c ",
        "POST http://localhost/a x",
        "GET http://elsewhere/d ",
        "PUT https://shop.example/b y",
    ]
    assert url == "http://localhost/a?b=c"


def test_what_the_worker_raises_is_raised_and_what_it_streams_streams(tmp_path):
    async def scenario():
        async with perdure.open(tmp_path, worker=answer) as rt:
            with pytest.raises(LookupError, match="not here"):
                await rt.fetch("/fail")
            response = await rt.fetch("/stream")
            return response.headers["x-kind"], [chunk async for chunk in response.body]

    assert asyncio.run(scenario()) == ("stream", [b"a", b"b"])


def test_a_runtime_without_a_worker_says_so_at_fetch(tmp_path):
    async def scenario():
        async with perdure.open(tmp_path, objects=[Counter]) as rt:
            with pytest.raises(perdure.NoHandler, match="this runtime has no Worker"):
                await rt.fetch("/")
            with pytest.raises(perdure.WrongType):
                await perdure.open(tmp_path / "other", worker=answer).fetch("a")

    asyncio.run(scenario())


# Indexing


def test_a_runtime_is_indexed_by_a_class_that_it_was_opened_with(tmp_path):
    class Other(DurableObject):
        pass

    async def scenario():
        async with perdure.open(tmp_path, objects=[Counter]) as rt:
            with pytest.raises(perdure.WrongType, match=r"its classes are: Counter; open it with objects=\[Other\]"):
                rt[Other]
            with pytest.raises(perdure.WrongType, match="indexed by a class"):
                rt["Counter"]

    asyncio.run(scenario())


def test_a_class_that_was_defined_anew_is_not_taken_for_the_one_that_runs(tmp_path):
    def defined() -> type[DurableObject]:
        class Cell(DurableObject):
            pass

        return Cell

    async def scenario():
        async with perdure.open(tmp_path, objects=[defined()]) as rt:
            with pytest.raises(perdure.WrongType, match="was defined anew since the runtime was opened"):
                rt[defined()]

    asyncio.run(scenario())


# Ends


def test_a_close_lets_running_calls_end_and_their_writes_are_kept(tmp_path):
    async def scenario():
        rt = await perdure.open(tmp_path, objects=[Watch])
        call = asyncio.ensure_future(rt[Watch]["a"].busy([]))
        await asyncio.sleep(0)
        await rt.aclose()
        return await call

    assert asyncio.run(scenario()) == "done"


def test_a_second_close_waits_for_the_first_and_a_third_does_nothing(tmp_path):
    async def scenario():
        rt = await perdure.open(tmp_path, objects=[Counter])
        await asyncio.gather(rt.aclose(), rt.aclose())
        await rt.aclose()
        async with perdure.open(tmp_path, lock_timeout=timedelta(0)):
            pass

    asyncio.run(scenario())


def test_after_the_close_every_use_is_an_error_that_says_so(tmp_path):
    async def scenario():
        async with perdure.open(tmp_path, objects=[Counter], worker=answer) as rt:
            kept = rt[Counter]["a"]
        with pytest.raises(perdure.Disconnected, match="the runtime is closed"):
            rt[Counter]
        with pytest.raises(perdure.Disconnected, match="the runtime is closed"):
            await rt.fetch("/")
        with pytest.raises(perdure.Disconnected, match="being stopped"):
            await kept.add()
        assert "closed" in repr(rt)

    asyncio.run(scenario())


def test_a_runtime_that_nobody_closes_is_a_resource_warning(tmp_path):
    # In a process of its own: this one would keep the folder and the clock.
    program = """
import asyncio, perdure
async def main():
    await perdure.open("data/")
asyncio.run(main())
"""
    run = subprocess.run(
        [sys.executable, "-W", "always", "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )

    assert re.search(r"ResourceWarning: unclosed <Runtime .*data: no classes>: .*await rt\.aclose\(\)", run.stderr)


def test_a_runtime_that_was_closed_warns_of_nothing(tmp_path, recwarn):
    async def scenario():
        async with perdure.open(tmp_path, objects=[Counter]):
            pass

    asyncio.run(scenario())
    gc.collect()

    assert not [warning for warning in recwarn if "unclosed <Runtime" in str(warning.message)]


def test_a_block_that_raises_closes_and_raises_the_same(tmp_path):
    async def scenario():
        with pytest.raises(KeyError):
            async with perdure.open(tmp_path, objects=[Counter]) as rt:
                await rt[Counter]["a"].add()
                raise KeyError("mine")
        async with perdure.open(tmp_path, objects=[Counter], lock_timeout=timedelta(0)) as rt:
            return await rt[Counter]["a"].add()

    assert asyncio.run(scenario()) == 2


def test_a_cancelled_block_closes_and_the_folder_is_free(tmp_path):
    async def scenario():
        ready = asyncio.Event()

        async def block():
            async with perdure.open(tmp_path, objects=[Counter]):
                ready.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(block())
        await ready.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with perdure.open(tmp_path, lock_timeout=timedelta(0)):
            pass

    asyncio.run(scenario())


@pytest.mark.parametrize("turns", range(0, 36, 3))
def test_an_opening_that_is_given_up_at_any_point_leaves_the_folder_as_it_was(tmp_path, turns):
    async def scenario():
        opened: list[perdure.Runtime] = []

        async def add() -> None:
            opened.append(await perdure.open(tmp_path, objects=[Counter]))
            await opened[0][Counter]["a"].add()

        task = asyncio.create_task(add())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        for rt in opened:
            await rt.aclose()  # it was there before it could be given up, and a close goes on without who began it
        async with perdure.open(tmp_path, objects=[Counter], lock_timeout=timedelta(0)) as rt:
            return await rt[Counter]["b"].add()

    assert asyncio.run(scenario()) == 1


def test_nothing_of_a_closed_runtime_stays_in_memory(tmp_path):
    async def scenario():
        async with perdure.open(tmp_path, objects=[Counter]) as rt:
            await rt[Counter]["a"].add()
        return weakref.ref(rt)

    assert asyncio.run(scenario())() is None


# Place


def test_another_thread_is_refused_and_told_the_way(tmp_path):
    async def scenario():
        async with perdure.open(tmp_path, objects=[Counter]) as rt:

            def in_thread() -> None:
                with pytest.raises(perdure.WrongThread, match="run_coroutine_threadsafe"):
                    rt[Counter]

            await asyncio.to_thread(in_thread)

            async def on_loop() -> int:
                return await rt[Counter]["a"].add()

            loop = asyncio.get_running_loop()
            by_the_way = await asyncio.to_thread(lambda: asyncio.run_coroutine_threadsafe(on_loop(), loop).result())
            return by_the_way

    assert asyncio.run(scenario()) == 1


def test_another_loop_is_refused_and_so_is_none(tmp_path):
    async def use(rt):
        with pytest.raises(perdure.WrongThread, match="on another event loop"):
            await rt.fetch("/")
        with pytest.raises(perdure.WrongThread, match="on another event loop"):
            await rt.aclose()

    with asyncio.Runner() as runner:
        rt = runner.run(_opened(tmp_path))
        asyncio.run(use(rt))
        with pytest.raises(perdure.WrongThread, match="without a running event loop"):
            rt[Counter]
        runner.run(rt.aclose())


async def _opened(path):
    return await perdure.open(path, objects=[Counter])


def test_two_loops_in_two_threads_each_have_a_runtime(tmp_path):
    results = {}

    def run(name: str) -> None:
        async def scenario() -> int:
            async with perdure.open(tmp_path / name, objects=[Counter]) as rt:
                for _ in range(20):
                    count = await rt[Counter]["a"].add()
                return count

        results[name] = asyncio.run(scenario())

    threads = [threading.Thread(target=run, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert results == {"a": 20, "b": 20}


# The program around it


def test_the_programs_own_task_factory_goes_on_making_its_tasks(tmp_path):
    made = []

    class OwnTask(asyncio.Task):
        pass

    def factory(loop, coroutine, **options):
        made.append(coroutine.__qualname__)
        return OwnTask(coroutine, loop=loop, **options)

    async def own_work() -> str:
        return type(asyncio.current_task()).__name__

    async def scenario():
        asyncio.get_running_loop().set_task_factory(factory)
        async with perdure.open(tmp_path, objects=[Counter]) as rt:
            await rt[Counter]["a"].add()
            return await asyncio.create_task(own_work())

    assert asyncio.run(scenario()) == "OwnTask"
    assert any(name.endswith("own_work") for name in made)


def test_a_fetch_leaves_no_mark_in_its_callers_context(tmp_path):
    async def scenario():
        async with perdure.open(tmp_path, worker=answer) as rt:
            before = dict(contextvars.copy_context())
            await rt.fetch("/")
            return {**before, ORIGIN: None}, {ORIGIN: None, **contextvars.copy_context()}

    before, after = asyncio.run(scenario())

    assert after == before


# Time


async def _hosted(tmp_path, name: str, clock: LoopClock) -> Host:
    return await Host.run(lambda: assigned(told, object_classes([Watch]), {}), tmp_path / name, clock=clock)


async def told(request: Request) -> dict[str, float]:
    return {"now": perdure.now().timestamp()}


def test_time_is_that_of_the_runtime_whose_code_runs(tmp_path):
    early, late = datetime(2001, 1, 1, tzinfo=UTC), datetime(2002, 1, 1, tzinfo=UTC)

    async def scenario():
        loop = asyncio.get_running_loop()
        shift = round(loop.time() * 1000)
        one = await _hosted(tmp_path, "one", LoopClock(loop, round(early.timestamp() * 1000) - shift))
        only = perdure.now()
        other = await _hosted(tmp_path, "other", LoopClock(loop, round(late.timestamp() * 1000) - shift))
        seen = []
        for host in (one, other):
            stub = host.worker.namespace(Watch)["a"]
            seen.append((await stub.times())[0].year)
            response = await asyncio.create_task(host.worker.fetch(Request("http://x/")))
            seen.append(datetime.fromtimestamp((await response.json())["now"], UTC).year)
        outside = perdure.now()
        await other.close()
        await one.close()
        return only.year, seen, outside

    only, seen, outside = asyncio.run(scenario())

    assert only == 2001
    assert seen == [2001, 2001, 2002, 2002]
    assert abs(outside - datetime.now(UTC)) < timedelta(minutes=1)


def test_without_a_runtime_time_is_the_machines_and_aware():
    before = datetime.now(UTC)
    now, first, second = perdure.now(), perdure.monotonic(), perdure.monotonic()

    assert before <= now <= datetime.now(UTC)
    assert now.tzinfo is UTC
    assert first <= second


def test_a_runtime_that_closed_or_failed_to_open_is_not_open(tmp_path):
    async def scenario():
        before = OPEN_CLOCKS.only()
        async with perdure.open(tmp_path, objects=[Counter]):
            during = OPEN_CLOCKS.only()
        with pytest.raises(perdure.LoadFailed):
            await perdure.open(tmp_path, worker=tmp_path / "missing.py")
        return before, during is not None, OPEN_CLOCKS.only()

    assert asyncio.run(scenario()) == (None, True, None)
