"""Jobs run off the loop, their ends come back on it, in order where order was promised."""

import asyncio
import threading

import pytest

from perdure.store.committer import CommitterPool, Lane, run_job
from tests.store.world import ManualCommitter


def in_loop(scenario):
    async def run():
        pool = CommitterPool(asyncio.get_running_loop(), threads=2)
        try:
            await scenario(pool)
        finally:
            pool.close()

    asyncio.run(run())


def test_a_job_runs_on_another_thread_and_its_end_is_told_on_the_loop():
    async def scenario(pool):
        here = threading.get_ident()
        told = asyncio.get_running_loop().create_future()

        pool.submit(threading.get_ident, lambda result: told.set_result((result, threading.get_ident())))
        there, on = await told

        assert there != here
        assert on == here

    in_loop(scenario)


def test_what_a_job_raises_is_its_result():
    async def scenario(pool):
        def fail():
            raise ValueError("no")

        with pytest.raises(ValueError, match="no"):
            await run_job(pool, fail)
        assert await run_job(pool, lambda: 42) == 42

    in_loop(scenario)


def test_no_more_threads_than_allowed_serve_any_number_of_jobs():
    async def scenario(pool):
        threads = await asyncio.gather(*(run_job(pool, threading.get_ident) for _ in range(50)))

        assert 1 <= len(set(threads)) <= 2

    in_loop(scenario)


def test_a_waiter_that_was_cancelled_does_not_stop_its_job():
    async def scenario(pool):
        started, go_on, ended = threading.Event(), threading.Event(), threading.Event()

        def job():
            started.set()
            go_on.wait(10)
            ended.set()

        waiting = asyncio.ensure_future(run_job(pool, job))
        await asyncio.to_thread(started.wait, 10)
        waiting.cancel()
        go_on.set()
        await asyncio.to_thread(ended.wait, 10)
        await run_job(pool, lambda: None)

        assert waiting.cancelled()

    in_loop(scenario)


def test_jobs_of_a_lane_run_one_after_another_in_order():
    committer = ManualCommitter()
    lane = Lane(committer)
    seen: list[object] = []

    for n in range(3):
        lane.submit(lambda n=n: n, seen.append)
    lane.when_idle(lambda: seen.append("idle"))

    assert len(committer.jobs) == 1
    while committer.run():
        assert len(committer.jobs) <= 1
    assert seen == [0, 1, 2, "idle"]
    assert not lane.busy


def test_a_lane_that_is_idle_says_so_at_once():
    seen: list[object] = []

    Lane(ManualCommitter()).when_idle(lambda: seen.append("idle"))

    assert seen == ["idle"]


def test_a_lane_goes_on_when_telling_a_result_fails():
    committer = ManualCommitter()
    lane = Lane(committer)
    seen: list[object] = []

    def fail(_result):
        raise ValueError("no")

    lane.submit(lambda: 1, fail)
    lane.submit(lambda: 2, seen.append)
    with pytest.raises(ValueError, match="no"):
        committer.run()
    committer.run()

    assert seen == [2]


def test_a_job_that_outlives_its_loop_ends_quietly():
    go_on = threading.Event()

    async def scenario() -> CommitterPool:
        pool = CommitterPool(asyncio.get_running_loop(), threads=1)
        pool.submit(lambda: go_on.wait(10), lambda _: None)
        return pool

    pool = asyncio.run(scenario())
    go_on.set()

    pool.close()


def test_a_waiter_that_is_cancelled_is_told_once_its_job_has_ended():
    async def scenario(pool):
        go, ended = threading.Event(), threading.Event()

        def job():
            go.wait(30)
            ended.set()

        waiting = asyncio.create_task(run_job(pool, job))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.sleep(0)
        still_waiting = not waiting.done()
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await waiting

        assert still_waiting
        assert ended.is_set()

    in_loop(scenario)
